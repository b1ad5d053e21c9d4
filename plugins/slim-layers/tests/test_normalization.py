"""Normalization within each example, against its definition in NumPy."""

import numpy as np
import pytest
import tensorflow as tf

import slimcore as slim

INPUTS = (np.random.default_rng(0).standard_normal([3, 4, 5, 6]) * 2 + 1).astype("f")


def normalized(values, axes, epsilon):
    mean, variance = values.mean(axes, keepdims=True), values.var(axes, keepdims=True)
    return (values - mean) / np.sqrt(variance + epsilon)


def grouped(values, groups, axes=(1, 2)):
    """Normalizes [..., C] over `axes` and within each group of channels."""
    shape = values.shape
    split = values.reshape(*shape[:-1], groups, shape[-1] // groups)
    return normalized(split, (*axes, split.ndim - 1), 1e-6).reshape(shape)


def close(outputs, expected):
    np.testing.assert_allclose(outputs, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "begin, axes", [(1, (1, 2, 3)), (2, (2, 3)), (-1, (3,)), (0, (0, 1, 2, 3))]
)
def test_layer_norm_normalizes_from_an_axis_on(run, begin, axes):
    outputs = run(lambda x: slim.layer_norm(x, begin_norm_axis=begin), INPUTS)
    close(outputs, normalized(INPUTS, axes, 1e-12))


def test_layer_norm_has_parameters_from_an_axis_on(run):
    gamma = np.random.default_rng(1).standard_normal([5, 6]).astype("f")
    outputs = run(
        lambda x: slim.layer_norm(x, center=False, begin_params_axis=2),
        INPUTS,
        weights={"LayerNorm/gamma": gamma},
    )
    close(outputs, normalized(INPUTS, (1, 2, 3), 1e-12) * gamma)


def test_instance_norm_normalizes_each_channel_of_each_example(run):
    expected = normalized(INPUTS, (1, 2), 1e-6)
    close(run(slim.instance_norm, INPUTS), expected)
    first = run(lambda x: slim.instance_norm(x, data_format="NCHW"), np.moveaxis(INPUTS, -1, 1))
    close(np.moveaxis(first, 1, -1), expected)


@pytest.mark.parametrize("groups", [1, 2, 3, 6])
@pytest.mark.parametrize("mean_close_to_zero", [False, True])
def test_group_norm_normalizes_groups_of_channels(run, groups, mean_close_to_zero):
    outputs = run(
        lambda x: slim.group_norm(x, groups, mean_close_to_zero=mean_close_to_zero), INPUTS
    )
    close(outputs, grouped(INPUTS, groups))


def test_group_norm_takes_channels_on_any_axis(run):
    outputs = run(
        lambda x: slim.group_norm(x, 2, channels_axis=-3, reduction_axes=(-2, -1)),
        np.moveaxis(INPUTS, -1, 1),
    )
    close(np.moveaxis(outputs, 1, -1), grouped(INPUTS, 2))


def test_group_norm_takes_any_places_and_none(run):
    one_axis = run(lambda x: slim.group_norm(x, 2, reduction_axes=[-3]), INPUTS)
    close(one_axis, grouped(INPUTS, 2, (1,)))
    vectors = INPUTS[:, 0, 0]
    close(run(lambda x: slim.group_norm(x, 3, reduction_axes=()), vectors), grouped(vectors, 3, ()))


@pytest.mark.parametrize(
    "layer, scope", [("instance_norm", "InstanceNorm"), ("group_norm", "GroupNorm")]
)
def test_beta_and_gamma_are_by_channel(run, layer, scope):
    beta, gamma = np.arange(6, dtype="f"), np.arange(1, 7, dtype="f")
    options = {"groups": 6} if layer == "group_norm" else {}
    outputs = run(
        lambda x: getattr(slim, layer)(x, **options),
        INPUTS,
        weights={f"{scope}/beta": beta, f"{scope}/gamma": gamma},
    )
    close(outputs, normalized(INPUTS, (1, 2), 1e-6) * gamma + beta)


def test_parameters_have_initializers_of_their_own(run):
    initializers = {"beta": tf.compat.v1.constant_initializer(0.25)}
    for layer in (slim.instance_norm, slim.group_norm):
        options = {"groups": 6} if layer is slim.group_norm else {}
        outputs = run(
            lambda x, layer=layer, options=options: layer(
                x, scale=False, param_initializers=initializers, **options
            ),
            INPUTS,
        )
        close(outputs, normalized(INPUTS, (1, 2), 1e-6) + 0.25)


@pytest.mark.parametrize("layer", ["layer_norm", "instance_norm", "group_norm"])
def test_low_precision_is_normalized_in_float32(layer):
    options = {"groups": 6} if layer == "group_norm" else {}
    # In bfloat16 itself, a mean of 1000 would leave nothing of these differences.
    values = (1000 + 8 * np.arange(6 * 16).reshape(1, 4, 4, 6) % 64).astype("f")
    plain = slim.Module(lambda x: getattr(slim, layer)(x, **options))
    low = slim.Module(lambda x: getattr(slim, layer)(tf.cast(x, tf.bfloat16), **options))
    outputs = low(values)
    assert outputs.dtype == tf.bfloat16
    np.testing.assert_allclose(tf.cast(outputs, tf.float32), plain(values), atol=0.02)
