"""Summaries of whatever a model has: tensors, activations, variables, collections."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import tensorflow as tf

import slimcore.collections as collections
from slim_layers.summaries import name_for, write_histogram, write_scalar
from slimcore.module import active_module

GraphKeys = tf.compat.v1.GraphKeys

# Activations of which the share of inputs that they cut off at 0 is worth knowing.
_CUT_OFF = ("Relu", "Relu6", "Softplus")


def summarize_tensor(tensor: tf.Tensor, tag: str | None = None) -> tf.Tensor | None:
    """Adds a summary of a scalar, or a histogram of any other tensor.

    Args:
        tensor: Tensor or variable.
        tag: The tensor's own name and `_summary` by default. An eager tensor has none.

    Returns:
        The serialized summary; outside of a graph, None where nothing records it.

    Raises:
        InputError: A tensor without a name needs a tag.
    """
    tag = tag or name_for(tensor) + "_summary"
    return write_scalar(tag, tensor) if tensor.shape.rank == 0 else write_histogram(tag, tensor)


def summarize_activation(op: tf.Tensor) -> tf.Tensor | None:
    """Adds a histogram of an activation, and for some the share of inputs that were cut off.

    A ReLU has `<name>/zeros`, the share of its inputs below 0; a ReLU6 also `<name>/sixes`, the
    share above 6. That is known in a graph or a `tf.function` only.

    Args:
        op: The output of an activation function.

    Returns:
        The serialized histogram; outside of a graph, None where nothing records it.

    Raises:
        InputError: An eager tensor has no name.
    """
    name = name_for(op)
    kind, inputs = _made_by(op)
    if kind in _CUT_OFF:
        write_scalar(f"{name}/zeros", _share(inputs < 0))
    if kind == "Relu6":
        write_scalar(f"{name}/sixes", _share(inputs > 6))
    return write_histogram(f"{name}/activation", op)


def summarize_tensors(
    tensors: Iterable[tf.Tensor], summarizer: Callable[[Any], Any] = summarize_tensor
) -> list[Any]:
    """Adds a summary of each tensor.

    Args:
        tensors: Tensors or variables.
        summarizer: What to do with each.
    """
    return [summarizer(tensor) for tensor in tensors]


def summarize_collection(
    collection: str,
    name_filter: str | None = None,
    summarizer: Callable[[Any], Any] = summarize_tensor,
) -> list[Any]:
    """Adds a summary of each tensor and variable of a collection.

    Args:
        collection: The collection's name.
        name_filter: A pattern that the beginning of a name must match.
        summarizer: What to do with each.

    Raises:
        NoModuleError: Outside of a graph and of a `slim.Module` there are no collections.
    """
    found = list(collections.get_collection(collection, name_filter))
    module = active_module()
    if module is not None:
        found += module.store.get_collection(collection, name_filter).values()
    return summarize_tensors(found, summarizer)


def summarize_activations(
    name_filter: str | None = None, summarizer: Callable[[Any], Any] = summarize_activation
) -> list[Any]:
    """Adds a summary of each tensor in `GraphKeys.ACTIVATIONS`. See `summarize_collection`."""
    return summarize_collection(GraphKeys.ACTIVATIONS, name_filter, summarizer)


summarize_variables = partial(summarize_collection, GraphKeys.GLOBAL_VARIABLES)
summarize_weights = partial(summarize_collection, GraphKeys.WEIGHTS)
summarize_biases = partial(summarize_collection, GraphKeys.BIASES)


def _made_by(tensor: tf.Tensor) -> tuple[str, Any]:
    """Returns the type of the op that made a tensor, and its first input; nothing if eager."""
    if not tf.is_symbolic_tensor(tensor) or not tensor.op.inputs:
        return "", None
    return tensor.op.type, tensor.op.inputs[0]


def _share(condition: tf.Tensor) -> tf.Tensor:
    return tf.reduce_mean(tf.cast(condition, tf.float32))
