"""Finds the checkpoints of a training as they appear, each once, until the training is over."""

import contextlib
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import tensorflow as tf

import slim_learning.run.run_record as record
import slimcore.checkpoints as checkpoints
from slimcore.errors import CheckpointError, InputError

Result = TypeVar("Result")
# A checkpoint's name, and when it was written, in nanoseconds: one that is replaced is another.
Identity = tuple[str, int]

# How often a folder is looked at for a new checkpoint, or for the end of the training.
SECONDS_A_LOOK = 1.0


def each_once(
    evaluate: Callable[[str, int], Result],
    folder: str,
    done: set[Identity],
    interval: float,
    max_number_of_evaluations: int | None,
    timeout: float | None,
    timeout_fn: Callable[[], bool] | None,
) -> Result | None:
    """Calls a function with each checkpoint of a training once, the oldest first.

    A checkpoint that is deleted or replaced before it could be read is passed over; so is one that
    is damaged, with a warning.

    Args:
        evaluate: Takes the path of a checkpoint, and when it was written, in nanoseconds.
        folder: See `watch`.
        done: See `watch`.
        interval: See `watch`.
        max_number_of_evaluations: Ends the loop after so many calls; None for no end.
        timeout: See `watch`.
        timeout_fn: See `watch`.

    Returns:
        What the last call returned; None where there was none.

    Raises:
        CheckpointError: A checkpoint that is whole does not fit, or what else `evaluate` raises.
        InputError: The folder is not a folder.
    """
    count, result = 0, None
    for path, written in watch(folder, done, interval, timeout, timeout_fn):
        try:
            result = evaluate(path, written)
        except (CheckpointError, tf.errors.OpError) as error:
            if written_at(path) != written:
                tf.compat.v1.logging.info("%s is gone, and was passed over: %s", path, error)
                continue
            reason = checkpoints.damage(path, every_value=True)
            if reason is None:
                raise
            warnings.warn(
                f"checkpoint {path} is damaged ({reason}), and is passed over",
                RuntimeWarning,
                stacklevel=3,
            )
            continue
        count += 1
        if max_number_of_evaluations and count >= max_number_of_evaluations:
            break
    return result


def checkpoints_iterator(
    checkpoint_dir: str,
    min_interval_secs: float = 0,
    timeout: float | None = None,
    timeout_fn: Callable[[], bool] | None = None,
) -> Iterator[str]:
    """Yields each checkpoint of a training once, the oldest first, as they appear.

    What was saved while the caller was busy is caught up. A checkpoint that is deleted before its
    turn is passed over; one that is replaced by another of the same name is yielded again. The
    end comes after `timeout`, or when the training is over, as `is_over` knows it.

    Args:
        checkpoint_dir: The folder, which need not exist yet.
        min_interval_secs: Seconds between looks at the folder when all was caught up.
        timeout: Seconds to wait for a new checkpoint at most; None waits on.
        timeout_fn: Called after that time; the end comes if it returns True, and otherwise the
            wait goes on. By default the end comes.

    Yields:
        Paths of checkpoints.

    Raises:
        InputError: What is given is a checkpoint or a file, and not a folder.
    """
    for path, _ in watch(checkpoint_dir, set(), min_interval_secs, timeout, timeout_fn):
        yield path


def wait_for_new_checkpoint(
    checkpoint_dir: str,
    last_checkpoint: str | None = None,
    seconds_to_sleep: float = 1,
    timeout: float | None = None,
) -> str | None:
    """Waits for a checkpoint that is newer than one that is known.

    Args:
        checkpoint_dir: The folder, which need not exist yet.
        last_checkpoint: The checkpoint that is known, if any.
        seconds_to_sleep: Seconds between looks.
        timeout: Seconds to wait at most; None waits on.

    Returns:
        The newest checkpoint; None where there was no new one in time.

    Raises:
        InputError: What is given is a checkpoint or a file, and not a folder.
    """
    require_folder(checkpoint_dir)
    ends_at = None if timeout is None else time.monotonic() + timeout
    has_waited = False
    while True:
        found = None
        with contextlib.suppress(CheckpointError):  # all are damaged; a whole one may come
            found = checkpoints.newest(checkpoint_dir)
        if found is not None and found != last_checkpoint:
            return found
        if ends_at is not None and time.monotonic() + seconds_to_sleep > ends_at:
            return None
        if not has_waited:
            _say_waiting(checkpoint_dir, last_checkpoint is not None, timeout)
            has_waited = True
        time.sleep(seconds_to_sleep)


