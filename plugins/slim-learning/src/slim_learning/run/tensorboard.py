"""Writes what a run tells to TensorBoard's event files."""

import os
import time
from collections.abc import Mapping
from typing import Any

from slimcore import hookimpl
from slimcore.events import Run


class TensorBoard:
    """Follows runs of any kind: training in the run's folder, evaluation in `eval` below it."""

    def __init__(self, every_secs: float = 0) -> None:
        """Keeps how long to wait at least between two events of a training run."""
        self._every_secs = every_secs
        self._written_at = float("-inf")
        self._writers: dict[str, Any] = {}

    @hookimpl
    def slim_scalars_logged(self, run: Run, step: int, scalars: Mapping[str, float]) -> None:
        """Writes the scalars, unless it is too soon; those of the last step in any case."""
        if step == run.number_of_steps or time.monotonic() >= self._written_at + self._every_secs:
            self._write(run.logdir, step, scalars)
            self._written_at = time.monotonic()

    @hookimpl
    def slim_checkpoint_saved(self, run: Run, step: int, path: str) -> None:
        """Flushes, so that the events reach at least as far as the checkpoint."""
        for writer in self._writers.values():
            writer.flush()

    @hookimpl
    def slim_evaluation_done(self, run: Run, step: int, results: Mapping[str, Any]) -> None:
        """Writes those results that are single numbers."""
        numbers = {name: value for name, value in results.items() if isinstance(value, int | float)}
        folder = str(run.config.get("events", os.path.join(run.logdir, "eval")))
        self._write(folder, step, numbers)
        self._writers[folder].flush()

    @hookimpl
    def slim_run_ended(self, run: Run, status: str, results: Mapping[str, Any]) -> None:
        """Closes the files."""
        for writer in self._writers.values():
            writer.close()
        self._writers = {}

    def _write(self, folder: str, step: int, scalars: Mapping[str, float]) -> None:
        import tensorflow as tf

        if folder not in self._writers:
            self._writers[folder] = tf.summary.create_file_writer(folder)
        # What tf.summary.scalar writes; that function wants the package tensorboard installed.
        kind = tf.compat.v1.SummaryMetadata(
            plugin_data=tf.compat.v1.SummaryMetadata.PluginData(plugin_name="scalars")
        )
        with self._writers[folder].as_default():
            for name, value in scalars.items():
                tf.summary.write(name, tf.constant(value, tf.float32), step, kind)
