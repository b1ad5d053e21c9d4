"""`slim.data.load`: from files to batches."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from sklearn.datasets import load_digits

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
    truth = load_digits()
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
        list(slim.data.iterate(slim.data.load("digits", "test", 8, dataset_dir=str(tmp_path))))


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


def test_files_are_read_side_by_side_and_each_once(tmp_path, write_records, digit_records):
    for number in range(4):
        records = digit_records[5 * number : 5 * number + 5]
        write_records(tmp_path / f"digits_test-0000{number}-of-00004.tfrecord", records)
    every = labels_of(slim.data.load("digits", "test", 3)).tolist()[:20]
    options = {"dataset_dir": str(tmp_path)}
    assert sorted(labels_of(slim.data.load("digits", "test", 3, **options))) == sorted(every)
    parts = [
        labels_of(slim.data.load("digits", "test", 3, shard=(index, 3), **options)).tolist()
        for index in range(3)
    ]
    assert [len(part) for part in parts] == [10, 5, 5]
    assert sorted(label for part in parts for label in part) == sorted(every)


def test_fewer_files_than_workers_are_shared_record_by_record():
    parts = [labels_of(slim.data.load("digits", "test", 50, shard=(n, 3))) for n in range(3)]
    whole = labels_of(slim.data.load("digits", "test", 50))
    for index, part in enumerate(parts):
        np.testing.assert_array_equal(part, whole[index::3])


@pytest.mark.parametrize("cache", [False, True])
@pytest.mark.parametrize("is_training", [False, True])
def test_a_split_is_gone_through_as_often_as_asked(cache, is_training):
    batches = slim.data.load(
        "digits", "test", 100, is_training=is_training, repeat=2, cache=cache, drop_remainder=False
    )
    labels = labels_of(batches)
    assert len(labels) == 710
    np.testing.assert_array_equal(np.bincount(labels) % 2, np.zeros(10))


def test_a_cache_on_disk_is_read_in_place_of_the_files(tmp_path, write_records, digit_records):
    path = write_records(tmp_path / "digits_test.tfrecord", digit_records)
    options = {"dataset_dir": str(tmp_path), "cache": str(tmp_path / "cache")}
    first = labels_of(slim.data.load("digits", "test", 4, **options))
    write_records(path, digit_records[:4])
    np.testing.assert_array_equal(labels_of(slim.data.load("digits", "test", 4, **options)), first)


def distorted(seed, **options):
    return slim.data.load(
        "digits", "train", 16, preprocessing="cifarnet", image_size=8, is_training=True, seed=seed,
        **options,
    )  # fmt: skip


def images_of(batches, count=3):
    return np.stack([batch["image"].numpy() for batch in batches.take(count)])


@pytest.mark.parametrize("parallel", [1, 4])
def test_distortions_follow_from_the_seed_alone(parallel):
    reference = images_of(distorted(7))
    np.testing.assert_array_equal(images_of(distorted(7, num_parallel_calls=parallel)), reference)
    assert (images_of(distorted(8)) != reference).any()


def test_examples_made_by_the_batch_are_those_made_one_by_one():
    by_the_batch = images_of(distorted(7))
    # What may be left out is made by itself.
    np.testing.assert_array_equal(images_of(distorted(7, skip_corrupt=1)), by_the_batch)


def test_a_preprocessing_of_ones_own_may_take_a_seed():
    def shifted(image, height, width, is_training, seed):
        return tf.cast(image, tf.float32) + tf.cast(seed[1], tf.float32)

    def plain(image, height, width, is_training):
        return tf.cast(image, tf.float32)

    one, two = (
        next(iter(slim.data.load("digits", "test", 4, preprocessing=f, seed=1)))["image"].numpy()
        for f in (shifted, plain)
    )
    np.testing.assert_array_equal((one - two)[:, 0, 0, 0], [0, 1, 2, 3])


def test_a_run_is_resumed_where_it_was_by_skipping_batches():
    whole = images_of(distorted(3), 5)
    np.testing.assert_array_equal(images_of(distorted(3, skip_batches=2)), whole[2:])


def test_the_position_is_saved_with_a_checkpoint(tmp_path):
    iterator = iter(distorted(3))
    for _ in range(2):
        next(iterator)
    path = tf.train.Checkpoint(iterator=iterator).save(str(tmp_path / "position"))
    expected = next(iterator)["image"]
    again = iter(distorted(3))
    tf.train.Checkpoint(iterator=again).restore(path)
    np.testing.assert_array_equal(next(again)["image"], expected)


def test_what_is_loaded_is_a_dataset_like_any_other():
    batches = slim.data.load("digits", "test", 5)
    assert isinstance(batches, tf.data.Dataset)
    assert batches.element_spec["image"].shape.as_list() == [None, 8, 8, 1]

    @tf.function
    def total():
        count = 0
        for batch in batches:
            count += tf.size(batch["label"])
        return count

    assert int(total()) == 355
    strategy = tf.distribute.MirroredStrategy(["CPU:0"])
    distributed = strategy.experimental_distribute_dataset(batches)
    assert next(iter(distributed))["label"].shape == [5]


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"items": ["imag"]}, "Close: image"),
        ({"preprocessing": "lenet", "dataset": "image_folder"}, "give image_size"),
        ({"batch_size": 0}, "batch_size is 0, .* from 1 on"),
        ({"batch_size": 2.5}, "batch_size is 2.5, .* whole number"),
        ({"num_parallel_calls": 0}, "num_parallel_calls is 0, .* from 1 on"),
        ({"shuffle": -3}, "shuffle is -3, .* from 0 on"),
        ({"skip_corrupt": -1}, "skip_corrupt is -1, .* from 0 on"),
        ({"skip_batches": -1}, "skip_batches is -1, .* from 0 on"),
        ({"shard": (3, 2)}, r"shard is \(3, 2\), .* 0 <= index < count"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(arguments, message, folder_of_images):
    name = arguments.pop("dataset", "digits")
    folder = str(folder_of_images) if name == "image_folder" else None
    with pytest.raises(InputError, match=message):
        slim.data.load(name, dataset_dir=folder, **arguments)


def test_a_reader_without_an_equivalent_is_refused(digit_records):
    class Reader:
        pass

    known = slim.data.get_dataset("digits", "test")
    dataset = slim.dataset.Dataset(known.data_sources, Reader, known.decoder, None, {})
    with pytest.raises(InputError, match=r"no tf.data equivalent"):
        slim.data.load(dataset)


@pytest.fixture
def uneven(tmp_path, write_records, example, noise):
    """A dataset of four examples with images of uneven sizes and 1 to 4 numbers."""

    def record(n):
        image = tf.io.encode_png(noise(n, 6, 3)).numpy()
        return example(image__encoded=image, image__format=b"png", numbers=list(range(1, n + 1)))

    path = write_records(tmp_path / "uneven.tfrecord", [record(n) for n in range(1, 5)])
    decoders = slim.tfexample_decoder

    def dataset(**image):
        image = {"image_key": "image/encoded", "format_key": "image/format", **image}
        features = {
            "image/encoded": tf.io.FixedLenFeature([], tf.string),
            "image/format": tf.io.FixedLenFeature([], tf.string),
            "numbers": tf.io.VarLenFeature(tf.int64),
        }
        items = {"image": decoders.Image(**image), "numbers": decoders.Tensor("numbers"),
                 "sparse": decoders.SparseTensor("numbers", "numbers", shape=[6])}  # fmt: skip
        decoder = decoders.TFExampleDecoder(features, items)
        return slim.dataset.Dataset(path, tf.compat.v1.TFRecordReader, decoder, 4, {})

    return dataset


@pytest.mark.parametrize("skip_corrupt", [0, 1])
def test_sparse_items_are_batched(uneven, skip_corrupt):
    batches = slim.data.load(uneven(), batch_size=3, items=["sparse"], skip_corrupt=skip_corrupt)
    dense = [tf.sparse.to_dense(batch["sparse"]).numpy() for batch in batches]
    truth = np.tril(np.tile(np.arange(6), (4, 1)), 1)
    np.testing.assert_array_equal(np.concatenate(dense), truth)
    assert [len(batch) for batch in dense] == [3, 1]


@pytest.mark.parametrize("skip_corrupt", [0, 1])
@pytest.mark.parametrize("item, shape", [("image", r"\[\d,6,3\]"), ("numbers", r"\[\d\]")])
def test_shapes_that_fit_in_no_batch_are_told(uneven, item, shape, skip_corrupt):
    batches = slim.data.load(uneven(), batch_size=4, items=[item], skip_corrupt=skip_corrupt)
    with pytest.raises(
        DataError, match=f"would hold the shapes {shape} and {shape}. Give image_size"
    ):
        list(slim.data.iterate(batches))
    one_by_one = slim.data.load(uneven(), batch_size=1, items=[item], skip_corrupt=skip_corrupt)
    assert [batch[item].shape[1] for batch in one_by_one] == [1, 2, 3, 4]


@pytest.mark.parametrize("skip_corrupt", [0, 1])
def test_a_feature_that_an_image_needs_and_none_parses_is_named(uneven, skip_corrupt):
    with pytest.raises(InputError, match=r"^the handler of item 'image' needs .*'image/forma'"):
        slim.data.load(uneven(format_key="image/forma"), items=["image"], skip_corrupt=skip_corrupt)
