"""Converts images into sharded TFRecords with a manifest; what was done before is not repeated.

Each shard is written beside its place and renamed, then noted in a journal; the manifest is written
last. Whoever finds a manifest finds a whole dataset, and a conversion that died goes on where it
was, to the same bytes.
"""

import hashlib
import json
import os
import re
import threading
from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass
from pathlib import Path

import tensorflow as tf

import slim_data._manifest as manifests
from slim_data._convert_sources import EncodedImage, Source
from slim_data._manifest import Manifest, Shard, Split
from slim_data._tfrecord_layout import LABELS_FILE, check_names, write_labels
from slimcore.errors import DataError, InputError
from slimcore.files import replacing
from slimcore.text import shown

SHARD_BYTES = 2**27
"""About how large a shard becomes, unless their number is given."""

_JOURNAL = ".convert.json"
_VERSION = 1  # of what is written for a source; another one makes other shards


@dataclass(frozen=True)
class _Work:
    """One shard to write: which images of which split, and the file."""

    split: str
    file: str
    start: int
    stop: int


@dataclass(frozen=True)
class _Done:
    """A shard that is written, how many examples of each class it has, and what was left out."""

    shard: Shard
    counts: tuple[int, ...]
    skipped: int


class LeftOut:
    """Counts the images that cannot be read, and says which, up to a limit."""

    def __init__(self, limit: int, tell: Callable[[str], None]) -> None:
        """Begins at none.

        Args:
            limit: How many there may be.
            tell: Function that takes a line about each.
        """
        self._limit, self._tell = limit, tell
        self._count, self._lock = 0, threading.Lock()

    def note(self, error: DataError, count: int = 1) -> None:
        """Counts; raises the error if that makes too many."""
        with self._lock:
            self._count += count
            if self._count > self._limit:
                raise error
            self._tell(f"left out: {error} ({self._count} of at most {self._limit})")


def convert(
    source: Source,
    folder: str,
    name: str | None = None,
    shards: int | None = None,
    jobs: int | None = None,
    skip_corrupt: int = 0,
    advance: Callable[[int], None] = lambda count: None,
    tell: Callable[[str], None] = lambda line: None,
) -> Manifest:
    """Writes the images of a source as TFRecords in research/slim's layout.

    Args:
        source: What to convert.
        folder: Where the files go: `<name>_<split>-00000-of-00004.tfrecord`, labels.txt and
            manifest.json.
        name: Name of the dataset; the source's own by default.
        shards: Number of files of each split; by default, files of about 128 MiB are written.
        jobs: How many files are written at a time; one per processor by default.
        skip_corrupt: How many unreadable images may be left out before it is an error.
        advance: Called with how many more images are done.
        tell: Called with a line about each image that is left out.

    Returns:
        What was written.

    Raises:
        DataError: An image cannot be read, the folder holds something else or is among the images,
            or a class has a name that labels.txt cannot hold.
        InputError: `name` cannot be part of a file's name.
    """
    name = name or source.name
    if not re.fullmatch(r"[\w.+ -]{1,100}", name):
        raise InputError(
            f"the name {shown(name)!r} cannot be part of a file's name; use letters, digits, "
            "- and _"
        )
    check_names(source.classes)
    target = Path(folder)
    if not folder or source.takes_up(target):
        raise DataError(
            f"the folder to write to, {folder!r}, is one of those with the images; choose another"
            if folder
            else "the name of the folder to write to is empty"
        )
    work = [w for split in source.sizes for w in _shards_of(source, split, name, shards)]
    facts = [_VERSION, source.fingerprint, list(source.classes), [asdict(w) for w in work]]
    plan = hashlib.sha256(json.dumps(facts).encode()).hexdigest()
    finished = _finished(target, plan)
    if finished is not None:
        (target / _JOURNAL).unlink(missing_ok=True)
        advance(sum(source.sizes.values()))
        return finished
    done = _begin(target, plan, work)
    left_out = LeftOut(skip_corrupt, tell)
    before = sum(d.skipped for d in done.values())
    if before:
        left_out.note(DataError(f"{before} images in shards that were written before"), before)
    advance(sum(w.stop - w.start for w in work if w.file in done))
    todo = [w for w in work if w.file not in done]
    done |= _write_all(todo, source, target, jobs or os.cpu_count() or 1, left_out, advance)
    manifest = Manifest(
        name=name,
        plan=plan,
        classes=source.classes,
        shape=source.shape,
        image_format=source.image_format,
        splits={split: _split(work, done, split) for split in source.sizes},
    )
    write_labels(target, source.classes)
    manifest.write(target)
    (target / _JOURNAL).unlink(missing_ok=True)
    return manifest


