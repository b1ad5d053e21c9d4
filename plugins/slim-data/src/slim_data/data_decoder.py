"""What a decoder of examples can do, whatever the format."""

import abc
from collections.abc import Sequence

import tensorflow as tf


class DataDecoder(abc.ABC):
    """Turns one serialized example into named tensors, called items."""

    @abc.abstractmethod
    def decode(self, data: tf.Tensor, items: Sequence[str]) -> list[tf.Tensor]:
        """Decodes some items of one example.

        Args:
            data: Scalar string tensor, the example as it was read.
            items: Names among `list_items()`.

        Returns:
            One tensor per item, in that order.
        """

    @abc.abstractmethod
    def list_items(self) -> list[str]:
        """Returns the names of the items that can be decoded."""
