"""The dataset `image_folder`: images in one folder for each class, read as they are."""

import os
import unicodedata
import zlib
from collections.abc import Iterable, Sequence
from typing import Any

import tensorflow as tf

from slim_data._images import Image
from slim_data._item_handlers import Features, Tensor
from slim_data._tfrecord_layout import check_split, required_folder
from slim_data.dataset import Dataset
from slim_data.tfexample_decoder import TFExampleDecoder
from slimcore.errors import DataError
from slimcore.text import shown

_SPLITS = ("train", "training", "validation", "val", "valid", "test", "testing")
_CLUTTER = ("Thumbs.db", "desktop.ini")  # what file managers leave in folders of images


def image_folder(
    split_name: str,
    dataset_dir: str | None = None,
    file_pattern: str | None = None,
    reader: Any = None,
) -> Dataset:
    """Describes your own images: a folder with one folder of images for each class.

    Splits: the folders `train`, `test` and so on, if the classes are within these; otherwise
    `train` and `test`, where an image is for testing if its name's checksum says so, about one in
    five, and `all`. Images are turned as their EXIF orientation says. Names that begin with a dot
    are passed over.

    Args:
        split_name: Name of the split.
        dataset_dir: The folder, a local one.
        file_pattern: Not used; here so that all datasets are called alike.
        reader: Not used.

    Raises:
        DataError: There is no folder, no class, or a class or a split without an image; or a name
            is not text.
        InputError: There is no such split.
    """
    del file_pattern, reader
    folder = required_folder("image_folder", dataset_dir, "one folder of images for each class")
    if "://" in folder:
        raise DataError(
            f"dataset image_folder reads local folders, not {folder}; copy it here, or read the "
            "TFRecords that slim data convert makes of it"
        )
    splits = list_splits(folder)
    check_split(f"image_folder in {folder}", split_name, splits)
    root, files = splits[split_name]
    if not files:
        raise DataError(
            f"image_folder in {folder}: the split {split_name} has no image, since no class has "
            "more than one; add images, or take the split all"
        )
    classes = list_classes(root)
    return Dataset(
        data_sources=files,
        reader=tf.compat.v1.IdentityReader,
        decoder=ImageFolderDecoder(root, classes),
        num_samples=len(files),
        items_to_descriptions={
            "image": "The image.",
            "label": "Its class.",
            "filename": "Its path.",
        },
        num_classes=len(classes),
        labels_to_names=dict(enumerate(classes)),
        name="image_folder",
        split=split_name,
    )


def list_splits(folder: str) -> dict[str, tuple[str, list[str]]]:
    """Returns the splits of a folder: for each, the folder with the classes, and the images.

    Raises:
        DataError: There is no class, a class without an image, or the splits' classes differ; or
            a name is not text.
    """
    own = [name for name in _SPLITS if os.path.isdir(os.path.join(folder, name))]
    if not own:
        files = _images(folder)
        test = _for_testing(folder, files)
        return {
            "train": (folder, [path for path in files if path not in test]),
            "test": (folder, [path for path in files if path in test]),
            "all": (folder, files),
        }
    roots = {name: os.path.join(folder, name) for name in own}
    first, *others = own
    for other in others:
        _check_same_classes(roots[first], roots[other])
    return {name: (root, _images(root)) for name, root in roots.items()}


def _check_same_classes(one: str, other: str) -> None:
    difference = set(list_classes(one)) ^ set(list_classes(other))
    if not difference:
        return
    names = sorted(difference)
    normal = {unicodedata.normalize("NFC", name) for name in names}
    # Such as a composed and a decomposed umlaut, which a Mac and others write.
    if len(normal) < len(names):
        names = [ascii(name) for name in names]
    raise DataError(
        f"{one} and {other} have different classes: {', '.join(map(shown, names))} "
        f"{'are each' if names[1:] else 'is'} in one of them alone"
    )


def list_classes(root: str) -> list[str]:
    """Returns the names of the class folders, sorted; a class's label is its place.

    Raises:
        DataError: There is none, or a name is not text.
    """
    names = sorted(name for name in os.listdir(root) if _is_class(root, name))
    if not names:
        raise DataError(f"{root} holds no class: put the images of each class in a folder of it")
    return _checked_names(root, names)


def _is_class(root: str, name: str) -> bool:
    return name[0] != "." and os.path.isdir(os.path.join(root, name))


