"""What `slim data convert` reads: IDX files, CIFAR archives, and folders of images."""

import abc
import functools
import gzip
import hashlib
import json
import lzma
import math
import os
import random
import re
import tarfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from slim_data._error_context import reason
from slim_data._image_folder import list_classes, list_splits, path_inside
from slim_data._images import decode_image, format_of
from slim_data._orientation import orientation
from slim_data._plain_pickle import loads
from slimcore.errors import DataError, first_line
from slimcore.text import shown


@dataclass(frozen=True)
class EncodedImage:
    """One encoded image with its label."""

    contents: bytes
    image_format: str
    label: int
    height: int
    width: int
    filename: str = ""


class Source(abc.ABC):
    """Images by split and number, the same ones each time.

    Attributes:
        name: Name of the dataset, unless the user gives another.
        classes: Names of the classes, by label.
        sizes: Number of images of each split.
        shape: Shape of every image, or None where they differ.
        image_format: Format of every image, or "" where they differ.
    """

    name: str
    classes: tuple[str, ...]
    sizes: dict[str, int]
    shape: tuple[int, int, int] | None = None
    image_format: str = ""

    @abc.abstractmethod
    def image(self, split: str, index: int) -> EncodedImage:
        """Returns one image.

        Raises:
            DataError: It cannot be read.
        """

    @abc.abstractmethod
    def size_in_bytes(self, split: str) -> int:
        """Returns about how many bytes the images of a split take."""

    @cached_property
    @abc.abstractmethod
    def fingerprint(self) -> str:
        """Tells one source from another, and from itself when its files have changed."""

    def takes_up(self, folder: Path) -> bool:
        """Returns whether files in a folder would become part of the source."""
        return False


def open_source(path: str) -> Source:
    """Returns the source that a path holds.

    Args:
        path: A folder with IDX files, a CIFAR archive or the folder in it, or a folder of images.

    Raises:
        DataError: There is nothing, or nothing known.
    """
    place = Path(path)
    if not path or not place.exists():
        raise DataError(f"there is no file or folder {path!r} to convert")
    if place.is_file():
        return CifarSource(place)
    if not place.is_dir():
        raise DataError(f"{path} is not a file or a folder, but a pipe or a device")
    if any(_IDX.match(p.name) and p.is_file() for p in place.iterdir()):
        return IdxSource(place)
    if any(_holds_cifar(folder) for folder in (place, *place.iterdir()) if folder.is_dir()):
        return CifarSource(place)
    return FolderSource(place)


def _listing(files: list[Path], root: Path) -> str:
    """Returns a checksum over names, sizes and times of the files that are there."""
    there = ((p, p.stat()) for p in files if p.exists())
    facts = [(p.relative_to(root).as_posix(), s.st_size, s.st_mtime_ns) for p, s in there]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


class _Arrays(Source):
    """Images that lie in arrays; each is written as a PNG."""

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

    def image(self, split: str, index: int) -> EncodedImage:
        """Returns one image, as a PNG."""
        images, labels, _ = self._arrays[split]
        contents = tf.io.encode_png(images[index]).numpy()
        return EncodedImage(contents, "png", int(labels[index]), *images[index].shape[:2])

    def size_in_bytes(self, split: str) -> int:
        """Returns the size of the array."""
        return self._arrays[split][0].nbytes


MOST_BYTES = 2**31
"""How much a packed IDX file may unpack to; the images of MNIST are 47 MB."""

MOST_BYTES_OF_MEMBER = 2**28
"""How large a file of CIFAR may be; the largest, for training on CIFAR-100, is of 155 MB."""

_PIECE = 2**20

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
        files = {p.name: p for p in folder.iterdir() if "-ubyte" in p.name and p.is_file()}
        # Of a file that is there unpacked as well, the one that is not packed is read.
        self._files = sorted(
            p for name, p in files.items() if name.removesuffix(".gz") not in {*files} - {name}
        )
        self._folder = folder
        arrays: dict[str, tuple[np.ndarray, np.ndarray, str]] = {}
        for images in (p for p in self._files if _IDX.match(p.name)):
            name = images.name.replace("images", "labels").replace("idx3", "idx1")
            stem = name.removesuffix(".gz")
            labels = files.get(stem) or files.get(f"{stem}.gz")
            split = "train" if "train" in images.name else "test"
            if labels is None:
                raise DataError(f"{folder / name} is missing, with the labels of {images.name}")
            if split in arrays:
                raise DataError(
                    f"{images} and another file in {folder} are both images for {split}ing; put "
                    "each dataset in a folder of its own"
                )
            arrays[split] = (_idx(images, 3)[..., None], _idx(labels, 1), str(labels))
        if len(shapes := {images.shape[1:3] for images, _, _ in arrays.values()}) > 1:
            sizes = " and ".join(f"{height} x {width}" for height, width in sorted(shapes))
            raise DataError(f"the images in {folder} are of different sizes: {sizes}")
        self._arrays = arrays = dict(sorted(arrays.items(), reverse=True))  # train, test
        self.classes = tuple(str(n) for n in range(10))
        self.sizes = {split: len(images) for split, (images, _, _) in arrays.items()}
        self.shape = next(iter(arrays.values()))[0].shape[1:]
        if self.shape != (28, 28, 1):
            self.name = "idx"
        else:
            self.name = "fashion_mnist" if "fashion" in folder.name.lower() else "mnist"
        self._check_labels()

    @cached_property
    def fingerprint(self) -> str:
        """A checksum of the files' names, sizes and times."""
        return _listing(self._files, self._folder)


