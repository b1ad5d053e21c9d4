"""Metrics over many classes that are computed from a confusion matrix."""

from typing import Any, Literal

import tensorflow as tf

from slim_metrics._confusion_matrix import add_up_matrix
from slim_metrics._state import Names, ValueAndUpdate, metric, ratio
from slimcore.errors import InputError


def streaming_mean_iou(
    predictions: Any,
    labels: Any,
    num_classes: int,
    weights: Any = None,
    metrics_collections: Names = None,
    updates_collections: Names = None,
    name: str | None = None,
) -> ValueAndUpdate:
    """Computes intersection over union of each class so far, and averages over the classes seen.

    Of a class, it is true positives / (true positives + false positives + false negatives).

    Args:
        predictions: Class indices below `num_classes`, of any shape, such as label maps.
        labels: Class indices of that shape.
        num_classes: How many classes there are.
        weights: Non-negative, a scalar or of the rank of `labels` with each dimension 1 or equal.
        metrics_collections: Collections that the value is added to.
        updates_collections: Collections that the update is added to.
        name: Scope of the state, "mean_iou" by default.

    Returns:
        The value, a float32 scalar; 0 while no class was labelled or predicted. In a graph the
        update is the confusion matrix, float64 [num_classes, num_classes]; else it is the value.

    Raises:
        InputError: When the value is read, and an index with a weight was out of range.
        ShapeError: The shapes do not fit.
    """

    def mean_iou(matrix: tf.Tensor) -> tf.Tensor:
        hits, predicted, labelled = _by_class(matrix)
        union = predicted + labelled - hits
        seen = tf.math.count_nonzero(union, dtype=tf.float64)
        return ratio(tf.reduce_sum(ratio(hits, union)), seen)

    function = "streaming_mean_iou"
    with metric(function, name, "mean_iou", metrics_collections, updates_collections) as m:
        return add_up_matrix(
            m, predictions, labels, num_classes, weights, mean_iou, update_of=lambda matrix: matrix
        )


def cohen_kappa(
    labels: Any,
    predictions_idx: Any,
    num_classes: int,
    weights: Any = None,
    metrics_collections: Names = None,
    updates_collections: Names = None,
    name: str | None = None,
) -> ValueAndUpdate:
    """Computes Cohen's kappa: how far labels and predictions agree beyond chance.

    Args:
        labels: Class indices of one annotator, [batch] or [batch, 1].
        predictions_idx: Class indices of the other, [batch] or [batch, 1].
        num_classes: How many classes there are.
        weights: Non-negative, a scalar, [batch] or [batch, 1].
        metrics_collections: Collections that the value is added to.
        updates_collections: Collections that the update is added to.
        name: Scope of the state, "cohen_kappa" by default.

    Returns:
        The value and the update, float64 scalars, at most 1; 0 before the first example and
        where chance alone agrees always.

    Raises:
        InputError: When the value is read, and an index with a weight was out of range.
        ShapeError: The shapes do not fit.

    Paper: Cohen, "A Coefficient of Agreement for Nominal Scales", 1960.
    """

    def kappa(matrix: tf.Tensor) -> tf.Tensor:
        hits, predicted, labelled = _by_class(matrix)
        total = tf.reduce_sum(labelled)
        by_chance = ratio(tf.reduce_sum(predicted * labelled), total)
        return ratio(tf.reduce_sum(hits) - by_chance, total - by_chance)

    function = "cohen_kappa"
    with metric(function, name, "cohen_kappa", metrics_collections, updates_collections) as m:
        return add_up_matrix(
            m, predictions_idx, labels, num_classes, weights, kappa, dtype=tf.float64
        )


def streaming_f1_score(
    predictions: Any,
    labels: Any,
    num_classes: int,
    average: Literal["macro", "weighted", "micro"] = "macro",
    weights: Any = None,
    metrics_collections: Names = None,
    updates_collections: Names = None,
    name: str | None = None,
) -> ValueAndUpdate:
    """Computes the F1 score of each class so far, and averages over the classes.

    Args:
        predictions: Class indices below `num_classes`, of any shape.
        labels: Class indices of that shape.
        num_classes: How many classes there are.
        average: "macro" gives each class that was labelled or predicted the same weight,
            "weighted" gives each class the weight of its labels, "micro" counts all classes
            together.
        weights: Non-negative, a scalar or of the rank of `labels` with each dimension 1 or equal.
        metrics_collections: Collections that the value is added to.
        updates_collections: Collections that the update is added to.
        name: Scope of the state, "f1_score" by default.

    Returns:
        The value and the update, float32 scalars from 0 to 1; 0 while the weights sum to 0.

    Raises:
        InputError: `average` is not one of the three; or, when the value is read, an index with a
            weight was out of range.
        ShapeError: The shapes do not fit.
    """

    def mean_f1(matrix: tf.Tensor) -> tf.Tensor:
        hits, predicted, labelled = _by_class(matrix)
        if average == "micro":
            hits, predicted, labelled = map(tf.reduce_sum, (hits, predicted, labelled))
            return ratio(2 * hits, predicted + labelled)
        f1 = ratio(2 * hits, predicted + labelled)
        share = labelled if average == "weighted" else tf.cast(predicted + labelled > 0, tf.float64)
        return ratio(tf.reduce_sum(f1 * share), tf.reduce_sum(share))

    if average not in ("macro", "weighted", "micro"):
        raise InputError(
            f"streaming_f1_score got average={average!r}; pass 'macro', 'weighted' or 'micro'"
        )
    function = "streaming_f1_score"
    with metric(function, name, "f1_score", metrics_collections, updates_collections) as m:
        return add_up_matrix(m, predictions, labels, num_classes, weights, mean_f1)


def _by_class(matrix: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Returns how often each class was predicted rightly, was predicted, and was the label."""
    return tf.linalg.diag_part(matrix), tf.reduce_sum(matrix, 0), tf.reduce_sum(matrix, 1)
