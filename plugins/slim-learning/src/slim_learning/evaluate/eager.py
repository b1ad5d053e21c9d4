"""Evaluation of checkpoints by a metric function: one of them once, or each as it appears."""

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import tensorflow as tf

import slim_learning.run.checkpoint_watcher as watcher
import slimcore.checkpoints as checkpoints
from slim_learning.evaluate.metrics_runner import MetricEvaluation, MetricFn
from slim_learning.optim.ema import SUFFIX, swapped_in
from slim_learning.run.results_log import ResultsFile
from slimcore.errors import CheckpointError, InputError
from slimcore.events import Run, following, tell


def evaluate_once(
    metric_fn: MetricFn,
    checkpoint_path: str,
    dataset: tf.data.Dataset,
    num_evals: int | None = None,
    logdir: str | None = None,
    split: str | None = None,
    moving_averages: bool | None = None,
    followers: Sequence[Any] | None = None,
) -> dict[str, Any]:
    """Reads a checkpoint into the networks of a metric function, and computes the metrics.

    Args:
        metric_fn: A function of a batch that calls networks, with `is_training=False`, and metrics
            of `slim.metrics`. The networks keep the values read.
        checkpoint_path: The checkpoint's prefix, or a folder, for the newest in it.
        dataset: Dataset of batches.
        num_evals: How many batches to take; None takes all.
        logdir: Where to write results: TensorBoard events, and a line in `eval.jsonl`, or
            `eval_<split>.jsonl`. None writes nothing.
        split: The name of the data, for that file's name.
        moving_averages: Whether the metrics are computed with the moving averages of the weights,
            too; their names then begin with `averaged/`. None does so where the checkpoint has any.
        followers: Objects with event hooks; by default TensorBoard events where there is a logdir.

    Returns:
        Numbers, or arrays where a metric has several, by name.

    Raises:
        CheckpointError: The checkpoint cannot be read, does not fit, or has no moving averages
            where they are asked for.
        DataError: The dataset is empty or cannot be read.
        InputError: The function computes no metric, or the dataset never ends.
        RunError: The results cannot be written.
    """
    evaluation = _Evaluation(metric_fn, dataset, num_evals, moving_averages)
    path, values = _restored(checkpoint_path, evaluation.read)
    run = _run(logdir or os.path.dirname(path), split)
    with following(run, _followers(followers, logdir)) as results:
        results |= evaluation.results(values)
        step = _step(path)
        tell("slim_evaluation_done", run=run, step=step, results=results)
        if logdir:
            _file(logdir, split).add(step, results, checkpoint=os.path.basename(path))
    return results


def evaluation_loop(
    metric_fn: MetricFn,
    checkpoint_dir: str,
    dataset: tf.data.Dataset,
    logdir: str | None = None,
    num_evals: int | None = None,
    eval_interval_secs: float = 60,
    max_number_of_evaluations: int | None = None,
    timeout: float | None = None,
    timeout_fn: Callable[[], bool] | None = None,
    moving_averages: bool | None = None,
    split: str | None = None,
    followers: Sequence[Any] | None = None,
) -> dict[str, Any] | None:
    """Evaluates each checkpoint of a run once, the oldest first, until the training ends.

    What is done is read from the file of results, so that a loop started again goes on. A
    checkpoint that is deleted before it could be read is passed over, and so, with a warning, is a
    damaged one; one that is replaced is evaluated again. The loop ends when `run.json` says that
    the training is completed or failed, or when the checkpoint of its last step has been evaluated.
    An interrupted training may go on, and is waited for; the first wait is said on standard error.

    Args:
        metric_fn: See `evaluate_once`.
        checkpoint_dir: The run's folder.
        dataset: Dataset of batches.
        logdir: Where to write TensorBoard events and the results, a line for each checkpoint in
            `eval.jsonl`, or `eval_<split>.jsonl`; by default `eval` in the run's folder.
        num_evals: How many batches to take; None takes all.
        eval_interval_secs: How long to wait before looking for new checkpoints again. A backlog is
            caught up without waiting.
        max_number_of_evaluations: Ends the loop after so many.
        timeout: How many seconds to wait for a new checkpoint at most; None waits on.
        timeout_fn: Called after that time; the loop ends if it returns True, and goes on otherwise.
            By default the loop ends.
        moving_averages: See `evaluate_once`.
        split: The name of the data, for the file's name.
        followers: Objects with event hooks; TensorBoard events by default.

    Returns:
        The results of the last checkpoint that this call evaluated; None where there was none.

    Raises:
        See `evaluate_once`.
    """
    watcher.require_folder(checkpoint_dir)
    logdir = logdir or os.path.join(checkpoint_dir, "eval")
    evaluation = _Evaluation(metric_fn, dataset, num_evals, moving_averages)
    run, file = _run(logdir, split), _file(logdir, split)
    done = {(str(e.get("checkpoint")), int(e.get("written") or 0)) for e in file.read()}
    with following(run, _followers(followers, logdir)) as told:

        def evaluate(path: str, written: int) -> dict[str, Any]:
            results = evaluation.results(evaluation.read(path))
            step = _step(path)
            file.add(step, results, checkpoint=os.path.basename(path), written=written)
            tell("slim_evaluation_done", run=run, step=step, results=results)
            told.update(results)
            return results

        return watcher.each_once(
            evaluate,
            checkpoint_dir,
            done,
            eval_interval_secs,
            max_number_of_evaluations,
            timeout,
            timeout_fn,
        )


