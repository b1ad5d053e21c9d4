"""`slim.data.load`: from files to batches."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

import slimcore as slim
from slimcore.errors import DataError, InputError, UnknownComponentError


def labels_of(batches):
    return np.concatenate([batch["label"].numpy() for batch in batches])


def test_the_digits_are_all_there_and_evenly_split():
    train = labels_of(slim.data.load("digits", "train", 100))
    test = labels_of(slim.data.load("digits", "test", 100))
    assert (len(train), len(test)) == (1442, 355)
    np.testing.assert_allclose(np.bincount(test) / np.bincount(train), 0.25, atol=0.02)


def test_the_digits_are_those_of_scikit_learn():
    datasets = pytest.importorskip("sklearn.datasets")
    truth = datasets.load_digits()
    fifth = [np.flatnonzero(truth.target == label)[4::5] for label in range(10)]
    order = np.sort(np.concatenate(fifth))
    batches = list(slim.data.load("digits", "test", 50))
    images = np.concatenate([batch["image"].numpy() for batch in batches])[..., 0]
    np.testing.assert_array_equal(labels_of(batches), truth.target[order])
    np.testing.assert_array_equal(images, np.round(truth.images[order] * 255 / 16))


def test_one_seed_gives_one_order():
    def first(seed):
        batches = slim.data.load("digits", "train", 64, is_training=True, seed=seed)
        return labels_of(batches.take(3))

    np.testing.assert_array_equal(first(1), first(1))
    assert (first(1) != first(2)).any()


def test_lenet_preprocessing_resizes_and_scales():
    batches = slim.data.load("digits", "test", 8, preprocessing="lenet", image_size=28)
    image = next(iter(batches))["image"]
    assert image.shape == (8, 28, 28, 1)
    assert float(tf.reduce_min(image)) == -1.0
    assert float(tf.reduce_max(image)) == pytest.approx(127 / 128)


def test_a_truncated_file_is_named_with_its_record(tmp_path):
    bundled = Path(slim.data.get_dataset("digits", "test").data_sources)
    whole = bundled.with_name("digits_test.tfrecord").read_bytes()
    path = tmp_path / "digits_test.tfrecord"
    path.write_bytes(whole[:5000])
    with pytest.raises(DataError, match=rf"{path}, record 18 .*truncated"):
        list(slim.data.load("digits", "test", 8, dataset_dir=str(tmp_path)))


@pytest.mark.parametrize(
    "arguments, error, message",
    [
        (["digitz"], UnknownComponentError, "Close: digits"),
        (["digits", "tess"], InputError, "Close: test"),
    ],
)
def test_what_does_not_exist_is_refused_with_what_does(arguments, error, message):
    with pytest.raises(error, match=message):
        slim.data.load(*arguments)


def test_a_missing_file_is_named_with_what_is_there(tmp_path):
    (tmp_path / "other.txt").write_text("")
    with pytest.raises(DataError, match=r"digits_train\*.tfrecord. In .*: other.txt"):
        slim.data.load("digits", dataset_dir=str(tmp_path))
