"""What a pipeline does with one example: decode it, preprocess its image, check its label."""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from slim_data._images import Image
from slim_data._item_handlers import Features
from slim_data.dataset import Dataset
from slim_data.preprocessing import Preprocessing
from slim_data.tfexample_decoder import TFExampleDecoder
from slimcore.errors import InputError, close

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
        if isinstance(self._decoder, TFExampleDecoder):
            features = self._decoder.parse(record, self._items)
            return self._checked(self._from_features(self._decoder, features, seed))
        items = dict(zip(self._items, self._decoder.decode(record, self._items), strict=True))
        if "image" in items:
            items["image"] = self._prepared(items["image"], seed)
        return self._checked(items)

    def batch(self, records: tf.Tensor, seeds: tf.Tensor, at_a_time: int) -> dict[str, Any]:
        """Decodes and prepares a batch of examples.

        Args:
            records: String tensor [batch].
            seeds: Integer tensor [batch, 2].
            at_a_time: How many examples may be made side by side.

        Returns:
            Dict of tensors [batch, ...] by item.
        """
        of_one = tf.TensorSpec([], records.dtype), tf.TensorSpec([2], seeds.dtype)
        make = tf.function(self.__call__, autograph=False).get_concrete_function(*of_one)
        return tf.map_fn(
            lambda one: make(*one),
            (records, seeds),
            parallel_iterations=at_a_time,
            fn_output_signature=tf.nest.map_structure(
                tf.type_spec_from_value, make.structured_outputs
            ),
        )

    def _from_features(
        self, decoder: TFExampleDecoder, features: Features, seed: tf.Tensor
    ) -> dict[str, Any]:
        names = [name for name in self._items if name != "image"]
        items = dict(zip(names, decoder.items_from(features, names), strict=True))
        if "image" in self._items:
            handler = decoder.items_to_handlers["image"]
            wanted = decoder.features_of("image", features)
            items["image"] = self._prepared_from(wanted, handler, seed)
        return {name: items[name] for name in self._items}

    def _prepared_from(self, features: Features, handler: Any, seed: tf.Tensor) -> tf.Tensor:
        preprocess = self._preprocess
        choose = preprocess.window if isinstance(preprocess, Preprocessing) else None
        if choose is None or not isinstance(handler, Image):
            return self._prepared(handler.tensors_to_item(features), seed)
        assert isinstance(preprocess, Preprocessing)
        height, width = self._wanted_size(None)
        rest = height, width, self._is_training, seed
        image = handler.window_of(features, lambda shape: choose(shape, *rest))
        return preprocess.finish(image, *rest)

    def _prepared(self, image: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        if self._preprocess is None:
            image = tf.cast(image, tf.float32)
            return image if self._size is None else tf.image.resize(image, self._size)
        height, width = self._wanted_size(image)
        chance = {"seed": seed} if self._takes_seed else {}
        return self._preprocess(image, height, width, self._is_training, **chance)

    def _wanted_size(self, image: tf.Tensor | None) -> tuple[int, int]:
        height, width = self._size or ((None, None) if image is None else image.shape[:2])
        if height is None or width is None:
            raise InputError(
                "preprocessing needs to know which size to make: give image_size, such as the "
                "network's default_image_size"
            )
        return height, width

    def _checked(self, items: dict[str, Any]) -> dict[str, Any]:
        if "label" in items and self._num_classes:
            label = items["label"]
            fits = tf.reduce_all((label >= 0) & (label < self._num_classes))
            reason = f"the label is not one of 0 to {self._num_classes - 1}:"
            # Without the branch that tf.debugging.Assert puts around it, once for each example.
            check = tf.raw_ops.Assert(condition=fits, data=[tf.constant(reason), label])
            with tf.control_dependencies([check]):
                items["label"] = tf.identity(label)
        return items


def _chosen(available: Sequence[str], wanted: Sequence[str] | None) -> list[str]:
    if wanted is None:
        usual = [item for item in ("image", "label") if item in available]
        return usual or list(available)
    for item in wanted:
        if item not in available:
            raise InputError(
                f"the dataset has no item {item!r}{close(item, available)}. "
                f"It has {', '.join(available)}"
            )
    return list(wanted)


def _takes(function: Callable[..., Any], name: str) -> bool:
    parameters = inspect.signature(function).parameters.values()
    return any(p.name == name or p.kind is p.VAR_KEYWORD for p in parameters)
