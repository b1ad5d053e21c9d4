"""What a run in a graph keeps: checkpoints and summaries by the clock, told to its followers."""

import os
import time
from typing import Any, NoReturn

import numpy as np
import tensorflow as tf

import slimcore.checkpoints as checkpoints
from slim_learning.graph.scaffold import RunScaffold
from slimcore.errors import CheckpointError, first_line
from slimcore.events import Run, tell
from slimcore.locks import FolderLock

v1 = tf.compat.v1

# How often the followers of a run are told its loss.
SECONDS_A_LOG = 5.0


class SummaryAndCheckpointSaver:
    """Saves, summarizes and tells, between the steps of a session."""

    def __init__(
        self,
        scaffold: RunScaffold,
        run: Run,
        writer: Any,
        summaries_secs: float | None,
        save_secs: float | None,
        lock: FolderLock,
    ) -> None:
        """Writes nothing yet.

        Args:
            scaffold: The scaffold of the run.
            run: Its folder and what its followers know it by.
            writer: A `tf.compat.v1.summary.FileWriter`, or None.
            summaries_secs: Seconds between summaries; 0 or None for none.
            save_secs: Seconds between checkpoints; 0 or None saves at the end alone.
            lock: Held on the folder.
        """
        self._scaffold = scaffold
        self._run = run
        self._writer = writer
        self._summaries = _Timer(summaries_secs if writer is not None else None)
        self._saves = _Timer(save_secs)
        self._logs = _Timer(SECONDS_A_LOG)
        self._lock = lock
        self._saved: int | None = None
        self._counted = (time.monotonic(), 0)
        self.results: dict[str, float] = {}

    @property
    def latest(self) -> str | None:
        """The newest checkpoint of the run."""
        return checkpoints.newest(self._run.logdir)

    def begin(self, session: Any, restored: str | None) -> None:
        """Notes where a session starts, and saves the first values of a new run."""
        step = self._step(session)
        if restored is None:
            graph = self._scaffold.graph.as_graph_def(add_shapes=True)
            tf.io.write_graph(graph, self._run.logdir, "graph.pbtxt")
            self._save(session, step)
        else:
            self._saved = checkpoints.step_of(restored)
            self._saves.reset()
        self._logs.reset()
        if self._writer is not None:
            start = v1.SessionLog(status=v1.SessionLog.START)
            self._writer.add_session_log(start, global_step=step)
        self._counted = (time.monotonic(), step)

    def after_step(self, session: Any, loss: Any) -> None:
        """Does what is due after a step."""
        if self._summaries.is_due():
            self._summarize(session)
        if self._saves.is_due():
            self._save(session, self._step(session))
        if self._logs.is_due():
            self._log(self._step(session), loss)

    def end(self, session: Any, loss: Any) -> None:
        """Tells the last loss, and saves, unless the last step is saved already."""
        step = self._step(session)
        self._log(step, loss)
        if step != self._saved:
            self._save(session, step)
        if self._writer is not None:
            stop = v1.SessionLog(status=v1.SessionLog.STOP)
            self._writer.add_session_log(stop, global_step=step)
            self._writer.flush()

    def _step(self, session: Any) -> int:
        return int(session.run(self._scaffold.global_step))

    def _summarize(self, session: Any) -> None:
        if self._scaffold.summary_op is not None:
            summary, step = session.run([self._scaffold.summary_op, self._scaffold.global_step])
            self._writer.add_summary(summary, step)
        step, (since, counted) = self._step(session), self._counted
        rate = (step - counted) / max(time.monotonic() - since, 1e-9)
        value = v1.Summary.Value(tag="global_step/sec", simple_value=rate)
        self._writer.add_summary(v1.Summary(value=[value]), step)
        self._counted = (time.monotonic(), step)
        self._summaries.reset()

    def _save(self, session: Any, step: int) -> None:
        self._saves.reset()
        if self._scaffold.saver is None:
            return
        self._lock.check()
        prefix = os.path.join(self._run.logdir, checkpoints.PREFIX)
        try:
            # Where the run went back to an earlier checkpoint, this step may have one already. TF's
            # saver would replace its data first; the earlier one is whole meanwhile.
            if checkpoints.exists(f"{prefix}-{step}"):
                tf.io.gfile.remove(f"{prefix}-{step}{checkpoints.INDEX}")
            path = self._scaffold.saver.save(session, prefix, global_step=step)
        except (tf.errors.OpError, ValueError, OSError) as error:
            _explain_save(error, f"{prefix}-{step}", self.latest)
        self._saved = step
        self._saves.reset()  # from the end of the saving, however long it took
        if self._writer is not None:
            self._writer.flush()  # the events reach at least as far as the checkpoint
        tell("slim_checkpoint_saved", run=self._run, step=step, path=path)

    def _log(self, step: int, loss: Any) -> None:
        self._logs.reset()
        if np.ndim(loss) == 0 and np.issubdtype(np.asarray(loss).dtype, np.number):
            self.results["loss"] = float(loss)
            tell("slim_scalars_logged", run=self._run, step=step, scalars=dict(self.results))


class _Timer:
    """Says when something is due; at once, until it is first reset."""

    def __init__(self, seconds: float | None) -> None:
        self._seconds = seconds
        self._due_at = 0.0

    def is_due(self) -> bool:
        return bool(self._seconds) and time.monotonic() >= self._due_at

    def reset(self) -> None:
        self._due_at = time.monotonic() + (self._seconds or 0.0)


def _explain_save(error: Exception, path: str, latest: str | None) -> NoReturn:
    text = first_line(error)
    raise CheckpointError(
        f"cannot write checkpoint {path}: {text}; the newest that is whole is {latest or 'none'}"
    ) from error
