"""`slim eval`."""

import os
from typing import TYPE_CHECKING, Any

import click

from slim_learning.commands.eval_options import eval_options
from slim_learning.commands.options import Command
from slimcore import hookimpl
from slimcore.errors import RunError

if TYPE_CHECKING:
    from slim_learning.tasks import Task

TASK = ("network", "dataset", "dataset_dir", "preprocessing", "image_size", "labels_offset")


@click.command("eval", cls=Command)
@eval_options
def evaluate(
    logdir: str | None,
    checkpoint: str | None,
    every: bool,
    watch: bool,
    interval_secs: float,
    timeout_secs: float | None,
    split: str,
    batch_size: int,
    num_batches: int | None,
    skip_corrupt: int,
    moving_average_decay: float | None,
    folder: str | None,
    **asked: Any,
) -> None:
    """Judge checkpoints of a run: accuracy, precision and recall of each class.

    By default the newest is judged; where it holds moving averages of the weights, with these too.
    The results are printed, and written to results.json beside a picture of the confusion matrix;
    those of all checkpoints so far are in eval_SPLIT.jsonl, and go to TensorBoard.
    """
    logdir = logdir or _folder_of(checkpoint)
    folder = folder or os.path.join(logdir, "eval")
    given = {name: asked[name] for name in TASK if asked[name] is not None}
    task = _task(logdir, split, given)
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as error:
        raise RunError(f"cannot write results to {folder}: {error.strerror}; say --to") from error
    from slim_learning.evaluate.eager import evaluate_once, evaluation_loop
    from slim_learning.judging import metric_fn
    from slim_learning.run.tensorboard import TensorBoard
    from slim_learning.tasks import newest_checkpoint

    options = {
        "num_evals": num_batches,
        "logdir": folder,
        "split": split,
        "moving_averages": True if moving_average_decay else None,
        "followers": [TensorBoard(), *([_Lines()] if every or watch else [])],
    }
    batches = task.load(split, batch_size, skip_corrupt=skip_corrupt)
    judged = metric_fn(task, task.model())
    if not (every or watch):
        evaluate_once(judged, checkpoint or newest_checkpoint(logdir), batches, **options)
    elif not evaluation_loop(
        judged,
        logdir,
        batches,
        eval_interval_secs=interval_secs,
        timeout=timeout_secs if watch else 0,
        **options,
    ):
        click.echo(f"no checkpoint of {logdir} was still to be judged; see {folder}")
        return
    _report(task, logdir, folder, split)


class _Lines:
    """Follows an evaluation of many checkpoints, and prints a line of each."""

    @hookimpl
    def slim_evaluation_done(self, step: int, results: dict[str, Any]) -> None:
        """Prints the accuracy of the weights and, beside it, of their averages."""
        averaged = results.get("averaged/accuracy")
        beside = "" if averaged is None else f"  averaged weights {averaged:.4f}"
        click.echo(f"step {step:,}  accuracy {results['accuracy']:.4f}{beside}")


def _folder_of(checkpoint: str | None) -> str:
    if not checkpoint:
        raise click.UsageError("say which run: --logdir, or a --checkpoint")
    return checkpoint if os.path.isdir(checkpoint) else os.path.dirname(checkpoint) or "."


def _task(logdir: str, split: str, asked: dict[str, Any]) -> "Task":
    """Returns the task of the run, with what is asked for instead.

    Raises:
        RunError: There is no run, and not all is said; or another network or number of classes is
            asked for.
    """
    from slim_learning.run import run_record as record

    of_a_run = os.path.exists(os.path.join(logdir, record.NAME))
    found = record.read(logdir) if of_a_run or not {"network", "dataset"} <= asked.keys() else None
    from slim_learning.tasks import new_task, recorded_task

    if found is None:
        return new_task(**asked, split=split)
    task = recorded_task(found, logdir)
    if asked.get("network", task.network) != task.network:
        raise RunError(
            f"{logdir} holds a run whose network is {task.network}, not {asked['network']}; leave "
            "--net out"
        )
    if all(asked[name] == getattr(task, name) for name in asked):
        return task
    kept = {name: getattr(task, name) for name in TASK}
    if asked.get("dataset", task.dataset) != task.dataset:
        kept["dataset_dir"] = None
    other = new_task(**{**kept, **asked}, split=split)
    if other.num_classes != task.num_classes:
        raise RunError(
            f"{logdir} holds a run with {task.num_classes} classes, and dataset {other.dataset} "
            f"has {other.num_classes}; take one with as many, or --labels-offset"
        )
    return other


def _report(task: "Task", logdir: str, folder: str, split: str) -> None:
    """Shows and writes the newest results, and adds them to the record of the run."""
    import slim_learning.run.run_record as record
    from slim_learning import classification
    from slim_learning.run.results_log import ResultsFile

    newest = ResultsFile(os.path.join(folder, f"eval_{split}.jsonl")).read()[-1]
    results = {
        "checkpoint": newest["checkpoint"],
        "step": newest["step"],
        "split": split,
        "preprocessing": task.preprocessing,
        "image_size": task.image_size,
        **classification.judged(newest["results"], task.labels),
    }
    files = classification.write(folder, results)
    if os.path.exists(os.path.join(logdir, record.NAME)):
        record.add_results(logdir, f"eval {split}", classification.summary(results))
    classification.show(results)
    click.echo(f"Written: {', '.join(files)}")
