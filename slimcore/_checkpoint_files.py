"""Which checkpoints are in a folder, which of them is the newest, and whether one is whole."""

import math
import os
import re
import warnings
from collections.abc import Callable
from typing import Any, TypeVar

import tensorflow as tf

import slimcore._foreign_files as foreign_files
from slimcore.errors import CheckpointError, first_line

Result = TypeVar("Result")

PREFIX = "model.ckpt"
INDEX = ".index"

_reported: set[str] = set()


def step_of(path: str) -> int:
    """Returns the step in a checkpoint's name, or -1."""
    found = re.search(r"-(\d+)$", path)
    return int(found[1]) if found else -1


def exists(prefix: str) -> bool:
    """Returns whether there is a checkpoint, whole or damaged, at a prefix."""
    return bool(tf.io.gfile.exists(prefix + INDEX))


def listed(folder: str) -> list[str]:
    """Returns the checkpoints of the run in a folder, oldest first, whole or damaged.

    The last is the one that the state file `checkpoint` names as the newest. Before it come those
    of the same name and a lower step, and those that the file lists beside it. A checkpoint of a
    higher step is not among them: whoever edits the state file to name an earlier checkpoint has
    taken the run back to it. Where there is no state file, or nothing that it names is there, the
    checkpoints are those named `model.ckpt-STEP`, by step.

    Args:
        folder: The folder, on any file system that `tf.io.gfile` knows. It need not exist.

    Returns:
        Prefixes in the folder.
    """
    there = {
        os.path.join(folder, name.removesuffix(INDEX))
        for name in _names(folder)
        if name.endswith(INDEX)
    }
    newest, named = _state(folder)
    if newest is not None:
        base, last = newest.rpartition("-")[0], step_of(newest)
        found = {p for p in named if p in there or exists(p)}
        found |= {p for p in there if p.rpartition("-")[0] == base and step_of(p) >= 0}
        earlier = {p for p in found if p != newest and (last < 0 or step_of(p) < last)}
        if last < 0:
            earlier &= set(named)  # a name without a step says nothing of the others
        ordered = _by_step(earlier)
        if newest in there or exists(newest):
            ordered.append(newest)
        if ordered:
            return ordered
    base = os.path.join(folder, PREFIX)
    return _by_step({p for p in there if step_of(p) >= 0 and p.rpartition("-")[0] == base})


def newest(folder: str) -> str | None:
    """Returns the newest checkpoint of the run in a folder that is whole.

    It is the last of `listed`. Where that one is damaged, the next before it is taken, and a
    warning says so, once. Damage is looked for as far as that is cheap: the index must be readable,
    the data files must hold as many bytes as the values need, and one value must be readable.
    A flipped bit in the data is found when the values are read, since each has a checksum; what
    restores a run does so by `restore_newest`, which then goes on to the checkpoint before.

    Args:
        folder: The folder, on any file system that `tf.io.gfile` knows. It need not exist.

    Returns:
        The prefix; None where there is no checkpoint.

    Raises:
        CheckpointError: There are checkpoints, and all of them are damaged.
    """
    found = restore_newest(folder, lambda path: None)
    return found[0] if found else None


latest = newest


def restore_newest(folder: str, restore: Callable[[str], Result]) -> tuple[str, Result] | None:
    """Restores the newest checkpoint in a folder, or the newest before it that is whole.

    Args:
        folder: See `newest`.
        restore: Takes the prefix of a checkpoint. Where it raises, and the checkpoint turns out to
            have a value that cannot be read, it is called with the one before.

    Returns:
        The prefix, and what `restore` returned; None where there is no checkpoint.

    Raises:
        CheckpointError: There are checkpoints, and all of them are damaged; or what `restore`
            raises on one that is whole.
    """
    damaged: dict[str, str] = {}
    for path in reversed(listed(folder)):
        reason = damage(path)
        if reason is None:
            try:
                result = restore(path)
            except (CheckpointError, tf.errors.OpError, ValueError, RuntimeError, IndexError):
                reason = damage(path, every_value=True)
                if reason is None:
                    raise
            else:
                _report(damaged, path)
                return path, result
        if exists(path):  # and was not deleted just now, as old checkpoints are
            damaged[path] = reason
    if damaged:
        path, reason = next(iter(damaged.items()))
        raise CheckpointError(
            f"no checkpoint in {folder} is whole; the newest, {path}, cannot be read: {reason}. "
            "Restore one from a backup, or choose another folder"
        )
    return None


