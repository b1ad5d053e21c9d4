"""The checkpoints of one run: saved whole, the newest kept, found again."""

import errno
import glob
import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import tensorflow as tf

import slimcore.checkpoints as checkpoints
import slimcore.files as files
from slim_learning.run.folder import open_folder
from slimcore.checkpoints import PREFIX, step_of
from slimcore.errors import CheckpointError

__all__ = ["PREFIX", "RunCheckpoints", "is_disk_full", "step_of"]


class RunCheckpoints:
    """The checkpoints `model.ckpt-STEP` in a folder, and the file `checkpoint` that lists them.

    `tf.train.latest_checkpoint` and the evaluation loops find them by that file. The folder is
    locked until `close`, or the end of a `with` block.

    Attributes:
        best_step: The step whose checkpoint is kept however old it is.
    """

    def __init__(
        self, logdir: str, keep: int | None = 5, keep_every_n_hours: float | None = None
    ) -> None:
        """Makes and locks the folder, and removes what a killed run left half-written.

        Args:
            logdir: The folder.
            keep: How many of the newest to keep; None keeps all.
            keep_every_n_hours: Keep one older checkpoint in so many hours, the oldest first.

        Raises:
            RunError: The folder cannot be made, nothing can be written in it, or another process
                trains in it.
        """
        self.logdir = logdir
        self.best_step: int | None = None
        self._keep = keep
        self._hours = keep_every_n_hours
        self._lock = open_folder(logdir)
        self._remove_halves()

    def __enter__(self) -> "RunCheckpoints":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Lets others write to the folder."""
        self._lock.release()

    def paths(self) -> list[str]:
        """Returns the prefixes of the checkpoints, oldest first."""
        return checkpoints.listed(self.logdir)

    def latest(self) -> str | None:
        """Returns the prefix of the newest whole checkpoint."""
        return checkpoints.newest(self.logdir)

    def save(self, step: int, values: Mapping[str, Any]) -> str:
        """Writes a checkpoint, lists it, and then removes those that are no longer kept.

        Raises:
            CheckpointError: It cannot be written; those before it are as they were.
            RunError: The folder was deleted or replaced.
        """
        self._lock.check()
        prefix = os.path.join(self.logdir, PREFIX)
        try:
            path = checkpoints.save(f"{prefix}-{step}", values)
        except CheckpointError:
            # On a full disk, the half that was written would take the room of the next.
            self._remove_halves()
            raise
        # The file may name others, of which this run is not the owner.
        ours = [p for p in self.paths() if p.startswith(f"{prefix}-") and step_of(p) < step]
        paths = [*ours, path]
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
            if half.is_file():
                half.unlink(missing_ok=True)
        for data in Path(self.logdir).glob(f"{PREFIX}-*.data-*-of-*"):
            if data.is_file() and not data.with_suffix(".index").exists():
                data.unlink(missing_ok=True)


def is_disk_full(error: CheckpointError) -> bool:
    """Returns whether a checkpoint could not be written for want of room."""
    cause = error.__cause__
    full = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    return (
        isinstance(cause, tf.errors.ResourceExhaustedError)
        or getattr(cause, "errno", None) in full
        or any(os.strerror(number) in str(cause) for number in full)
    )


def _write_state(logdir: str, paths: list[str]) -> None:
    names = [os.path.basename(path) for path in paths]
    lines = [f'model_checkpoint_path: "{names[-1]}"']
    lines += [f'all_model_checkpoint_paths: "{name}"' for name in names]
    try:
        with files.replacing(Path(logdir, "checkpoint")) as beside:
            beside.write_text("\n".join(lines) + "\n", encoding="utf-8")
    except OSError as error:
        raise CheckpointError(
            f"cannot list the checkpoints in {logdir}/checkpoint: {error.strerror}"
        ) from error


def _remove(path: str) -> None:
    # The index first: without it nobody takes the rest for a checkpoint.
    for part in [f"{path}.index", *glob.glob(glob.escape(path) + ".data-*")]:
        Path(part).unlink(missing_ok=True)
