"""Hooks of evaluation sessions: to stop after some batches, and to summarize at the end."""

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from slimcore.errors import InputError
from slimcore.global_step import get_or_create_global_step

v1 = tf.compat.v1


def get_or_create_eval_step() -> tf.Variable:
    """Returns the graph's count of evaluated batches, made with the value 0 where there is none.

    It is a local variable, int64, in `GraphKeys.EVAL_STEP`, and begins at 0 with each evaluation.
    """
    found = v1.get_collection(v1.GraphKeys.EVAL_STEP)
    if found:
        return found[0]
    root = v1.VariableScope(reuse=False)
    with v1.variable_scope(root, auxiliary_name_scope=False):
        return v1.get_variable(
            "eval_step",
            [],
            tf.int64,
            initializer=v1.zeros_initializer(),
            trainable=False,
            use_resource=True,
            collections=[v1.GraphKeys.LOCAL_VARIABLES, v1.GraphKeys.EVAL_STEP],
        )


class StopAfterNEvalsHook(v1.train.SessionRunHook):  # type: ignore[name-defined]
    """Ends an evaluation after a number of batches."""

    def __init__(self, num_evals: int | None, log_progress: bool = True) -> None:
        """Keeps the number.

        Args:
            num_evals: The number of batches; None goes on until the input ends.
            log_progress: Whether to log how far it is, about ten times.
        """
        self._num_evals = num_evals
        self._log_every = max(1, (num_evals or 100) // 10) if log_progress else 0
        self._counted: Any = None

    def count_by(self, evals_completed: tf.Tensor) -> None:
        """Sets the tensor that says how many batches there were; the evaluation does so."""
        self._counted = evals_completed

    def before_run(self, run_context: Any) -> Any:
        """Asks for the count."""
        counted = get_or_create_eval_step() if self._counted is None else self._counted
        return v1.train.SessionRunArgs({"evals_completed": counted})

    def after_run(self, run_context: Any, run_values: Any) -> None:
        """Asks to stop when the number is reached."""
        completed = int(run_values.results["evals_completed"])
        if self._log_every and completed % self._log_every == 0:
            of = "" if self._num_evals is None else f"/{self._num_evals}"
            v1.logging.info("evaluation [%d%s]", completed, of)
        if self._num_evals is not None and completed >= self._num_evals:
            run_context.request_stop()


class SummaryAtEndHook(v1.train.SessionRunHook):  # type: ignore[name-defined]
    """Writes the summaries once, after the last batch, at the global step."""

    def __init__(
        self,
        log_dir: str | None = None,
        summary_writer: Any = None,
        summary_op: Any = None,
        feed_dict: Mapping[Any, Any] | None = None,
    ) -> None:
        """Keeps where and what to write.

        Args:
            log_dir: The folder of a writer to share, if none is given.
            summary_writer: A `tf.compat.v1.summary.FileWriter`.
            summary_op: Summaries as one string; all of the graph by default.
            feed_dict: What to feed it.

        Raises:
            InputError: Neither a folder nor a writer is given.
        """
        if log_dir is None and summary_writer is None:
            raise InputError("SummaryAtEndHook needs log_dir or summary_writer, to write to")
        self._log_dir = log_dir
        self._writer = summary_writer
        self._summary_op = summary_op
        self._feed_dict = feed_dict
        self._global_step: Any = None

    def begin(self) -> None:
        """Finds the summaries of the graph."""
        if self._summary_op is None:
            self._summary_op = v1.summary.merge_all()
        self._global_step = get_or_create_global_step()

    def after_create_session(self, session: Any, coord: Any) -> None:
        """Opens the writer."""
        if self._writer is None:
            self._writer = v1.summary.FileWriterCache.get(self._log_dir)

    def end(self, session: Any) -> None:
        """Writes the summaries."""
        step = session.run(self._global_step)
        if self._summary_op is not None:
            summary = session.run(self._summary_op, self._feed_dict)
            self._writer.add_summary(summary, step)
        self._writer.flush()
