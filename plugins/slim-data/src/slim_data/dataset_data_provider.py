"""`DatasetDataProvider`: the examples of a dataset in a graph, through queues."""

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from slim_data.data_provider import DataProvider
from slim_data.dataset import Dataset
from slim_data.parallel_reader import parallel_read
from slimcore.errors import InputError


class DatasetDataProvider(DataProvider):
    """Reads and decodes one example of a dataset each time its tensors are run.

    It works in a `tf.Graph`, with queue runners started. In TF2 `slim.data.load` gives the same
    examples as a `tf.data` pipeline.
    """

    def __init__(
        self,
        dataset: Dataset,
        num_readers: int = 1,
        reader_kwargs: Mapping[str, Any] | None = None,
        shuffle: bool = True,
        num_epochs: int | None = None,
        common_queue_capacity: int = 256,
        common_queue_min: int = 128,
        record_key: str = "record_key",
        seed: int | None = None,
        scope: str | None = None,
    ) -> None:
        """Builds the readers, the queues and the decoding ops.

        Args:
            dataset: What to read.
            num_readers: Number of files read at a time.
            reader_kwargs: Passed to the dataset's reader.
            shuffle: Whether files and examples are shuffled.
            num_epochs: How often each file is read; for ever by default. The count is a local
                variable, to be initialized.
            common_queue_capacity: Largest number of examples in the queue that the readers share.
            common_queue_min: Smallest number of examples that stay in it, for a good shuffle.
            record_key: Name of the item with the file and place of the example.
            seed: Seed for shuffling.
            scope: Name scope for the ops.

        Raises:
            InputError: `record_key` is an item of the dataset.
            DataError: No file is there.
        """
        items = list(dataset.decoder.list_items())
        if record_key in items:
            raise InputError(
                f"record_key={record_key!r} is an item of the dataset; give another name for the "
                "item with the file and place of an example"
            )
        key, data = parallel_read(
            dataset.data_sources,
            reader_class=dataset.reader,
            num_epochs=num_epochs,
            num_readers=num_readers,
            reader_kwargs=reader_kwargs,
            shuffle=shuffle,
            capacity=common_queue_capacity,
            min_after_dequeue=common_queue_min,
            seed=seed,
            scope=scope,
        )
        tensors: dict[str, tf.Tensor] = dict(
            zip(items, dataset.decoder.decode(data, items), strict=True)
        )
        super().__init__({**tensors, record_key: key}, dataset.num_samples)
