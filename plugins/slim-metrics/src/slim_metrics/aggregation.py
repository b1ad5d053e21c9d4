"""Collects the values and the updates of several metrics, and reads the values again."""

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from slim_metrics._mean import streaming_mean
from slim_metrics._state import CurrentValue, ValueAndUpdate, gather_value, gathered_values
from slimcore.collections import innermost
from slimcore.errors import InputError
from slimcore.module import Module

__all__ = ["aggregate_metric_map", "aggregate_metrics", "current_values"]


def aggregate_metrics(*value_update_tuples: ValueAndUpdate) -> tuple[list[Any], list[Any]]:
    """Turns metrics into a list of their values and a list of their updates.

    Args:
        *value_update_tuples: What each metric returned. At least one.

    Returns:
        The values and the updates, each a list in the order given.

    Raises:
        InputError: No metric is given, or something that is not a pair.
    """
    if not value_update_tuples:
        raise InputError("aggregate_metrics got no metric; pass what at least one metric returned")
    pairs = [
        _pair("aggregate_metrics", f"argument {i}", given)
        for i, given in enumerate(value_update_tuples)
    ]
    return [value for value, _ in pairs], [update for _, update in pairs]


def aggregate_metric_map(
    names_to_tuples: Mapping[str, ValueAndUpdate],
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Turns a dict of metrics into a dict of their values and a dict of their updates.

    Args:
        names_to_tuples: What each metric returned, by a name of your choice. A single tensor, as
            `accuracy` returns it for one batch, is averaged over the batches.

    Returns:
        The values and the updates by name, in the order given.

    Raises:
        InputError: A metric is neither a pair nor a tensor.
    """
    pairs = {
        name: _pair("aggregate_metric_map", repr(name), given)
        for name, given in names_to_tuples.items()
    }
    known = {id(current.returned): current for current in gathered_values(innermost())}
    for name, (value, _) in pairs.items():
        if id(value) in known:
            gather_value(CurrentValue(name, value, known[id(value)].read, mapped=True))
    return {n: value for n, (value, _) in pairs.items()}, {n: u for n, (_, u) in pairs.items()}


def current_values(module: Module) -> dict[str, Any]:
    """Computes the value of each metric of a Module from its state, without an update.

    Under a `tf.distribute` strategy each replica's call returns the value of that replica's
    examples. Called outside of `strategy.run`, this returns the value of all replicas' examples.

    Args:
        module: The `slim.Module` whose function calls the metrics; called at least once.

    Returns:
        A dict from the names given to `aggregate_metric_map` to values; a metric that went through
        no map has the name of its scope, such as "accuracy".
    """
    values = gathered_values(module.collections)
    mapped = {id(c.returned) for c in values if c.mapped}
    return {c.name: c.read() for c in values if c.mapped or id(c.returned) not in mapped}


def _pair(function: str, what: str, given: Any) -> ValueAndUpdate:
    if isinstance(given, tuple | list) and len(given) == 2:
        return given[0], given[1]
    if tf.is_tensor(given):
        return streaming_mean(given)
    raise InputError(
        f"{function} takes what a metric returned, a pair of value and update; {what} is "
        f"{type(given).__name__}"
    )
