"""Setting variables from arrays and checkpoints, in a graph and in a module."""

import numpy as np
import pytest
import tensorflow as tf

import slimcore as slim
import slimcore.checkpoints as checkpoints
from slimcore.errors import CheckpointError

v1 = tf.compat.v1
WEIGHTS = np.arange(15, dtype=np.float32).reshape(5, 3)


def value(variable_or_shards, session=None):
    if isinstance(variable_or_shards, tf.Variable):
        return session.run(variable_or_shards) if session else variable_or_shards.numpy()
    return np.concatenate([session.run(shard) for shard in variable_or_shards])


@pytest.fixture
def path(tmp_path):
    """Returns a checkpoint that `tf.compat.v1.train.Saver` wrote: conv/weights and biases."""
    with tf.Graph().as_default(), v1.Session() as session:
        v1.get_variable("conv/weights", initializer=WEIGHTS)
        v1.get_variable("biases", initializer=np.float32([1, 2]))
        session.run(v1.global_variables_initializer())
        return v1.train.Saver().save(session, str(tmp_path / "graph.ckpt"), global_step=3)


def in_graph(make, restore):
    """Makes variables in a graph, restores them in a session, and returns their values."""
    with tf.Graph().as_default(), v1.Session() as session:
        made = make()
        init_fn = restore(made)
        session.graph.finalize()
        session.run([v.initializer for v in made])
        init_fn(session)
        return [value(v, session) for v in made]


def in_module(make, restore):
    model = slim.Module(make)
    made = model()
    restore(made)()
    return [value(v) for v in made]


def by_op(assign):
    """Returns, in the form of `assign_from_checkpoint_fn`, what returns an op and its feed."""

    def restore(made):
        op, feed = assign(made)
        return lambda session=None: session.run(op, feed) if session else None

    return restore


both = pytest.mark.parametrize("world", [in_graph, in_module])


def two():
    zeros = v1.zeros_initializer()
    return [
        slim.variable("conv/weights", [5, 3], initializer=zeros),
        slim.variable("biases", [2], initializer=zeros),
    ]


@both
@pytest.mark.parametrize(
    "restore",
    [
        lambda path: lambda made: slim.assign_from_checkpoint_fn(path, made),
        lambda path: by_op(lambda made: slim.assign_from_checkpoint(path, made)),
    ],
    ids=["assign_from_checkpoint_fn", "assign_from_checkpoint"],
)
def test_variables_are_read_by_their_names(world, path, restore):
    weights, biases = world(two, restore(path))
    np.testing.assert_array_equal(weights, WEIGHTS)
    np.testing.assert_array_equal(biases, [1, 2])


@both
def test_a_dict_gives_the_names_in_the_checkpoint(world, path):
    (mine,) = world(
        lambda: [slim.variable("mine", [2], initializer=v1.zeros_initializer())],
        lambda made: slim.assign_from_checkpoint_fn(path, {"biases": made[0]}),
    )
    np.testing.assert_array_equal(mine, [1, 2])


@both
def test_what_the_checkpoint_lacks_is_an_error_or_stays(world, path):
    def make():
        return [*two(), slim.variable("new", [2], initializer=v1.ones_initializer())]

    def strict(made):
        with pytest.raises(CheckpointError, match="new is not in it"):
            slim.assign_from_checkpoint_fn(path, made)
        return slim.assign_from_checkpoint_fn(path, made, ignore_missing_vars=True)

    _, biases, new = world(make, strict)
    np.testing.assert_array_equal(biases, [1, 2])
    np.testing.assert_array_equal(new, [1, 1])


@both
def test_nothing_to_read_gives_no_function(world, path, caplog):
    def restore(made):
        assert slim.assign_from_checkpoint_fn(path, made, ignore_missing_vars=True) is None
        return lambda session=None: None

    world(lambda: [slim.variable("new", [2])], restore)
    assert "none of the variables" in caplog.text


