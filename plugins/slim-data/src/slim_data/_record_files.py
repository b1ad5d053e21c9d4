"""The files of a dataset: found, checked for what is missing, and read record by record."""

import fnmatch
import functools
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf

from slim_data.dataset import Dataset
from slimcore.errors import DataError, InputError
from slimcore.text import shown

_SHARD = re.compile(r"^(?P<stem>.*)-(?P<number>\d{5})-of-(?P<count>\d{5})(?P<end>.*)$", re.DOTALL)


def find_files(data_sources: str | Sequence[str], what: str = "dataset") -> list[str]:
    """Returns the files that paths and glob patterns mean, sorted pattern by pattern.

    Args:
        data_sources: Paths or glob patterns.
        what: What they belong to, for errors.

    Raises:
        DataError: A pattern matches nothing, or a shard `-00003-of-00008` of a set is missing.
    """
    patterns = [data_sources] if isinstance(data_sources, str) else list(data_sources)
    files = []
    if not patterns:
        raise DataError(f"{what}: no file is given")
    for pattern in patterns:
        # A path may hold characters that a pattern would take for its own.
        found = [pattern] if tf.io.gfile.exists(pattern) else _matches(pattern)
        if not found:
            raise DataError(f"{what}: no file matches {pattern}{_what_is_there(pattern)}")
        files += found
    _check_shards(files, what)
    return files


def _matches(pattern: str) -> list[str]:
    folder, name = os.path.split(pattern)
    try:
        # A folder may be called like a pattern, too.
        if any(c in folder for c in "*?[\\") and tf.io.gfile.isdir(folder):
            names = fnmatch.filter(tf.io.gfile.listdir(folder), name)
            return sorted(os.path.join(folder, found) for found in names)
        return sorted(tf.io.gfile.glob(pattern))
    except tf.errors.NotFoundError:
        return []


def _what_is_there(pattern: str) -> str:
    folder = os.path.dirname(pattern) or "."
    if "://" in pattern:
        return ""
    if not Path(folder).is_dir():
        return f": there is no folder {folder}"
    names = sorted(shown(p.name) for p in Path(folder).iterdir())
    return f". In {folder}: {', '.join(names[:5]) or 'nothing'}{', …' if names[5:] else ''}"


def _check_shards(files: Sequence[str], what: str) -> None:
    sets: dict[tuple[str, str, int], set[int]] = {}
    for path in files:
        if m := _SHARD.match(path):
            key = m["stem"], m["end"], int(m["count"])
            sets.setdefault(key, set()).add(int(m["number"]))
    for (stem, end, count), numbers in sets.items():
        missing = sorted(set(range(count)) - numbers)
        if missing:
            more = f" and {len(missing) - 1} more" if missing[1:] else ""
            raise DataError(
                f"{what}: shard {stem}-{missing[0]:05d}-of-{count:05d}{end} is missing{more}; "
                f"{len(numbers)} of {count} are there"
            )


def record_dataset(dataset: Dataset, files: tf.Tensor) -> tf.data.Dataset:
    """Reads the records of some files, one after the other.

    Args:
        dataset: Says with `reader` how a file is cut into records.
        files: String tensor of paths.

    Returns:
        Dataset of scalar strings.
    """
    v1 = tf.compat.v1
    reader = dataset.reader
    options: dict[str, Any] = {}
    if isinstance(reader, functools.partial):
        partial: functools.partial[Any] = reader
        reader, options = partial.func, dict(partial.keywords)
    if reader in (v1.TFRecordReader, tf.data.TFRecordDataset):
        compression = options.get("compression_type") or _compression(options.get("options"))
        return tf.data.TFRecordDataset(files, compression)
    if reader in (v1.TextLineReader, tf.data.TextLineDataset):
        lines = tf.data.TextLineDataset
        skipped = options.get("skip_header_lines")
        if not skipped:
            return lines(files)
        each = tf.data.Dataset.from_tensor_slices(tf.reshape(files, [-1]))
        return each.flat_map(lambda path: lines(path).skip(skipped))
    if reader in (v1.FixedLengthRecordReader, tf.data.FixedLengthRecordDataset):
        return tf.data.FixedLengthRecordDataset(files, **options)
    paths = tf.data.Dataset.from_tensor_slices(tf.reshape(files, [-1]))
    if reader is v1.WholeFileReader:
        return paths.map(tf.io.read_file)
    if reader is v1.IdentityReader:
        return paths
    raise InputError(
        f"dataset {getattr(dataset, 'name', '')!r} has the reader {reader!r}, which has no tf.data "
        "equivalent. Use TFRecordReader, TextLineReader, FixedLengthRecordReader, "
        "WholeFileReader or IdentityReader of tf.compat.v1"
    )


def is_plain_tfrecord(reader: Any) -> bool:
    """Returns whether a reader cuts uncompressed TFRecords."""
    return reader in (tf.compat.v1.TFRecordReader, tf.data.TFRecordDataset)


def _compression(options: Any) -> str | None:
    kinds = {1: "ZLIB", 2: "GZIP"}
    return kinds.get(getattr(options, "compression_type", options))
