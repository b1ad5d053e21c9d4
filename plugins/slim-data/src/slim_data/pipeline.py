"""`slim.data`: datasets by name, and their examples as a `tf.data` pipeline."""

import math
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

import slim_data._manifest as manifest
import slimcore.registry as registry
from slim_data._error_context import Scan, explained, reason
from slim_data._example_pipeline import ExampleFunction, Preprocess
from slim_data._images import decode_image
from slim_data._record_files import find_files, record_dataset
from slim_data._skipping import leave_out, records_with_origin
from slim_data.dataset import Dataset
from slimcore.errors import DataError, InputError

__all__ = ["decode_image", "get_dataset", "load"]

FILES_AT_A_TIME = 16
BATCHES_AT_A_TIME = 2  # that the last examples of one may not leave threads without work


def get_dataset(
    name: str | Dataset, split: str = "train", dataset_dir: str | None = None, **kwargs: Any
) -> Dataset:
    """Returns the description of one split of a dataset.

    Args:
        name: Of a registered dataset. A `Dataset` is returned as it is.
        split: Such as "train".
        dataset_dir: The folder with its files; not needed where they are bundled.
        **kwargs: Passed to the dataset's function, such as `file_pattern`.
    """
    if isinstance(name, Dataset):
        return name
    return registry.lookup("dataset", name)(split, dataset_dir, **kwargs)


def load(
    dataset: str | Dataset,
    split: str = "train",
    batch_size: int = 32,
    *,
    dataset_dir: str | None = None,
    preprocessing: str | Preprocess | None = None,
    image_size: int | tuple[int, int] | None = None,
    is_training: bool = False,
    items: Sequence[str] | None = None,
    shuffle: bool | int | None = None,
    seed: int | None = None,
    repeat: bool | int | None = None,
    drop_remainder: bool | None = None,
    cache: bool | str = False,
    shard: tuple[int, int] | None = None,
    skip_batches: int = 0,
    skip_corrupt: int = 0,
    num_parallel_calls: int = tf.data.AUTOTUNE,
) -> tf.data.Dataset:
    """Reads, decodes, preprocesses and batches the examples of a dataset.

    Files are read in turns. Shuffling, and the chance in preprocessing, follow from `seed`
    alone, so that the same call gives the same batches. A file, record or image that cannot be
    read ends the iteration with a DataError that names it.

    Args:
        dataset: A registered name, or a `Dataset`.
        split: Such as "train"; of a name.
        batch_size: Examples in a batch.
        dataset_dir: Of a name, the folder with the files.
        preprocessing: A registered name, or a function
            `(image, height, width, is_training, seed=None)`; by default images are only
            turned to float32.
        image_size: In pixels, one number or (height, width); by default that of the dataset's
            images, where they all have the same.
        is_training: Whether preprocessing distorts; also the default of `shuffle`, `repeat` and
            `drop_remainder`.
        items: Items of an example to yield; by default "image" and "label", or else all.
        shuffle: Whether to shuffle, among how many examples (2,048 for True).
        seed: Decides the order and the distortions; drawn anew by default.
        repeat: How many times to go through the split; True for ever.
        drop_remainder: Whether a last batch with fewer examples is dropped.
        cache: True keeps what is read in memory, a path keeps it in files: encoded examples in
            training, preprocessed ones otherwise.
        shard: (index, count): takes every `count`-th file from `index` on, or every example if
            there are fewer files than that.
        skip_batches: Begins after so many batches, without decoding them: to resume a run.
        skip_corrupt: How many records that cannot be read are left out before it is an error.
        num_parallel_calls: Examples decoded at a time.

    Returns:
        Dataset of dicts: "image" float32 [batch, height, width, channels], "label" int64 [batch],
        and so on by item.

    Raises:
        DataError: A file is missing; or, when iterated over, something cannot be read.
        InputError: An argument does not fit.
    """
    _check_at_least(0, shuffle=shuffle, skip_batches=skip_batches, skip_corrupt=skip_corrupt)
    _check_at_least(1, batch_size=batch_size)
    if num_parallel_calls != tf.data.AUTOTUNE:
        _check_at_least(1, num_parallel_calls=num_parallel_calls)
    if shard and not 0 <= shard[0] < shard[1]:
        raise InputError(f"shard is {shard}, and must be (index, count) with 0 <= index < count")

    dataset = get_dataset(dataset, split, dataset_dir)
    files = find_files(dataset.data_sources, f"dataset {getattr(dataset, 'name', 'given')}")
    if not skip_corrupt:
        manifest.check(files)
    seed = int(np.random.randint(2**31)) if seed is None else seed
    repeat = is_training if repeat is None else repeat
    shuffle = is_training if shuffle is None else shuffle
    example = ExampleFunction(dataset, items, _preprocess(preprocessing), image_size, is_training)

    stream = _records(dataset, files, shard, seed if shuffle else None, skip_corrupt > 0)
    if cache and is_training:
        stream = stream.cache("" if cache is True else cache)
    if shuffle:
        buffer = 2048 if shuffle is True else shuffle
        stream = stream.shuffle(buffer, seed, reshuffle_each_iteration=True)
    if repeat:
        stream = stream.repeat(None if repeat is True else repeat)
    # The number of an example decides its distortions, however many are decoded at a time.
    stream = stream.enumerate().skip(skip_batches * batch_size)
    drop_remainder = is_training if drop_remainder is None else drop_remainder
    keep = cache and not is_training
    if not (skip_corrupt or keep):
        stream = stream.batch(batch_size, drop_remainder)
        stream = _batches(stream, example, seed, num_parallel_calls)
    else:
        stream = _examples(stream, example, seed, skip_corrupt, num_parallel_calls)
        if keep:
            stream = stream.cache("" if cache is True else cache)
        stream = stream.batch(batch_size, drop_remainder)
    stream = stream.prefetch(BATCHES_AT_A_TIME)
    stream = stream.with_options(_options())
    if skip_corrupt:
        return explained(stream, lambda error: DataError(reason(error)))
    return explained(stream, Scan(dataset, files, example).explain)


