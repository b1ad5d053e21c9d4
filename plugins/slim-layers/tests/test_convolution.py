"""Convolutions against sums written out in NumPy."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

import slimcore as slim

RNG = np.random.default_rng(0)


def values(*shape):
    return RNG.standard_normal(shape).astype("f")


def padding_before_and_after(size, kernel, stride, rate, padding):
    if padding == "VALID":
        return 0, 0
    span = (kernel - 1) * rate + 1
    total = max((-(-size // stride) - 1) * stride + span - size, 0)
    return total // 2, total - total // 2


def convolved(inputs, weights, stride=1, rate=1, padding="SAME"):
    """Sums inputs times weights over each window; channels last, any number of axes."""
    dims = inputs.ndim - 2
    stride, rate = np.broadcast_to(stride, dims), np.broadcast_to(rate, dims)
    kernel = weights.shape[:dims]
    pads = [
        padding_before_and_after(n, k, s, r, padding)
        for n, k, s, r in zip(inputs.shape[1:-1], kernel, stride, rate, strict=True)
    ]
    padded = np.pad(inputs, [(0, 0), *pads, (0, 0)])
    sizes = [
        (n - (k - 1) * r - 1) // s + 1
        for n, k, s, r in zip(padded.shape[1:-1], kernel, stride, rate, strict=True)
    ]
    outputs = np.zeros([inputs.shape[0], *sizes, weights.shape[-1]])
    for place in itertools.product(*map(range, sizes)):
        for offset in itertools.product(*map(range, kernel)):
            at = tuple(
                p * s + o * r for p, s, o, r in zip(place, stride, offset, rate, strict=True)
            )
            outputs[(slice(None), *place)] += padded[(slice(None), *at)] @ weights[offset]
    return outputs


def channels_first(array):
    return np.moveaxis(array, -1, 1)


CASES = [
    ("conv1d", (2, 7, 3), {"kernel_size": 3}),
    ("conv1d", (2, 7, 3), {"kernel_size": 2, "stride": 3, "padding": "VALID"}),
    ("conv1d", (2, 9, 3), {"kernel_size": 3, "rate": 2}),
    ("conv2d", (2, 6, 5, 3), {"kernel_size": 3}),
    ("conv2d", (2, 6, 5, 3), {"kernel_size": [3, 2], "stride": [2, 1], "padding": "VALID"}),
    ("conv2d", (2, 7, 8, 3), {"kernel_size": 3, "stride": 2}),
    ("conv2d", (1, 8, 9, 2), {"kernel_size": 3, "rate": [2, 1]}),
    ("conv2d", (1, 8, 9, 2), {"kernel_size": 3, "rate": 2, "padding": "VALID"}),
    ("conv2d", (2, 4, 5, 3), {"kernel_size": [4, 5], "padding": "VALID"}),
    ("conv2d", (2, 1, 1, 3), {"kernel_size": 1}),
    ("conv3d", (1, 4, 3, 5, 2), {"kernel_size": [2, 3, 1]}),
    ("conv3d", (1, 4, 5, 4, 2), {"kernel_size": 2, "stride": 2, "padding": "VALID"}),
    ("convolution", (2, 6, 5, 3), {"kernel_size": 3, "stride": 2}),
]


@pytest.mark.parametrize("first", [False, True], ids=["channels last", "channels first"])
@pytest.mark.parametrize("layer, shape, options", CASES)
def test_a_convolution_sums_over_windows(run, layer, shape, options, first):
    dims = len(shape) - 2
    inputs = values(*shape)
    kernel = tuple(np.broadcast_to(options["kernel_size"], dims))
    weights, biases = values(*kernel, shape[-1], 4), values(4)
    window = {k: v for k, v in options.items() if k != "kernel_size"}
    expected = np.maximum(convolved(inputs, weights, **window) + biases, 0)
    if first:
        options = {**options, "data_format": {1: "NCW", 2: "NCHW", 3: "NCDHW"}[dims]}
        inputs, expected = channels_first(inputs), channels_first(expected)
    outputs = run(
        lambda x: getattr(slim, layer)(x, 4, **options),
        inputs,
        weights={"Conv/weights": weights, "Conv/biases": biases},
    )
    np.testing.assert_allclose(outputs, expected, rtol=1e-4, atol=1e-4)


TRANSPOSED = [
    ("conv2d_transpose", (2, 3, 4, 3), {"kernel_size": 3, "stride": 2}),
    ("conv2d_transpose", (2, 3, 4, 3), {"kernel_size": [3, 2], "stride": [2, 3]}),
    ("conv2d_transpose", (2, 3, 4, 3), {"kernel_size": 4, "stride": 2, "padding": "VALID"}),
    ("conv3d_transpose", (1, 2, 3, 2, 3), {"kernel_size": 3, "stride": 2}),
    ("conv3d_transpose", (1, 2, 3, 2, 3), {"kernel_size": 2, "stride": 1, "padding": "VALID"}),
]


@pytest.mark.parametrize("first", [False, True], ids=["channels last", "channels first"])
@pytest.mark.parametrize("layer, shape, options", TRANSPOSED)
def test_a_transposed_convolution_is_the_adjoint_of_a_convolution(
    run, layer, shape, options, first
):
    dims = len(shape) - 2
    scope = layer.capitalize()
    inputs = values(*shape)
    kernel = tuple(np.broadcast_to(options["kernel_size"], dims))
    weights = values(*kernel, 5, shape[-1])  # as of a convolution from 5 channels
    form = {"data_format": {2: "NCHW", 3: "NCDHW"}[dims]} if first else {}
    outputs = run(
        lambda x: getattr(slim, layer)(x, 5, activation_fn=None, **form, **options),
        channels_first(inputs) if first else inputs,
        weights={f"{scope}/weights": weights},
    )
    outputs = np.moveaxis(outputs, 1, -1) if first else outputs
    stride = np.broadcast_to(options["stride"], dims)
    extra = np.maximum(np.array(kernel) - stride, 0) * (options.get("padding") == "VALID")
    assert outputs.shape == (shape[0], *(np.array(shape[1:-1]) * stride + extra), 5)
    # <conv(probe), inputs> == <probe, transposed(inputs)> for any probe
    probe = values(*outputs.shape)
    window = {k: v for k, v in options.items() if k != "kernel_size"}
    there = np.sum(convolved(probe, weights, **window) * inputs)
    np.testing.assert_allclose(np.sum(probe * outputs), there, rtol=1e-4, atol=1e-3)


def depthwise(inputs, weights, **window):
    """Convolves each channel with its own kernels [*kernel, C, multiplier]."""
    each = [
        convolved(inputs[..., [c]], weights[..., [c], :], **window) for c in range(inputs.shape[-1])
    ]
    return np.concatenate(each, -1)


@pytest.mark.parametrize(
    "window",
    [{}, {"stride": 2}, {"stride": 2, "padding": "VALID"}, {"rate": 2}, {"rate": [1, 2]}],
    ids=str,
)
@pytest.mark.parametrize("num_outputs", [5, None])
def test_a_separable_convolution_convolves_channels_and_then_mixes_them(run, num_outputs, window):
    inputs = values(2, 7, 8, 3)
    weights, mixing = values(3, 2, 3, 2), values(1, 1, 6, 5)
    expected = depthwise(inputs, weights, **window)
    given = {"SeparableConv2d/depthwise_weights": weights}
    if num_outputs:
        expected = expected @ mixing[0, 0]
        given["SeparableConv2d/pointwise_weights"] = mixing
    outputs = run(
        lambda x: slim.separable_conv2d(x, num_outputs, [3, 2], 2, activation_fn=None, **window),
        inputs,
        weights=given,
    )
    np.testing.assert_allclose(outputs, expected, rtol=1e-4, atol=1e-4)


def test_a_separable_convolution_takes_channels_first(run):
    inputs, weights, mixing = values(2, 6, 5, 3), values(3, 3, 3, 1), values(1, 1, 3, 4)
    outputs = run(
        lambda x: slim.separable_conv2d(x, 4, 3, data_format="NCHW", activation_fn=None),
        channels_first(inputs),
        weights={
            "SeparableConv2d/depthwise_weights": weights,
            "SeparableConv2d/pointwise_weights": mixing,
        },
    )
    expected = channels_first(depthwise(inputs, weights) @ mixing[0, 0])
    np.testing.assert_allclose(outputs, expected, rtol=1e-4, atol=1e-4)


def test_the_pointwise_weights_may_have_an_initializer_of_their_own():
    ones, twos = (tf.compat.v1.constant_initializer(v) for v in (1.0, 2.0))
    model = slim.Module(
        lambda x: slim.separable_conv2d(
            x, 2, 1, weights_initializer=ones, pointwise_initializer=twos
        )
    )
    np.testing.assert_array_equal(model(tf.ones([1, 1, 1, 3])), [[[[6.0, 6.0]]]])


@pytest.mark.parametrize("stride, padding", [(1, "SAME"), (2, "VALID")])
def test_an_in_plane_convolution_has_one_kernel_for_all_channels(run, stride, padding):
    inputs, weights = values(2, 6, 7, 3), values(1, 2, 1, 1)
    outputs = run(
        lambda x: slim.conv2d_in_plane(x, [1, 2], stride, padding, activation_fn=None),
        inputs,
        weights={"ConvInPlane/weights": weights},
    )
    tiled = np.tile(weights, [1, 1, 3, 1])
    expected = depthwise(inputs, tiled, stride=stride, padding=padding)
    np.testing.assert_allclose(outputs, expected, rtol=1e-4, atol=1e-4)


def test_a_stride_given_by_position_wins_over_the_scope():
    with slim.arg_scope([slim.conv2d], stride=1):
        outputs = slim.Module(lambda x: slim.conv2d(x, 64, [11, 11], 4))(tf.zeros([1, 32, 32, 3]))
    assert outputs.shape == (1, 8, 8, 64)


def test_default_scopes_are_numbered(run):
    def net(x):
        for _ in range(3):
            x = slim.conv2d(x, 2, 1)
        return x

    model = slim.Module(net)
    model(tf.zeros([1, 2, 2, 2]))
    model(tf.zeros([1, 2, 2, 2]))
    assert [v.name for v in model.get_variables(suffix="biases")] == [
        "Conv/biases:0",
        "Conv_1/biases:0",
        "Conv_2/biases:0",
    ]


BAD = [
    (
        lambda x: slim.conv2d(x, 4, 9, padding="VALID"),
        r"conv2d \(scope Conv\).*\[9, 9\].*6, 6\]",
    ),
    (lambda x: slim.conv2d(x, 4, 3, rate=3, padding="VALID"), r"conv2d .* spans \[7, 7\]"),
    (lambda x: slim.conv2d(x, 4, 3, data_format="NWHC"), r"conv2d \(scope Conv\).*'NWHC'.*'NCHW'"),
    (lambda x: slim.conv2d(x, 4, 3, padding="FULL"), r"conv2d .*'FULL'.*'SAME', 'VALID'"),
    (lambda x: slim.conv2d(x, 4, [3, 3, 3]), r"conv2d .*kernel_size=\[3, 3, 3\]"),
    (lambda x: slim.conv2d(x, 4, 3, stride=0), r"conv2d .*stride=0"),
    (lambda x: slim.conv2d(x, 0, 3), r"conv2d .*num_outputs=0"),
    (lambda x: slim.conv2d(x, 4, 3, stride=2, rate=2), "conv2d .*stride=2, rate=2"),
    (lambda x: slim.conv3d(x, 4, 3), r"conv3d \(scope Conv\) .*rank 5, not 4.*\(1, 6, 6, 2\)"),
    (lambda x: slim.conv1d(x, 4, 3), "conv1d .*rank 3, not 4"),
    (lambda x: slim.convolution(x[0, 0], 4, 3), "convolution .*rank 3 or 4 or 5, not 2"),
    (lambda x: slim.separable_conv2d(x, 4, 3, 0), r"separable_conv2d \(scope .*depth_multiplier=0"),
    (lambda x: slim.separable_conv2d(x, 4, 3, stride=[1, 2]), r"separable_conv2d .*\[1, 2\]"),
    (lambda x: slim.conv2d_transpose(x, 4, 3, data_format="NCDHW"), "conv2d_transpose .*'NCDHW'"),
    (lambda x: slim.fully_connected(x, -1), r"fully_connected \(scope .*num_outputs=-1"),
    (lambda x: slim.max_pool2d(x, 7), r"max_pool2d \(scope MaxPool2D\).*\[7, 7\].*\[6, 6\]"),
    (lambda x: slim.avg_pool3d(x, 2), r"avg_pool3d .*rank 5, not 4"),
    (lambda x: slim.pool(x, 2, "MIN"), r"pool \(scope min_pool\).*'MIN'.*'MAX', 'AVG'"),
    (lambda x: slim.dropout(x, 1.5), r"dropout \(scope Dropout\).*1.5"),
    (lambda x: slim.flatten(x[0, 0, 0, 0]), r"flatten \(scope Flatten\)"),
    (lambda x: slim.batch_norm(x, data_format="NCW"), r"batch_norm \(scope BatchNorm\).*'NCW'"),
    (lambda x: slim.batch_norm(x, renorm=True, renorm_clipping={"r": 1}), "batch_norm .*'r'.*rmin"),
    (lambda x: slim.layer_norm(x, begin_norm_axis=4), r"layer_norm \(scope .*begin_norm_axis=4"),
    (lambda x: slim.group_norm(x, 3), r"group_norm \(scope GroupNorm\).*2 channels.*3 groups"),
    (lambda x: slim.group_norm(x, 2, reduction_axes=(-1,)), r"group_norm .*\(-1,\)"),
    (lambda x: slim.group_norm(x, 2, channels_axis=7), r"group_norm .*channels_axis=7"),
    (lambda x: slim.instance_norm(x[0, 0]), r"instance_norm \(scope .*rank 3 or more"),
]


@pytest.mark.parametrize("call, message", BAD)
def test_a_bad_call_names_the_layer_its_scope_and_what_was_given(run, call, message):
    with pytest.raises(ValueError, match=message) as caught:
        run(call, np.zeros([1, 6, 6, 2], "f"))
    # Out of a tf.function TensorFlow puts the traceback before it.
    assert len(str(caught.value).strip().splitlines()) == 1 or "in user code" in str(caught.value)


def test_what_tensorflow_says_of_an_op_comes_with_the_name_of_the_layer():
    initializer = tf.compat.v1.constant_initializer(1.0)
    with pytest.raises(slim.errors.ShapeError, match=r"max_pool2d \(scope p\) cannot take inputs"):
        slim.max_pool2d(tf.constant([[[["text"]]]]), 1, scope="p")
    with tf.Graph().as_default():
        slim.conv2d(tf.zeros([1, 4, 4, 2]), 3, 1, scope="c", weights_initializer=initializer)
        with pytest.raises(slim.errors.ScopeError, match=r"c/weights is used twice .*reuse"):
            slim.conv2d(tf.zeros([1, 4, 4, 2]), 3, 1, scope="c")
