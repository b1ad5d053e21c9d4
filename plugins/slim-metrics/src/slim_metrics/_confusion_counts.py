"""Counts of right and wrong answers to a yes-or-no question, and the rates made of them."""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from slim_metrics._state import Metric, Names, ValueAndUpdate, metric, ratio
from slim_metrics._weighting import matched, weighted_sum_and_count

TP, FP, TN, FN = "true_positives", "false_positives", "true_negatives", "false_negatives"
_ANSWER = {TP: (True, True), FP: (True, False), TN: (False, False), FN: (False, True)}


def streaming_true_positives(
    predictions: Any,
    labels: Any,
    weights: Any = None,
    metrics_collections: Names = None,
    updates_collections: Names = None,
    name: str | None = None,
) -> ValueAndUpdate:
    """Counts examples that are predicted positive and are so.

    Args:
        predictions: Booleans, or numbers of which 0 means no, of any shape.
        labels: The right answers, of that shape.
        weights: Non-negative, a scalar or of the rank of `labels` with each dimension 1 or equal.
        metrics_collections: Collections that the value is added to.
        updates_collections: Collections that the update is added to.
        name: Scope of the state, "true_positives" by default.

    Returns:
        The value and the update, scalars: float64, or float32 in a graph.

    Raises:
        ShapeError: The shapes do not fit.
    """
    function, default = "streaming_true_positives", "true_positives"
    with metric(function, name, default, metrics_collections, updates_collections) as m:
        return _count(m, TP, predictions, labels, weights)


def streaming_false_positives(
    predictions: Any,
    labels: Any,
    weights: Any = None,
    metrics_collections: Names = None,
    updates_collections: Names = None,
    name: str | None = None,
) -> ValueAndUpdate:
    """Counts examples that are predicted positive and are negative.

    Args:
        predictions: Booleans, or numbers of which 0 means no, of any shape.
        labels: The right answers, of that shape.
        weights: Non-negative, a scalar or of the rank of `labels` with each dimension 1 or equal.
        metrics_collections: Collections that the value is added to.
        updates_collections: Collections that the update is added to.
        name: Scope of the state, "false_positives" by default.

    Returns:
        The value and the update, scalars: float64, or float32 in a graph.

    Raises:
        ShapeError: The shapes do not fit.
    """
    function, default = "streaming_false_positives", "false_positives"
    with metric(function, name, default, metrics_collections, updates_collections) as m:
        return _count(m, FP, predictions, labels, weights)


def streaming_true_negatives(
    predictions: Any,
    labels: Any,
    weights: Any = None,
    metrics_collections: Names = None,
    updates_collections: Names = None,
    name: str | None = None,
) -> ValueAndUpdate:
    """Counts examples that are predicted negative and are so.

    Args:
        predictions: Booleans, or numbers of which 0 means no, of any shape.
        labels: The right answers, of that shape.
        weights: Non-negative, a scalar or of the rank of `labels` with each dimension 1 or equal.
        metrics_collections: Collections that the value is added to.
        updates_collections: Collections that the update is added to.
        name: Scope of the state, "true_negatives" by default.

    Returns:
        The value and the update, scalars: float64, or float32 in a graph.

    Raises:
        ShapeError: The shapes do not fit.
    """
    function, default = "streaming_true_negatives", "true_negatives"
    with metric(function, name, default, metrics_collections, updates_collections) as m:
        return _count(m, TN, predictions, labels, weights)


def streaming_false_negatives(
    predictions: Any,
    labels: Any,
    weights: Any = None,
    metrics_collections: Names = None,
    updates_collections: Names = None,
    name: str | None = None,
) -> ValueAndUpdate:
    """Counts examples that are predicted negative and are positive.

    Args:
        predictions: Booleans, or numbers of which 0 means no, of any shape.
        labels: The right answers, of that shape.
        weights: Non-negative, a scalar or of the rank of `labels` with each dimension 1 or equal.
        metrics_collections: Collections that the value is added to.
        updates_collections: Collections that the update is added to.
        name: Scope of the state, "false_negatives" by default.

    Returns:
        The value and the update, scalars: float64, or float32 in a graph.

    Raises:
        ShapeError: The shapes do not fit.
    """
    function, default = "streaming_false_negatives", "false_negatives"
    with metric(function, name, default, metrics_collections, updates_collections) as m:
        return _count(m, FN, predictions, labels, weights)