def _records(
    dataset: Dataset,
    files: Sequence[str],
    shard: tuple[int, int] | None,
    seed: int | None,
    with_origin: bool,
) -> tf.data.Dataset:
    """Reads the records of several files in turns; of the files in `shard` alone, if given."""
    read = records_with_origin if with_origin else record_dataset
    index, count = shard or (0, 1)
    by_file = count <= len(files)
    paths = tf.data.Dataset.from_tensor_slices(files[index::count] if by_file else files)
    if seed is not None:
        paths = paths.shuffle(len(files), seed, reshuffle_each_iteration=True)
    if dataset.reader is tf.compat.v1.IdentityReader and not with_origin:
        records = paths
    else:
        at_a_time = min(len(files), FILES_AT_A_TIME)
        # The system reads local files ahead; there, threads would only get in the way of others.
        far = any("://" in path for path in files)
        records = paths.interleave(
            lambda path: read(dataset, path),
            at_a_time,
            num_parallel_calls=at_a_time if far else None,
        )
    return records if by_file else records.shard(count, index)


def _batches(
    stream: tf.data.Dataset, example: ExampleFunction, seed: int, num_parallel_calls: int
) -> tf.data.Dataset:
    """Makes batches of examples of batches of pairs of a number and a record.

    To start the function of a map, and to wake up whoever waits for it, takes about a tenth of the
    time that decoding a picture does; here it is done once for a batch. Within it, examples are
    parsed one by one: TensorFlow's parser of many hands each large one to another thread.
    """
    automatic = num_parallel_calls == tf.data.AUTOTUNE
    at_a_time = os.cpu_count() or 1 if automatic else num_parallel_calls
    batches = min(BATCHES_AT_A_TIME, at_a_time)
    of_each = math.ceil(at_a_time / batches)

    @tf.autograph.experimental.do_not_convert
    def make(numbers: tf.Tensor, records: tf.Tensor) -> dict[str, Any]:
        return example.batch(records, _chance(seed, numbers), of_each)

    # Records are read while examples are made.
    return stream.prefetch(batches).map(make, batches)


def _examples(
    stream: tf.data.Dataset,
    example: ExampleFunction,
    seed: int,
    skip_corrupt: int,
    num_parallel_calls: int,
) -> tf.data.Dataset:
    """Makes examples of pairs of a number and a record."""

    @tf.autograph.experimental.do_not_convert
    def make(number: tf.Tensor, record: tf.Tensor) -> dict[str, Any]:
        return example(record, _chance(seed, number))

    if skip_corrupt:
        return leave_out(stream, make, skip_corrupt, num_parallel_calls)
    return stream.map(make, num_parallel_calls)


def _chance(seed: int, number: tf.Tensor) -> tf.Tensor:
    """Returns a seed [2] for the example of that number, or [batch, 2] for several."""
    return tf.stack([tf.fill(tf.shape(number), tf.constant(seed, tf.int64)), number], -1)


def _check_at_least(minimum: int, **arguments: int | None) -> None:
    for name, given in arguments.items():
        if given is not None and not (isinstance(given, (int, np.integer)) and given >= minimum):
            raise InputError(f"{name} is {given}, and must be a whole number from {minimum} on")


def _options() -> tf.data.Options:
    options = tf.data.Options()
    options.deterministic = True
    # It would time every operation of every example to find numbers that are known here.
    options.autotune.enabled = False
    # The files are the state outside of the graph, and an iterator is saved without them.
    options.experimental_external_state_policy = tf.data.experimental.ExternalStatePolicy.IGNORE
    return options


def _preprocess(preprocessing: str | Preprocess | None) -> Preprocess | None:
    if isinstance(preprocessing, str):
        return registry.lookup("preprocessing", preprocessing)
    return preprocessing
