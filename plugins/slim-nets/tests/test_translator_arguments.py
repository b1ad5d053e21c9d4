"""The arguments of DCGAN, CycleGAN and pix2pix, against formulas."""

import numpy as np
import pytest
import tensorflow as tf

import slimcore as slim

v1 = tf.compat.v1


def images(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def assert_same(actual, expected):
    """Compares by the largest value: sums cancel."""
    atol = 2e-5 * np.abs(expected).max()
    np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=atol)


def normalized(net, axes, epsilon):
    mean, variance = tf.nn.moments(net, axes, keepdims=True)
    return (net - mean) / tf.sqrt(variance + epsilon)


# DCGAN.


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("fused", [True, False])
def test_a_discriminator_normalizes_by_the_batch_while_training(training, fused):
    net = images(6, 8, 8, 2)
    model = slim.Module(
        slim.nets.dcgan_discriminator, depth=3, is_training=training, fused_batch_norm=fused
    )
    logits, ends = model(net)
    values = {n.removeprefix("Discriminator/"): v for n, v in model.named_variables.items()}
    first = tf.nn.conv2d(net, values["conv1/weights"], 2, "SAME") + values["conv1/biases"]
    first = tf.nn.leaky_relu(first)
    assert_same(ends["conv1"], first)
    second = tf.nn.conv2d(first, values["conv2/weights"], 2, "SAME")
    if training:
        second = normalized(second, [0, 1, 2], 0.001)
    else:
        second /= np.sqrt(1.001)  # the averages as they begin
    np.testing.assert_allclose(ends["conv2"], tf.nn.leaky_relu(second), rtol=1e-3, atol=1e-4)
    assert logits.shape == (6, 1)
    assert [ends[f"conv{n}"].shape[-1] for n in (1, 2, 3)] == [3, 6, 12]


@pytest.mark.parametrize("depth, size, outputs", [(3, 16, 1), (5, 64, 4)])
def test_a_generator_has_half_the_channels_at_twice_the_size(depth, size, outputs, graph):
    made, ends = slim.nets.dcgan_generator(
        *(v1.placeholder(tf.float32, [2, 7]), depth), final_size=size, num_outputs=outputs
    )
    layers = int(np.log2(size)) - 1
    for number in range(1, layers + 1):
        side = 4 * 2 ** (number - 1)
        expected = (2, side, side, depth * 2 ** (layers - number))
        assert ends[f"deconv{number}"].shape == expected
    assert made.shape == (2, size, size, outputs)


@pytest.mark.parametrize("name, shape", [("generator", (4, 6)), ("discriminator", (4, 16, 16, 2))])
def test_a_fused_norm_of_dcgan_changes_no_number(name, shape, recorded_weights):
    results = []
    for fused in (True, False):
        model = slim.Module(
            slim.lookup("net", f"dcgan_{name}"), depth=3, is_training=False, fused_batch_norm=fused
        )
        model(images(*shape))
        for key, variable in model.named_variables.items():
            variable.assign(recorded_weights(key, variable.shape.as_list()))
        results.append(model(images(*shape))[0])
    assert_same(*results)


# CycleGAN.


def resized(net, stride, align_corners):
    """Resizes bilinearly, the first position being in place."""
    for axis, times in ((1, stride[0]), (2, stride[1])):
        size = net.shape[axis]
        last = size - 1 if align_corners else size - 1 / times
        places = np.linspace(0, last, size * times)
        net = np.apply_along_axis(
            lambda row, places=places: np.interp(places, np.arange(len(row)), row), axis, net
        )
    return net.astype(np.float32)


@pytest.mark.parametrize("pad_mode", ["REFLECT", "SYMMETRIC", "CONSTANT"])
@pytest.mark.parametrize("stride", [[2, 2], [3, 2]])
@pytest.mark.parametrize("corners", [False, True])
@pytest.mark.parametrize("method", ["nn", "bilinear", "transpose"])
def test_cyclegan_resizes_pads_and_convolves(method, corners, stride, pad_mode, importer):
    name = {"transpose": "conv2d_transpose"}.get(method, f"{method}_upsample_conv")
    model = slim.Module(
        importer("cyclegan.cyclegan_upsample"),
        num_outputs=3,
        stride=stride,
        method=name,
        pad_mode=pad_mode,
        align_corners=corners,
    )
    net = images(2, 4, 5, 2)
    output = model(net)
    (weights,) = (v for n, v in model.named_variables.items() if n.endswith("weights"))
    if method == "transpose":
        whole = [2, (4 - 1) * stride[0] + max(3, stride[0]), (5 - 1) * stride[1] + 3, 3]
        expected = tf.nn.conv2d_transpose(net, weights, whole, stride, "VALID")[:, 1:, 1:]
    else:
        if method == "nn":
            larger = net.repeat(stride[0], 1).repeat(stride[1], 2)
        else:
            larger = resized(net, stride, corners)
        padded = np.pad(
            larger,
            [[0, 0], [1, 1], [1, 1], [0, 0]],
            mode=pad_mode.lower(),
        )
        expected = tf.nn.conv2d(padded, weights, 1, "VALID")
    assert_same(output, tf.nn.relu(expected))


