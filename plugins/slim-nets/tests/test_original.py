"""Arguments off the beaten track, against TF-Slim's own networks.

`data/record.py` wrote `data/arguments.json`: for each call the variables, collections and losses,
and numbers of the end points, of the outputs, and of the moving averages after the call.
"""

import contextlib
import importlib
import inspect
import json
import zlib
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

import slimcore as slim

v1 = tf.compat.v1
CALLS = json.loads(Path(__file__).with_name("data").joinpath("arguments.json").read_text("utf-8"))
# Named differently in research/slim, whose names ours are.
LATER = {"AvgPool_0a_7x7", "AvgPool_1a", "global_pool"}
PREDICTIONS = {
    "sigmoid": lambda logits, scope: tf.sigmoid(logits, name=scope),
    "log_softmax": lambda logits, scope: tf.nn.log_softmax(logits, name=scope),
}
# Batch statistics amplify rounding.
ROUNDING, IN_TRAINING = 1e-3, 5e-3


def name_of(call):
    size = "x".join(map(str, call["input"][1:3]))
    given = {k: v for k, v in {**call["kwargs"], **(call["scope"] or {})}.items() if k != "blocks"}
    return f"{call['function']}-{size}-" + "-".join(f"{k}={v}" for k, v in given.items())


every_call = pytest.mark.parametrize(
    "call",
    [
        pytest.param(c, marks=pytest.mark.slow if c["parameters"] > 3e7 else [], id=name_of(c))
        for c in CALLS
    ],
)


def images(call):
    draws = np.random.Generator(np.random.PCG64(0)).standard_normal(call["input"])
    return draws.astype(np.float32)


def build(call, inputs):
    """Builds the network of a call, and returns the outputs and a dict of end points."""
    module = importlib.import_module(f"slim_nets.{call['module']}")
    function, arguments = getattr(module, call["function"]), dict(call["kwargs"])
    parameters = inspect.signature(function).parameters
    if "is_training" in parameters:
        arguments.setdefault("is_training", False)
    if call["module"].startswith("resnet_v") and "spatial_squeeze" in parameters:
        # TF-Slim's ResNets do not squeeze their logits; ours do by default, as research/slim's.
        arguments["spatial_squeeze"] = False
    if "blocks" in arguments:
        block = getattr(module, f"{call['module']}_block")
        arguments["blocks"] = [block(*row) for row in arguments["blocks"]]
    if "prediction_fn" in arguments:
        arguments["prediction_fn"] = PREDICTIONS[arguments["prediction_fn"]]
    with contextlib.ExitStack() as scopes:
        if call["scope"] is not None:
            place = module
            if call["scope_function"] == "resnet_arg_scope":
                place = importlib.import_module("slim_nets.resnet_utils")
            scope = getattr(place, call["scope_function"])(**call["scope"])
            scopes.enter_context(slim.arg_scope(scope))
        built = function(inputs, **arguments)
    outputs, ends = built if isinstance(built, tuple) else (built, {})
    assert set(call["end_points"]) - set(ends) <= LATER
    return outputs, {k: ends[k] for k in call["end_points"] if k in ends}


def check(call, value, ends, loss, variables, averages):
    """Compares with what was recorded; `variables` are the shapes, by name."""
    names = sorted(f"{name} {list(shape)}" for name, shape in variables.items())
    assert [len(names), zlib.crc32("\n".join(names).encode())] == call["variables"]
    rtol = IN_TRAINING if call["kwargs"].get("is_training") else ROUNDING
    for name, tensor in ends.items():
        check_numbers(name, tensor, call["end_points"][name], rtol)
    check_numbers("outputs", value, call["outputs"], rtol)
    if call["averages"]:
        moved = np.concatenate([np.ravel(x) for x in averages])
        check_numbers("moving averages", moved, call["averages"], rtol)
    np.testing.assert_allclose(loss, call["regularization_loss"], rtol=1e-4)


def check_numbers(name, value, expected, rtol):
    """Compares shape, mean, norm and three elements, the latter by the root mean square."""
    shape, mean, norm, *elements = expected
    assert list(np.shape(value)) == shape, name
    flat = np.asarray(value, np.float64).ravel()
    n, rms = flat.size, norm / np.sqrt(flat.size)
    np.testing.assert_allclose(np.sqrt(np.sum(flat**2)), norm, rtol=rtol, err_msg=name)
    np.testing.assert_allclose(flat.mean(), mean, 0, rtol * rms, err_msg=name)
    chosen = [flat[n // 7], flat[n // 2], flat[6 * n // 7]]
    np.testing.assert_allclose(chosen, elements, 0, 4 * rtol * rms, err_msg=name)


@every_call
def test_a_call_in_a_graph_gives_what_the_original_gives(call, recorded_weights, graph):
    inputs = v1.placeholder(tf.float32, call["input"])
    outputs, ends = build(call, inputs)
    sizes = {key: len(v1.get_collection(key)) for key in call["collections"]}
    assert sizes == call["collections"]
    losses = v1.losses.get_regularization_losses()
    loss = tf.add_n(losses) if losses else tf.constant(0.0)
    variables, feeds = v1.global_variables(), {inputs: images(call)}
    with v1.Session() as session:
        starts = {
            v.initializer.inputs[1]: recorded_weights(v.op.name, v.shape.as_list())
            for v in variables
        }
        session.run([v.initializer for v in variables], starts)
        fetched = session.run([outputs, ends, loss], feeds)
        session.run(v1.get_collection("update_ops"), feeds)
        averages = session.run([v for v in variables if "moving_" in v.op.name])
    check(call, *fetched, {v.op.name: v.shape.as_list() for v in variables}, averages)


@every_call
def test_a_call_of_a_module_gives_what_the_original_gives(call, recorded_weights):
    model = slim.Module(lambda inputs: build(call, inputs))

    @tf.function(input_signature=[tf.TensorSpec(call["input"])])
    def run(inputs):
        outputs, ends = model(inputs)
        return outputs, ends, tf.add_n([0.0, *model.regularization_losses])

    run.get_concrete_function()
    for name, variable in model.named_variables.items():
        variable.assign(recorded_weights(name, variable.shape.as_list()))
    fetched = run(tf.constant(images(call)))
    shapes = {n: v.shape.as_list() for n, v in model.named_variables.items()}
    averages = [v.numpy() for n, v in model.named_variables.items() if "moving_" in n]
    if "updates_collections" in (call["scope"] or {}):
        # Recorded without running these updates. In a Module averages move whatever is gathered.
        call = {**call, "averages": None}
    check(call, *fetched, shapes, averages)
