"""What `slim data stats` counts: the classes, sizes and brightness of a split."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import tensorflow as tf

from slim_data._pipeline import iterate, load
from slim_data.dataset import Dataset
from slimcore.data_errors import explain_by, explained


@dataclass
class Statistics:
    """What a split consists of.

    Attributes:
        examples: How many there are.
        labels: How many of each label.
        sizes: How many images of each (height, width).
        channels: How many images of each number of channels.
        mean: Mean of each channel, 0 to 255, every pixel counting the same.
        std: Standard deviation of each channel.
    """

    examples: int = 0
    labels: Counter[int] = field(default_factory=Counter)
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    channels: Counter[int] = field(default_factory=Counter)
    mean: Sequence[float] = ()
    std: Sequence[float] = ()


def statistics(
    dataset: Dataset, skip_corrupt: int = 0, advance: Callable[[int], None] = lambda count: None
) -> Statistics:
    """Reads every example of a dataset and sums it up.

    Args:
        dataset: What to read.
        skip_corrupt: As in `slim.data.load`.
        advance: Told how many more examples are done.

    Raises:
        DataError: An example cannot be read.
    """

    @tf.autograph.experimental.do_not_convert
    def sums(example: dict[str, tf.Tensor]) -> tuple[tf.Tensor, ...]:
        pixels = tf.cast(example["image"][0], tf.float64)
        # Around 128, so that the squares lose no digits.
        pixels = pixels - 128.0
        label = example["label"][0] if "label" in example else tf.constant(-1, tf.int64)
        return (
            label,
            tf.shape(pixels),
            tf.reduce_sum(pixels, [0, 1]),
            tf.reduce_sum(pixels * pixels, [0, 1]),
        )

    batches = load(dataset, batch_size=1, skip_corrupt=skip_corrupt)
    result, pixels = Statistics(), 0
    total: Any = 0.0
    squares: Any = 0.0
    summed = batches.map(sums, tf.data.AUTOTUNE).prefetch(64)
    explain_by(summed, lambda error: explained(batches, error))
    for label, shape, one, two in iterate(summed):
        height, width, channels = shape.numpy().tolist()
        result.examples += 1
        result.labels[int(label)] += 1
        result.sizes[height, width] += 1
        result.channels[channels] += 1
        total, squares, pixels = total + one.numpy(), squares + two.numpy(), pixels + height * width
        advance(1)
    if pixels and len(result.channels) == 1:
        mean = total / pixels
        result.mean = (mean + 128.0).tolist()
        result.std = np.sqrt(np.maximum(squares / pixels - mean**2, 0.0)).tolist()
    return result
