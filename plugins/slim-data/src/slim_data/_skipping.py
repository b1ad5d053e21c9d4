"""Leaves out unreadable records, up to a limit, and says which.

Everything here happens in the pipeline's own graph, so that nothing but the bad record is lost:
the intact records behind a corrupt one are read, and the order of the others stays as it is. It
costs a second reading of the files, and a small pipeline around each example to catch its errors;
a pipeline that leaves nothing out does without.
"""

import bisect
import struct
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from slim_data._record_files import is_plain_tfrecord, record_dataset
from slim_data.dataset import Dataset
from slimcore.data_errors import BAD_DATA

Element = dict[str, tf.Tensor]  # record, path, number, and whether the record is intact

# The frame of a record: length, CRC of the length, the data, CRC of the data.
_HEAD, _TAIL = 12, 4

_PIECE = 2**18  # bytes that are tried at a time


def records_with_origin(dataset: Dataset, path: tf.Tensor) -> tf.data.Dataset:
    """Reads the records of one file with their places, those behind a corrupt one included.

    Returns:
        Dataset of dicts: record, path, number in the file, and whether the record is intact.
    """

    def element(number: tf.Tensor, record: tf.Tensor, intact: Any = True) -> Element:
        return {"record": record, "path": path, "number": number, "intact": intact}

    if not is_plain_tfrecord(dataset.reader):
        return record_dataset(dataset, path).ignore_errors().enumerate().map(element)
    whole, records, intact = tf.numpy_function(
        _salvaged, [path], (tf.bool, tf.string, tf.bool), stateful=False
    )
    all_or_none = tf.where(tf.ensure_shape(whole, []), tf.int64.max, 0)
    as_it_is = record_dataset(dataset, path).take(all_or_none)
    numbers = tf.range(tf.size(records, tf.int64))
    vectors = [tf.reshape(vector, [-1]) for vector in (numbers, records, intact)]
    salvaged = tf.data.Dataset.from_tensor_slices(tuple(vectors))
    return as_it_is.enumerate().map(element).concatenate(salvaged.map(element))


def leave_out(
    stream: tf.data.Dataset,
    example: Callable[[tf.Tensor, tf.Tensor], Any],
    limit: int,
    num_parallel_calls: int,
) -> tf.data.Dataset:
    """Makes examples of records, without those that cannot be read.

    Args:
        stream: Dataset of pairs, a number and an element as `records_with_origin` gives it.
        example: Function from that number and a record to an example; it fails on a bad record.
        limit: How many different records may be left out; one more is an error.
        num_parallel_calls: Examples made at a time.
    """

    @tf.autograph.experimental.do_not_convert
    def unguarded(number: tf.Tensor, element: Element) -> Any:
        return example(number, element["record"])

    spec = stream.map(unguarded).element_spec

    def make(number: tf.Tensor, element: Element) -> tuple[Any, bool]:
        with tf.control_dependencies([tf.debugging.Assert(element["intact"], [number])]):
            record = tf.identity(element["record"])
        return example(number, record), True

    def attempt(number: tf.Tensor, element: Element) -> tuple[Any, Element, tf.Tensor]:
        made = tf.data.Dataset.from_tensors((number, element)).map(make).ignore_errors()
        blank = tf.data.Dataset.from_tensors((tf.nest.map_structure(_blank, spec), False))
        value, good = made.concatenate(blank).take(1).get_single_element()
        return value, element, good

    def count(bad: tf.Tensor, attempted: Any) -> tuple[tf.Tensor, tuple[Any, tf.Tensor]]:
        value, element, good = attempted
        number = tf.strings.as_string(element["number"])
        place = tf.strings.join([element["path"], ", record ", number])
        new = tf.logical_not(good | tf.reduce_any(tf.equal(bad, place)))
        return tf.cond(new, lambda: _noted(bad, place, limit), lambda: bad), (value, good)

    attempted = stream.map(attempt, num_parallel_calls)
    # The state is the places of the bad records, so that a second epoch does not count them again.
    counted = attempted.scan(tf.constant([], tf.string), count)
    good_ones = counted.filter(lambda value, good: good)
    return good_ones.map(lambda value, good: value)


