"""The exact area under a curve, from all predictions, and its confidence interval."""

from typing import Any, NamedTuple

import tensorflow as tf

from slim_metrics._buffers import keep_rows
from slim_metrics._curves import check_curve, trapezoids
from slim_metrics._state import Metric, Names, ValueAndUpdate, metric
from slim_metrics._weighting import broadcast, is_positive, matched
from slimcore.debugging import checked
from slimcore.errors import InputError


class AucData(NamedTuple):
    """An area under the curve, and the ends of its confidence interval."""

    auc: tf.Tensor
    lower: tf.Tensor
    upper: tf.Tensor


def streaming_dynamic_auc(
    labels: Any,
    predictions: Any,
    curve: str = "ROC",
    metrics_collections: Names = (),
    updates_collections: Names = (),
    name: str | None = None,
    weights: Any = None,
) -> ValueAndUpdate:
    """Computes the area under a curve with one point for each prediction so far, by trapezoids.

    All predictions are kept, 24 bytes each, and sorted for the value.

    Args:
        labels: Booleans or 0 and 1, of any shape.
        predictions: Scores, of that shape.
        curve: "ROC", recall over false positive rate, or "PR", precision over recall.
        metrics_collections: Collections that the value is added to.
        updates_collections: Collections that the update is added to.
        name: Scope of the state, "dynamic_auc" by default.
        weights: Non-negative, a scalar or of the rank of `labels` with each dimension 1 or equal.

    Returns:
        The value, a float64 scalar; 0 while one class is absent. In a graph the update is the
        number of predictions so far; else it is the value.

    Raises:
        InputError: `curve` is neither "ROC" nor "PR"; or, when the value is read, a prediction with
            a weight was NaN.
        ShapeError: The shapes do not fit.
    """

    def area(rows: tf.Tensor) -> tf.Tensor:
        rows = _without_nan(m, rows)
        rows = tf.gather(rows, tf.argsort(rows[:, 0]))
        scores, positive, negative = rows[:, 0], rows[:, 1], rows[:, 2]
        # A threshold below all of a group of equal scores, for each group, and one above all.
        first = tf.concat([[True], scores[1:] > scores[:-1]], 0)[: tf.size(scores)]
        tp, fp = (_after(weights, first) for weights in (positive, negative))
        positives, negatives = tf.reduce_sum(positive), tf.reduce_sum(negative)
        recall = tf.math.divide_no_nan(tp, positives)
        if curve == "ROC":
            value = trapezoids(tf.math.divide_no_nan(fp, negatives), recall)
        else:
            value = trapezoids(recall, tf.where(tp + fp > 0, tp / (tp + fp), 1.0))
        return tf.where((positives > 0) & (negatives > 0), value, 0.0)

    function = "streaming_dynamic_auc"
    with metric(function, name, "dynamic_auc", metrics_collections, updates_collections) as m:
        check_curve(m, curve)
        return keep_rows(m, _rows(m, labels, predictions, weights), area)


