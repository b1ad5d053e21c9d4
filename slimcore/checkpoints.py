"""Name-based checkpoints: written whole or not at all, and read by a plan.

The format is TensorFlow's own (V2), with variable names as keys, so `tf.compat.v1.train.Saver`
reads what is written here, and a checkpoint of tf-slim or research/slim is read here.
"""

import contextlib
import glob
import itertools
import math
import os
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tensorflow as tf

import slimcore._foreign_files as foreign_files
import slimcore.files as files
from slimcore._checkpoint_files import (
    INDEX,
    PREFIX,
    damage,
    exists,
    latest,
    listed,
    newest,
    prefix_of,
    restore_newest,
    step_of,
)
from slimcore.errors import CheckpointError, close, first_line, nearest
from slimcore.scopes import prefixes, within

__all__ = [
    "INDEX",
    "PREFIX",
    "Entry",
    "Plan",
    "damage",
    "exists",
    "latest",
    "listed",
    "load",
    "newest",
    "plan",
    "prefix_of",
    "restore_newest",
    "save",
    "selected",
    "step_of",
]

# The key by which an object-based checkpoint, of `tf.train.Checkpoint`, is known.
_OBJECTS = "_CHECKPOINTABLE_OBJECT_GRAPH"


def save(path: str, values: Mapping[str, Any]) -> str:
    """Writes variables or tensors under their names.

    The files are written beside their place, flushed to the disk, and renamed, the index last:
    whoever finds an index finds a whole checkpoint, at whatever instant this process dies. That
    holds where a checkpoint is overwritten, too. The name of a data file ends with the number of
    shards, which the index says; so the new data, in another number of shards than the old, have
    their place beside the old, the new index takes the old one's place in one step, and then the
    old data are removed. A second or later writing of one path therefore has files such as
    `model.ckpt-100.data-00000-of-00002`.

    Args:
        path: The prefix, such as `runs/digits/model.ckpt-100`.
        values: Variables, tensors or arrays by name.

    Returns:
        `path`.

    Raises:
        CheckpointError: The files cannot be written, or a variable cannot be read.
    """
    tensors = {name: _read(name, value) for name, value in values.items()}
    # TensorFlow makes a folder of its own around the prefix; a name with no process in it would be
    # shared by two writers.
    beside = f"{path}.{uuid.uuid4().hex[:8]}.tmp"
    made: list[str] = []
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        before = glob.glob(glob.escape(path) + ".data-*-of-*")
        taken = {int(file.rpartition("-")[2]) for file in before}
        shards = next(n for n in itertools.count(1) if n not in taken)
        _write(beside, tensors, shards)
        parts = [f".data-{i:05d}-of-{shards:05d}" for i in range(shards)]
        for part in [*parts, INDEX]:
            files.flush(Path(beside + part))
        for part in parts:
            made.append(path + part)
            os.replace(beside + part, path + part)
        files.flush(Path(path).parent)
        os.replace(beside + INDEX, path + INDEX)
        made = []
        files.flush(Path(path).parent)
        for old in before:
            Path(old).unlink(missing_ok=True)
    except (OSError, tf.errors.OpError) as error:
        for half in [*glob.glob(glob.escape(beside) + "*"), *made]:
            with contextlib.suppress(OSError):
                Path(half).unlink()
        raise CheckpointError(f"cannot write checkpoint {path}: {first_line(error)}") from error
    return path


def _write(prefix: str, tensors: Mapping[str, tf.Tensor], shards: int) -> None:
    """Writes a checkpoint of so many shards, all but the first of which hold one value each."""
    # A shard cannot be empty.
    fillers = {f"_shard_{i}": tf.zeros([], tf.uint8) for i in range(len(tensors), shards)}
    items = [*tensors.items(), *fillers.items()]
    first = len(items) - shards + 1
    groups = [items[:first], *([item] for item in items[first:])]
    prefixes = [prefix] if shards == 1 else [f"{prefix}.{i}" for i in range(shards)]
    for part, group in zip(prefixes, groups, strict=True):
        tf.raw_ops.SaveV2(
            prefix=part,
            tensor_names=[name for name, _ in group],
            shape_and_slices=[""] * len(group),
            tensors=[tensor for _, tensor in group],
        )
    if shards > 1:
        tf.raw_ops.MergeV2Checkpoints(
            checkpoint_prefixes=prefixes, destination_prefix=prefix, delete_old_dirs=False
        )


