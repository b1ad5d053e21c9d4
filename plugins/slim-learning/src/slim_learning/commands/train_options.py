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


_run, _data, _rate = _under("Run"), _under("Data"), _under("Learning rate")
_model, _tuning, _optimizer = _under("Network"), _under("Fine-tuning"), _under("Optimizer")
_saving, _judging = _under("Logs and checkpoints"), _under("Evaluation while training")

SETTINGS = (
    _run("--logdir", required=True, help="The run's folder."),
    _run("--steps", "number_of_steps", type=_count, help="[default: 500]"),
    _run("--batch-size", type=_count, help="[default: 32]"),
    _run("--seed", type=int, help="Of everything random.  [default: drawn, and recorded]"),
    _run("--jit", is_flag=True, default=None, help="Compile each step with XLA."),
    _run(
        "--accumulate-steps",
        type=_count,
        help="Batches to one step, whose gradients are averaged.  [default: 1]",
    ),
    _run(
        "--non-finite",
        type=click.Choice(["stop", "skip", "roll_back"]),
        help="What to do at a loss that is no number.  [default: stop]",
    ),
    _model("--net", "network", help="The network: slim list net shows them."),
    _model("--image-size", type=_count, help="Height and width.  [default: the network's]"),
    _model("--weight-decay", type=float, help="Of the weights' L2 loss.  [default: 0.0001]"),
    _model("--label-smoothing", type=_share, help="Share of all classes in a label.  [default: 0]"),
    _model(
        "--precision",
        type=click.Choice(["float32", "mixed_bfloat16"]),
        help="In which layers compute.  [default: float32]",
    ),
    _data("--dataset", help="The dataset: slim list dataset shows them."),
    _data("--dataset-dir", help="The folder with its files, where they are not bundled."),
    _data("--split", help="The part to learn from.  [default: train]"),
    _data("--preprocessing", help="[default: the network's]"),
    _data("--labels-offset", type=click.IntRange(0), help="Taken off each label.  [default: 0]"),
    _data(
        "--skip-corrupt",
        type=click.IntRange(0),
        metavar="N",
        help="Leave out, and name, up to N examples that cannot be read.  [default: 0]",
    ),
    _tuning(
        "--checkpoint",
        "initial_checkpoint",
        metavar="PATH|RUN",
        help="What a new run starts from: a checkpoint, or the newest in a folder.",
    ),
    _tuning(
        "--exclude-scopes",
        multiple=True,
        callback=options.scopes,
        metavar="SCOPE,…",
        help="Not taken from the checkpoint.",
    ),
    _tuning(
        "--rename",
        multiple=True,
        callback=options.pairs,
        metavar="HERE=THERE",
        help="A scope's name in the checkpoint.",
    ),
    _tuning(
        "--ignore-missing",
        is_flag=False,
        flag_value="true",
        type=bool,
        metavar="",
        help="Leave what the checkpoint lacks as it is.",
    ),
    _tuning(
        "--trainable-scopes",
        multiple=True,
        callback=options.scopes,
        metavar="SCOPE,…",
        help="Train these alone.  [default: all]",
    ),
    _optimizer("--optimizer", type=click.Choice(list(LEARNING_RATES)), help="[default: adam]"),
    *(
        _optimizer(f"--{name.replace('_', '-')}", name, type=float, help="[default: Keras']")
        if name not in ("momentum", "rmsprop_momentum")
        else _optimizer(f"--{name.replace('_', '-')}", name, type=float, help="[default: 0.9]")
        for name in PARAMETERS
    ),
    _optimizer("--clip-gradient-norm", type=float, help="Largest norm of each gradient."),
    _optimizer(
        "--scale-gradients",
        "gradient_multipliers",
        multiple=True,
        callback=options.factors,
        metavar="SCOPE=FACTOR",
        help="So that layers learn at rates of their own.",
    ),
    _optimizer(
        "--moving-average-decay",
        type=click.FloatRange(0, 1, min_open=True, max_open=True),
        help="Keep moving averages of the weights, too.  [default: none]",
    ),
    _rate("--learning-rate", type=_positive, help="[default: the optimizer's]"),
    _rate(
        "--learning-rate-decay",
        type=click.Choice(["fixed", "exponential", "polynomial", "cosine"]),
        help="[default: fixed]",
    ),
    _rate("--warm-up-steps", type=click.IntRange(0), help="Until it is reached.  [default: 0]"),
    _rate("--end-learning-rate", type=float, help="Of polynomial, cosine.  [default: 0.0001]"),
    _rate("--learning-rate-decay-factor", type=_positive, help="Of exponential.  [default: 0.94]"),
    _rate(
        "--epochs-per-decay",
        type=_positive,
        help="[default: exponential 2, others the whole run]",
    ),
)
"""What a run is; the record keeps it, and a run that goes on takes it from there."""

LOOP = (
    _run("--deterministic", is_flag=True, help="Same results each time, at some speed."),
    _run(
        "--recalibrate-batch-norm",
        type=_count,
        metavar="N",
        help="In the end, average the moving statistics over N batches.",
    ),
    _saving("--log-every", type=_count, default=100, show_default=True, help="Steps."),
    _saving(
        "--summary-secs",
        type=click.FloatRange(0),
        default=0,
        show_default=True,
        help="Least time between TensorBoard events.",
    ),
    _saving("--save-secs", type=float, default=60, show_default=True, help="Between checkpoints."),
    _saving("--save-steps", type=_count, help="Steps between checkpoints."),
    _saving("--keep", type=_count, default=5, show_default=True, help="Checkpoints."),
    _saving("--keep-every-hours", type=_positive, help="Of older ones, keep one in so many hours."),
    _saving(
        "--on-disk-full",
        type=click.Choice(["stop", "go_on"]),
        default="stop",
        show_default=True,
        help="Where a checkpoint does not fit.",
    ),
    _judging("--eval-every", type=_count, help="Steps.  [default: none, or at the end]"),
    _judging("--eval-split", default="test", show_default=True, help="The part to judge on."),
    _judging(
        "--keep-best",
        metavar="METRIC",
        help="Keep the best checkpoint, by accuracy, loss, averaged/accuracy or averaged/loss.",
    ),
    _judging("--early-stopping", type=_count, help="End after so many without a better one."),
)
"""What may differ each time that a run is started."""


def train_options(function: F) -> F:
    """Adds the options to a function, first the settings."""
    for option in reversed((*SETTINGS, *LOOP)):
        function = option(function)
    return function
