"""`slim.training.evaluation`: a checkpoint evaluated once, or each as it appears, by hooks."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from slim_learning.evaluate.evaluation_session import Evaluation
from slim_learning.evaluate.hooks import (
    StopAfterNEvalsHook,
    SummaryAtEndHook,
    get_or_create_eval_step,
)
from slim_learning.run.checkpoint_watcher import (
    checkpoints_iterator,
    each_once,
    identities,
    wait_for_new_checkpoint,
)
from slimcore.checkpoints import listed

__all__ = [
    "StopAfterNEvalsHook",
    "SummaryAtEndHook",
    "checkpoints_iterator",
    "evaluate_once",
    "evaluate_repeatedly",
    "get_or_create_eval_step",
    "wait_for_new_checkpoint",
]


def evaluate_once(
    checkpoint_path: str,
    master: str = "",
    scaffold: Any = None,
    eval_ops: Any = None,
    feed_dict: Mapping[Any, Any] | None = None,
    final_ops: Any = None,
    final_ops_feed_dict: Mapping[Any, Any] | None = None,
    hooks: Sequence[Any] | None = None,
    config: Any = None,
) -> Any:
    """Evaluates ops of the current graph with the values of a checkpoint.

    Args:
        checkpoint_path: The checkpoint.
        master: The address of a TensorFlow master; "" or "local" is this process.
        scaffold: A `tf.compat.v1.train.Scaffold`. Its `init_op` runs before the restore.
        eval_ops: Ops or tensors, or a list or dict of them, run for each batch until a hook such
            as `StopAfterNEvalsHook` asks to stop, or the input ends.
        feed_dict: What to feed them.
        final_ops: Tensors, or a list or dict of them, evaluated at the end.
        final_ops_feed_dict: What to feed them.
        hooks: Session hooks.
        config: A `tf.compat.v1.ConfigProto`.

    Returns:
        The values of `final_ops`; None without them.

    Raises:
        CheckpointError: It cannot be read, does not fit, or leaves a variable without a value.
        DataError: The input gave no batch.
        InputError: No graph is being built.
    """
    evaluation = Evaluation(
        master, scaffold, eval_ops, feed_dict, final_ops, final_ops_feed_dict, hooks, config
    )
    return evaluation.run(checkpoint_path)


def evaluate_repeatedly(
    checkpoint_dir: str,
    master: str = "",
    scaffold: Any = None,
    eval_ops: Any = None,
    feed_dict: Mapping[Any, Any] | None = None,
    final_ops: Any = None,
    final_ops_feed_dict: Mapping[Any, Any] | None = None,
    eval_interval_secs: float = 60,
    hooks: Sequence[Any] | None = None,
    config: Any = None,
    max_number_of_evaluations: int | None = None,
    timeout: float | None = None,
    timeout_fn: Callable[[], bool] | None = None,
) -> Any:
    """Evaluates each checkpoint of a training once, as `evaluate_once` does.

    Of the checkpoints there at the start no more than `max_number_of_evaluations` are taken, the
    newest.

    Args:
        checkpoint_dir: The folder of the training.
        master: See `evaluate_once`, also for what is not listed here.
        scaffold: See there.
        eval_ops: See there.
        feed_dict: See there.
        final_ops: See there.
        final_ops_feed_dict: See there.
        eval_interval_secs: Seconds between looks at the folder where all was caught up.
        hooks: See there.
        config: See there.
        max_number_of_evaluations: Ends the loop after so many.
        timeout: Seconds to wait for a new checkpoint at most; None waits on.
        timeout_fn: Called after that time; the loop ends if it returns True, and otherwise goes
            on. By default it ends.

    Returns:
        The values of `final_ops` for the last checkpoint; None where there was none.

    Raises:
        See `evaluate_once`.
    """
    evaluation = Evaluation(
        master, scaffold, eval_ops, feed_dict, final_ops, final_ops_feed_dict, hooks, config
    )
    return newest_once(
        lambda path, _: evaluation.run(path),
        checkpoint_dir,
        eval_interval_secs,
        max_number_of_evaluations,
        timeout,
        timeout_fn,
    )


def newest_once(
    evaluate: Callable[[str, int], Any],
    checkpoint_dir: str,
    interval: float,
    max_number_of_evaluations: int | None,
    timeout: float | None,
    timeout_fn: Callable[[], bool] | None,
) -> Any:
    """Calls a function with each checkpoint of a training once, as `each_once` does.

    Of those that are there at the start, no more than `max_number_of_evaluations` are taken, the
    newest.
    """
    end = max_number_of_evaluations
    too_old = identities(listed(checkpoint_dir)[:-end]) if end else set()
    return each_once(evaluate, checkpoint_dir, too_old, interval, end, timeout, timeout_fn)
