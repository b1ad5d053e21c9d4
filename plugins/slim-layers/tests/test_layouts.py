"""Channels first on every processor: the same numbers as channels last, and few transposes.

Processors convolve channels first in float32 at most, so float64 always takes the way round.
"""

import functools
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from slim_layers import _layouts as layouts

import slimcore as slim

v1 = tf.compat.v1

FIRST = {3: "NCW", 4: "NCHW", 5: "NCDHW"}
IMAGES, VOLUMES, ROWS = (2, 6, 8, 4), (1, 4, 6, 5, 3), (2, 9, 3)
NORMED = {"normalizer_fn": slim.batch_norm}
WEIGHTS = {"weights_initializer": v1.random_normal_initializer(seed=3)}  # the same in any graph


def layer(name, shape, *args, **kwargs):
    return name, shape, args, kwargs


LAYERS = {
    "conv1d": layer("conv1d", ROWS, 5, 3, stride=2),
    "conv1d, rate 2": layer("conv1d", ROWS, 5, 3, rate=2),
    "conv2d": layer("conv2d", IMAGES, 5, [3, 2], stride=[1, 2]),
    "conv2d, VALID": layer("conv2d", IMAGES, 5, 3, padding="VALID", activation_fn=None),
    "conv2d, rate 2": layer("conv2d", IMAGES, 5, 3, rate=2),
    "conv2d over all": layer("conv2d", IMAGES, 5, [6, 8], padding="VALID"),
    "conv2d without biases": layer("conv2d", IMAGES, 5, 1, biases_initializer=None),
    "conv2d, sigmoid": layer("conv2d", IMAGES, 5, 3, activation_fn=tf.nn.sigmoid),
    "conv2d, softmax over W": layer("conv2d", IMAGES, 5, 3, activation_fn=tf.nn.softmax),
    "conv3d": layer("conv3d", VOLUMES, 4, [2, 3, 1], stride=2),
    "conv3d, rate 2": layer("conv3d", VOLUMES, 4, 2, rate=[1, 2, 2]),
    "conv2d_transpose": layer("conv2d_transpose", IMAGES, 5, [3, 2], stride=[2, 3]),
    "conv2d_transpose, VALID": layer("conv2d_transpose", IMAGES, 5, 4, 2, padding="VALID"),
    "conv3d_transpose": layer("conv3d_transpose", VOLUMES, 4, 3, stride=[1, 2, 1]),
    "separable_conv2d": layer("separable_conv2d", IMAGES, 5, 3, 2, stride=2),
    "separable_conv2d, rate 2": layer("separable_conv2d", IMAGES, 5, 3, rate=2),
    "separable_conv2d, depthwise": layer("separable_conv2d", IMAGES, None, [2, 3], 2),
    "max_pool2d": layer("max_pool2d", IMAGES, 2),
    "avg_pool2d": layer("avg_pool2d", IMAGES, 3, 2, "SAME"),
    "max_pool3d": layer("max_pool3d", VOLUMES, 2, 1),
    "avg_pool3d": layer("avg_pool3d", VOLUMES, [2, 3, 1], 2, "SAME"),
    "pool of rows": layer("pool", ROWS, 3, "MAX", stride=2),
    "pool, dilated": layer("pool", IMAGES, 2, "AVG", dilation_rate=[2, 3]),
    "pool of volumes, dilated": layer("pool", VOLUMES, 2, "MAX", dilation_rate=2),
    "bias_add": layer("bias_add", IMAGES, tf.nn.elu),
    "batch_norm": layer("batch_norm", IMAGES, scale=True, activation_fn=tf.nn.relu),
    "batch_norm, not fused": layer("batch_norm", IMAGES, fused=False),
    "batch_norm, evaluated": layer("batch_norm", IMAGES, is_training=False),
    "batch_norm, renorm": layer("batch_norm", IMAGES, renorm=True),
    "batch_norm of volumes": layer("batch_norm", VOLUMES),
    "batch_norm of rows": layer("batch_norm", ROWS),
    "instance_norm": layer("instance_norm", IMAGES),
    "conv2d and batch_norm": layer("conv2d", IMAGES, 5, 3, **NORMED),
    "conv2d_transpose and batch_norm": layer("conv2d_transpose", IMAGES, 5, 3, 2, **NORMED),
    "separable_conv2d and batch_norm": layer("separable_conv2d", IMAGES, 5, 3, **NORMED),
    "conv3d and batch_norm": layer("conv3d", VOLUMES, 5, 3, **NORMED),
}


