"""Counts of right and wrong answers, and rates made of them, at each of many thresholds."""

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from slim_metrics._state import Metric, Names, ValueAndUpdate, metric, ratio
from slim_metrics._threshold_buckets import Counts, add_up_buckets, given_thresholds


def streaming_true_positives_at_thresholds(
    predictions: Any,
    labels: Any,
    thresholds: Sequence[float],
    weights: Any = None,
) -> ValueAndUpdate:
    """Counts, at each threshold, examples predicted positive that are so.

    Args:
        predictions: Scores of any shape, from 0 to 1 if all thresholds are. One above a threshold
            is positive, one equal to it is not.
        labels: Booleans or 0 and 1, of that shape.
        thresholds: T numbers, in any order.
        weights: Non-negative, a scalar or of the rank of `labels` with each dimension 1 or equal.

    Returns:
        The value and the update, [T]: float64, or float32 in a graph.

    Raises:
        InputError: When the value is read, and a prediction with a weight was NaN or out of range.
        ShapeError: The shapes do not fit.
    """
    with metric("streaming_true_positives_at_thresholds", None, "true_positives") as m:
        return _at_each(
            m, predictions, labels, thresholds, weights, lambda c: c.true_positives, m.count_dtype
        )


def streaming_false_positives_at_thresholds(
    predictions: Any,
    labels: Any,
    thresholds: Sequence[float],
    weights: Any = None,
) -> ValueAndUpdate:
    """Counts, at each threshold, examples predicted positive that are negative.

    Args:
        predictions: Scores of any shape, from 0 to 1 if all thresholds are. One above a threshold
            is positive, one equal to it is not.
        labels: Booleans or 0 and 1, of that shape.
        thresholds: T numbers, in any order.
        weights: Non-negative, a scalar or of the rank of `labels` with each dimension 1 or equal.

    Returns:
        The value and the update, [T]: float64, or float32 in a graph.

    Raises:
        InputError: When the value is read, and a prediction with a weight was NaN or out of range.
        ShapeError: The shapes do not fit.
    """
    with metric("streaming_false_positives_at_thresholds", None, "false_positives") as m:
        return _at_each(
            m, predictions, labels, thresholds, weights, lambda c: c.false_positives, m.count_dtype
        )


def streaming_true_negatives_at_thresholds(
    predictions: Any,
    labels: Any,
    thresholds: Sequence[float],
    weights: Any = None,
) -> ValueAndUpdate:
    """Counts, at each threshold, examples predicted negative that are so.

    Args:
        predictions: Scores of any shape, from 0 to 1 if all thresholds are. One above a threshold
            is positive, one equal to it is not.
        labels: Booleans or 0 and 1, of that shape.
        thresholds: T numbers, in any order.
        weights: Non-negative, a scalar or of the rank of `labels` with each dimension 1 or equal.

    Returns:
        The value and the update, [T]: float64, or float32 in a graph.

    Raises:
        InputError: When the value is read, and a prediction with a weight was NaN or out of range.
        ShapeError: The shapes do not fit.
    """
    with metric("streaming_true_negatives_at_thresholds", None, "true_negatives") as m:
        return _at_each(
            m, predictions, labels, thresholds, weights, lambda c: c.true_negatives, m.count_dtype
        )


def streaming_false_negatives_at_thresholds(
    predictions: Any,
    labels: Any,
    thresholds: Sequence[float],
    weights: Any = None,
) -> ValueAndUpdate:
    """Counts, at each threshold, examples predicted negative that are positive.

    Args:
        predictions: Scores of any shape, from 0 to 1 if all thresholds are. One above a threshold
            is positive, one equal to it is not.
        labels: Booleans or 0 and 1, of that shape.
        thresholds: T numbers, in any order.
        weights: Non-negative, a scalar or of the rank of `labels` with each dimension 1 or equal.

    Returns:
        The value and the update, [T]: float64, or float32 in a graph.

    Raises:
        InputError: When the value is read, and a prediction with a weight was NaN or out of range.
        ShapeError: The shapes do not fit.
    """
    with metric("streaming_false_negatives_at_thresholds", None, "false_negatives") as m:
        return _at_each(
            m, predictions, labels, thresholds, weights, lambda c: c.false_negatives, m.count_dtype
        )


def streaming_precision_at_thresholds(
    predictions: Any,
    labels: Any,
    thresholds: Sequence[float],
    weights: Any = None,
    metrics_collections: Names = None,
    updates_collections: Names = None,
    name: str | None = None,
) -> ValueAndUpdate:
    """Computes precision, the fraction of positive predictions that are right, at each threshold.

    Args:
        predictions: Scores of any shape, from 0 to 1 if all thresholds are. One above a threshold
            is positive, one equal to it is not.
        labels: Booleans or 0 and 1, of that shape.
        thresholds: T numbers, in any order.
        weights: Non-negative, a scalar or of the rank of `labels` with each dimension 1 or equal.
        metrics_collections: Collections that the value is added to.
        updates_collections: Collections that the update is added to.
        name: Scope of the state, "precision_at_thresholds" by default.

    Returns:
        The value and the update, float32 [T]; 0 where nothing is predicted positive.

    Raises:
        InputError: When the value is read, and a prediction with a weight was NaN or out of range.
        ShapeError: The shapes do not fit.
    """

    def rate(counts: Counts) -> tf.Tensor:
        return ratio(counts.true_positives, counts.true_positives + counts.false_positives)

    function, default = "streaming_precision_at_thresholds", "precision_at_thresholds"
    with metric(function, name, default, metrics_collections, updates_collections) as m:
        return _at_each(m, predictions, labels, thresholds, weights, rate)