def watch(
    folder: str,
    done: set[Identity],
    interval: float = 0,
    timeout: float | None = None,
    timeout_fn: Callable[[], bool] | None = None,
) -> Iterator[tuple[str, int]]:
    """Yields the checkpoints of a training that are not done, as long as new ones may come.

    The first time that it waits, a line on standard error says for what.

    Args:
        folder: The folder of the training, which need not exist yet.
        done: The checkpoints that are done already; each that is yielded is added.
        interval: Seconds between looks at the folder when all was caught up, at least one.
        timeout: Seconds to wait for a new checkpoint at most; None waits on.
        timeout_fn: Called after that time; the end comes if it returns True, and otherwise the
            wait goes on. By default the end comes.

    Yields:
        Prefixes, the oldest first, and when they were written, in nanoseconds.

    Raises:
        InputError: What is given is a checkpoint or a file, and not a folder.
    """
    require_folder(folder)
    waits_since = looked_at = time.monotonic()
    has_waited = False
    while True:
        # Before the checkpoints are listed: the last of them is written before the end is.
        ended = is_over(folder)
        path, written = _oldest(folder, done)
        if path is not None:
            done.add((os.path.basename(path), written))
            yield path, written
            waits_since = time.monotonic()
            continue
        if ended:
            return
        now = time.monotonic()
        if timeout is not None and now - waits_since >= timeout:
            if timeout_fn is None or timeout_fn():
                return
            waits_since = now
        if not has_waited:
            _say_waiting(folder, bool(done), timeout)
            has_waited = True
        next_look = max(looked_at + interval, now + SECONDS_A_LOOK)
        if timeout is not None:
            next_look = min(next_look, waits_since + timeout)
        _sleep_until(next_look, folder)
        looked_at = time.monotonic()


def is_over(folder: str) -> bool:
    """Returns whether the training in a folder is over, as far as its files say.

    It is where `run.json` says that it is completed or has failed, or where the checkpoint of its
    last step is there, though it was killed before it could say so. An interrupted training may go
    on.
    """
    if not Path(folder, record.NAME).exists():
        return False
    run = record.read(folder)
    if run.get("status") in ("completed", "failed"):
        return True
    end, there = run.get("number_of_steps"), checkpoints.listed(folder)
    return isinstance(end, int) and bool(there) and checkpoints.step_of(there[-1]) >= end


def written_at(path: str) -> int | None:
    """Returns when a checkpoint was written, in nanoseconds, or None where it is gone."""
    try:
        if "://" in path:
            return int(tf.io.gfile.stat(f"{path}.index").mtime_nsec)
        return os.stat(f"{path}.index").st_mtime_ns
    except (OSError, tf.errors.OpError):
        return None


def identities(paths: list[str]) -> set[Identity]:
    """Returns what makes each checkpoint known again; those that are gone are left out."""
    return {(os.path.basename(p), at) for p in paths if (at := written_at(p)) is not None}


def require_folder(folder: str) -> None:
    """Makes sure that checkpoints can be looked for in a folder, which need not exist yet.

    Raises:
        InputError: It is a checkpoint or a file.
    """
    if tf.io.gfile.isdir(folder):
        return
    if checkpoints.exists(folder):
        raise InputError(
            f"checkpoint_dir is {folder}, which is a checkpoint; give its folder, "
            f"{os.path.dirname(folder) or '.'}, or evaluate it alone with evaluate_once"
        )
    if tf.io.gfile.exists(folder):
        raise InputError(f"checkpoint_dir is {folder}, which is a file; give a folder")


def _oldest(folder: str, done: set[Identity]) -> tuple[str, int] | tuple[None, int]:
    for path in checkpoints.listed(folder):
        written = written_at(path)
        if written is not None and (os.path.basename(path), written) not in done:
            return path, written
    return None, 0


def _say_waiting(folder: str, knows_some: bool, timeout: float | None) -> None:
    what = "a new checkpoint" if knows_some else "the first checkpoint"
    how_long = "" if timeout is None else f", for {timeout:g} seconds at most"
    print(f"Waiting for {what} in {folder}{how_long}", file=sys.stderr, flush=True)


def _sleep_until(moment: float, folder: str) -> None:
    while (left := moment - time.monotonic()) > 0:
        time.sleep(min(left, SECONDS_A_LOOK))
        if is_over(folder):
            return
