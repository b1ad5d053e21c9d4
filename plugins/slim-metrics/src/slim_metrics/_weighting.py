"""Makes predictions, labels and weights fit each other, and says which metric they do not fit."""

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from slim_metrics._state import Metric
from slimcore.debugging import check_finite, check_not_negative, check_range
from slimcore.errors import ShapeError

_MANY = 1 << 16
# Up to here float32 holds every whole number.
_EXACT = float(1 << 24)


def matched(
    metric: Metric, predictions: Any, labels: Any, weights: Any = None
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor | None]:
    """Drops a last dimension of 1 that only one of predictions and labels has, and checks shapes.

    Args:
        metric: The metric, for errors.
        predictions: Tensor of any shape.
        labels: Tensor of the same shape; one of the two may have one more dimension of 1.
        weights: None, or a tensor for `broadcast`.

    Returns:
        The three tensors; weights have the rank of predictions or rank 0.

    Raises:
        ShapeError: Predictions and labels, or weights, have shapes that do not fit.
    """
    predictions = finite(metric, "predictions", predictions)
    labels = finite(metric, "labels", labels)
    predictions, labels = _squeeze_longer(predictions, labels)
    if not predictions.shape.is_compatible_with(labels.shape):
        raise ShapeError(
            f"{metric} compares predictions of shape {predictions.shape} with labels of shape "
            f"{labels.shape}; give both one shape"
        )
    if weights is not None:
        weights = fitted_weights(metric, weights, predictions)
    return predictions, labels, weights


def fitted_weights(metric: Metric, weights: Any, values: tf.Tensor) -> tf.Tensor:
    """Returns the weights with the rank of `values` or rank 0, after a check of static shapes.

    Raises:
        ShapeError: A dimension of the weights is neither 1 nor that of the values.
    """
    weights = check_not_negative(tf.convert_to_tensor(weights), f"{metric}: weights")
    if weights.shape.rank is not None and values.shape.rank is not None:
        if weights.shape.rank == values.shape.rank + 1 and weights.shape[-1] in (1, None):
            weights = tf.squeeze(weights, -1)
        elif weights.shape.rank + 1 == values.shape.rank and weights.shape.rank:
            weights = tf.expand_dims(weights, -1)
        same_rank = weights.shape.rank in (0, values.shape.rank)
        sides = zip(weights.shape, values.shape, strict=False)
        if not same_rank or any(w not in (1, None) and v not in (w, None) for w, v in sides):
            raise ShapeError(
                f"{metric} cannot spread weights of shape {weights.shape} over values of shape "
                f"{values.shape}; each dimension of the weights is 1 or that of the values, or the "
                "weights are a scalar"
            )
    return weights


def finite(metric: Metric, what: str, value: Any) -> tf.Tensor:
    """Returns a tensor; with `slim.debug_checks` on, one without NaN and infinity."""
    return check_finite(tf.convert_to_tensor(value), f"{metric}: {what}")


def is_positive(metric: Metric, labels: tf.Tensor) -> tf.Tensor:
    """Returns labels as booleans; with `slim.debug_checks` on, only 0 and 1 pass."""
    if labels.dtype != tf.bool:
        labels = check_range(labels, 0, 1, f"{metric}: labels")
    return tf.cast(labels, tf.bool)


def broadcast(metric: Metric, weights: Any, values: tf.Tensor) -> tf.Tensor:
    """Returns float32 weights of the shape of `values`."""
    weights = tf.cast(fitted_weights(metric, weights, values), tf.float32)
    if weights.shape.is_fully_defined() and weights.shape == values.shape:
        return weights
    return tf.broadcast_to(weights, tf.shape(values))


