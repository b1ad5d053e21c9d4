"""How well a network does at its task, by the task's metrics."""

from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf

import slimcore as slim
from slim_learning.commands.setup import Setup
from slim_learning.evaluate.metrics_runner import MetricEvaluation
from slim_learning.optim.ema import swapped_in
from slim_learning.task import AVERAGED, Task
from slim_learning.training_loop.train_op import TrainOp


def metric_fn(setup: Setup, model: slim.Module, is_training: bool = False) -> Callable[[Any], Any]:
    """Returns a function of a batch that updates the metrics of the task.

    Args:
        setup: Says which task it is.
        model: The network.
        is_training: Whether the network is evaluated as it is in training.
    """

    def update(batch: Any) -> Any:
        outputs, _ = model(batch["image"], is_training=is_training)
        return slim.metrics.aggregate_metric_map(setup.task.metrics(batch, outputs))

    return update


def report_of(task: Task, results: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the task's report, in which the one of the moving averages is `averaged`.

    Args:
        task: Whose results they are.
        results: Values of metrics by name; those of the averages begin with `averaged/`.
    """
    averaged = {n.removeprefix(AVERAGED): v for n, v in results.items() if n.startswith(AVERAGED)}
    plain = {n: v for n, v in results.items() if not n.startswith(AVERAGED)}
    beside = {"averaged": task.report(averaged)} if averaged else {}
    return {**task.report(plain), **beside}


def evaluate_fn(
    setup: Setup, model: slim.Module, train_op: TrainOp, batches: tf.data.Dataset
) -> Callable[[], dict[str, float]]:
    """Returns what `slim.learning.train` calls to evaluate a network while it is trained.

    Its results are the numbers in `best` of the task and, where the step keeps moving averages of
    the weights, the same with names that begin with `averaged/`.
    """
    evaluation = MetricEvaluation(metric_fn(setup, model))

    def numbers(prefix: str = "") -> dict[str, float]:
        report = setup.task.report(evaluation.run(batches))
        return {f"{prefix}{name}": report[name] for name in setup.task.best}

    def evaluate() -> dict[str, float]:
        results, averages = numbers(), train_op.moving_averages
        if averages:
            with swapped_in(averages, train_op.model_variables):
                results |= numbers(AVERAGED)
        return results

    return evaluate
