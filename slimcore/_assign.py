"""Chooses variables, and sets them from a checkpoint or from arrays, in a graph and in TF2.

In a graph this makes ops, to be run in a session; elsewhere the variables are set at once, or when
the function returned is called.
"""

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

import slimcore.checkpoints as checkpoints
from slimcore.collections import in_graph
from slimcore.errors import ArgumentTypeError, ShapeError
from slimcore.variables import (
    get_unique_variable,
    get_variable_full_name,
    get_variables,
    variable_name,
)

Variables = Sequence[Any] | Mapping[str, Any]
Feed = dict[Any, np.ndarray]

_log = logging.getLogger("slim")


def get_variables_to_restore(
    include: Sequence[str] | None = None, exclude: Sequence[str] | None = None
) -> list[tf.Variable]:
    """Returns the variables in the scopes of `include`, less those in the scopes of `exclude`.

    Args:
        include: Patterns that the beginning of a name must match; all variables by default.
        exclude: Patterns of the names to leave out.

    Raises:
        ArgumentTypeError: An argument is not a list or tuple.
    """
    for argument, patterns in (("include", include), ("exclude", exclude)):
        if patterns is not None and not isinstance(patterns, list | tuple):
            raise ArgumentTypeError(f"{argument} takes a list or tuple of scopes, not {patterns!r}")
    scopes: Sequence[str | None] = [None] if include is None else include
    found = [v for scope in scopes for v in get_variables(scope)]
    dropped = {id(v) for scope in exclude or () for v in get_variables(scope)}
    unique = {id(v): v for v in found if id(v) not in dropped}
    return list(unique.values())


def filter_variables(
    var_list: Sequence[Any],
    include_patterns: Sequence[str] | None = None,
    exclude_patterns: Sequence[str] | None = None,
    reg_search: bool = True,
) -> list[Any]:
    """Returns the variables whose names match a pattern to include and none to exclude.

    Args:
        var_list: Variables.
        include_patterns: Regular expressions; all variables by default.
        exclude_patterns: Regular expressions; none by default.
        reg_search: Whether a pattern is looked for anywhere in the name, or at its beginning.
    """
    match = re.search if reg_search else re.match

    def matches(variable: Any, patterns: Sequence[str]) -> bool:
        return any(match(pattern, variable_name(variable)) for pattern in patterns)

    included = [v for v in var_list if include_patterns is None or matches(v, include_patterns)]
    return [v for v in included if not matches(v, exclude_patterns or ())]


def assign_from_values(var_names_to_values: Mapping[str, Any]) -> tuple[Any, Feed]:
    """Sets variables from arrays.

    Args:
        var_names_to_values: An array for each name of a variable, of the variable's shape.

    Returns:
        In a graph, an op that sets them and what to feed it: `session.run(op, feed)`. Elsewhere
        the variables are set, and `(None, {})` is returned.

    Raises:
        InputError: A name is not that of one variable.
        ShapeError: A value has another shape than its variable.
    """
    pairs = [(get_unique_variable(name), v) for name, v in var_names_to_values.items()]
    targets = {variable_name(v): _Target(variable_name(v), [v]) for v, _ in pairs}
    values = {variable_name(v): np.asarray(value) for v, value in pairs}
    for name, value in values.items():
        if value.shape != targets[name].shape:
            raise ShapeError(
                f"variable {name} has shape {list(targets[name].shape)}, and the value for it has "
                f"shape {list(value.shape)}"
            )
    assignment = _Assignment(targets)
    return assignment.op, assignment.feed(values)


def assign_from_values_fn(var_names_to_values: Mapping[str, Any]) -> Callable[..., None]:
    """Returns a function that sets variables from arrays. See `assign_from_values`.

    Returns:
        In a graph, a function of a session. Elsewhere a function of nothing.
    """
    if in_graph():
        op, feed = assign_from_values(var_names_to_values)
        return lambda session: session.run(op, feed)
    pairs = [(get_unique_variable(name), v) for name, v in var_names_to_values.items()]

    def assign(session: Any = None) -> None:
        for variable, value in pairs:
            variable.assign(value)

    return assign


def assign_from_checkpoint(
    model_path: str, var_list: Variables, ignore_missing_vars: bool = False
) -> tuple[Any, Feed]:
    """Reads variables from a checkpoint.

    A value of another shape but as many elements is reshaped.

    Args:
        model_path: The checkpoint's prefix, or a folder, for the newest in it.
        var_list: Variables, each read by its own name; or a dict from names in the checkpoint to
            a variable, a partitioned one, or a list of its shards.
        ignore_missing_vars: Whether variables that the checkpoint lacks stay as they are.

    Returns:
        In a graph, an op that sets them and what to feed it: `session.run(op, feed)`. Elsewhere
        the variables are set, and `(None, {})` is returned.

    Raises:
        CheckpointError: The checkpoint cannot be read, or does not fit; nothing is changed.
    """
    plan, targets = _plan(model_path, var_list, ignore_missing_vars, reshape=True)
    assignment = _Assignment(_planned(plan, targets))
    return assignment.op, assignment.feed(plan.values())