@pytest.mark.parametrize("center, scale, epsilon", [(False, True, 0.5), (True, False, 1e-6)])
def test_the_scope_of_cyclegan_sets_norms_weights_and_decay(center, scale, epsilon, importer):
    def scope():
        return importer("cyclegan.cyclegan_arg_scope")(
            instance_norm_center=center,
            instance_norm_scale=scale,
            instance_norm_epsilon=epsilon,
            weights_init_stddev=0.3,
            weight_decay=0.1,
        )

    model = slim.Module(
        slim.nets.cyclegan_generator_resnet, arg_scope_fn=scope, num_resnet_blocks=2, num_filters=6
    )
    net = images(1, 8, 12, 3)
    _, ends = model(net)
    names = model.named_variables
    assert any(n.endswith("beta") for n in names) == center
    assert any(n.endswith("gamma") for n in names) == scale
    weights = names["input/Conv/weights"]
    np.testing.assert_allclose(np.std(weights), 0.3, rtol=0.1)
    padded = np.pad(net, [[0, 0], [3, 3], [3, 3], [0, 0]], mode="reflect")
    first = normalized(tf.nn.conv2d(padded, weights, 1, "VALID"), [1, 2], epsilon)
    np.testing.assert_allclose(ends["encoder_0"], tf.nn.relu(first), rtol=1e-3, atol=1e-4)
    # Of the encoder 3, of the blocks 4, of the last layer 1: transposed ones have none.
    assert len(model.regularization_losses) == 8
    assert {f"resnet_block_{n}" for n in (0, 1)} == {n for n in ends if "block" in n}
    shapes = [ends[n].shape for n in ("encoder_0", "encoder_2", "decoder1", "decoder2")]
    assert shapes == [(1, 8, 12, 6), (1, 2, 3, 24), (1, 4, 6, 12), (1, 8, 12, 6)]


def test_cyclegan_makes_maps_larger_by_the_function_given():
    calls = []

    def upsample(net, num_outputs, stride):
        calls.append((num_outputs, stride))
        return tf.repeat(tf.repeat(net, stride[0], 1), stride[1], 2)[..., :num_outputs]

    model = slim.Module(
        slim.nets.cyclegan_generator_resnet,
        num_resnet_blocks=0,
        num_filters=5,
        upsample_fn=upsample,
    )
    _, ends = model(images(1, 8, 8, 3))
    assert calls == [(10, [2, 2]), (5, [2, 2])]
    np.testing.assert_array_equal(ends["decoder2"][:, ::4, ::4], ends["encoder_2"][..., :5])


# pix2pix.


@pytest.mark.parametrize(
    "filters, padding, mode, activation",
    [
        ([3, 4, 5], 1, "SYMMETRIC", tf.nn.elu),
        ([4, 2], 3, "CONSTANT", tf.tanh),
        ([2, 3], 0, "REFLECT", tf.nn.relu),
    ],
)
def test_a_discriminator_of_patches_pads_and_convolves(filters, padding, mode, activation):
    net = images(2, 24, 20, 3)
    model = slim.Module(
        slim.nets.pix2pix_discriminator,
        num_filters=filters,
        padding=padding,
        pad_mode=mode,
        activation_fn=activation,
    )
    logits, ends = model(net)
    around = [[0, 0], [padding] * 2, [padding] * 2, [0, 0]]
    for number in range(len(filters) + 1):
        stride = 2 if number < len(filters) - 1 else 1
        weights = model.named_variables[f"conv{number}/weights"]
        net = tf.nn.conv2d(np.pad(net, around, mode=mode.lower()), weights, stride, "VALID")
        if number < len(filters):
            net = activation(net)
            assert_same(ends[f"conv{number}"], net)
            net = net.numpy()
    assert_same(logits, net)
    assert_same(ends["predictions"], tf.sigmoid(net))


@pytest.mark.parametrize("method", ["nn_upsample_conv", "conv2d_transpose"])
@pytest.mark.parametrize("times", [[2, 2], [3, 1]])
def test_pix2pix_makes_maps_larger(method, times, importer):
    model = slim.Module(
        importer("pix2pix.upsample"), num_outputs=3, kernel_size=times, method=method
    )
    net = images(1, 4, 5, 2)
    output = model(net)
    (weights,) = (v for n, v in model.named_variables.items() if n.endswith("weights"))
    shape = [1, 4 * times[0], 5 * times[1], 3]
    if method == "conv2d_transpose":
        expected = tf.nn.conv2d_transpose(net, weights, shape, times, "SAME")
    else:
        larger = net.repeat(times[0], 1).repeat(times[1], 2)
        expected = tf.nn.conv2d(larger, weights, 1, "SAME")
    assert_same(output, expected)
