"""Checks of values, such as labels out of range, that cost time and are off by default.

`slim.debug_checks()` or the environment variable SLIM_DEBUG=1 turns them on. Losses and metrics
pass their inputs through the helpers here, which return them as they are when the checks are off.
When they are on, a bad value raises `InputError` in eager mode, and
`tf.errors.InvalidArgumentError` when a graph or a `tf.function` that was built with them runs.
"""

import os
from types import TracebackType
from typing import Any

import tensorflow as tf

from slimcore.errors import InputError

# A plain flag: the threads in which tf.distribute runs replicas inherit no context variables.
_on = os.environ.get("SLIM_DEBUG", "") not in ("", "0")


class _Setting:
    """Puts the checks back as they were at the end of a `with`."""

    def __init__(self, before: bool) -> None:
        self._before = before

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        debug_checks(self._before)


def debug_checks(on: bool = True) -> _Setting:
    """Turns the checks of values on or off, from here on or for one `with` block.

    A graph or a `tf.function` keeps the checks that were on when it was built or traced.

        slim.debug_checks()
        with slim.debug_checks():
            loss = slim.losses.sparse_softmax_cross_entropy(logits, labels)

    Args:
        on: Whether values are checked.

    Returns:
        What `with` takes; it puts the checks back as they were. May be ignored.
    """
    global _on
    before, _on = _on, on
    return _Setting(before)


def checking() -> bool:
    """Returns whether values are checked here."""
    return _on


def check_finite(value: Any, what: str) -> Any:
    """Returns `value`; when checking, no element of it may be NaN or infinite.

    Args:
        value: A tensor. Integers pass.
        what: What it is, to begin the error with: "log_loss: predictions".
    """
    if not _on or not (value.dtype.is_floating or value.dtype.is_complex):
        return value
    bad = tf.reduce_sum(tf.cast(~_is_finite(value), tf.int32))
    data = [f"{what} must be finite; NaN or infinite elements:", bad, "of", tf.size(value)]
    return checked(value, tf.equal(bad, 0), data)


def check_not_negative(value: Any, what: str) -> Any:
    """Returns `value`; when checking, no element of it may be negative or NaN."""
    if not _on:
        return value
    low = tf.reduce_min(value)
    good = tf.reduce_all(value >= 0)
    return checked(value, good, [f"{what} must not be negative; the smallest is", low])


def check_range(value: Any, low: Any, high: Any, what: str) -> Any:
    """Returns `value`; when checking, its elements must lie in low..high, both included.

    Args:
        value: A tensor of numbers.
        low: The smallest value allowed, a number or a scalar tensor.
        high: The largest one.
        what: What it is, to begin the error with: "sparse_softmax_cross_entropy: labels".
    """
    if not _on:
        return value
    low, high = tf.cast(low, value.dtype), tf.cast(high, value.dtype)
    good = tf.reduce_all((value >= low) & (value <= high))
    found = [tf.reduce_min(value), "to", tf.reduce_max(value)]
    data = [f"{what} must lie in", low, "to", high, "and range from", *found]
    return checked(value, good, data)


def _is_finite(value: Any) -> Any:
    if value.dtype.is_complex:
        return tf.math.is_finite(tf.math.real(value)) & tf.math.is_finite(tf.math.imag(value))
    return tf.math.is_finite(value)


@tf.autograph.experimental.do_not_convert
def checked(value: Any, good: Any, data: list[Any]) -> Any:
    """Returns `value`, and raises wherever `good` is false, debug checks on or off.

    Args:
        value: A tensor.
        good: A scalar boolean tensor.
        data: What the error says: strings and scalar tensors.
    """
    if tf.executing_eagerly():
        if not good:
            parts = (part if isinstance(part, str) else str(part.numpy()) for part in data)
            raise InputError(" ".join(parts))
        return value
    with tf.control_dependencies([tf.debugging.Assert(good, data)]):
        return tf.identity(value)
