"""State that keeps every example: rows in a variable that grows."""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from slim_metrics._state import Metric, ValueAndUpdate, local_variable, sum_variable
from slimcore.collections import in_graph


class Buffer:
    """Rows of one shape, in a variable whose length doubles when it is full.

    Under `tf.distribute` each replica keeps its own rows; `read` brings those of this process's
    replicas together, replica by replica.
    """

    def __init__(self, row_shape: Any, dtype: tf.DType, max_size: int | None) -> None:
        """Makes the variables `array` and `size` in the current scope.

        Args:
            row_shape: Fully defined shape of a row.
            dtype: Type of the rows.
            max_size: How many rows are kept, the first ones; all by default.
        """
        self._row_shape = tf.TensorShape(row_shape)
        self._max_size = max_size
        self._array = local_variable(
            "array",
            np.zeros([0, *self._row_shape], dtype.as_numpy_dtype),
            validate_shape=False,
            aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
        )
        self._size = sum_variable("size", [], tf.int64)
        self._strategy = tf.distribute.get_strategy()

    def append(self, rows: tf.Tensor) -> tf.Tensor:
        """Adds rows, and returns how many there are. In a graph, the op that does it."""
        size, array = self._size.read_value(), self._array.read_value()
        if self._max_size is not None:
            rows = rows[: self._max_size - size]
        new_size = size + tf.shape(rows, tf.int64)[0]
        capacity = tf.shape(array, tf.int64)[0]

        def enlarge() -> tf.Tensor:
            room = tf.zeros([tf.maximum(new_size, 2 * capacity) - capacity, *self._row_shape])
            larger = tf.concat([array, tf.cast(room, array.dtype)], 0)
            with tf.control_dependencies([self._array.assign(larger)]):
                return tf.constant(True)

        is_large = tf.cond(new_size > capacity, enlarge, lambda: tf.constant(True))
        with tf.control_dependencies([is_large]):
            written = tf.raw_ops.ResourceScatterUpdate(
                resource=self._array.handle, indices=tf.range(size, new_size), updates=rows
            )
        with tf.control_dependencies([written] if in_graph() else []):
            return self._size.assign(new_size)

    def read_here(self) -> tf.Tensor:
        """Returns the rows of this replica."""
        return self._filled(self._array, self._size)

    def read(self) -> tf.Tensor:
        """Returns the rows of all replicas of this process; called outside of `strategy.run`."""
        arrays = self._strategy.experimental_local_results(self._array)
        sizes = self._strategy.experimental_local_results(self._size)
        parts = [self._filled(array, size) for array, size in zip(arrays, sizes, strict=True)]
        return tf.concat(parts, 0)[: self._max_size]

    def _filled(self, array: Any, size: Any) -> tf.Tensor:
        rows = array.read_value()[: size.read_value()]
        return tf.ensure_shape(rows, [None, *self._row_shape])


def keep_rows(
    m: Metric,
    rows: tf.Tensor,
    value_of: Callable[[tf.Tensor], Any],
    max_size: int | None = None,
    dtype: tf.DType | None = None,
) -> ValueAndUpdate:
    """Adds rows to the state of a metric, and returns the value of all rows so far.

    In a graph the update returns how many rows there are, since the value may be costly.
    """
    buffer = Buffer(rows.shape[1:], rows.dtype, max_size)

    def grow() -> tf.Tensor:
        count = buffer.append(rows)
        return count if in_graph() else buffer.read_here()

    def read() -> Any:
        return value_of(buffer.read_here() if in_graph() else buffer.read())

    return m.deliver(grow, read, value_of, update_of=lambda count: count, dtype=dtype)
