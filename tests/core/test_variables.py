"""Making variables and finding them, in a graph and in the module being called."""

import numpy as np
import pytest
import tensorflow as tf

import slimcore as slim
from slimcore.errors import InputError, NoModuleError, ShapeError
from slimcore.variables import variable_name

GraphKeys = tf.compat.v1.GraphKeys


def in_graph(function):
    with tf.Graph().as_default():
        return function()


def in_module(function):
    return slim.Module(function)()


def in_function(function):
    results = []
    tf.function(slim.Module(lambda: results.append(function())))()
    return results[0]


both = pytest.mark.parametrize("world", [in_graph, in_module, in_function])


def names(variables):
    return [variable_name(v) for v in variables]


def network():
    """Makes net/conv/weights, net/conv/moving_mean, net/weights, net/seen and step."""
    with tf.compat.v1.variable_scope("net"):
        with tf.compat.v1.variable_scope("conv"):
            slim.model_variable("weights", [2, 3])
            slim.model_variable("moving_mean", [3], trainable=False)
        slim.variable("weights", [1])
        slim.local_variable(0, name="seen")
    slim.global_variable(np.int64(0), name="step")


@both
def test_collections_tell_variables_apart(world):
    def look():
        network()
        return (
            names(slim.get_variables()),
            names(slim.get_model_variables()),
            names(slim.get_trainable_variables()),
            names(slim.get_local_variables()),
        )

    everything, model, trainable, local = world(look)
    assert everything == ["net/conv/weights", "net/conv/moving_mean", "net/weights", "step"]
    assert model == ["net/conv/weights", "net/conv/moving_mean"]
    assert trainable == ["net/conv/weights", "net/weights"]
    assert local == ["net/seen"]


@both
@pytest.mark.parametrize(
    "find, found",
    [
        (lambda: slim.get_variables("net/conv"), ["net/conv/weights", "net/conv/moving_mean"]),
        (lambda: slim.get_variables(suffix="mean"), ["net/conv/moving_mean"]),
        (lambda: slim.get_variables_by_suffix("hts"), ["net/conv/weights", "net/weights"]),
        (lambda: slim.get_variables_by_suffix("hts", "net/w"), ["net/weights"]),
        (lambda: slim.get_variables_by_name("weights"), ["net/conv/weights", "net/weights"]),
        (lambda: slim.get_variables_by_name("conv/weights"), ["net/conv/weights"]),
        (lambda: slim.get_variables_by_name("eights"), []),
        (lambda: [slim.get_unique_variable("net/weights")], ["net/weights"]),
        (lambda: [slim.get_unique_variable("net/conv/w")], ["net/conv/weights"]),
        (lambda: slim.get_variables_to_restore(["net/conv"], ["net/conv/m"]), ["net/conv/weights"]),
        (lambda: slim.get_variables_to_restore(exclude=["net"]), ["step"]),
        (
            lambda: slim.filter_variables(slim.get_variables(), ["conv"], ["w"]),
            ["net/conv/moving_mean"],
        ),
        (
            lambda: slim.filter_variables(slim.get_variables(), ["conv", "st"], reg_search=False),
            ["step"],
        ),
    ],
)
def test_variables_are_found_by_name(world, find, found):
    def look():
        network()
        return names(find())

    assert world(look) == found


@both
def test_a_variable_that_is_not_there_or_not_one_is_an_error(world):
    def look():
        network()
        with pytest.raises(
            InputError, match="no variable is named 'net/weihts'. Close: net/weights"
        ):
            slim.get_unique_variable("net/weihts")
        with pytest.raises(InputError, match="2 variables have names that begin with 'net/conv'"):
            slim.get_unique_variable("net/conv")
        with pytest.raises(TypeError, match="include takes a list or tuple of scopes, not 'net'"):
            slim.get_variables_to_restore(include="net")

    world(look)


@both
def test_a_variable_made_elsewhere_is_gathered_among_the_model_variables_once(world):
    def look():
        mine = slim.variable("mine", [1])
        slim.add_model_variable(mine)
        slim.add_model_variable(mine)
        return names(slim.get_model_variables())

    assert world(look) == ["mine"]


@both
def test_local_variables_of_one_name_are_told_apart_and_keep_their_type(world):
    def look():
        with tf.name_scope("ops"), tf.compat.v1.variable_scope("s", auxiliary_name_scope=False):
            made = [
                slim.local_variable(0, name="n"),
                slim.local_variable(lambda: tf.zeros([2], tf.int64), name="n"),
                slim.local_variable(tf.ones([2])),
            ]
        return [(variable_name(v).rpartition("/")[2], v.dtype, v.trainable) for v in made]

    assert world(look) == [
        ("n", tf.int32, False),
        ("n_1", tf.int64, False),
        ("Variable", tf.float32, False),
    ]


