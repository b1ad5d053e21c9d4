"""Accuracy: the fraction of predictions that equal their labels."""

from typing import Any

import tensorflow as tf

from slim_metrics._mean import mean_of
from slim_metrics._state import Metric, Names, ValueAndUpdate, metric
from slim_metrics._weighting import matched, weighted_sum_and_count


def accuracy(
    predictions: Any, labels: Any, weights: Any = None, name: str | None = None
) -> tf.Tensor:
    """Computes the fraction of predictions of this batch that equal their labels; keeps no state.

    Args:
        predictions: Class indices, booleans or strings, of any shape.
        labels: The right answers, of that shape.
        weights: Non-negative, a scalar or of the rank of `labels` with each dimension 1 or equal.
        name: Scope of the ops, "accuracy" by default.

    Returns:
        A float32 scalar; NaN where the weights sum to 0.

    Raises:
        ShapeError: The shapes do not fit.
    """
    with metric("accuracy", name, "accuracy") as m:
        right, weights = _right(m, predictions, labels, weights)
        total, number = weighted_sum_and_count(m, [right], weights)
        return tf.cast(total / tf.cast(number, tf.float64), tf.float32)


def streaming_accuracy(
    predictions: Any,
    labels: Any,
    weights: Any = None,
    metrics_collections: Names = None,
    updates_collections: Names = None,
    name: str | None = None,
) -> ValueAndUpdate:
    """Computes the fraction of all predictions so far that equal their labels.

    Args:
        predictions: Class indices, booleans or strings, of any shape.
        labels: The right answers, of that shape; predictions are cast to their type.
        weights: Non-negative, a scalar or of the rank of `labels` with each dimension 1 or equal.
        metrics_collections: Collections that the value is added to.
        updates_collections: Collections that the update is added to.
        name: Scope of the state, "accuracy" by default.

    Returns:
        The value and the update, float32 scalars; 0 while the weights sum to 0.

    Raises:
        ShapeError: The shapes do not fit.
    """
    function = "streaming_accuracy"
    with metric(function, name, "accuracy", metrics_collections, updates_collections) as m:
        right, weights = _right(m, predictions, labels, weights)
        return mean_of(m, [right], weights)


def _right(
    m: Metric, predictions: Any, labels: Any, weights: Any
) -> tuple[tf.Tensor, tf.Tensor | None]:
    predictions, labels, weights = matched(m, predictions, labels, weights)
    if predictions.dtype != labels.dtype:
        predictions = tf.cast(predictions, labels.dtype)
    return tf.equal(predictions, labels), weights
