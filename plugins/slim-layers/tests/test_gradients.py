"""Gradients that are scaled, and values that are computed again for them."""

import gc
import weakref

import numpy as np
import pytest
import tensorflow as tf

import slimcore as slim

v1 = tf.compat.v1
X = np.float32([[1, 2, -3], [0, 5, 1]])


@pytest.mark.parametrize("factor", [3.0, -1.0, 0.0])
def test_the_gradient_is_scaled_and_the_value_is_not(run, factor):
    def both(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = slim.scale_gradient(x, factor)
            z = tf.reduce_sum(y * y)
        return y, tape.gradient(z, x)

    value, gradient = run(both, X)
    np.testing.assert_array_equal(value, X)
    np.testing.assert_allclose(gradient, 2 * X * factor)


def block(x, scale):
    """Two layers with default names, so that the second computation has to find them."""
    h = slim.fully_connected(x, 4, activation_fn=tf.nn.tanh)
    return slim.fully_connected(h, 3, activation_fn=None) * scale, h


def with_gradients(call):
    """Returns a function that returns the outputs and all gradients of `call`."""

    def compute(x, scale):
        with tf.GradientTape() as tape:
            tape.watch([x, scale])
            first, second = call(x, scale)
            loss = tf.reduce_sum(first**2) + tf.reduce_sum(second)
        variables = slim.get_trainable_variables()
        assert [slim.get_variable_full_name(v).rpartition("/")[0] for v in variables] == (
            ["fully_connected"] * 2 + ["fully_connected_1"] * 2
        )
        return first, second, *tape.gradient(loss, [x, scale, *variables])

    return compute


RNG = np.random.default_rng(0)
WEIGHTS = {
    "fully_connected/weights": RNG.normal(size=[3, 4]),
    "fully_connected/biases": RNG.normal(size=[4]),
    "fully_connected_1/weights": RNG.normal(size=[4, 3]),
    "fully_connected_1/biases": RNG.normal(size=[3]),
}


@pytest.mark.parametrize("options", [{}, {"use_data_dep": True}, {"tupleize_grads": True}])
def test_gradients_are_those_of_the_plain_function(run, options):
    arrays = X, np.float32(2)
    plain = run(with_gradients(block), *arrays, weights=WEIGHTS)
    again = run(with_gradients(slim.recompute_grad(block, **options)), *arrays, weights=WEIGHTS)
    for expected, found in zip(plain, again, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_the_next_layer_gets_a_name_of_its_own(run):
    def layers(x):
        y, _ = slim.recompute_grad(block)(x, tf.constant(1.0))
        with tf.GradientTape() as tape:
            tape.watch(x)
            y, _ = slim.recompute_grad(lambda x: (slim.fully_connected(x, 2), 0.0))(x)
        tape.gradient(y, x)
        slim.fully_connected(y, 2)
        return [
            tf.constant(slim.get_variable_full_name(v))
            for v in slim.get_variables(suffix="weights")
        ]

    names = [bytes(np.asarray(name).item()) for name in run(layers, X)]
    assert names == [f"fully_connected{i}/weights".encode() for i in ("", "_1", "_2", "_3")]


def test_dropout_drops_the_same_units_again(run):
    def compute(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = slim.recompute_grad(lambda x: slim.dropout(x, 0.5) ** 2)(x)
        return y, tape.gradient(y, x)

    x = np.ones([100], np.float32)
    y, gradient = run(compute, x)
    assert 20 < np.count_nonzero(y) < 80
    np.testing.assert_allclose(gradient, 2 * y)  # y is (2 x)^2 or 0, its gradient 8 x or 0


def test_the_second_computation_leaves_nothing_in_the_collections():
    def layers(x):
        h = slim.fully_connected(
            x, 3, outputs_collections="ends", weights_regularizer=slim.l2_regularizer(1.0)
        )
        slim.add_to_collections(v1.GraphKeys.LOSSES, tf.reduce_sum(h))
        return h

    def compute(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = slim.recompute_grad(layers)(x)
        tape.gradient(y, x)
        return [len(slim.get_collection(k)) for k in ("ends", "losses", "regularization_losses")]

    assert slim.Module(compute)(tf.constant(X)) == [1, 1, 1]
    with tf.Graph().as_default():
        assert compute(tf.constant(X)) == [1, 1, 1]


def test_a_scope_in_force_is_in_force_again(run):
    def compute(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            with slim.arg_scope([slim.fully_connected], activation_fn=tf.sin):
                y = slim.recompute_grad(lambda x: slim.fully_connected(x, 1))(x)
        return tape.gradient(y, x)

    weights = {"fully_connected/weights": np.ones([3, 1])}
    gradient = run(compute, X, weights=weights)
    np.testing.assert_allclose(
        gradient, np.cos(X.sum(1, keepdims=True)) * np.ones([1, 3]), rtol=1e-4
    )


def test_inner_values_are_not_kept():
    """Eagerly, a tape keeps what the plain function computes, and frees it otherwise."""
    kept = []

    class Noted:
        def __call__(self, x):
            h = tf.sin(x)
            kept.append(weakref.ref(h))
            return tf.cos(h)

    for call, alive in ((Noted(), True), (slim.recompute_grad(Noted()), False)):
        kept.clear()
        x = tf.constant(X)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = call(x)
        gc.collect()
        assert (kept[0]() is not None) == alive
        np.testing.assert_allclose(
            tape.gradient(y, x), -np.sin(np.sin(X)) * np.cos(X), rtol=1e-4, atol=1e-6
        )
