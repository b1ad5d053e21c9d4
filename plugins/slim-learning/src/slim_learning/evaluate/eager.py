"""Evaluation of checkpoints by a metric function: one of them once, or each as it appears."""

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import tensorflow as tf

import slim_learning.run.run_record as record
import slimcore.checkpoints as checkpoints
from slim_learning.evaluate.metrics_runner import MetricEvaluation, MetricFn
from slim_learning.optim.ema import SUFFIX
from slim_learning.run.checkpoints import paths_by_step, step_of
from slim_learning.run.results_log import ResultsFile
from slimcore.errors import CheckpointError, InputError
from slimcore.events import Run, followed_by, tell

# How long an evaluation loop sleeps before it looks whether the training has ended.
SECONDS_A_LOOK = 1.0


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
        dataset: Of batches.
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
    judge = _Judge(metric_fn, dataset, num_evals, moving_averages)
    path = checkpoint_path
    if os.path.isdir(path):
        path = checkpoints.latest(path) or tf.train.latest_checkpoint(path) or path
    run = _run(logdir or os.path.dirname(path), split)
    with _told(run, _followers(followers, logdir)) as results:
        results |= judge.results(path)
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
    checkpoint that is deleted before it could be read is passed over; one that is replaced is
    evaluated again. The loop ends when `run.json` says that the training is completed or failed, or
    when the checkpoint of its last step has been evaluated. An interrupted training may go on, and
    is waited for.

    Args:
        metric_fn: See `evaluate_once`.
        checkpoint_dir: The run's folder.
        dataset: Of batches.
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
    logdir = logdir or os.path.join(checkpoint_dir, "eval")
    judge = _Judge(metric_fn, dataset, num_evals, moving_averages)
    run, file = _run(logdir, split), _file(logdir, split)
    done = {(e.get("checkpoint"), e.get("written")) for e in file.read()}
    count, last = 0, None
    watch = _Watch(checkpoint_dir, done, eval_interval_secs, timeout, timeout_fn)
    with _told(run, _followers(followers, logdir)) as told:
        for path, written in watch:
            try:
                last = judge.results(path)
            except CheckpointError:
                if _written(path) == written:
                    raise
                continue  # deleted or replaced meanwhile
            step, name = _step(path), os.path.basename(path)
            file.add(step, last, checkpoint=name, written=written)
            done.add((name, written))
            tell("slim_evaluation_done", run=run, step=step, results=last)
            told |= last
            count += 1
            if max_number_of_evaluations and count >= max_number_of_evaluations:
                break
    return last


class _Judge:
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
                "the dataset to evaluate on never ends; leave repeat() out, or say num_evals"
            )
        self._evaluation = MetricEvaluation(metric_fn)
        self._dataset = dataset
        self._num_evals = num_evals
        self._moving_averages = moving_averages

    def results(self, path: str) -> dict[str, Any]:
        """Returns the metrics of the weights and, where asked for, of their moving averages."""
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
        # Both are read before the metrics, which take their time: the files may go meanwhile.
        raw, averaged = checkpoints.plan(path, variables).values(), {}
        if averages and self._moving_averages is not False:
            averaged = checkpoints.plan(
                path, variables, rename=lambda name: averages.get(name, name)
            ).values()
        results = self._of(raw)
        if averaged:
            results |= {f"averaged/{n}": value for n, value in self._of(averaged).items()}
            _assign(variables, raw)
        return results

    def _of(self, values: dict[str, Any]) -> dict[str, Any]:
        _assign(self._evaluation.model_variables, values)
        return self._evaluation.run(self._dataset, self._num_evals)


class _Watch:
    """Iterates over the checkpoints of a run that are not done, as long as new ones may come."""

    def __init__(
        self,
        folder: str,
        done: set[tuple[Any, Any]],
        interval: float,
        timeout: float | None,
        timeout_fn: Callable[[], bool] | None,
    ) -> None:
        self._folder = folder
        self._done = done
        self._interval = interval
        self._timeout = timeout
        self._timeout_fn = timeout_fn

    def __iter__(self) -> Iterator[tuple[str, int]]:
        """Yields prefixes, and when they were written, in nanoseconds."""
        waits_since = time.monotonic()
        while True:
            # Before the checkpoints are listed: the last of them is written before the end is.
            ended = self._ended()
            found = self._oldest()
            if found is not None:
                yield found
                waits_since = time.monotonic()
            elif ended:
                return
            else:
                if self._timeout is not None and time.monotonic() - waits_since >= self._timeout:
                    if self._timeout_fn is None or self._timeout_fn():
                        return
                    waits_since = time.monotonic()
                self._sleep(waits_since)

    def _oldest(self) -> tuple[str, int] | None:
        for path in paths_by_step(self._folder):
            written = _written(path)
            if written is not None and (os.path.basename(path), written) not in self._done:
                return path, written
        return None

    def _ended(self) -> bool:
        if not os.path.exists(os.path.join(self._folder, record.NAME)):
            return False
        run = record.read(self._folder)
        steps = [step_of(str(name)) for name, _ in self._done]
        last = run.get("number_of_steps")
        return run.get("status") in ("completed", "failed") or (
            last is not None and max(steps, default=0) >= last
        )

    def _sleep(self, waits_since: float) -> None:
        """Sleeps until the next look at the folder, or until the training has ended."""
        until = time.monotonic() + self._interval
        if self._timeout is not None:
            until = min(until, waits_since + self._timeout)
        while (left := until - time.monotonic()) > 0:
            time.sleep(min(left, SECONDS_A_LOOK))
            if self._ended():
                return


@contextlib.contextmanager
def _told(run: Run, followers: Sequence[Any]) -> Iterator[dict[str, Any]]:
    """Tells the start and the end of an evaluation; yields the results, to be filled in."""
    results: dict[str, Any] = {}
    status = "failed"
    with followed_by(*followers):
        tell("slim_run_started", run=run)
        try:
            yield results
            status = "completed"
        except KeyboardInterrupt:
            status = "interrupted"
            raise
        finally:
            tell("slim_run_ended", run=run, status=status, results=dict(results))


def _run(logdir: str, split: str | None) -> Run:
    return Run("eval", logdir, config={"split": split, "events": logdir})


def _followers(followers: Sequence[Any] | None, logdir: str | None) -> Sequence[Any]:
    if followers is not None or logdir is None:
        return followers or ()
    from slim_learning.run.tensorboard import TensorBoard

    return [TensorBoard()]


def _file(logdir: str, split: str | None) -> ResultsFile:
    return ResultsFile(os.path.join(logdir, f"eval_{split}.jsonl" if split else "eval.jsonl"))


def _assign(variables: dict[str, Any], values: dict[str, Any]) -> None:
    for name, value in values.items():
        variables[name].assign(value)


def _written(path: str) -> int | None:
    """Returns when a checkpoint was written, in nanoseconds, or None where it is gone."""
    try:
        return os.stat(f"{path}.index").st_mtime_ns
    except OSError:
        return None


def _step(path: str) -> int:
    """Returns the step in a checkpoint's name, or else the global step in it, or 0."""
    step = step_of(path)
    if step < 0:
        reader = checkpoints.load(path)
        known = "global_step" in reader.get_variable_to_shape_map()
        step = int(reader.get_tensor("global_step")) if known else 0
    return step