def test_the_name_scope_is_no_part_of_the_name_in_a_module():
    def look():
        with tf.name_scope("ops"), tf.compat.v1.variable_scope("net"):
            return slim.local_variable(0, name="n").name, slim.variable("w", [1]).name

    assert in_module(look) == in_function(look) == ("net/n:0", "net/w:0")


def test_local_variables_are_the_same_in_the_next_call_and_begin_again_on_demand():
    model = slim.Module(lambda: slim.local_variable(5, name="n").assign_add(1).read_value())
    assert [int(model()), int(tf.function(model)())] == [6, 7]
    model.reset_metrics()
    assert int(model()) == 6


def test_local_variables_in_a_graph_begin_with_their_initializer():
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        made = slim.local_variable(np.float32([1, 2]))
        session.run(tf.compat.v1.local_variables_initializer())
        np.testing.assert_array_equal(session.run(made), [1, 2])


@both
def test_a_shape_may_change_where_it_is_not_validated(world):
    made = world(lambda: slim.global_variable([1.0], validate_shape=False, name="v"))
    assert made.shape.is_compatible_with([2])


def test_a_first_value_that_is_not_known_while_tracing_is_an_error():
    model = tf.function(slim.Module(lambda x: slim.local_variable(x, name="n")))
    with pytest.raises(InputError, match="variable n cannot begin with .* not known yet"):
        model(tf.ones([2]))


@both
def test_the_regularizer_of_a_reused_variable_is_counted_once(world):
    def look():
        for _ in range(2):
            with tf.compat.v1.variable_scope("s", reuse=tf.compat.v1.AUTO_REUSE):
                slim.variable(
                    "w", [2], initializer=tf.compat.v1.ones_initializer(), regularizer=tf.reduce_sum
                )
        return len(slim.get_collection(GraphKeys.REGULARIZATION_LOSSES))

    assert world(look) == 1


@both
def test_a_scope_may_set_what_is_common_to_variables(world):
    def look():
        with slim.arg_scope(
            [slim.variable], initializer=tf.compat.v1.ones_initializer(), trainable=False
        ):
            made = slim.variable("w", [2])
        return made.trainable

    assert world(look) is False


@both
def test_two_shapes_for_one_name_are_an_error(world):
    def look():
        slim.variable("w", [2])
        with (
            tf.compat.v1.variable_scope("", reuse=tf.compat.v1.AUTO_REUSE),
            pytest.raises(ValueError, match="w[, ]"),
        ):
            slim.variable("w", [3])

    world(look)


def test_a_shape_that_is_not_known_is_an_error_that_names_the_variable():
    with pytest.raises(ShapeError, match=r"variable w needs a fully defined shape.*\(None, 2\)"):
        in_module(lambda: slim.variable("w", [None, 2]))


@pytest.mark.parametrize(
    "call",
    [
        lambda: slim.variable("w", [1]),
        lambda: slim.local_variable(0, name="w"),
        lambda: slim.get_variables(),
    ],
)
def test_outside_of_graph_and_module_the_way_out_is_told(call):
    with pytest.raises(NoModuleError, match=r"slim.Module\(function\)"):
        call()


def test_shards_tell_the_name_of_the_whole():
    with tf.Graph().as_default():
        whole = slim.variable("p", [5, 3], partitioner=tf.compat.v1.fixed_size_partitioner(2))
        shards = slim.get_variables("p")
        assert names(shards) == ["p/part_0", "p/part_1"]
        assert [slim.get_variable_full_name(v) for v in [*shards, whole]] == ["p"] * 3


@pytest.mark.parametrize("scoped", [False, True], ids=["of the variable", "of the variable scope"])
def test_a_partitioner_cuts_in_a_graph_and_is_passed_over_in_a_module(scoped):
    def look():
        partitioner = tf.compat.v1.fixed_size_partitioner(2)
        with tf.compat.v1.variable_scope("s", partitioner=partitioner if scoped else None):
            slim.variable("p", [4, 3], partitioner=None if scoped else partitioner)
        return names(slim.get_variables())

    assert in_graph(look) == ["s/p/part_0", "s/p/part_1"]
    assert in_module(look) == ["s/p"]
