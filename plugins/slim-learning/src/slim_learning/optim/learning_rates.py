"""The learning rate that the settings of a run ask for."""

from collections.abc import Mapping
from typing import Any

from slim_learning.optim.warm_up import warm_up
from slimcore.errors import InputError

# research/slim's, where they are not given.
FACTOR, END, EPOCHS = 0.94, 0.0001, 2.0


def learning_rate(settings: Mapping[str, Any], examples: int | None) -> Any:
    """Returns a number, or a schedule of Keras.

    After `warm_up_steps`, the rate stays ("fixed"), is multiplied by `learning_rate_decay_factor`
    every so many epochs ("exponential"), or goes down to `end_learning_rate` on a straight line
    ("polynomial") or half a cosine ("cosine") within so many epochs. Where `epochs_per_decay` is
    not given, these are 2 for the first and the whole run for the others.

    Args:
        settings: `learning_rate`, `batch_size`, `number_of_steps`, and the others if given.
        examples: In an epoch, where that is known.

    Raises:
        InputError: The size of an epoch is needed and not known.
    """
    from tensorflow.keras.optimizers import schedules

    rate, kind = settings["learning_rate"], settings.get("learning_rate_decay") or "fixed"
    end = _given(settings, "end_learning_rate", END)
    steps = float(settings["number_of_steps"])
    if kind != "fixed" and (kind == "exponential" or settings.get("epochs_per_decay")):
        steps = _given(settings, "epochs_per_decay", EPOCHS) * _steps_of_epoch(settings, examples)
    if kind == "exponential":
        factor = _given(settings, "learning_rate_decay_factor", FACTOR)
        rate = schedules.ExponentialDecay(rate, steps, factor, staircase=True)
    elif kind == "polynomial":
        rate = schedules.PolynomialDecay(rate, steps, end)
    elif kind == "cosine":
        rate = schedules.CosineDecay(rate, steps, alpha=end / rate)
    warm = settings.get("warm_up_steps")
    return warm_up(rate, warm) if warm else rate


def _given(settings: Mapping[str, Any], name: str, default: float) -> float:
    value = settings.get(name)
    return default if value is None else float(value)


def _steps_of_epoch(settings: Mapping[str, Any], examples: int | None) -> float:
    if not examples:
        raise InputError(
            "the dataset does not tell its size, so that a decay by epochs means nothing; take "
            "--learning-rate-decay polynomial or cosine, without --epochs-per-decay"
        )
    return examples / (settings["batch_size"] * (settings.get("accumulate_steps") or 1))
