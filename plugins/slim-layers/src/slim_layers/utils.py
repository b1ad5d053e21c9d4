"""`slim.utils`: small helpers of layers and of the networks built from them."""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import tensorflow as tf

from slimcore.collections import add_to_collections, get_collection
from slimcore.collections import clear_collection as empty
from slimcore.errors import InputError, ShapeError


def append_tensor_alias(tensor: Any, alias: str) -> None:
    """Adds a name by which a tensor is found among end points."""
    aliases = getattr(tensor, "aliases", None)
    if aliases is None:
        tensor.aliases = [alias]
    elif alias not in aliases:
        aliases.append(alias)


def get_tensor_aliases(tensor: Any) -> list[str]:
    """Returns the names of a tensor among end points: its aliases, else its own name."""
    aliases = getattr(tensor, "aliases", None)
    if aliases:
        return list(aliases)
    # An eager tensor has no name.
    return [str(getattr(tensor, "name", "")).removesuffix(":0")]


def gather_tensors_aliases(tensors: Iterable[Any]) -> list[str]:
    """Returns the names of all tensors among end points."""
    return [alias for tensor in tensors for alias in get_tensor_aliases(tensor)]


def collect_named_outputs(collections: str | Sequence[str] | None, alias: str, outputs: Any) -> Any:
    """Adds outputs to collections under an alias.

    Args:
        collections: A collection's name, a list of names, or None for nothing to do.
        alias: The name of the outputs among end points.
        outputs: A tensor.

    Returns:
        The outputs.
    """
    if collections:
        append_tensor_alias(outputs, alias)
        add_to_collections(collections, outputs)
    return outputs


def convert_collection_to_dict(
    collection: str, clear_collection: bool = False
) -> "OrderedDict[str, Any]":
    """Returns the end points gathered in a collection, by name, in the order of gathering.

    Args:
        collection: The name given to layers as `outputs_collections`.
        clear_collection: Whether to empty it.
    """
    tensors = list(get_collection(collection))
    if clear_collection:
        empty(collection)
    return OrderedDict((alias, t) for t in tensors for alias in get_tensor_aliases(t))


def get_variable_collections(
    variables_collections: Sequence[str] | Mapping[str, Sequence[str]] | None, name: str
) -> Sequence[str] | None:
    """Returns the collections for the variable of this name, from a list for all or from a dict."""
    if isinstance(variables_collections, Mapping):
        return variables_collections.get(name)
    return variables_collections


def constant_value(value_or_tensor_or_var: Any, dtype: tf.DType | None = None) -> Any:
    """Returns the value of something if it is known while the model is built, else None.

    Args:
        value_or_tensor_or_var: A Python value, which is returned; a tensor; or a variable.
        dtype: Required type of a tensor or variable.

    Raises:
        InputError: It is None, or a tensor of another type.
    """
    value = value_or_tensor_or_var
    if value is None:
        raise InputError("constant_value got None; pass a value, a tensor or a variable")
    if not (tf.is_tensor(value) or isinstance(value, tf.Variable)):
        return value
    if dtype is not None and value.dtype.base_dtype != dtype:
        given, needed = value.dtype.base_dtype.name, tf.as_dtype(dtype).name
        raise InputError(f"constant_value got {given}, and {needed} is needed")
    return None if isinstance(value, tf.Variable) else tf.get_static_value(value)


def static_cond(pred: Any, fn1: Callable[[], Any], fn2: Callable[[], Any]) -> Any:
    """Returns `fn1()` if a Python value is true, else `fn2()`."""
    _check_callable(fn1, fn2)
    return fn1() if pred else fn2()


def smart_cond(
    pred: Any, fn1: Callable[[], Any], fn2: Callable[[], Any], name: str | None = None
) -> Any:
    """Returns `fn1()` if `pred` is true, else `fn2()`, and builds only one where it is known.

    Args:
        pred: A Python value, or a scalar boolean tensor or variable.
        fn1: Function of nothing.
        fn2: Function of nothing, with results of the same types.
        name: Name of the ops, where `pred` is known at run time only.
    """
    _check_callable(fn1, fn2)
    known = constant_value(pred)
    if known is None:
        return tf.compat.v1.cond(pred, true_fn=fn1, false_fn=fn2, name=name)
    return fn1() if known else fn2()


def _check_callable(fn1: Any, fn2: Any) -> None:
    for name, fn in (("fn1", fn1), ("fn2", fn2)):
        if not callable(fn):
            raise TypeError(f"{name} must be a function, not {fn!r}")


def two_element_tuple(int_or_tuple: Any) -> tuple[int, int]:
    """Returns a pair of integers from one integer, for both, or from a sequence of two.

    Raises:
        InputError: It is neither.
    """
    values = int_or_tuple
    if isinstance(values, list | tuple | tf.TensorShape):
        values = [int(v) for v in values]
        if len(values) != 2:
            raise InputError(f"an integer or a sequence of 2 is needed, not {int_or_tuple!r}")
        return values[0], values[1]
    return int(values), int(values)


def n_positive_integers(n: int, value: Any) -> tuple[int, ...]:
    """Returns `n` positive integers from one, for all, or from a sequence of `n`.

    Raises:
        InputError: `value` is neither, or one is below 1.
    """
    if n < 1:
        raise InputError(f"n must be at least 1, not {n}")
    if isinstance(value, list | tuple | tf.TensorShape):
        values = tuple(-1 if v is None else int(v) for v in value)
    else:
        values = (int(value),) * n
    if len(values) != n or min(values) < 1:
        raise InputError(f"a positive integer or a sequence of {n} is needed, not {value!r}")
    return values


def last_dimension(shape: tf.TensorShape, min_rank: int = 1) -> int:
    """Returns the size of the last axis of a shape.

    Raises:
        ShapeError: It is unknown, or the rank is below `min_rank`.
    """
    return _dimension(shape, -1, min_rank)


def channel_dimension(shape: tf.TensorShape, data_format: str | None, min_rank: int = 1) -> int:
    """Returns the number of channels of a shape.

    Args:
        shape: A shape.
        data_format: Channels are axis 1 if it begins with "NC" or is "channels_first", else last.
        min_rank: Least rank to accept.

    Raises:
        ShapeError: The number is unknown, or the rank is below `min_rank`.
    """
    return _dimension(shape, 1 if channels_first(data_format) else -1, min_rank)


def channels_first(data_format: str | None) -> bool:
    """Returns whether a data format puts the channels on axis 1."""
    return data_format is not None and (
        data_format.startswith("NC") or data_format == "channels_first"
    )


def _dimension(shape: tf.TensorShape, axis: int, min_rank: int) -> int:
    shape = tf.TensorShape(shape)
    if shape.rank is None or shape.rank < min_rank:
        raise ShapeError(f"a shape of rank {min_rank} or more is needed, not {shape}")
    size = shape[axis]
    if size is None:
        raise ShapeError(f"axis {axis} of the shape {shape} is unknown; use set_shape")
    return int(size)