def drawn(shape, dtype, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def with_gradients(case, channels_first):
    """Returns a function of inputs that returns the outputs, and gradients of a loss."""
    name, shape, args, kwargs = LAYERS[case]
    form = {"data_format": FIRST[len(shape)]} if channels_first else {}
    if name in ("batch_norm", "instance_norm", "bias_add") and channels_first:
        form = {"data_format": "NCHW"}
    if "normalizer_fn" in kwargs and channels_first:
        kwargs = {**kwargs, "normalizer_params": {"data_format": "NCHW"}}
    if "conv" in name:
        kwargs = {**WEIGHTS, **kwargs}
    if kwargs.get("activation_fn") is tf.nn.softmax and not channels_first:
        # What the user writes sees the layout that the user asked for.
        kwargs = {**kwargs, "activation_fn": functools.partial(tf.nn.softmax, axis=2)}

    def function(inputs):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = getattr(slim, name)(inputs, *args, **kwargs, **form)
            loss = tf.reduce_sum(outputs**3)
        variables = sorted(tape.watched_variables(), key=lambda v: v.name)
        gradients = tape.gradient(loss, [inputs, *variables], unconnected_gradients="zero")
        return outputs, gradients[0], gradients[1:]

    return function


@pytest.mark.parametrize("case", LAYERS)
def test_channels_first_are_channels_last(run, case):
    check(run, case, "float32")


# TensorFlow does not pool volumes in float64.
IN_FLOAT64 = [
    c for c in LAYERS if c not in ("max_pool3d", "avg_pool3d", "pool of volumes, dilated")
]


@pytest.mark.parametrize("case", IN_FLOAT64)
def test_channels_first_are_channels_last_in_float64(case):
    def run(function, inputs):
        tf.random.set_seed(1)
        return slim.Module(function)(tf.constant(inputs))

    check(run, case, "float64")


def check(run, case, dtype):
    inputs = drawn(LAYERS[case][1], dtype)
    last, last_back, last_variables = run(with_gradients(case, False), inputs)
    first, first_back, first_variables = run(with_gradients(case, True), np.moveaxis(inputs, -1, 1))
    assert_close(np.moveaxis(first, 1, -1), last)
    assert_close(np.moveaxis(first_back, 1, -1), last_back)
    assert len(first_variables) == len(last_variables)
    for a, b in zip(first_variables, last_variables, strict=True):
        assert_close(a, b)


def assert_close(actual, expected):
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-5 * (1 + np.abs(expected).max()))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("layer", ["conv2d", "batch_norm", "bias_add"])
def test_low_precision_takes_channels_first(layer, dtype):
    inputs = tf.cast(drawn(IMAGES, "f"), dtype)
    arguments = (3, 3) if layer == "conv2d" else ()
    model = slim.Module(lambda x: getattr(slim, layer)(x, *arguments, data_format="NCHW"))
    other = slim.Module(lambda x: getattr(slim, layer)(x, *arguments))
    last, moved = other(inputs), tf.transpose(inputs, [0, 3, 1, 2])
    model(moved)
    for name, variable in model.named_variables.items():
        variable.assign(other.named_variables[name])
    first = model(moved)
    assert first.dtype == dtype
    first = tf.transpose(tf.cast(first, tf.float32), [0, 2, 3, 1])
    np.testing.assert_allclose(first, tf.cast(last, tf.float32), rtol=2e-2, atol=2e-2)


def test_sizes_may_be_unknown_until_run_time():
    def net(images):
        images = slim.conv2d(images, 4, 3, data_format="NCHW")
        images = slim.conv2d_transpose(images, 3, 3, 2, data_format="NCHW")
        return slim.max_pool2d(images, 2, data_format="NCHW")

    for dtype in (tf.float32, tf.float64):
        model = slim.Module(net)
        model(tf.zeros([1, 2, 4, 4], dtype))
        called = tf.function(model, input_signature=[tf.TensorSpec([None, 2, None, None], dtype)])
        assert called.get_concrete_function().output_shapes == [None, 3, None, None]
        assert called(tf.zeros([2, 2, 5, 6], dtype)).shape == (2, 3, 5, 6)


def test_an_activation_of_ones_own_sees_channels_first():
    seen = []

    def activation(images):
        seen.append(images.shape.as_list())
        return images

    for normalizer in (None, slim.instance_norm):
        slim.Module(slim.conv2d, activation_fn=activation, normalizer_fn=normalizer)(
            tf.zeros([1, 3, 4, 5], tf.float64), 7, 3, data_format="NCHW"
        )
    assert seen == [[1, 7, 4, 5]] * 2


# Transposes that are left.


def stack(images, normalizer_fn):
    layers = [slim.conv2d, slim.separable_conv2d, slim.conv2d_transpose]
    normalizers = [slim.batch_norm, slim.instance_norm, slim.bias_add]
    with (
        slim.arg_scope([*layers, slim.max_pool2d, slim.avg_pool2d], data_format="NCHW"),
        slim.arg_scope(normalizers, data_format="NCHW"),
        slim.arg_scope(layers, normalizer_fn=normalizer_fn),
    ):
        net = slim.conv2d(images, 8, 3)
        net = slim.max_pool2d(net, 2)
        net = slim.conv2d(net, 8, 3, rate=2, activation_fn=tf.nn.elu)
        net = slim.separable_conv2d(net, 8, 3)
        net = slim.batch_norm(net)
        net = slim.avg_pool2d(net, 2)
        net = slim.conv2d_transpose(net, 6, 3, 2, activation_fn=tf.nn.sigmoid)
        return slim.conv2d(net, 8, 1, activation_fn=None)