def path_inside(root: str, path: str) -> str:
    """Returns the path of an image relative to the folder with the classes, class first."""
    return path[len(_prefix(root)) :].replace(os.sep, "/")


def _prefix(root: str) -> str:
    """Returns what every path below a folder begins with, however the folder is spelled."""
    return os.path.join(root, "")


def _images(root: str) -> list[str]:
    """Returns all files of the class folders, images or not: what is not is found on reading."""
    found = []
    for name in list_classes(root):
        inside = sorted(_files_below(os.path.join(root, name)))
        if not inside:
            raise DataError(
                f"class folder {os.path.join(root, name)} is empty: add images, or remove the "
                "folder"
            )
        found += inside
    return found


def _files_below(folder: str) -> Iterable[str]:
    """Lists the files of a folder and of those below, links to folders included, each once."""
    seen = set()
    for top, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(top)
        folders[:] = [name for name in folders if name[0] != "." and real not in seen]
        if real in seen:
            continue
        seen.add(real)
        wanted = [name for name in files if name[0] != "." and name not in _CLUTTER]
        for name in _checked_names(top, wanted):
            path = os.path.join(top, name)
            if not os.path.exists(path):
                raise DataError(f"{path} is a link to nothing; remove it, or restore its target")
            if os.path.isfile(path):  # to read a pipe would wait for ever
                yield path


def _checked_names(folder: str, names: list[str]) -> list[str]:
    for name in names:
        try:
            name.encode()
        except UnicodeEncodeError:
            raise DataError(
                f"the name {shown(name)} in {shown(folder)} is not UTF-8; rename it"
            ) from None
    return names


def _for_testing(root: str, files: Sequence[str]) -> set[str]:
    """Chooses by a checksum of the name, so that an image added later moves no other."""

    def checksum(path: str) -> int:
        return zlib.crc32(path_inside(root, path).encode())

    by_class: dict[str, list[str]] = {}
    for path in files:
        by_class.setdefault(path_inside(root, path).partition("/")[0], []).append(path)
    chosen = {path for path in files if checksum(path) % 5 == 0}
    for inside in by_class.values():
        in_test = chosen.intersection(inside)
        if len(inside) > 1 and not in_test:
            chosen.add(min(inside, key=checksum))
        if len(inside) == len(in_test):
            chosen.discard(max(inside, key=checksum))
    return chosen


class ImageFolderDecoder(TFExampleDecoder):
    """Reads an image by its path; its label is that of the class folder it lies in."""

    def __init__(self, root: str, classes: Sequence[str]) -> None:
        """Keeps the classes.

        Args:
            root: The folder with the class folders, as the paths begin.
            classes: Names of the classes, by label.
        """
        handlers = {
            "image": Image(upright=True),
            "label": Tensor("image/class/label"),
            "filename": Tensor("image/filename"),
        }
        super().__init__({}, handlers)
        self._prefix = _prefix(root)
        self._classes = list(classes)

    def parse(self, serialized_example: tf.Tensor, items: Sequence[str] | None = None) -> Features:
        """Reads a file.

        Args:
            serialized_example: Scalar string, a path.
            items: Not used.

        Returns:
            Tensors by key.

        Raises:
            InvalidArgumentError: When it runs: the path is not in one of the class folders.
        """
        path = serialized_example
        # By bytes: a name may hold whatever a pattern would take for something else.
        length = len(self._prefix.encode())
        begins = tf.strings.substr(path, 0, tf.minimum(length, tf.strings.length(path)))
        inside = tf.strings.substr(path, tf.minimum(length, tf.strings.length(path)), 2**20)
        name = tf.strings.split(inside, os.sep, 1)[0]
        is_class = tf.equal(name, self._classes)
        known = tf.equal(begins, self._prefix) & tf.reduce_any(is_class)
        why = "is not in one of the class folders of"
        # Without the branch that tf.debugging.Assert puts around it.
        check = tf.raw_ops.Assert(condition=known, data=[path, tf.constant(why), self._prefix])
        with tf.control_dependencies([check]):
            label = tf.argmax(tf.cast(is_class, tf.int32))
        return {
            "image/encoded": tf.io.read_file(path),
            "image/format": tf.strings.regex_replace(path, r"(?s).*\.", ""),
            "image/class/label": label,
            "image/filename": path,
        }
