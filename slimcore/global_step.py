"""The global step: an int64 scalar that counts the steps of training.

In a graph it is the graph's own. Elsewhere it is that of the training step being taken, so that a
schedule in a network or a loss sees training advance; without one, the `slim.Module` being called
keeps a variable `global_step`, which nothing moves but the module's own function. There is none
for the whole process: two models trained in turn would count each other's steps.
"""

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

import tensorflow as tf

from slimcore.collections import in_graph
from slimcore.errors import ArgumentTypeError, InputError
from slimcore.module import active_module, current_module

NAME = tf.compat.v1.GraphKeys.GLOBAL_STEP

_counted: ContextVar[Any] = ContextVar("global_step", default=None)


@contextlib.contextmanager
def counting(step: Any) -> Iterator[None]:
    """Makes `step` the global step inside, outside of a graph; a training step enters this."""
    assert_global_step(step)
    token = _counted.set(step)
    try:
        yield
    finally:
        _counted.reset(token)


def get_global_step(graph: tf.Graph | None = None) -> Any:
    """Returns the global step, or None where there is none yet.

    Args:
        graph: Where to look; by default the graph being built, the training step being taken, or
            the `slim.Module` being called.
    """
    if graph is not None or in_graph():
        return tf.compat.v1.train.get_global_step(graph)
    if _counted.get() is not None:
        return _counted.get()
    module = active_module()
    return None if module is None else module.store.find(NAME)


def create_global_step(graph: tf.Graph | None = None) -> Any:
    """Makes the global step, with the value 0.

    Args:
        graph: See `get_global_step`.

    Raises:
        InputError: It exists.
        NoModuleError: Neither a graph, nor a training step, nor a `slim.Module` is there.
    """
    if get_global_step(graph) is not None:
        raise InputError("the global step exists; call get_or_create_global_step")
    if graph is not None or in_graph():
        # Whatever scope asks for it first, its name is the same in every checkpoint.
        root = tf.compat.v1.VariableScope(reuse=False)
        with tf.compat.v1.variable_scope(root, auxiliary_name_scope=False):
            return tf.compat.v1.train.create_global_step(graph)
    module = current_module("the global step")
    assert module is not None
    return module.store.get(
        NAME,
        shape=[],
        dtype=tf.int64,
        initializer=tf.compat.v1.zeros_initializer(),
        trainable=False,
        collections=[tf.compat.v1.GraphKeys.GLOBAL_VARIABLES, NAME],
        aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
    )


def get_or_create_global_step(graph: tf.Graph | None = None) -> Any:
    """Returns the global step, made with the value 0 where there is none.

    Args:
        graph: See `get_global_step`.

    Raises:
        NoModuleError: Neither a graph, nor a training step, nor a `slim.Module` is there.
    """
    step = get_global_step(graph)
    return create_global_step(graph) if step is None else step


def assert_global_step(global_step_tensor: Any) -> None:
    """Checks that something can be a global step.

    Raises:
        ArgumentTypeError: It is not a variable or tensor, not an integer, or not a scalar.
    """
    dtype = getattr(global_step_tensor, "dtype", None)
    shape = getattr(global_step_tensor, "shape", None)
    if dtype is None or shape is None:
        raise ArgumentTypeError(
            f"a global step is a variable or a tensor, not {global_step_tensor!r}"
        )
    if not tf.as_dtype(dtype).is_integer:
        raise ArgumentTypeError(f"a global step holds integers, not {tf.as_dtype(dtype).name}")
    if tf.TensorShape(shape).rank not in (0, None):
        raise ArgumentTypeError(f"a global step is a scalar, not of shape {shape}")


def assert_or_get_global_step(graph: tf.Graph | None = None, global_step_tensor: Any = None) -> Any:
    """Returns the step given, checked, or else what `get_global_step` returns.

    Raises:
        ArgumentTypeError: What was given cannot be a global step.
    """
    if global_step_tensor is None:
        return get_global_step(graph)
    assert_global_step(global_step_tensor)
    return global_step_tensor
