"""How much of a split a network gets right."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

import slimcore as slim
from slim_learning.evaluate.metrics_runner import MetricEvaluation
from slim_learning.optim.ema import SUFFIX
from slim_learning.tasks import Task
from slim_learning.training_loop.train_op import TrainOp


def metric_fn(task: Task, model: slim.Module, is_training: bool = False) -> Callable[[Any], Any]:
    """Returns a function of a batch that updates `accuracy`, `loss` and `confusion`.

    The loss is the cross-entropy alone. The rows of the confusion matrix are labels.

    Args:
        task: Says how many classes there are.
        model: The network.
        is_training: Whether it is judged as it is in training.
    """

    def update(batch: Any) -> Any:
        logits, _ = model(batch["image"], is_training=is_training)
        predicted, labels, metrics = tf.argmax(logits, axis=-1), batch["label"], slim.metrics
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
        matrix = metrics.streaming_confusion_matrix(predicted, labels, task.num_classes)
        return metrics.aggregate_metric_map(
            {
                "accuracy": metrics.streaming_accuracy(predicted, labels),
                "loss": metrics.streaming_mean(losses),
                "confusion": matrix,
            }
        )

    return update


def evaluate_fn(
    task: Task, model: slim.Module, train_op: TrainOp, batches: tf.data.Dataset
) -> Callable[[], dict[str, float]]:
    """Returns what `slim.learning.train` calls to judge a network while it is trained.

    Its results are `accuracy` and `loss` and, where the step keeps moving averages of the weights,
    `averaged/accuracy` and `averaged/loss`.
    """
    evaluation = MetricEvaluation(metric_fn(task, model))

    def numbers(prefix: str = "") -> dict[str, float]:
        values = evaluation.run(batches)
        return {f"{prefix}{name}": values[name] for name in ("accuracy", "loss")}

    def evaluate() -> dict[str, float]:
        results, averages = numbers(), train_op.moving_averages
        weights = {name.removesuffix(SUFFIX): average for name, average in averages.items()}
        variables = train_op.model_variables
        before = {name: variables[name].numpy() for name in weights}
        for name, average in weights.items():
            variables[name].assign(average)
        if weights:
            results |= numbers("averaged/")
        for name, value in before.items():
            variables[name].assign(value)
        return results

    return evaluate
