"""`run.json`: what a run was asked to do, by which versions, and what came of it."""

import contextlib
import datetime
import json
import os
import platform
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

import slimcore.files as files
import slimcore.registry as registry
from slimcore import hookimpl
from slimcore.errors import RunError
from slimcore.events import Run

NAME = "run.json"


class RunRecord:
    """Follows a training run and keeps its record.

    The record holds the configuration of the run, the versions of everything it used, its results,
    and one entry for each time it was started.
    """

    def __init__(self) -> None:
        self._run: Run | None = None
        self._record: dict[str, Any] = {}

    @hookimpl
    def slim_run_started(self, run: Run) -> None:
        """Writes what is asked for; an earlier start of the run keeps its entry."""
        if self._run is not None or run.kind != "train":
            return
        self._run = run
        before = read(run.logdir) if Path(run.logdir, NAME).exists() else {}
        start = {
            "command": [os.path.basename(sys.argv[0]), *sys.argv[1:]],
            "started": _now(),
            "first_step": run.first_step,
            "status": "running",
            "packages": package_versions(),
        }
        self._record = {
            **before,
            **run.config,
            "number_of_steps": run.number_of_steps,
            "status": "running",
            "step": run.first_step,
            "results": before.get("results", {}),
            "starts": [*before.get("starts", []), start],
        }
        write(run.logdir, self._record)

    @hookimpl
    def slim_scalars_logged(self, run: Run, step: int, scalars: Mapping[str, float]) -> None:
        """Keeps the newest figures, to be written with the next checkpoint."""
        if run is self._run:
            self._record["results"]["train"] = dict(scalars)

    @hookimpl
    def slim_checkpoint_saved(self, run: Run, step: int, path: str) -> None:
        """Writes how far the run is."""
        if run is self._run:
            self._record |= {"step": step, "checkpoint": os.path.basename(path)}
            self._write()

    @hookimpl
    def slim_run_ended(self, run: Run, status: str, results: Mapping[str, Any]) -> None:
        """Writes how the run ended."""
        if run is not self._run:
            return
        self._record["status"] = status
        self._record["starts"][-1] |= {"status": status, "ended": _now()}
        self._write()
        self._run = None

    def _write(self) -> None:
        assert self._run is not None
        # An evaluation may have added its results meanwhile. Of a record that is gone or cannot be
        # read, what this run knows is written again.
        there: dict[str, Any] = {}
        with contextlib.suppress(RunError):
            there = read(self._run.logdir).get("results", {})
        self._record["results"] = {**there, **self._record["results"]}
        write(self._run.logdir, self._record)


def read(logdir: str) -> dict[str, Any]:
    """Returns the record of the run in a folder.

    Raises:
        RunError: There is none, or it cannot be read.
    """
    path = Path(logdir, NAME)
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise RunError(
            f"there is no run in {logdir}: it holds no {NAME}; make one with slim train --logdir"
        ) from error
    except (OSError, ValueError) as error:
        raise RunError(f"{path} cannot be read: {error}; remove or restore it") from error
    if not isinstance(record, dict) or not isinstance(record.get("results", {}), dict):
        raise RunError(f"{path} holds no record of a run; remove or restore it")
    return record


def write(logdir: str, record: Mapping[str, Any]) -> None:
    """Replaces the record of a run, which is never seen half-written.

    Raises:
        RunError: It cannot be written; the record before stays.
    """
    path = Path(logdir, NAME)
    try:
        with files.replacing(path) as beside:
            beside.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise RunError(f"cannot write {path}: {error.strerror}") from error


def add_results(logdir: str, name: str, results: Mapping[str, Any]) -> None:
    """Adds results, such as those of an evaluation, to the record of a run."""
    record = read(logdir)
    record["results"] = {**record.get("results", {}), name: dict(results)}
    write(logdir, record)


def component(kind: str, name: str) -> dict[str, str]:
    """Returns what a record says of a component: its name, who ships it, and where it is."""
    found = registry.component(kind, name)
    return {
        "name": found.name,
        "distribution": found.distribution,
        "version": found.version,
        "target": found.target,
    }


def package_versions() -> dict[str, str]:
    """Returns the versions of Python, of TensorFlow and Keras, and of every plugin in use."""
    import tensorflow as tf

    return {
        "python": platform.python_version(),
        "tensorflow": tf.__version__,
        "keras": tf.keras.__version__,
        "numpy": np.__version__,
        **registry.current().distributions,
    }


def _now() -> str:
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