def transposes(graphs):
    nodes = [node for graph in graphs for node in graph.node]
    assert any(node.op == "Conv2D" for node in nodes)
    # With oneDNN, an op in a session has another name.
    return sum(node.op in ("Transpose", "_MklTranspose") for node in nodes)


def optimized(function, inputs, folder):
    """Returns the graphs of a function's first call, as TensorFlow has optimized them."""
    tf.summary.trace_on(graph=True, profiler=False)
    function(inputs)
    with tf.summary.create_file_writer(str(folder)).as_default():
        tf.summary.trace_export("trace", step=0)
    (path,) = folder.iterdir()
    events = map(v1.Event.FromString, tf.data.TFRecordDataset(str(path)).as_numpy_iterator())
    traces = [value.tensor.string_val[0] for e in events for value in e.summary.value]
    (metadata,) = map(v1.RunMetadata.FromString, traces)
    return [graph.post_optimization_graph for graph in metadata.function_graphs]


STACKS = [
    ("float32", slim.batch_norm),
    ("float32", slim.instance_norm),
    ("float64", slim.batch_norm),
    ("float64", None),
]


def images_to_move(dtype):
    if layouts.has_op("convolution", 2, tf.as_dtype(dtype)):
        pytest.skip("TensorFlow convolves channels first here")
    return drawn([2, 3, 16, 16], dtype)


@pytest.mark.parametrize("dtype, normalizer", STACKS)
def test_a_stack_in_a_function_is_transposed_once_on_each_side(dtype, normalizer, tmp_path):
    images = tf.constant(images_to_move(dtype))
    model = slim.Module(stack, normalizer_fn=normalizer)
    model(images)

    @tf.function
    def back(images):
        with tf.GradientTape() as tape:
            tape.watch(images)
            loss = tf.reduce_sum(model(images) ** 2)
        return tape.gradient(loss, [images, *model.trainable_variables])

    (tmp_path / "there").mkdir(), (tmp_path / "back").mkdir()
    assert transposes(optimized(tf.function(model), images, tmp_path / "there")) == 2
    assert transposes(optimized(back, images, tmp_path / "back")) == 4


@pytest.mark.parametrize("dtype, normalizer", STACKS)
def test_a_stack_in_a_session_is_transposed_once_on_each_side(dtype, normalizer):
    images = images_to_move(dtype)
    with tf.Graph().as_default(), v1.Session() as session:
        inputs = v1.placeholder(images.dtype, images.shape)
        outputs = stack(inputs, normalizer)
        gradients = tf.gradients(outputs**2, [inputs, *v1.trainable_variables()])
        session.run(v1.global_variables_initializer())
        for fetch, count in ((outputs, 2), (gradients, 4)):
            metadata = v1.RunMetadata()
            options = v1.RunOptions(output_partition_graphs=True)
            session.run(fetch, {inputs: images}, options, metadata)
            assert transposes(metadata.partition_graphs) == count


def test_a_gradient_of_what_is_between_layers_is_there():
    model = slim.Module(lambda x: slim.conv2d(x, 2, 1, data_format="NCHW", activation_fn=None))
    other = slim.Module(lambda x: slim.max_pool2d(x, 2, data_format="NCHW"))
    with tf.GradientTape() as tape:
        between = model(tf.ones([1, 2, 4, 4]))
        outputs = other(between)
    gradient = tape.gradient(outputs, between)
    assert gradient.shape == (1, 2, 4, 4)
    assert tf.reduce_sum(gradient) == 8


def test_without_eager_execution_a_session_tells_which_ops_there_are():
    code = """
import numpy as np, tensorflow as tf
tf.compat.v1.disable_v2_behavior()
import slimcore as slim
images = np.random.default_rng(0).standard_normal([2, 3, 6, 8])
ones = {"weights_initializer": tf.compat.v1.ones_initializer()}
last = slim.max_pool2d(slim.conv2d(tf.constant(images), 2, 3, **ones), 2)
moved = slim.conv2d(tf.constant(images.transpose(0, 3, 1, 2)), 2, 3, data_format="NCHW", **ones)
first = slim.max_pool2d(moved, 2, data_format="NCHW")
with tf.compat.v1.Session() as session:
    session.run(tf.compat.v1.global_variables_initializer())
    last, first = session.run([last, first])
np.testing.assert_allclose(first.transpose(0, 2, 3, 1), last, rtol=1e-6)
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
