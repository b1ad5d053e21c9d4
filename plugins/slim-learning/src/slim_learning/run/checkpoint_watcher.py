"""Finds the checkpoints of a training as they appear, each once."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import tensorflow as tf

import slim_learning.run.run_record as record
from slim_learning.run.checkpoints import step_of

v1 = tf.compat.v1

# How often a folder is looked at for a new checkpoint.
SECONDS_A_LOOK = 1.0


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
    """
    ends_at = None if timeout is None else time.monotonic() + timeout
    while True:
        found = tf.train.latest_checkpoint(checkpoint_dir)
        if found is not None and found != last_checkpoint:
            return found
        if ends_at is not None and time.monotonic() + seconds_to_sleep > ends_at:
            return None
        time.sleep(seconds_to_sleep)


def checkpoints_iterator(
    checkpoint_dir: str,
    min_interval_secs: float = 0,
    timeout: float | None = None,
    timeout_fn: Callable[[], bool] | None = None,
) -> Iterator[str]:
    """Yields each checkpoint of a training once, the oldest first, as they appear.

    What was saved while the caller was busy is caught up. A checkpoint that is deleted before its
    turn is passed over; one that is replaced by another of the same name is yielded again. The
    end comes after `timeout`, or when `run.json` in the folder says that the training is over.

    Args:
        checkpoint_dir: The folder, which need not exist yet.
        min_interval_secs: Seconds between looks at the folder where all was caught up.
        timeout: Seconds to wait for a new checkpoint at most; None waits on.
        timeout_fn: Called after that time; the end comes if it returns True, and otherwise the
            wait goes on. By default the end comes.

    Yields:
        Paths of checkpoints.
    """
    done: set[tuple[str, int]] = set()
    waits_since = looked_at = time.monotonic()
    while True:
        # Before the checkpoints are listed: the last of them is written before the end is.
        ended = is_over(checkpoint_dir)
        path = next((p for p in listed(checkpoint_dir) if _identity(p) not in done), None)
        identity = _identity(path) if path else None
        if path and identity:
            done.add(identity)
            yield path
            waits_since = time.monotonic()
            continue
        if ended:
            return
        now = time.monotonic()
        if timeout is not None and now - waits_since >= timeout:
            if timeout_fn is None or timeout_fn():
                return
            waits_since = now
        next_look = max(looked_at + min_interval_secs, now + SECONDS_A_LOOK)
        if timeout is not None:
            next_look = min(next_look, waits_since + timeout)
        _sleep_until(next_look, checkpoint_dir)
        looked_at = time.monotonic()


def listed(checkpoint_dir: str) -> list[str]:
    """Returns the whole checkpoints in a folder, the lowest step first.

    They are those in the list that TensorFlow keeps, and those of the same name and a lower step
    that are no longer in it.
    """
    state = v1.train.get_checkpoint_state(checkpoint_dir)
    if state is None:
        return []
    newest = state.model_checkpoint_path
    paths = {*state.all_model_checkpoint_paths, newest}
    if step_of(newest) >= 0:
        prefix = newest.rpartition("-")[0]
        found = (p.removesuffix(".index") for p in tf.io.gfile.glob(f"{prefix}-*.index"))
        paths |= {p for p in found if 0 <= step_of(p) < step_of(newest)}
    there = (p for p in paths if written_at(p) is not None)
    return sorted(there, key=lambda p: (step_of(p), p))


def written_at(path: str) -> int | None:
    """Returns when a checkpoint was written, in nanoseconds, or None where it is gone."""
    try:
        if "://" in path:
            return int(tf.io.gfile.stat(f"{path}.index").mtime_nsec)
        return os.stat(f"{path}.index").st_mtime_ns
    except (OSError, tf.errors.OpError):
        return None


def is_over(checkpoint_dir: str) -> bool:
    """Returns whether the record of the run in a folder says that it is completed or failed."""
    if not Path(checkpoint_dir, record.NAME).exists():
        return False
    return record.read(checkpoint_dir).get("status") in ("completed", "failed")


def _identity(path: str) -> tuple[str, int] | None:
    written = written_at(path)
    return None if written is None else (os.path.basename(path), written)


def _sleep_until(moment: float, checkpoint_dir: str) -> None:
    while (left := moment - time.monotonic()) > 0:
        time.sleep(min(left, SECONDS_A_LOOK))
        if is_over(checkpoint_dir):
            return
