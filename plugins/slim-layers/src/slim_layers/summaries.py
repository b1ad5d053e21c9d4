"""`slim.summaries`: scalars, histograms and images for TensorBoard, named after their tensors.

In a graph a summary is an op, gathered in `GraphKeys.SUMMARIES`. Elsewhere it is written at once,
to the default `tf.summary` writer, at the global step.
"""

from collections.abc import Callable, Iterable
from typing import Any

import tensorflow as tf

from slim_layers.utils import get_tensor_aliases
from slimcore.collections import in_graph
from slimcore.errors import InputError
from slimcore.global_step import get_global_step

v1 = tf.compat.v1


def add_scalar_summary(
    tensor: tf.Tensor,
    name: str | None = None,
    prefix: str | None = None,
    print_summary: bool = False,
) -> tf.Tensor | None:
    """Adds a summary of one number.

    Args:
        tensor: Scalar tensor.
        name: The tensor's own name by default. An eager tensor has none.
        prefix: Written before the name, and a slash.
        print_summary: Whether the value is also printed.

    Returns:
        The serialized summary; None where nothing records it.

    Raises:
        InputError: A tensor without a name needs one.
    """
    return write_scalar(name_for(tensor, name, prefix), tensor, print_summary)


def add_histogram_summary(
    tensor: tf.Tensor, name: str | None = None, prefix: str | None = None
) -> tf.Tensor | None:
    """Adds a histogram of a tensor's values. See `add_scalar_summary`."""
    return write_histogram(name_for(tensor, name, prefix), tensor)


def add_image_summary(
    tensor: tf.Tensor,
    name: str | None = None,
    prefix: str | None = None,
    print_summary: bool = False,
) -> tf.Tensor | None:
    """Adds up to three images of a tensor [N, H, W, C], C being 1, 3 or 4.

    See `add_scalar_summary`.
    """
    tag = name_for(tensor, name, prefix)
    return _write(
        tag,
        tensor,
        v1.summary.image,
        lambda full_tag: tf.raw_ops.ImageSummary(tag=full_tag, tensor=tensor),
        print_summary,
    )


def add_zero_fraction_summary(
    tensor: tf.Tensor,
    name: str | None = None,
    prefix: str | None = None,
    print_summary: bool = False,
) -> tf.Tensor | None:
    """Adds a summary of the share of a tensor's values that are 0. See `add_scalar_summary`."""
    tag = name_for(tensor, name, prefix) + "/Fraction_of_Zero_Values"
    return write_scalar(tag, tf.math.zero_fraction(tensor), print_summary)


def add_scalar_summaries(
    tensors: Iterable[tf.Tensor], prefix: str | None = None, print_summary: bool = False
) -> list[tf.Tensor | None]:
    """Adds a summary of each scalar tensor. See `add_scalar_summary`."""
    return [add_scalar_summary(t, prefix=prefix, print_summary=print_summary) for t in tensors]


def add_histogram_summaries(
    tensors: Iterable[tf.Tensor], prefix: str | None = None
) -> list[tf.Tensor | None]:
    """Adds a histogram of each tensor's values. See `add_scalar_summary`."""
    return [add_histogram_summary(t, prefix=prefix) for t in tensors]


def add_image_summaries(
    tensors: Iterable[tf.Tensor], prefix: str | None = None
) -> list[tf.Tensor | None]:
    """Adds the images of each tensor. See `add_image_summary`."""
    return [add_image_summary(t, prefix=prefix) for t in tensors]


def add_zero_fraction_summaries(
    tensors: Iterable[tf.Tensor], prefix: str | None = None
) -> list[tf.Tensor | None]:
    """Adds the share of zeros of each tensor. See `add_scalar_summary`."""
    return [add_zero_fraction_summary(t, prefix=prefix) for t in tensors]


def name_for(tensor: Any, name: str | None = None, prefix: str | None = None) -> str:
    """Returns the name of a tensor's summary.

    Raises:
        InputError: A tensor without a name needs one.
    """
    name = name or get_tensor_aliases(tensor)[0].partition(":")[0]
    if not name:
        raise InputError("an eager tensor has no name to summarize it under; pass name=...")
    return f"{prefix}/{name}" if prefix else name


def write_scalar(tag: str, tensor: Any, printed: bool = False) -> tf.Tensor | None:
    """Makes a summary of one number under a tag."""
    return _write(
        tag,
        tensor,
        v1.summary.scalar,
        lambda full_tag: tf.raw_ops.ScalarSummary(tags=full_tag, values=tensor),
        printed,
    )


def write_histogram(tag: str, tensor: Any) -> tf.Tensor | None:
    """Makes a histogram under a tag."""
    return _write(
        tag,
        tensor,
        v1.summary.histogram,
        lambda full_tag: tf.raw_ops.HistogramSummary(tag=full_tag, values=tensor),
    )


def _write(
    tag: str,
    tensor: Any,
    in_a_graph: Callable[..., tf.Tensor],
    elsewhere: Callable[[str], tf.Tensor],
    printed: bool = False,
) -> tf.Tensor | None:
    if in_graph():
        summary = in_a_graph(tag, tensor, collections=[])
        if printed:
            with tf.control_dependencies([tf.print(tag, tensor)]):
                summary = tf.identity(summary)
        v1.add_to_collection(v1.GraphKeys.SUMMARIES, summary)
        return summary
    if printed:
        tf.print(tag, tensor)
    recorded = tf.get_static_value(tf.summary.should_record_summaries())
    if recorded is not None and not recorded:
        return None
    scope = tf.get_current_name_scope()
    summary = elsewhere(f"{scope}/{tag}" if scope else tag)
    tf.summary.experimental.write_raw_pb(summary, step=get_global_step())
    return summary
