"""What `slim data convert` reads: IDX files, CIFAR archives, and folders of pictures."""

import abc
import gzip
import hashlib
import io
import json
import os
import pickle
import random
import re
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from slim_data._error_context import BAD_DATA, reason
from slim_data._image_folder import list_classes, list_splits
from slim_data._images import decode_image, format_of
from slimcore.errors import DataError


@dataclass(frozen=True)
class Picture:
    """One encoded image with its label."""

    contents: bytes
    image_format: str
    label: int
    height: int
    width: int
    filename: str = ""


class Source(abc.ABC):
    """Pictures by split and number, the same ones each time.

    Attributes:
        name: Of the dataset, unless the user gives another.
        classes: Names, by label.
        sizes: Number of pictures of each split.
        shape: Of every image, or None where they differ.
        image_format: Of every image, or "" where they differ.
    """

    name: str
    classes: tuple[str, ...]
    sizes: dict[str, int]
    shape: tuple[int, int, int] | None = None
    image_format: str = ""

    @abc.abstractmethod
    def picture(self, split: str, index: int) -> Picture:
        """Returns one picture.

        Raises:
            DataError: It cannot be read.
        """

    @abc.abstractmethod
    def size_in_bytes(self, split: str) -> int:
        """Returns about how many bytes the pictures of a split take."""

    @cached_property
    @abc.abstractmethod
    def fingerprint(self) -> str:
        """Tells one source from another, and from itself when its files have changed."""


def open_source(path: str) -> Source:
    """Returns the source that a path holds.

    Args:
        path: A folder with IDX files, a CIFAR archive or the folder in it, or a folder of pictures.

    Raises:
        DataError: There is nothing, or nothing known.
    """
    place = Path(path)
    if not place.exists():
        raise DataError(f"there is no file or folder {path} to convert")
    if place.is_dir() and any(_IDX.match(p.name) for p in place.iterdir()):
        return IdxSource(place)
    if place.is_file():
        if not tarfile.is_tarfile(place):
            raise DataError(
                f"{path} is no archive of CIFAR, and of files nothing else is known; give a "
                "folder with IDX files or pictures, or a CIFAR archive"
            )
        return CifarSource(place)
    if any(_holds_cifar(folder) for folder in (place, *place.iterdir())):
        return CifarSource(place)
    return FolderSource(place)


def _listing(files: list[Path], root: Path) -> str:
    """Returns a checksum over names, sizes and times of files."""
    facts = [
        (p.relative_to(root).as_posix(), p.stat().st_size, p.stat().st_mtime_ns) for p in files
    ]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


class _Arrays(Source):
    """Pictures that lie in arrays; each is written as a PNG."""

    image_format = "png"
    _arrays: Mapping[str, tuple[np.ndarray, np.ndarray, str]]  # images, labels, file

    def _check_labels(self) -> None:
        for images, labels, file in self._arrays.values():
            if len(images) != len(labels):
                raise DataError(f"{file}: {len(images)} images and {len(labels)} labels")
            bad = np.flatnonzero((labels < 0) | (labels >= len(self.classes)))
            if len(bad):
                raise DataError(
                    f"{file}, example {bad[0]} (the first is 0): the label {labels[bad[0]]} is "
                    f"not one of 0 to {len(self.classes) - 1}"
                )

    def picture(self, split: str, index: int) -> Picture:
        """Returns one picture, as a PNG."""
        images, labels, _ = self._arrays[split]
        contents = tf.io.encode_png(images[index]).numpy()
        return Picture(contents, "png", int(labels[index]), *images[index].shape[:2])

    def size_in_bytes(self, split: str) -> int:
        """Returns the size of the array."""
        return self._arrays[split][0].nbytes


_IDX = re.compile(r"(?P<stem>.*)images[-.]idx3-ubyte(\.gz)?$")


