"""Collections: the graph's own in a graph, and elsewhere those of the block that gathers."""

import contextlib

import pytest
import tensorflow as tf

import slimcore as slim
from slimcore.collections import REGULARIZATION_LOSSES, discarding, in_graph
from slimcore.errors import NoModuleError


def test_the_world_is_told_apart():
    assert not in_graph()
    assert not tf.function(lambda: tf.constant(in_graph()))().numpy()
    with tf.Graph().as_default():
        assert in_graph()


def test_in_a_graph_they_are_the_graphs():
    with tf.Graph().as_default():
        value = tf.constant(1.0)
        slim.add_to_collections(["a", "b"], value)
        slim.add_to_collections("c", value)
        slim.add_to_collections(None, value)
        assert [tf.compat.v1.get_collection(name) for name in "abc"] == [[value]] * 3
        assert slim.get_collection("a") == [value]


def test_elsewhere_a_block_gathers_and_hands_on_to_the_block_around():
    with slim.collecting() as outer:
        slim.add_to_collections("a", 1)
        with slim.collecting() as inner:
            slim.add_to_collections(["a", "b"], 2)
            assert slim.get_collection("a") == [2]
        assert slim.get_collection("a") == [1, 2]
    assert (inner.get("a"), outer.get("b")) == ([2], [2])


def test_a_block_that_fails_hands_nothing_on():
    with slim.collecting() as outer:
        with contextlib.suppress(RuntimeError), slim.collecting():
            slim.add_to_collections("a", 1)
            raise RuntimeError
        assert outer.get("a") == []


def test_outside_of_a_block_adding_is_harmless_and_asking_says_what_to_do():
    slim.add_to_collections("a", 1)
    with pytest.raises(NoModuleError, match=r"with slim.collecting\(\):"):
        slim.get_collection("a")


def test_values_are_found_by_name_scope():
    with slim.collecting():
        with tf.name_scope("tower1"):
            slim.add_to_collections("losses", 1)
        with tf.name_scope("tower2"):
            slim.add_to_collections("losses", 2)
        assert slim.get_collection("losses", "tower1") == [1]
        assert slim.get_collection("losses", "tower") == [1, 2]


def test_a_variable_is_regularized_once_however_often_it_is_used():
    calls = []

    def penalty(v):
        calls.append(1)
        return tf.reduce_sum(v)

    model = slim.Module(
        lambda: slim.variable("w", [2], initializer=tf.ones_initializer(), regularizer=penalty)
    )
    with slim.collecting():
        model()
        model()
        with slim.collecting():
            model()
        assert calls == [], "nothing is computed before it is asked for"
        assert [p.numpy() for p in slim.get_collection(REGULARIZATION_LOSSES)] == [2.0]
        slim.get_collection(REGULARIZATION_LOSSES)
    assert len(calls) == 1


def test_a_variable_of_two_modules_of_one_name_is_regularized_in_both():
    def layer():
        return slim.variable("w", [2], initializer=tf.ones_initializer(), regularizer=tf.reduce_sum)

    with slim.collecting():
        slim.Module(layer)()
        slim.Module(layer)()
        assert len(slim.get_collection(REGULARIZATION_LOSSES)) == 2


@pytest.mark.parametrize("graph", [True, False], ids=["graph", "block"])
def test_a_block_may_leave_no_trace(graph):
    def build():
        slim.add_to_collections("a", 1)
        with discarding():
            slim.add_to_collections("a", 2)
            slim.add_to_collections("b", 3)
        return slim.get_collection("a"), slim.get_collection("b")

    with tf.Graph().as_default() if graph else slim.collecting():
        assert build() == ([1], [])
