"""All values of all batches, one after the other."""

from typing import Any

import tensorflow as tf

from slim_metrics._buffers import keep_rows
from slim_metrics._state import Names, ValueAndUpdate, metric
from slimcore.errors import InputError


def streaming_concat(
    values: Any,
    axis: int = 0,
    max_size: int | None = None,
    metrics_collections: Names = None,
    updates_collections: Names = None,
    name: str | None = None,
) -> ValueAndUpdate:
    """Joins the values of all batches along one dimension.

    Args:
        values: Tensor whose shape is defined but for `axis`.
        axis: The dimension that grows.
        max_size: How long that dimension may become; what comes later is dropped. No limit by
            default.
        metrics_collections: Collections that the value is added to.
        updates_collections: Collections that the update is added to.
        name: Scope of the state, "streaming_concat" by default.

    Returns:
        The value, in the type of `values`. In a graph the update is the length so far; else it is
        the value.

    Raises:
        InputError: `max_size` is negative.
        ShapeError: The shape of `values` lacks the dimension `axis`, or is not defined enough.
    """
    function = "streaming_concat"
    with metric(function, name, function, metrics_collections, updates_collections) as m:
        values = tf.convert_to_tensor(values)
        rank = values.shape.rank
        if not rank or not -rank <= axis < rank:
            m.refuse_shape("values", values.shape, f"joins values along axis {axis}")
        if max_size is not None and max_size < 0:
            raise InputError(f"{m} got max_size={max_size}; pass 0 or more, or None")
        axis %= rank
        others = [i for i in range(rank) if i != axis]
        if any(values.shape[i] is None for i in others):
            m.refuse_shape("values", values.shape, f"needs all dimensions known but axis {axis}")
        to_front = [axis, *others]
        back = [to_front.index(i) for i in range(rank)]
        rows = tf.transpose(values, to_front)
        return keep_rows(m, rows, lambda kept: tf.transpose(kept, back), max_size)