class IdxSource(_Arrays):
    """The files of MNIST and its kind, such as train-images-idx3-ubyte.gz.

    Format: http://yann.lecun.com/exdb/mnist, "the IDX file format".
    """

    def __init__(self, folder: Path) -> None:
        """Reads the files of a folder.

        Raises:
            DataError: One is missing, or not what its header says.
        """
        self._files = sorted(p for p in folder.iterdir() if "-ubyte" in p.name)
        self._folder = folder
        self.name = "fashion_mnist" if "fashion" in folder.name.lower() else "mnist"
        arrays = {}
        for images in (p for p in self._files if _IDX.match(p.name)):
            labels = images.with_name(
                images.name.replace("images", "labels").replace("idx3", "idx1")
            )
            split = "train" if "train" in images.name else "test"
            if not labels.exists():
                raise DataError(f"{labels} is missing, with the labels of {images.name}")
            arrays[split] = (_idx(images, 3)[..., None], _idx(labels, 1), str(labels))
        self._arrays = arrays = dict(sorted(arrays.items(), reverse=True))  # train, test
        self.classes = tuple(str(n) for n in range(10))
        self.sizes = {split: len(images) for split, (images, _, _) in arrays.items()}
        self.shape = next(iter(arrays.values()))[0].shape[1:]
        self._check_labels()

    @cached_property
    def fingerprint(self) -> str:
        """A checksum of the files' names, sizes and times."""
        return _listing(self._files, self._folder)


def _idx(path: Path, rank: int) -> np.ndarray:
    """Reads an IDX file of bytes."""
    try:
        data = path.read_bytes()
        data = gzip.decompress(data) if path.suffix == ".gz" else data
    except (OSError, EOFError, gzip.zlib.error) as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    header = 4 + 4 * rank
    if len(data) < header or data[:4] != bytes([0, 0, 8, rank]):
        raise DataError(f"{path} is no IDX file of bytes with {rank} dimensions")
    shape = np.frombuffer(data, ">u4", rank, 4).astype(np.int64)
    if len(data) - header != shape.prod():
        size = " x ".join(map(str, shape))
        raise DataError(f"{path} holds {len(data) - header} bytes, and its header says {size}")
    return np.frombuffer(data, np.uint8, offset=header).reshape(shape)


# Files that, together, only a folder with CIFAR has.
_CIFAR_MARKS = ("data_batch_1",), ("data_batch_1.bin",), ("train", "meta"), ("train.bin",)
_PIXELS = 3 * 32 * 32


def _holds_cifar(folder: Path) -> bool:
    return any(all((folder / name).is_file() for name in names) for names in _CIFAR_MARKS)


class CifarSource(_Arrays):
    """CIFAR-10 or CIFAR-100, the archives for Python or for C, packed or not.

    Format: https://www.cs.toronto.edu/~kriz/cifar.html
    """

    shape = (32, 32, 3)

    def __init__(self, path: Path) -> None:
        """Reads the batches.

        Raises:
            DataError: A file is missing or damaged.
        """
        self._path = path
        files = _cifar_files(path)
        hundred = any(name in files for name in ("fine_label_names.txt", "train", "train.bin"))
        self.name = "cifar100" if hundred else "cifar10"
        parts = (
            {"train": ["train"], "test": ["test"]}
            if hundred
            else {
                "train": [f"data_batch_{n}" for n in range(1, 6)],
                "test": ["test_batch"],
            }
        )
        arrays = {}
        for split, names in parts.items():
            read = [_cifar_batch(path, files, name, hundred) for name in names]
            images = np.concatenate([images for images, _ in read])
            labels = np.concatenate([labels for _, labels in read])
            arrays[split] = (
                images.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1),
                labels,
                f"{path} ({split})",
            )
        self._arrays = arrays
        self.sizes = {split: len(images) for split, (images, _, _) in arrays.items()}
        self.classes = _cifar_classes(files, hundred)
        self._check_labels()

    @cached_property
    def fingerprint(self) -> str:
        """A checksum of the files' names, sizes and times."""
        if self._path.is_file():
            return _listing([self._path], self._path.parent)
        return _listing(sorted(p for p in self._path.rglob("*") if p.is_file()), self._path)


def _cifar_files(path: Path) -> dict[str, Callable[[], bytes]]:
    """Returns what reads each file of a folder or an archive, which is not unpacked, by name."""
    if path.is_dir():
        return {p.name: p.read_bytes for p in path.rglob("*") if p.is_file()}
    files = {}
    try:
        with tarfile.open(path) as archive:
            for member in archive:
                if member.isfile():
                    contents = archive.extractfile(member).read()
                    files[os.path.basename(member.name)] = lambda contents=contents: contents
    except (tarfile.TarError, OSError, EOFError, gzip.zlib.error) as error:
        raise DataError(f"{path} is no archive that can be read: {error}") from error
    return files


