"""Reversible layers, against the plain composition."""

import gc
import weakref

import numpy as np
import pytest
import tensorflow as tf

import slimcore as slim
from slimcore.errors import InputError

RNG = np.random.default_rng(0)
X1, X2, SIDE = (RNG.normal(size=[4, 3]).astype(np.float32) for _ in range(3))


def layer(x, side=None):
    y = slim.fully_connected(x, 3, activation_fn=tf.nn.tanh)
    return y if side is None else y + side[0] ** 2


def plain(x1, x2, f, g, num_layers=1, f_side_input=None, g_side_input=None):
    """What reversible layers compute, in the scopes that they use."""
    with tf.compat.v1.variable_scope("revblock"):
        for i in range(num_layers):
            with tf.compat.v1.variable_scope(f"revlayer_{i}/f"):
                x1 = x1 + (f(x2, f_side_input) if f_side_input else f(x2))
            with tf.compat.v1.variable_scope(f"revlayer_{i}/g"):
                x2 = x2 + (g(x1, g_side_input) if g_side_input else g(x1))
    return x1, x2


def with_gradients(block, layers, side):
    """Returns a function that returns the outputs and all gradients of a block."""

    def compute(x1, x2, s):
        with tf.GradientTape() as tape:
            tape.watch([x1, x2, s])
            sides = {"f_side_input": [s], "g_side_input": [2 * s]} if side else {}
            y1, y2 = block(x1, x2, layer, layer, layers, **sides)
            loss = tf.reduce_sum(y1**2) + tf.reduce_sum(y2**3)
        sources = [x1, x2, *slim.get_trainable_variables(), *([s] if side else [])]
        assert len(sources) == 2 + 4 * layers + side
        return y1, y2, *tape.gradient(loss, sources)

    return compute


def weights(layers):
    rng = np.random.default_rng(1)
    return {
        f"revblock/revlayer_{i}/{half}/fully_connected/{name}": rng.normal(size=shape)
        for i in range(layers)
        for half in "fg"
        for name, shape in (("weights", [3, 3]), ("biases", [3]))
    }


@pytest.mark.parametrize(
    "layers, side, training",
    [(1, False, True), (2, True, True), (1, True, False)],
    ids=["one layer", "side inputs", "not training"],
)
def test_outputs_and_gradients_are_those_of_the_plain_composition(run, layers, side, training):
    def block(*args, **kwargs):
        return slim.rev_block(*args, **kwargs, is_training=training)

    inputs = {"weights": weights(layers)}
    expected = run(with_gradients(plain, layers, side), X1, X2, SIDE, **inputs)
    found = run(with_gradients(block, layers, side), X1, X2, SIDE, **inputs)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-4, atol=1e-4)


def test_one_layer_follows_the_paper(run):
    y1, y2 = run(lambda a, b: slim.rev_block(a, b, lambda x: 2 * x, tf.square), X1, X2)
    np.testing.assert_allclose(y1, X1 + 2 * X2, rtol=1e-6)
    np.testing.assert_allclose(y2, X2 + (X1 + 2 * X2) ** 2, rtol=1e-5)


def test_backward_returns_the_inputs(run):
    def there_and_back(x1, x2):
        block = slim.RevBlock(layer, layer, num_layers=2)
        back = block(block((x1, x2)), forward=False)
        assert len(slim.get_trainable_variables()) == 8
        return back

    x1, x2 = run(there_and_back, X1, X2, weights=weights(2))
    np.testing.assert_allclose(x1, X1, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(x2, X2, rtol=1e-4, atol=1e-5)


def test_each_block_has_variables_of_its_own_and_each_layer_may_have_its_function(run):
    def blocks(x1, x2):
        def wide(x):
            return slim.fully_connected(x, 3, scope="wide")

        for _ in range(2):
            x1, x2 = slim.rev_block(x1, x2, [layer, wide], wide, num_layers=2)
        names = {slim.get_variable_full_name(v).rpartition("/")[0] for v in slim.get_variables()}
        assert names == {
            f"{b}/revlayer_{i}/{half}"
            for b in ("revblock", "revblock_1")
            for i, half in ((0, "f/fully_connected"), (0, "g/wide"), (1, "f/wide"), (1, "g/wide"))
        }
        return x1

    run(blocks, X1, X2)


def test_a_block_made_outside_is_one_layer_in_every_call():
    block = slim.RevBlock(layer, layer, name="mine")
    model = slim.Module(lambda a, b: block.forward(a, b))
    for _ in range(2):
        model(X1, X2)
    assert {n.partition("/")[0] for n in model.named_variables} == {"mine"}
    assert len(model.variables) == 4


def test_a_tape_outside_of_the_module_gets_the_same_gradients():
    model = slim.Module(slim.rev_block, f=layer, g=layer, num_layers=2)
    usual = slim.Module(plain, f=layer, g=layer, num_layers=2)
    model(X1, X2), usual(X1, X2)
    for name, variable in usual.named_variables.items():
        model.named_variables[name].assign(variable)
    for call in (lambda m: m, tf.function):
        gradients = []
        for m in (model, usual):
            with tf.GradientTape() as tape:
                y1, _ = call(m)(X1, X2)
            gradients.append(tape.gradient(y1, m.trainable_variables))
        for a, b in zip(*gradients, strict=True):
            if b is not None:
                np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4)


def test_inner_values_are_not_kept():
    """Eagerly, a tape keeps what the plain composition computes, and frees it otherwise."""
    kept = []

    def noted(x):
        h = tf.sin(x)
        kept.append(weakref.ref(h))
        return tf.cos(h)

    for call, alive in ((plain, 4), (slim.rev_block, 0)):
        kept.clear()
        x1, x2 = tf.constant(X1), tf.constant(X2)
        with tf.GradientTape() as tape:
            tape.watch([x1, x2])
            y = slim.Module(call)(x1, x2, noted, noted, 2)
        gc.collect()
        assert sum(inner() is not None for inner in kept) == alive
        assert tape.gradient(y, x1) is not None


def test_under_a_strategy_gradients_reach_the_variables():
    strategy = tf.distribute.MirroredStrategy(
        ["CPU:0", "CPU:1"], tf.distribute.ReductionToOneDevice()
    )
    with strategy.scope():
        model = slim.Module(slim.rev_block, f=layer, g=layer)

        @tf.function
        def step():
            with tf.GradientTape() as tape:
                y1, y2 = model(X1, X2)
                loss = tf.reduce_sum(y1 + y2)
            return tape.gradient(loss, model.trainable_variables)

        found = strategy.run(step)
    with tf.GradientTape() as tape:
        y1, y2 = model(X1, X2)
        loss = tf.reduce_sum(y1 + y2)
    for replicas, expected in zip(
        found, tape.gradient(loss, model.trainable_variables), strict=True
    ):
        for one in strategy.experimental_local_results(replicas):
            np.testing.assert_allclose(one, expected, rtol=1e-4, atol=1e-5)


def test_wrong_arguments_are_named():
    with pytest.raises(InputError, match="1 functions f for num_layers=2"):
        slim.rev_block(X1, X2, [layer], layer, num_layers=2)
    with pytest.raises(InputError, match="no argument 'dtypo'"):
        slim.RevBlock(layer, layer, dtypo=1)
