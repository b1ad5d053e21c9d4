"""Covariance and Pearson correlation of predictions and labels."""

from typing import Any

import tensorflow as tf

from slim_metrics._state import Metric, Names, Sums, ValueAndUpdate, metric
from slim_metrics._weighting import broadcast, matched


def streaming_covariance(
    predictions: Any,
    labels: Any,
    weights: Any = None,
    metrics_collections: Names = None,
    updates_collections: Names = None,
    name: str | None = None,
) -> ValueAndUpdate:
    """Computes the unbiased covariance of all predictions and labels so far.

    The state is sums of x, y and xy in float64: they add up over replicas, as running means do
    not, and lose no more digits than float32 inputs have while |mean| is under 1e4 deviations.

    Args:
        predictions: Numbers, of any shape.
        labels: Numbers of that shape.
        weights: How often each pair counts, a scalar or of the rank of `labels` with each
            dimension 1 or equal.
        metrics_collections: Collections that the value is added to.
        updates_collections: Collections that the update is added to.
        name: Scope of the state, "covariance" by default.

    Returns:
        The value and the update, float32 scalars; NaN while the weights sum to 1 or less.

    Raises:
        ShapeError: The shapes do not fit.
    """
    function = "streaming_covariance"
    with metric(function, name, "covariance", metrics_collections, updates_collections) as m:
        moments = _moments(m, predictions, labels, weights, ["x", "y", "xy"])
        return m.add_up(moments, lambda sums: _covariance(sums, "x", "y"))


def streaming_pearson_correlation(
    predictions: Any,
    labels: Any,
    weights: Any = None,
    metrics_collections: Names = None,
    updates_collections: Names = None,
    name: str | None = None,
) -> ValueAndUpdate:
    """Computes the Pearson correlation of all predictions and labels so far.

    Args:
        predictions: Numbers, of any shape.
        labels: Numbers of that shape.
        weights: How often each pair counts, a scalar or of the rank of `labels` with each
            dimension 1 or equal.
        metrics_collections: Collections that the value is added to.
        updates_collections: Collections that the update is added to.
        name: Scope of the state, "pearson_r" by default.

    Returns:
        The value and the update, float32 scalars from -1 to 1; NaN while the weights sum to 1 or
        less, or where all predictions or all labels are equal.

    Raises:
        ShapeError: The shapes do not fit.
    """
    function = "streaming_pearson_correlation"

    def correlation(sums: Sums) -> tf.Tensor:
        deviations = tf.sqrt(_covariance(sums, "x", "x") * _covariance(sums, "y", "y"))
        return _covariance(sums, "x", "y") / deviations

    with metric(function, name, "pearson_r", metrics_collections, updates_collections) as m:
        moments = _moments(m, predictions, labels, weights, ["x", "y", "xy", "xx", "yy"])
        return m.add_up(moments, correlation)


def _moments(
    m: Metric, predictions: Any, labels: Any, weights: Any, products: list[str]
) -> dict[str, tf.Tensor]:
    """Returns the weighted sums of products such as "x", "xy", and of the weights."""
    predictions, labels, weights = matched(m, predictions, labels, weights)
    factor = {"x": tf.cast(predictions, tf.float64), "y": tf.cast(labels, tf.float64)}
    if weights is None:
        ones, number = tf.ones([], tf.float64), tf.size(labels, tf.int64)
    else:
        ones = tf.cast(broadcast(m, weights, labels), tf.float64)
        number = tf.reduce_sum(ones)
    sums = {"count": number}
    for product in products:
        terms = ones
        for letter in product:
            terms *= factor[letter]
        sums[product] = tf.reduce_sum(terms)
    return sums


def _covariance(sums: Sums, a: str, b: str) -> tf.Tensor:
    count = sums["count"]
    comoment = sums[a + b] - sums[a] * sums[b] / count
    return tf.where(count > 1, comoment / (count - 1), tf.constant(float("nan"), tf.float64))
