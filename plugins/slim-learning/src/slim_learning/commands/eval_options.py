"""The options of `slim eval`."""

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import click

from slim_learning.commands.options import Option, pairs

F = TypeVar("F", bound=Callable[..., Any])

_checkpoints = partial(click.option, cls=Option, section="Checkpoints")
_data = partial(click.option, cls=Option, section="Data")
_other = partial(click.option, cls=Option, section="Instead of what the run was trained with")
_results = partial(click.option, cls=Option, section="Results")

OPTIONS = (
    _checkpoints("--logdir", help="Folder of the run."),
    _checkpoints(
        "--checkpoint",
        metavar="PATH|RUN",
        help="Checkpoint to evaluate.  [default: the newest in the folder]",
    ),
    _checkpoints(
        "--all", "every", is_flag=True, help="Evaluate every checkpoint not evaluated yet."
    ),
    _checkpoints(
        "--watch", is_flag=True, help="Do the same, and wait for new ones until training ends."
    ),
    _checkpoints(
        "--interval-secs",
        type=click.FloatRange(0),
        default=10,
        show_default=True,
        help="Seconds between checks for new checkpoints.",
    ),
    _checkpoints(
        "--timeout-secs",
        type=float,
        help="Seconds to wait for a new checkpoint.  [default: no limit]",
    ),
    _checkpoints(
        "--moving-average-decay",
        type=float,
        help="As in slim train: require the averaged weights.",
    ),
    _data("--split", default="test", show_default=True, help="Split to evaluate on."),
    _data(
        "--batch-size",
        type=click.IntRange(1),
        default=100,
        show_default=True,
        help="Examples per batch.",
    ),
    _data(
        "--batches",
        "num_batches",
        type=click.IntRange(1),
        help="Number of batches to evaluate on.  [default: all]",
    ),
    _data(
        "--skip-corrupt",
        type=click.IntRange(0),
        default=0,
        show_default=True,
        metavar="N",
        help="Skip, and name, up to N unreadable examples.",
    ),
    _other("--net", "network", help="Network, for a checkpoint that has no run.json."),
    _other("--task", help="Task, for a checkpoint that has no run.json."),
    _other(
        "--task-option",
        "task_options",
        multiple=True,
        callback=pairs,
        metavar="NAME=VALUE",
        help="Another option of the task.",
    ),
    _other("--dataset", help="Another dataset with the same number of classes."),
    _other("--dataset-dir", help="Another folder with its files."),
    _other("--preprocessing", help="Another preparation of images."),
    _other("--image-size", type=click.IntRange(1), help="Another height and width, in pixels."),
    _other("--labels-offset", type=click.IntRange(0), help="Subtract another N from each label."),
    _results("--to", "folder", help="Folder for the results.  [default: LOGDIR/eval]"),
)


def eval_options(function: F) -> F:
    """Adds the options to a function."""
    for option in reversed(OPTIONS):
        function = option(function)
    return function
