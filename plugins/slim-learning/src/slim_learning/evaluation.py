"""`slim.evaluation`: checkpoints evaluated by metrics, in a graph and on functions of a batch."""

from collections.abc import Callable, Sequence
from typing import Any, overload

import tensorflow as tf

import slim_learning.evaluate.eager as eager
import slim_learning.evaluate.in_graph as in_graph
from slim_learning.dispatch import GraphDefault, in_a_graph, names_checked, on_functions
from slim_learning.evaluate.hooks import (
    StopAfterNEvalsHook,
    SummaryAtEndHook,
    get_or_create_eval_step,
)
from slim_learning.evaluate.in_graph import Feed
from slim_learning.graph.scaffold import USE_DEFAULT
from slim_learning.run.checkpoint_watcher import checkpoints_iterator, wait_for_new_checkpoint

__all__ = [
    "StopAfterNEvalsHook",
    "SummaryAtEndHook",
    "checkpoints_iterator",
    "evaluate_once",
    "evaluation_loop",
    "get_or_create_eval_step",
    "wait_for_new_checkpoint",
]

EVALS = GraphDefault(1, on_functions=None)


@overload
def evaluate_once(
    master: Callable[[Any], Any],
    checkpoint_path: str,
    logdir: str | None = ...,
    num_evals: int | None = ...,
    *,
    dataset: tf.data.Dataset,
    split: str | None = ...,
    moving_averages: bool | None = ...,
    followers: Sequence[Any] | None = ...,
) -> dict[str, Any]: ...
@overload
def evaluate_once(
    master: str,
    checkpoint_path: str,
    logdir: str | None,
    num_evals: int | None = ...,
    initial_op: Any = ...,
    initial_op_feed_dict: Feed = ...,
    eval_op: Any = ...,
    eval_op_feed_dict: Feed = ...,
    final_op: Any = ...,
    final_op_feed_dict: Feed = ...,
    summary_op: Any = ...,
    summary_op_feed_dict: Feed = ...,
    variables_to_restore: Any = ...,
    session_config: Any = ...,
    hooks: Sequence[Any] | None = ...,
) -> Any: ...
@names_checked
def evaluate_once(
    master: Any,
    checkpoint_path: str,
    logdir: str | None = None,
    num_evals: int | None = EVALS,
    initial_op: Any = None,
    initial_op_feed_dict: Feed = None,
    eval_op: Any = None,
    eval_op_feed_dict: Feed = None,
    final_op: Any = None,
    final_op_feed_dict: Feed = None,
    summary_op: Any = USE_DEFAULT,
    summary_op_feed_dict: Feed = None,
    variables_to_restore: Any = None,
    session_config: Any = None,
    hooks: Sequence[Any] | None = None,
    *,
    dataset: Any = None,
    split: str | None = None,
    moving_averages: bool | None = None,
    followers: Sequence[Any] | None = None,
) -> Any:
    """Reads a checkpoint, and computes metrics over batches.

    In a graph the metrics are ops of the current graph. Elsewhere they are what a function of a
    batch computes, and `dataset` gives the batches.

    Args:
        master: In a graph, the address of a TensorFlow master; "" or "local" is this process. On
            functions, a function of a batch that calls networks, with `is_training=False`, and
            metrics of `slim.metrics`. The networks keep the values read.
        checkpoint_path: The checkpoint's prefix, or a folder, for the newest in it.
        logdir: The folder for TensorBoard events and results, a line in `eval.jsonl` or
            `eval_<split>.jsonl`, in a graph only where `final_op` is a dict. None writes nothing.
        num_evals: How many batches: in a graph, how often `eval_op` is run, 1 by default, and None
            goes on until the input ends; on functions all by default.
        initial_op: In a graph only: run at the start, before the values are restored.
        initial_op_feed_dict: In a graph only: what to feed it.
        eval_op: In a graph only: ops or tensors, or a list or dict of them: the updates of metrics.
        eval_op_feed_dict: In a graph only: what to feed them.
        final_op: In a graph only: tensors, or a list or dict of them, evaluated at the end: the
            values of metrics.
        final_op_feed_dict: In a graph only: what to feed them.
        summary_op: In a graph only: summaries as one string; all of the graph by default, None for
            none.
        summary_op_feed_dict: In a graph only: what to feed it.
        variables_to_restore: In a graph only: a list, or a dict by the names in the checkpoint; all
            by default.
        session_config: In a graph only: a `tf.compat.v1.ConfigProto`.
        hooks: In a graph only: more session hooks.
        dataset: On functions only, and needed there: the batches, a `tf.data.Dataset`.
        split: On functions only: the name of the data, for the name of the file of results.
        moving_averages: On functions only: whether the metrics are computed with the moving
            averages of the weights, too; their names then begin with `averaged/`. None does so
            where the checkpoint has any.
        followers: On functions only: objects with event hooks; by default TensorBoard events where
            results are written.

    Returns:
        In a graph, the values of `final_op`, None without it; on functions, numbers by name, or
        arrays where a metric has several.

    Raises:
        InputError: An argument has an unsupported value or belongs to the other mode, no graph is
            being built, the function computes no metric, or the dataset never ends.
        ArgumentTypeError: An argument is unknown; the nearest names are given.
        CheckpointError: The checkpoint cannot be read, does not fit, leaves a variable without a
            value, or has no moving averages where they are asked for.
        DataError: The input gave no batch, or cannot be read.
        RunError: The results cannot be written.
    """
    given = locals()
    if callable(master):
        return eager.evaluate_once(
            master, **on_functions(evaluate_once, eager.evaluate_once, given)
        )
    return in_graph.evaluate_once(
        master, **in_a_graph(evaluate_once, in_graph.evaluate_once, given)
    )


