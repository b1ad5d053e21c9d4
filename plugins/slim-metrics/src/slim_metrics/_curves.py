"""Curves over many thresholds, ROC and precision-recall: their points, and the area below."""

from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from slim_metrics._state import Metric, Names, Refused, Sums, ValueAndUpdate, metric, ratio
from slim_metrics._threshold_buckets import Counts, Thresholds, add_up_buckets, even_thresholds
from slim_metrics._weighting import bincount, is_positive, matched
from slimcore.collections import in_graph
from slimcore.errors import InputError


class PrecisionRecallData(NamedTuple):
    """Counts and rates at each threshold, all [num_thresholds]."""

    tp: tf.Tensor
    fp: tf.Tensor
    tn: tf.Tensor
    fn: tf.Tensor
    precision: tf.Tensor
    recall: tf.Tensor
    thresholds: tf.Tensor


def streaming_auc(
    predictions: Any,
    labels: Any,
    weights: Any = None,
    num_thresholds: int = 200,
    metrics_collections: Names = None,
    updates_collections: Names = None,
    curve: str = "ROC",
    name: str | None = None,
) -> ValueAndUpdate:
    """Approximates the area under a curve of all predictions so far, by trapezoids.

    Args:
        predictions: Scores from 0 to 1, of any shape.
        labels: Booleans or 0 and 1, of that shape.
        weights: Non-negative, a scalar or of the rank of `labels` with each dimension 1 or equal.
        num_thresholds: How many evenly spaced thresholds the curve has.
        metrics_collections: Collections that the value is added to.
        updates_collections: Collections that the update is added to.
        curve: "ROC", recall over false positive rate, or "PR", precision over recall.
        name: Scope of the state, "auc" by default.

    Returns:
        The value and the update, float32 scalars; 0 while the weights sum to 0.

    Raises:
        InputError: `curve` is neither "ROC" nor "PR", or there are fewer than 2 thresholds; or,
            when the value is read, a prediction with a weight was not from 0 to 1.
        ShapeError: The shapes do not fit.
    """
    with metric("streaming_auc", name, "auc", metrics_collections, updates_collections) as m:
        check_curve(m, curve)
        at = even_thresholds(m, num_thresholds)

        def area(counts: Counts) -> tf.Tensor:
            x, y = _curve(counts, curve)
            return trapezoids(x, y)

        return add_up_buckets(m, predictions, labels, at, weights, area)


def streaming_curve_points(
    labels: Any = None,
    predictions: Any = None,
    weights: Any = None,
    num_thresholds: int = 200,
    metrics_collections: Names = None,
    updates_collections: Names = None,
    curve: str = "ROC",
    name: str | None = None,
) -> ValueAndUpdate:
    """Computes the points of a curve of all predictions so far.

    Args:
        labels: Booleans or 0 and 1, of any shape.
        predictions: Scores from 0 to 1, of that shape.
        weights: Non-negative, a scalar or of the rank of `labels` with each dimension 1 or equal.
        num_thresholds: How many evenly spaced thresholds the curve has.
        metrics_collections: Collections that the value is added to.
        updates_collections: Collections that the update is added to.
        curve: "ROC" or "PR".
        name: Scope of the state, "curve_points" by default.

    Returns:
        The value and the update, float32 [num_thresholds, 2], from the lowest threshold to the
        highest: false positive rate and recall for "ROC", recall and precision for "PR".

    Raises:
        InputError: `curve` is neither "ROC" nor "PR", or there are fewer than 2 thresholds; or,
            when the value is read, a prediction with a weight was not from 0 to 1.
        ShapeError: The shapes do not fit.
    """
    function = "streaming_curve_points"
    with metric(function, name, "curve_points", metrics_collections, updates_collections) as m:
        check_curve(m, curve)
        at = even_thresholds(m, num_thresholds)
        return add_up_buckets(
            m, predictions, labels, at, weights, lambda c: tf.stack(_curve(c, curve), 1)
        )


