"""Finds the record that made a pipeline fail, and says it in one line.

TensorFlow's error for a bad record knows neither its file nor its number. To carry both along would
slow every example down; instead, the files are read once more when a pipeline has failed.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from slim_data._record_files import record_dataset
from slim_data.dataset import Dataset
from slimcore.data_errors import BAD_DATA
from slimcore.errors import DataError, first_line


@dataclass(frozen=True)
class Scan:
    """How to look for the first bad record.

    Attributes:
        dataset: Dataset that says how the files are read.
        files: Paths of the files to look through.
        example: What is done with a record and a seed [2], and fails on a bad one.
    """

    dataset: Dataset
    files: Sequence[str]
    example: Callable[[tf.Tensor, tf.Tensor], Any]

    def explain(self, error: Exception) -> Exception:
        """Returns a DataError that names file and record, or `error` if all can be read."""
        fault = self.first_fault()
        if fault is None and re.search(_OF_ONE_BATCH, str(error)):
            fault = DataError(reason(error))
        return fault or error

    def first_fault(self) -> DataError | None:
        """Reads every record in order, and returns what is wrong with the first bad one."""
        paths = tf.data.Dataset.from_tensor_slices(list(self.files))
        records = paths.flat_map(lambda path: record_dataset(self.dataset, path))
        examples = records.map(
            lambda record: self.example(record, tf.zeros([2], tf.int64)), tf.data.AUTOTUNE
        )
        good = 0
        try:
            for _ in examples:
                good += 1
        except BAD_DATA as error:
            return DataError(f"{self._place(good)}: {reason(error)}")
        return None

    def _place(self, good: int) -> str:
        """Returns the file and the number of the record that so many good ones come before."""
        for path in self.files:
            number = 0
            try:
                for _ in record_dataset(self.dataset, tf.constant([path])):
                    if good == 0:
                        return self._named(path, number)
                    number, good = number + 1, good - 1
            except BAD_DATA:
                return self._named(path, number)
        return "one of the files"

    def _named(self, path: str, number: int) -> str:
        one_a_file = tf.compat.v1.IdentityReader, tf.compat.v1.WholeFileReader
        if self.dataset.reader in one_a_file:
            return path
        return f"{path}, record {number} (the first is 0)"


_OF_ONE_BATCH = (
    r".*(?:Incompatible shapes during merge: |Shapes are: \[tensor\]: )(\[[^]]*\]).*?(\[[\d,]*\]).*"
)
"""TensorFlow's words for examples that do not fit in one batch, and their shapes."""


def reason(error: BaseException) -> str:
    """Returns what TensorFlow says about bad data, in one line and without its names of nodes."""
    message = first_line(error)
    message = re.sub(r"(Could not parse \w+ input), value: '.*", r"\1", message)
    message = re.sub(
        "Unable to parse binary protobuf", "the record is not a tf.train.Example", message
    )
    if shapes := re.match(_OF_ONE_BATCH, message):
        return (
            f"one batch would hold the shapes {shapes[1]} and {shapes[2]}. Give image_size, "
            "if these are images, a batch_size of 1, or other items"
        )
    return message
