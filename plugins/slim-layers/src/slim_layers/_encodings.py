"""Categories as numbers: one-hot vectors and buckets."""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from slim_layers._layer import Collections, Layer
from slimcore import add_arg_scope
from slimcore.errors import InputError


@add_arg_scope
def one_hot_encoding(
    labels: tf.Tensor,
    num_classes: int,
    on_value: float = 1.0,
    off_value: float = 0.0,
    outputs_collections: Collections = None,
    scope: Any = None,
) -> tf.Tensor:
    """Turns each label into a vector with one value at the label and another elsewhere.

    Args:
        labels: Integer tensor of any shape. A label below 0 or from `num_classes` on gets
            `off_value` everywhere.
        num_classes: Length of the vectors.
        on_value: Number at the label.
        off_value: Number elsewhere.
        outputs_collections: Collections for the outputs.
        scope: Name of the ops, `OneHotEncoding` by default.

    Returns:
        float32 tensor [*labels.shape, num_classes].

    Raises:
        InputError: The labels are no integers.
    """
    with Layer("one_hot_encoding", "OneHotEncoding", labels, scope) as layer:
        labels = layer.inputs
        if not labels.dtype.is_integer:
            raise InputError(f"{layer} takes integer labels, not {labels.dtype.name}; use tf.cast")
        if labels.dtype not in (tf.uint8, tf.int8, tf.int32, tf.int64):
            labels = tf.cast(labels, tf.int64)
        outputs = tf.one_hot(labels, num_classes, on_value=on_value, off_value=off_value)
        return layer.finish(outputs, None, outputs_collections)


def bucketize(
    input_tensor: tf.Tensor, boundaries: Sequence[float], name: str | None = None
) -> tf.Tensor:
    """Replaces each number by how many of the boundaries are not above it.

    With the boundaries 0, 10 and 100, -5 becomes 0, 0 and 9 become 1, 10 becomes 2, 100 becomes 3.

    Args:
        input_tensor: int32, int64, float32 or float64 tensor of any shape.
        boundaries: Numbers that do not fall.
        name: Name of the op.

    Returns:
        int32 tensor of the same shape, from 0 to the number of boundaries.

    Raises:
        InputError: A boundary is smaller than the one before it.
    """
    boundaries = [float(b) for b in boundaries]
    if boundaries != sorted(boundaries):
        raise InputError(f"bucketize takes boundaries that do not fall, not {boundaries}")
    return tf.raw_ops.Bucketize(
        input=tf.convert_to_tensor(input_tensor), boundaries=boundaries, name=name
    )