def streaming_recall_at_thresholds(
    predictions: Any,
    labels: Any,
    thresholds: Sequence[float],
    weights: Any = None,
    metrics_collections: Names = None,
    updates_collections: Names = None,
    name: str | None = None,
) -> ValueAndUpdate:
    """Computes recall, the fraction of positive examples that are found, at each threshold.

    Args:
        predictions: Scores of any shape, from 0 to 1 if all thresholds are. One above a threshold
            is positive, one equal to it is not.
        labels: Booleans or 0 and 1, of that shape.
        thresholds: T numbers, in any order.
        weights: Non-negative, a scalar or of the rank of `labels` with each dimension 1 or equal.
        metrics_collections: Collections that the value is added to.
        updates_collections: Collections that the update is added to.
        name: Scope of the state, "recall_at_thresholds" by default.

    Returns:
        The value and the update, float32 [T]; 0 where no example is positive.

    Raises:
        InputError: When the value is read, and a prediction with a weight was NaN or out of range.
        ShapeError: The shapes do not fit.
    """

    def rate(counts: Counts) -> tf.Tensor:
        return ratio(counts.true_positives, counts.true_positives + counts.false_negatives)

    function, default = "streaming_recall_at_thresholds", "recall_at_thresholds"
    with metric(function, name, default, metrics_collections, updates_collections) as m:
        return _at_each(m, predictions, labels, thresholds, weights, rate)


def streaming_false_positive_rate_at_thresholds(
    predictions: Any,
    labels: Any,
    thresholds: Sequence[float],
    weights: Any = None,
    metrics_collections: Names = None,
    updates_collections: Names = None,
    name: str | None = None,
) -> ValueAndUpdate:
    """Computes the fraction of negative examples that are predicted positive, at each threshold.

    Args:
        predictions: Scores of any shape, from 0 to 1 if all thresholds are. One above a threshold
            is positive, one equal to it is not.
        labels: Booleans or 0 and 1, of that shape.
        thresholds: T numbers, in any order.
        weights: Non-negative, a scalar or of the rank of `labels` with each dimension 1 or equal.
        metrics_collections: Collections that the value is added to.
        updates_collections: Collections that the update is added to.
        name: Scope of the state, "false_positive_rate_at_thresholds" by default.

    Returns:
        The value and the update, float32 [T]; 0 where no example is negative.

    Raises:
        InputError: When the value is read, and a prediction with a weight was NaN or out of range.
        ShapeError: The shapes do not fit.
    """

    def rate(counts: Counts) -> tf.Tensor:
        return ratio(counts.false_positives, counts.false_positives + counts.true_negatives)

    function, default = (
        "streaming_false_positive_rate_at_thresholds",
        "false_positive_rate_at_thresholds",
    )
    with metric(function, name, default, metrics_collections, updates_collections) as m:
        return _at_each(m, predictions, labels, thresholds, weights, rate)


def streaming_false_negative_rate_at_thresholds(
    predictions: Any,
    labels: Any,
    thresholds: Sequence[float],
    weights: Any = None,
    metrics_collections: Names = None,
    updates_collections: Names = None,
    name: str | None = None,
) -> ValueAndUpdate:
    """Computes the fraction of positive examples that are missed, at each threshold.

    Args:
        predictions: Scores of any shape, from 0 to 1 if all thresholds are. One above a threshold
            is positive, one equal to it is not.
        labels: Booleans or 0 and 1, of that shape.
        thresholds: T numbers, in any order.
        weights: Non-negative, a scalar or of the rank of `labels` with each dimension 1 or equal.
        metrics_collections: Collections that the value is added to.
        updates_collections: Collections that the update is added to.
        name: Scope of the state, "false_negative_rate_at_thresholds" by default.

    Returns:
        The value and the update, float32 [T]; 0 where no example is positive.

    Raises:
        InputError: When the value is read, and a prediction with a weight was NaN or out of range.
        ShapeError: The shapes do not fit.
    """

    def rate(counts: Counts) -> tf.Tensor:
        return ratio(counts.false_negatives, counts.false_negatives + counts.true_positives)

    function, default = (
        "streaming_false_negative_rate_at_thresholds",
        "false_negative_rate_at_thresholds",
    )
    with metric(function, name, default, metrics_collections, updates_collections) as m:
        return _at_each(m, predictions, labels, thresholds, weights, rate)


def _at_each(
    m: Metric,
    predictions: Any,
    labels: Any,
    thresholds: Sequence[float],
    weights: Any,
    value_of: Callable[[Counts], tf.Tensor],
    dtype: tf.DType = tf.float32,
) -> ValueAndUpdate:
    at = given_thresholds(m, thresholds)
    return add_up_buckets(m, predictions, labels, at, weights, value_of, dtype)
