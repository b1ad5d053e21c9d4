"""A large matrix of weights has the gradients of any other."""

import numpy as np
import tensorflow as tf
from slim_layers._products import LARGE, product

import slimcore as slim

v1 = tf.compat.v1
ROWS, COLUMNS = 4096, LARGE // 4096


def drawn():
    draws = np.random.RandomState(0)
    shapes = ([2, ROWS], [ROWS, COLUMNS], [2, COLUMNS])
    return [draws.randn(*shape).astype("float32") for shape in shapes]


def test_the_gradients_of_a_large_product_are_those_of_its_formula():
    inputs, weights, upstream = map(tf.constant, drawn())
    with tf.GradientTape() as outer, tf.GradientTape() as tape:
        for tape_ in (outer, tape):
            tape_.watch([inputs, weights])
        loss = tf.reduce_sum(product(inputs, weights) * upstream) ** 2 / 1e6
        by_inputs, by_weights = tape.gradient(loss, [inputs, weights])
    scale = 2 * np.sum((inputs @ weights) * upstream) / 1e6
    np.testing.assert_allclose(by_inputs, scale * (upstream @ tf.transpose(weights)), 1e-3, 1e-3)
    np.testing.assert_allclose(by_weights, scale * (tf.transpose(inputs) @ upstream), 1e-3, 1e-3)
    assert np.isfinite(outer.gradient(by_inputs, weights)).all()


def test_a_large_layer_has_its_gradients_in_a_graph_and_in_a_function():
    inputs, weights, _ = drawn()

    def layer(x):
        init = v1.constant_initializer(weights)
        options = {"activation_fn": None, "weights_initializer": init}
        return tf.reduce_sum(slim.fully_connected(x, COLUMNS, **options) ** 2)

    model = slim.Module(layer)

    @tf.function
    def here(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = model(x)
        return tape.gradient(loss, [x, *model.trainable_variables])

    found = here(tf.constant(inputs))
    with tf.Graph().as_default(), v1.Session() as session:
        x = tf.constant(inputs)
        there = v1.gradients(layer(x), [x, *slim.get_trainable_variables()])
        session.run(v1.global_variables_initializer())
        for one, two in zip(found, session.run(there), strict=True):
            np.testing.assert_allclose(one, two, 1e-3, 1e-2)
    outputs = inputs @ weights
    np.testing.assert_allclose(found[0], 2 * outputs @ weights.T, rtol=1e-3, atol=1)
