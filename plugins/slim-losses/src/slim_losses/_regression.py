"""Losses of regression: differences between predictions and labels."""

from typing import Any

import tensorflow as tf

from slim_losses._inputs import here, paired, require
from slim_losses._weighting import fitted, weighted_loss
from slim_losses.collection import add_loss
from slimcore.errors import InputError, ShapeError


def absolute_difference(
    predictions: tf.Tensor,
    labels: tf.Tensor | None = None,
    weights: Any = 1.0,
    scope: str | None = None,
) -> tf.Tensor:
    """Averages the absolute differences between predictions and labels.

    Args:
        predictions: Float tensor of any shape.
        labels: Tensor of that shape.
        weights: A scalar, or a tensor that fits the predictions. See `compute_weighted_loss`.
        scope: Name of the ops, `absolute_difference` by default.

    Returns:
        A scalar, which is added to the losses.

    Raises:
        ShapeError: The shapes of predictions, labels or weights do not fit.
    """
    loss = "absolute_difference"
    with tf.name_scope(scope or "absolute_difference"):
        predictions, labels = paired(loss, predictions=predictions, labels=labels)
        return weighted_loss(loss, tf.abs(predictions - labels), weights)


def mean_squared_error(
    predictions: tf.Tensor,
    labels: tf.Tensor | None = None,
    weights: Any = 1.0,
    scope: str | None = None,
) -> tf.Tensor:
    """Averages the squared differences between predictions and labels.

    Args:
        predictions: Float tensor of any shape.
        labels: Tensor of that shape.
        weights: A scalar, or a tensor that fits the predictions. See `compute_weighted_loss`.
        scope: Name of the ops, `mean_squared_error` by default.

    Returns:
        A scalar, which is added to the losses.

    Raises:
        ShapeError: The shapes of predictions, labels or weights do not fit.
    """
    return _squared("mean_squared_error", predictions, labels, weights, scope)


def sum_of_squares(
    predictions: tf.Tensor,
    labels: tf.Tensor | None = None,
    weights: Any = 1.0,
    scope: str | None = None,
) -> tf.Tensor:
    """Does what `mean_squared_error` does: the name that the first versions of TF-Slim gave it."""
    return _squared("sum_of_squares", predictions, labels, weights, scope)


def _squared(
    loss: str, predictions: tf.Tensor, labels: Any, weights: Any, scope: str | None
) -> tf.Tensor:
    with tf.name_scope(scope or loss):
        predictions, labels = paired(loss, predictions=predictions, labels=labels)
        return weighted_loss(loss, tf.math.squared_difference(predictions, labels), weights)


def huber_loss(
    predictions: tf.Tensor,
    labels: tf.Tensor | None = None,
    weights: Any = 1.0,
    delta: float = 1.0,
    scope: str | None = None,
) -> tf.Tensor:
    """Averages differences that count by their square when small, by their size when large.

    Args:
        predictions: Float tensor of any shape.
        labels: Tensor of that shape.
        weights: A scalar, or a tensor that fits the predictions. See `compute_weighted_loss`.
        delta: The difference d at which the loss goes over from `d² / 2` to
            `delta * (|d| - delta / 2)`. Greater than 0.
        scope: Name of the ops, `huber_loss` by default.

    Returns:
        A scalar, which is added to the losses.

    Raises:
        ShapeError: The shapes of predictions, labels or weights do not fit.
        InputError: `delta` is 0 or less.

    Paper: Huber, "Robust Estimation of a Location Parameter", 1964.
    """
    loss = "huber_loss"
    with tf.name_scope(scope or "huber_loss"):
        predictions, labels = paired(loss, predictions=predictions, labels=labels)
        if delta <= 0:
            raise InputError(f"{here(loss)} takes a delta greater than 0, and got {delta}")
        difference = tf.abs(predictions - labels)
        square = tf.minimum(difference, delta)
        return weighted_loss(loss, square * (difference - 0.5 * square), weights)


def mean_pairwise_squared_error(
    predictions: tf.Tensor,
    labels: tf.Tensor | None = None,
    weights: Any = 1.0,
    scope: str | None = None,
) -> tf.Tensor:
    """Compares how elements differ among themselves, in the predictions and in the labels.

    Within one example, with d = predictions - labels, it averages (d_i - d_j)² over all pairs
    (i, j), each element with itself included, so that an error that all elements share costs
    nothing. The examples' losses, times their weights, are summed over the batch.

    Args:
        predictions: Float tensor [batch, d1, ..., dN].
        labels: Tensor of that shape.
        weights: A scalar, or [batch] or [batch, 1, ...]: one for each example.
        scope: Name of the ops, `mean_pairwise_squared_error` by default.

    Returns:
        A scalar, which is added to the losses.

    Raises:
        ShapeError: The shapes of predictions, labels or weights do not fit.

    Paper: Eigen et al., "Depth Map Prediction from a Single Image using a Multi-Scale Deep
    Network", 2014, arXiv:1406.2283, equation 1.
    """
    loss = "mean_pairwise_squared_error"
    with tf.name_scope(scope or "mean_pairwise_squared_error"):
        predictions, labels = paired(loss, predictions=predictions, labels=labels)
        if predictions.shape.rank == 0:
            raise ShapeError(f"{here(loss)} needs predictions [batch, ...], and got a scalar")
        # The mean over all pairs of (d_i - d_j)² is twice the variance of d.
        inner = tf.range(1, tf.rank(predictions))
        losses = 2 * tf.math.reduce_variance(predictions - labels, inner)
        weights = fitted(loss, weights, losses)
        value = tf.reduce_sum(losses * weights, name="value")
        add_loss(value)
        return value


def cosine_distance(
    predictions: tf.Tensor,
    labels: tf.Tensor | None = None,
    axis: int | None = None,
    weights: Any = 1.0,
    scope: str | None = None,
    dim: int | None = None,
) -> tf.Tensor:
    """Averages 1 less the dot product of vectors of length 1.

    Args:
        predictions: Float tensor of any shape, of length 1 along `axis`: nothing is normalized
            here.
        labels: Tensor of that shape, of length 1 along `axis`.
        axis: The dimension along which the vectors lie.
        weights: A scalar, or a tensor that fits the predictions with `axis` of size 1. See
            `compute_weighted_loss`.
        scope: Name of the ops, `cosine_distance_loss` by default.
        dim: The former name of `axis`.

    Returns:
        A scalar, which is added to the losses.

    Raises:
        ShapeError: The shapes of predictions, labels or weights do not fit, or have no such axis.
        InputError: Neither of `axis` and `dim` is given, or both are.
    """
    loss = "cosine_distance"
    with tf.name_scope(scope or "cosine_distance_loss"):
        if axis is not None and dim is not None:
            raise InputError(f"{here(loss)} got axis and dim, which mean the same; leave dim out")
        axis = dim if axis is None else axis
        require(loss, axis=axis)
        predictions, labels = paired(loss, predictions=predictions, labels=labels)
        rank = predictions.shape.rank
        if rank is not None and not -rank <= axis < rank:
            raise ShapeError(
                f"{here(loss)} got axis {axis} for predictions of shape {predictions.shape}"
            )
        losses = 1 - tf.reduce_sum(predictions * labels, axis, keepdims=True)
        return weighted_loss(loss, losses, weights)
