"""Dense tensors as sparse ones."""

from typing import Any

import tensorflow as tf

from slim_layers import utils
from slim_layers._layer import Collections
from slimcore import add_arg_scope
from slimcore.errors import InputError, ShapeError


@add_arg_scope
def dense_to_sparse(
    tensor: tf.Tensor,
    eos_token: int = 0,
    outputs_collections: Collections = None,
    scope: str | None = None,
) -> tf.SparseTensor:
    """Keeps the elements that differ from a token, such as the labels of sequences before padding.

    Args:
        tensor: Tensor of any shape.
        eos_token: The token to leave out.
        outputs_collections: Collections for the outputs.
        scope: Name of the ops, `dense_to_sparse` by default.

    Returns:
        Sparse tensor of the same shape.
    """
    with tf.name_scope(scope or "dense_to_sparse") as name:
        outputs = _kept(tf.convert_to_tensor(tensor), eos_token)
        return utils.collect_named_outputs(outputs_collections, name.rstrip("/"), outputs)


def dense_to_sparse_tensor(dense_tensor: tf.Tensor, ignore_value: Any = None) -> tf.SparseTensor:
    """Keeps the elements that differ from a value.

    Args:
        dense_tensor: Tensor of numbers, booleans or strings.
        ignore_value: The value to leave out: by default 0, False or the empty string.

    Returns:
        Sparse tensor of the same shape.
    """
    with tf.name_scope("DenseToSparseTensor"):
        dense = tf.convert_to_tensor(dense_tensor)
        return _kept(dense, _ignored(dense, ignore_value))


def indicators_to_sparse_ids(
    indicators: tf.Tensor, ignore_value: Any = None, dtype: tf.DType = tf.int64
) -> tf.SparseTensor:
    """Turns the indicators along the last axis into the ids of those that are on.

    `[[0, 0, 1], [1, 1, 0]]` becomes `[[2], [0, 1]]`, a row being as long as it needs.

    Args:
        indicators: Tensor [d0, ..., dn, M]; an element is on where it differs from `ignore_value`.
        ignore_value: By default 0, False or the empty string.
        dtype: Integer type of the ids.

    Returns:
        Sparse tensor [d0, ..., dn, K], K being the most ids that any row has.

    Raises:
        ShapeError: A scalar has no last axis.
    """
    with tf.name_scope("indicators_to_sparse_ids"):
        indicators = tf.convert_to_tensor(indicators)
        if indicators.shape.rank == 0:
            raise ShapeError("indicators_to_sparse_ids takes indicators of rank 1 or more, not 0")
        on = tf.not_equal(indicators, _ignored(indicators, ignore_value))
        places = tf.where(on)
        # The how-manieth of its row each one is, counted from 0.
        rank_in_row = tf.gather_nd(tf.cumsum(tf.cast(on, tf.int64), -1, exclusive=True), places)
        most = tf.reduce_max(
            tf.concat([[0], tf.reshape(tf.math.count_nonzero(on, -1, dtype=tf.int64), [-1])], 0)
        )
        shape = tf.concat([tf.shape(indicators, tf.int64)[:-1], [most]], 0)
        return tf.SparseTensor(
            tf.concat([places[:, :-1], rank_in_row[:, None]], 1),
            tf.cast(places[:, -1], dtype),
            shape,
        )


def sparse_row_envelope(
    sparse_input: tf.SparseTensor, row_axis: int = 0, col_axis: int = 1, name: str | None = None
) -> tf.Tensor:
    """Returns how long each row is: one more than the column of its last element.

    Args:
        sparse_input: Sparse tensor of rank 2 or more.
        row_axis: The axis of the rows.
        col_axis: The axis of the columns.
        name: Name of the ops, `sparse_row_envelope` by default.

    Returns:
        int32 tensor [number of rows], 0 for an empty row.

    Raises:
        InputError: It is no sparse tensor, or has no such axis.
    """
    if not isinstance(sparse_input, tf.SparseTensor):
        raise InputError(f"sparse_row_envelope takes a sparse tensor, not {sparse_input!r}")
    rank = sparse_input.shape.rank
    if rank is not None and not (0 <= row_axis < rank and 0 <= col_axis < rank):
        raise InputError(
            f"sparse_row_envelope got row_axis={row_axis} and col_axis={col_axis}; its input has "
            f"the axes 0 to {rank - 1}"
        )
    with tf.name_scope(name or "sparse_row_envelope"):
        ends = tf.cast(sparse_input.indices[:, col_axis] + 1, tf.int32)
        rows = sparse_input.dense_shape[row_axis]
        longest = tf.math.unsorted_segment_max(ends, sparse_input.indices[:, row_axis], rows)
        return tf.maximum(longest, 0)  # an empty row has the smallest integer there is


def _ignored(dense: tf.Tensor, value: Any) -> Any:
    if value is not None:
        return value
    return "" if dense.dtype == tf.string else tf.zeros([], dense.dtype)


def _kept(dense: tf.Tensor, ignored: Any) -> tf.SparseTensor:
    places = tf.where(tf.not_equal(dense, tf.cast(ignored, dense.dtype)))
    return tf.SparseTensor(places, tf.gather_nd(dense, places), tf.shape(dense, tf.int64))