def assign_from_checkpoint_fn(
    model_path: str,
    var_list: Variables,
    ignore_missing_vars: bool = False,
    reshape_variables: bool = False,
) -> Callable[..., None] | None:
    """Returns a function that reads variables from a checkpoint, such as an `init_fn`.

    Args:
        model_path: See `assign_from_checkpoint`.
        var_list: See `assign_from_checkpoint`.
        ignore_missing_vars: See `assign_from_checkpoint`.
        reshape_variables: Whether a value of another shape but as many elements is reshaped.

    Returns:
        In a graph, a function of a session; elsewhere, a function of nothing. None where there is
        nothing to read, which is logged.

    Raises:
        CheckpointError: The checkpoint cannot be read, or does not fit. Nothing is read before the
            function is called.
    """
    plan, targets = _plan(model_path, var_list, ignore_missing_vars, reshape_variables)
    read = _planned(plan, targets)
    if not read:
        _log.warning("checkpoint %s holds none of the variables to restore", model_path)
        return None
    if not in_graph():
        return lambda session=None: plan.assign(read)
    assignment = _Assignment(read)
    return lambda session: session.run(assignment.op, assignment.feed(plan.values()))


class _Target:
    """A variable of a checkpoint as it is here: whole, or in shards.

    Attributes:
        name: Its name here.
        shape: Its whole shape.
        parts: Its variables, each with the slices that it holds of the whole.
    """

    def __init__(self, name: str, shards: Sequence[Any]) -> None:
        self.name = name
        self.shape: tuple[int, ...] = tuple(shards[0].shape)
        self.parts: list[tuple[Any, tuple[slice, ...]]] = []
        for shard in shards:
            info = shard.to_proto().save_slice_info_def if in_graph() else None
            held = zip(info.var_offset, info.var_shape, strict=True) if info else ()
            self.parts.append((shard, tuple(slice(start, start + n) for start, n in held)))
            if info and info.full_name:
                self.shape = tuple(info.full_shape)

    def assign(self, value: np.ndarray) -> None:
        """Sets the variable, outside of a graph."""
        for variable, slices in self.parts:
            variable.assign(value[slices])


class _Assignment:
    """In a graph, ops that set variables from what is fed; elsewhere, the setting itself."""

    def __init__(self, targets: Mapping[str, _Target]) -> None:
        self._targets = targets
        self._placeholders: dict[str, list[Any]] = {}
        self.op: Any = None
        if not in_graph():
            return
        ops = []
        for name, target in targets.items():
            with tf.name_scope("assign"), tf.device("/CPU:0"):
                fed = [
                    tf.compat.v1.placeholder(v.dtype.base_dtype, v.shape) for v, _ in target.parts
                ]
            self._placeholders[name] = fed
            pairs = zip(target.parts, fed, strict=True)
            ops += [tf.compat.v1.assign(v, value) for (v, _), value in pairs]
        self.op = tf.group(ops)

    def feed(self, values: Mapping[str, np.ndarray]) -> Feed:
        """Returns what to feed; outside of a graph, sets the variables and returns nothing."""
        fed = {}
        for name, target in self._targets.items():
            if self.op is None:
                target.assign(values[name])
                continue
            for placeholder, (_, slices) in zip(
                self._placeholders[name], target.parts, strict=True
            ):
                fed[placeholder] = values[name][slices]
        return fed


def _plan(
    path: str, var_list: Variables, ignore_missing: bool, reshape: bool
) -> tuple[checkpoints.Plan, dict[str, _Target]]:
    targets = _targets(var_list)
    sources = {target.name: source for source, target in targets.items()}
    by_name = {target.name: target for target in targets.values()}
    plan = checkpoints.plan(
        path,
        by_name,
        rename=sources.__getitem__,
        ignore_missing=ignore_missing,
        reshape=reshape,
    )
    if plan.of("missing"):
        names = ", ".join(entry.source for entry in plan.of("missing"))
        _log.warning("checkpoint %s lacks %s, left as they are", path, names)
    return plan, by_name


def _planned(plan: checkpoints.Plan, targets: Mapping[str, _Target]) -> dict[str, _Target]:
    return {entry.name: targets[entry.name] for entry in plan.of("matched", "renamed")}


def _targets(var_list: Variables) -> dict[str, _Target]:
    """Returns the variables by their names in the checkpoint, shards joined."""
    if not isinstance(var_list, Mapping):
        groups: dict[str, list[Any]] = {}
        for variable in var_list:
            groups.setdefault(get_variable_full_name(variable), []).extend(_shards(variable))
        return {name: _Target(name, shards) for name, shards in groups.items()}
    targets = {}
    for source, variable in var_list.items():
        shards = _shards(variable)
        targets[source] = _Target(get_variable_full_name(shards[0]), shards)
    return targets


def _shards(variable: Any) -> list[Any]:
    if not in_graph() or isinstance(variable, tf.Variable):
        return [variable]
    return list(variable)  # of a partitioned variable, its shards
