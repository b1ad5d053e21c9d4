"""A step on a function of a batch, against the same step worked out by hand."""

import numpy as np
import pytest
import tensorflow as tf

import slimcore as slim
from slimcore.errors import InputError

v1 = tf.compat.v1


def square(variable_names=("w",), factor=1.0):
    """Returns a module and a loss whose gradient is `factor * 2 * w` for each variable."""

    def network(batch):
        del batch
        ones = v1.ones_initializer()
        return [slim.model_variable(name, [2], initializer=ones) for name in variable_names]

    module = slim.Module(network)
    return module, lambda batch: factor * tf.add_n([tf.reduce_sum(w**2) for w in module(batch)])


BATCH = tf.zeros([4, 1])


@pytest.mark.parametrize(
    "optimizer",
    [
        lambda: tf.keras.optimizers.SGD(0.1),
        lambda: v1.train.GradientDescentOptimizer(0.1),
    ],
    ids=["keras", "v1"],
)
def test_a_step_moves_against_the_gradient_and_returns_the_loss(optimizer):
    module, loss_fn = square()
    train_op = slim.learning.create_train_op(loss_fn, optimizer())
    assert float(train_op(BATCH)) == 2.0
    np.testing.assert_allclose(module.variables[0], [0.8, 0.8], rtol=1e-6)
    assert int(train_op.global_step.numpy()) == 1


def test_a_gradient_is_clipped_to_the_norm():
    module, loss_fn = square(factor=100.0)
    optimizer = v1.train.GradientDescentOptimizer(1.0)
    slim.learning.create_train_op(loss_fn, optimizer, clip_gradient_norm=0.5)(BATCH)
    np.testing.assert_allclose(tf.norm(module.variables[0] - 1.0), 0.5, rtol=1e-5)


def test_multipliers_change_the_rate_of_the_variables_they_name():
    module, loss_fn = square(("a", "b"))
    optimizer = v1.train.GradientDescentOptimizer(0.1)
    slim.learning.create_train_op(loss_fn, optimizer, gradient_multipliers={"b": 2.0})(BATCH)
    np.testing.assert_allclose(module.variables, [[0.8, 0.8], [0.6, 0.6]], rtol=1e-6)


def test_only_the_variables_in_the_scopes_given_are_trained():
    module, loss_fn = square(("a/w", "b/w"))
    optimizer = v1.train.GradientDescentOptimizer(0.1)
    slim.learning.create_train_op(loss_fn, optimizer, variables_to_train=["b"])(BATCH)
    np.testing.assert_allclose(module.variables, [[1.0, 1.0], [0.8, 0.8]], rtol=1e-6)


def test_the_state_of_optimizers_stands_beside_its_variable_in_a_checkpoint():
    _, loss_fn = square(("net/w",))
    for optimizer, slots in [
        (tf.keras.optimizers.SGD(0.1, momentum=0.9), {"net/w/momentum"}),
        (tf.keras.optimizers.Adam(0.1), {"net/w/momentum", "net/w/velocity"}),
        (v1.train.MomentumOptimizer(0.1, 0.9), {"net/w/Momentum"}),
        (v1.train.AdamOptimizer(0.1), {"net/w/Adam", "net/w/Adam_1"}),
        (v1.train.AdamOptimizer(0.1), {"net/w/Adam", "net/w/Adam_1"}),
    ]:
        train_op = slim.learning.create_train_op(loss_fn, optimizer)
        train_op(BATCH)
        names = set(train_op.named_variables)
        assert {n for n in names if n.startswith("net/")} == {"net/w"} | slots
        assert {"global_step", "random_seed"} <= names


def test_an_infinite_loss_changes_no_variable():
    module, loss_fn = square(factor=float("inf"))
    train_op = slim.learning.create_train_op(loss_fn, v1.train.GradientDescentOptimizer(0.1))
    with pytest.raises(tf.errors.InvalidArgumentError, match="inf or nan"):
        train_op(BATCH)
    np.testing.assert_array_equal(module.variables[0], [1.0, 1.0])


@pytest.mark.parametrize(
    "loss_fn, message",
    [
        (lambda batch: None, "returned None; end it with: return slim.losses.get_total_loss"),
        (lambda batch: (tf.ones([]), batch), "returned a tuple; keep what else it computes"),
        (lambda batch: tf.ones([3]), r"returned shape \(3,\)"),
        (lambda batch: tf.reduce_sum(batch), "depends on no variable"),
    ],
)
def test_a_loss_that_cannot_be_minimized_is_refused(loss_fn, message):
    train_op = slim.learning.create_train_op(loss_fn, tf.keras.optimizers.SGD(0.1))
    with pytest.raises(InputError, match=message):
        train_op(BATCH)


def test_unknown_scopes_and_multipliers_get_the_nearest_names():
    _, loss_fn = square(("net/weights",))
    optimizer = v1.train.GradientDescentOptimizer(0.1)
    with pytest.raises(InputError, match="'nett'.*Close: net"):
        slim.learning.create_train_op(loss_fn, optimizer, variables_to_train=["nett"])(BATCH)
    multipliers = {"net/weight": 2.0}
    with pytest.raises(InputError, match="'net/weight'.*Close: net/weights"):
        slim.learning.create_train_op(loss_fn, optimizer, gradient_multipliers=multipliers)(BATCH)


@pytest.mark.parametrize(
    "given, shown",
    [
        ("adam", "'adam'"),
        (None, "None"),
        (0.1, "0.1"),
        (tf.keras.optimizers.Adam, "the class Adam itself"),
        (lambda rate: rate, "of type builtins.function"),
    ],
)
def test_something_else_than_an_optimizer_is_refused_with_the_argument_and_a_remedy(given, shown):
    with pytest.raises(InputError, match=f"optimizer is {shown}.*tf.keras.optimizers.Adam"):
        slim.learning.create_train_op(lambda batch: None, given)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"accumulate_steps": 2},
        {"non_finite": "skip"},
        {"non_finite": "skip", "accumulate_steps": 2, "moving_average_decay": 0.9},
        {"jit_compile": True},
    ],
    ids=str,
)
@pytest.mark.parametrize(
    "optimizer",
    [lambda: tf.keras.optimizers.Adam(0.1), lambda: v1.train.AdamOptimizer(0.1)],
    ids=["keras", "v1"],
)
def test_the_loss_function_is_traced_once(optimizer, options):
    module, loss_fn = square()
    traces = []

    def traced(batch):
        traces.append(1)
        return loss_fn(batch)

    train_op = slim.learning.create_train_op(traced, optimizer(), **options)
    batches = tf.data.Dataset.from_tensors(BATCH).repeat()
    train_op.build(batches.element_spec)
    train_op(*[BATCH] * train_op.batches_a_step)
    train_op.run(iter(batches), 3)
    assert len(traces) == 1
    assert int(train_op.global_step) == 4
    assert (module.variables[0].numpy() < 1).all()
