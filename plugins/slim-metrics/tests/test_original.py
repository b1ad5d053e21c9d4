"""The numbers and signatures of tf-slim 1.1.0, as it gave them for tf_slim_1_1_0.json."""

import inspect
import json
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

import slimcore as slim

ORIGINAL = json.loads(Path(__file__).with_name("tf_slim_1_1_0.json").read_text())
RECORDS = ORIGINAL["records"]
BATCHES = [
    {name: np.array(a["values"], a["dtype"]) for name, a in batch.items()}
    for batch in ORIGINAL["batches"]
]


def described(record):
    return "-".join(map(str, [record["metric"], *record["arguments"], *record["options"].values()]))


def fed(batch, given):
    return tf.constant(batch[given]) if isinstance(given, str) and given in batch else given


def call(record, batch):
    options = {name: fed(batch, value) for name, value in record["options"].items()}
    arguments = [fed(batch, given) for given in record["arguments"]]
    return getattr(slim.metrics, record["metric"])(*arguments, **options)[0]


@pytest.mark.parametrize("record", RECORDS, ids=described)
def test_metrics_give_the_numbers_of_the_original(record):
    module = slim.Module(lambda batch: call(record, batch))
    for i in record.get("batches", range(len(BATCHES))):
        value = module(BATCHES[i])
    for ours, original in zip(tf.nest.flatten(value), record["value"], strict=True):
        np.testing.assert_allclose(ours, original, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("name", ORIGINAL["signatures"])
def test_parameters_and_defaults_are_the_original_ones(name):
    ours = inspect.signature(getattr(slim.metrics, name)).parameters.values()
    for (original, default), parameter in zip(ORIGINAL["signatures"][name], ours, strict=True):
        assert str(parameter).startswith(original)
        given = None if parameter.default is parameter.empty else repr(parameter.default)
        assert given == default
