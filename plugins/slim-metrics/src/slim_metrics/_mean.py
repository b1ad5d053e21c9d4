"""Means over all batches: of values, element by element, and of what is below a threshold."""

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from slim_metrics._state import Metric, Names, ValueAndUpdate, metric, ratio
from slim_metrics._weighting import broadcast, finite, total_of, weighted_sum_and_count


def streaming_mean(
    values: Any,
    weights: Any = None,
    metrics_collections: Names = None,
    updates_collections: Names = None,
    name: str | None = None,
) -> ValueAndUpdate:
    """Averages all elements of all batches.

    Args:
        values: Numbers, of any shape.
        weights: Non-negative, a scalar or of the rank of `values` with each dimension 1 or equal.
        metrics_collections: Collections that the value is added to.
        updates_collections: Collections that the update is added to.
        name: Scope of the state, "mean" by default.

    Returns:
        The value and the update, float32 scalars; 0 while the weights sum to 0.

    Raises:
        ShapeError: The weights do not fit the values.
    """
    with metric("streaming_mean", name, "mean", metrics_collections, updates_collections) as m:
        return mean_of(m, [finite(m, "values", values)], weights)


def streaming_mean_tensor(
    values: Any,
    weights: Any = None,
    metrics_collections: Names = None,
    updates_collections: Names = None,
    name: str | None = None,
) -> ValueAndUpdate:
    """Averages each element over all batches.

    Args:
        values: Numbers, of one fully defined shape in every batch.
        weights: Non-negative, a scalar or of the rank of `values` with each dimension 1 or equal.
        metrics_collections: Collections that the value is added to.
        updates_collections: Collections that the update is added to.
        name: Scope of the state, "mean" by default.

    Returns:
        The value and the update, float32 in the shape of `values`; 0 where the weights sum to 0.

    Raises:
        ShapeError: The weights do not fit the values, or the shape of the values is not known.
    """
    function = "streaming_mean_tensor"
    with metric(function, name, "mean", metrics_collections, updates_collections) as m:
        values = finite(m, "values", values)
        if not values.shape.is_fully_defined():
            m.refuse_shape("values", values.shape, "needs values of a fully defined shape")
        values = tf.cast(values, tf.float64)
        sums = {"total_tensor": values, "count_tensor": tf.ones_like(values)}
        if weights is not None:
            weights = tf.cast(broadcast(m, weights, values), tf.float64)
            sums = {"total_tensor": values * weights, "count_tensor": weights}
        return m.add_up(sums, lambda s: ratio(s["total_tensor"], s["count_tensor"]))


def streaming_percentage_less(
    values: Any,
    threshold: float,
    weights: Any = None,
    metrics_collections: Names = None,
    updates_collections: Names = None,
    name: str | None = None,
) -> ValueAndUpdate:
    """Computes the fraction of all elements of all batches that are below a threshold.

    Args:
        values: Numbers, of any shape.
        threshold: Elements equal to it do not count as below.
        weights: Non-negative, a scalar or of the rank of `values` with each dimension 1 or equal.
        metrics_collections: Collections that the value is added to.
        updates_collections: Collections that the update is added to.
        name: Scope of the state, "percentage_below_threshold" by default.

    Returns:
        The value and the update, float32 scalars; 0 while the weights sum to 0.

    Raises:
        ShapeError: The weights do not fit the values.
    """
    function, default = "streaming_percentage_less", "percentage_below_threshold"
    with metric(function, name, default, metrics_collections, updates_collections) as m:
        values = finite(m, "values", values)
        return mean_of(m, [tf.less(values, tf.cast(threshold, values.dtype))], weights)


def count(
    values: Any,
    weights: Any = None,
    metrics_collections: Names = None,
    updates_collections: Names = None,
    name: str | None = None,
) -> ValueAndUpdate:
    """Counts all elements of all batches, each as often as its weight says.

    Args:
        values: Tensor of any shape and type.
        weights: Non-negative, a scalar or of the rank of `values` with each dimension 1 or equal.
        metrics_collections: Collections that the value is added to.
        updates_collections: Collections that the update is added to.
        name: Scope of the state, "count" by default.

    Returns:
        The value and the update, scalars: float64; or float32 in a graph, exact up to 2^24.

    Raises:
        ShapeError: The weights do not fit the values.
    """
    with metric("count", name, "count", metrics_collections, updates_collections) as m:
        values = tf.convert_to_tensor(values)
        if weights is None:
            number = tf.size(values, tf.int64)
        else:
            number = total_of(broadcast(m, weights, values))
        return m.add_up({"count": number}, lambda s: s["count"], dtype=m.count_dtype)


def mean_of(
    m: Metric,
    tensors: Sequence[tf.Tensor],
    weights: Any,
    function: Callable[..., tf.Tensor] = tf.identity,
    value_of: Callable[[tf.Tensor], tf.Tensor] = tf.identity,
) -> ValueAndUpdate:
    """Adds values up into the state `total` and `count`, and returns their quotient.

    Args:
        m: The metric.
        tensors: What the values are computed from; see `weighted_sum_and_count`.
        weights: None for weights of 1, or a tensor that fits the values.
        function: Computes the values from the tensors.
        value_of: Computes the metric's value from the mean.
    """
    total, number = weighted_sum_and_count(m, tensors, weights, function)
    return m.add_up(
        {"total": total, "count": number},
        lambda sums: value_of(ratio(sums["total"], sums["count"])),
    )
