"""Counts of right and wrong answers at many thresholds, in one pass over the predictions.

A prediction above a threshold is positive. Each prediction goes into the bucket whose number says
how many thresholds lie below it; from the sums of weights by bucket, running sums give the counts
at every threshold. So a batch costs O(predictions), not O(predictions × thresholds).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import tensorflow as tf

from slim_metrics._state import Metric, Refused, ValueAndUpdate, ratio
from slim_metrics._weighting import bincount, broadcast, is_positive, matched
from slimcore.debugging import check_range
from slimcore.errors import InputError

_BUCKETS = "buckets"
# Computing a bucket in float32 stays within half a threshold up to here.
_MOST_EVEN = 1 << 20
# Probabilities lie between these; so much is left to rounding.
_LOW, _HIGH = np.float32(-1e-7), np.float32(1 + 1e-7)


@dataclass(frozen=True)
class Thresholds:
    """Thresholds in the order given, and what finds the bucket of a prediction.

    Where all thresholds are from 0 to 1, so are predictions. Otherwise they may be any number.

    Attributes:
        given: float32 [T].
        reached: Whether a threshold that a prediction equals counts as below it.
    """

    given: np.ndarray
    reached: bool = False

    @cached_property
    def order(self) -> np.ndarray:
        return np.argsort(self.given, kind="stable")

    @cached_property
    def ascending(self) -> np.ndarray:
        return self.given[self.order]

    @cached_property
    def of_probabilities(self) -> bool:
        return bool(self.ascending[0] >= _LOW and self.ascending[-1] <= _HIGH)

    @cached_property
    def step(self) -> float | None:
        """The distance from one to the next, or None where that varies."""
        count, first, last = len(self.given), float(self.ascending[0]), float(self.ascending[-1])
        if not 2 <= count <= _MOST_EVEN or not first < last:
            return None
        step = (last - first) / (count - 1)
        even = first + step * np.arange(count)
        return step if np.all(np.abs(self.ascending - even) < 0.25 * step) else None

    @cached_property
    def edges(self) -> np.ndarray | None:
        """Thresholds between a lower and an upper fence, beyond which predictions are refused.

        None where one comparison cannot tell a threshold from a fence, since both are too near.
        """
        lowest, highest = self.ascending[0], self.ascending[-1]
        if not self.of_probabilities or self.reached:
            return None
        if lowest == _LOW and highest == _HIGH:
            return self.ascending
        if min(lowest - _LOW, _HIGH - highest) <= 0.8 * (self.step or 0):
            return None
        return np.concatenate([[_LOW], self.ascending, [_HIGH]])

    @property
    def margin(self) -> int:
        """How many buckets on either side are beyond those of T thresholds."""
        return 0 if self.edges is self.ascending else 1

    @property
    def size(self) -> int:
        """How many buckets there are; the first and the last are for what is refused."""
        return len(self.given) + 1 + 2 * self.margin

    def bucket(self, predictions: tf.Tensor) -> tf.Tensor:
        """Returns the bucket of each prediction; that of NaN is the first. int32."""
        if self.edges is not None:
            return self._below(predictions, self.edges)
        low, high = (_LOW, _HIGH) if self.of_probabilities else (-np.inf, np.inf)
        allowed = tf.equal(tf.clip_by_value(predictions, low, high), predictions)
        return tf.where(allowed, 1 + self._below(predictions, self.ascending), 0)

    def _below(self, predictions: tf.Tensor, edges: np.ndarray) -> tf.Tensor:
        """Returns how many edges are below each prediction; none are below NaN. int32."""
        if self.step is None:
            side = "right" if self.reached else "left"
            flat = tf.searchsorted(edges, tf.reshape(predictions, [-1]), side)
            return tf.reshape(flat, tf.shape(predictions))
        # Of even thresholds only the nearest needs a look. It is bounded before the cast, which is
        # undefined beyond int32, and after it for NaN, of which the cast makes 0 or less.
        last = len(edges) - 1
        before = (len(edges) - len(self.given)) // 2
        nearest = predictions * np.float32(1 / self.step)
        nearest += np.float32(before + 0.5 - self.ascending[0] / self.step)
        index = tf.maximum(tf.cast(tf.clip_by_value(nearest, 0.0, last + 0.5), tf.int32), 0)
        edge = tf.gather(edges, index)
        above = predictions >= edge if self.reached else predictions > edge
        return index + tf.cast(above, tf.int32)


@dataclass(frozen=True)
class Counts:
    """The counts at each threshold, float64 [T], in the order of the thresholds given.

    The rates that are ratios of 0 and 0 are such that a curve through them is whole: all
    positives are found where there are none, no negative is taken for a positive where there are
    none, and what is predicted positive is right where nothing is.
    """

    true_positives: tf.Tensor
    false_positives: tf.Tensor
    true_negatives: tf.Tensor
    false_negatives: tf.Tensor

    @property
    def recall(self) -> tf.Tensor:
        """Which fraction of the positive examples is found, float64 [T]."""
        return _ratio_or_one(self.true_positives, self.false_negatives)

    @property
    def precision(self) -> tf.Tensor:
        """Which fraction of the positive predictions is right, float64 [T]."""
        return _ratio_or_one(self.true_positives, self.false_positives)

    @property
    def false_positive_rate(self) -> tf.Tensor:
        """Which fraction of the negative examples is predicted positive, float64 [T]."""
        return ratio(self.false_positives, self.false_positives + self.true_negatives)

    @property
    def specificity(self) -> tf.Tensor:
        """Which fraction of the negative examples is predicted negative, float64 [T]."""
        return ratio(self.true_negatives, self.false_positives + self.true_negatives)


def given_thresholds(m: Metric, thresholds: Sequence[float]) -> Thresholds:
    """Returns the thresholds that a caller gave, as constants.

    Raises:
        InputError: They are not a list of numbers, or there are none.
    """
    static = tf.get_static_value(tf.convert_to_tensor(thresholds, tf.float32))
    if static is None or static.ndim != 1 or not static.size or np.isnan(static).any():
        raise InputError(f"{m} got thresholds={thresholds!r}; pass a list of one or more numbers")
    return Thresholds(static)


def even_thresholds(m: Metric, count: int) -> Thresholds:
    """Returns thresholds evenly spaced from 0 to 1, of which the first and the last are moved out.

    So the first is below every prediction, and the last above.

    Raises:
        InputError: There would be fewer than 2.
    """
    if count < 2:
        raise InputError(f"{m} got num_thresholds={count}; pass 2 or more")
    inner = [i / (count - 1) for i in range(1, count - 1)]
    return Thresholds(np.asarray([_LOW, *inner, _HIGH], np.float32))


def add_up_buckets(
    m: Metric,
    predictions: Any,
    labels: Any,
    thresholds: Thresholds,
    weights: Any,
    value_of: Callable[[Counts], Any],
    dtype: tf.DType | None = tf.float32,
) -> ValueAndUpdate:
    """Adds one batch to sums of weights by label and bucket, and returns the value and the update.

    Args:
        m: The metric.
        predictions: Numbers of any shape.
        labels: Booleans or 0 and 1, of that shape.
        thresholds: The thresholds.
        weights: None, or weights that fit the labels.
        value_of: Computes the value from the counts.
        dtype: Type of the value; as computed if None.
    """
    predictions, labels, weights = matched(m, predictions, labels, weights)
    predictions = tf.cast(predictions, tf.float32)
    if thresholds.of_probabilities:
        predictions = check_range(predictions, 0, 1, f"{m}: predictions")
    if weights is not None:
        weights = broadcast(m, weights, predictions)
    size = thresholds.size
    positive = tf.cast(is_positive(m, labels), tf.int32)
    bins = thresholds.bucket(predictions) + size * positive
    sums = {_BUCKETS: tf.reshape(bincount(bins, weights, 2 * size), [2, size])}
    if thresholds.of_probabilities:
        message = (
            "some predictions are not from 0 to 1. Pass probabilities, such as tf.sigmoid(logits), "
            "and give those that do not count a weight of 0."
        )
    else:
        message = "some predictions are NaN. Give those that do not count a weight of 0."
    return m.add_up(
        sums,
        lambda s: value_of(_counts_of(s[_BUCKETS], thresholds)),
        dtype=dtype,
        # The first and the last bucket.
        refused=Refused(_BUCKETS, lambda b: tf.reduce_sum(b[:, :: size - 1]), message),
    )


def _counts_of(buckets: tf.Tensor, thresholds: Thresholds) -> Counts:
    """Returns the counts at each threshold from the state."""
    buckets = buckets[:, thresholds.margin : thresholds.size - thresholds.margin]
    back = np.argsort(thresholds.order, kind="stable")
    # Above a threshold are the buckets after it.
    above = tf.cumsum(buckets, 1, exclusive=True, reverse=True)[:, :-1]
    below = tf.cumsum(buckets, 1)[:, :-1]
    if not np.array_equal(back, np.arange(len(back))):
        above, below = tf.gather(above, back, axis=1), tf.gather(below, back, axis=1)
    false_positives, true_positives = tf.unstack(above)
    true_negatives, false_negatives = tf.unstack(below)
    return Counts(true_positives, false_positives, true_negatives, false_negatives)


def _ratio_or_one(part: tf.Tensor, rest: tf.Tensor) -> tf.Tensor:
    whole = part + rest
    return tf.where(whole > 0, ratio(part, whole), 1.0)
