"""The task `number`: the network's one output is a number of the image, such as a digit's value."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import slim_metrics as metrics
import tensorflow as tf
from slim_learning import Task


@dataclass(frozen=True)
class Number(Task):
    """A number for each image, learnt by the squared error.

    Attributes:
        item: The item of an example that holds the number.
        scale: What the network's output is multiplied by: about the largest number there is.
    """

    item: str = "label"
    scale: float = 10.0

    best: ClassVar[Mapping[str, str]] = {"absolute_error": "min", "squared_error": "min"}
    num_outputs = 1

    @property
    def items(self) -> tuple[str]:
        return (self.item,)

    def loss(self, batch: Any, outputs: tf.Tensor, end_points: Any) -> tf.Tensor:
        wanted = tf.cast(batch[self.item], tf.float32) / self.scale
        return tf.reduce_mean((outputs[:, 0] - wanted) ** 2)

    def metrics(self, batch: Any, outputs: tf.Tensor) -> dict[str, Any]:
        found, wanted = outputs[:, 0] * self.scale, tf.cast(batch[self.item], tf.float32)
        return {
            "absolute_error": metrics.streaming_mean_absolute_error(found, wanted),
            "squared_error": metrics.streaming_mean_squared_error(found, wanted),
        }

    def predict(self, outputs: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"number": outputs[:, 0] * self.scale}

    def describe(self, prediction: Mapping[str, Any], top: int) -> str:
        return f"{prediction['number']:.2f}"
