"""Reads records in a graph: several readers fill one queue, which the graph takes from."""

from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf

from slim_data._record_files import find_files
from slimcore.collections import in_graph
from slimcore.errors import InputError, RunError

v1 = tf.compat.v1


class ParallelReader(tf.compat.v1.ReaderBase):
    """Several readers that fill one queue with keys and records."""

    def __init__(
        self,
        reader_class: Any,
        common_queue: tf.queue.QueueBase,
        num_readers: int = 4,
        reader_kwargs: Mapping[str, Any] | None = None,
    ) -> None:
        """Makes the readers.

        Args:
            reader_class: Class of the readers, such as `tf.compat.v1.TFRecordReader`.
            common_queue: Queue of pairs of scalar strings, a key and a record. `read_up_to` needs
                one whose shapes are given.
            num_readers: Number of readers.
            reader_kwargs: Passed to `reader_class`.

        Raises:
            InputError: The queue does not hold two components.
            RunError: There is no graph.
        """
        require_graph("ParallelReader")
        if len(common_queue.dtypes) != 2:
            raise InputError(
                "ParallelReader fills a queue of two components, a key and a record; this one has "
                f"{len(common_queue.dtypes)}"
            )
        self._readers = [reader_class(**(reader_kwargs or {})) for _ in range(num_readers)]
        self._common_queue = common_queue
        super().__init__(self._readers[0].reader_ref, supports_serialize=False)

    @property
    def num_readers(self) -> int:
        """How many readers there are."""
        return len(self._readers)

    @property
    def common_queue(self) -> tf.queue.QueueBase:
        """The queue that the readers fill."""
        return self._common_queue

    def read(self, queue: Any, name: str | None = None) -> tuple[tf.Tensor, tf.Tensor]:
        """Takes one record; a queue runner makes the readers fill the common queue.

        Args:
            queue: Queue of paths to read.
            name: Name of the op.

        Returns:
            Key (the file and the place in it) and record, scalar strings.
        """
        self._fill(self._common_queue.enqueue(reader.read(queue)) for reader in self._readers)
        return self._common_queue.dequeue(name=name)

    def read_up_to(
        self, queue: Any, num_records: int, name: str | None = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Takes several records; near the end of the files there may be fewer.

        Args:
            queue: Queue of paths to read.
            num_records: How many at most.
            name: Name of the op.

        Returns:
            Keys and records, strings [up to num_records].
        """
        self._fill(
            self._common_queue.enqueue_many(reader.read_up_to(queue, num_records))
            for reader in self._readers
        )
        return self._common_queue.dequeue_up_to(num_records, name=name)

    def num_records_produced(self, name: str | None = None) -> tf.Tensor:
        """Returns how many records all readers have read, an int64 scalar."""
        return tf.add_n([reader.num_records_produced() for reader in self._readers], name=name)

    def num_work_units_completed(self, name: str | None = None) -> tf.Tensor:
        """Returns how many files all readers have read to the end, an int64 scalar."""
        return tf.add_n([reader.num_work_units_completed() for reader in self._readers], name=name)

    def _fill(self, enqueue_ops: Any) -> None:
        runner = v1.train.QueueRunner(self._common_queue, list(enqueue_ops))
        v1.train.add_queue_runner(runner)


def parallel_read(
    data_sources: str | Sequence[str],
    reader_class: Any,
    num_epochs: int | None = None,
    num_readers: int = 4,
    reader_kwargs: Mapping[str, Any] | None = None,
    shuffle: bool = True,
    dtypes: Sequence[tf.DType] | None = None,
    capacity: int = 256,
    min_after_dequeue: int = 128,
    seed: int | None = None,
    scope: str | None = None,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Reads records of many files, several files at a time, through queues of a graph.

    Args:
        data_sources: Paths or glob patterns.
        reader_class: Class of the readers, such as `tf.compat.v1.TFRecordReader`.
        num_epochs: How often each file is read; for ever by default. The count is a local
            variable, to be initialized.
        num_readers: Number of files read at a time.
        reader_kwargs: Passed to `reader_class`.
        shuffle: Whether files and records are shuffled.
        dtypes: Types of key and record, strings by default.
        capacity: Largest number of records in the common queue.
        min_after_dequeue: Smallest number of records that stay in it, for a good shuffle.
        seed: Seed for shuffling.
        scope: Name scope of the ops, "parallel_read" by default.

    Returns:
        Key (the file and the place in it) and record, scalar strings.

    Raises:
        DataError: No file is there.
        RunError: There is no graph.
    """
    require_graph("parallel_read")
    files = get_data_files(data_sources)
    with tf.name_scope(scope or "parallel_read"):
        paths = v1.train.string_input_producer(
            files, num_epochs=num_epochs, shuffle=shuffle, seed=seed, name="filenames"
        )
        dtypes = list(dtypes or (tf.string, tf.string))
        shapes: list[list[int]] = [[], []]
        if shuffle:
            queue = tf.queue.RandomShuffleQueue(
                capacity, min_after_dequeue, dtypes, shapes, seed=seed, name="common_queue"
            )
        else:
            queue = tf.queue.FIFOQueue(capacity, dtypes, shapes, name="common_queue")
        summarize_fullness(queue, capacity)
        # A reader without a file of its own would only wait.
        readers = min(num_readers, len(files))
        reader = ParallelReader(reader_class, queue, readers, reader_kwargs)
        return reader.read(paths)


def single_pass_read(
    data_sources: str | Sequence[str],
    reader_class: Any,
    reader_kwargs: Mapping[str, Any] | None = None,
    scope: str | None = None,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Reads every record once and in order, with one reader, in a graph.

    Args:
        data_sources: Paths or glob patterns.
        reader_class: Class of the readers, such as `tf.compat.v1.TFRecordReader`.
        reader_kwargs: Passed to `reader_class`.
        scope: Name scope of the ops, "single_pass_read" by default.

    Returns:
        Key (the file and the place in it) and record, scalar strings.

    Raises:
        DataError: No file is there.
        RunError: There is no graph.
    """
    require_graph("single_pass_read")
    files = get_data_files(data_sources)
    with tf.name_scope(scope or "single_pass_read"):
        paths = v1.train.string_input_producer(
            files, num_epochs=1, shuffle=False, capacity=1, name="filenames"
        )
        return reader_class(**(reader_kwargs or {})).read(paths)


def get_data_files(data_sources: str | Sequence[str]) -> list[str]:
    """Returns the files that paths and glob patterns mean, sorted pattern by pattern.

    Raises:
        DataError: A pattern matches nothing, or there is none.
    """
    return find_files(data_sources)


def require_graph(what: str) -> None:
    """Raises RunError unless a graph is being built."""
    if not in_graph():
        raise RunError(
            f"{what} works with queues, which only a tf.Graph has. Build it in "
            "`with tf.Graph().as_default():`, or read with slim.data.load"
        )


def summarize_fullness(queue: tf.queue.QueueBase, capacity: int) -> None:
    """Adds a scalar summary of how full a queue is, from 0 to 1."""
    v1.summary.scalar(f"fraction_of_{capacity}_full", tf.cast(queue.size(), tf.float32) / capacity)
