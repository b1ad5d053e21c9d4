"""Maxout, unit norm, softmax and spatial softmax, against NumPy."""

import numpy as np
import pytest
import tensorflow as tf

import slimcore as slim
from slimcore.errors import InputError, ShapeError

DRAWN = np.random.default_rng(0).normal(size=[2, 3, 4, 6]).astype(np.float32)


def test_maxout_keeps_the_largest_of_each_group(run):
    kept = run(lambda x: slim.maxout(x, 2), np.float32([[1, 5, 2, 3]]))
    np.testing.assert_array_equal(kept, [[5, 3]])


@pytest.mark.parametrize("axis", [1, 2, 3, -1])
def test_maxout_groups_along_its_axis_only(run, axis):
    units = DRAWN.shape[axis] // (3 if axis == 1 else 2)
    groups = np.split(DRAWN, units, axis)
    expected = np.concatenate([g.max(axis, keepdims=True) for g in groups], axis)
    np.testing.assert_array_equal(run(lambda x: slim.maxout(x, units, axis), DRAWN), expected)


def test_maxout_takes_a_batch_of_any_size():
    with tf.Graph().as_default():
        inputs = tf.compat.v1.placeholder(tf.float32, [None, None, 6])
        assert slim.maxout(inputs, 3).shape.as_list() == [None, None, 3]


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda x: slim.maxout(x, 4), "maxout .scope MaxOut. cannot share 6 channels .* 4 units"),
        (lambda x: slim.maxout(x, 0), "6 channels .* among 0 units"),
        (lambda x: slim.maxout(x, 2, axis=4), "got axis=4"),
        (lambda x: slim.unit_norm(x, 0), "unit_norm .scope UnitNorm. got dim=0"),
        (lambda x: slim.unit_norm(x, -1), "got dim=-1"),
        (lambda x: slim.unit_norm(x, 4), "got dim=4"),
        (lambda x: slim.spatial_softmax(x[0]), "spatial_softmax .* rank 4"),
    ],
)
def test_inputs_that_do_not_fit_are_named(call, message):
    with pytest.raises(ShapeError, match=message):
        slim.Module(call)(tf.constant(DRAWN))


@pytest.mark.parametrize("dim", [1, 3])
def test_unit_norm_makes_lengths_one(run, dim):
    normed = run(lambda x: slim.unit_norm(x, dim), DRAWN)
    length = np.sqrt((DRAWN**2).sum(dim, keepdims=True) + 1e-7)
    np.testing.assert_allclose(normed, DRAWN / length, rtol=1e-5)


def test_unit_norm_leaves_zeros(run):
    np.testing.assert_array_equal(run(lambda x: slim.unit_norm(x, 1), np.zeros([2, 3], "f")), 0)


def test_softmax_is_over_the_last_axis(run):
    e = np.exp(DRAWN)
    expected = e / e.sum(-1, keepdims=True)
    np.testing.assert_allclose(run(slim.softmax, DRAWN), expected, rtol=1e-5)


def mean_positions(images, temperature):
    """Returns of each channel the mean of row and column, from -1 to 1, in plain loops."""
    n, height, width, channels = images.shape
    result = np.zeros([n, channels, 2])
    for i, c in np.ndindex(n, channels):
        weights = np.exp(images[i, :, :, c] / temperature)
        weights /= weights.sum()
        result[i, c, 0] = weights.sum(1) @ np.linspace(-1, 1, height)
        result[i, c, 1] = weights.sum(0) @ np.linspace(-1, 1, width)
    return result.reshape(n, -1)


@pytest.mark.parametrize("data_format", ["NHWC", "NCHW"])
@pytest.mark.parametrize("temperature", [None, 0.5, "tensor"])
def test_spatial_softmax_is_the_mean_position_of_each_channel(run, data_format, temperature):
    def layer(x):
        given = tf.constant(2.0) if temperature == "tensor" else temperature
        return slim.spatial_softmax(x, given, data_format=data_format)

    inputs = DRAWN if data_format == "NHWC" else DRAWN.transpose(0, 3, 1, 2)
    expected = mean_positions(DRAWN, {None: 1, "tensor": 2}.get(temperature, temperature))
    np.testing.assert_allclose(run(layer, inputs), expected, rtol=1e-4, atol=1e-6)


def test_spatial_softmax_owns_a_temperature():
    model = slim.Module(slim.spatial_softmax, temperature=3.0, trainable=False, name="where")
    model(tf.constant(DRAWN))
    assert {n: float(v) for n, v in model.named_variables.items()} == {
        "spatial_softmax/temperature": 3.0
    }
    assert model.trainable_variables == ()
    named = slim.Module(lambda x: slim.spatial_softmax(x, name="eyes", variables_collections=["t"]))
    named(tf.constant(DRAWN))
    assert [v.name for v in named.get_variables(collection="t")] == ["eyes/temperature:0"]


def test_spatial_softmax_names_the_data_formats():
    with pytest.raises(InputError, match="got data_format='NHCW'; it takes 'NHWC', 'NCHW'"):
        slim.Module(slim.spatial_softmax, data_format="NHCW")(tf.constant(DRAWN))
