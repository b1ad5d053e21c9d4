"""Losses of classifiers, from logits or probabilities."""

from typing import Any

import tensorflow as tf

from slim_losses.inputs import as_float, here, require, require_same_shape
from slim_losses.weighting import weighted_loss
from slimcore.debugging import check_finite, check_range
from slimcore.errors import InputError, ShapeError


def softmax_cross_entropy(
    logits: tf.Tensor,
    onehot_labels: tf.Tensor,
    weights: Any = 1.0,
    label_smoothing: float = 0,
    scope: str | None = None,
) -> tf.Tensor:
    """Averages the cross-entropy between the softmax of logits and target distributions.

    Args:
        logits: Float tensor [batch, ..., classes].
        onehot_labels: Tensor of that shape; what it holds for one example sums to 1. No gradient
            flows into it.
        weights: A scalar, or one weight for each example: [batch, ...]. See
            `compute_weighted_loss`.
        label_smoothing: s in 0..1: labels become `onehot_labels * (1 - s) + s / classes`.
        scope: Name of the ops, `softmax_cross_entropy_loss` by default.

    Returns:
        A scalar, which is added to the losses.

    Raises:
        ShapeError: The shapes of logits, labels or weights do not fit.
        InputError: `label_smoothing` is not in 0..1.

    Label smoothing: Szegedy et al., "Rethinking the Inception Architecture for Computer Vision",
    2015, arXiv:1512.00567, section 7.
    """
    loss = "softmax_cross_entropy"
    with tf.name_scope(scope or "softmax_cross_entropy_loss"):
        require(loss, logits=logits, onehot_labels=onehot_labels)
        logits = check_finite(as_float(logits), f"{loss}: logits")
        labels = as_float(onehot_labels, logits)
        require_same_shape(loss, logits=logits, onehot_labels=labels)
        check_smoothing(loss, label_smoothing)
        labels = check_range(labels, 0, 1, f"{loss}: onehot_labels")
        if label_smoothing:
            classes = tf.cast(tf.shape(logits)[-1], logits.dtype)
            labels = labels * (1 - label_smoothing) + label_smoothing / classes
        losses = tf.nn.softmax_cross_entropy_with_logits(tf.stop_gradient(labels), logits)
        return weighted_loss(loss, losses, weights)


def sparse_softmax_cross_entropy(
    logits: tf.Tensor,
    labels: tf.Tensor,
    weights: Any = 1.0,
    scope: str | None = None,
    label_smoothing: float = 0,
) -> tf.Tensor:
    """Averages the cross-entropy between the softmax of logits and classes given by number.

    Args:
        logits: Float tensor [batch, ..., classes].
        labels: Integer tensor [batch, ...] or [batch, ..., 1], from 0 to classes - 1.
        weights: A scalar, or one weight for each label. See `compute_weighted_loss`.
        scope: Name of the ops, `sparse_softmax_cross_entropy_loss` by default.
        label_smoothing: s in 0..1: the target is 1 - s for the label, and s is shared by all
            classes alike, as in `softmax_cross_entropy`.

    Returns:
        A scalar, which is added to the losses.

    Raises:
        ShapeError: The shapes of logits, labels or weights do not fit.
        InputError: Labels are not integers, or `label_smoothing` is not in 0..1.
    """
    loss = "sparse_softmax_cross_entropy"
    with tf.name_scope(scope or "sparse_softmax_cross_entropy_loss"):
        logits, labels = sparse_inputs(loss, logits, labels)
        check_smoothing(loss, label_smoothing)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
        if label_smoothing:
            # The cross-entropy with the even distribution: log sum exp less the mean logit.
            even = tf.reduce_logsumexp(logits, -1) - tf.reduce_mean(logits, -1)
            losses = losses * (1 - label_smoothing) + even * label_smoothing
        return weighted_loss(loss, losses, weights)


def sparse_inputs(loss: str, logits: Any, labels: Any) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns logits [..., classes] and integer labels [...], checked."""
    require(loss, logits=logits, labels=labels)
    logits = check_finite(as_float(logits), f"{loss}: logits")
    labels = tf.convert_to_tensor(labels)
    if not labels.dtype.is_integer:
        raise InputError(
            f"{here(loss)} needs integer labels, and got {labels.dtype.name}; cast them, or give "
            "softmax_cross_entropy one-hot labels"
        )
    if labels.dtype not in (tf.int32, tf.int64):
        labels = tf.cast(labels, tf.int64)
    if logits.shape.rank is not None and labels.shape.rank == logits.shape.rank:
        if labels.shape[-1] not in (1, None):
            raise _labels_do_not_fit(loss, logits, labels)
        labels = tf.squeeze(labels, -1)
    if logits.shape.rank == 0 or not labels.shape.is_compatible_with(logits.shape[:-1]):
        raise _labels_do_not_fit(loss, logits, labels)
    return logits, check_range(labels, 0, tf.shape(logits)[-1] - 1, f"{loss}: labels")


def check_smoothing(loss: str, label_smoothing: float) -> None:
    """Raises InputError unless a smoothing known now is in 0..1."""
    value = tf.get_static_value(label_smoothing)
    if value is not None and not 0 <= value <= 1:
        raise InputError(f"{here(loss)} takes label_smoothing in 0..1, and got {value}")


def _labels_do_not_fit(loss: str, logits: tf.Tensor, labels: tf.Tensor) -> ShapeError:
    return ShapeError(
        f"{here(loss)} got labels of shape {labels.shape} for logits of shape {logits.shape}; "
        "labels have the shape of logits without the classes, its last dimension"
    )
