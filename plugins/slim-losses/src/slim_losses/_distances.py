"""Distances between the embeddings of a batch, for metric learning."""

from typing import Any

import tensorflow as tf

from slim_losses._inputs import as_float, here, require
from slimcore.debugging import check_finite
from slimcore.errors import ShapeError


def pairwise_distance(feature: tf.Tensor, squared: bool = False) -> tf.Tensor:
    """Measures the Euclidean distance of every row from every other.

    Args:
        feature: Float tensor [batch, size].
        squared: Whether to return the squares of the distances.

    Returns:
        Tensor [batch, batch], 0 on the diagonal. Its gradient is 0 where a distance is.
    """
    feature = as_float(feature)
    squares = tf.reduce_sum(tf.square(feature), 1)
    products = tf.matmul(feature, feature, transpose_b=True)
    distances = tf.maximum(squares[:, tf.newaxis] - 2 * products + squares, 0)
    distances = tf.linalg.set_diag(distances, tf.zeros_like(squares))
    return distances if squared else safe_sqrt(distances)


def safe_sqrt(value: tf.Tensor) -> tf.Tensor:
    """Takes the square root, with the gradient 0 at 0, where that of `tf.sqrt` is infinite."""
    positive = value > 0
    return tf.where(positive, tf.sqrt(tf.where(positive, value, tf.ones_like(value))), 0)


def masked_maximum(data: tf.Tensor, mask: tf.Tensor, dim: int = 1) -> tf.Tensor:
    """Returns the largest of the masked elements along a dimension.

    Args:
        data: Tensor [rows, columns].
        mask: Tensor of that shape, not zero where an element counts.
        dim: The dimension to reduce, which stays with size 1.

    Returns:
        Tensor [rows, 1], or [1, columns]. Where no element counts, the smallest of all.
    """
    lowest = tf.reduce_min(data, dim, keepdims=True)
    return tf.reduce_max(tf.where(tf.cast(mask, tf.bool), data, lowest), dim, keepdims=True)


def masked_minimum(data: tf.Tensor, mask: tf.Tensor, dim: int = 1) -> tf.Tensor:
    """Returns the smallest of the masked elements along a dimension.

    Args:
        data: Tensor [rows, columns].
        mask: Tensor of that shape, not zero where an element counts.
        dim: The dimension to reduce, which stays with size 1.

    Returns:
        Tensor [rows, 1], or [1, columns]. Where no element counts, the largest of all.
    """
    return -masked_maximum(-data, mask, dim)


def labeled(loss: str, labels: Any, **embeddings: Any) -> tuple[tf.Tensor, ...]:
    """Returns labels [batch] and the embeddings, given by name, as floats of one type and shape.

    Raises:
        InputError: One of them is None; or, when checking, embeddings have a NaN.
        ShapeError: Labels are not [batch] or [batch, 1], or embeddings not [batch, size].
    """
    require(loss, labels=labels, **embeddings)
    labels = tf.convert_to_tensor(labels)
    if labels.shape.rank == 2 and labels.shape[1] == 1:
        labels = tf.squeeze(labels, 1)
    first: tf.Tensor | None = None
    found = []
    for name, value in embeddings.items():
        value = check_finite(as_float(value, first), f"{loss}: {name}")
        shape = tf.TensorShape([None, None] if first is None else first.shape)
        if not value.shape.is_compatible_with(shape):
            wanted = "[batch, size]" if first is None else f"of shape {shape}"
            raise ShapeError(f"{here(loss)} needs {name} {wanted}, and got {value.shape}")
        first = value if first is None else first
        found.append(value)
    if not labels.shape.is_compatible_with(found[0].shape[:1]):
        raise ShapeError(
            f"{here(loss)} needs one label for each embedding, and got labels of shape "
            f"{labels.shape} for embeddings of shape {found[0].shape}"
        )
    return labels, *found
