"""`slim eval`."""

import json
import os
from typing import TYPE_CHECKING, Any

import click

from slim_learning.commands.eval_options import eval_options
from slim_learning.commands.options import Command
from slimcore import hookimpl
from slimcore.errors import RunError
from slimcore.text import shown

if TYPE_CHECKING:
    from slim_learning.commands.setup import Setup
    from slim_learning.task import Task

# What may be given instead of what the run was trained with.
_INSTEAD = ("network", "dataset", "dataset_dir", "preprocessing", "image_size")


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
    """Evaluate checkpoints of a run by the metrics of its task.

    By default the newest is evaluated, and where it holds moving averages of the weights, these
    are too. The results are printed, and written to results.json with the files of the task, such
    as an image of the confusion matrix; those of all checkpoints so far are in eval_SPLIT.jsonl,
    and go to TensorBoard.
    """
    logdir = logdir or _folder_of(checkpoint)
    folder = folder or os.path.join(logdir, "eval")
    setup = _setup(logdir, split, {n: value for n, value in asked.items() if value is not None})
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as error:
        raise _unwritable(folder, error) from error
    from slim_learning.commands.setup import newest_checkpoint
    from slim_learning.commands.task_metrics import metric_fn
    from slim_learning.evaluate.eager import evaluate_once, evaluation_loop
    from slim_learning.run.tensorboard import TensorBoard

    options: dict[str, Any] = {
        "num_evals": num_batches,
        "logdir": folder,
        "split": split,
        "moving_averages": True if moving_average_decay else None,
        "followers": [TensorBoard(), *([_Lines(setup.task)] if every or watch else [])],
    }
    batches = setup.load(split, batch_size, skip_corrupt=skip_corrupt)
    metrics = metric_fn(setup, setup.model())
    if not (every or watch):
        evaluate_once(metrics, checkpoint or newest_checkpoint(logdir), batches, **options)
    elif not evaluation_loop(
        metrics,
        logdir,
        batches,
        eval_interval_secs=interval_secs,
        timeout=timeout_secs if watch else 0,
        **options,
    ):
        click.echo(shown(f"every checkpoint of {logdir} has been evaluated already; see {folder}"))
        return
    _report(setup, logdir, folder, split)


class _Lines:
    """Follows an evaluation of many checkpoints, and prints a line of each."""

    def __init__(self, task: "Task") -> None:
        self._task = task

    @hookimpl
    def slim_evaluation_done(self, step: int, results: dict[str, Any]) -> None:
        """Prints the result of the weights and, beside it, of their averages."""
        from slim_learning.commands.task_metrics import report_of

        name, report = next(iter(self._task.best)), report_of(self._task, results)
        averaged = report.get("averaged")
        beside = f"  averaged weights {averaged[name]:.4f}" if averaged else ""
        click.echo(f"step {step:,}  {name} {report[name]:.4f}{beside}")


def _folder_of(checkpoint: str | None) -> str:
    if not checkpoint:
        raise click.UsageError("give the run, with --logdir or --checkpoint")
    return checkpoint if os.path.isdir(checkpoint) else os.path.dirname(checkpoint) or "."


def _setup(logdir: str, split: str, asked: dict[str, Any]) -> "Setup":
    """Returns the setup of the run, with what is asked for instead.

    Raises:
        RunError: There is no run, and not all is given; or another network, task or number of
            outputs is asked for.
    """
    from slim_learning.run import run_record

    offset = asked.pop("labels_offset", None)
    if offset is not None:
        asked.setdefault("task_options", {})["labels_offset"] = offset
    of_a_run = os.path.exists(os.path.join(logdir, run_record.NAME))
    complete = {"network", "dataset"} <= asked.keys()
    found = run_record.read(logdir) if of_a_run or not complete else None
    from slim_learning.commands.setup import new_setup, setup_of

    if found is None:
        return new_setup(**asked, split=split)
    setup = setup_of(found, logdir)
    for what, option, there in (
        ("network", "--net", setup.network),
        ("task", "--task", setup.task_name),
    ):
        if asked.get(what, there) != there:
            raise RunError(
                f"{logdir} holds a run whose {what} is {there}, not {asked[what]}; leave "
                f"{option} out"
            )
    options = asked.pop("task_options", {})
    before = setup.task.config()
    same = all(asked[name] == getattr(setup, name) for name in asked if name != "task")
    if same and all(str(before.get(name)) == str(value) for name, value in options.items()):
        return setup
    kept = {name: getattr(setup, name) for name in _INSTEAD}
    if asked.get("dataset", setup.dataset) != setup.dataset:
        kept["dataset_dir"] = None
    of_the_task = {**_options_before(setup, before), **options}
    name = {"task": setup.task_name, "task_options": of_the_task}
    other = new_setup(**{**kept, **asked, **name}, split=split)
    if other.task.num_outputs != setup.task.num_outputs:
        raise RunError(
            f"the network in {logdir} has {setup.task.num_outputs} outputs, and dataset "
            f"{other.dataset} asks for {other.task.num_outputs}; choose one with as many classes, "
            "or another --labels-offset"
        )
    return other


def _options_before(setup: "Setup", config: dict[str, Any]) -> dict[str, Any]:
    """Returns the options of the task in its configuration."""
    from slim_learning.task import options_of

    return {name: config[name] for name in options_of(type(setup.task)) if name in config}


def _report(setup: "Setup", logdir: str, folder: str, split: str) -> None:
    """Shows and writes the newest results, and adds them to the record of the run."""
    import slim_learning.run.run_record as run_record
    from slim_learning.commands.task_metrics import report_of
    from slim_learning.run.results_log import ResultsFile
    from slimcore.files import replacing

    newest = ResultsFile(os.path.join(folder, f"eval_{split}.jsonl")).read()[-1]
    facts = {
        "checkpoint": newest["checkpoint"],
        "step": newest["step"],
        "split": split,
        "preprocessing": setup.preprocessing,
        "image_size": setup.image_size,
    }
    report = {**facts, **report_of(setup.task, newest["results"])}
    path = os.path.join(folder, "results.json")
    try:
        with replacing(path) as beside:
            beside.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
        files = [path, *setup.task.write(report, folder)]
    except OSError as error:
        raise _unwritable(folder, error) from error
    if os.path.exists(os.path.join(logdir, run_record.NAME)):
        kept = {**facts, **setup.task.summary(report)}
        if "averaged" in report:
            kept["averaged"] = setup.task.summary(report["averaged"])
        run_record.add_results(logdir, f"eval {split}", kept)
    setup.task.show(report)
    click.echo(f"Written: {shown(', '.join(files))}")


def _unwritable(folder: str, error: OSError) -> RunError:
    why = error.strerror or error
    return RunError(f"cannot write results to {folder}: {why}; choose a folder with --to")