def _idx(path: Path, rank: int) -> np.ndarray:
    """Reads an IDX file of bytes, packed or not, of no more than its header says."""
    packed = path.suffix == ".gz"
    try:
        with gzip.open(path) if packed else open(path, "rb") as file:
            header = file.read(4 + 4 * rank)
            if len(header) < 4 + 4 * rank or header[:4] != bytes([0, 0, 8, rank]):
                raise DataError(f"{path} is not an IDX file of bytes with {rank} dimensions")
            shape = [int(n) for n in np.frombuffer(header, ">u4", rank, 4)]
            size = math.prod(shape)
            stated = " x ".join(map(str, shape))
            if not size:
                raise DataError(f"{path} is empty: its header says {stated}")
            if packed and size > MOST_BYTES:
                raise DataError(
                    f"{path} unpacks to {stated} bytes by its header, more than the {MOST_BYTES:,} "
                    "that are taken; unpack it with gunzip first, if that is right"
                )
            if not packed:
                there = os.fstat(file.fileno()).st_size - len(header)
                if there != size:
                    raise DataError(f"{path} holds {there} bytes, and its header says {stated}")
                return np.memmap(path, np.uint8, "r", len(header), tuple(shape))
            data = _read(file, size + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    if len(data) != size:
        more = " or more" if len(data) > size else ""
        raise DataError(f"{path} holds {len(data)} bytes{more}, and its header says {stated}")
    return np.frombuffer(data, np.uint8).reshape(shape)


def _read(file: Any, most: int) -> bytearray:
    """Reads up to so many bytes in pieces, so that no memory is taken for what is not there."""
    data = bytearray()
    while len(data) < most and (piece := file.read(min(_PIECE, most - len(data)))):
        data += piece
    return data


# Files that, together, only a folder with CIFAR has.
_CIFAR_MARKS = ("data_batch_1",), ("data_batch_1.bin",), ("train", "meta"), ("train.bin",)
_PIXELS = 3 * 32 * 32
_CIFAR_FILES = {
    *("meta", "batches.meta", "batches.meta.txt", "fine_label_names.txt"),
    *(
        f"{name}{end}"
        for name in ("train", "test", "test_batch", *(f"data_batch_{n}" for n in range(1, 6)))
        for end in ("", ".bin")
    ),
}


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
        found = [p for p in path.rglob("*") if p.name in _CIFAR_FILES and p.is_file()]
        for p in found:
            _check_member(str(p), p.stat().st_size)
        return {p.name: p.read_bytes for p in found}
    files: dict[str, Callable[[], bytes]] = {}
    try:
        with tarfile.open(path, tarinfo=_Member) as archive:
            for member in archive:
                name = os.path.basename(member.name)
                # Not a link, which may lead to itself, or to nothing.
                if name in _CIFAR_FILES and member.isreg():
                    file = archive.extractfile(member)
                    files[name] = functools.partial(bytes, _read(file, member.size))
    except (tarfile.TarError, OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        why = getattr(error, "strerror", None) or first_line(error).rstrip(":")
        raise DataError(
            f"{path} is not a CIFAR archive, the only kind of file that can be converted "
            f"({shown(why)}); give one, or a folder with IDX files or images"
        ) from error
    except ValueError as error:  # what a damaged header leads to
        if isinstance(error, DataError):
            raise DataError(f"{path}: {error}") from error
        raise DataError(f"{path} is a damaged archive: {shown(error)}") from error
    return files


class _Member(tarfile.TarInfo):
    """A member of an archive, refused by its size before a byte of it is read."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> "_Member":
        """Reads a header; what it introduces may be further headers, read into memory at once."""
        member = super().frombuf(buf, encoding, errors)
        _check_member(member.name, member.size, MOST_BYTES_OF_MEMBER if member.isreg() else 2**20)
        return member


def _check_member(name: str, size: int, most: int = MOST_BYTES_OF_MEMBER) -> None:
    if not 0 <= size <= most:
        raise DataError(f"{shown(name)} is of {size:,} bytes; no part of CIFAR is so large")


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
    if (
        not isinstance(images, np.ndarray)
        or not isinstance(labels, (list, np.ndarray))
        or images.shape[1:] != (_PIXELS,)
        or images.dtype != np.uint8
    ):
        raise DataError(f"{path}: {name} is not a batch of CIFAR")
    if not all(isinstance(label, (int, np.integer)) and 0 <= label < 2**31 for label in labels):
        raise DataError(f"{path}: {name} has labels that are not numbers of classes")
    return images, np.asarray(labels, np.int64)


def _cifar_classes(files: Mapping[str, Callable[[], bytes]], hundred: bool) -> tuple[str, ...]:
    count = 100 if hundred else 10
    text = "fine_label_names.txt" if hundred else "batches.meta.txt"
    meta = "meta" if hundred else "batches.meta"
    try:
        if text in files:
            names = files[text]().decode().split()
        elif meta in files:
            values = _unpickled(files[meta](), meta)
            listed = values[b"fine_label_names" if hundred else b"label_names"]
            names = [name.decode() for name in listed]
        else:
            names = [str(n) for n in range(count)]
    except (KeyError, TypeError, AttributeError, UnicodeDecodeError) as error:
        raise DataError(
            f"the names of CIFAR's classes cannot be read: {text if text in files else meta} does "
            "not hold a list of them in UTF-8"
        ) from error
    if len(names) != count:
        raise DataError(f"CIFAR has {count} classes, and {len(names)} names are given")
    return tuple(names)


def _unpickled(data: bytes, what: str) -> dict[bytes, Any]:
    try:
        values = loads(data)
    except ValueError as error:
        raise DataError(f"{what} cannot be read: {shown(error)}") from error
    if not isinstance(values, dict):
        raise DataError(f"{what} is not a batch of CIFAR")
    return values


class FolderSource(Source):
    """A folder of images for each class; see the dataset `image_folder`."""

    def __init__(self, folder: Path) -> None:
        """Lists the images, in an order that mixes the classes and is always the same.

        Raises:
            DataError: There is no class, or a class without an image.
        """
        self.name = re.sub(r"\W+", "_", folder.resolve().name) or "images"
        self._folder = folder
        self._files: dict[str, list[str]] = {}
        self._root: dict[str, str] = {}
        splits = list_splits(str(folder))
        splits.pop("all", None)
        for split, (root, files) in splits.items():
            mixed = sorted(files)
            random.Random(0).shuffle(mixed)
            self._files[split], self._root[split] = mixed, root
        self.classes = tuple(list_classes(next(iter(self._root.values()))))
        self.sizes = {split: len(files) for split, files in self._files.items()}

    def image(self, split: str, index: int) -> EncodedImage:
        """Returns one image: as it is if it stands upright, and otherwise turned.

        It is decoded to see whether that can be done.
        """
        path = self._files[split][index]
        try:
            contents = Path(path).read_bytes()
            kind = format_of(contents) or os.path.splitext(path)[1][1:].lower()
            deep = kind == "png" and contents[24:25] == b"\x10"  # bits, in the header
            pixels = decode_image(contents, dtype=tf.uint16 if deep else tf.uint8)
            height, width, _ = pixels.shape
            if int(orientation(tf.constant(contents))) != 1:
                contents, kind = _encoded(pixels, kind)
        except (OSError, tf.errors.OpError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or reason(error)
            why = why.removeprefix("not a readable image: ")
            raise DataError(f"{path} is not a readable image: {why}") from error
        inside = path_inside(self._root[split], path)
        label = self.classes.index(inside.partition("/")[0])
        return EncodedImage(contents, kind, label, height, width, inside)

    def size_in_bytes(self, split: str) -> int:
        """Returns the size of the files; one that is gone is noticed when it is read."""
        return sum(os.path.getsize(path) for path in self._files[split] if os.path.exists(path))

    @cached_property
    def fingerprint(self) -> str:
        """A checksum of the files' names, sizes and times."""
        files = [Path(path) for split in sorted(self._files) for path in self._files[split]]
        return _listing(files, self._folder) + ", upright"

    def takes_up(self, folder: Path) -> bool:
        """Returns whether a folder is in one with the classes, or is one."""
        roots = {Path(root).resolve() for root in self._root.values()}
        return not roots.isdisjoint([folder.resolve(), *folder.resolve().parents])


def _encoded(pixels: tf.Tensor, kind: str) -> tuple[bytes, str]:
    """Encodes pixels, and returns the format too: JPEG for what was one, otherwise PNG."""
    if kind == "jpeg":
        # At this quality nobody sees a difference, at about the size of a photograph.
        return tf.io.encode_jpeg(pixels, quality=95, chroma_downsampling=False).numpy(), kind
    return tf.io.encode_png(pixels).numpy(), "png"
