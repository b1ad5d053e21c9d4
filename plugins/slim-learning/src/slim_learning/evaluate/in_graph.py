"""`slim.evaluation` in a graph: metrics over batches, with the values of checkpoints."""

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import tensorflow as tf

from slim_learning.evaluate.evaluation_session import Evaluation, fetchable, require_graph
from slim_learning.evaluate.hooked_evaluation import newest_once
from slim_learning.evaluate.hooks import StopAfterNEvalsHook, SummaryAtEndHook
from slim_learning.graph.scaffold import USE_DEFAULT, is_default
from slim_learning.run.checkpoint_watcher import written_at
from slim_learning.run.results_log import ResultsFile
from slimcore.checkpoints import exists, prefix_of, restore_newest, step_of
from slimcore.events import Run, tell
from slimcore.global_step import get_or_create_global_step

v1 = tf.compat.v1

Feed = Mapping[Any, Any] | None


def evaluate_once(
    master: str,
    checkpoint_path: str,
    logdir: str | None,
    num_evals: int | None = 1,
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
) -> Any:
    """Evaluates ops of the current graph over batches, with the values of a checkpoint.

    Args:
        master: The address of a TensorFlow master; "" or "local" is this process.
        checkpoint_path: The checkpoint, or a folder, for the newest in it.
        logdir: The folder for TensorBoard events, at the checkpoint's global step, and, where
            `final_op` is a dict, for a line of results in `eval.jsonl`. None writes nothing.
        num_evals: How often `eval_op` is run; None goes on until the input ends.
        initial_op: Run at the start, before the values are restored.
        initial_op_feed_dict: What to feed it.
        eval_op: Ops or tensors, or a list or dict of them: the updates of metrics.
        eval_op_feed_dict: What to feed them.
        final_op: Tensors, or a list or dict of them, evaluated at the end: the values of metrics.
        final_op_feed_dict: What to feed them.
        summary_op: Summaries as one string; all of the graph by default, None for none.
        summary_op_feed_dict: What to feed it.
        variables_to_restore: A list, or a dict by the names in the checkpoint; all by default.
        session_config: A `tf.compat.v1.ConfigProto`.
        hooks: More session hooks.

    Returns:
        The values of `final_op`; None without it.

    Raises:
        CheckpointError: It cannot be read, does not fit, or leaves a variable without a value.
        DataError: The input gave no batch.
        InputError: No graph is being built.
    """
    evaluation = _evaluation(
        master,
        logdir,
        num_evals,
        v1.train.Scaffold(
            init_op=fetchable(initial_op),
            init_feed_dict=initial_op_feed_dict,
            saver=_saver(variables_to_restore),
        ),
        (eval_op, eval_op_feed_dict),
        (final_op, final_op_feed_dict),
        (summary_op, summary_op_feed_dict),
        variables_to_restore,
        session_config,
        hooks,
    )
    path = checkpoint_path
    if not exists(path) and tf.io.gfile.isdir(path):
        found = restore_newest(path, lambda path: _evaluated(evaluation, logdir, path))
        if found is not None:
            return found[1]
    return _evaluated(evaluation, logdir, prefix_of(path))


def evaluation_loop(
    master: str,
    checkpoint_dir: str,
    logdir: str | None,
    num_evals: int | None = 1,
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
) -> Any:
    """Evaluates each checkpoint of a training once, the oldest first, as `evaluate_once` does.

    What was saved meanwhile is caught up; a checkpoint that is deleted or replaced before it was
    read is passed over. The loop ends after `timeout`, after `max_number_of_evaluations`, or when
    `run.json` in the folder says that the training is over.

    Args:
        master: See `evaluate_once`, also for what is not listed here.
        checkpoint_dir: The folder of the training.
        logdir: See there.
        num_evals: See there.
        initial_op: See there.
        initial_op_feed_dict: See there.
        init_fn: Called with the session after `initial_op`, before the values are restored.
        eval_op: See there.
        eval_op_feed_dict: See there.
        final_op: See there.
        final_op_feed_dict: See there.
        summary_op: See there.
        summary_op_feed_dict: See there.
        variables_to_restore: See there.
        eval_interval_secs: Seconds between looks at the folder where all was caught up.
        max_number_of_evaluations: Ends the loop after so many. Of the checkpoints there at the
            start no more are taken, the newest.
        session_config: See there.
        timeout: Seconds to wait for a new checkpoint at most; None waits on.
        timeout_fn: Called after that time; the loop ends if it returns True, and otherwise goes
            on. By default it ends.
        hooks: See there.

    Returns:
        The values of `final_op` for the last checkpoint; None where there was none.

    Raises:
        See `evaluate_once`.
    """
    scaffold = v1.train.Scaffold(
        init_op=fetchable(initial_op),
        init_feed_dict=initial_op_feed_dict,
        init_fn=None if init_fn is None else lambda _, session: init_fn(session),
        saver=_saver(variables_to_restore),
    )
    evaluation = _evaluation(
        master,
        logdir,
        num_evals,
        scaffold,
        (eval_op, eval_op_feed_dict),
        (final_op, final_op_feed_dict),
        (summary_op, summary_op_feed_dict),
        variables_to_restore,
        session_config,
        hooks,
    )
    return newest_once(
        lambda path, _: _evaluated(evaluation, logdir, path),
        checkpoint_dir,
        eval_interval_secs,
        max_number_of_evaluations,
        timeout,
        timeout_fn,
    )


def _saver(variables_to_restore: Any) -> Any:
    require_graph()
    get_or_create_global_step()
    return v1.train.Saver(variables_to_restore or v1.global_variables())


def _evaluation(
    master: str,
    logdir: str | None,
    num_evals: int | None,
    scaffold: Any,
    evaluated: tuple[Any, Feed],
    final: tuple[Any, Feed],
    summarized: tuple[Any, Feed],
    variables_to_restore: Any,
    config: Any,
    hooks: Sequence[Any] | None,
) -> Evaluation:
    summary_op, summary_feed = summarized
    hooks = [StopAfterNEvalsHook(num_evals), *(hooks or [])]
    if is_default(summary_op):
        summary_op = v1.summary.merge_all()
    if summary_op is not None and logdir is not None:
        hooks.append(SummaryAtEndHook(logdir, summary_op=summary_op, feed_dict=summary_feed))
    restored = variables_to_restore or v1.global_variables()
    return Evaluation(master, scaffold, *evaluated, *final, hooks, config, restored)


def _evaluated(evaluation: Evaluation, logdir: str | None, path: str) -> Any:
    """Evaluates a checkpoint, and writes and tells what came of it."""
    written = written_at(path)
    values = evaluation.run(path)
    if isinstance(values, Mapping):
        step = max(step_of(path), 0)
        if logdir is not None:
            file = ResultsFile(os.path.join(logdir, "eval.jsonl"))
            file.add(step, values, checkpoint=os.path.basename(path), written=written)
        results = {str(name): value for name, value in values.items()}
        folder = logdir or os.path.dirname(path)
        run = Run("eval", folder, config={"events": folder})
        tell("slim_evaluation_done", run=run, step=step, results=results)
    return values
