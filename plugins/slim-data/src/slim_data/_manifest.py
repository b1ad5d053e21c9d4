"""`manifest.json`: what `slim data convert` wrote into a folder, with a checksum for each file."""

import functools
import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

from slimcore.errors import DataError
from slimcore.files import replacing
from slimcore.text import shown

_T = TypeVar("_T")

FILE_NAME = "manifest.json"
FORMAT = "slim-data 1"

CHECKED_BYTES = 2**30
"""Checksums of files that are larger together are compared on request only."""


@dataclass(frozen=True)
class Shard:
    """One file of a split."""

    file: str
    examples: int
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Split:
    """One split: its files, and how many examples there are of each class, by label."""

    shards: tuple[Shard, ...]
    counts: tuple[int, ...]

    @property
    def examples(self) -> int:
        """How many examples there are."""
        return sum(shard.examples for shard in self.shards)


@dataclass(frozen=True)
class Manifest:
    """What is in a folder of TFRecords.

    Attributes:
        name: Name of the dataset.
        plan: Identifies the source and how it was converted.
        classes: Names of the classes, by label.
        shape: Shape of every image, or None where they differ.
        image_format: Format of every image, or "" where they differ.
        splits: Splits by name.
    """

    name: str
    plan: str
    classes: tuple[str, ...]
    shape: tuple[int, int, int] | None
    image_format: str
    splits: dict[str, Split]

    def write(self, folder: str | Path) -> None:
        """Writes the file, whole or not at all."""
        text = json.dumps({"format": FORMAT, **asdict(self)}, indent=2, ensure_ascii=False)
        write_whole(Path(folder) / FILE_NAME, text + "\n")


def write_whole(path: Path, text: str) -> None:
    """Replaces a text file.

    Raises:
        DataError: It cannot be written.
    """
    try:
        with replacing(path) as beside:
            beside.write_bytes(text.encode())  # line ends stay what they are
    except OSError as error:
        raise DataError(f"cannot write {path}: {error.strerror}") from error


def read(folder: str | Path) -> Manifest | None:
    """Returns the manifest of a folder; None if there is none, or one of another program.

    Raises:
        DataError: It cannot be understood.
    """
    path = Path(folder) / FILE_NAME
    if not path.is_file():
        return None
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(values, dict) or values.pop("format", None) != FORMAT:
            return None
        return _manifest(values)
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DataError(
            f"{path} is not a readable manifest ({type(error).__name__}: {shown(error)[:200]}); "
            "convert the dataset again with slim data convert"
        ) from error


def _manifest(values: dict[str, Any]) -> Manifest:
    splits = {name: _split(split) for name, split in values.pop("splits").items()}
    shape = values.pop("shape")
    classes = tuple(_of_type(str, name) for name in values.pop("classes"))
    if shape is not None:
        height, width, channels = (_of_type(int, size) for size in shape)
        shape = height, width, channels
    texts = {key: _of_type(str, values.pop(key)) for key in ("name", "plan", "image_format")}
    return Manifest(**values, **texts, classes=classes, shape=shape, splits=splits)


def _split(values: dict[str, Any]) -> Split:
    shards = tuple(Shard(**shard) for shard in values["shards"])
    for shard in shards:
        for value in (shard.file, shard.sha256):
            _of_type(str, value)
        if os.path.basename(shard.file) != shard.file or not shard.file or "\0" in shard.file:
            raise ValueError(f"{shard.file!r} is not the name of a file in the same folder")
        for count in (shard.examples, shard.bytes):
            _of_type(int, count)
    return Split(shards, tuple(_of_type(int, count) for count in values["counts"]))


def _of_type(kind: type[_T], value: Any) -> _T:
    if type(value) is not kind or (isinstance(value, int) and value < 0):
        raise TypeError(f"{value!r} is not of the type {kind.__name__}, or is negative")
    return value


def check(files: Sequence[str], limit: int | None = CHECKED_BYTES) -> None:
    """Compares files with the manifest beside them, where there is one.

    Args:
        files: Paths.
        limit: Checksums are compared of no more than so many bytes in all; sizes always.

    Raises:
        DataError: A file has another size or checksum; a file of its split is missing.
    """
    folders = {os.path.dirname(path) for path in files if "://" not in path}
    for folder in folders:
        manifest = read(folder or ".")
        if manifest is None:
            continue
        given = {os.path.basename(path) for path in files if os.path.dirname(path) == folder}
        for split in manifest.splits.values():
            if given & {shard.file for shard in split.shards}:
                _check_split(folder, split, limit)


def _check_split(folder: str, split: Split, limit: int | None) -> None:
    by_checksum = limit is None or sum(shard.bytes for shard in split.shards) <= limit
    for shard in split.shards:
        path = os.path.join(folder, shard.file)
        if not os.path.isfile(path):
            raise DataError(f"{path} is missing, which {FILE_NAME} lists; convert it again")
        status = os.stat(path)
        if status.st_size != shard.bytes:
            raise DataError(
                f"{path} has {status.st_size} bytes, and {FILE_NAME} says {shard.bytes}; "
                "convert it again, or leave bad records out with skip_corrupt"
            )
        if by_checksum and _cached_sha256(path, status.st_mtime_ns) != shard.sha256:
            raise DataError(
                f"{path} has another checksum than {FILE_NAME} says; convert it again, or leave "
                "bad records out with skip_corrupt"
            )


@functools.lru_cache(maxsize=4096)
def _cached_sha256(path: str, modified: int) -> str:
    return sha256(path)


def sha256(path: str | Path) -> str:
    """Returns the SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(2**20):
            digest.update(block)
    return digest.hexdigest()