@both
def test_another_shape_is_an_error_or_reshaped(world, path):
    def restore(made):
        with pytest.raises(CheckpointError, match=r"\[5, 3\] there and \[15\] here"):
            slim.assign_from_checkpoint_fn(path, {"conv/weights": made[0]})
        return slim.assign_from_checkpoint_fn(
            path, {"conv/weights": made[0]}, reshape_variables=True
        )

    (flat,) = world(lambda: [slim.variable("flat", [15])], restore)
    np.testing.assert_array_equal(flat, WEIGHTS.ravel())


@pytest.mark.parametrize("given", ["whole", "list of shards", "collection", "own name"])
@pytest.mark.parametrize("function", ["fn", "op"])
def test_shards_are_read_from_the_whole(path, given, function):
    partitioner = v1.fixed_size_partitioner(2)
    with tf.Graph().as_default(), v1.Session() as session:
        whole = slim.variable("conv/weights", [5, 3], partitioner=partitioner)
        var_list = {
            "whole": {"conv/weights": whole},
            "list of shards": {"conv/weights": list(whole)[::-1]},
            "collection": slim.get_variables(),
            "own name": [whole],
        }[given]
        if function == "fn":
            slim.assign_from_checkpoint_fn(path, var_list)(session)
        else:
            session.run(*slim.assign_from_checkpoint(path, var_list))
        np.testing.assert_array_equal(value(whole, session), WEIGHTS)


def test_a_checkpoint_of_shards_is_read_whole_in_a_module_and_in_other_shards(tmp_path):
    with tf.Graph().as_default(), v1.Session() as session:
        columns = v1.fixed_size_partitioner(3, axis=1)
        shards = list(slim.variable("w", [5, 3], partitioner=columns))
        for i, shard in enumerate(shards):
            session.run(v1.assign(shard, WEIGHTS[:, i : i + 1]))
        path = v1.train.Saver().save(session, str(tmp_path / "shards.ckpt"))
    model = slim.Module(lambda: slim.variable("w", [5, 3]).read_value())
    model()
    model.restore(path)
    np.testing.assert_array_equal(model(), WEIGHTS)
    with tf.Graph().as_default(), v1.Session() as session:
        rows = slim.variable("w", [5, 3], partitioner=v1.fixed_size_partitioner(2))
        slim.assign_from_checkpoint_fn(path, slim.get_variables_to_restore())(session)
        np.testing.assert_array_equal(value(rows, session), WEIGHTS)


def test_the_values_are_read_when_the_function_is_called(tmp_path):
    path = checkpoints.save(str(tmp_path / "m"), {"w": np.float32([1, 2])})
    with tf.Graph().as_default(), v1.Session() as session:
        w = slim.variable("w", [2])
        init_fn = slim.assign_from_checkpoint_fn(path, [w])
        assert not any(
            op.type == "Const" and "assign" in op.name for op in session.graph.get_operations()
        )
        init_fn(session)
        np.testing.assert_array_equal(session.run(w), [1, 2])


def test_arrays_are_set_by_name_in_a_graph():
    with tf.Graph().as_default(), v1.Session() as session:
        weights, biases = two()
        session.run(*slim.assign_from_values({"conv/weights": WEIGHTS, "biases": [3, 4]}))
        np.testing.assert_array_equal(session.run(weights), WEIGHTS)
        slim.assign_from_values_fn({"biases": [5.0, 6.0]})(session)
        np.testing.assert_array_equal(session.run(biases), [5, 6])
        with pytest.raises(ValueError, match=r"biases has shape \[2\], and the value .* \[3\]"):
            slim.assign_from_values({"biases": [1, 2, 3]})
        with pytest.raises(ValueError, match="no variable is named 'bias_'"):
            slim.assign_from_values({"bias_": [1, 2]})


def test_arrays_are_set_by_name_in_a_module():
    def once():
        weights, biases = two()
        slim.assign_from_values({"conv/weights": WEIGHTS})
        return weights, biases, slim.assign_from_values_fn({"biases": [5.0, 6.0]})

    weights, biases, assign = slim.Module(once)()
    np.testing.assert_array_equal(weights, WEIGHTS)
    np.testing.assert_array_equal(biases, [0, 0])
    assign()
    np.testing.assert_array_equal(biases, [5, 6])
