"""`slim.evaluation`: checkpoints judged by metrics, in a graph and on functions of a batch."""

from typing import Any

import slim_learning.evaluate.eager as function_evaluation
import slim_learning.evaluate.in_graph as graph_evaluation
from slim_learning.dispatch import two_worlds
from slim_learning.evaluate.hooks import (
    StopAfterNEvalsHook,
    SummaryAtEndHook,
    get_or_create_eval_step,
)
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


@two_worlds(graph_evaluation.evaluate_once, function_evaluation.evaluate_once)
def evaluate_once(master: Any) -> bool:
    """Reads a checkpoint, and computes metrics over batches.

    In a graph the first argument is the address of a TensorFlow master, "" for this process, and
    the metrics are ops: see `slim_learning.evaluate.in_graph.evaluate_once`. Elsewhere it is a
    function of a batch that calls metrics, and `dataset` gives the batches: see
    `slim_learning.evaluate.eager.evaluate_once`. What comes after `hooks` is for functions
    alone.

    Raises:
        InputError: An argument of the other world, or of a kind or value that is not allowed.
        CheckpointError: It cannot be read, or does not fit.
        DataError: The input gave no batch.
    """
    return callable(master)


@two_worlds(graph_evaluation.evaluation_loop, function_evaluation.evaluation_loop)
def evaluation_loop(master: Any) -> bool:
    """Evaluates each checkpoint of a training once, the oldest first, as they appear.

    In a graph the first argument is the address of a TensorFlow master, "" for this process, and
    the metrics are ops: see `slim_learning.evaluate.in_graph.evaluation_loop`. Elsewhere it is a
    function of a batch that calls metrics, and `dataset` gives the batches: see
    `slim_learning.evaluate.eager.evaluation_loop`. What comes after `hooks` is for functions
    alone.

    Raises:
        InputError: An argument of the other world, or of a kind or value that is not allowed.
        CheckpointError: A checkpoint cannot be read, or does not fit.
        DataError: The input gave no batch.
    """
    return callable(master)
