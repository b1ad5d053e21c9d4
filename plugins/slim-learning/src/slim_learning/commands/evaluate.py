"""`slim eval`."""

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from slim_learning.tasks import Task


@click.command("eval")
@click.option("--logdir", required=True, help="The run's folder.")
@click.option("--split", default="test", show_default=True, help="The part to judge on.")
@click.option("--batch-size", type=click.IntRange(1), default=100, show_default=True)
@click.option("--to", "folder", help="Where the results go.  [default: LOGDIR/eval]")
def evaluate(logdir: str, split: str, batch_size: int, folder: str | None) -> None:
    """Judge the newest checkpoint of a run: accuracy, precision and recall of each class.

    The results are printed, and written to results.json beside a picture of the confusion matrix.
    """
    import os

    from slim_learning import classification, record
    from slim_learning.metric_evaluation import MetricEvaluation
    from slim_learning.run_checkpoints import step_of
    from slim_learning.tasks import recorded_task
    from slim_learning.tensorboard import TensorBoard
    from slimcore.events import Run, followed_by, tell

    task = recorded_task(record.read(logdir), logdir)
    batches = task.load(split, batch_size)
    model, path = task.restored_model(logdir)
    folder = folder or os.path.join(logdir, "eval")
    run = Run("eval", logdir, config={**task.record(), "split": split, "events": folder})
    with followed_by(TensorBoard()):
        tell("slim_run_started", run=run)
        values = MetricEvaluation(_metric_fn(task, model)).run(batches)
        results = {
            "checkpoint": os.path.basename(path),
            "step": step_of(path),
            "split": split,
            "accuracy": values["accuracy"],
            **classification.judged(values["confusion"], task.labels),
        }
        tell("slim_evaluation_done", run=run, step=results["step"], results=results)
        tell("slim_run_ended", run=run, status="completed", results=results)
    files = classification.write(folder, results)
    record.add_results(logdir, f"eval {split}", classification.summary(results))
    classification.show(results)
    click.echo(f"Written: {', '.join(files)}")


def _metric_fn(task: "Task", model: Any) -> Any:
    import tensorflow as tf

    import slimcore as slim

    def metric_fn(batch: Any) -> Any:
        logits, _ = model(batch["image"], is_training=False)
        predicted, labels, metrics = tf.argmax(logits, axis=-1), batch["label"], slim.metrics
        matrix = metrics.streaming_confusion_matrix(predicted, labels, task.num_classes)
        return metrics.aggregate_metric_map(
            {"accuracy": metrics.streaming_accuracy(predicted, labels), "confusion": matrix}
        )

    return metric_fn
