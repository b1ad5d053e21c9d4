"""What every loss asks of its inputs, and the errors that say so."""

from typing import Any

import tensorflow as tf

from slimcore.debugging import check_finite
from slimcore.errors import InputError, ShapeError


def as_float(value: Any, like: tf.Tensor | None = None) -> tf.Tensor:
    """Converts to a float tensor of at least 32 bits, or to the type of `like`."""
    value = tf.convert_to_tensor(value)
    if like is not None:
        return tf.cast(value, like.dtype)
    return value if value.dtype in (tf.float32, tf.float64) else tf.cast(value, tf.float32)


def require(loss: str, **inputs: Any) -> None:
    """Raises InputError if an input is None."""
    for name, value in inputs.items():
        if value is None:
            raise InputError(f"{here(loss)} needs {name}, and got None")


def paired(loss: str, **two: Any) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns two inputs, given by name, as floats of one type and one shape.

    Raises:
        InputError: One of them is None; or, when checking, the first has a NaN.
        ShapeError: Their static shapes differ.
    """
    require(loss, **two)
    (name, value), (other_name, other_value) = two.items()
    one = check_finite(as_float(value), f"{loss}: {name}")
    other = as_float(other_value, one)
    if not one.shape.is_compatible_with(other.shape):
        raise ShapeError(
            f"{here(loss)} needs {name} and {other_name} of one shape, and got "
            f"{one.shape} and {other.shape}"
        )
    return one, other


def here(loss: str) -> str:
    """Returns how an error names a loss: its name, and the scope that it is in."""
    return f"{loss} (scope {tf.get_current_name_scope()!r})"


def printed(value: tf.Tensor, *what: Any) -> tf.Tensor:
    """Returns `value`, and prints `what` to the standard error whenever it is computed."""
    with tf.control_dependencies([tf.print(*what)]):
        return tf.identity(value)
