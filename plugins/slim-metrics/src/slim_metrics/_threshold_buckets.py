"""Counts of right and wrong answers at many thresholds, in one pass over the predictions.

A prediction above a threshold is positive. Each prediction goes into the bucket whose number says
how many thresholds lie below it; from the sums of weights by bucket, running sums give the counts
at every threshold. So a batch costs O(predictions), not O(predictions × thresholds).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import tensorflow as tf

from slim_metrics._state import Metric, Sums, ratio
from slim_metrics._weighting import bincount, broadcast, is_positive, matched
from slimcore.debugging import check_range
from slimcore.errors import InputError

_BUCKETS = "buckets"
# Computing a bucket in float32 stays within half a threshold up to here.
_MOST_EVEN = 1 << 20


@dataclass(frozen=True)
class Thresholds:
    """Thresholds in the order given, and what finds the bucket of a prediction.

    Attributes:
        given: float32 [T].
        reached: Whether a threshold that a prediction equals counts as below it.
        of_probabilities: Whether predictions are to lie from 0 to 1.
    """

    given: np.ndarray
    reached: bool = False
    of_probabilities: bool = False

    @cached_property
    def order(self) -> np.ndarray:
        return np.argsort(self.given, kind="stable")

    @cached_property
    def ascending(self) -> np.ndarray:
        return self.given[self.order]

    @cached_property
    def step(self) -> float | None:
        """The distance from one to the next, or None where that varies."""
        count, first, last = len(self.given), float(self.ascending[0]), float(self.ascending[-1])
        if not 2 <= count <= _MOST_EVEN or not first < last:
            return None
        step = (last - first) / (count - 1)
        even = first + step * np.arange(count)
        return step if np.all(np.abs(self.ascending - even) < 0.25 * step) else None

    def below(self, predictions: tf.Tensor) -> tf.Tensor:
        """Returns how many thresholds are below each prediction; none are below NaN. int32."""
        if self.step is None:
            side = "right" if self.reached else "left"
            flat = tf.searchsorted(self.ascending, tf.reshape(predictions, [-1]), side)
            return tf.reshape(flat, tf.shape(predictions))
        # Of even thresholds only the nearest needs a look. It is bounded before the cast, which is
        # undefined beyond int32, and after it for NaN, of which the cast makes 0 or less.
        last = len(self.given) - 1
        nearest = predictions * np.float32(1 / self.step)
        nearest += np.float32(0.5 - self.ascending[0] / self.step)
        index = tf.maximum(tf.cast(tf.clip_by_value(nearest, 0.0, last + 0.5), tf.int32), 0)
        threshold = tf.gather(self.ascending, index)
        above = predictions >= threshold if self.reached else predictions > threshold
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
        InputError: There would be less than 2.
    """
    if count < 2:
        raise InputError(f"{m} got num_thresholds={count}; pass 2 or more")
    epsilon = 1e-7
    inner = [i / (count - 1) for i in range(1, count - 1)]
    return Thresholds(
        np.asarray([-epsilon, *inner, 1 + epsilon], np.float32), of_probabilities=True
    )


def bucket_sums(
    m: Metric, predictions: Any, labels: Any, thresholds: Thresholds, weights: Any
) -> dict[str, tf.Tensor]:
    """Returns what one batch adds to the state: sums of weights by label and bucket, [2, T + 1]."""
    predictions, labels, weights = matched(m, predictions, labels, weights)
    predictions = tf.cast(predictions, tf.float32)
    if thresholds.of_probabilities:
        predictions = check_range(predictions, 0, 1, f"{m}: predictions")
    if weights is not None:
        weights = broadcast(m, weights, predictions)
    size = len(thresholds.given) + 1
    positive = tf.cast(is_positive(m, labels), tf.int32)
    bins = thresholds.below(predictions) + size * positive
    return {_BUCKETS: tf.reshape(bincount(bins, weights, 2 * size), [2, size])}


def counts_of(sums: Sums, thresholds: Thresholds) -> Counts:
    """Returns the counts at each threshold from the state."""
    buckets = sums[_BUCKETS]
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