def _read(name: str, value: Any) -> tf.Tensor:
    """Returns the value; of a variable with a copy in each replica, the one that they agree on."""
    try:
        return tf.convert_to_tensor(value)
    except (ValueError, TypeError, tf.errors.OpError) as error:
        raise CheckpointError(
            f"cannot save {name}: {first_line(error)}. A variable that differs between replicas "
            "(ON_READ) needs an aggregation"
        ) from error


def load(path: str) -> Any:
    """Opens a checkpoint, given its prefix or a folder, whose newest checkpoint is taken.

    A prefix that is the name of a folder as well is taken for the prefix.

    Returns:
        A reader with `get_tensor(name)` and `get_variable_to_shape_map()`.

    Raises:
        CheckpointError: There is none, or it cannot be read. Of a file of another format, such as
            `.h5` or `.safetensors`, the error says what reads it.
    """
    prefix = prefix_of(path)
    try:
        return tf.compat.v1.train.NewCheckpointReader(prefix)
    except (tf.errors.OpError, ValueError, RuntimeError) as error:
        what = foreign_files.recognized(prefix)
        raise CheckpointError(
            f"{prefix} is not a checkpoint, but {what}"
            if what
            else f"cannot read checkpoint {prefix}: {first_line(error)}"
        ) from error


@dataclass(frozen=True)
class Entry:
    """What happens to one variable.

    Attributes:
        name: Its name here.
        source: Its name in the checkpoint, or "".
        status: "matched", "renamed", "excluded", "missing" or "other shape".
        shape, found: The shapes here and in the checkpoint.
        hint: The nearest names, or the remedy.
    """

    name: str
    source: str
    status: str
    shape: tuple[int, ...]
    found: tuple[int, ...] | None = None
    hint: str = ""


class Plan:
    """Which variable takes which value of a checkpoint; printed, a report of one line each."""

    def __init__(self, reader: Any, path: str, entries: Sequence[Entry], unused: Sequence[str]):
        self._reader = reader
        self.path = path
        self.entries = tuple(entries)
        self.unused = tuple(unused)

    def of(self, *statuses: str) -> list[Entry]:
        """Returns the entries of these statuses."""
        return [e for e in self.entries if e.status in statuses]

    def __str__(self) -> str:
        lines = [f"{self.path}:"]
        for e in self.entries:
            line = f"  {e.status:<11}  {e.name} {list(e.shape)}"
            if e.source not in ("", e.name):
                line += f" from {e.source}"
            if e.status == "other shape":
                line += f", there {list(e.found or ())}"
            lines.append(line + (f": {e.hint}" if e.hint else ""))
        lines += [f"  {'unused':<11}  {name}" for name in self.unused]
        return "\n".join(lines)

    def values(self) -> dict[str, Any]:
        """Reads the arrays, by the variables' names here.

        Raises:
            CheckpointError: A value cannot be read: the file is damaged, or gone meanwhile.
        """
        read = self.of("matched", "renamed")
        try:
            return {e.name: self._reader.get_tensor(e.source).reshape(e.shape) for e in read}
        except (tf.errors.OpError, IndexError, RuntimeError, ValueError) as error:
            # TensorFlow's reader raises an IndexError where a file is too short.
            raise CheckpointError(
                f"cannot read checkpoint {self.path}: {first_line(error)}"
            ) from error

    def assign(self, variables: Mapping[str, tf.Variable]) -> None:
        """Reads every array, and then assigns them."""
        for name, value in self.values().items():
            variables[name].assign(value)


