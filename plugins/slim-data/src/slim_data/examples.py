"""What a pipeline does with one example: decode it, preprocess its image, check its label."""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from slim_data.dataset import Dataset
from slimcore.errors import InputError

Preprocess = Callable[..., tf.Tensor]


class ExampleFunction:
    """From a serialized example and a seed [2] to a dict of tensors."""

    def __init__(
        self,
        dataset: Dataset,
        items: Sequence[str] | None,
        preprocess: Preprocess | None,
        image_size: int | tuple[int, int] | None,
        is_training: bool,
    ) -> None:
        """Keeps what to do, and finds out which items to make.

        Raises:
            InputError: The dataset has no such item.
        """
        self._decoder = dataset.decoder
        self._num_classes = getattr(dataset, "num_classes", None)
        self._items = _chosen(self._decoder.list_items(), items)
        self._preprocess = preprocess
        self._takes_seed = preprocess is not None and _takes(preprocess, "seed")
        self._size = (image_size, image_size) if isinstance(image_size, int) else image_size
        self._is_training = is_training

    @tf.autograph.experimental.do_not_convert
    def __call__(self, record: tf.Tensor, seed: tf.Tensor) -> dict[str, Any]:
        """Decodes and prepares one example."""
        example = dict(zip(self._items, self._decoder.decode(record, self._items), strict=True))
        if "image" in example:
            example["image"] = self._prepared(example["image"], seed)
        if "label" in example and self._num_classes:
            label = example["label"]
            fits = tf.reduce_all((label >= 0) & (label < self._num_classes))
            reason = f"the label is not one of 0 to {self._num_classes - 1}:"
            with tf.control_dependencies([tf.debugging.Assert(fits, [reason, label])]):
                example["label"] = tf.identity(label)
        return example

    def _prepared(self, image: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        if self._preprocess is None:
            image = tf.cast(image, tf.float32)
            return image if self._size is None else tf.image.resize(image, self._size)
        height, width = self._size or image.shape[:2]
        if height is None or width is None:
            raise InputError(
                "the images differ in size, and preprocessing needs to know which size to make: "
                "give image_size, such as the network's default_image_size"
            )
        chance = {"seed": seed} if self._takes_seed else {}
        return self._preprocess(image, height, width, self._is_training, **chance)


def _chosen(available: Sequence[str], wanted: Sequence[str] | None) -> list[str]:
    if wanted is None:
        usual = [item for item in ("image", "label") if item in available]
        return usual or list(available)
    for item in wanted:
        if item not in available:
            raise InputError(f"the dataset has no item {item!r}; it has {', '.join(available)}")
    return list(wanted)


def _takes(function: Callable[..., Any], name: str) -> bool:
    parameters = inspect.signature(function).parameters.values()
    return any(p.name == name or p.kind is p.VAR_KEYWORD for p in parameters)
