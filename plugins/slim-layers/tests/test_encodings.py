"""One-hot vectors and buckets."""

import numpy as np
import pytest
import tensorflow as tf

import slimcore as slim
from slimcore.errors import InputError


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32, np.int64])
def test_labels_become_vectors(run, dtype):
    labels = np.array([[0, 2], [1, 1]], dtype)
    np.testing.assert_array_equal(
        run(lambda x: slim.one_hot_encoding(x, 3), labels), np.eye(3)[labels]
    )


def test_the_two_numbers_may_be_chosen_and_no_class_gets_none(run):
    vectors = run(
        lambda x: slim.one_hot_encoding(x, 2, on_value=2.0, off_value=-1.0), np.array([1, -1, 5])
    )
    np.testing.assert_array_equal(vectors, [[-1, 2], [-1, -1], [-1, -1]])
    assert vectors.dtype == np.float32


def test_labels_that_are_no_integers_are_refused():
    with pytest.raises(InputError, match="one_hot_encoding .* integer labels, not float32"):
        slim.one_hot_encoding(tf.constant([1.0]), 2)


def test_outputs_are_gathered_under_their_scope():
    with tf.Graph().as_default():
        made = slim.one_hot_encoding(
            tf.constant([1]), 2, outputs_collections="ends", scope="labels"
        )
        assert dict(slim.utils.convert_collection_to_dict("ends")) == {"labels": made}


@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.float32, np.float64])
def test_numbers_become_their_bucket(run, dtype):
    numbers = np.array([[-5, 0, 9], [10, 99, 100]], dtype)
    buckets = run(lambda x: slim.bucketize(x, [0, 10, 100]), numbers)
    np.testing.assert_array_equal(buckets, np.digitize(numbers, [0, 10, 100]))


def test_boundaries_that_fall_are_refused():
    with pytest.raises(InputError, match=r"do not fall, not \[1.0, 0.5\]"):
        slim.bucketize(tf.constant([1.0]), [1, 0.5])
