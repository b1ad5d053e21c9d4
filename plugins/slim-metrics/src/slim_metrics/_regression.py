"""Errors of predicted numbers: absolute, relative, squared, and by angle."""

from typing import Any

import tensorflow as tf

from slim_metrics._mean import mean_of
from slim_metrics._state import Names, ValueAndUpdate, metric
from slim_metrics._weighting import matched
from slimcore.errors import ShapeError


def streaming_mean_absolute_error(
    predictions: Any,
    labels: Any,
    weights: Any = None,
    metrics_collections: Names = None,
    updates_collections: Names = None,
    name: str | None = None,
) -> ValueAndUpdate:
    """Averages |prediction - label| over all batches.

    Args:
        predictions: Numbers, of any shape.
        labels: Numbers of that shape.
        weights: Non-negative, a scalar or of the rank of `labels` with each dimension 1 or equal.
        metrics_collections: Collections that the value is added to.
        updates_collections: Collections that the update is added to.
        name: Scope of the state, "mean_absolute_error" by default.

    Returns:
        The value and the update, float32 scalars; 0 while the weights sum to 0.

    Raises:
        ShapeError: The shapes do not fit.
    """
    function, default = "streaming_mean_absolute_error", "mean_absolute_error"
    with metric(function, name, default, metrics_collections, updates_collections) as m:
        predictions, labels, weights = matched(m, predictions, labels, weights)
        return mean_of(m, [predictions, labels], weights, lambda p, t: tf.abs(p - t))


def streaming_mean_relative_error(
    predictions: Any,
    labels: Any,
    normalizer: Any,
    weights: Any = None,
    metrics_collections: Names = None,
    updates_collections: Names = None,
    name: str | None = None,
) -> ValueAndUpdate:
    """Averages |prediction - label| / normalizer over all batches.

    Args:
        predictions: Numbers, of any shape.
        labels: Numbers of that shape.
        normalizer: What each error is measured by, usually the labels, of that shape. Where it is
            0 the relative error counts as 0.
        weights: Non-negative, a scalar or of the rank of `labels` with each dimension 1 or equal.
        metrics_collections: Collections that the value is added to.
        updates_collections: Collections that the update is added to.
        name: Scope of the state, "mean_relative_error" by default.

    Returns:
        The value and the update, float32 scalars; 0 while the weights sum to 0.

    Raises:
        ShapeError: The shapes do not fit.
    """
    function, default = "streaming_mean_relative_error", "mean_relative_error"
    with metric(function, name, default, metrics_collections, updates_collections) as m:
        predictions, labels, weights = matched(m, predictions, labels, weights)
        predictions, normalizer, _ = matched(m, predictions, normalizer)
        return mean_of(
            m,
            [predictions, labels, normalizer],
            weights,
            lambda p, t, n: tf.math.divide_no_nan(tf.abs(p - t), n),
        )


def streaming_mean_squared_error(
    predictions: Any,
    labels: Any,
    weights: Any = None,
    metrics_collections: Names = None,
    updates_collections: Names = None,
    name: str | None = None,
) -> ValueAndUpdate:
    """Averages (prediction - label)² over all batches.

    Args:
        predictions: Numbers, of any shape.
        labels: Numbers of that shape.
        weights: Non-negative, a scalar or of the rank of `labels` with each dimension 1 or equal.
        metrics_collections: Collections that the value is added to.
        updates_collections: Collections that the update is added to.
        name: Scope of the state, "mean_squared_error" by default.

    Returns:
        The value and the update, float32 scalars; 0 while the weights sum to 0.

    Raises:
        ShapeError: The shapes do not fit.
    """
    function, default = "streaming_mean_squared_error", "mean_squared_error"
    with metric(function, name, default, metrics_collections, updates_collections) as m:
        predictions, labels, weights = matched(m, predictions, labels, weights)
        return mean_of(m, [predictions, labels], weights, tf.math.squared_difference)


def streaming_root_mean_squared_error(
    predictions: Any,
    labels: Any,
    weights: Any = None,
    metrics_collections: Names = None,
    updates_collections: Names = None,
    name: str | None = None,
) -> ValueAndUpdate:
    """Computes the square root of the mean of (prediction - label)² over all batches.

    Args:
        predictions: Numbers, of any shape.
        labels: Numbers of that shape.
        weights: Non-negative, a scalar or of the rank of `labels` with each dimension 1 or equal.
        metrics_collections: Collections that the value is added to.
        updates_collections: Collections that the update is added to.
        name: Scope of the state, "root_mean_squared_error" by default.

    Returns:
        The value and the update, float32 scalars; 0 while the weights sum to 0.

    Raises:
        ShapeError: The shapes do not fit.
    """
    function, default = "streaming_root_mean_squared_error", "root_mean_squared_error"

    with metric(function, name, default, metrics_collections, updates_collections) as m:
        predictions, labels, weights = matched(m, predictions, labels, weights)
        return mean_of(m, [predictions, labels], weights, tf.math.squared_difference, tf.sqrt)


def streaming_mean_cosine_distance(
    predictions: Any,
    labels: Any,
    dim: int,
    weights: Any = None,
    metrics_collections: Names = None,
    updates_collections: Names = None,
    name: str | None = None,
) -> ValueAndUpdate:
    """Computes 1 minus the mean inner product of predictions and labels over all batches.

    For vectors of length 1, this is the cosine distance; nothing is normalized here.

    Args:
        predictions: Numbers, of any shape; vectors of length 1 along `dim`.
        labels: Numbers of that shape; vectors of length 1 along `dim`.
        dim: The dimension that the vectors lie along.
        weights: Non-negative, a scalar or of the rank of `labels` with 1 in dimension `dim` and
            each other dimension 1 or equal.
        metrics_collections: Collections that the value is added to.
        updates_collections: Collections that the update is added to.
        name: Scope of the state, "mean_cosine_distance" by default.

    Returns:
        The value and the update, float32 scalars; 1 while the weights sum to 0.

    Raises:
        ShapeError: The shapes do not fit, or have no dimension `dim`.
    """
    function, default = "streaming_mean_cosine_distance", "mean_cosine_distance"

    with metric(function, name, default, metrics_collections, updates_collections) as m:
        predictions, labels, _ = matched(m, predictions, labels)
        rank = predictions.shape.rank
        if rank is not None and not -rank <= dim < rank:
            raise ShapeError(
                f"{m} got dim={dim} for predictions of shape {predictions.shape}; pass one of its "
                f"dimensions, 0 to {rank - 1}"
            )

        def similarity(p: tf.Tensor, t: tf.Tensor) -> tf.Tensor:
            return tf.reduce_sum(p * t, dim, keepdims=True)

        return mean_of(m, [predictions, labels], weights, similarity, lambda mean: 1.0 - mean)
