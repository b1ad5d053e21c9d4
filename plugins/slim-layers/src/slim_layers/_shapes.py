"""Sizes of tensors that are known in part."""

from typing import Any

import tensorflow as tf


def sizes(tensor: tf.Tensor) -> list[Any]:
    """Returns the sizes of all axes: integers where they are known, scalar tensors elsewhere."""
    known, dynamic = tensor.shape.as_list(), tf.shape(tensor)
    return [dynamic[axis] if size is None else size for axis, size in enumerate(known)]
