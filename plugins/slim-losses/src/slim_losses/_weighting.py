"""The weighting that all losses share: what `weights` may be, and what the mean is taken over."""

import numbers
from typing import Any

import tensorflow as tf

from slim_losses._inputs import as_float, here, require
from slim_losses.collection import add_loss
from slimcore.debugging import check_finite, check_not_negative
from slimcore.errors import ShapeError
from slimcore.replicas import normalizer


def compute_weighted_loss(
    losses: tf.Tensor, weights: Any = 1.0, scope: str | None = None
) -> tf.Tensor:
    """Averages losses, each times its weight, over those whose weight is not zero.

    The weights' dimensions stand for the first dimensions of the losses: a scalar weighs all
    alike, [batch] weighs examples, and a dimension of 1 is repeated. The weighted losses are
    summed and divided by how many have a weight other than zero: weights of 2 double the result.

    Args:
        losses: Float tensor [batch, d1, ..., dN].
        weights: A scalar, or a tensor of at most N + 1 dimensions, each 1 or that of `losses`.
        scope: Name of the ops, `weighted_loss` by default.

    Returns:
        A scalar, which is added to the losses: float64 for float64 losses, otherwise float32; 0
        where all weights are zero or the batch is empty.

    Raises:
        ShapeError: The weights do not fit the losses.
    """
    loss = "compute_weighted_loss"
    with tf.name_scope(scope or "weighted_loss"):
        require(loss, losses=losses)
        return weighted_loss(loss, check_finite(as_float(losses), f"{loss}: losses"), weights)


def weighted_loss(loss: str, losses: tf.Tensor, weights: Any) -> tf.Tensor:
    """Does what `compute_weighted_loss` does, in the name of the loss `loss`, in its name scope."""
    if isinstance(weights, numbers.Real) and weights == 1:
        total = tf.reduce_sum(losses)
        count = tf.size(losses)
    else:
        weights = fitted(loss, weights, losses)
        total = tf.reduce_sum(losses * weights)
        # Each weight stands for as many losses as the others, since dimensions are only repeated.
        repeats = tf.size(losses) // tf.maximum(tf.size(weights), 1)
        count = tf.math.count_nonzero(weights, dtype=tf.int32) * repeats
    count = normalizer(tf.cast(count, losses.dtype))
    value = tf.math.divide_no_nan(total, count, name="value")
    add_loss(value)
    return value


def fitted(loss: str, weights: Any, losses: tf.Tensor) -> tf.Tensor:
    """Returns weights of the losses' type and rank, adding or dropping dimensions of 1 at the end.

    A scalar stays one.
    """
    require(loss, weights=weights)
    weights = check_not_negative(as_float(weights, losses), f"{loss}: weights")
    if weights.shape.rank is None or losses.shape.rank is None:
        return _fitted_in_the_run(weights, losses)
    given, wanted = weights.shape.as_list(), losses.shape.as_list()
    extra = given[len(wanted) :]
    fits = all(w in (1, None) or d in (w, None) for w, d in zip(given, wanted, strict=False))
    if not fits or any(w not in (1, None) for w in extra):
        raise ShapeError(
            f"{here(loss)} got weights of shape {weights.shape} for losses of shape "
            f"{losses.shape}; each dimension, from the first, must be 1 or that of the losses"
        )
    if extra:
        return tf.squeeze(weights, list(range(len(wanted), len(given))))
    for _ in wanted[len(given) :] if given else ():
        weights = weights[..., tf.newaxis]
    return weights


def _fitted_in_the_run(weights: tf.Tensor, losses: tf.Tensor) -> tf.Tensor:
    shape, rank = tf.shape(weights), tf.rank(losses)
    ones = tf.ones([tf.maximum(rank - tf.size(shape), 0)], tf.int32)
    return tf.reshape(weights, tf.concat([shape[:rank], ones], 0))
