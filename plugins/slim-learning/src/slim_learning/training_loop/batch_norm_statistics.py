"""The moving statistics of batch normalization: read, measured, and computed anew."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from itertools import islice
from typing import Any

import numpy as np
import tensorflow as tf

import slimcore.checkpoints as checkpoints
from slimcore.errors import DataError, InputError, RunError
from slimcore.randomness import seeded

MEAN, VARIANCE = "/moving_mean", "/moving_variance"


def statistics_of(names: Iterable[str]) -> list[str]:
    """Returns the names that are those of moving means and variances.

    Raises:
        InputError: None is.
    """
    found = [name for name in names if name.endswith((MEAN, VARIANCE))]
    if not found:
        raise InputError("the network has no batch normalization, so no moving statistics")
    return found


def recalibrate(
    forward: Callable[[Any], Any],
    variables: Mapping[str, Any],
    batches: Iterable[Any],
    num_batches: int,
) -> dict[str, np.ndarray]:
    """Sets moving means and variances to their plain averages over batches.

    Each batch counts alike, whatever the layers' decay is. Other variables are left as they are.

    Args:
        forward: Calls the network on a batch, with `is_training=True`.
        variables: The network's, by name.
        batches: As in training.
        num_batches: How many to take.

    Returns:
        The averages, by name.

    Raises:
        InputError: The network has no moving statistics.
        DataError: There are fewer batches.
        RunError: slim-layers is not installed.
    """
    moving_with = _moving_with()
    names = statistics_of(variables)
    others = {n: v.numpy() for n, v in variables.items() if not v.trainable and n not in names}

    @tf.function(autograph=False)
    def step(batch: Any, number: tf.Tensor) -> None:
        # What the statistics become is then the batch's own.
        with moving_with(0.0), seeded(tf.stack([0, number])):
            forward(batch)

    sums = {name: np.zeros(variables[name].shape, np.float64) for name in names}
    taken = 0
    for batch in islice(batches, num_batches):
        step(batch, tf.constant(taken))
        for name in names:
            sums[name] += variables[name].numpy()
        taken += 1
    for name, value in others.items():
        variables[name].assign(value)
    if taken < num_batches:
        raise DataError(f"the dataset gave {taken} batches, and {num_batches} are to be averaged")
    averages = {name: (total / taken).astype("float32") for name, total in sums.items()}
    for name, value in averages.items():
        variables[name].assign(value)
    return averages


def _moving_with() -> Callable[[float], AbstractContextManager[None]]:
    """Returns what slim-layers, which this distribution can do without, has for this."""
    try:
        from slim_layers import moving_with
    except ImportError as error:
        raise RunError(
            "moving statistics can be recomputed only with slim-layers: pip install slim-layers"
        ) from error
    return moving_with


def decays(
    forward: Callable[[Any], Any], variables: Mapping[str, Any], batch: Any
) -> dict[str, float]:
    """Measures which part of itself each moving statistic keeps in a step of training.

    Two steps on one batch, from 0 and from 1, differ by just that. All variables are then as they
    were.

    Args:
        forward: Calls the network on a batch, with `is_training=True`.
        variables: The network's, by name.
        batch: A batch of any images.

    Returns:
        Numbers by name; 1 for one that does not move.
    """
    names = statistics_of(variables)
    before = {name: v.numpy() for name, v in variables.items() if not v.trainable}

    @tf.function(autograph=False)
    def step() -> None:
        with seeded(tf.constant([0, 0])):
            forward(batch)

    ends = []
    for start in (0.0, 1.0):
        for name in names:
            variables[name].assign(tf.fill(variables[name].shape, start))
        step()
        ends.append({name: variables[name].numpy() for name in names})
    for name, value in before.items():
        variables[name].assign(value)
    return {name: float(np.mean(ends[1][name] - ends[0][name])) for name in names}


def at_initial_values(path: str) -> tuple[list[str], int]:
    """Looks for moving statistics of a checkpoint that are still 0 and 1.

    Returns:
        The scopes of those, and the number of all scopes that have such statistics.
    """
    reader = checkpoints.load(path)
    scopes = [n.removesuffix(MEAN) for n in reader.get_variable_to_shape_map() if n.endswith(MEAN)]
    initial = [
        scope
        for scope in sorted(scopes)
        if reader.has_tensor(scope + VARIANCE)
        and not reader.get_tensor(scope + MEAN).any()
        and (reader.get_tensor(scope + VARIANCE) == 1).all()
    ]
    return initial, len(scopes)


def rewrite(path: str, changed: Mapping[str, Any]) -> None:
    """Writes a checkpoint again, with other values for some names.

    Raises:
        CheckpointError: It cannot be read or written.
    """
    types = checkpoints.load(path).get_variable_to_dtype_map()
    kept = [name for name in types if name not in changed]
    values = tf.raw_ops.RestoreV2(
        prefix=path,
        tensor_names=kept,
        shape_and_slices=[""] * len(kept),
        dtypes=[types[name] for name in kept],
    )
    checkpoints.save(path, {**dict(zip(kept, values, strict=True)), **changed})