def plan(
    path: str,
    variables: Mapping[str, Any],
    include: Sequence[str] | None = None,
    exclude: Sequence[str] | None = None,
    rename: Mapping[str, str] | Callable[[str], str] | None = None,
    ignore_missing: bool = False,
    reshape: bool = False,
    strict: bool = True,
) -> Plan:
    """Compares variables with a checkpoint, and reads no value.

    Args:
        path: The checkpoint's prefix, or a folder, for the newest in it.
        variables: Variables, or anything with a static `shape`, by name.
        include: Scopes to restore; all by default.
        exclude: Scopes to leave as they are. A scope is a path or a leading part of one, and must
            match something.
        rename: From a name here to the one in the checkpoint: a dict of leading paths, or a
            function.
        ignore_missing: Whether variables that the checkpoint lacks stay as they are.
        reshape: Whether a value of another shape but as many elements is reshaped.
        strict: Whether a plan that does not fit is an error; otherwise it is returned, to print.

    Raises:
        CheckpointError: The checkpoint cannot be read; a variable is missing there or has another
            shape; a scope matches nothing. Each is named with what is close, and the remedy.
    """
    reader = load(path)
    there = {n: tuple(s) for n, s in reader.get_variable_to_shape_map().items()}
    kept = set(selected(variables, include, exclude))
    ends = _by_ends(there)
    entries = []
    for name, variable in variables.items():
        shape = tuple(tf.TensorShape(variable.shape).as_list())
        if name not in kept:
            entries.append(Entry(name, "", "excluded", shape))
            continue
        source = _renamed(name, rename)
        found = there.get(source)
        if found is None:
            entries.append(Entry(name, source, "missing", shape, hint=_hint(_close(source, ends))))
        elif found != shape and not (reshape and math.prod(found) == math.prod(shape)):
            entries.append(Entry(name, source, "other shape", shape, found, _remedy(name)))
        else:
            status = "matched" if source == name else "renamed"
            entries.append(Entry(name, source, status, shape, found))
    used = {e.source for e in entries}
    result = Plan(reader, path, entries, sorted(set(there) - used))
    misfits = result.of("other shape", *([] if ignore_missing else ["missing"]))
    if misfits and strict:
        raise CheckpointError(_complaint(path, misfits, _OBJECTS in there))
    return result


def selected(
    names: Iterable[str], include: Sequence[str] | None = None, exclude: Sequence[str] | None = None
) -> list[str]:
    """Returns the names in the scopes of `include`, or all, less those in scopes of `exclude`.

    Args:
        names: Names of variables.
        include: Scopes to keep; all by default.
        exclude: Scopes to leave out. A scope is a path or a leading part of one.

    Raises:
        CheckpointError: A scope matches nothing.
    """
    names = list(names)
    for argument, scopes in (("include", include), ("exclude", exclude)):
        if isinstance(scopes, str):
            raise CheckpointError(f"{argument} takes a list of scopes: [{scopes!r}]")
        for scope in scopes or ():
            if not any(within(name, scope) for name in names):
                raise CheckpointError(
                    f"no variable is in the scope {scope!r}{close(scope, prefixes(names))}"
                )
    return [
        name
        for name in names
        if (include is None or within(name, include)) and not within(name, exclude or ())
    ]


def _renamed(name: str, rename: Mapping[str, str] | Callable[[str], str] | None) -> str:
    if rename is None:
        return name
    if callable(rename):
        return rename(name)
    for here in sorted(rename, key=len, reverse=True):
        if within(name, here):
            return rename[here].rstrip("/") + name[len(here.rstrip("/")) :]
    return name


def _by_ends(names: Iterable[str]) -> dict[str, list[str]]:
    """Returns the names by each path that they end with: `conv1/weights`, `weights`, and ""."""
    ends: dict[str, list[str]] = {"": []}
    for name in names:
        ends[""].append(name)
        while name:
            ends.setdefault(name, []).append(ends[""][-1])
            name = name.partition("/")[2]
    return ends


def _close(name: str, ends: Mapping[str, list[str]]) -> str:
    """Returns the names nearest to one, of those that end with as much of its path as any does.

    A variable under another scope is what is usually meant. To compare every missing name with
    every name there would take seconds for a large network.
    """
    end = name
    while end not in ends:
        end = end.partition("/")[2]
    if len(ends[end]) <= 3:
        return ", ".join(ends[end])
    return ", ".join(nearest(name, ends[end]))


def _hint(close: str) -> str:
    return f"close there: {close}" if close else ""


def _remedy(name: str) -> str:
    return f"exclude {name.rpartition('/')[0] or name}"


def _complaint(path: str, misfits: Sequence[Entry], by_objects: bool) -> str:
    first = misfits[0]
    if first.status == "missing" and by_objects:
        what = (
            "it was written by tf.train.Checkpoint, by objects and not by names, and "
            "tf.train.Checkpoint(…).restore reads it; or give rename a function from a name here "
            f"to a key there. {first.source} is not in it"
        )
    elif first.status == "missing":
        sought = first.source
        if sought != first.name:
            sought += f", which {first.name} is to be read from,"
        hint = f" ({first.hint})" if first.hint else ""
        what = f"{sought} is not in it{hint}. Rename it, exclude it, or ignore missing"
    else:
        what = (
            f"{first.name} has shape {list(first.found or ())} there and {list(first.shape)} here: "
            f"{first.hint}"
        )
    more = f" ({len(misfits) - 1} more variables do not fit)" if misfits[1:] else ""
    return f"checkpoint {path} does not fit: {what}{more}"