def damage(prefix: str, every_value: bool = False) -> str | None:
    """Returns what is wrong with the files of a checkpoint, or None if nothing is.

    Args:
        prefix: The checkpoint.
        every_value: Whether to read every value and compare it with its checksum, which takes as
            long as reading the files; otherwise see `newest`.
    """
    try:
        reader = tf.compat.v1.train.NewCheckpointReader(prefix)
        shapes, types = reader.get_variable_to_shape_map(), reader.get_variable_to_dtype_map()
        sizes = {n: math.prod(shape) * _size(types[n]) for n, shape in shapes.items()}
        wanted, there = sum(sizes.values()), _data_size(prefix)
        if there < wanted:
            return f"its data files have {there:,} of {wanted:,} bytes"
        readable = [n for n in sizes if types[n] not in (tf.variant, tf.resource)]
        readable.sort(key=lambda name: sizes[name])
        for name in readable if every_value else readable[:1]:
            reader.get_tensor(name)
        if every_value and tf.executing_eagerly():
            # Such as the position of a run in its data, which the reader cannot read.
            for name in (n for n in sizes if types[n] == tf.variant):
                tf.raw_ops.RestoreV2(
                    prefix=prefix,
                    tensor_names=[name],
                    shape_and_slices=[""],
                    dtypes=[tf.variant],
                )
    except (tf.errors.OpError, ValueError, RuntimeError, IndexError, OverflowError) as error:
        text = first_line(error)
        return "a value is not as its checksum" if "Checksum does not match" in text else text
    return None


def prefix_of(path: str) -> str:
    """Returns the prefix that a path to a checkpoint means: itself, or the newest in a folder.

    A prefix that is the name of a folder as well is taken for the prefix.

    Raises:
        CheckpointError: There is no checkpoint in the folder, or the path is one of the files of a
            checkpoint, or neither a file nor a folder.
    """
    path = os.fspath(path)
    if exists(path):
        return path
    if tf.io.gfile.isdir(path):
        found = newest(path)
        if found is None:
            raise CheckpointError(_none_in(path))
        return found
    part = re.fullmatch(r"(.+)\.(index|meta|data-\d{5}-of-\d{5})", path)
    if part and exists(part[1]):
        raise CheckpointError(f"{path} is one of the files of a checkpoint; give {part[1]}")
    if os.path.exists(path) and not os.path.isfile(path):  # to read it could wait for ever
        raise CheckpointError(f"{path} is not a checkpoint, but a pipe or a device")
    return path


def _names(folder: str) -> list[str]:
    try:
        return [name.rstrip("/") for name in tf.io.gfile.listdir(folder)]
    except (tf.errors.OpError, OSError):
        return []


def _by_step(paths: set[str]) -> list[str]:
    return sorted(paths, key=lambda path: (step_of(path), path))


def _state(folder: str) -> tuple[str | None, list[str]]:
    """Returns the newest checkpoint and all others that the state file names."""
    try:
        state = tf.train.get_checkpoint_state(folder)
    except (tf.errors.OpError, ValueError):  # such as text that is not UTF-8
        state = None
    if state is None or not state.model_checkpoint_path:
        return None, []

    def found(path: str) -> str:
        # An absolute path leads astray once the folder is moved.
        return path if exists(path) else os.path.join(folder, os.path.basename(path))

    return found(state.model_checkpoint_path), [found(p) for p in state.all_model_checkpoint_paths]


def _size(dtype: Any) -> int:
    """Returns the bytes that an element takes at least."""
    plain = dtype.is_floating or dtype.is_integer or dtype.is_bool or dtype.is_complex
    return int(dtype.size) if plain else 0


def _data_size(prefix: str) -> int:
    """Returns the bytes in the data files; of those of another number of shards, the most."""
    folder, name = os.path.split(prefix)
    total: dict[str, int] = {}
    for file in _names(folder or "."):
        part = re.fullmatch(re.escape(name) + r"\.data-\d{5}-of-(\d{5})", file)
        if part:
            size = tf.io.gfile.stat(os.path.join(folder, file)).length
            total[part[1]] = total.get(part[1], 0) + size
    return max(total.values(), default=0)


def _report(damaged: dict[str, str], taken: str) -> None:
    """Says which checkpoints are passed over, once in a process."""
    for path, reason in damaged.items():
        if path not in _reported:
            _reported.add(path)
            warnings.warn(
                f"checkpoint {path} is damaged ({reason}); {taken}, the newest before it that is "
                "whole, is taken",
                RuntimeWarning,
                stacklevel=4,
            )


def _none_in(folder: str) -> str:
    text = f"there is no checkpoint in the folder {folder}"
    others = sorted(n.removesuffix(INDEX) for n in _names(folder) if n.endswith(INDEX))
    if others:
        shown = ", ".join(others[:3]) + (", …" if others[3:] else "")
        return (
            f"{text} that is named {PREFIX}-STEP or listed in a file 'checkpoint'; it holds "
            f"{shown}: give {os.path.join(folder, others[0])}"
        )
    what = foreign_files.recognized(folder)
    return f"{text}: it is {what}" if what else text
