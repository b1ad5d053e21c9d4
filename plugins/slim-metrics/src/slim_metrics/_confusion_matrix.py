"""The confusion matrix: rows are labels, columns predictions."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from slim_metrics._state import Metric, Names, Refused, ValueAndUpdate, metric
from slim_metrics._weighting import bincount, broadcast, matched
from slimcore.debugging import check_range, checking
from slimcore.errors import InputError

_MATRIX, _OUTSIDE = "total_confusion_matrix", "out_of_range"


def streaming_confusion_matrix(
    predictions: Any,
    labels: Any,
    num_classes: int,
    weights: Any = None,
    metrics_collections: Names = None,
    updates_collections: Names = None,
    name: str | None = None,
) -> ValueAndUpdate:
    """Counts, over all batches, how often each class was predicted for each label.

    Args:
        predictions: Class indices below `num_classes`, of any shape.
        labels: Class indices of that shape.
        num_classes: How many classes there are.
        weights: Non-negative, a scalar or of the rank of `labels` with each dimension 1 or equal.
        metrics_collections: Collections that the value is added to.
        updates_collections: Collections that the update is added to.
        name: Scope of the state, "confusion_matrix" by default.

    Returns:
        The value and the update, float64 [num_classes, num_classes]: at [i, j] the weight of
        the examples of class i that were predicted as class j.

    Raises:
        InputError: When the value is read, and an index with a weight was out of range.
        ShapeError: The shapes do not fit.
    """
    function, default = "streaming_confusion_matrix", "confusion_matrix"
    with metric(function, name, default, metrics_collections, updates_collections) as m:
        return add_up_matrix(
            m, predictions, labels, num_classes, weights, lambda matrix: matrix, dtype=tf.float64
        )


def add_up_matrix(
    m: Metric,
    predictions: Any,
    labels: Any,
    num_classes: int,
    weights: Any,
    value_of: Callable[[tf.Tensor], tf.Tensor],
    update_of: Callable[[tf.Tensor], tf.Tensor] | None = None,
    dtype: tf.DType = tf.float32,
) -> ValueAndUpdate:
    """Adds one batch to the confusion matrix, and returns the value and the update.

    Args:
        m: The metric.
        predictions: Class indices.
        labels: Class indices of that shape.
        num_classes: How many classes there are.
        weights: None, or weights that fit the labels.
        value_of: Computes the value from the matrix, float64 [num_classes, num_classes].
        update_of: In a graph, what the update returns instead of the value.
        dtype: Type of the value.
    """
    if num_classes < 1:
        raise InputError(f"{m} got num_classes={num_classes}; pass how many classes there are")
    predictions, labels, weights = matched(m, predictions, labels, weights)
    if weights is not None:
        weights = broadcast(m, weights, labels)
    predictions = _classes(m, "predictions", predictions, num_classes, weights)
    labels = _classes(m, "labels", labels, num_classes, weights)
    if predictions.dtype != labels.dtype:
        predictions, labels = tf.cast(predictions, tf.int64), tf.cast(labels, tf.int64)
    in_range = (tf.minimum(predictions, labels) >= 0) & (
        tf.maximum(predictions, labels) < num_classes
    )
    size = num_classes * num_classes
    # The cell after the last one takes what is out of range.
    cells = tf.cast(tf.where(in_range, labels * num_classes + predictions, size), tf.int32)
    counts = bincount(cells, weights, size + 1)
    increments = {_MATRIX: tf.reshape(counts[:-1], [num_classes] * 2), _OUTSIDE: counts[-1]}
    return m.add_up(
        increments,
        lambda sums: value_of(sums[_MATRIX]),
        None if update_of is None else lambda sums: update_of(sums[_MATRIX]),
        dtype,
        refused=Refused(
            _OUTSIDE,
            tf.identity,
            f"some pairs of label and prediction are not both from 0 to {num_classes - 1}. Give "
            "those that do not count a weight of 0, or raise num_classes.",
        ),
    )


def _classes(
    m: Metric, what: str, classes: tf.Tensor, num_classes: int, weights: tf.Tensor | None
) -> tf.Tensor:
    """Returns int32 or int64 classes; checked, where they have a weight, with debug checks on."""
    if classes.dtype.is_floating:
        # What a cast makes of NaN and of great numbers depends on the processor.
        classes = tf.where(tf.math.is_nan(classes), tf.constant(-1, classes.dtype), classes)
        classes = tf.clip_by_value(classes, -1, num_classes)
    wide = classes.dtype in (tf.int64, tf.uint32, tf.uint64)
    classes = tf.cast(classes, tf.int64 if wide else tf.int32)
    if not checking():
        return classes
    counted = classes if weights is None else tf.where(weights > 0, classes, 0)
    with tf.control_dependencies([check_range(counted, 0, num_classes - 1, f"{m}: {what}")]):
        return tf.identity(classes)
