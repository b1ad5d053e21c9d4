"""The datasets that Slim knows: `get_split(split_name, dataset_dir=None, …) -> Dataset`.

Each function describes one split of a dataset in research/slim's layout. Its arguments:

    split_name: Such as "train"; an unknown one is an InputError that lists them.
    dataset_dir: The folder with the TFRecords and labels.txt.
    file_pattern: Of the files of a split, with `%s` for its name, where they are called otherwise.
    reader: What cuts a file into examples, `tf.compat.v1.TFRecordReader` by default.
"""

from pathlib import Path
from typing import Any

from slim_data.dataset import Dataset
from slim_data.layouts import Layout

_DIGITS = Layout(
    name="digits",
    sizes={"train": 1442, "test": 355},
    pattern="digits_{split}.tfrecord",
    num_classes=10,
    shape=(8, 8, 1),
    image_format="png",
    description="The digit, 0 to 9.",
)


def digits(
    split_name: str,
    dataset_dir: str | None = None,
    file_pattern: str | None = None,
    reader: Any = None,
) -> Dataset:
    """Describes the UCI handwritten digits, 8x8 pixels, which come with slim-data.

    Splits: train (1,442) and test (355).
    Source: Alpaydin and Kaynak, "Optical Recognition of Handwritten Digits", UCI, 1998.
    """
    dataset_dir = dataset_dir or str(Path(__file__).with_name("digits"))
    return _DIGITS.get_split(split_name, dataset_dir, file_pattern, reader)