@overload
def evaluation_loop(
    master: Callable[[Any], Any],
    checkpoint_dir: str,
    logdir: str | None = ...,
    num_evals: int | None = ...,
    *,
    dataset: tf.data.Dataset,
    eval_interval_secs: float = ...,
    max_number_of_evaluations: int | None = ...,
    timeout: float | None = ...,
    timeout_fn: Callable[[], bool] | None = ...,
    split: str | None = ...,
    moving_averages: bool | None = ...,
    followers: Sequence[Any] | None = ...,
) -> dict[str, Any] | None: ...
@overload
def evaluation_loop(
    master: str,
    checkpoint_dir: str,
    logdir: str | None,
    num_evals: int | None = ...,
    initial_op: Any = ...,
    initial_op_feed_dict: Feed = ...,
    init_fn: Callable[[Any], Any] | None = ...,
    eval_op: Any = ...,
    eval_op_feed_dict: Feed = ...,
    final_op: Any = ...,
    final_op_feed_dict: Feed = ...,
    summary_op: Any = ...,
    summary_op_feed_dict: Feed = ...,
    variables_to_restore: Any = ...,
    eval_interval_secs: float = ...,
    max_number_of_evaluations: int | None = ...,
    session_config: Any = ...,
    timeout: float | None = ...,
    timeout_fn: Callable[[], bool] | None = ...,
    hooks: Sequence[Any] | None = ...,
) -> Any: ...
@names_checked
def evaluation_loop(
    master: Any,
    checkpoint_dir: str,
    logdir: str | None = None,
    num_evals: int | None = EVALS,
    initial_op: Any = None,
    initial_op_feed_dict: Feed = None,
    init_fn: Callable[[Any], Any] | None = None,
    eval_op: Any = None,
    eval_op_feed_dict: Feed = None,
    final_op: Any = None,
    final_op_feed_dict: Feed = None,
    summary_op: Any = USE_DEFAULT,
    summary_op_feed_dict: Feed = None,
    variables_to_restore: Any = None,
    eval_interval_secs: float = 60,
    max_number_of_evaluations: int | None = None,
    session_config: Any = None,
    timeout: float | None = None,
    timeout_fn: Callable[[], bool] | None = None,
    hooks: Sequence[Any] | None = None,
    *,
    dataset: Any = None,
    split: str | None = None,
    moving_averages: bool | None = None,
    followers: Sequence[Any] | None = None,
) -> Any:
    """Evaluates each checkpoint of a training once, the oldest first, as they appear.

    What was saved meanwhile is caught up, and a checkpoint that is deleted or replaced before it
    was read is passed over. The loop ends after `timeout`, after `max_number_of_evaluations`, or
    when the training is over. On functions, what is done is read from the file of results, so that
    a loop started again goes on.

    Args:
        master: In a graph, the address of a TensorFlow master; "" or "local" is this process. On
            functions, a function of a batch that calls networks, with `is_training=False`, and
            metrics of `slim.metrics`. The networks keep the values read.
        checkpoint_dir: The folder of the training.
        logdir: As in `evaluate_once`; on functions None stands for `eval` in the training's folder.
        num_evals: How many batches: in a graph, how often `eval_op` is run, 1 by default, and None
            goes on until the input ends; on functions all by default.
        initial_op: In a graph only: run at the start, before the values are restored.
        initial_op_feed_dict: In a graph only: what to feed it.
        init_fn: In a graph only: called with the session after `initial_op`, before the values are
            restored.
        eval_op: In a graph only: ops or tensors, or a list or dict of them: the updates of metrics.
        eval_op_feed_dict: In a graph only: what to feed them.
        final_op: In a graph only: tensors, or a list or dict of them, evaluated at the end: the
            values of metrics.
        final_op_feed_dict: In a graph only: what to feed them.
        summary_op: In a graph only: summaries as one string; all of the graph by default, None for
            none.
        summary_op_feed_dict: In a graph only: what to feed it.
        variables_to_restore: In a graph only: a list, or a dict by the names in the checkpoint; all
            by default.
        eval_interval_secs: Seconds between looks at the folder where all was caught up.
        max_number_of_evaluations: Ends the loop after so many. In a graph, of the checkpoints there
            at the start no more are taken, the newest.
        session_config: In a graph only: a `tf.compat.v1.ConfigProto`.
        timeout: Seconds to wait for a new checkpoint at most; None waits on.
        timeout_fn: Called after that time; the loop ends if it returns True, and otherwise goes on.
            By default it ends.
        hooks: In a graph only: more session hooks.
        dataset: On functions only, and needed there: the batches, a `tf.data.Dataset`.
        split: On functions only: the name of the data, for the name of the file of results.
        moving_averages: On functions only: whether the metrics are computed with the moving
            averages of the weights, too; their names then begin with `averaged/`. None does so
            where the checkpoint has any.
        followers: On functions only: objects with event hooks; by default TensorBoard events where
            results are written.

    Returns:
        What `evaluate_once` returns, for the last checkpoint; None where there was none.

    Raises:
        InputError: See `evaluate_once`, also for the errors below.
        ArgumentTypeError: See there.
        CheckpointError: See there.
        DataError: See there.
        RunError: See there.
    """
    given = locals()
    if callable(master):
        return eager.evaluation_loop(
            master, **on_functions(evaluation_loop, eager.evaluation_loop, given)
        )
    return in_graph.evaluation_loop(
        master, **in_a_graph(evaluation_loop, in_graph.evaluation_loop, given)
    )
