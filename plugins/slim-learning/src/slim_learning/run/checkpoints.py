"""The checkpoints of one run: saved whole, the newest kept, found again."""

import contextlib
import errno
import glob
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf

import slimcore.checkpoints as checkpoints
from slimcore.errors import CheckpointError, RunError

PREFIX = "model.ckpt"


class RunCheckpoints:
    """The checkpoints `model.ckpt-STEP` in a folder, and the file `checkpoint` that lists them.

    `tf.train.latest_checkpoint` and the evaluation loops find them by that file.

    Attributes:
        best_step: The step whose checkpoint is kept however old it is.
    """

    def __init__(
        self, logdir: str, keep: int | None = 5, keep_every_n_hours: float | None = None
    ) -> None:
        """Makes the folder, and removes what a killed run left half-written.

        Args:
            logdir: The folder.
            keep: How many of the newest to keep; None keeps all.
            keep_every_n_hours: Of those before, the oldest is kept, and then one in so many hours.

        Raises:
            RunError: The folder cannot be made, or nothing can be written in it.
        """
        self.logdir = logdir
        self.best_step: int | None = None
        self._keep = keep
        self._hours = keep_every_n_hours
        try:
            os.makedirs(logdir, exist_ok=True)
            probe = Path(logdir, f".{os.getpid()}.tmp")
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise RunError(
                f"cannot write to the run's folder {logdir}: {error.strerror}; choose another "
                "logdir"
            ) from error
        self._remove_halves()

    def paths(self) -> list[str]:
        """Returns the prefixes of the complete checkpoints, oldest first."""
        return paths_by_step(self.logdir)

    def latest(self) -> str | None:
        """Returns the prefix of the newest complete checkpoint."""
        return checkpoints.latest(self.logdir)

    def save(self, step: int, values: Mapping[str, Any]) -> str:
        """Writes a checkpoint, lists it, and then removes those that are no longer kept.

        Raises:
            CheckpointError: It cannot be written; those before it are as they were.
        """
        prefix = os.path.join(self.logdir, f"{PREFIX}-{step}")
        try:
            path = checkpoints.save(prefix, values)
        except CheckpointError:
            # On a full disk, the half that was written would take the room of the next.
            self._remove_halves()
            raise
        paths = self.paths()
        stale = self._stale(paths)
        _write_state(self.logdir, [p for p in paths if p not in stale])
        for old in stale:
            _remove(old)
        return path

    def _stale(self, paths: list[str]) -> list[str]:
        """Returns those of the checkpoints, oldest first, that are not kept."""
        stale, kept_at = [], None
        for path in paths[: -self._keep] if self._keep else []:
            if step_of(path) == self.best_step:
                continue
            written = os.path.getmtime(f"{path}.index")
            if self._hours and (kept_at is None or written >= kept_at + 3600 * self._hours):
                kept_at = written
            else:
                stale.append(path)
        return stale

    def _remove_halves(self) -> None:
        for half in Path(self.logdir).glob(f"{PREFIX}-*.tmp*"):
            half.unlink(missing_ok=True)


def is_disk_full(error: CheckpointError) -> bool:
    """Returns whether a checkpoint could not be written for want of room."""
    cause = error.__cause__
    full = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    return (
        isinstance(cause, tf.errors.ResourceExhaustedError)
        or getattr(cause, "errno", None) in full
        or any(os.strerror(number) in str(cause) for number in full)
    )


def step_of(path: str) -> int:
    """Returns the step in a checkpoint's name, or -1."""
    found = re.search(r"-(\d+)$", path)
    return int(found[1]) if found else -1


def paths_by_step(logdir: str) -> list[str]:
    """Returns the prefixes of the complete checkpoints in a folder, the lowest step first."""
    found = glob.glob(os.path.join(glob.escape(logdir), f"{PREFIX}-*.index"))
    prefixes = [path.removesuffix(".index") for path in found]
    return sorted((p for p in prefixes if step_of(p) >= 0), key=step_of)


def _write_state(logdir: str, paths: list[str]) -> None:
    names = [os.path.basename(path) for path in paths]
    lines = [f'model_checkpoint_path: "{names[-1]}"']
    lines += [f'all_model_checkpoint_paths: "{name}"' for name in names]
    beside = Path(logdir, f"checkpoint.{os.getpid()}.tmp")
    try:
        beside.write_text("\n".join(lines) + "\n", encoding="utf-8")
        os.replace(beside, Path(logdir, "checkpoint"))
    except OSError as error:
        with contextlib.suppress(OSError):
            beside.unlink()
        raise CheckpointError(
            f"cannot list the checkpoints in {logdir}/checkpoint: {error.strerror}"
        ) from error


def _remove(path: str) -> None:
    # The index first: without it nobody takes the rest for a checkpoint.
    for part in [f"{path}.index", *glob.glob(glob.escape(path) + ".data-*")]:
        Path(part).unlink(missing_ok=True)
