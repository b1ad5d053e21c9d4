"""The numbers of tf-slim 1.1.0, as it returned them for the inputs in tf_slim_1_1_0.json."""

import json
from functools import reduce
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

import slimcore as slim

RECORDS = json.loads(Path(__file__).with_name("tf_slim_1_1_0.json").read_text())


def called(record):
    loss = reduce(getattr, record["loss"].split("."), slim.losses)
    tensors = [tf.constant(a) if isinstance(a, list) else a for a in record["arguments"]]
    return loss(*tensors, **record["options"])


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record["loss"])
def test_eager_mode_gives_the_numbers_of_the_original(record):
    np.testing.assert_allclose(called(record), record["value"], rtol=2e-5, atol=2e-6)


def test_graphs_give_the_numbers_of_the_original():
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        results = session.run([called(record) for record in RECORDS])
    for result, record in zip(results, RECORDS, strict=True):
        np.testing.assert_allclose(
            result, record["value"], rtol=2e-5, atol=2e-6, err_msg=record["loss"]
        )
