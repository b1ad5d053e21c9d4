"""What every loss asks of its inputs, and the errors that say so."""

from typing import Any

import tensorflow as tf

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


def require_same_shape(loss: str, **two: tf.Tensor) -> None:
    """Raises ShapeError unless two inputs, given by name, have the same static shape."""
    (name, one), (other_name, other) = two.items()
    if not one.shape.is_compatible_with(other.shape):
        raise ShapeError(
            f"{here(loss)} needs {name} and {other_name} of one shape, and got "
            f"{one.shape} and {other.shape}"
        )


def require_rank(loss: str, rank: int, **inputs: tf.Tensor) -> None:
    """Raises ShapeError unless each input has this many dimensions."""
    for name, value in inputs.items():
        if value.shape.rank not in (None, rank):
            raise ShapeError(
                f"{here(loss)} needs {name} with {rank} dimensions, and got the shape {value.shape}"
            )


def here(loss: str) -> str:
    """Returns how an error names a loss: its name, and the scope that it is in."""
    return f"{loss} (scope {tf.get_current_name_scope()!r})"
