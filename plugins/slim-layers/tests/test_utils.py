"""`slim.utils`: aliases, conditions on what is known, and shapes."""

import numpy as np
import pytest
import tensorflow as tf

import slimcore as slim

v1 = tf.compat.v1


def test_outputs_are_found_under_every_alias_and_in_order():
    with tf.Graph().as_default():
        first, second = tf.constant(1.0, name="a"), tf.constant(2.0, name="b")
        slim.utils.collect_named_outputs("ends", "one", first)
        slim.utils.append_tensor_alias(first, "uno")
        slim.utils.append_tensor_alias(first, "uno")
        v1.add_to_collection("ends", second)
        assert slim.utils.gather_tensors_aliases([first, second]) == ["one", "uno", "b"]
        ends = slim.utils.convert_collection_to_dict("ends", clear_collection=True)
        assert list(ends) == ["one", "uno", "b"]
        assert ends["one"] is ends["uno"] is first
        assert not v1.get_collection("ends")


def test_without_a_collection_outputs_get_no_alias():
    with tf.Graph().as_default():
        output = slim.utils.collect_named_outputs(None, "one", tf.constant(1.0, name="a"))
        assert slim.utils.get_tensor_aliases(output) == ["a"]


@pytest.mark.parametrize(
    "given, weights, biases",
    [(["all"], ["all"], ["all"]), ({"weights": ["w"]}, ["w"], None), (None, None, None)],
)
def test_collections_are_for_all_variables_or_by_name(given, weights, biases):
    assert slim.utils.get_variable_collections(given, "weights") == weights
    assert slim.utils.get_variable_collections(given, "biases") == biases


def test_what_is_known_while_building_is_returned_and_the_rest_is_none():
    with tf.Graph().as_default():
        assert slim.utils.constant_value(3) == 3
        assert slim.utils.constant_value(tf.constant([1, 2])).tolist() == [1, 2]
        assert slim.utils.constant_value(v1.placeholder(tf.bool, [])) is None
        assert slim.utils.constant_value(tf.Variable(True)) is None
        with pytest.raises(ValueError, match="float32, and bool is needed"):
            slim.utils.constant_value(tf.constant(1.0), tf.bool)
        with pytest.raises(ValueError, match="got None"):
            slim.utils.constant_value(None)


@pytest.mark.parametrize("condition", [True, False])
def test_only_the_branch_that_is_known_to_be_taken_is_built(condition):
    built = []

    def branch(value):
        return lambda: built.append(value) or tf.constant(value)

    with tf.Graph().as_default():
        for pred in (condition, tf.constant(condition)):
            built.clear()
            slim.utils.smart_cond(pred, branch(1), branch(2))
            assert built == [1 if condition else 2]
        built.clear()
        slim.utils.static_cond(condition, branch(1), branch(2))
        assert built == [1 if condition else 2]


def test_a_condition_at_run_time_chooses_then():
    with tf.Graph().as_default(), v1.Session() as session:
        pred = v1.placeholder(tf.bool, [])
        chosen = slim.utils.smart_cond(pred, lambda: tf.constant(1), lambda: tf.constant(2))
        assert [session.run(chosen, {pred: p}) for p in (True, False)] == [1, 2]
    choose = tf.function(
        lambda p: slim.utils.smart_cond(p, lambda: tf.constant(1), lambda: tf.constant(2)),
        input_signature=[tf.TensorSpec([], tf.bool)],
    )
    assert [int(choose(tf.constant(p))) for p in (True, False)] == [1, 2]


def test_branches_must_be_functions():
    for cond in (slim.utils.static_cond, slim.utils.smart_cond):
        with pytest.raises(TypeError, match="fn2 must be a function, not 2"):
            cond(True, lambda: 1, 2)


def test_one_number_stands_for_all():
    assert slim.utils.two_element_tuple(3) == (3, 3)
    assert slim.utils.two_element_tuple(tf.TensorShape([3, 4])) == (3, 4)
    assert slim.utils.n_positive_integers(3, np.int64(2)) == (2, 2, 2)
    assert slim.utils.n_positive_integers(2, [1, 5]) == (1, 5)


@pytest.mark.parametrize(
    "call",
    [
        lambda: slim.utils.two_element_tuple([1, 2, 3]),
        lambda: slim.utils.n_positive_integers(2, [1, 2, 3]),
        lambda: slim.utils.n_positive_integers(2, 0),
        lambda: slim.utils.n_positive_integers(0, 1),
        lambda: slim.utils.n_positive_integers(2, tf.TensorShape([1, None])),
        lambda: slim.utils.last_dimension(tf.TensorShape([2, None])),
        lambda: slim.utils.last_dimension(tf.TensorShape(None)),
        lambda: slim.utils.channel_dimension(tf.TensorShape([2, 3]), "NCHW", min_rank=4),
    ],
)
def test_what_does_not_fit_is_a_value_error(call):
    with pytest.raises(ValueError, match="needed|unknown|must be"):
        call()


def test_the_channels_are_last_or_on_axis_1():
    shape = tf.TensorShape([None, 3, 4, 5])
    assert slim.utils.last_dimension(shape) == 5
    assert slim.utils.channel_dimension(shape, None) == 5
    assert slim.utils.channel_dimension(shape, "NHWC") == 5
    assert slim.utils.channel_dimension(shape, "NCHW") == 3
    assert slim.utils.channel_dimension(shape, "channels_first") == 3
