"""Generalized divisive normalization, against its formula."""

import numpy as np
import pytest
import tensorflow as tf

import slimcore as slim
from slimcore.errors import InputError, ShapeError

RNG = np.random.default_rng(0)
INPUTS = RNG.normal(size=[2, 3, 4, 3]).astype(np.float32)
WEIGHTS = {
    "gdn/reparam_beta": np.float32([1.0, 0.1, 2.0]),  # the second is below its bound
    "gdn/reparam_gamma": RNG.uniform(0.3, 0.9, size=[3, 3]).astype(np.float32),
}
OFFSET, BETA_MIN = 0.5, 0.3


def divisor(x):
    beta = np.maximum(WEIGHTS["gdn/reparam_beta"], np.sqrt(BETA_MIN + OFFSET**2)) ** 2 - OFFSET**2
    gamma = np.maximum(WEIGHTS["gdn/reparam_gamma"], OFFSET) ** 2 - OFFSET**2
    return np.sqrt(beta + (x**2) @ gamma)


@pytest.mark.parametrize("inverse", [False, True])
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("rank", [3, 4, 5])
def test_outputs_follow_the_formula(run, inverse, data_format, rank):
    x = INPUTS[0] if rank == 3 else INPUTS if rank == 4 else INPUTS[None]
    expected = x * divisor(x) if inverse else x / divisor(x)
    inputs = x
    if data_format == "channels_first":
        inputs, expected = np.moveaxis(x, -1, 1), np.moveaxis(expected, -1, 1)
    outputs = run(
        lambda x: slim.gdn(x, inverse, BETA_MIN, 0.2, OFFSET, data_format), inputs, weights=WEIGHTS
    )
    np.testing.assert_allclose(outputs, expected, rtol=1e-5)


def test_variables_begin_so_that_beta_is_one_and_gamma_is_diagonal():
    model = slim.Module(slim.gdn, gamma_init=0.2, reparam_offset=OFFSET)
    model(tf.constant(INPUTS))
    beta, gamma = (v.numpy() for v in model.variables)
    assert list(model.named_variables) == list(WEIGHTS)
    np.testing.assert_allclose(beta**2 - OFFSET**2, [1, 1, 1], rtol=1e-6)
    np.testing.assert_allclose(gamma**2 - OFFSET**2, 0.2 * np.eye(3), atol=1e-6)


def test_a_gradient_passes_the_bound_towards_it_only(run):
    def gradients(x):
        """Of the sum and its negative, with respect to a beta below its bound."""
        with tf.GradientTape(persistent=True) as tape:
            total = tf.reduce_sum(tf.abs(slim.gdn(x, False, BETA_MIN, 0.2, OFFSET)))
            negative = -total
        (beta, _) = slim.get_variables("gdn")
        return tape.gradient(total, beta)[1], tape.gradient(negative, beta)[1]

    of_sum, of_negative = run(gradients, INPUTS, weights=WEIGHTS)
    # A larger beta makes outputs smaller: descent on the sum raises beta, and may.
    assert of_sum < 0
    assert of_negative == 0


def test_the_activity_regularizer_is_gathered_by_the_batch():
    model = slim.Module(slim.gdn, activity_regularizer=tf.reduce_sum)
    outputs = model(tf.constant(INPUTS))
    np.testing.assert_allclose(model.regularization_losses, [tf.reduce_sum(outputs) / 2], rtol=1e-5)


def test_each_call_is_a_layer_and_an_object_is_one():
    def two(x):
        shared = slim.GDN(name="mine")
        return slim.gdn(slim.gdn(shared(shared(x)))), slim.gdn(x, name="mine", reuse=True)

    model = slim.Module(two)
    model(tf.constant(INPUTS))
    assert {n.partition("/")[0] for n in model.named_variables} == {"gdn", "gdn_1", "mine"}
    with tf.Graph().as_default():
        two(tf.constant(INPUTS))
        assert len(tf.compat.v1.trainable_variables()) == 6


def test_an_object_made_outside_finds_its_variables_in_every_call():
    layer = slim.GDN(trainable=False)
    model = slim.Module(lambda x: layer(x))
    for _ in range(2):
        model(tf.constant(INPUTS))
    assert list(model.named_variables) == list(WEIGHTS)
    assert model.trainable_variables == ()
    assert layer.compute_output_shape([2, 3]).as_list() == [2, 3]


def test_wrong_arguments_are_named():
    with pytest.raises(ShapeError, match="gdn .scope gdn. takes inputs of rank 3 or more"):
        slim.Module(slim.gdn)(tf.zeros([2, 3]))
    with pytest.raises(InputError, match="got data_format='NHWC'; it takes 'channels_last'"):
        slim.Module(slim.gdn, data_format="NHWC")(tf.constant(INPUTS))
    with pytest.raises(InputError, match="no argument 'dtypo'"):
        slim.GDN(dtypo=1)


def test_low_precision_keeps_the_energies_exact():
    large = tf.constant(INPUTS * 300)  # its squares leave float16
    with slim.precision("mixed_float16"):
        outputs = slim.Module(slim.gdn)(large)
    np.testing.assert_allclose(outputs, slim.Module(slim.gdn)(large), rtol=5e-3, atol=1e-3)
