"""Compares the classes chosen for each example with its labels."""

from typing import Any, NamedTuple

import tensorflow as tf

from slim_metrics._state import Metric
from slim_metrics._weighting import broadcast, finite
from slimcore.debugging import check_range
from slimcore.errors import InputError, ShapeError

# In place of a label that is not there. No class has this index.
_NONE = tf.int64.min


class Hits(NamedTuple):
    """Which of the classes chosen for an example are labels of it, and what else there was.

    Attributes:
        found: Whether each class chosen is a label, float64 [..., k].
        chosen: Whether each class chosen counts, float64 [..., k]; repetitions do not.
        labels: How many different labels the example has, float64 [...].
    """

    found: tf.Tensor
    chosen: tf.Tensor
    labels: tf.Tensor


def top_k(m: Metric, predictions: Any, k: int) -> tf.Tensor:
    """Returns the classes of the k highest scores, the best first, int64 [..., k]."""
    if k < 1:
        raise InputError(f"{m} got k={k}; pass 1 or more")
    predictions = finite(m, "predictions", predictions)
    if not predictions.shape.rank or (predictions.shape[-1] or k) < k:
        m.refuse_shape("predictions", predictions.shape, f"takes the best {k} of the last axis")
    return tf.cast(tf.math.top_k(predictions, k).indices, tf.int64)


def in_top_k(m: Metric, predictions: Any, labels: Any, k: int) -> tf.Tensor:
    """Returns whether each label is among the k highest scores, bool [...]."""
    if k < 1:
        raise InputError(f"{m} got k={k}; pass 1 or more")
    predictions, labels = finite(m, "predictions", predictions), tf.convert_to_tensor(labels)
    if not predictions.shape.rank or not labels.shape.is_compatible_with(predictions.shape[:-1]):
        raise ShapeError(
            f"{m} compares predictions of shape {predictions.shape} with labels of shape "
            f"{labels.shape}; give labels the shape of predictions without the last dimension"
        )
    labels = check_range(labels, 0, tf.shape(predictions)[-1] - 1, f"{m}: labels")
    rows = tf.reshape(tf.cast(predictions, tf.float32), [-1, tf.shape(predictions)[-1]])
    hits = tf.math.in_top_k(tf.reshape(labels, [-1]), rows, k)
    return tf.reshape(hits, tf.shape(labels))


def hits(m: Metric, chosen: tf.Tensor, labels: Any, class_id: int | None = None) -> Hits:
    """Compares classes [..., k] with labels [..., num_labels], or [...] for one each.

    Args:
        m: The metric, for errors.
        chosen: int64 class indices.
        labels: Class indices, a tensor or a `tf.SparseTensor`.
        class_id: The one class that counts, on both sides; all by default.
    """
    if isinstance(labels, tf.SparseTensor):
        labels = tf.SparseTensor(
            labels.indices, tf.cast(labels.values, tf.int64), labels.dense_shape
        )
        labels = tf.sparse.to_dense(labels, default_value=_NONE)
    labels = tf.cast(labels, tf.int64)
    if labels.shape.rank is not None and labels.shape.rank + 1 == chosen.shape.rank:
        labels = tf.expand_dims(labels, -1)
    if not labels.shape[:-1].is_compatible_with(chosen.shape[:-1]):
        raise ShapeError(
            f"{m} compares {chosen.shape} classes with labels of shape {labels.shape}; give both "
            "one shape but for the last dimension"
        )
    counts, is_label = (
        _first_of_its_kind(chosen),
        _first_of_its_kind(labels) & tf.not_equal(labels, _NONE),
    )
    if class_id is not None:
        counts, is_label = (
            counts & tf.equal(chosen, class_id),
            is_label & tf.equal(labels, class_id),
        )
    found = counts & tf.reduce_any(tf.equal(chosen[..., :, None], labels[..., None, :]), -1)
    return Hits(
        tf.cast(found, tf.float64),
        tf.cast(counts, tf.float64),
        tf.reduce_sum(tf.cast(is_label, tf.float64), -1),
    )


def weighted_sum(m: Metric, values: tf.Tensor, weights: Any) -> tf.Tensor:
    """Returns the sum of one value for each example."""
    if weights is None:
        return tf.reduce_sum(values)
    return tf.reduce_sum(values * tf.cast(broadcast(m, weights, values), tf.float64))


def _first_of_its_kind(classes: tf.Tensor) -> tf.Tensor:
    """Returns whether no earlier element along the last dimension is the same."""
    count = tf.shape(classes)[-1]
    earlier = tf.linalg.band_part(tf.ones([count, count], tf.bool), -1, 0) & ~tf.eye(
        count, dtype=tf.bool
    )
    same = tf.equal(classes[..., :, None], classes[..., None, :])
    return ~tf.reduce_any(same & earlier, -1)
