"""Padding that does not depend on the size of the map."""

from collections.abc import Sequence

import tensorflow as tf


def fixed_padding(inputs: tf.Tensor, kernel_size: Sequence[int], rate: int = 1) -> tf.Tensor:
    """Pads a map with zeros on all sides, so that a convolution without padding keeps its size.

    "SAME" padding at stride 2 pads an even map at the bottom and right only.

    Args:
        inputs: The map [batch, height, width, channels].
        kernel_size: Height and width of the kernel.
        rate: Distance between the points under the kernel.
    """
    around = []
    for size in kernel_size:
        reach = (size - 1) * rate
        around.append([reach // 2, reach - reach // 2])
    return tf.pad(inputs, [[0, 0], *around, [0, 0]])
