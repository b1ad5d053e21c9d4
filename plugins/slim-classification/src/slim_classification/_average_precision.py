"""Streaming metrics of each class where an image has several labels."""

from typing import Any

import tensorflow as tf
from slim_metrics import metric

# Logits are sorted into so many buckets from -LIMIT to LIMIT; those of one bucket count as equal.
BUCKETS, LIMIT = 4000, 20.0


def average_precision(logits: tf.Tensor, labels: tf.Tensor) -> Any:
    """Computes the average precision of each class so far.

    It is the sum over thresholds of the precision times what the recall gains, without
    interpolation, as scikit-learn's `average_precision_score` has it. Logits within 0.01 of each
    other, the width of a bucket, are taken as equal.

    Args:
        logits: Tensor [batch, classes].
        labels: Tensor of that shape, 1 where the class applies, else 0.

    Returns:
        The value and the update, float32 [classes]; NaN for a class without a positive label.
    """
    classes = int(logits.shape[-1])
    clipped = tf.clip_by_value(tf.cast(logits, tf.float32), -LIMIT, LIMIT)
    bucket = tf.cast((clipped + LIMIT) * (BUCKETS / (2 * LIMIT)), tf.int32)
    bucket = tf.clip_by_value(bucket, 0, BUCKETS - 1)
    column = tf.range(classes)[tf.newaxis]
    positive = tf.cast(labels > 0, tf.int32)
    bins = tf.reshape((positive * classes + column) * BUCKETS + bucket, [-1])
    size = 2 * classes * BUCKETS
    counts = tf.math.bincount(bins, minlength=size, maxlength=size, dtype=tf.int32)
    with metric("average_precision", None, "average_precision") as m:
        return m.add_up(
            {"buckets": tf.reshape(counts, [2, classes, BUCKETS])},
            lambda sums: _of_buckets(sums["buckets"]),
        )


def _of_buckets(counts: tf.Tensor) -> tf.Tensor:
    gained = counts[1]
    false, true = tf.unstack(tf.cumsum(counts, axis=-1, reverse=True))
    precision = tf.math.divide_no_nan(true, true + false)
    return tf.reduce_sum(precision * gained, -1) / tf.reduce_sum(gained, -1)


def counts_at(threshold: float, logits: tf.Tensor, labels: tf.Tensor) -> Any:
    """Counts the true positives, false positives and false negatives of each class so far.

    Args:
        threshold: A class is predicted where its probability, the sigmoid, is above it.
        logits: Tensor [batch, classes].
        labels: Tensor of that shape, 1 where the class applies, else 0.

    Returns:
        The value and the update, float64 [3, classes].
    """
    predicted, actual = tf.sigmoid(logits) > threshold, labels > 0
    found = [predicted & actual, predicted & ~actual, ~predicted & actual]
    counts = tf.stack([tf.math.count_nonzero(each, 0, dtype=tf.float64) for each in found])
    with metric("counts", None, "counts") as m:
        return m.add_up({"counts": counts}, lambda sums: sums["counts"], dtype=tf.float64)
