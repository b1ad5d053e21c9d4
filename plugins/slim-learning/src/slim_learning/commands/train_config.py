"""The configuration of a training run: what is asked for, what the run had so far, the defaults."""

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import slim_learning.optim.named_optimizers as named_optimizers
from slim_learning.run.run_record import NAME, read
from slimcore.errors import RunError

# What a run is and stays; another value means another run.
IDENTITY = (
    "task",
    "network",
    "dataset",
    "split",
    "preprocessing",
    "image_size",
    "labels_offset",
    "optimizer",
    "trainable_scopes",
)

# Options that say how a checkpoint is restored, which mean nothing without one.
_OF_A_CHECKPOINT = ("exclude_scopes", "rename", "ignore_missing")


def _drawn_seed() -> int:
    return int.from_bytes(os.urandom(4), "little") >> 1


@dataclass(frozen=True)
class TrainConfig:
    """What a run is; its record keeps it, and a run that goes on takes it from there.

    The names are those of `slim train`'s options. None stands for the default of the network, the
    optimizer or the learning rate schedule.
    """

    network: str
    dataset: str
    task: str = "classification"
    task_options: Mapping[str, Any] = field(default_factory=dict)
    number_of_steps: int = 500
    batch_size: int = 32
    seed: int = field(default_factory=_drawn_seed)
    jit: bool = False
    accumulate_steps: int = 1
    non_finite: str = "stop"
    image_size: int | None = None
    weight_decay: float = 0.0001
    label_smoothing: float = 0.0
    precision: str | None = None
    dataset_dir: str | None = None
    split: str = "train"
    preprocessing: str | None = None
    labels_offset: int = 0
    skip_corrupt: int = 0
    initial_checkpoint: str | None = None
    exclude_scopes: list[str] | None = None
    rename: Mapping[str, str] | None = None
    ignore_missing: bool = False
    trainable_scopes: list[str] | None = None
    optimizer: str = "adam"
    momentum: float | None = None
    adam_beta1: float | None = None
    adam_beta2: float | None = None
    opt_epsilon: float | None = None
    rmsprop_decay: float | None = None
    rmsprop_momentum: float | None = None
    adagrad_initial_accumulator_value: float | None = None
    adadelta_rho: float | None = None
    ftrl_learning_rate_power: float | None = None
    ftrl_initial_accumulator_value: float | None = None
    ftrl_l1: float | None = None
    ftrl_l2: float | None = None
    clip_gradient_norm: float = 0.0
    gradient_multipliers: Mapping[str, float] | None = None
    moving_average_decay: float | None = None
    learning_rate: float | None = None
    learning_rate_decay: str = "fixed"
    warm_up_steps: int = 0
    end_learning_rate: float | None = None
    learning_rate_decay_factor: float | None = None
    epochs_per_decay: float | None = None

    def recorded(self) -> dict[str, Any]:
        """Returns what is not None, ready for JSON."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    @property
    def options_of_task(self) -> dict[str, Any]:
        """The options of the task, with those that have a name of their own, where they are set."""
        named = {"labels_offset": self.labels_offset, "label_smoothing": self.label_smoothing}
        return {**self.task_options, **{name: value for name, value in named.items() if value}}


@dataclass(frozen=True)
class LoopOptions:
    """What may differ each time that a run is started."""

    deterministic: bool = False
    recalibrate_batch_norm: int | None = None
    log_every: int = 100
    summary_secs: float = 0
    save_secs: float = 60
    save_steps: int | None = None
    keep: int = 5
    keep_every_hours: float | None = None
    on_disk_full: str = "stop"
    eval_every: int | None = None
    eval_split: str = "test"
    keep_best: str | None = None
    early_stopping: int | None = None


_DEFAULTS = {f.name: f.default for f in fields(TrainConfig)}


def train_config(logdir: str, asked: Mapping[str, Any]) -> TrainConfig:
    """Joins what is asked for with the run so far and the defaults.

    Args:
        logdir: The run's folder.
        asked: Options by name, None where they are not given.

    Raises:
        RunError: The folder holds a run of another network, dataset or optimizer; or none, and it
            is not said what to train on what.
        InputError: A setting belongs to another optimizer.
    """
    before = read(logdir) if Path(logdir, NAME).exists() else {}
    for name in ("task", "network", "dataset", "split", "optimizer"):
        if not isinstance(before.get(name, ""), str):
            raise RunError(f"{logdir}/{NAME} is damaged: its {name} is {before[name]!r}")
    given = {name: value for name, value in asked.items() if value is not None}
    for name in IDENTITY if before else ():
        there = before.get(name, _DEFAULTS[name])
        if name in given and given[name] != there:
            raise RunError(
                f"{logdir} holds a run whose {name.replace('_', ' ')} is {_shown(there)}, not "
                f"{_shown(given[name])}; choose another --logdir"
            )
    kept = {name: before[name] for name in _DEFAULTS if before.get(name) is not None}
    settings = {**kept, **given}
    for name, option in (("network", "--net"), ("dataset", "--dataset")):
        if name not in settings:
            raise RunError(f"there is no run in {logdir} to go on with: give {option}")
    optimizer = settings.get("optimizer", _DEFAULTS["optimizer"])
    if optimizer not in named_optimizers.LEARNING_RATES:
        raise RunError(f"{logdir}/{NAME} names an unknown optimizer, {optimizer!r}")
    named_optimizers.check(optimizer, settings)
    settings.setdefault("learning_rate", named_optimizers.LEARNING_RATES[optimizer])
    for name in _OF_A_CHECKPOINT:
        if settings.get(name) and not settings.get("initial_checkpoint"):
            raise RunError(f"--{name.replace('_', '-')} goes with --checkpoint, which is missing")
    return TrainConfig(**settings)


def _shown(value: Any) -> str:
    return ",".join(value) if isinstance(value, list) else "all" if value is None else str(value)
