"""Writes what a session recorded of a step, to be seen in a browser and in TensorBoard."""

import json
import os
from typing import Any

import tensorflow as tf


def write_trace(metadata: Any, logdir: str, step: int, summary_writer: Any = None) -> str:
    """Writes a trace of one step in the format that `chrome://tracing` and Perfetto read.

    Args:
        metadata: The `tf.compat.v1.RunMetadata` of the step, recorded with `FULL_TRACE`.
        logdir: The folder.
        step: The global step.
        summary_writer: A writer by which TensorBoard shows it too, if any.

    Returns:
        The path, `tf_trace-STEP.json` in the folder.
    """
    path = os.path.join(logdir, f"tf_trace-{step}.json")
    with tf.io.gfile.GFile(path, "w") as file:
        file.write(json.dumps({"traceEvents": _events(metadata.step_stats)}))
    if summary_writer is not None:
        summary_writer.add_run_metadata(metadata, f"run-{step}", step)
    return path


def _events(step_stats: Any) -> list[dict[str, Any]]:
    """Returns a row for each device, and in it a bar for each op; times are in microseconds."""
    events: list[dict[str, Any]] = []
    for row, device in enumerate(step_stats.dev_stats):
        name = {"name": device.device}
        events.append({"ph": "M", "pid": row, "name": "process_name", "args": name})
        for node in device.node_stats:
            events.append(
                {
                    "ph": "X",
                    "pid": row,
                    "tid": node.thread_id,
                    "ts": node.all_start_micros,
                    "dur": node.all_end_rel_micros,
                    "name": node.node_name,
                    "cat": "op",
                    "args": {"label": node.timeline_label},
                }
            )
    return events
