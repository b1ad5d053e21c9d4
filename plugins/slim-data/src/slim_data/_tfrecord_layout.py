"""TFRecords in research/slim's layout: the features of an image with a class, and their files."""

import codecs
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tensorflow as tf

import slim_data._manifest as manifests
from slim_data._images import Image
from slim_data._item_handlers import Tensor
from slim_data.dataset import Dataset
from slim_data.tfexample_decoder import TFExampleDecoder
from slimcore.errors import DataError, InputError, close
from slimcore.text import shown

LABELS_FILE = "labels.txt"


@dataclass(frozen=True)
class Layout:
    """A dataset of images with one class each, in TFRecords.

    Attributes:
        name: Name of the dataset.
        sizes: Number of examples of each split.
        pattern: Pattern for the files of a split, with `%s` for its name.
        num_classes: Number of classes; labels are 0 to `num_classes` - 1.
        decoder: Decoder of the examples.
        items_to_descriptions: What each item is.
    """

    name: str
    sizes: Mapping[str, int]
    pattern: str
    num_classes: int
    decoder: TFExampleDecoder
    items_to_descriptions: Mapping[str, str]

    def get_split(
        self,
        split_name: str,
        dataset_dir: str | None,
        file_pattern: str | None = None,
        reader: Any = None,
    ) -> Dataset:
        """Returns one split, without opening its files. See `slim_data.datasets`.

        Raises:
            InputError: There is no such split.
            DataError: No folder is given.
        """
        check_split(self.name, split_name, self.sizes)
        pattern = (file_pattern or self.pattern).replace("%s", split_name)
        folder = required_folder(self.name, dataset_dir, f"{pattern} and {LABELS_FILE}")
        manifest = manifests.read(folder)
        converted = manifest.splits.get(split_name) if manifest else None
        return Dataset(
            data_sources=os.path.join(folder, pattern),
            reader=reader or tf.compat.v1.TFRecordReader,
            decoder=self.decoder,
            num_samples=converted.examples if converted else self.sizes[split_name],
            items_to_descriptions=self.items_to_descriptions,
            num_classes=self.num_classes,
            labels_to_names=read_labels(folder, self.num_classes),
            name=self.name,
            split=split_name,
        )


def check_split(dataset: str, name: str, splits: Mapping[str, Any]) -> None:
    """Raises InputError unless a dataset has a split of this name."""
    if name not in splits:
        raise InputError(
            f"dataset {dataset} has no split {name!r}{close(name, splits)}. "
            f"It has {', '.join(splits)}"
        )


def required_folder(dataset: str, folder: str | None, contents: str) -> str:
    """Returns a folder that must be given and be there.

    Raises:
        DataError: It is not.
    """
    if folder is None:
        raise DataError(
            f"dataset {dataset} needs its folder: give --dataset-dir (dataset_dir=) with {contents}"
        )
    if "://" not in folder and not os.path.isdir(folder):
        raise DataError(f"dataset {dataset}: there is no folder {folder or repr(folder)}")
    return folder


def image_decoder(
    shape: Sequence[int] | None = None,
    image_format: str = "jpeg",
    channels: int = 3,
    more_features: Mapping[str, Any] | None = None,
    more_handlers: Mapping[str, Any] | None = None,
) -> TFExampleDecoder:
    """Returns the decoder of examples with `image/encoded` and `image/class/label`.

    Args:
        shape: Shape of every image, or None where they differ.
        image_format: Format of images that do not say it.
        channels: Number of channels to decode to, where `shape` does not say it.
        more_features: Further features to parse.
        more_handlers: Handlers of further items.
    """
    keys_to_features = {
        "image/encoded": tf.io.FixedLenFeature([], tf.string),
        "image/format": tf.io.FixedLenFeature([], tf.string, default_value=image_format),
        "image/class/label": tf.io.FixedLenFeature([], tf.int64),
        **(more_features or {}),
    }
    items_to_handlers = {
        "image": Image(shape=shape, channels=shape[-1] if shape else channels),
        "label": Tensor("image/class/label"),
        **(more_handlers or {}),
    }
    return TFExampleDecoder(keys_to_features, items_to_handlers)


def read_labels(dataset_dir: str, num_classes: int) -> dict[int, str] | None:
    """Returns the names of the classes, from the lines `0:daisy` of labels.txt, if it is there.

    Args:
        dataset_dir: The folder with labels.txt.
        num_classes: How many classes there are; each must have one line.

    Raises:
        DataError: The file is not UTF-8 text of that form, or a class has no name or two.
    """
    path = Path(dataset_dir) / LABELS_FILE
    if not path.is_file():
        return None
    try:
        data = path.read_bytes().removeprefix(codecs.BOM_UTF8)
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from error
    names: dict[int, str] = {}
    # Lines end here as `write_labels` ends them: other separators may be part of a name.
    for number, line in enumerate(data.split(b"\n"), 1):
        line = line.removesuffix(b"\r")
        if line:
            label, name = _label_and_name(line, f"{path}, line {number}")
            if label >= num_classes:
                raise DataError(
                    f"{path}, line {number}: the label {label} is not one of 0 to {num_classes - 1}"
                )
            if label in names:
                raise DataError(f"{path}, line {number}: the label {label} has a name already")
            names[label] = name
    missing = [label for label in range(num_classes) if label not in names]
    if missing:
        more = f" and {len(missing) - 1} more" if missing[1:] else ""
        raise DataError(
            f"{path} has no line for label {missing[0]}{more}; it must name each of the "
            f"{num_classes} classes"
        )
    return dict(sorted(names.items()))


def _label_and_name(line: bytes, where: str) -> tuple[int, str]:
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"{where} is not UTF-8; save the file as UTF-8") from error
    match = re.fullmatch(r"\s*([0-9]{1,9})\s*:(.+)", text, re.DOTALL)
    if not match:
        raise DataError(f"{where}: {shown(text)[:200]!r} is not of the form 0:name")
    return int(match[1]), match[2]


def check_names(classes: Sequence[str]) -> None:
    """Raises DataError unless labels.txt can hold these names of classes."""
    for name in classes:
        if not name or "\n" in name or "\r" in name:
            raise DataError(
                f"the class {shown(name)!r} cannot be a line of {LABELS_FILE}; rename it, without "
                "a line break"
            )


def write_labels(folder: str | Path, classes: Sequence[str]) -> None:
    """Writes labels.txt.

    Raises:
        DataError: It cannot be written, or cannot hold such a name.
    """
    check_names(classes)
    lines = [f"{label}:{name}\n" for label, name in enumerate(classes)]
    manifests.write_whole(Path(folder) / LABELS_FILE, "".join(lines))
