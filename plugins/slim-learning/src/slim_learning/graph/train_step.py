"""One step of the loop in a graph: what it runs, when it logs, and when the loop ends."""

import time
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from slim_learning.graph.tracing import write_trace

v1 = tf.compat.v1


def train_step(
    sess: Any, train_op: Any, global_step: Any, train_step_kwargs: Mapping[str, Any]
) -> tuple[Any, bool]:
    """Takes one step, and logs its loss where that is due.

    Args:
        sess: The session.
        train_op: Evaluates to the loss, and takes the step.
        global_step: Counts the steps.
        train_step_kwargs: Scalar bool tensors by name, each of which may be left out: `should_stop`
            and `should_log`, evaluated after the step, and `should_trace`, evaluated before it. A
            trace is written to the folder `logdir`, and to `summary_writer` if there is one.

    Returns:
        The loss, and whether the loop should end.
    """
    began = time.monotonic()
    options, metadata = None, None
    if "should_trace" in train_step_kwargs and sess.run(train_step_kwargs["should_trace"]):
        options = v1.RunOptions(trace_level=v1.RunOptions.FULL_TRACE)
        metadata = v1.RunMetadata()
    loss = sess.run(train_op, options=options, run_metadata=metadata)
    asked = {
        n: train_step_kwargs[n] for n in ("should_stop", "should_log") if n in train_step_kwargs
    }
    told = sess.run({"step": global_step, **asked})
    if metadata is not None:
        writer = train_step_kwargs.get("summary_writer")
        path = write_trace(metadata, train_step_kwargs["logdir"], told["step"], writer)
        v1.logging.info("global step %d: wrote a trace to %s", told["step"], path)
    if told.get("should_log"):
        seconds = time.monotonic() - began
        v1.logging.info("global step %d: loss = %.4f (%.3f sec/step)", told["step"], loss, seconds)
    return loss, bool(told.get("should_stop", False))


def default_step_arguments(
    global_step: Any,
    number_of_steps: int | None,
    log_every_n_steps: int,
    trace_every_n_steps: int | None,
    logdir: str | None,
    summary_writer: Any,
) -> dict[str, Any]:
    """Returns the `train_step_kwargs` of `train_step` for a run.

    Args:
        global_step: Counts the steps.
        number_of_steps: The global step to reach; None goes on.
        log_every_n_steps: Steps between logs; 0 for none.
        trace_every_n_steps: Steps between traces; None for none.
        logdir: The folder for traces.
        summary_writer: Where else they go.
    """
    step = tf.convert_to_tensor(global_step)
    with tf.name_scope("train_step"):
        end = number_of_steps
        arguments: dict[str, Any] = {
            "should_stop": tf.constant(False) if end is None else step >= tf.cast(end, step.dtype)
        }
        if log_every_n_steps:
            arguments["should_log"] = _every(step, log_every_n_steps)
        if trace_every_n_steps is not None:
            arguments["should_trace"] = _every(step, trace_every_n_steps)
            arguments["logdir"] = logdir
    if summary_writer is not None:
        arguments["summary_writer"] = summary_writer
    return arguments


def _every(step: tf.Tensor, steps: int) -> tf.Tensor:
    return tf.equal(step % tf.cast(steps, step.dtype), 0)
