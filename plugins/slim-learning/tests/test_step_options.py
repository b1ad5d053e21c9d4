"""What a step can do besides: gather gradients, average weights, skip, and rates by layer."""

import numpy as np
import pytest
import tensorflow as tf
from slim_learning.optim.warm_up import warm_up

import slimcore as slim
from slimcore.errors import InputError

v1 = tf.compat.v1
SGD = v1.train.GradientDescentOptimizer


def network(x, is_training=True):
    """A line with weights in two scopes, and a moving mean of its input as batch norm keeps it."""
    ones = v1.ones_initializer()
    first = slim.model_variable("a/w", [2], initializer=ones)
    second = slim.model_variable("b/w", [2], initializer=ones)
    mean = slim.model_variable("a/mean", [], initializer=v1.zeros_initializer(), trainable=False)
    if is_training:
        mean.assign(0.5 * mean + 0.5 * tf.reduce_mean(x))
    return tf.reduce_sum(x * (first + 2 * second), axis=1)


def line(optimizer=None, **options):
    model = slim.Module(network)
    train_op = slim.learning.create_train_op(
        lambda x: tf.reduce_mean(model(x) ** 2), optimizer or SGD(0.01), **options
    )
    return model, train_op


def of(model, name):
    return model.named_variables[name].numpy()


BATCHES = [tf.constant(np.random.RandomState(i).rand(4, 2), tf.float32) for i in range(6)]
INFINITE = tf.constant([[np.inf, 1.0]] * 4)


@pytest.mark.parametrize("optimizer", [lambda: tf.keras.optimizers.Adam(0.1), lambda: SGD(0.1)])
def test_batches_gathered_make_the_update_of_their_union(optimizer):
    apart, train_op = line(optimizer(), accumulate_steps=3)
    loss = train_op(*BATCHES[:3])
    joined, whole_op = line(optimizer())
    expected = whole_op(tf.concat(BATCHES[:3], 0))
    np.testing.assert_allclose(loss, expected, rtol=1e-6)
    for name in ("a/w", "b/w"):
        np.testing.assert_allclose(of(apart, name), of(joined, name), rtol=1e-6)
    assert int(train_op.global_step) == 1
    assert int(train_op.examples) == 12


def test_the_loop_gathers_as_the_call_does(tmp_path):
    apart, train_op = line(accumulate_steps=3)
    data = tf.data.Dataset.from_tensor_slices(tf.stack(BATCHES))
    slim.learning.train(train_op, str(tmp_path), dataset=data, number_of_steps=2, followers=[])
    other, other_op = line(accumulate_steps=3)
    other_op(*BATCHES[:3])
    other_op(*BATCHES[3:])
    np.testing.assert_allclose(of(apart, "a/w"), of(other, "a/w"), rtol=1e-6)
    assert int(train_op.global_step) == 2


def test_a_step_takes_as_many_batches_as_it_gathers():
    _, train_op = line(accumulate_steps=3)
    with pytest.raises(InputError, match="takes 3 batches .* got 1"):
        train_op(BATCHES[0])
    with pytest.raises(InputError, match="at least 1"):
        line(accumulate_steps=0)


