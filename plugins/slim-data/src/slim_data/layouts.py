"""TFRecords in research/slim's layout: the features of an image with a class, and their files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tensorflow as tf

from slim_data.dataset import Dataset
from slim_data.images import Image
from slim_data.item_handlers import Tensor
from slim_data.tfexample_decoder import TFExampleDecoder
from slimcore.errors import DataError, InputError, nearest

LABELS_FILE = "labels.txt"


@dataclass(frozen=True)
class Layout:
    """A dataset of images with one class each, in TFRecords.

    Attributes:
        name: Of the dataset.
        sizes: Number of examples of each split.
        pattern: Of the files of a split, with `{split}` in it.
        num_classes: Number of classes; labels are 0 to `num_classes` - 1.
        shape: Of every image, or None where they differ.
        image_format: Of images that do not say it.
        description: What a label is.
    """

    name: str
    sizes: Mapping[str, int]
    pattern: str
    num_classes: int
    shape: tuple[int, int, int] | None
    image_format: str
    description: str

    def get_split(
        self,
        split_name: str,
        dataset_dir: str,
        file_pattern: str | None = None,
        reader: Any = None,
        decoder: TFExampleDecoder | None = None,
    ) -> Dataset:
        """Returns one split, without opening its files. See `slim_data.datasets`."""
        if split_name not in self.sizes:
            raise InputError(
                f"dataset {self.name} has no split {split_name!r}. "
                f"Close: {nearest(split_name, self.sizes)}. It has {', '.join(self.sizes)}"
            )
        pattern = (file_pattern or self.pattern).replace("%s", split_name)
        return Dataset(
            data_sources=str(Path(dataset_dir) / pattern.format(split=split_name)),
            reader=reader or tf.compat.v1.TFRecordReader,
            decoder=decoder or image_decoder(self.shape, self.image_format),
            num_samples=self.sizes[split_name],
            items_to_descriptions={"image": "The picture.", "label": self.description},
            num_classes=self.num_classes,
            labels_to_names=read_labels(dataset_dir),
            name=self.name,
            split=split_name,
        )


def image_decoder(
    shape: Sequence[int] | None = None, image_format: str = "jpeg", channels: int = 3
) -> TFExampleDecoder:
    """Returns the decoder of examples with `image/encoded` and `image/class/label`.

    Args:
        shape: Of every image, or None where they differ.
        image_format: Of images that do not say it.
        channels: To decode to, where `shape` does not say it.
    """
    keys_to_features = {
        "image/encoded": tf.io.FixedLenFeature([], tf.string),
        "image/format": tf.io.FixedLenFeature([], tf.string, default_value=image_format),
        "image/class/label": tf.io.FixedLenFeature([], tf.int64),
    }
    items_to_handlers = {
        "image": Image(shape=shape, channels=shape[-1] if shape else channels),
        "label": Tensor("image/class/label", shape=[]),
    }
    return TFExampleDecoder(keys_to_features, items_to_handlers)


def read_labels(dataset_dir: str) -> dict[int, str] | None:
    """Returns the names of the classes, from the lines `0:daisy` of labels.txt, if it is there.

    Raises:
        DataError: A line is not of that form.
    """
    path = Path(dataset_dir) / LABELS_FILE
    if not path.is_file():
        return None
    names = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        label, colon, name = line.partition(":")
        if line and not (colon and label.strip().isdigit()):
            raise DataError(f"{path}, line {number}: {line!r} is not of the form 0:name")
        if line:
            names[int(label)] = name
    return names
