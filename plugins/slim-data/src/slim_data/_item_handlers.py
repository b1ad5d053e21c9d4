"""Item handlers: how one item is made from the parsed features of an example."""

import abc
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import tensorflow as tf

from slimcore.errors import InputError

Features = Mapping[str, Any]  # tensors and sparse tensors, by feature key


class ItemHandler(abc.ABC):
    """Makes one item from the features that it names in `keys`."""

    def __init__(self, keys: str | Sequence[str]) -> None:
        self._keys = _listed(keys)

    @property
    def keys(self) -> list[str]:
        """The keys of the features that the item is made from."""
        return self._keys

    @abc.abstractmethod
    def tensors_to_item(self, keys_to_tensors: Features) -> Any:
        """Makes the item.

        Args:
            keys_to_tensors: A tensor or sparse tensor for each of `keys`.

        Returns:
            A tensor, or whatever the item is.
        """


class ItemHandlerCallback(ItemHandler):
    """Makes an item with a function of the features."""

    def __init__(self, keys: str | Sequence[str], func: Callable[[Features], Any]) -> None:
        """Keeps the function.

        Args:
            keys: Features that the function needs.
            func: From a dict of tensors by key to the item.
        """
        super().__init__(keys)
        self._func = func

    def tensors_to_item(self, keys_to_tensors: Features) -> Any:
        """Returns what the function makes of the features."""
        return self._func(keys_to_tensors)


class BackupHandler(ItemHandler):
    """Makes an item with one handler, and with a second where the first finds nothing."""

    def __init__(self, handler: ItemHandler, backup: ItemHandler) -> None:
        """Keeps both.

        Args:
            handler: Asked first.
            backup: Asked where the item of `handler` has no elements; same dtype.

        Raises:
            InputError: One of them is not an item handler.
        """
        for given in (handler, backup):
            if not isinstance(given, ItemHandler):
                raise InputError(f"BackupHandler takes item handlers, not {given!r}")
        super().__init__(list(dict.fromkeys([*handler.keys, *backup.keys])))
        self._handler = handler
        self._backup = backup

    def tensors_to_item(self, keys_to_tensors: Features) -> tf.Tensor:
        """Returns the first handler's item, or the second's where that is empty."""
        item = self._handler.tensors_to_item(keys_to_tensors)
        return tf.cond(
            tf.equal(tf.size(item), 0),
            lambda: self._backup.tensors_to_item(keys_to_tensors),
            lambda: item,
        )


class Tensor(ItemHandler):
    """Passes a feature on, dense and in a given shape."""

    def __init__(
        self,
        tensor_key: str,
        shape_keys: str | Sequence[str] | None = None,
        shape: Sequence[int] | None = None,
        default_value: Any = 0,
    ) -> None:
        """Keeps where the values and the shape are.

        Args:
            tensor_key: The feature with the values.
            shape_keys: A feature with the whole shape, or one feature per dimension.
            shape: The shape, instead of `shape_keys`.
            default_value: Value that fills a sparse feature where it has none.

        Raises:
            InputError: Both `shape_keys` and `shape` are given.
        """
        if shape_keys and shape is not None:
            raise InputError(
                f"the handler of {tensor_key!r} got both shape_keys and shape; give one of them"
            )
        self._tensor_key = tensor_key
        self._shape_keys = _listed(shape_keys) if shape_keys else []
        self._shape = shape
        self._default_value = default_value
        super().__init__([tensor_key, *self._shape_keys])

    def tensors_to_item(self, keys_to_tensors: Features) -> Any:
        """Returns the values, dense, and reshaped if a shape is given."""
        tensor = keys_to_tensors[self._tensor_key]
        shape = self._shape
        if self._shape_keys:
            shape = _shape_from(self._shape_keys, keys_to_tensors)
        if isinstance(tensor, tf.SparseTensor):
            if shape is not None:
                tensor = tf.sparse.reshape(tensor, shape)
            tensor = tf.sparse.to_dense(tensor, default_value=self._default_value)
        elif shape is not None:
            tensor = tf.reshape(tensor, shape)
        return tensor


class LookupTensor(Tensor):
    """Looks every value of a feature up in a table, such as a label's id by its name."""

    def __init__(
        self,
        tensor_key: str,
        table: Any,
        shape_keys: str | Sequence[str] | None = None,
        shape: Sequence[int] | None = None,
        default_value: Any = "",
    ) -> None:
        """Keeps the table.

        Args:
            tensor_key: The feature with the keys of the table.
            table: A `tf.lookup` table.
            shape_keys: As in `Tensor`.
            shape: As in `Tensor`.
            default_value: What fills a sparse feature before it is looked up.
        """
        super().__init__(tensor_key, shape_keys, shape, default_value)
        self._table = table

    def tensors_to_item(self, keys_to_tensors: Features) -> tf.Tensor:
        """Returns the table's values, in the shape that `Tensor` would give."""
        return self._table.lookup(super().tensors_to_item(keys_to_tensors))


class SparseTensor(ItemHandler):
    """Makes a sparse tensor from a feature with indices and a feature with values."""

    def __init__(
        self,
        indices_key: str | None = None,
        values_key: str | None = None,
        shape_key: str | None = None,
        shape: Sequence[int] | None = None,
        densify: bool = False,
        default_value: Any = 0,
    ) -> None:
        """Keeps where indices, values and shape are.

        Args:
            indices_key: The feature with the indices, "indices" by default.
            values_key: The feature with the values, "values" by default.
            shape_key: The feature with the dense shape.
            shape: The dense shape, instead; by default that of the indices' feature.
            densify: Whether the item is dense.
            default_value: Value of a dense item where there is none.
        """
        self._indices_key = indices_key or "indices"
        self._values_key = values_key or "values"
        self._shape_key = shape_key
        self._shape = shape
        self._densify = densify
        self._default_value = default_value
        super().__init__([self._indices_key, self._values_key, *([shape_key] if shape_key else [])])

    def tensors_to_item(self, keys_to_tensors: Features) -> Any:
        """Returns the sparse tensor, or the dense one."""
        indices = keys_to_tensors[self._indices_key]
        values = keys_to_tensors[self._values_key]
        shape = self._shape
        if self._shape_key:
            shape = _dense(keys_to_tensors[self._shape_key])
        elif shape is None:
            shape = indices.dense_shape
        flat_indices = tf.reshape(tf.cast(_dense(indices), tf.int64), [-1])
        shape = tf.cast(shape, tf.int64)
        rank = tf.size(shape)
        sparse = tf.SparseTensor(
            tf.reshape(flat_indices, [-1, rank]), tf.reshape(_dense(values), [-1]), shape
        )
        if self._densify:
            return tf.sparse.to_dense(sparse, default_value=self._default_value)
        return sparse


def _listed(keys: str | Sequence[str]) -> list[str]:
    return [keys] if isinstance(keys, str) else list(keys)


def _dense(feature: Any) -> tf.Tensor:
    return feature.values if isinstance(feature, tf.SparseTensor) else feature


def _shape_from(keys: Sequence[str], features: Features) -> tf.Tensor:
    parts = [tf.reshape(_dense(features[key]), [-1]) for key in keys]
    return tf.cast(tf.concat(parts, 0), tf.int32)
