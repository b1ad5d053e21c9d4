"""Images as sequences and back."""

import numpy as np
import pytest
import tensorflow as tf

import slimcore as slim
from slimcore.errors import InputError, ShapeError

IMAGES = np.arange(2 * 3 * 4 * 5, dtype=np.float32).reshape(2, 3, 4, 5)


@pytest.mark.parametrize("data_format", ["NHWC", "NCHW"])
def test_each_row_becomes_a_sequence_over_its_width(run, data_format):
    inputs = IMAGES if data_format == "NHWC" else IMAGES.transpose(0, 3, 1, 2)
    sequence = run(lambda x: slim.images_to_sequence(x, data_format), inputs)
    assert sequence.shape == (4, 6, 5)
    np.testing.assert_array_equal(sequence[:, 1 * 3 + 2], IMAGES[1, 2])  # image 1, row 2


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_sequences_become_the_images_again(run, data_format):
    def there_and_back(x):
        return slim.sequence_to_images(slim.images_to_sequence(x), 3, data_format)

    expected = IMAGES if data_format == "channels_last" else IMAGES.transpose(0, 3, 1, 2)
    np.testing.assert_array_equal(run(there_and_back, IMAGES), expected)


def test_shapes_known_in_part_stay_known():
    with tf.Graph().as_default():
        images = tf.compat.v1.placeholder(tf.float32, [None, 8, None, 3])
        sequence = slim.images_to_sequence(images)
        assert sequence.shape.as_list() == [None, None, 3]
        assert slim.sequence_to_images(sequence, 8).shape.as_list() == [None, 8, None, 3]


def test_wrong_inputs_are_named():
    with pytest.raises(ShapeError, match="images_to_sequence .*rank 4, not 3"):
        slim.images_to_sequence(tf.zeros([2, 3, 4]))
    with pytest.raises(InputError, match="got data_format='HWC'"):
        slim.images_to_sequence(tf.zeros([2, 3, 4, 1]), "HWC")
    with pytest.raises(ShapeError, match="images of height 4 from 6 sequences"):
        slim.sequence_to_images(tf.zeros([5, 6, 1]), 4)
