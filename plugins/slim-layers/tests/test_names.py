"""The public names of tf-slim's layers and variables, with the same parameters and defaults."""

import ast
import functools
import importlib
import inspect
import json
from pathlib import Path

import pytest
import tensorflow as tf

import slimcore as slim

API = json.loads((Path(__file__).parent / "data/tf_slim_api.json").read_text())

# Where the names of each module of tf-slim are found here.
PLACES = {
    "tf_slim.layers.bucketization_op": slim,
    "tf_slim.layers.initializers": slim.initializers,
    "tf_slim.layers.layers": slim,
    "tf_slim.layers.normalization": slim.normalization,
    "tf_slim.layers.optimizers": slim.optimizers,
    "tf_slim.layers.regularizers": slim.regularizers,
    "tf_slim.layers.rev_block_lib": slim,
    "tf_slim.layers.sparse_ops": slim,
    "tf_slim.layers.summaries": slim,
    "tf_slim.layers.utils": slim.utils,
    "tf_slim.ops.arg_scope": slim,
    "tf_slim.ops.framework_ops": importlib.import_module("slimcore.framework_ops"),
    "tf_slim.ops.variables": slim,
    "tf_slim.summaries": slim.summaries,
}
CASES = [(module, name) for module in PLACES for name in API[module]]


def definition(module, name):
    """Returns what is recorded of a name, where it is an alias that of what it stands for."""
    entry = API[module][name]
    while "alias_of" in entry:
        module, _, name = entry["alias_of"].rpartition(".")
        entry = API[module][name]
    return entry


def same_default(found, recorded):
    """Compares a default with the recorded text of one."""
    try:
        return found == ast.literal_eval(recorded)
    except (SyntaxError, ValueError):
        pass
    if recorded.startswith("tf."):
        return found is getattr(tf, recorded.removeprefix("tf."))
    if recorded.startswith("VariableS") or recorded.startswith("VariableA"):
        kind, _, member = recorded.partition(".")
        return found is getattr(tf, kind)[member]
    if recorded == "Zeros()":
        return type(found) is type(tf.compat.v1.zeros_initializer())
    if recorded.startswith("variance_scaling_initializer("):
        options = ast.parse(recorded, mode="eval").body.keywords
        config = {o.arg: ast.literal_eval(o.value) for o in options}
        limit = (6 / (200 + 400)) ** 0.5  # Glorot's, for a matrix [200, 400]
        values = found([200, 400], tf.float32)
        assert config == {"factor": 1.0, "mode": "FAN_AVG", "seed": None, "uniform": True}
        return 0.98 * limit < float(tf.reduce_max(tf.abs(values))) < 1.001 * limit
    return recorded in (getattr(found, "__name__", None), repr(found))


def parameters_of(function):
    """Returns names and defaults as recorded: `*args`, `**kwargs`, and no default as `empty`."""
    shown = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
    parameters = inspect.signature(function).parameters.values()
    return {shown.get(p.kind, "") + p.name: p.default for p in parameters}


def check_parameters(function, recorded, where):
    ours = parameters_of(function)
    assert list(ours)[: len(recorded)] == [p[0] for p in recorded], where
    for name, *default in recorded:
        if default:
            assert same_default(ours[name], default[0]), f"{where}({name}={ours[name]!r})"
        elif not name.startswith("*"):
            assert ours[name] is inspect.Parameter.empty, f"{where}({name}=...)"
    # What is ours alone comes last, and may be left out.
    for name in list(ours)[len(recorded) :]:
        assert ours[name] is not inspect.Parameter.empty, f"{where}({name})"


@pytest.mark.parametrize("module, name", CASES, ids=[f"{m}.{n}" for m, n in CASES])
def test_a_name_of_tf_slim_is_here_with_its_parameters(module, name):
    entry, found = definition(module, name), getattr(PLACES[module], name)
    if entry["kind"] == "function":
        check_parameters(found, entry["params"], name)
        if entry.get("arg_scope"):
            assert slim.has_arg_scope(found)
    elif entry["kind"] == "class":
        for method, recorded in entry["methods"].items():
            check_parameters(getattr(found, method), recorded, f"{name}.{method}")
    elif entry["kind"] == "partial":
        assert isinstance(found, functools.partial)
        of = entry["of"].rpartition(".")[2]
        assert found.func is getattr(slim, of)
        for argument, value in entry["bound"].items():
            assert same_default(found.keywords[argument], value)


@pytest.mark.parametrize("name, sizes", [("conv2d", [3, 1]), ("fully_connected", [3])])
def test_the_ops_of_outputs_have_the_names_by_which_exported_graphs_are_read(name, sizes):
    layer = getattr(slim, name)
    with tf.Graph().as_default():
        images = tf.zeros([1, 4, 4, 2])
        assert layer(images, *sizes, activation_fn=None, scope="logits").op.name == "logits/BiasAdd"
        assert layer(images, *sizes, scope="hidden").op.name == "hidden/Relu"