@pytest.mark.parametrize("gathered", [1, 2])
def test_moving_averages_are_those_of_tf_train(gathered):
    model, train_op = line(moving_average_decay=0.5, accumulate_steps=gathered)
    theirs = tf.Variable(tf.ones([2]))
    step = tf.Variable(0)
    average = tf.train.ExponentialMovingAverage(0.5, num_updates=step)
    average.apply([theirs])
    for i in range(6 // gathered):
        train_op(*BATCHES[i * gathered : (i + 1) * gathered])
        step.assign(i)
        theirs.assign(model.named_variables["a/w"])
        average.apply([theirs])
    name = "a/w/ExponentialMovingAverage"
    np.testing.assert_allclose(
        train_op.named_variables[name].numpy(), average.average(theirs).numpy(), rtol=1e-5
    )
    assert {n for n in train_op.named_variables if "Average" in n} == {
        name,
        "b/w/ExponentialMovingAverage",
    }


def test_a_graph_restores_moving_averages_by_their_names(tmp_path):
    model, train_op = line(moving_average_decay=0.9)
    data = tf.data.Dataset.from_tensor_slices(tf.stack(BATCHES))
    slim.learning.train(train_op, str(tmp_path), dataset=data, number_of_steps=3, followers=[])
    averaged = train_op.named_variables["a/w/ExponentialMovingAverage"].numpy()
    assert (averaged != of(model, "a/w")).all()
    with tf.Graph().as_default(), v1.Session() as session:
        weights = v1.get_variable("a/w", [2])
        average = tf.train.ExponentialMovingAverage(0.9)
        average.apply([weights])
        v1.train.Saver(average.variables_to_restore()).restore(
            session, str(tmp_path / "model.ckpt-3")
        )
        np.testing.assert_array_equal(session.run(weights), averaged)


def test_averages_begin_at_the_weights_of_a_run_that_had_none(tmp_path):
    data = tf.data.Dataset.from_tensor_slices(tf.stack(BATCHES))
    options = {"dataset": data, "followers": []}
    slim.learning.train(line()[1], str(tmp_path), number_of_steps=3, **options)
    model, train_op = line(moving_average_decay=0.9)
    slim.learning.train(train_op, str(tmp_path), number_of_steps=3, **options)
    average = train_op.named_variables["a/w/ExponentialMovingAverage"]
    np.testing.assert_array_equal(average.numpy(), of(model, "a/w"))


def test_a_decay_beyond_one_is_refused():
    with pytest.raises(InputError, match="between 0 and 1"):
        line(moving_average_decay=1.5)


@pytest.mark.parametrize("jit", [False, True])
@pytest.mark.parametrize("gathered", [1, 2])
def test_a_skipped_step_changes_nothing_and_is_counted(gathered, jit):
    adam = tf.keras.optimizers.Adam(0.1)
    options = {"non_finite": "skip", "accumulate_steps": gathered, "jit_compile": jit}
    model, train_op = line(adam, moving_average_decay=0.5, **options)
    train_op(*BATCHES[:gathered])
    before = {n: v.numpy() for n, v in train_op.named_variables.items() if n != "global_step"}
    loss = train_op(*[BATCHES[1], INFINITE][-gathered:])
    assert not np.isfinite(loss)
    if gathered == 2:  # the first of the two batches was a good one
        before["a/mean"] = 0.5 * before["a/mean"] + 0.5 * np.mean(BATCHES[1])
    for name, value in before.items():
        np.testing.assert_allclose(train_op.named_variables[name], value, rtol=1e-6, err_msg=name)
    assert (int(train_op.skipped), int(train_op.global_step)) == (1, 2)
    train_op(*BATCHES[:gathered])
    assert (of(model, "a/w") != before["a/w"]).all()


def test_a_gradient_that_is_no_number_is_skipped_too():
    def root(x):
        weights = slim.model_variable("w", [2], initializer=v1.zeros_initializer())
        return tf.reduce_sum(tf.sqrt(x * weights))  # at 0 the slope is infinite

    model = slim.Module(root)
    train_op = slim.learning.create_train_op(model, SGD(0.1), non_finite="skip")
    assert float(train_op(tf.ones([2]))) == 0.0
    np.testing.assert_array_equal(model.variables[0], [0.0, 0.0])
    assert int(train_op.skipped) == 1


def test_something_else_than_stop_skip_or_roll_back_is_refused():
    with pytest.raises(InputError, match="'ignore'"):
        line(non_finite="ignore")


def test_the_longest_scope_that_fits_sets_the_rate_of_a_layer():
    def change(**options):
        model, train_op = line(**options)
        train_op(BATCHES[0])
        return {name: of(model, name) - 1 for name in ("a/w", "b/w")}

    plain, scaled = change(), change(gradient_multipliers={"a": 0.0, "a/w": 2.0, "b/": 3.0})
    np.testing.assert_allclose(scaled["a/w"], 2 * plain["a/w"], rtol=1e-5)
    np.testing.assert_allclose(scaled["b/w"], 3 * plain["b/w"], rtol=1e-5)


def test_a_scope_without_trained_variables_is_refused_with_the_nearest():
    _, train_op = line(gradient_multipliers={"aa": 2.0})
    with pytest.raises(InputError, match="'aa', which is not trained here. Close: a"):
        train_op(BATCHES[0])


def test_the_loss_function_sees_the_step_of_its_train_op():
    model = slim.Module(network)
    seen = tf.Variable(-1, dtype=tf.int64)

    def loss_fn(x):
        seen.assign(slim.get_global_step())
        return tf.reduce_mean(model(x))

    train_op = slim.learning.create_train_op(loss_fn, SGD(0.1))
    for expected in range(3):
        train_op(BATCHES[0])
        assert int(seen) == expected


def test_a_rate_warms_up_and_then_follows_its_schedule():
    schedule = warm_up(tf.keras.optimizers.schedules.ExponentialDecay(1.0, 10, 0.5), 4)
    rates = [float(schedule(step)) for step in range(6)]
    expected = [0.5 ** (s / 10) * min(1, (s + 1) / 4) for s in range(6)]
    np.testing.assert_allclose(rates, expected, rtol=1e-6)
    again = type(schedule).from_config(schedule.get_config())
    assert float(again(2)) == rates[2]


@pytest.mark.parametrize(
    "optimizer",
    [
        lambda rate: tf.keras.optimizers.SGD(rate),
        lambda rate: SGD(lambda: rate(slim.get_global_step())),
    ],
    ids=["keras", "v1"],
)
def test_optimizers_of_both_kinds_follow_a_schedule(optimizer):
    def moved(x):
        return tf.reduce_sum(slim.model_variable("w", [], initializer=v1.zeros_initializer()) * x)

    model = slim.Module(moved)
    train_op = slim.learning.create_train_op(model, optimizer(warm_up(1.0, 4)))
    found = []
    for _ in range(5):
        train_op(tf.ones([]))
        found.append(float(model.variables[0]))
    np.testing.assert_allclose(np.diff([0.0, *found]), [-0.25, -0.5, -0.75, -1.0, -1.0], rtol=1e-6)
