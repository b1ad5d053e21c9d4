"""Sizes of tensors that are known in part."""

from typing import Any

import tensorflow as tf


def sizes(tensor: tf.Tensor) -> list[Any]:
    """Returns the sizes of all axes: integers where they are known, scalar tensors elsewhere."""
    known = tensor.shape.as_list()
    if None not in known:
        return list(known)
    at_run_time = tf.shape(tensor)
    return [at_run_time[axis] if size is None else size for axis, size in enumerate(known)]
