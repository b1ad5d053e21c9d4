"""One verb for two worlds: tensors in a graph, and functions of a batch elsewhere."""

import functools
import inspect
from collections.abc import Callable
from typing import Any

from slimcore.errors import ArgumentTypeError, InputError, nearest

Function = Callable[..., Any]


def two_worlds(in_a_graph: Function, on_functions: Function) -> Callable[[Function], Function]:
    """Makes one verb of two functions; what is decorated says which of them a call means.

    The verb has the docstring of what is decorated, and the parameters of both: those of the graph
    first, in their order, and then by name those that only the other has.

    Args:
        in_a_graph: The verb on tensors in a graph.
        on_functions: The verb on functions of a batch.

    Returns:
        A decorator of a function from the first argument of a call to whether `on_functions` is
        meant.
    """
    firsts = [next(iter(inspect.signature(f).parameters)) for f in (in_a_graph, on_functions)]

    def decorate(is_on_functions: Function) -> Function:
        @functools.wraps(is_on_functions)
        def verb(*args: Any, **kwargs: Any) -> Any:
            given = next((name for name in firsts if name in kwargs), None)
            if not args and given is not None:
                args = (kwargs.pop(given),)
            if not args:
                raise ArgumentTypeError(f"{verb.__name__}() needs {firsts[0]}")
            if is_on_functions(args[0]):
                known = _known(verb.__name__, on_functions, in_a_graph, kwargs, "on a function")
                return on_functions(*args, **known)
            known = _known(verb.__name__, in_a_graph, on_functions, kwargs, "in a graph")
            return in_a_graph(*args, **known)

        verb.__signature__ = _joined(in_a_graph, on_functions)  # type: ignore[attr-defined]
        return verb

    return decorate


def _known(
    verb: str, chosen: Function, other: Function, kwargs: dict[str, Any], where: str
) -> dict[str, Any]:
    """Returns the arguments by name, less those that say no more than the other's default."""
    ours = inspect.signature(chosen).parameters
    theirs = inspect.signature(other).parameters
    for name, value in kwargs.items():
        if name in ours or (name in theirs and value is theirs[name].default):
            continue
        if name in theirs:
            there = "in a graph" if where == "on a function" else "on a function of a batch"
            raise InputError(
                f"{verb}() {where} takes no {name!r}, which it takes only {there}; leave it out"
            )
        raise ArgumentTypeError(
            f"{verb}() takes no {name!r}. Close: {nearest(name, [*ours, *theirs])}"
        )
    return {name: value for name, value in kwargs.items() if name in ours}


def _joined(in_a_graph: Function, on_functions: Function) -> inspect.Signature:
    ours = list(inspect.signature(in_a_graph).parameters.values())
    names = {p.name for p in ours}
    theirs = [
        p.replace(
            kind=inspect.Parameter.KEYWORD_ONLY,
            default=None if p.default is inspect.Parameter.empty else p.default,
        )
        for p in list(inspect.signature(on_functions).parameters.values())[1:]
        if p.name not in names
    ]
    return inspect.Signature([*ours, *theirs])
