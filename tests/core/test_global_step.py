"""The global step, in a graph, in a module and in a training step."""

import numpy as np
import pytest
import tensorflow as tf

import slimcore as slim
from slimcore.errors import ArgumentTypeError, InputError, NoModuleError
from slimcore.global_step import counting


def test_a_graph_has_one_whatever_scope_asks_for_it():
    with tf.Graph().as_default() as graph:
        assert slim.get_global_step() is None
        with tf.compat.v1.variable_scope("net", reuse=True):
            step = slim.get_or_create_global_step()
        assert (step.op.name, step.dtype, step.trainable) == ("global_step", tf.int64, False)
        assert slim.get_or_create_global_step() is step
        assert tf.compat.v1.train.get_global_step() is step
        with pytest.raises(InputError, match="exists"):
            slim.create_global_step()
    assert slim.get_global_step(graph) is step


def test_a_module_keeps_one_that_its_function_moves():
    def count(x):
        with tf.compat.v1.variable_scope("net"):
            return x + tf.cast(slim.get_or_create_global_step().assign_add(1), tf.float32)

    model = slim.Module(count)
    assert [float(tf.function(model)(0.0)), float(model(0.0))] == [1, 2]
    assert list(model.named_variables) == ["global_step"]
    assert model.trainable_variables == ()


def test_a_training_step_counts_for_the_modules_that_it_calls():
    step = tf.Variable(41, dtype=tf.int64)
    model = slim.Module(lambda: slim.get_or_create_global_step().read_value())
    with counting(step):
        step.assign_add(1)
        assert int(model()) == 42
        assert slim.get_global_step() is step
    assert slim.get_global_step() is None
    assert int(model()) == 0


def test_outside_of_all_there_is_none():
    assert slim.get_global_step() is None
    with pytest.raises(NoModuleError, match="the global step"):
        slim.get_or_create_global_step()


@pytest.mark.parametrize(
    "wrong, message",
    [
        (3, "a variable or a tensor, not 3"),
        (np.float32(3), "holds integers, not float32"),
        (np.array([1]), r"scalar, not of shape \(1,\)"),
    ],
)
def test_what_cannot_be_a_global_step_is_refused(wrong, message):
    with pytest.raises(ArgumentTypeError, match=message):
        slim.assert_global_step(wrong)
    with pytest.raises(TypeError), counting(wrong):
        pass


def test_the_step_given_is_checked_and_returned():
    step = tf.Variable(0, dtype=tf.int64)
    assert slim.assert_or_get_global_step(global_step_tensor=step) is step
    assert slim.assert_or_get_global_step() is None
