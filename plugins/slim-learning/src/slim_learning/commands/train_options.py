"""The options of `slim train`."""

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import click

from slim_learning.commands import options
from slim_learning.optim.named_optimizers import LEARNING_RATES, PARAMETERS

F = TypeVar("F", bound=Callable[..., Any])

_count = click.IntRange(1)
_share = click.FloatRange(0, 1, max_open=True)
_positive = click.FloatRange(0, min_open=True)


def _under(section: str) -> Callable[..., Any]:
    return partial(click.option, cls=options.Option, section=section)


_run, _task, _data, _rate = map(_under, ("Run", "Task", "Data", "Learning rate"))
_model, _tuning, _optimizer = _under("Network"), _under("Fine-tuning"), _under("Optimizer")
_saving, _evaluating = _under("Logs and checkpoints"), _under("Evaluation while training")

_PARAMETER_DEFAULTS = {"momentum": "0.9", "rmsprop_momentum": "0.9"}

SETTINGS = (
    _run("--logdir", required=True, help="Folder of the run."),
    _run("--steps", "number_of_steps", type=_count, help="Number of steps.  [default: 500]"),
    _run("--batch-size", type=_count, help="Examples per batch.  [default: 32]"),
    _run("--seed", type=int, help="Seed for all random ops.  [default: drawn, and recorded]"),
    _run("--jit", is_flag=True, default=None, help="Compile each step with XLA."),
    _run(
        "--accumulate-steps",
        type=_count,
        help="Average the gradients of N batches in each step.  [default: 1]",
        metavar="N",
    ),
    _run(
        "--non-finite",
        type=click.Choice(["stop", "skip", "roll_back"]),
        help="What to do about a NaN or infinite loss.  [default: stop]",
    ),
    _task("--task", help="What to learn; see slim list task.  [default: classification]"),
    _task(
        "--task-option",
        "task_options",
        multiple=True,
        callback=options.pairs,
        metavar="NAME=VALUE",
        help="Option of the task, such as threshold=0.4 of multilabel.",
    ),
    _task("--label-smoothing", type=_share, help="Label smoothing factor.  [default: 0]"),
    _task(
        "--labels-offset",
        type=click.IntRange(0),
        help="Subtract N from each label, without the first N classes.  [default: 0]",
        metavar="N",
    ),
    _model("--net", "network", help="Network to train; see slim list net."),
    _model(
        "--image-size",
        type=_count,
        help="Height and width of the input, in pixels.  [default: the network's]",
    ),
    _model("--weight-decay", type=float, help="L2 regularization factor.  [default: 0.0001]"),
    _model(
        "--precision",
        type=click.Choice(["float32", "mixed_bfloat16"]),
        help="Numeric precision used by layers.  [default: float32]",
    ),
    _data("--dataset", help="Dataset to learn from; see slim list dataset."),
    _data("--dataset-dir", help="Folder with its files, where they are not bundled."),
    _data("--split", help="Split to learn from.  [default: train]"),
    _data(
        "--preprocessing",
        help="How images are prepared; see slim list preprocessing.  [default: the network's]",
    ),
    _data(
        "--skip-corrupt",
        type=click.IntRange(0),
        metavar="N",
        help="Skip, and name, up to N unreadable examples.  [default: 0]",
    ),
    _tuning(
        "--checkpoint",
        "initial_checkpoint",
        metavar="PATH|RUN",
        help="Checkpoint to start a new run from, or a folder, for the newest in it.",
    ),
    _tuning(
        "--exclude-scopes",
        multiple=True,
        callback=options.scopes,
        metavar="SCOPE,…",
        help="Scopes not to restore from the checkpoint.",
    ),
    _tuning(
        "--rename",
        multiple=True,
        callback=options.pairs,
        metavar="HERE=THERE",
        help="Restore a scope from one of another name in the checkpoint.",
    ),
    _tuning(
        "--ignore-missing",
        is_flag=False,
        flag_value="true",
        type=bool,
        metavar="",
        help="Keep initial values for variables that the checkpoint lacks.",
    ),
    _tuning(
        "--trainable-scopes",
        multiple=True,
        callback=options.scopes,
        metavar="SCOPE,…",
        help="Train only these scopes.  [default: all]",
    ),
    _optimizer(
        "--optimizer",
        type=click.Choice(list(LEARNING_RATES)),
        help="Optimizer.  [default: adam]",
    ),
    *(
        _optimizer(
            f"--{name.replace('_', '-')}",
            name,
            type=float,
            help=f"For {', '.join(of)}.  [default: {_PARAMETER_DEFAULTS.get(name, 'as in Keras')}]",
        )
        for name, of in PARAMETERS.items()
    ),
    _optimizer(
        "--clip-gradient-norm",
        type=float,
        help="Largest norm of the gradient of a variable.  [default: unlimited]",
    ),
    _optimizer(
        "--scale-gradients",
        "gradient_multipliers",
        multiple=True,
        callback=options.factors,
        metavar="SCOPE=FACTOR",
        help="Multiply the gradients of a scope, for a learning rate of its own.",
    ),
    _optimizer(
        "--moving-average-decay",
        type=click.FloatRange(0, 1, min_open=True, max_open=True),
        help="Decay of moving averages of the weights to keep.  [default: none kept]",
    ),
    _rate("--learning-rate", type=_positive, help="Learning rate.  [default: the optimizer's]"),
    _rate(
        "--learning-rate-decay",
        type=click.Choice(["fixed", "exponential", "polynomial", "cosine"]),
        help="How the learning rate decays.  [default: fixed]",
    ),
    _rate(
        "--warm-up-steps",
        type=click.IntRange(0),
        help="Steps over which the learning rate rises linearly.  [default: 0]",
    ),
    _rate(
        "--end-learning-rate",
        type=float,
        help="Final rate of polynomial and cosine decay.  [default: 0.0001]",
    ),
    _rate(
        "--learning-rate-decay-factor",
        type=_positive,
        help="Factor of exponential decay.  [default: 0.94]",
    ),
    _rate(
        "--epochs-per-decay",
        type=_positive,
        help="Epochs per decay.  [default: 2 if exponential, else the whole run]",
    ),
)
"""What a run is: the fields of `TrainConfig`."""

