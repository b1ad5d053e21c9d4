"""Arguments off the beaten track, against TF-Slim's own networks.

`data/record.py` wrote `data/arguments.json`: for each call the shapes and norms of the end points
and some numbers of the outputs.
"""

import contextlib
import importlib
import json
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

import slimcore as slim

CALLS = json.loads(Path(__file__).with_name("data").joinpath("arguments.json").read_text("utf-8"))
# Named differently in research/slim, whose names ours are.
LATER = {"AvgPool_0a_7x7", "AvgPool_1a", "global_pool"}


def name_of(call):
    size = "x".join(map(str, call["input"][1:3]))
    arguments = "-".join(f"{k}={v}" for k, v in {**call["kwargs"], **(call["scope"] or {})}.items())
    return f"{call['function']}-{size}-{arguments}"


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(c, marks=pytest.mark.slow if c["parameters"] > 3e7 else [], id=name_of(c))
        for c in CALLS
    ],
)
def test_a_call_gives_the_shapes_end_points_and_numbers_of_the_original(
    call, recorded_weights, run, graph
):
    module = importlib.import_module(f"slim_nets.{call['module']}")
    inputs = tf.compat.v1.placeholder(tf.float32, call["input"])
    training = {} if call["function"].endswith("_base") else {"is_training": False}
    with contextlib.ExitStack() as scopes:
        if call["scope"] is not None:
            scope = getattr(module, call["scope_function"])(**call["scope"])
            scopes.enter_context(slim.arg_scope(scope))
        # TF-Slim's ResNets do not squeeze their logits by default; ours do, as research/slim's.
        squeeze = {"spatial_squeeze": False} if call["module"].startswith("resnet") else {}
        arguments = {**training, **squeeze, **call["kwargs"]}
        outputs, ends = getattr(module, call["function"])(inputs, **arguments)
    assert outputs.shape.as_list() == call["shape"]
    shared = {k: v for k, v in call["end_points"].items() if k in ends}
    assert set(call["end_points"]) - set(ends) <= LATER
    assert {k: ends[k].shape.as_list() for k in shared} == shared

    draws = np.random.Generator(np.random.PCG64(0)).standard_normal(call["input"])
    fetches = [outputs, {k: ends[k] for k in shared}]
    value, got = run(fetches, recorded_weights, {inputs: draws.astype(np.float32)})
    for end, tensor in got.items():
        norm = np.sqrt(np.sum(tensor.astype(float) ** 2))
        np.testing.assert_allclose(norm, call["norms"][end], rtol=1e-3, err_msg=end)
    flat = value.astype(float).ravel()
    n = flat.size
    np.testing.assert_allclose(np.sqrt(np.sum(flat**2)), call["l2"], rtol=1e-3)
    probe = [flat[i] for i in (0, n // 7, n // 2, 6 * n // 7)]
    np.testing.assert_allclose(probe, call["probe"], 0, 4e-3 * call["l2"] / np.sqrt(n))