def weighted_sum_and_count(
    metric: Metric,
    tensors: Sequence[tf.Tensor],
    weights: tf.Tensor | None,
    function: Callable[..., tf.Tensor] = tf.identity,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the sum of weighted values, and of the weights. Scalars.

    Args:
        metric: The metric, for errors.
        tensors: What the values are computed from, of numbers or booleans.
        weights: None for weights of 1, or a tensor that fits the values.
        function: Computes the values from the tensors, once they are all floats of one type.
    """
    start = _start(tensors[0])
    # Whole numbers are to be right to the last one, others only to be finite.
    most = _EXACT if tensors[0].dtype == tf.bool else tf.float32.max

    def values(dtype: tf.DType) -> tf.Tensor:
        return function(*(tf.cast(tensor, dtype) for tensor in tensors))

    first = values(start)
    if weights is None:
        known = first.shape.num_elements()
        number = tf.size(first, tf.int64) if known is None else tf.constant(known, tf.float64)
        return _total(first, values, most), number
    weights = broadcast(metric, weights, first)

    def weighted(dtype: tf.DType) -> tf.Tensor:
        return values(dtype) * tf.cast(weights, dtype)

    return _total(first * tf.cast(weights, start), weighted, most), total_of(weights)


def total_of(values: tf.Tensor) -> tf.Tensor:
    """Returns the sum of numbers, a float64 scalar that is exact for whole numbers."""

    def cast(dtype: tf.DType) -> tf.Tensor:
        return tf.cast(values, dtype)

    return _total(cast(_start(values)), cast, _EXACT)


def _start(tensor: tf.Tensor) -> tf.DType:
    """Returns the type to add in: float64 if elements are few or have it, and else float32."""
    few = (tensor.shape.num_elements() or _MANY) < _MANY
    return tf.float64 if few or tensor.dtype == tf.float64 else tf.float32


def _total(first: tf.Tensor, values: Callable[[tf.DType], tf.Tensor], most: float) -> tf.Tensor:
    """Returns the sum of values as a float64 scalar.

    Float32 moves half the memory of float64, but may not hold the sum. Then it is made anew.

    Args:
        first: The values, in float32 or float64.
        values: Computes the values in a type.
        most: The size of the sum from which float32 does not hold it.
    """
    total = tf.reduce_sum(first)
    if first.dtype == tf.float64:
        return total
    return tf.cond(
        tf.abs(total) < most,
        lambda: tf.cast(total, tf.float64),
        lambda: tf.reduce_sum(values(tf.float64)),
    )


def bincount(bins: tf.Tensor, weights: tf.Tensor | None, size: int) -> tf.Tensor:
    """Returns how often each bin from 0 to `size` - 1 occurs, or with weights their sum.

    The raw op, since `tf.math.bincount` looks for the largest bin first.

    Args:
        bins: int32 of any shape, not negative; those from `size` on are left out.
        weights: None or numbers of the shape of `bins`.
        size: How many bins there are.

    Returns:
        [size], int32 without weights and float64 with them.
    """
    if weights is None:
        weights = tf.zeros([0], tf.int32)
    else:
        weights = tf.reshape(tf.cast(weights, tf.float64), [-1])
    return tf.raw_ops.Bincount(arr=tf.reshape(bins, [-1]), size=size, weights=weights)


def _squeeze_longer(a: tf.Tensor, b: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Drops a last dimension of 1 of the tensor that has one dimension more."""
    if a.shape.rank is None or b.shape.rank is None:
        ranks = tf.rank(a), tf.rank(b)
        return (
            _squeeze_if(tf.equal(ranks[0], ranks[1] + 1), a),
            _squeeze_if(tf.equal(ranks[1], ranks[0] + 1), b),
        )
    if a.shape.rank == b.shape.rank + 1 and a.shape[-1] in (1, None):
        return tf.squeeze(a, -1), b
    if b.shape.rank == a.shape.rank + 1 and b.shape[-1] in (1, None):
        return a, tf.squeeze(b, -1)
    return a, b


def _squeeze_if(longer: tf.Tensor, tensor: tf.Tensor) -> tf.Tensor:
    return tf.cond(longer, lambda: tf.squeeze(tensor, -1), lambda: tensor)