def _cifar_batch(
    path: Path, files: Mapping[str, Callable[[], bytes]], name: str, hundred: bool
) -> tuple[np.ndarray, np.ndarray]:
    if f"{name}.bin" in files:
        data, head = files[f"{name}.bin"](), 2 if hundred else 1
        if not data or len(data) % (head + _PIXELS):
            raise DataError(f"{path}: {name}.bin is torn: {len(data)} bytes")
        rows = np.frombuffer(data, np.uint8).reshape(-1, head + _PIXELS)
        return rows[:, head:], rows[:, head - 1].astype(np.int64)
    if name not in files:
        raise DataError(f"{path}: {name} is missing")
    batch = _unpickled(files[name](), f"{path}: {name}")
    labels = batch.get(b"fine_labels" if hundred else b"labels")
    images = batch.get(b"data")
    if labels is None or getattr(images, "shape", ())[1:] != (_PIXELS,):
        raise DataError(f"{path}: {name} is no batch of CIFAR")
    return images, np.asarray(labels, np.int64)


def _cifar_classes(files: Mapping[str, Callable[[], bytes]], hundred: bool) -> tuple[str, ...]:
    text = "fine_label_names.txt" if hundred else "batches.meta.txt"
    if text in files:
        return tuple(files[text]().decode().split())
    meta = "meta" if hundred else "batches.meta"
    if meta in files:
        names = _unpickled(files[meta](), meta)
        return tuple(n.decode() for n in names[b"fine_label_names" if hundred else b"label_names"])
    return tuple(str(n) for n in range(100 if hundred else 10))


class _ArraysOnly(pickle.Unpickler):
    """Unpickles arrays and plain values; anything else could run code of a stranger."""

    def find_class(self, module: str, name: str) -> Any:
        """Returns the few things that a pickled array is made with."""
        if module in ("numpy.core.multiarray", "numpy._core.multiarray") and name == "_reconstruct":
            return np.zeros(0).__reduce__()[0]
        if (module, name) in (("numpy", "ndarray"), ("numpy", "dtype")):
            return getattr(np, name)
        if (module, name) == ("_codecs", "encode"):
            return lambda text, encoding: text.encode(encoding)
        raise pickle.UnpicklingError(f"it asks for {module}.{name}, which no batch of CIFAR needs")


def _unpickled(data: bytes, what: str) -> dict[bytes, Any]:
    try:
        values = _ArraysOnly(io.BytesIO(data), encoding="bytes").load()
    except Exception as error:  # a damaged pickle raises whatever it likes
        raise DataError(f"{what} cannot be read: {type(error).__name__}: {error}") from error
    if not isinstance(values, dict):
        raise DataError(f"{what} is no batch of CIFAR")
    return values


class FolderSource(Source):
    """A folder of pictures for each class; see the dataset `image_folder`."""

    def __init__(self, folder: Path) -> None:
        """Lists the pictures, in an order that mixes the classes and is always the same.

        Raises:
            DataError: There is no class, or a class without a picture.
        """
        self.name = re.sub(r"\W+", "_", folder.resolve().name)
        self._folder = folder
        self._files: dict[str, list[Path]] = {}
        self._root: dict[str, Path] = {}
        splits = list_splits(str(folder))
        splits.pop("all", None)
        for split, (root, files) in splits.items():
            mixed = sorted(files)
            random.Random(0).shuffle(mixed)
            self._files[split], self._root[split] = mixed, root
        self.classes = tuple(list_classes(next(iter(self._root.values()))))
        self.sizes = {split: len(files) for split, files in self._files.items()}

    def picture(self, split: str, index: int) -> Picture:
        """Returns one picture as it is, after decoding it to see whether that can be done."""
        path = self._files[split][index]
        contents = path.read_bytes()
        try:
            height, width, _ = decode_image(contents).shape
        except BAD_DATA as error:
            raise DataError(f"{path} is no picture that can be read: {reason(error)}") from error
        inside = path.relative_to(self._root[split])
        label = self.classes.index(inside.parts[0])
        image_format = format_of(contents) or path.suffix[1:].lower()
        return Picture(contents, image_format, label, height, width, inside.as_posix())

    def size_in_bytes(self, split: str) -> int:
        """Returns the size of the files."""
        return sum(path.stat().st_size for path in self._files[split])

    @cached_property
    def fingerprint(self) -> str:
        """A checksum of the files' names, sizes and times."""
        files = [path for split in sorted(self._files) for path in self._files[split]]
        return _listing(files, self._folder)
