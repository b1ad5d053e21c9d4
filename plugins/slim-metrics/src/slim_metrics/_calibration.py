"""How far predicted probabilities agree with how often they come true."""

from typing import Any

import tensorflow as tf

from slim_metrics._state import Names, Refused, Sums, ValueAndUpdate, metric, ratio
from slim_metrics._weighting import bincount, broadcast, is_positive
from slimcore.debugging import check_range
from slimcore.errors import InputError


def streaming_expected_calibration_error(
    predictions: Any,
    labels: Any,
    num_bins: int = 15,
    weights: Any = None,
    metrics_collections: Names = None,
    updates_collections: Names = None,
    name: str | None = None,
) -> ValueAndUpdate:
    """Averages |accuracy - confidence| over bins of all predictions so far by their confidence.

    Each bin counts by its share of the examples. Bins have equal width and contain their upper
    end.

    Args:
        predictions: Probabilities of the classes, [..., num_classes], of which the largest is the
            confidence; or of the positive class, in the shape of `labels`, and then it is the
            confidence itself.
        labels: Class indices, [...]; or booleans or 0 and 1.
        num_bins: How many bins there are from 0 to 1.
        weights: Non-negative, a scalar or of the rank of `labels` with each dimension 1 or equal.
        metrics_collections: Collections that the value is added to.
        updates_collections: Collections that the update is added to.
        name: Scope of the state, "expected_calibration_error" by default.

    Returns:
        The value and the update, float32 scalars from 0 to 1; 0 while the weights sum to 0.

    Raises:
        InputError: `num_bins` is less than 1; or, when the value is read, a confidence with a
            weight was not from 0 to 1, or a label was not a class.
        ShapeError: The shapes do not fit.

    Paper: Guo et al., "On Calibration of Modern Neural Networks", 2017, arXiv:1706.04599, eq. 3.
    """

    def error(sums: Sums) -> tf.Tensor:
        gaps = tf.reduce_sum(tf.abs(sums["right"] - sums["confidence"]))
        return ratio(gaps, tf.reduce_sum(sums["count"]))

    function, default = "streaming_expected_calibration_error", "expected_calibration_error"
    with metric(function, name, default, metrics_collections, updates_collections) as m:
        if num_bins < 1:
            raise InputError(f"{m} got num_bins={num_bins}; pass 1 or more")
        predictions, labels = tf.convert_to_tensor(predictions), tf.convert_to_tensor(labels)
        predictions = check_range(tf.cast(predictions, tf.float32), 0, 1, f"{m}: predictions")
        of_classes = predictions.shape.rank == (labels.shape.rank or 0) + 1
        if not labels.shape.is_compatible_with(predictions.shape[: -1 if of_classes else None]):
            m.refuse_shape(
                "predictions",
                predictions.shape,
                f"needs predictions of the shape of labels, {labels.shape}, or one dimension more",
            )
        if of_classes:
            confidence = tf.reduce_max(predictions, -1)
            right = tf.equal(tf.argmax(predictions, -1), tf.cast(labels, tf.int64))
            known = (labels >= 0) & (labels < tf.cast(tf.shape(predictions)[-1], labels.dtype))
        else:
            confidence, right = predictions, is_positive(m, labels)
            known = tf.ones_like(right)
        weight = tf.ones_like(confidence) if weights is None else broadcast(m, weights, confidence)
        bins = tf.cast(tf.math.ceil(confidence * num_bins), tf.int32) - 1
        bins = tf.clip_by_value(bins, 0, num_bins - 1)
        # What is out of range goes into a bin after the last one.
        known &= (confidence >= 0) & (confidence <= 1 + 1e-6)
        bins = tf.where(known, bins, num_bins)
        counts = bincount(bins, weight, num_bins + 1)
        sums = {"count": counts[:-1], "out_of_range": counts[-1]}
        for name, column in (("confidence", confidence), ("right", tf.cast(right, tf.float32))):
            sums[name] = bincount(bins, weight * column, num_bins)
        message = (
            "some confidences are not from 0 to 1, or labels are not classes. Pass probabilities, "
            "such as tf.nn.softmax(logits), and give those that do not count a weight of 0."
        )
        refused = Refused("out_of_range", tf.identity, message)
        return m.add_up(sums, error, refused=refused)