def _noted(bad: tf.Tensor, place: tf.Tensor, limit: int) -> tf.Tensor:
    bad = tf.concat([bad, [place]], 0)
    reason = f"more than {limit} records cannot be read; the last was"
    with tf.control_dependencies([tf.debugging.Assert(tf.size(bad) <= limit, [reason, place])]):
        number = tf.strings.as_string(tf.size(bad))
    # A name may hold what a terminal would obey.
    shown = tf.strings.regex_replace(place, r"[\pC\x{2028}\x{2029}]", "?")
    parts = ["slim: left out ", shown, ", which cannot be read (", number, f" of at most {limit})"]
    with tf.control_dependencies([tf.print(tf.strings.join(parts), output_stream=sys.stderr)]):
        return tf.identity(bad)


def _blank(spec: tf.TypeSpec) -> Any:
    shape = [size or 0 for size in spec.shape]
    if isinstance(spec, tf.SparseTensorSpec):
        return tf.sparse.from_dense(tf.zeros(shape, spec.dtype))
    return tf.zeros(shape, spec.dtype)


def _salvaged(path: Any) -> tuple[bool, np.ndarray, np.ndarray]:
    """Reads what can be read of a TFRecord with a fault.

    Returns:
        Whether there is no fault, in which case the rest is empty; the records; and for each
        whether it is intact. A torn end of the file counts as one record.
    """
    path = np.asarray(path, object).item()
    starts, end = _frames(path)
    torn = end < tf.io.gfile.stat(path).length
    if not torn and _is_readable(path):
        return True, np.array([], object), np.array([], bool)
    records = _read_intact(path)
    intact = [True] * len(records)
    edges = [*starts, end]
    with tempfile.TemporaryDirectory() as folder, tf.io.gfile.GFile(path, "rb") as file:
        part = Path(folder, "part")
        # TensorFlow reads nothing behind a fault. So what follows is copied and tried piece by
        # piece: not the whole rest again for every fault.
        while (first := len(records)) < len(starts):
            last = max(bisect.bisect_right(edges, starts[first] + _PIECE) - 1, first + 1)
            file.seek(starts[first])
            part.write_bytes(file.read(edges[last] - starts[first]))
            found = _read_intact(str(part))
            records += found
            intact += [True] * len(found)
            if len(records) < last:
                records.append(b"")
                intact.append(False)
    if torn:
        records.append(b"")
        intact.append(False)
    return False, np.array([*records, b""], object)[:-1], np.array(intact, bool)


def _is_readable(path: bytes) -> bool:
    try:
        tf.data.TFRecordDataset(path).reduce(np.int64(0), lambda count, _: count + 1)
    except BAD_DATA:
        return False
    return True


def _read_intact(path: str | bytes) -> list[bytes]:
    """Returns the records before the first one that cannot be read."""
    records = []
    try:
        for record in tf.data.TFRecordDataset(path):
            records.append(record.numpy())
    except BAD_DATA:
        return records
    return records


def _frames(path: bytes) -> tuple[list[int], int]:
    """Returns where each record begins, following their lengths, and where the last one ends."""
    size, position, starts = tf.io.gfile.stat(path).length, 0, []
    with tf.io.gfile.GFile(path, "rb") as file:
        while position + _HEAD + _TAIL <= size:
            file.seek(position)
            length, check = struct.unpack("<QI", file.read(_HEAD))
            end = position + _HEAD + length + _TAIL
            if end > size or check != _masked_crc(struct.pack("<Q", length)):
                break  # without a length there is no telling where the next record begins
            starts.append(position)
            position = end
    return starts, position


def _masked_crc(data: bytes) -> int:
    """Returns the checksum of TFRecords: CRC-32C, rotated and shifted."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