def streaming_precision(
    predictions: Any,
    labels: Any,
    weights: Any = None,
    metrics_collections: Names = None,
    updates_collections: Names = None,
    name: str | None = None,
) -> ValueAndUpdate:
    """Computes the fraction of positive predictions that are right.

    Args:
        predictions: Booleans, or numbers of which 0 means no, of any shape.
        labels: The right answers, of that shape.
        weights: Non-negative, a scalar or of the rank of `labels` with each dimension 1 or equal.
        metrics_collections: Collections that the value is added to.
        updates_collections: Collections that the update is added to.
        name: Scope of the state, "precision" by default.

    Returns:
        The value and the update, float32 scalars; 0 while nothing was predicted positive.

    Raises:
        ShapeError: The shapes do not fit.
    """
    function, default = "streaming_precision", "precision"
    with metric(function, name, default, metrics_collections, updates_collections) as m:
        return _rate(m, (TP, FP), predictions, labels, weights)


def streaming_recall(
    predictions: Any,
    labels: Any,
    weights: Any = None,
    metrics_collections: Names = None,
    updates_collections: Names = None,
    name: str | None = None,
) -> ValueAndUpdate:
    """Computes the fraction of positive examples that are found.

    Args:
        predictions: Booleans, or numbers of which 0 means no, of any shape.
        labels: The right answers, of that shape.
        weights: Non-negative, a scalar or of the rank of `labels` with each dimension 1 or equal.
        metrics_collections: Collections that the value is added to.
        updates_collections: Collections that the update is added to.
        name: Scope of the state, "recall" by default.

    Returns:
        The value and the update, float32 scalars; 0 while no example was positive.

    Raises:
        ShapeError: The shapes do not fit.
    """
    function, default = "streaming_recall", "recall"
    with metric(function, name, default, metrics_collections, updates_collections) as m:
        return _rate(m, (TP, FN), predictions, labels, weights)


def streaming_false_positive_rate(
    predictions: Any,
    labels: Any,
    weights: Any = None,
    metrics_collections: Names = None,
    updates_collections: Names = None,
    name: str | None = None,
) -> ValueAndUpdate:
    """Computes the fraction of negative examples that are predicted positive.

    Args:
        predictions: Booleans, or numbers of which 0 means no, of any shape.
        labels: The right answers, of that shape.
        weights: Non-negative, a scalar or of the rank of `labels` with each dimension 1 or equal.
        metrics_collections: Collections that the value is added to.
        updates_collections: Collections that the update is added to.
        name: Scope of the state, "false_positive_rate" by default.

    Returns:
        The value and the update, float32 scalars; 0 while no example was negative.

    Raises:
        ShapeError: The shapes do not fit.
    """
    function, default = "streaming_false_positive_rate", "false_positive_rate"
    with metric(function, name, default, metrics_collections, updates_collections) as m:
        return _rate(m, (FP, TN), predictions, labels, weights)


def streaming_false_negative_rate(
    predictions: Any,
    labels: Any,
    weights: Any = None,
    metrics_collections: Names = None,
    updates_collections: Names = None,
    name: str | None = None,
) -> ValueAndUpdate:
    """Computes the fraction of positive examples that are missed.

    Args:
        predictions: Booleans, or numbers of which 0 means no, of any shape.
        labels: The right answers, of that shape.
        weights: Non-negative, a scalar or of the rank of `labels` with each dimension 1 or equal.
        metrics_collections: Collections that the value is added to.
        updates_collections: Collections that the update is added to.
        name: Scope of the state, "false_negative_rate" by default.

    Returns:
        The value and the update, float32 scalars; 0 while no example was positive.

    Raises:
        ShapeError: The shapes do not fit.
    """
    function, default = "streaming_false_negative_rate", "false_negative_rate"
    with metric(function, name, default, metrics_collections, updates_collections) as m:
        return _rate(m, (FN, TP), predictions, labels, weights)


def _count(m: Metric, what: str, predictions: Any, labels: Any, weights: Any) -> ValueAndUpdate:
    (number,) = _counted(m, [what], predictions, labels, weights)
    return m.add_up({"count": number}, lambda sums: sums["count"], dtype=m.count_dtype)


def _rate(
    m: Metric, part_and_rest: tuple[str, str], predictions: Any, labels: Any, weights: Any
) -> ValueAndUpdate:
    part, rest = part_and_rest
    counts = _counted(m, part_and_rest, predictions, labels, weights)
    return m.add_up(
        dict(zip(part_and_rest, counts, strict=True)),
        lambda sums: ratio(sums[part], sums[part] + sums[rest]),
    )


def _counted(
    m: Metric, what: Sequence[str], predictions: Any, labels: Any, weights: Any
) -> list[tf.Tensor]:
    predictions, labels, weights = matched(m, predictions, labels, weights)
    predictions, labels = tf.cast(predictions, tf.bool), tf.cast(labels, tf.bool)
    counts = []
    for predicted, label in (_ANSWER[name] for name in what):
        hits = (predictions if predicted else ~predictions) & (labels if label else ~labels)
        counts.append(weighted_sum_and_count(m, [hits], weights)[0])
    return counts