def auc_with_confidence_intervals(
    labels: Any,
    predictions: Any,
    weights: Any = None,
    alpha: float = 0.95,
    logit_transformation: bool = True,
    metrics_collections: Names = (),
    updates_collections: Names = (),
    name: str | None = None,
) -> ValueAndUpdate:
    """Computes the exact area under the ROC curve so far, with a confidence interval.

    All predictions are kept, 24 bytes each, and sorted for the value. The variance is DeLong's;
    a weight says how often an example was seen.

    Args:
        labels: Booleans or 0 and 1, of any shape.
        predictions: Scores, of that shape.
        weights: Non-negative, a scalar or of the rank of `labels` with each dimension 1 or equal.
        alpha: How likely the interval contains the true area, between 0 and 1.
        logit_transformation: Whether the interval is symmetric in log(auc / (1 - auc)), so that it
            stays between 0 and 1, or else in auc.
        metrics_collections: Collections that the value is added to.
        updates_collections: Collections that the update is added to.
        name: Scope of the state, "auc_with_confidence_intervals" by default.

    Returns:
        The value, an `AucData` of float32 scalars; all 0 while one class is absent. In a graph the
        update is the number of predictions so far; else it is the value.

    Raises:
        InputError: `alpha` is not between 0 and 1; or, when the value is read, a prediction with a
            weight was NaN.
        ShapeError: The shapes do not fit.

    Paper: DeLong et al., "Comparing the Areas under Two or More Correlated Receiver Operating
        Characteristic Curves", 1988.
    """

    def data(rows: tf.Tensor) -> AucData:
        rows = _without_nan(m, rows)
        auc, variance = _auc_and_variance(rows)
        deviations = tf.math.ndtri(tf.constant((1 + alpha) / 2, tf.float64)) * tf.sqrt(variance)
        lower, upper = auc - deviations, auc + deviations
        if logit_transformation:
            inside = (auc > 0) & (auc < 1)
            safe = tf.where(inside, auc, 0.5)
            logit, slope = tf.math.log(safe / (1 - safe)), safe * (1 - safe)
            ends = (tf.sigmoid(logit + s * deviations / slope) for s in (-1.0, 1.0))
            lower, upper = (tf.where(inside, end, auc) for end in ends)
        seen = tf.reduce_all(tf.reduce_sum(rows[:, 1:], 0) > 0)
        return AucData(*(tf.where(seen, x, 0.0) for x in (auc, lower, upper)))

    function = "auc_with_confidence_intervals"
    with metric(function, name, function, metrics_collections, updates_collections) as m:
        if not 0 < alpha < 1:
            raise InputError(f"{m} got alpha={alpha!r}; pass a number between 0 and 1")
        return keep_rows(m, _rows(m, labels, predictions, weights), data, dtype=tf.float32)


def _rows(m: Metric, labels: Any, predictions: Any, weights: Any) -> tf.Tensor:
    """Returns score, weight if positive, and weight if negative of each example, [N, 3]."""
    predictions, labels, weights = matched(m, predictions, labels, weights)
    positive = tf.cast(is_positive(m, labels), tf.float64)
    weight = tf.ones_like(positive)
    if weights is not None:
        weight = tf.cast(broadcast(m, weights, positive), tf.float64)
    columns = (tf.cast(predictions, tf.float64), weight * positive, weight * (1 - positive))
    return tf.stack([tf.reshape(column, [-1]) for column in columns], 1)


def _without_nan(m: Metric, rows: tf.Tensor) -> tf.Tensor:
    """Returns the rows, and raises if the score of one with a weight is NaN."""
    is_nan = tf.math.is_nan(rows[:, 0])
    number = tf.reduce_sum(tf.boolean_mask(rows, is_nan)[:, 1:])
    data = [
        f"{m} has no value: some predictions are NaN. Give those that do not count a weight of 0. "
        "They number",
        number,
        "by weight.",
    ]
    rows = checked(rows, tf.equal(number, 0), data)
    return tf.boolean_mask(rows, ~is_nan)


def _after(weights: tf.Tensor, first: tf.Tensor) -> tf.Tensor:
    """Returns the sum of weights from each first element on, and 0 for the end."""
    sums = tf.cumsum(weights, reverse=True)
    return tf.concat([tf.boolean_mask(sums, first), [0.0]], 0)


def _auc_and_variance(rows: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the area, and DeLong's estimate of its variance, from [N, 3] rows."""
    scores, positive, negative = rows[:, 0], rows[:, 1], rows[:, 2]
    unique, group = tf.unique(scores)
    count = tf.size(unique)
    order = tf.argsort(unique)
    rank = tf.gather(tf.argsort(order), group)
    positives, negatives = tf.reduce_sum(positive), tf.reduce_sum(negative)

    def below(weights: tf.Tensor) -> tf.Tensor:
        """Returns the weight of lower scores, and half of that of equal ones, for each example."""
        by_rank = tf.math.unsorted_segment_sum(weights, rank, count)
        return tf.gather(tf.cumsum(by_rank, exclusive=True) + by_rank / 2, rank)

    over_negatives = tf.math.divide_no_nan(below(negative), negatives)
    under_positives = 1 - tf.math.divide_no_nan(below(positive), positives)
    auc = tf.math.divide_no_nan(tf.reduce_sum(positive * over_negatives), positives)

    def variance(weights: tf.Tensor, total: tf.Tensor, placement: tf.Tensor) -> tf.Tensor:
        squares = tf.reduce_sum(weights * tf.square(placement - auc))
        return tf.math.divide_no_nan(squares, tf.maximum(total - 1, 0.0) * total)

    return auc, variance(positive, positives, over_negatives) + variance(
        negative, negatives, under_positives
    )
