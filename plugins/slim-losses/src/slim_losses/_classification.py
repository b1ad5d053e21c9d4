"""Losses of classifiers, from logits or probabilities."""

from typing import Any

import tensorflow as tf

from slim_losses._inputs import as_float, here, paired, require
from slim_losses._weighting import weighted_loss
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
        label_smoothing: s from 0 to 1: labels become `onehot_labels * (1 - s) + s / classes`.
        scope: Name of the ops, `softmax_cross_entropy_loss` by default.

    Returns:
        A scalar, which is added to the losses.

    Raises:
        ShapeError: The shapes of logits, labels or weights do not fit.
        InputError: `label_smoothing` is not from 0 to 1.

    Label smoothing: Szegedy et al., "Rethinking the Inception Architecture for Computer Vision",
    2015, arXiv:1512.00567, section 7.
    """
    loss = "softmax_cross_entropy"
    with tf.name_scope(scope or "softmax_cross_entropy_loss"):
        logits, labels = paired(loss, logits=logits, onehot_labels=onehot_labels)
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
        label_smoothing: s from 0 to 1: the target is 1 - s for the label, and s is shared by all
            classes alike, as in `softmax_cross_entropy`.

    Returns:
        A scalar, which is added to the losses.

    Raises:
        ShapeError: The shapes of logits, labels or weights do not fit.
        InputError: Labels are not integers, or `label_smoothing` is not from 0 to 1.
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


def sigmoid_cross_entropy(
    logits: tf.Tensor,
    multi_class_labels: tf.Tensor,
    weights: Any = 1.0,
    label_smoothing: float = 0,
    scope: str | None = None,
) -> tf.Tensor:
    """Averages the cross-entropy of every logit with a label of its own, classes being independent.

    Args:
        logits: Float tensor [batch, ...], usually [batch, classes].
        multi_class_labels: Tensor of that shape, from 0 to 1.
        weights: A scalar, or a tensor that fits the logits. See `compute_weighted_loss`.
        label_smoothing: s from 0 to 1: labels become `multi_class_labels * (1 - s) + s / 2`.
        scope: Name of the ops, `sigmoid_cross_entropy_loss` by default.

    Returns:
        A scalar, which is added to the losses.

    Raises:
        ShapeError: The shapes of logits, labels or weights do not fit.
        InputError: `label_smoothing` is not from 0 to 1.
    """
    loss = "sigmoid_cross_entropy"
    with tf.name_scope(scope or "sigmoid_cross_entropy_loss"):
        logits, labels = paired(loss, logits=logits, multi_class_labels=multi_class_labels)
        check_smoothing(loss, label_smoothing)
        labels = check_range(labels, 0, 1, f"{loss}: multi_class_labels")
        if label_smoothing:
            labels = labels * (1 - label_smoothing) + 0.5 * label_smoothing
        losses = tf.nn.sigmoid_cross_entropy_with_logits(labels, logits)
        return weighted_loss(loss, losses, weights)


def log_loss(
    predictions: tf.Tensor,
    labels: tf.Tensor | None = None,
    weights: Any = 1.0,
    epsilon: float = 1e-07,
    scope: str | None = None,
) -> tf.Tensor:
    """Averages the cross-entropy of probabilities with labels, each by itself.

    Args:
        predictions: Float tensor of any shape, from 0 to 1.
        labels: Tensor of that shape, from 0 to 1.
        weights: A scalar, or a tensor that fits the predictions. See `compute_weighted_loss`.
        epsilon: Added to what the logarithm is taken of, to keep it finite.
        scope: Name of the ops, `log_loss` by default.

    Returns:
        A scalar, which is added to the losses: the mean of
        `-labels * log(p + epsilon) - (1 - labels) * log(1 - p + epsilon)`.

    Raises:
        ShapeError: The shapes of predictions, labels or weights do not fit.
    """
    loss = "log_loss"
    with tf.name_scope(scope or "log_loss"):
        predictions, labels = paired(loss, predictions=predictions, labels=labels)
        predictions = check_range(predictions, 0, 1, f"{loss}: predictions")
        labels = check_range(labels, 0, 1, f"{loss}: labels")
        losses = -labels * tf.math.log(predictions + epsilon)
        losses -= (1 - labels) * tf.math.log(1 - predictions + epsilon)
        return weighted_loss(loss, losses, weights)


def hinge_loss(
    logits: tf.Tensor, labels: tf.Tensor | None = None, scope: str | None = None
) -> tf.Tensor:
    """Measures by how much each logit falls short of a margin of 1 on the side of its label.

    Unlike the other losses it is not averaged and not added to the losses: give the result to
    `compute_weighted_loss`, which does both.

    Args:
        logits: Float tensor of any shape.
        labels: Tensor of that shape, 0 or 1.
        scope: Name of the ops, `hinge_loss` by default.

    Returns:
        Tensor of that shape: `max(0, 1 - (2 * labels - 1) * logits)`.

    Raises:
        ShapeError: Logits and labels have different shapes.
    """
    loss = "hinge_loss"
    with tf.name_scope(scope or "hinge_loss"):
        logits, labels = paired(loss, logits=logits, labels=labels)
        labels = check_range(labels, 0, 1, f"{loss}: labels")
        return tf.nn.relu(1 - (2 * labels - 1) * logits)


def focal_loss(
    logits: tf.Tensor,
    labels: tf.Tensor,
    weights: Any = 1.0,
    alpha: float | None = 0.25,
    gamma: float = 2.0,
    scope: str | None = None,
) -> tf.Tensor:
    """Averages a sigmoid cross-entropy in which well classified elements count little.

    Args:
        logits: Float tensor [batch, ...], usually [batch, anchors, classes].
        labels: Tensor of that shape, 0 or 1.
        weights: A scalar, or a tensor that fits the logits. See `compute_weighted_loss`.
        alpha: Weight of the positive elements; the negative ones have 1 - alpha. None weighs both
            with 1.
        gamma: Power of the factor (1 - p)^gamma, p being the probability given to the label. At 0
            this is `sigmoid_cross_entropy`, but for `alpha`.
        scope: Name of the ops, `focal_loss` by default.

    Returns:
        A scalar, which is added to the losses. It is a mean over all elements; the paper divides
        by the number of positive ones instead.

    Raises:
        ShapeError: The shapes of logits, labels or weights do not fit.

    Paper: Lin et al., "Focal Loss for Dense Object Detection", 2017, arXiv:1708.02002, equation 5.
    """
    loss = "focal_loss"
    with tf.name_scope(scope or "focal_loss"):
        logits, labels = paired(loss, logits=logits, labels=labels)
        labels = check_range(labels, 0, 1, f"{loss}: labels")
        losses = tf.nn.sigmoid_cross_entropy_with_logits(labels, logits)
        # log(1 - p), in a form whose gradient stays finite as p reaches 1.
        log_of_rest = -tf.nn.softplus(logits * (2 * labels - 1))
        losses *= tf.exp(gamma * log_of_rest)
        if alpha is not None:
            losses *= alpha * labels + (1 - alpha) * (1 - labels)
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
    """Raises InputError unless a smoothing known at this point is from 0 to 1."""
    value = tf.get_static_value(label_smoothing)
    if value is not None and not 0 <= value <= 1:
        raise InputError(f"{here(loss)} takes label_smoothing from 0 to 1, and got {value}")


def _labels_do_not_fit(loss: str, logits: tf.Tensor, labels: tf.Tensor) -> ShapeError:
    return ShapeError(
        f"{here(loss)} got labels of shape {labels.shape} for logits of shape {logits.shape}; "
        "labels have the shape of logits without the classes, its last dimension"
    )
