"""Initializers scaled to the size of what they fill, so that signals keep their variance."""

from collections.abc import Callable, Sequence
from math import prod, sqrt
from typing import Any

import tensorflow as tf

_MODES = ("FAN_IN", "FAN_OUT", "FAN_AVG")


def xavier_initializer(
    uniform: bool = True, seed: int | None = None, dtype: tf.DType = tf.float32
) -> Callable[..., tf.Tensor]:
    """Returns an initializer that keeps the variance of signals in both directions.

    Values have variance 2 / (fan_in + fan_out), or 1.3 times that before truncation where
    `uniform` is false.

    Args:
        uniform: Whether values are uniform, or else normal and cut off at two deviations.
        seed: Makes the values the same every time.
        dtype: Type of the values where the caller names none.

    Paper: Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural
    networks", 2010, equation 16.
    """
    return variance_scaling_initializer(1.0, "FAN_AVG", uniform, seed, dtype)


xavier_initializer_conv2d = xavier_initializer


def variance_scaling_initializer(
    factor: float = 2.0,
    mode: str = "FAN_IN",
    uniform: bool = False,
    seed: int | None = None,
    dtype: tf.DType = tf.float32,
) -> Callable[..., tf.Tensor]:
    """Returns an initializer whose values have a variance of `factor` / n.

    For weights of shape [*kernel, inputs, outputs], fan_in is prod(kernel) * inputs and fan_out is
    prod(kernel) * outputs. Uniform values lie within sqrt(3 * factor / n) of 0. Normal ones have
    the deviation sqrt(1.3 * factor / n) and are drawn again beyond twice that, which leaves about
    `factor` / n of variance.

    Args:
        factor: 2 for layers followed by a ReLU.
        mode: n is fan_in for "FAN_IN", fan_out for "FAN_OUT", their mean for "FAN_AVG".
        uniform: Whether values are uniform, or else normal and truncated.
        seed: Makes the values the same every time.
        dtype: Type of the values where the caller names none.

    Returns:
        A function `(shape, dtype=dtype, partition_info=None)`.

    Raises:
        TypeError: The type is not a floating one, or the mode is none of these.

    Paper: He et al., "Delving Deep into Rectifiers", 2015, arXiv:1502.01852, equation 10.
    """
    if mode not in _MODES:
        raise TypeError(f"variance_scaling_initializer got mode={mode!r}; it takes {_MODES}")
    _check_floating(dtype)

    def initializer(
        shape: Sequence[int], dtype: tf.DType = dtype, partition_info: Any = None
    ) -> tf.Tensor:
        dtype = _check_floating(dtype)
        # A part of a variable is filled like the whole.
        whole = list(shape if partition_info is None else partition_info.full_shape)
        n = max(1.0, _fan(whole, mode))
        if uniform:
            limit = sqrt(3.0 * factor / n)
            return tf.random.uniform(shape, -limit, limit, dtype, seed)
        return tf.random.truncated_normal(shape, 0.0, sqrt(1.3 * factor / n), dtype, seed)

    return initializer


def _fan(shape: Sequence[int], mode: str) -> float:
    if not shape:
        return 1.0
    kernel = prod(map(float, shape[:-2]))
    fan_in, fan_out = kernel * shape[-2:][0], kernel * shape[-1]
    return {"FAN_IN": fan_in, "FAN_OUT": fan_out, "FAN_AVG": (fan_in + fan_out) / 2}[mode]


def _check_floating(dtype: tf.DType) -> tf.DType:
    if not tf.as_dtype(dtype).is_floating:
        name = tf.as_dtype(dtype).name
        raise TypeError(f"variance_scaling_initializer makes floating point values, not {name}")
    return dtype
