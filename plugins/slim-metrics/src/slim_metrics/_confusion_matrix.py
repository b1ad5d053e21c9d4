"""The confusion matrix: rows are labels, columns predictions."""

from typing import Any

import tensorflow as tf

from slim_metrics._state import Metric, Names, ValueAndUpdate, metric
from slim_metrics._weighting import bincount, broadcast, matched
from slimcore.debugging import check_range, checking
from slimcore.errors import InputError


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
        labels: Class indices of that shape. A pair of which one is out of range is left out.
        num_classes: How many classes there are.
        weights: Non-negative, a scalar or of the rank of `labels` with each dimension 1 or equal.
        metrics_collections: Collections that the value is added to.
        updates_collections: Collections that the update is added to.
        name: Scope of the state, "confusion_matrix" by default.

    Returns:
        The value and the update, float64 [num_classes, num_classes]: at [i, j] the weight of
        the examples of class i that were predicted as class j.

    Raises:
        ShapeError: The shapes do not fit.
    """
    function, default = "streaming_confusion_matrix", "confusion_matrix"
    with metric(function, name, default, metrics_collections, updates_collections) as m:
        matrix = confusion_matrix(m, predictions, labels, num_classes, weights)
        return m.add_up(
            {"total_confusion_matrix": matrix},
            lambda s: s["total_confusion_matrix"],
            dtype=tf.float64,
        )


def confusion_matrix(
    m: Metric, predictions: Any, labels: Any, num_classes: int, weights: Any
) -> tf.Tensor:
    """Returns the confusion matrix of one batch, [num_classes, num_classes]."""
    if num_classes < 1:
        raise InputError(f"{m} got num_classes={num_classes}; pass how many classes there are")
    predictions, labels, weights = matched(m, predictions, labels, weights)
    if weights is not None:
        weights = broadcast(m, weights, labels)
    predictions = _classes(m, "predictions", predictions, num_classes, weights)
    labels = _classes(m, "labels", labels, num_classes, weights)
    in_range = (tf.minimum(predictions, labels) >= 0) & (
        tf.maximum(predictions, labels) < num_classes
    )
    size = num_classes * num_classes
    # `bincount` leaves out cells beyond the last one, hence pairs out of range.
    cells = tf.where(in_range, labels * num_classes + predictions, size)
    return tf.reshape(bincount(cells, weights, size), [num_classes, num_classes])


def _classes(
    m: Metric, what: str, classes: tf.Tensor, num_classes: int, weights: tf.Tensor | None
) -> tf.Tensor:
    """Returns int32 classes; checked, where they have a weight, with `slim.debug_checks` on."""
    classes = tf.cast(classes, tf.int32)
    if not checking():
        return classes
    counted = classes if weights is None else tf.where(weights > 0, classes, 0)
    with tf.control_dependencies([check_range(counted, 0, num_classes - 1, f"{m}: {what}")]):
        return tf.identity(classes)
