"""What the verbs share that work on tensors in a graph and on functions of a batch."""

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, TypeVar

import tensorflow as tf

from slimcore.errors import ArgumentTypeError, InputError, close

P = ParamSpec("P")
R = TypeVar("R")


class GraphDefault(int):
    """The default of an argument in a graph, where functions have another.

    Attributes:
        on_functions: That other default.
    """

    on_functions: int | None

    def __new__(cls, in_a_graph: int, on_functions: int | None) -> "GraphDefault":
        default = super().__new__(cls, in_a_graph)
        default.on_functions = on_functions
        return default


def names_checked(verb: Callable[P, R]) -> Callable[P, R]:
    """Lets a verb answer an argument that it does not have with the names nearest to it."""
    known = list(inspect.signature(verb).parameters)

    @functools.wraps(verb)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        for name in kwargs:
            if name not in known:
                raise ArgumentTypeError(f"{verb.__name__}() takes no {name!r}{close(name, known)}")
        return verb(*args, **kwargs)

    return checked


def on_functions(
    verb: Callable[..., Any], target: Callable[..., Any], given: Mapping[str, Any]
) -> dict[str, Any]:
    """Returns the arguments of a verb, without the first, for its implementation on functions.

    Args:
        verb: The verb, whose defaults tell what was given.
        target: The implementation.
        given: All arguments, by name.

    Raises:
        InputError: An argument was given that is for graphs alone, or no dataset.
    """
    chosen = _chosen(verb, target, given, "on a function", "in a graph")
    if "dataset" in chosen and chosen["dataset"] is None:
        raise InputError(
            f"{verb.__name__}() on a function needs dataset=..., a tf.data.Dataset of batches"
        )
    return {n: v.on_functions if isinstance(v, GraphDefault) else v for n, v in chosen.items()}


def in_a_graph(
    verb: Callable[..., Any], target: Callable[..., Any], given: Mapping[str, Any]
) -> dict[str, Any]:
    """Does what `on_functions` does, for the implementation in a graph."""
    chosen = _chosen(verb, target, given, "in a graph", "on a function of a batch")
    return {n: int(v) if isinstance(v, GraphDefault) else v for n, v in chosen.items()}


def _chosen(
    verb: Callable[..., Any],
    target: Callable[..., Any],
    given: Mapping[str, Any],
    here: str,
    there: str,
) -> dict[str, Any]:
    ours = list(inspect.signature(target).parameters)[1:]
    parameters = list(inspect.signature(verb).parameters.values())[1:]
    for parameter in parameters:
        name, value = parameter.name, given[parameter.name]
        if name in ours or _same(value, parameter.default):
            continue
        remedy = "leave it out"
        if isinstance(value, tf.data.Dataset) and "dataset" in ours:
            remedy = "pass the data by name: dataset=..."
        raise InputError(
            f"{verb.__name__}() {here} takes no {name!r}, which it takes only {there}; {remedy}"
        )
    return {p.name: given[p.name] for p in parameters if p.name in ours}


def _same(value: Any, default: Any) -> bool:
    """Returns whether a value is the default; tensors are never compared by `==`."""
    plain = isinstance(default, bool | int | float | str) and type(value) is type(default)
    return value is default or (plain and value == default)
