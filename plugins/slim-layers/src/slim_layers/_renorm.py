"""Batch renormalization: the batch's statistics, corrected towards moving ones.

Paper: Ioffe, "Batch Renormalization", 2017, arXiv:1702.03275, algorithm 1.
"""

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from slim_layers._layer import ONES, ZEROS, Layer
from slim_layers._moving import MovingAverages

_LIMITS = ("rmin", "rmax", "dmax")


class Renorm:
    """The moving statistics that one call of `batch_norm` corrects towards."""

    def __init__(
        self, layer: Layer, averages: MovingAverages, clipping: Mapping[str, Any] | None
    ) -> None:
        self._averages = averages
        self._limits = dict(clipping or {})
        for name in self._limits:
            layer.check_choice("renorm_clipping key", name, _LIMITS)
        self._moving_stddev = averages.variable("moving_stddev", ONES)
        self._mean = averages.variable("renorm_mean", ZEROS)
        self._stddev = averages.variable("renorm_stddev", ONES)

    def factors(self, mean: tf.Tensor, stddev: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns r and d of the paper, 1 and 0 outside of training; no gradient goes through."""
        r = stddev / self._stddev
        d = (mean - self._mean) / self._stddev
        if "rmin" in self._limits:
            r = tf.maximum(r, self._limits["rmin"])
        if "rmax" in self._limits:
            r = tf.minimum(r, self._limits["rmax"])
        if "dmax" in self._limits:
            d = tf.clip_by_value(d, -self._limits["dmax"], self._limits["dmax"])
        choose = self._averages.choose
        self._factors = (
            choose(tf.stop_gradient(r), tf.ones_like(r)),
            choose(tf.stop_gradient(d), tf.zeros_like(d)),
        )
        return self._factors

    def move(
        self,
        moving_variance: Any,
        mean: tf.Tensor,
        stddev: tf.Tensor,
        epsilon: float,
        decay: float,
        renorm_decay: float,
    ) -> None:
        """Moves the statistics, and sets the moving variance from the moving deviation."""
        averages = self._averages
        moved = averages.moved(self._moving_stddev, stddev, decay)
        # The deviation includes epsilon, which batch_norm adds again.
        variance = averages.choose(tf.nn.relu(moved * moved - epsilon), moving_variance)
        variance = averages.unless_empty(moving_variance, variance)
        # The factors are those of the statistics before they move.
        with tf.control_dependencies(self._factors):
            averages.set(self._moving_stddev, moved)
            averages.set(moving_variance, variance)
            averages.move(self._mean, mean, renorm_decay)
            averages.move(self._stddev, stddev, renorm_decay)
