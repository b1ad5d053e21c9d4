"""Dense tensors as sparse ones, checked by making them dense again."""

import numpy as np
import pytest
import tensorflow as tf

import slimcore as slim
from slimcore.errors import InputError, ShapeError


def parts(function):
    """Returns a function that returns the parts of a sparse tensor, which sessions can return."""

    def call(*tensors):
        sparse = function(*tensors)
        return sparse.indices, sparse.values, sparse.dense_shape

    return call


@pytest.mark.parametrize(
    "call, ignored",
    [
        (slim.dense_to_sparse, 0),
        (lambda x: slim.dense_to_sparse(x, eos_token=2), 2),
        (slim.dense_to_sparse_tensor, 0),
        (lambda x: slim.dense_to_sparse_tensor(x, ignore_value=-1), -1),
    ],
)
def test_what_differs_from_the_token_is_kept(run, call, ignored):
    dense = np.array([[1, 0, 3], [-1, 0, 2]], np.int32)
    indices, values, shape = run(parts(call), dense)
    np.testing.assert_array_equal(indices, np.argwhere(dense != ignored))
    np.testing.assert_array_equal(values, dense[dense != ignored])
    np.testing.assert_array_equal(shape, [2, 3])


@pytest.mark.parametrize(
    "dense, kept",
    [
        (np.array([[b"a", b""]]), [b"a"]),
        (np.array([[True, False]]), [True]),
        (np.float64([[0, 2.5]]), [2.5]),
    ],
)
def test_what_is_left_out_by_default_depends_on_the_type(run, dense, kept):
    _, values, _ = run(parts(slim.dense_to_sparse_tensor), dense)
    np.testing.assert_array_equal(values, kept)


@pytest.mark.parametrize(
    "indicators, indices, ids, shape",
    [
        ([[0, 0, 1], [0, 0, 0], [1, 0, 1]], [[0, 0], [2, 0], [2, 1]], [2, 0, 2], [3, 2]),
        ([[[1, 1], [0, 1]]], [[0, 0, 0], [0, 0, 1], [0, 1, 0]], [0, 1, 1], [1, 2, 2]),
        ([1, 0, 1], [[0], [1]], [0, 2], [2]),
        ([[0, 0]], np.zeros([0, 2]), [], [1, 0]),
    ],
)
def test_indicators_become_ids(run, indicators, indices, ids, shape):
    found = run(parts(slim.indicators_to_sparse_ids), np.array(indicators))
    np.testing.assert_array_equal(found[0], indices)
    np.testing.assert_array_equal(found[1], ids)
    np.testing.assert_array_equal(found[2], shape)


def test_an_indicator_is_on_where_it_differs_from_the_value_to_ignore(run):
    def ids(x):
        return slim.indicators_to_sparse_ids(x, ignore_value="no", dtype=tf.int32).values

    found = run(ids, np.array([[b"no", b"yes"], [b"", b"no"]]))
    np.testing.assert_array_equal(found, [1, 0])
    assert found.dtype == np.int32


@pytest.mark.parametrize("axes, lengths", [((0, 1), [1, 0, 3, 0]), ((1, 0), [3, 3, 3])])
def test_the_envelope_is_how_long_each_row_is(run, axes, lengths):
    def envelope(values):
        places = [[0, 0], [2, 0], [2, 1], [2, 2]]
        return slim.sparse_row_envelope(tf.SparseTensor(places, values, [4, 3]), *axes)

    np.testing.assert_array_equal(run(envelope, np.arange(4)), lengths)


def test_wrong_inputs_are_named():
    with pytest.raises(InputError, match="takes a sparse tensor"):
        slim.sparse_row_envelope(tf.zeros([2, 2]))
    with pytest.raises(InputError, match="col_axis=2; its input has the axes 0 to 1"):
        slim.sparse_row_envelope(tf.sparse.eye(2), 0, 2)
    with pytest.raises(ShapeError, match="rank 1 or more"):
        slim.indicators_to_sparse_ids(tf.constant(1))


def test_sparse_outputs_are_gathered():
    with tf.Graph().as_default():
        made = slim.dense_to_sparse(tf.constant([[1, 0]]), outputs_collections="ends", scope="s")
        assert slim.utils.convert_collection_to_dict("ends")["s"] is made
