"""A step in a graph, against the same step worked out by hand."""

import numpy as np
import pytest
import tensorflow as tf

import slimcore as slim
from slimcore.errors import ArgumentTypeError, InputError

v1 = tf.compat.v1


@pytest.fixture(autouse=True)
def graph():
    with tf.Graph().as_default() as graph:
        yield graph


def square(*names, factor=1.0):
    """Returns variables of ones, and a loss whose gradient is `factor * 2 * w` for each."""
    names = names or ("w",)
    ones = v1.ones_initializer()
    variables = [slim.model_variable(name, [2], initializer=ones) for name in names]
    return variables, factor * tf.add_n([tf.reduce_sum(w**2) for w in variables])


def descent(rate=0.1):
    return v1.train.GradientDescentOptimizer(rate)


def run(*fetches, times=1):
    """Returns the values of the last run, of a session with first values."""
    with v1.Session() as session:
        session.run([v1.global_variables_initializer(), v1.local_variables_initializer()])
        for _ in range(times):
            values = session.run(list(fetches))
        return values


def stepped(train_op, variables, times=1):
    """Returns the loss of the last step, and what the variables are after it."""
    with v1.Session() as session:
        session.run(v1.global_variables_initializer())
        for _ in range(times):
            loss = session.run(train_op)
        return loss, session.run(list(variables))


def test_a_step_moves_against_the_gradient_counts_and_returns_the_loss():
    (w,), loss = square()
    train_op = slim.learning.create_train_op(loss, descent())
    value, (weights, step) = stepped(train_op, [w, slim.get_global_step()])
    assert value == 2.0
    assert step == 1
    np.testing.assert_allclose(weights, [0.8, 0.8], rtol=1e-6)
    assert any(op is train_op for op in v1.get_collection(v1.GraphKeys.TRAIN_OP))


def test_a_global_step_of_ones_own_is_counted_and_none_counts_nothing():
    (w,), loss = square()
    own = v1.get_variable("own", [], tf.int64, v1.zeros_initializer(), trainable=False)
    slim.learning.create_train_op(loss, descent(), global_step=None)
    assert slim.get_global_step() is None
    train_op = slim.learning.create_train_op(loss, descent(), global_step=own)
    assert stepped(train_op, [own], times=3)[1] == [3]
    assert slim.get_global_step() is None
    with pytest.raises(ArgumentTypeError, match="holds integers"):
        slim.learning.create_train_op(loss, descent(), global_step=w)


def test_update_ops_run_with_each_step():
    _, loss = square()
    count = slim.local_variable(0, name="count")
    v1.add_to_collection(v1.GraphKeys.UPDATE_OPS, count.assign_add(1))
    train_op = slim.learning.create_train_op(loss, descent(), check_numerics=False)
    with v1.Session() as session:
        session.run([v1.global_variables_initializer(), v1.local_variables_initializer()])
        session.run(train_op)
        session.run(train_op)
        assert session.run(count) == 2


def test_update_ops_given_are_the_only_ones_and_those_left_out_are_named():
    _, loss = square()
    a, b = slim.local_variable(0, name="a"), slim.local_variable(0, name="b")
    updates = [a.assign_add(1), b.assign_add(1)]
    for op in updates:
        v1.add_to_collection(v1.GraphKeys.UPDATE_OPS, op)
    with pytest.warns(RuntimeWarning, match=r"leaves out 1 of the graph's 2 UPDATE_OPS \(.*Assign"):
        train_op = slim.learning.create_train_op(loss, descent(), update_ops=updates[:1])
    with v1.Session() as session:
        session.run([v1.global_variables_initializer(), v1.local_variables_initializer()])
        session.run(train_op)
        assert session.run([a, b]) == [1, 0]


def test_an_empty_list_of_update_ops_is_no_fault_where_there_are_none(recwarn):
    _, loss = square()
    slim.learning.create_train_op(loss, descent(), update_ops=[])
    assert not [w for w in recwarn if issubclass(w.category, RuntimeWarning)]


def test_batch_norm_moves_its_averages_by_itself():
    inputs = tf.constant([[1.0], [3.0]])
    loss = tf.reduce_sum(slim.batch_norm(inputs, decay=0.9, center=True, is_training=True) ** 2)
    train_op = slim.learning.create_train_op(loss, descent())
    mean = slim.get_unique_variable("BatchNorm/moving_mean")
    np.testing.assert_allclose(stepped(train_op, [mean])[1], [[0.2]], rtol=1e-5)


@pytest.mark.parametrize("by_name", [True, False])
def test_multipliers_change_the_rate_of_the_variables_they_name(by_name):
    (a, b), loss = square("a", "b")
    multipliers = {"b" if by_name else b: 2.0}
    train_op = slim.learning.create_train_op(loss, descent(), gradient_multipliers=multipliers)
    np.testing.assert_allclose(stepped(train_op, [a, b])[1], [[0.8, 0.8], [0.6, 0.6]], rtol=1e-6)


def test_gradients_are_multiplied_first_and_then_clipped():
    (w,), loss = square(factor=100.0)
    train_op = slim.learning.create_train_op(
        loss, descent(1.0), clip_gradient_norm=0.5, gradient_multipliers={w: 3.0}
    )
    np.testing.assert_allclose(np.linalg.norm(stepped(train_op, [w])[1][0] - 1.0), 0.5, rtol=1e-5)


