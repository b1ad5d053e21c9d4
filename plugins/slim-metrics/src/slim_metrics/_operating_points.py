"""One rate at the threshold where another has a wanted value, and the best F1 score."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from slim_metrics._state import Metric, Names, ValueAndUpdate, metric, ratio
from slim_metrics._threshold_buckets import Counts, add_up_buckets, even_thresholds
from slimcore.errors import InputError


def streaming_sensitivity_at_specificity(
    predictions: Any,
    labels: Any,
    specificity: float,
    weights: Any = None,
    num_thresholds: int = 200,
    metrics_collections: Names = None,
    updates_collections: Names = None,
    name: str | None = None,
) -> ValueAndUpdate:
    """Computes the sensitivity (recall) at the threshold whose specificity is nearest to a target.

    Args:
        predictions: Scores from 0 to 1, of any shape.
        labels: Booleans or 0 and 1, of that shape.
        specificity: The target fraction of negatives that are predicted negative, 0 to 1.
        weights: Non-negative, a scalar or of the rank of `labels` with each dimension 1 or equal.
        num_thresholds: How many evenly spaced thresholds are tried.
        metrics_collections: Collections that the value is added to.
        updates_collections: Collections that the update is added to.
        name: Scope of the state, "sensitivity_at_specificity" by default.

    Returns:
        The value and the update, float32 scalars; 0 while no example is positive. Of several
        thresholds that are equally near, the lowest counts.

    Raises:
        InputError: `specificity` is not from 0 to 1, or there are fewer than 2 thresholds; or, when
            the value is read, a prediction with a weight was not from 0 to 1.
        ShapeError: The shapes do not fit.
    """

    def sensitivity(counts: Counts) -> tf.Tensor:
        return _recall_or_zero(counts)[tf.argmin(_distance(counts.specificity, specificity))]

    function, default = "streaming_sensitivity_at_specificity", "sensitivity_at_specificity"
    with metric(function, name, default, metrics_collections, updates_collections) as m:
        _check_fraction(m, "specificity", specificity)
        return _at_best(m, predictions, labels, weights, num_thresholds, sensitivity)


def streaming_specificity_at_sensitivity(
    predictions: Any,
    labels: Any,
    sensitivity: float,
    weights: Any = None,
    num_thresholds: int = 200,
    metrics_collections: Names = None,
    updates_collections: Names = None,
    name: str | None = None,
) -> ValueAndUpdate:
    """Computes the specificity at the threshold whose sensitivity (recall) is nearest to a target.

    Args:
        predictions: Scores from 0 to 1, of any shape.
        labels: Booleans or 0 and 1, of that shape.
        sensitivity: The target fraction of positives that are predicted positive, 0 to 1.
        weights: Non-negative, a scalar or of the rank of `labels` with each dimension 1 or equal.
        num_thresholds: How many evenly spaced thresholds are tried.
        metrics_collections: Collections that the value is added to.
        updates_collections: Collections that the update is added to.
        name: Scope of the state, "specificity_at_sensitivity" by default.

    Returns:
        The value and the update, float32 scalars; 0 while no example is negative. Of several
        thresholds that are equally near, the highest counts.

    Raises:
        InputError: `sensitivity` is not from 0 to 1, or there are fewer than 2 thresholds; or, when
            the value is read, a prediction with a weight was not from 0 to 1.
        ShapeError: The shapes do not fit.
    """

    def specificity(counts: Counts) -> tf.Tensor:
        distance = _distance(_recall_or_zero(counts), sensitivity)
        return counts.specificity[num_thresholds - 1 - tf.argmin(distance[::-1])]

    function, default = "streaming_specificity_at_sensitivity", "specificity_at_sensitivity"
    with metric(function, name, default, metrics_collections, updates_collections) as m:
        _check_fraction(m, "sensitivity", sensitivity)
        return _at_best(m, predictions, labels, weights, num_thresholds, specificity)


def precision_at_recall(
    labels: Any,
    predictions: Any,
    target_recall: float,
    weights: Any = None,
    num_thresholds: int = 200,
    metrics_collections: Names = None,
    updates_collections: Names = None,
    name: str | None = None,
) -> ValueAndUpdate:
    """Computes the precision at the highest threshold whose recall reaches a wanted one.

    Args:
        labels: Booleans or 0 and 1, of any shape.
        predictions: Scores from 0 to 1, of that shape.
        target_recall: The target recall, 0 to 1.
        weights: Non-negative, a scalar or of the rank of `labels` with each dimension 1 or equal.
        num_thresholds: How many evenly spaced thresholds are tried.
        metrics_collections: Collections that the value is added to.
        updates_collections: Collections that the update is added to.
        name: Scope of the state, "precision_at_recall" by default.

    Returns:
        The value and the update, float32 scalars; 1 where nothing is predicted positive there.

    Raises:
        InputError: `target_recall` is not from 0 to 1, or there are fewer than 2 thresholds; or,
            when the value is read, a prediction with a weight was not from 0 to 1.
        ShapeError: The shapes do not fit.
    """

    def precision(counts: Counts) -> tf.Tensor:
        # The first threshold is below every prediction, so that its recall is 1.
        reached = tf.math.count_nonzero(counts.recall >= target_recall)
        return counts.precision[tf.maximum(reached, 1) - 1]

    function, default = "precision_at_recall", "precision_at_recall"
    with metric(function, name, default, metrics_collections, updates_collections) as m:
        _check_fraction(m, "target_recall", target_recall)
        return _at_best(m, predictions, labels, weights, num_thresholds, precision)


def recall_at_precision(
    labels: Any,
    predictions: Any,
    precision: float,
    weights: Any = None,
    num_thresholds: int = 200,
    metrics_collections: Names = None,
    updates_collections: Names = None,
    name: str | None = None,
    strict_mode: bool = False,
) -> ValueAndUpdate:
    """Computes the recall at a threshold chosen for its precision.

    Args:
        labels: Booleans or 0 and 1, of any shape.
        predictions: Scores from 0 to 1, of that shape.
        precision: The target precision, 0 to 1; that of no positive prediction is 0 here.
        weights: Non-negative, a scalar or of the rank of `labels` with each dimension 1 or equal.
        num_thresholds: How many evenly spaced thresholds are tried.
        metrics_collections: Collections that the value is added to.
        updates_collections: Collections that the update is added to.
        name: Scope of the state, "recall_at_precision" by default.
        strict_mode: Whether the precision must be reached, in which case the largest recall
            counts, or 0 if none does. Otherwise the threshold with the nearest precision counts,
            and of several the lowest.

    Returns:
        The value and the update, float32 scalars; 0 while no example is positive.

    Raises:
        InputError: `precision` is not from 0 to 1, or there are fewer than 2 thresholds; or, when
            the value is read, a prediction with a weight was not from 0 to 1.
        ShapeError: The shapes do not fit.
    """

    def recall(counts: Counts) -> tf.Tensor:
        true_positives, recalls = counts.true_positives, _recall_or_zero(counts)
        precisions = ratio(true_positives, true_positives + counts.false_positives)
        if strict_mode:
            return tf.reduce_max(tf.where(precisions >= precision, recalls, 0.0))
        return recalls[tf.argmin(_distance(precisions, precision))]

    function, default = "recall_at_precision", "recall_at_precision"
    with metric(function, name, default, metrics_collections, updates_collections) as m:
        _check_fraction(m, "precision", precision)
        return _at_best(m, predictions, labels, weights, num_thresholds, recall)


def f1_score(
    labels: Any,
    predictions: Any,
    weights: Any = None,
    num_thresholds: int = 200,
    metrics_collections: Names = None,
    updates_collections: Names = None,
    name: str | None = None,
) -> ValueAndUpdate:
    """Computes the largest F1 score over all thresholds: of yes-or-no scores, at their best.

    For class indices, see `streaming_f1_score`.

    Args:
        labels: Booleans or 0 and 1, of any shape.
        predictions: Scores from 0 to 1, of that shape.
        weights: Non-negative, a scalar or of the rank of `labels` with each dimension 1 or equal.
        num_thresholds: How many evenly spaced thresholds are tried.
        metrics_collections: Collections that the value is added to.
        updates_collections: Collections that the update is added to.
        name: Scope of the state, "f1" by default.

    Returns:
        The value and the update, float32 scalars; 0 while no example is positive.

    Raises:
        InputError: There are fewer than 2 thresholds; or, when the
            value is read, a prediction with a weight was not from 0 to 1.
        ShapeError: The shapes do not fit.
    """

    def best_f1(counts: Counts) -> tf.Tensor:
        double = 2 * counts.true_positives
        errors = counts.false_positives + counts.false_negatives
        return tf.reduce_max(ratio(double, double + errors))

    with metric("f1_score", name, "f1", metrics_collections, updates_collections) as m:
        return _at_best(m, predictions, labels, weights, num_thresholds, best_f1)


def _at_best(
    m: Metric,
    predictions: Any,
    labels: Any,
    weights: Any,
    num_thresholds: int,
    value_of: Callable[[Counts], tf.Tensor],
) -> ValueAndUpdate:
    at = even_thresholds(m, num_thresholds)
    return add_up_buckets(m, predictions, labels, at, weights, value_of)


def _distance(rates: tf.Tensor, wanted: float) -> tf.Tensor:
    """Returns how far each rate is from the wanted one, rounded so that ties stay ties."""
    return tf.cast(tf.abs(rates - wanted), tf.float32)


def _recall_or_zero(counts: Counts) -> tf.Tensor:
    return ratio(counts.true_positives, counts.true_positives + counts.false_negatives)


def _check_fraction(m: Metric, what: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise InputError(f"{m} got {what}={value!r}; pass a number from 0 to 1")
