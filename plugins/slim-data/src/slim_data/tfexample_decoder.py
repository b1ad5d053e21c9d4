"""Decoders of `tf.train.Example` and `SequenceExample`, and the handlers of their items."""

from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf

from slim_data._boxes import (
    BoundingBox,
    BoundingBoxSequence,
    KeypointsSequence,
    NumBoxesSequence,
)
from slim_data._images import Image
from slim_data._item_handlers import (
    BackupHandler,
    Features,
    ItemHandler,
    ItemHandlerCallback,
    LookupTensor,
    SparseTensor,
    Tensor,
)
from slim_data.data_decoder import DataDecoder
from slimcore.errors import InputError, close

__all__ = [
    "BackupHandler",
    "BoundingBox",
    "BoundingBoxSequence",
    "Image",
    "ItemHandler",
    "ItemHandlerCallback",
    "KeypointsSequence",
    "LookupTensor",
    "NumBoxesSequence",
    "SparseTensor",
    "TFExampleDecoder",
    "TFSequenceExampleDecoder",
    "Tensor",
]


class TFExampleDecoder(DataDecoder):
    """Decodes a serialized `tf.train.Example`: parses its features and makes items of them."""

    def __init__(
        self, keys_to_features: Mapping[str, Any], items_to_handlers: Mapping[str, ItemHandler]
    ) -> None:
        """Keeps what to parse and what to make.

        Args:
            keys_to_features: `tf.io.FixedLenFeature`, `VarLenFeature` and the like, by key.
            items_to_handlers: The handler of each item, by the item's name.
        """
        self._keys_to_features = dict(keys_to_features)
        self._items_to_handlers = dict(items_to_handlers)

    @property
    def items_to_handlers(self) -> dict[str, ItemHandler]:
        """The handler of each item."""
        return dict(self._items_to_handlers)

    def list_items(self) -> list[str]:
        """Returns the names of the items."""
        return list(self._items_to_handlers)

    def decode(
        self, serialized_example: tf.Tensor, items: Sequence[str] | None = None
    ) -> list[Any]:
        """Decodes some items of one example.

        Args:
            serialized_example: Scalar string.
            items: Names of items; all by default.

        Returns:
            What the handler of each item makes, in that order.

        Raises:
            InputError: There is no such item, or its handler needs a key that is not parsed.
        """
        return self.items_from(self.parse(serialized_example, items), items)

    def parse(self, serialized_example: tf.Tensor, items: Sequence[str] | None = None) -> Features:
        """Parses the features that some items are made from.

        Args:
            serialized_example: Scalar string.
            items: Names of items; all by default.

        Returns:
            Tensors and sparse tensors by key.
        """
        needed = self._needed(items)
        if not needed:
            return {}
        return tf.io.parse_example(_intact(serialized_example, "feature_lists"), needed)

    def items_from(self, features: Features, items: Sequence[str] | None = None) -> list[Any]:
        """Makes items from the parsed features of one example. See `decode`."""
        return _items(self._items_to_handlers, features, items)

    def features_of(self, item: str, features: Features) -> Features:
        """Returns those of the parsed features that an item is made from.

        Raises:
            InputError: There is no such item, or its handler needs a key that is not parsed.
        """
        return _features_of(_handler(self._items_to_handlers, item), item, features)

    def _needed(self, items: Sequence[str] | None) -> dict[str, Any]:
        if items is None:
            return self._keys_to_features
        handlers = [_handler(self._items_to_handlers, item) for item in items]
        keys = {key for handler in handlers for key in handler.keys}
        return {k: feature for k, feature in self._keys_to_features.items() if k in keys}


class TFSequenceExampleDecoder(DataDecoder):
    """Decodes a serialized `tf.train.SequenceExample`."""

    def __init__(
        self,
        keys_to_context_features: Mapping[str, Any],
        keys_to_sequence_features: Mapping[str, Any],
        items_to_handlers: Mapping[str, ItemHandler],
    ) -> None:
        """Keeps what to parse and what to make.

        Args:
            keys_to_context_features: Features of the whole sequence, by key.
            keys_to_sequence_features: Features of each step, by key.
            items_to_handlers: The handler of each item, by the item's name.

        Raises:
            InputError: A key is in both.
        """
        both = set(keys_to_context_features) & set(keys_to_sequence_features)
        if both:
            raise InputError(
                f"features of the context and of the steps share the keys {', '.join(sorted(both))}"
            )
        self._context = dict(keys_to_context_features)
        self._sequence = dict(keys_to_sequence_features)
        self._items_to_handlers = dict(items_to_handlers)

    def list_items(self) -> list[str]:
        """Returns the names of the items."""
        return list(self._items_to_handlers)

    def decode(
        self, serialized_example: tf.Tensor, items: Sequence[str] | None = None
    ) -> list[Any]:
        """Decodes some items of one example; features of a step have the time as first axis.

        Args:
            serialized_example: Scalar string.
            items: Names of items; all by default.

        Returns:
            What the handler of each item makes, in that order.
        """
        context, sequence = tf.io.parse_single_sequence_example(
            _intact(serialized_example, "context"),
            self._context or None,
            self._sequence or None,
        )
        return _items(self._items_to_handlers, {**context, **sequence}, items)


def _intact(serialized: tf.Tensor, field: str) -> tf.Tensor:
    """Refuses what is not an example: on some input TensorFlow's quick parser crashes.

    Args:
        serialized: Strings, Examples or SequenceExamples. The former are a case of the latter, with
            a `context` that they call `features`.
        field: Name of a small field of a SequenceExample; it is copied.
    """
    message_type = "tensorflow.SequenceExample"
    counts, _ = tf.io.decode_proto(serialized, message_type, [field], [tf.string], sanitize=True)
    # A use of the result, without which TensorFlow would leave the parsing out.
    parsed = tf.raw_ops.Assert(condition=tf.reduce_all(counts >= 0), data=[counts])
    with tf.control_dependencies([parsed]):
        return tf.identity(serialized)


def _handler(handlers: Mapping[str, ItemHandler], item: str) -> ItemHandler:
    if item not in handlers:
        raise InputError(
            f"no item is named {item!r}{close(item, handlers)}. There are: {', '.join(handlers)}"
        )
    return handlers[item]


def _items(
    handlers: Mapping[str, ItemHandler], features: Features, items: Sequence[str] | None
) -> list[Any]:
    made = []
    for item in handlers if items is None else items:
        handler = _handler(handlers, item)
        made.append(handler.tensors_to_item(_features_of(handler, item, features)))
    return made


def _features_of(handler: ItemHandler, item: str, features: Features) -> Features:
    for key in handler.keys:
        if key not in features:
            raise InputError(
                f"the handler of item {item!r} needs the feature {key!r}, which is not parsed"
                f"{close(key, features)}. Add it to keys_to_features"
            )
    return {key: features[key] for key in handler.keys}
