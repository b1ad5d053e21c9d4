"""`slim.model_analyzer`: counts the values in variables and in the outputs of a graph's ops."""

import math
from collections.abc import Iterable
from typing import Any

import tensorflow as tf

__all__ = ["analyze_ops", "analyze_vars", "tensor_description"]

_LINE = "---------"


def tensor_description(var: Any) -> str:
    """Returns type and shape of a tensor or a variable, such as `(float32 3x4)`.

    Args:
        var: Tensor or variable. A size that is not known is shown as `?`.
    """
    return f"({tf.as_dtype(var.dtype).base_dtype.name} {_shape(var)})"


def analyze_vars(variables: Iterable[Any], print_info: bool = False) -> tuple[int, int]:
    """Counts the values in variables, and their bytes.

    Args:
        variables: Variables, of a graph or of a `slim.Module`.
        print_info: Whether to print a line for each.

    Returns:
        The number of values, and the number of bytes.
    """
    lines, total, total_bytes = [], 0, 0
    for variable in variables:
        size = _size(variable)
        size_bytes = size * tf.as_dtype(variable.dtype).size
        total, total_bytes = total + size, total_bytes + size_bytes
        lines.append(
            f"{variable.name} {tensor_description(variable)} [{size}, bytes: {size_bytes}]"
        )
    if print_info:
        _print("Variables: name (type shape) [size]", lines)
        print(f"Total size of variables: {total}")
        print(f"Total bytes of variables: {total_bytes}")
    return total, total_bytes


def analyze_ops(graph: tf.Graph, print_info: bool = False) -> int:
    """Counts the values in the outputs of all ops of a graph.

    Args:
        graph: The graph. An output of unknown size counts as 0.
        print_info: Whether to print a line for each op.

    Returns:
        The number of values.
    """
    lines, total = [], 0
    for op in graph.get_operations():
        size = sum(_size(output) for output in op.outputs)
        total += size
        shown = ", ".join(tensor_description(output) for output in op.outputs)
        lines.append(f"{op.name} \t-> {shown} [{size}]")
    if print_info:
        _print("Operations: name -> (type shapes) [size]", lines)
    return total


def _print(title: str, lines: Iterable[str]) -> None:
    print("\n".join([_LINE, title, _LINE, *lines]))


def _shape(tensor: Any) -> str:
    shape = tf.TensorShape(tensor.shape)
    if shape.rank is None:
        return "?"
    return "x".join("?" if size is None else str(size) for size in shape.as_list())


def _size(tensor: Any) -> int:
    shape = tf.TensorShape(tensor.shape)
    return math.prod(shape.as_list()) if shape.is_fully_defined() else 0
