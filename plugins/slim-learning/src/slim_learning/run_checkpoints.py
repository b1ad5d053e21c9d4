"""The checkpoints of one run: saved whole, the newest kept, found again."""

import glob
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import slimcore.checkpoints as checkpoints
from slimcore.errors import RunError

PREFIX = "model.ckpt"


class RunCheckpoints:
    """The checkpoints `model.ckpt-STEP` in a folder, and the file `checkpoint` that lists them.

    `tf.train.latest_checkpoint` and the evaluation loops find them by that file.
    """

    def __init__(self, logdir: str, keep: int | None = 5) -> None:
        """Makes the folder, and removes what a killed run left half-written.

        Args:
            logdir: The folder.
            keep: How many of the newest to keep; None keeps all.

        Raises:
            RunError: The folder cannot be made, or nothing can be written in it.
        """
        self.logdir = logdir
        self._keep = keep
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
        for half in Path(logdir).glob(f"{PREFIX}-*.tmp*"):
            half.unlink(missing_ok=True)

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
        path = checkpoints.save(os.path.join(self.logdir, f"{PREFIX}-{step}"), values)
        paths = self.paths()
        old = paths[: -self._keep] if self._keep else []
        kept = [p for p in paths if p not in old]
        _write_state(self.logdir, kept)
        for stale in old:
            _remove(stale)
        return path


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
    beside.write_text("\n".join(lines) + "\n", encoding="utf-8")
    os.replace(beside, Path(logdir, "checkpoint"))


def _remove(path: str) -> None:
    # The index first: without it nobody takes the rest for a checkpoint.
    for part in [f"{path}.index", *glob.glob(glob.escape(path) + ".data-*")]:
        Path(part).unlink(missing_ok=True)