def _shards_of(source: Source, split: str, name: str, count: int | None) -> list[_Work]:
    size = source.sizes[split]
    count = min(count or -(-source.size_in_bytes(split) // SHARD_BYTES), size) or 1
    edges = [size * n // count for n in range(count + 1)]
    return [
        _Work(split, f"{name}_{split}-{n:05d}-of-{count:05d}.tfrecord", edges[n], edges[n + 1])
        for n in range(count)
    ]


def _finished(folder: Path, plan: str) -> Manifest | None:
    """Returns what this very plan wrote before, if all of it is still there.

    Raises:
        DataError: Another plan has written there.
    """
    manifest = manifests.read(folder)
    if manifest is None:
        return None
    if manifest.plan != plan:
        raise DataError(
            f"{folder} holds another conversion, of {manifest.name}, or its source has changed "
            "since; choose another folder, or remove this one"
        )
    shards = [shard for split in manifest.splits.values() for shard in split.shards]
    return manifest if all(_is_intact(folder, shard) for shard in shards) else None


def _begin(folder: Path, plan: str, work: list[_Work]) -> dict[str, _Done]:
    """Makes the folder ready, and returns the shards of this plan that are there already."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"cannot make the folder {folder}: {error.strerror}") from error
    journal = folder / _JOURNAL
    lines = _journal_lines(journal)
    if lines and lines[0] != {"plan": plan}:
        raise DataError(
            f"{folder} holds a conversion of something else that was not finished; choose another "
            "folder, or remove this one"
        )
    if not lines:
        present = [w.file for w in work if (folder / w.file).exists()]
        if present and not (folder / manifests.FILE_NAME).exists():
            raise DataError(f"{folder / present[0]} is there already; choose another folder")
    for name in (*(w.file for w in work), _JOURNAL, LABELS_FILE, manifests.FILE_NAME):
        # What a process that was killed left, as slimcore.files.replacing names it.
        plain = Path(name)
        for torn in folder.glob(f".{plain.stem}.*.tmp{plain.suffix}"):
            torn.unlink()
    # Without the torn last line of a process that was killed.
    text = "".join(json.dumps(line) + "\n" for line in lines or [{"plan": plan}])
    manifests.write_whole(journal, text)
    noted = [_noted(line) for line in lines[1:]]
    return {d.shard.file: d for d in noted if _is_intact(folder, d.shard)}


def _is_intact(folder: Path, shard: Shard) -> bool:
    path = folder / shard.file
    return path.exists() and manifests.sha256(path) == shard.sha256


def _journal_lines(journal: Path) -> list[dict]:
    """Returns what is noted; a last line that a killed process left torn is not.

    Raises:
        DataError: It is not a journal.
    """
    if not journal.exists():
        return []
    lines: list[dict] = []
    try:
        *whole, _torn = journal.read_text(encoding="utf-8").split("\n")
        for line in whole:
            lines.append(json.loads(line))
            if len(lines) > 1:
                _noted(lines[-1])
    except OSError as error:
        raise DataError(f"cannot read {journal}: {error.strerror}") from error
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise DataError(
            f"{journal} is not the journal of a conversion; remove it, or choose another folder"
        ) from error
    return lines


def _noted(line: dict) -> _Done:
    return _Done(Shard(**line["shard"]), tuple(line["counts"]), int(line["skipped"]))


def _note(journal: Path, line: dict) -> None:
    try:
        with open(journal, "a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise DataError(f"cannot write {journal}: {error.strerror}") from error


def _write_all(
    work: list[_Work],
    source: Source,
    folder: Path,
    jobs: int,
    left_out: LeftOut,
    advance: Callable[[int], None],
) -> dict[str, _Done]:
    done, lock, stop = {}, threading.Lock(), threading.Event()

    def write(item: _Work) -> None:
        result = _write(item, source, folder, left_out, advance, stop)
        with lock:
            done[item.file] = result
            _note(folder / _JOURNAL, asdict(result))

    with ThreadPoolExecutor(jobs) as pool:
        futures = [pool.submit(write, item) for item in work]
        try:
            ended, _ = wait(futures, return_when=FIRST_EXCEPTION)
            for future in ended:
                future.result()
        except BaseException:
            stop.set()
            pool.shutdown(cancel_futures=True)
            raise
    return done


def _write(
    work: _Work,
    source: Source,
    folder: Path,
    left_out: LeftOut,
    advance: Callable[[int], None],
    stop: threading.Event,
) -> _Done:
    counts, skipped = [0] * len(source.classes), 0
    try:
        with replacing(folder / work.file) as beside:
            with tf.io.TFRecordWriter(str(beside)) as writer:
                for index in range(work.start, work.stop):
                    if stop.is_set():
                        raise DataError("stopped, because another shard could not be written")
                    try:
                        image = source.image(work.split, index)
                    except DataError as error:
                        left_out.note(error)
                        skipped += 1
                    else:
                        writer.write(_example(image, source.classes))
                        counts[image.label] += 1
                    advance(1)
            shard = Shard(work.file, sum(counts), beside.stat().st_size, manifests.sha256(beside))
    except (OSError, tf.errors.OpError) as error:
        why = getattr(error, "strerror", None) or str(error).partition("\n")[0]
        raise DataError(f"cannot write {folder / work.file}: {why}") from error
    return _Done(shard, tuple(counts), skipped)


def _split(work: list[_Work], done: dict[str, _Done], split: str) -> Split:
    parts = [done[w.file] for w in work if w.split == split]
    counts = tuple(sum(column) for column in zip(*(d.counts for d in parts), strict=True))
    return Split(tuple(d.shard for d in parts), counts)


def _example(image: EncodedImage, classes: tuple[str, ...]) -> bytes:
    def integer(value: int) -> tf.train.Feature:
        return tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))

    def string(value: bytes) -> tf.train.Feature:
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))

    features = {
        "image/encoded": string(image.contents),
        "image/format": string(image.image_format.encode()),
        "image/class/label": integer(image.label),
        "image/class/text": string(classes[image.label].encode()),
        "image/height": integer(image.height),
        "image/width": integer(image.width),
    }
    if image.filename:
        features["image/filename"] = string(image.filename.encode())
    example = tf.train.Example(features=tf.train.Features(feature=features))
    return example.SerializeToString(deterministic=True)