Values = Mapping[str, Any]


class _Evaluation:
    """Computes the metrics of a checkpoint, each time from zero."""

    def __init__(
        self,
        metric_fn: MetricFn,
        dataset: tf.data.Dataset,
        num_evals: int | None,
        moving_averages: bool | None,
    ) -> None:
        if num_evals is None and int(dataset.cardinality()) == tf.data.INFINITE_CARDINALITY:
            raise InputError(
                "the dataset to evaluate on never ends; leave repeat() out, or give num_evals"
            )
        self._evaluation = MetricEvaluation(metric_fn)
        self._dataset = dataset
        self._num_evals = num_evals
        self._moving_averages = moving_averages

    def read(self, path: str) -> tuple[Values, Values]:
        """Returns the weights in a checkpoint and, where asked for, their moving averages.

        Both are read before the metrics are computed, which takes its time: the files may go
        meanwhile.
        """
        evaluation = self._evaluation
        evaluation.build(self._dataset.element_spec)
        variables = evaluation.model_variables
        there = checkpoints.load(path).get_variable_to_shape_map()
        averages = {name: name + SUFFIX for name in variables if name + SUFFIX in there}
        if self._moving_averages and not averages:
            raise CheckpointError(
                f"checkpoint {path} has no moving averages of these weights; train with "
                "moving_average_decay, or leave moving_averages out"
            )
        weights, averaged = checkpoints.plan(path, variables).values(), {}
        if averages and self._moving_averages is not False:
            found = checkpoints.plan(path, {n: variables[n] for n in averages}, rename=averages)
            averaged = found.values()
        return weights, averaged

    def results(self, values: tuple[Values, Values]) -> dict[str, Any]:
        """Returns the metrics of what `read` returned."""
        (weights, averaged), variables = values, self._evaluation.model_variables
        for name, value in weights.items():
            variables[name].assign(value)
        results = self._evaluation.run(self._dataset, self._num_evals)
        if averaged:
            with swapped_in(averaged, variables):
                again = self._evaluation.run(self._dataset, self._num_evals)
            results |= {f"averaged/{name}": value for name, value in again.items()}
        return results


def _restored(path: str, read: Callable[[str], Any]) -> tuple[str, Any]:
    """Returns a checkpoint and what is read from it: of a folder, from the newest that is whole."""
    if not checkpoints.exists(path) and os.path.isdir(path):
        found = checkpoints.restore_newest(path, read)
        if found is not None:
            return found
    prefix = checkpoints.prefix_of(path)
    return prefix, read(prefix)


def _run(logdir: str, split: str | None) -> Run:
    return Run("eval", logdir, config={"split": split, "events": logdir})


def _followers(followers: Sequence[Any] | None, logdir: str | None) -> Sequence[Any]:
    if followers is not None or logdir is None:
        return followers or ()
    from slim_learning.run.tensorboard import TensorBoard

    return [TensorBoard()]


def _file(logdir: str, split: str | None) -> ResultsFile:
    return ResultsFile(os.path.join(logdir, f"eval_{split}.jsonl" if split else "eval.jsonl"))


def _step(path: str) -> int:
    """Returns the step in a checkpoint's name, or else the global step in it, or 0."""
    step = checkpoints.step_of(path)
    if step < 0:
        reader = checkpoints.load(path)
        known = "global_step" in reader.get_variable_to_shape_map()
        step = int(reader.get_tensor("global_step")) if known else 0
    return step