def precision_recall_at_equal_thresholds(
    labels: Any,
    predictions: Any,
    weights: Any = None,
    num_thresholds: int | None = None,
    use_locking: bool | None = None,
    name: str | None = None,
) -> tuple[PrecisionRecallData, PrecisionRecallData]:
    """Computes counts, precision and recall of all predictions so far at even thresholds.

    Unlike in the other metrics, a prediction equal to a threshold is positive.

    Args:
        labels: Booleans, of any shape.
        predictions: Scores from 0 to 1, float32 or float64, of that shape.
        weights: Non-negative, a scalar or of the rank of `labels` with each dimension 1 or equal.
        num_thresholds: How many thresholds there are from 0 to 1; 201 by default.
        use_locking: Accepted for older code; updates are always atomic.
        name: Scope of the state, "precision_recall_at_equal_thresholds" by default.

    Returns:
        The value and the update, each a `PrecisionRecallData` in the type of the predictions, with
        counts in float64 outside of a graph; precision and recall are 0 where they are not defined.

    Raises:
        InputError: There are fewer than 2 thresholds; or, when the
            value is read, a prediction with a weight was not from 0 to 1.
        ShapeError: The shapes do not fit.
    """
    del use_locking
    function = "precision_recall_at_equal_thresholds"
    with metric(function, name, function) as m:
        count = 201 if num_thresholds is None else num_thresholds
        if count < 2:
            raise InputError(f"{m} got num_thresholds={count}; pass 2 or more")
        at = Thresholds(np.linspace(0, 1, count, dtype=np.float32), reached=True)
        dtype = tf.convert_to_tensor(predictions).dtype
        dtype = dtype if dtype.is_floating else tf.float32

        def data(counts: Counts) -> PrecisionRecallData:
            tp, fp = counts.true_positives, counts.false_positives
            tn, fn = counts.true_negatives, counts.false_negatives
            numbers = [tf.cast(n, dtype if in_graph() else tf.float64) for n in (tp, fp, tn, fn)]
            rates = [tf.cast(ratio(tp, total), dtype) for total in (tp + fp, tp + fn)]
            return PrecisionRecallData._make([*numbers, *rates, tf.constant(at.given, dtype)])

        return add_up_buckets(m, predictions, labels, at, weights, data, dtype=None)


def auc_using_histogram(
    boolean_labels: Any,
    scores: Any,
    score_range: Any,
    nbins: int = 100,
    collections: Names = None,
    check_shape: bool = True,
    name: str | None = None,
) -> ValueAndUpdate:
    """Approximates the area under the ROC curve from histograms of the scores of both classes.

    Args:
        boolean_labels: Booleans, of any shape.
        scores: Numbers, of that shape.
        score_range: The lowest and the highest score; scores beyond go into the outer bins.
        nbins: How many bins of equal width the range has.
        collections: Collections for the state, besides that of local variables.
        check_shape: Whether both shapes must be the same; only the number of elements otherwise.
        name: Scope of the state, "auc_using_histogram" by default.

    Returns:
        The value and the update, float32 scalars; NaN while one class is absent.

    Raises:
        InputError: When the value is read, and a score was NaN.
        ShapeError: The shapes do not fit.
    """

    def area(sums: Sums) -> tf.Tensor:
        positive, negative = sums["hist_true_acc"], sums["hist_false_acc"]
        # Of each pair in one bin, half is taken to be in the right order.
        lower = tf.cumsum(negative, exclusive=True) + negative / 2
        pairs = tf.reduce_sum(positive) * tf.reduce_sum(negative)
        return tf.reduce_sum(positive * lower) / pairs

    with metric("auc_using_histogram", name, "auc_using_histogram") as m:
        if not check_shape:
            scores, boolean_labels = tf.reshape(scores, [-1]), tf.reshape(boolean_labels, [-1])
        scores, labels, _ = matched(m, scores, boolean_labels)
        scores = tf.cast(scores, tf.float32)
        bins = tf.histogram_fixed_width_bins(scores, tf.cast(score_range, tf.float32), nbins)
        positive = tf.cast(is_positive(m, labels), tf.int32)
        bins = tf.where(tf.math.is_nan(scores), 2 * nbins, bins + nbins * positive)
        counts = bincount(bins, None, 2 * nbins + 1)
        sums = {
            "hist_true_acc": counts[nbins:-1],
            "hist_false_acc": counts[:nbins],
            "not_a_number": counts[-1],
        }
        refused = Refused("not_a_number", tf.identity, "some scores are NaN. Leave them out.")
        return m.add_up(sums, area, collections=collections, refused=refused)


def check_curve(m: Metric, curve: str) -> None:
    """Raises an InputError for a curve other than "ROC" and "PR"."""
    if curve not in ("ROC", "PR"):
        raise InputError(f"{m} got curve={curve!r}; pass 'ROC' or 'PR'")


def trapezoids(x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    """Returns the area below the points, which run from right to left."""
    return tf.reduce_sum((x[:-1] - x[1:]) * (y[:-1] + y[1:]) / 2)


def _curve(counts: Counts, curve: str) -> tuple[tf.Tensor, tf.Tensor]:
    if curve == "ROC":
        return counts.false_positive_rate, counts.recall
    return counts.recall, counts.precision