def test_a_function_of_the_gradients_transforms_them():
    (w,), loss = square()
    train_op = slim.training.create_train_op(
        loss, descent(), transform_grads_fn=lambda pairs: [(-g, v) for g, v in pairs]
    )
    np.testing.assert_allclose(stepped(train_op, [w])[1], [[1.2, 1.2]], rtol=1e-6)


def test_only_the_variables_given_are_trained_by_themselves_or_by_scope():
    (a, b), loss = square("a/w", "b/w")
    for chosen in ([b], ["b"], ["b/w"]):
        train_op = slim.learning.create_train_op(loss, descent(), variables_to_train=chosen)
        values = stepped(train_op, [a, b])[1]
        np.testing.assert_allclose(values, [[1.0, 1.0], [0.8, 0.8]], rtol=1e-6)


def test_sparse_gradients_are_clipped_gated_and_summarized():
    table = slim.model_variable("table", [3, 2], initializer=v1.ones_initializer())
    loss = 100.0 * tf.reduce_sum(tf.gather(table, [1]))
    train_op = slim.learning.create_train_op(
        loss, descent(1.0), clip_gradient_norm=1.0, summarize_gradients=True
    )
    rows = stepped(train_op, [table])[1][0]
    np.testing.assert_allclose(rows[[0, 2]], np.ones([2, 2]))
    np.testing.assert_allclose(np.linalg.norm(rows[1] - 1.0), 1.0, rtol=1e-5)


def test_gradient_summaries_have_the_names_and_the_norms_of_the_gradients():
    (a, _), loss = square("a", "b")
    loss = tf.reduce_sum(a**2)  # which has no gradient for b
    slim.learning.create_train_op(loss, descent(), summarize_gradients=True)
    merged = v1.Summary.FromString(run(v1.summary.merge_all())[0])
    values = {value.tag: value for value in merged.value}
    assert set(values) == {"summarize_grads/a_gradient", "summarize_grads/a_gradient_norm"}
    norm = values["summarize_grads/a_gradient_norm"].simple_value
    np.testing.assert_allclose(norm, np.sqrt(8.0), rtol=1e-6)


def test_an_infinite_loss_changes_no_variable_and_is_not_counted():
    (w,), loss = square(factor=float("inf"))
    momentum = v1.train.MomentumOptimizer(0.1, 0.9)
    train_op = slim.learning.create_train_op(loss, momentum)
    with v1.Session() as session:
        session.run(v1.global_variables_initializer())
        for _ in range(3):
            with pytest.raises(tf.errors.InvalidArgumentError, match="the loss is inf or nan"):
                session.run(train_op)
        assert session.run(slim.get_global_step()) == 0
        np.testing.assert_array_equal(session.run(w), [1.0, 1.0])


def test_a_loss_that_is_no_number_is_let_through_where_told():
    _, loss = square(factor=float("nan"))
    train_op = slim.learning.create_train_op(loss, descent(), check_numerics=False)
    assert np.isnan(stepped(train_op, [])[0])


def test_the_graph_of_the_loss_need_not_be_the_current_one(graph):
    (w,), loss = square()
    with tf.Graph().as_default():
        train_op = slim.learning.create_train_op(loss, descent())
    assert train_op.graph is graph
    np.testing.assert_allclose(stepped(train_op, [w])[1], [[0.8, 0.8]], rtol=1e-6)


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda loss: (None, descent(), {}), "total_loss is None; get one from slim.losses"),
        (lambda loss: (3.0, descent(), {}), "a scalar tensor of a tf.Graph.*not 3.0"),
        (lambda loss: ([loss], descent(), {}), "a scalar tensor of a tf.Graph"),
        (lambda loss: (tf.ones([2]) * loss, descent(), {}), r"has shape \(2,\); take its mean"),
        (lambda loss: (tf.constant(1.0), descent(), {}), "depends on no variable"),
        (lambda loss: (loss, "sgd", {}), "optimizer is 'sgd', which cannot train in a graph"),
        (lambda loss: (loss, tf.keras.optimizers.SGD(), {}), "use an optimizer of tf.compat.v1"),
        (lambda loss: (loss, descent(), {"variables_to_train": ["ww"]}), "'ww'.*Close: w"),
        (
            lambda loss: (loss, descent(), {"gradient_multipliers": {"v": 2.0}}),
            "'v', which is not trained here|no trained variable",
        ),
        (
            lambda loss: (loss, descent(), {"accumulate_steps": 2}),
            r"in a graph takes no 'accumulate_steps', which it takes only on a function",
        ),
        (lambda loss: (loss, descent(), {"clip_gradient": 2}), "Close: clip_gradient_norm"),
    ],
)
def test_what_cannot_train_is_refused_in_one_line(change, message):
    _, loss = square()
    total_loss, optimizer, options = change(loss)
    with pytest.raises(InputError, match=message) as caught:
        slim.learning.create_train_op(total_loss, optimizer, **options)
    assert "\n" not in str(caught.value)


def test_a_variable_of_another_graph_is_refused_with_the_nearest_names():
    with tf.Graph().as_default():
        (other,), _ = square("wa")
    _, loss = square("w")
    with pytest.raises(InputError, match="'wa', which is no trainable variable.*Close: w"):
        slim.learning.create_train_op(loss, descent(), variables_to_train=[other])
