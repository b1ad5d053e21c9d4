"""Updates in one operation are those of Keras, and Keras makes those that are not."""

import numpy as np
import pytest
import tensorflow as tf
from slim_learning.optim import adapters as optimizers

import slimcore as slim

keras = tf.keras.optimizers
decay = keras.schedules.ExponentialDecay(0.1, 2, 0.5)
FUSED = {
    "momentum": lambda: keras.SGD(0.1, momentum=0.9),
    "nesterov": lambda: keras.SGD(decay, momentum=0.9, nesterov=True),
    "adam": lambda: keras.Adam(0.1, beta_1=0.8, epsilon=0.01),
    "adam with a schedule": lambda: keras.Adam(decay),
}
NOT_FUSED = {
    "plain": lambda: keras.SGD(0.1),
    "decay of weights": lambda: keras.Adam(0.1, weight_decay=0.1),
    "clipped": lambda: keras.SGD(0.1, momentum=0.9, clipnorm=0.1),
    "amsgrad": lambda: keras.Adam(0.1, amsgrad=True),
    "averaged": lambda: keras.Adam(0.1, use_ema=True),
    "another": lambda: keras.AdamW(0.1),
}


def network(x):
    init = tf.compat.v1.ones_initializer()
    weights = slim.model_variable("net/w", [3, 2], initializer=init)
    return tf.reduce_mean((x @ weights + slim.model_variable("net/b", [2], initializer=init)) ** 2)


def batches():
    draws = np.random.RandomState(0)
    return [tf.constant(draws.randn(4, 3), tf.float32) for _ in range(5)]


def by_keras(optimizer):
    model = slim.Module(network)
    for x in batches():
        with tf.GradientTape() as tape:
            loss = model(x)
        variables = model.trainable_variables
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
    return model.variables


@pytest.mark.parametrize("name", [*FUSED, *NOT_FUSED])
def test_the_updates_are_those_of_keras(name, monkeypatch):
    answers = []

    def watched(*arguments):
        answers.append(fused_update(*arguments))
        return answers[-1]

    fused_update = optimizers.fused_update
    monkeypatch.setattr(optimizers, "fused_update", watched)
    make = {**FUSED, **NOT_FUSED}[name]
    model, optimizer = slim.Module(network), make()
    train_op = slim.learning.create_train_op(model, optimizer)
    for x in batches():
        train_op(x)
    for ours, theirs in zip(model.variables, by_keras(make()), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)
    assert int(optimizer.iterations) == 5
    assert set(answers) == {name in FUSED}
