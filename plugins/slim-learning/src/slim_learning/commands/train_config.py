"""The settings of a training run: what is asked for, what the run had so far, and the defaults."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import slim_learning.optim.named_optimizers as named_optimizers
from slim_learning.run.run_record import NAME, read
from slimcore.errors import RunError

# What a run is and stays; another value means another run.
IDENTITY = (
    "network",
    "dataset",
    "split",
    "preprocessing",
    "image_size",
    "labels_offset",
    "optimizer",
    "trainable_scopes",
)

DEFAULTS = {
    "dataset_dir": None,
    "split": "train",
    "number_of_steps": 500,
    "batch_size": 32,
    "optimizer": "adam",
    "weight_decay": 0.0001,
    "labels_offset": 0,
}

# Options that say how a checkpoint is restored, which mean nothing without one.
_OF_A_CHECKPOINT = ("exclude_scopes", "rename", "ignore_missing")


def joined(logdir: str, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Joins what is asked for with the run so far and the defaults.

    Args:
        logdir: The run's folder.
        asked: Every setting by name, None where it is not asked for.

    Raises:
        RunError: The folder holds a run of another network, dataset or optimizer; or none, and it
            is not said what to train on what.
        InputError: A setting belongs to another optimizer.
    """
    before = read(logdir) if Path(logdir, NAME).exists() else {}
    given = {name: value for name, value in asked.items() if value is not None}
    for name in IDENTITY if before else ():
        there = before.get(name)
        if name in given and given[name] != there:
            raise RunError(
                f"{logdir} holds a run whose {name.replace('_', ' ')} is {_shown(there)}, not "
                f"{_shown(given[name])}; choose another --logdir"
            )
    kept = {name: before[name] for name in asked if before.get(name) is not None}
    settings = {"seed": _drawn_seed(), **DEFAULTS, **kept, **given}
    settings.setdefault("learning_rate", named_optimizers.LEARNING_RATES[settings["optimizer"]])
    named_optimizers.check(settings["optimizer"], settings)
    for name, option in (("network", "--net"), ("dataset", "--dataset")):
        if name not in settings:
            raise RunError(f"there is no run in {logdir} to go on with: say {option}")
    for name in _OF_A_CHECKPOINT:
        if settings.get(name) and not settings.get("initial_checkpoint"):
            raise RunError(f"--{name.replace('_', '-')} goes with --checkpoint, which is not given")
    return settings


def _shown(value: Any) -> str:
    return ",".join(value) if isinstance(value, list) else "all" if value is None else str(value)


def _drawn_seed() -> int:
    return int.from_bytes(os.urandom(4), "little") >> 1
