"""Regularizers and initializers against their formulas."""

import numpy as np
import pytest
import tensorflow as tf

import slimcore as slim

WEIGHTS = np.array([[1.0, -2.0], [3.0, 0.0]], "f")
L1, L2 = 6.0, 14.0 / 2


@pytest.mark.parametrize(
    "regularizer, expected",
    [
        (slim.l1_regularizer(0.5), 0.5 * L1),
        (slim.l2_regularizer(0.5), 0.5 * L2),
        (slim.l1_l2_regularizer(0.5, 2.0), 0.5 * L1 + 2 * L2),
        (slim.l1_l2_regularizer(0.5, 0.0), 0.5 * L1),
        (slim.sum_regularizer([slim.l1_regularizer(1.0), None, slim.l2_regularizer(1.0)]), L1 + L2),
    ],
)
def test_a_regularizer_is_its_formula(run, regularizer, expected):
    np.testing.assert_allclose(run(regularizer, WEIGHTS), expected)


def test_a_regularizer_of_scale_0_has_no_loss():
    assert slim.l1_regularizer(0.0)(WEIGHTS) is None
    assert slim.l2_regularizer(0.0)(WEIGHTS) is None
    assert slim.l1_l2_regularizer(0.0, 0.0)(WEIGHTS) is None
    assert slim.sum_regularizer([None]) is None
    model = slim.Module(
        lambda x: slim.fully_connected(x, 2, weights_regularizer=slim.l2_regularizer(0.0))
    )
    model(WEIGHTS)
    assert model.regularization_losses == []


@pytest.mark.parametrize("make", [slim.l1_regularizer, slim.l2_regularizer, slim.l1_l2_regularizer])
@pytest.mark.parametrize("scale", [1, -0.1, "much"])
def test_a_scale_is_a_float_of_at_least_0(make, scale):
    with pytest.raises(slim.errors.InputError, match=f"{make.__name__} takes a float"):
        make(scale)


def test_apply_regularization_sums_over_weights_and_gathers_the_sum(run):
    def net(a, b):
        total = slim.apply_regularization(slim.l2_regularizer(1.0), [a, b])
        return total, slim.get_collection("regularization_losses")

    total, gathered = run(net, WEIGHTS, 2 * WEIGHTS)
    np.testing.assert_allclose(total, L2 + 4 * L2)
    np.testing.assert_allclose(gathered, [total])


def test_apply_regularization_takes_the_collection_of_weights_by_default():
    ones = tf.compat.v1.ones_initializer()

    def net(x):
        slim.fully_connected(
            x,
            3,
            weights_initializer=ones,
            variables_collections=["weights"],
            biases_initializer=None,
        )
        return slim.apply_regularization(slim.l1_regularizer(1.0))

    assert float(slim.Module(net)(WEIGHTS)) == 6.0


def test_apply_regularization_refuses_no_weights_and_no_scalar():
    module = slim.Module(lambda x: slim.apply_regularization(slim.l1_regularizer(1.0)))
    with pytest.raises(slim.errors.InputError, match="no weights"):
        module(WEIGHTS)
    with pytest.raises(slim.errors.InputError, match=r"scalar .*\(2, 2\)"):
        slim.apply_regularization(lambda w: w, [tf.constant(WEIGHTS)])


SHAPE = (3, 3, 40, 60)
FANS = {"FAN_IN": 360, "FAN_OUT": 540, "FAN_AVG": 450}


@pytest.mark.parametrize("mode", FANS)
@pytest.mark.parametrize("factor", [1.0, 2.0])
def test_uniform_values_fill_their_range(mode, factor):
    initializer = slim.variance_scaling_initializer(factor, mode, uniform=True, seed=1)
    values = np.asarray(initializer(SHAPE))
    limit = np.sqrt(3 * factor / FANS[mode])
    assert 0.99 * limit < np.abs(values).max() <= limit
    np.testing.assert_allclose(values.var(), factor / FANS[mode], rtol=0.05)


@pytest.mark.parametrize("mode", FANS)
def test_normal_values_are_cut_off_at_two_deviations(mode):
    values = np.asarray(slim.variance_scaling_initializer(mode=mode, seed=1)(SHAPE))
    deviation = np.sqrt(1.3 * 2 / FANS[mode])
    assert 1.9 * deviation < np.abs(values).max() <= 2 * deviation
    np.testing.assert_allclose(values.var(), 2 / FANS[mode], rtol=0.05)


def test_xavier_is_scaled_by_the_mean_of_both_fans():
    assert slim.xavier_initializer_conv2d is slim.xavier_initializer
    for uniform in (True, False):
        values = np.asarray(slim.xavier_initializer(uniform, seed=1)([200, 400]))
        np.testing.assert_allclose(values.var(), 1 / 300, rtol=0.05)


@pytest.mark.parametrize("shape, fan", [([], 1), ([500], 500)])
def test_a_shape_without_two_axes_has_one_fan(shape, fan):
    values = np.asarray(slim.variance_scaling_initializer(1.0, uniform=True)(shape))
    assert np.abs(values).max() <= np.sqrt(3 / fan)


def test_the_whole_variable_counts_where_it_is_cut_into_shards():
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        with tf.compat.v1.variable_scope("", partitioner=tf.compat.v1.fixed_size_partitioner(4)):
            slim.fully_connected(tf.zeros([1, 400]), 200)
        session.run(tf.compat.v1.global_variables_initializer())
        shards = session.run([v for v in slim.get_variables() if "weights" in v.op.name])
        assert [s.shape for s in shards] == [(100, 200)] * 4
        np.testing.assert_allclose(np.var(shards), 1 / 300, rtol=0.05)


def test_an_initializer_refuses_other_modes_and_types():
    with pytest.raises(TypeError, match="FAN_SUM"):
        slim.variance_scaling_initializer(mode="FAN_SUM")
    with pytest.raises(TypeError, match="int32"):
        slim.variance_scaling_initializer(dtype=tf.int32)
    with pytest.raises(TypeError, match="int64"):
        slim.xavier_initializer()([2, 2], tf.int64)
