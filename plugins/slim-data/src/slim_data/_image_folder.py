"""The dataset `image_folder`: pictures in a folder for each class, read as they are."""

import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf

from slim_data._images import Image
from slim_data._item_handlers import Features, Tensor
from slim_data._tfrecord_layout import check_split, required_folder
from slim_data.dataset import Dataset
from slim_data.tfexample_decoder import TFExampleDecoder
from slimcore.errors import DataError

_SPLITS = ("train", "training", "validation", "val", "valid", "test", "testing")
_CLUTTER = ("Thumbs.db", "desktop.ini")  # what file managers leave in folders of pictures


def image_folder(
    split_name: str,
    dataset_dir: str | None = None,
    file_pattern: str | None = None,
    reader: Any = None,
) -> Dataset:
    """Describes your own pictures: a folder with one folder of pictures for each class.

    Splits: the folders `train`, `test` and so on, if the classes are within these; otherwise
    `train` and `test`, where a picture is for testing if its name's checksum says so, about one in
    five, and `all`.

    Args:
        split_name: The split.
        dataset_dir: The folder.
        file_pattern: Not used; here so that all datasets are called alike.
        reader: Not used.

    Raises:
        DataError: There is no folder, no class, or a class without a picture.
        InputError: There is no such split.
    """
    del file_pattern, reader
    folder = required_folder("image_folder", dataset_dir, "one folder of pictures for each class")
    splits = list_splits(folder)
    check_split(f"image_folder in {folder}", split_name, splits)
    root, files = splits[split_name]
    classes = list_classes(root)
    return Dataset(
        data_sources=[str(path) for path in files],
        reader=tf.compat.v1.IdentityReader,
        decoder=ImageFolderDecoder(str(root), classes),
        num_samples=len(files),
        items_to_descriptions={
            "image": "The picture.",
            "label": "Its class.",
            "filename": "Its path.",
        },
        num_classes=len(classes),
        labels_to_names=dict(enumerate(classes)),
        name="image_folder",
        split=split_name,
    )


def list_splits(folder: str) -> dict[str, tuple[Path, list[Path]]]:
    """Returns the splits of a folder: for each, the folder with the classes, and the pictures.

    Raises:
        DataError: There is no class, a class without a picture, or the splits' classes differ.
    """
    top = Path(folder)
    own = [top / name for name in _SPLITS if (top / name).is_dir()]
    if not own:
        files = _pictures(top)
        test = _for_testing(top, files)
        return {
            "train": (top, [path for path in files if path not in test]),
            "test": (top, [path for path in files if path in test]),
            "all": (top, files),
        }
    first = list_classes(own[0])
    for other in own[1:]:
        difference = set(first) ^ set(list_classes(other))
        if difference:
            raise DataError(
                f"{own[0]} and {other} have different classes: {', '.join(sorted(difference))} "
                "is in one of them alone"
            )
    return {path.name: (path, _pictures(path)) for path in own}


def list_classes(root: Path) -> list[str]:
    """Returns the names of the class folders, sorted; a class's label is its place.

    Raises:
        DataError: There is none.
    """
    names = sorted(p.name for p in root.iterdir() if p.is_dir() and p.name[0] != ".")
    if not names:
        raise DataError(f"{root} holds no class: put the pictures of each class in a folder of it")
    return names


def _pictures(root: Path) -> list[Path]:
    """Returns all files of the class folders, pictures or not: what is none is found on reading."""
    found = []
    for name in list_classes(root):
        inside = sorted(
            path
            for path in (root / name).rglob("*")
            if path.is_file() and path.name[0] != "." and path.name not in _CLUTTER
        )
        if not inside:
            raise DataError(
                f"class folder {root / name} is empty: add pictures, or remove the folder"
            )
        found += inside
    return found


def _for_testing(root: Path, files: Sequence[Path]) -> set[Path]:
    """Chooses by a checksum of the name, so that a picture added later moves no other."""

    def checksum(path: Path) -> int:
        return zlib.crc32(path.relative_to(root).as_posix().encode())

    chosen = {path for path in files if checksum(path) % 5 == 0}
    for name in list_classes(root):
        inside = [path for path in files if path.relative_to(root).parts[0] == name]
        in_test = chosen.intersection(inside)
        if len(inside) > 1 and not in_test:
            chosen.add(min(inside, key=checksum))
        if len(inside) == len(in_test):
            chosen.discard(max(inside, key=checksum))
    return chosen


class ImageFolderDecoder(TFExampleDecoder):
    """Reads a picture by its path; its label is that of the class folder it lies in."""

    def __init__(self, root: str, classes: Sequence[str]) -> None:
        """Keeps the classes.

        Args:
            root: The folder with the class folders.
            classes: Their names, by label.
        """
        handlers = {
            "image": Image(),
            "label": Tensor("image/class/label"),
            "filename": Tensor("image/filename"),
        }
        super().__init__({}, handlers)
        self._root = root
        self._classes = list(classes)

    def parse(self, serialized_example: tf.Tensor, items: Sequence[str] | None = None) -> Features:
        """Reads a file.

        Args:
            serialized_example: Scalar string, a path.
            items: Not used.
        """
        path = serialized_example
        inside = tf.strings.substr(path, len(self._root.encode()) + 1, 2**20)
        name = tf.strings.regex_replace(inside, r"[/\\].*", "")
        return {
            "image/encoded": tf.io.read_file(path),
            "image/format": tf.strings.regex_replace(path, r".*\.", ""),
            "image/class/label": tf.argmax(tf.cast(tf.equal(name, self._classes), tf.int32)),
            "image/filename": path,
        }