LOOP = (
    _run("--deterministic", is_flag=True, help="Get the same results every time, more slowly."),
    _run(
        "--recalibrate-batch-norm",
        type=_count,
        metavar="N",
        help="At the end, average the moving statistics over N batches.",
    ),
    _saving(
        "--log-every",
        type=_count,
        default=100,
        show_default=True,
        metavar="N",
        help="Log every N steps.",
    ),
    _saving(
        "--summary-secs",
        type=click.FloatRange(0),
        default=0,
        show_default=True,
        help="Minimum seconds between TensorBoard events.",
    ),
    _saving(
        "--save-secs",
        type=float,
        default=60,
        show_default=True,
        help="Seconds between checkpoints.",
    ),
    _saving("--save-steps", type=_count, help="Steps between checkpoints."),
    _saving(
        "--keep",
        type=_count,
        default=5,
        show_default=True,
        help="Number of recent checkpoints to keep.",
    ),
    _saving(
        "--keep-every-hours",
        type=_positive,
        help="Of older checkpoints, keep one for every so many hours.",
    ),
    _saving(
        "--on-disk-full",
        type=click.Choice(["stop", "go_on"]),
        default="stop",
        show_default=True,
        help="What to do when a checkpoint does not fit on the disk.",
    ),
    _evaluating(
        "--eval-every",
        type=_count,
        metavar="N",
        help="Evaluate every N steps, and at the end.  [default: never]",
    ),
    _evaluating("--eval-split", default="test", show_default=True, help="Split to evaluate on."),
    _evaluating(
        "--keep-best",
        metavar="METRIC",
        help="Keep the best checkpoint by a result of the task, such as accuracy, loss or "
        "averaged/accuracy.",
    ),
    _evaluating(
        "--early-stopping",
        type=_count,
        metavar="N",
        help="Stop after N evaluations without a better result.",
    ),
)
"""What may differ each time that a run is started: the fields of `LoopOptions`."""


def train_options(function: F) -> F:
    """Adds the options to a function, first the settings."""
    for option in reversed((*SETTINGS, *LOOP)):
        function = option(function)
    return function
