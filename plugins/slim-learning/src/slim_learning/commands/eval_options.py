"""The options of `slim eval`."""

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import click

from slim_learning.commands.options import Option

F = TypeVar("F", bound=Callable[..., Any])

_checkpoints = partial(click.option, cls=Option, section="Checkpoints")
_data = partial(click.option, cls=Option, section="Data")
_other = partial(click.option, cls=Option, section="Instead of what the run was trained with")
_results = partial(click.option, cls=Option, section="Results")

OPTIONS = (
    _checkpoints("--logdir", help="The run's folder."),
    _checkpoints("--checkpoint", metavar="PATH|RUN", help="[default: the newest in the folder]"),
    _checkpoints("--all", "every", is_flag=True, help="Judge each that was not judged yet."),
    _checkpoints("--watch", is_flag=True, help="The same, and those to come until training ends."),
    _checkpoints(
        "--interval-secs",
        type=click.FloatRange(0),
        default=10,
        show_default=True,
        help="Between looks for a new one.",
    ),
    _checkpoints("--timeout-secs", type=float, help="Longest wait for one.  [default: none]"),
    _checkpoints(
        "--moving-average-decay",
        type=float,
        help="As in slim train: the averaged weights must be there.",
    ),
    _data("--split", default="test", show_default=True, help="The part to judge on."),
    _data("--batch-size", type=click.IntRange(1), default=100, show_default=True),
    _data("--batches", "num_batches", type=click.IntRange(1), help="[default: all]"),
    _data(
        "--skip-corrupt",
        type=click.IntRange(0),
        default=0,
        show_default=True,
        metavar="N",
        help="Leave out, and name, up to N examples that cannot be read.",
    ),
    _other("--net", "network", help="Of a checkpoint without a run."),
    _other("--dataset", help="Of as many classes."),
    _other("--dataset-dir", help="The folder with its files."),
    _other("--preprocessing", help="How images are made ready."),
    _other("--image-size", type=click.IntRange(1), help="Height and width."),
    _other("--labels-offset", type=click.IntRange(0), help="Taken off each label."),
    _results("--to", "folder", help="Where they go.  [default: LOGDIR/eval]"),
)


def eval_options(function: F) -> F:
    """Adds the options to a function."""
    for option in reversed(OPTIONS):
        function = option(function)
    return function
