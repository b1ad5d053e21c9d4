"""Losses of segmentation: how far two regions are from covering each other."""

from typing import Any

import tensorflow as tf

from slim_losses._inputs import here, paired
from slim_losses._weighting import weighted_loss
from slimcore.debugging import check_range
from slimcore.errors import ShapeError


def dice_loss(
    predictions: tf.Tensor,
    labels: tf.Tensor,
    weights: Any = 1.0,
    smooth: float = 1.0,
    scope: str | None = None,
) -> tf.Tensor:
    """Averages 1 less the Dice overlap of predicted and true regions, over examples and classes.

    Args:
        predictions: Float tensor [batch, ..., classes] of probabilities from 0 to 1.
        labels: Tensor of that shape, from 0 to 1, such as one-hot labels.
        weights: A scalar, or one weight for each region: [batch] or [batch, classes]. See
            `compute_weighted_loss`.
        smooth: Added above and below the fraction, so that two empty regions overlap wholly.
        scope: Name of the ops, `dice_loss` by default.

    Returns:
        A scalar, which is added to the losses: the mean of
        `1 - (2 * sum(p * l) + smooth) / (sum(p²) + sum(l²) + smooth)`.

    Raises:
        ShapeError: The shapes of predictions, labels or weights do not fit, or nothing lies
            between batch and classes.

    Paper: Milletari et al., "V-Net: Fully Convolutional Neural Networks for Volumetric Medical
    Image Segmentation", 2016, arXiv:1606.04797, section 3.
    """
    loss = "dice_loss"
    with tf.name_scope(scope or "dice_loss"):
        predictions, labels = paired(loss, predictions=predictions, labels=labels)
        if predictions.shape.rank is not None and predictions.shape.rank < 3:
            raise ShapeError(
                f"{here(loss)} needs predictions [batch, ..., classes] with a dimension between, "
                f"and got the shape {predictions.shape}"
            )
        predictions = check_range(predictions, 0, 1, f"{loss}: predictions")
        labels = check_range(labels, 0, 1, f"{loss}: labels")
        region = tf.range(1, tf.rank(predictions) - 1)
        common = tf.reduce_sum(predictions * labels, region)
        sizes = tf.reduce_sum(tf.square(predictions) + tf.square(labels), region)
        losses = 1 - (2 * common + smooth) / (sizes + smooth)
        return weighted_loss(loss, losses, weights)
