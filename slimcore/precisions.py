"""The number type in which layers compute: `with slim.precision("mixed_bfloat16"):`.

Variables, normalization statistics, losses and what a `slim.Module` returns stay in float32. The
precision in force belongs to the current thread or async task; under a `tf.distribute` strategy,
whose replicas run in threads of their own, give it to the `Module`.
"""

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

import tensorflow as tf

from slimcore.errors import InputError, close

_COMPUTE = {
    "float32": tf.float32,
    "mixed_bfloat16": tf.bfloat16,
    "mixed_float16": tf.float16,
}

_LOW = (tf.bfloat16, tf.float16)

_current: ContextVar[tf.DType | None] = ContextVar("precision", default=None)


def check(name: str) -> str:
    """Returns the name of a precision.

    Raises:
        InputError: No precision has this name.
    """
    if name not in _COMPUTE:
        raise InputError(
            f"no precision is named {name!r}{close(name, _COMPUTE)}. "
            f"All of them: {', '.join(_COMPUTE)}"
        )
    return name


@contextlib.contextmanager
def precision(name: str | None) -> Iterator[None]:
    """Sets the number type in which the layers called inside compute.

    Args:
        name: "mixed_bfloat16", for processors and GPUs that have it; "mixed_float16", for GPUs,
            whose small gradients need a loss scale; "float32"; or None, to change nothing.

    Raises:
        InputError: No precision has this name.
    """
    token = _current.set(_current.get() if name is None else _COMPUTE[check(name)])
    try:
        yield
    finally:
        _current.reset(token)


def computing(value: Any) -> Any:
    """Returns a tensor or a variable in the type to compute in; integers stay as they are."""
    wanted = _current.get()
    if wanted is None or value.dtype == wanted or value.dtype not in (tf.float32, *_LOW):
        return value
    return tf.cast(value, wanted)


def variable_dtype(inputs: Any) -> tf.DType:
    """Returns the type of the variables of a layer with these inputs."""
    dtype = inputs.dtype.base_dtype
    return tf.float32 if _current.get() is not None and dtype in _LOW else dtype


def in_float32(structure: Any) -> Any:
    """Returns a nested structure; where the precision in force is low, its tensors in float32."""
    if _current.get() not in _LOW:
        return structure

    def leaf(value: Any) -> Any:
        low = tf.is_tensor(value) and getattr(value, "dtype", None) in _LOW
        return tf.cast(value, tf.float32) if low else value

    return tf.nest.map_structure(leaf, structure)
