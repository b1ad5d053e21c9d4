"""Variables found by name or by the scope they are in."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from slimcore.errors import InputError, nearest


def within(name: str, scope: str) -> bool:
    """Returns whether a variable has this name or is in the scope of this name."""
    scope = scope.rstrip("/")
    return name == scope or name.startswith(scope + "/")


def close_to(scope: str, names: Iterable[str]) -> str:
    """Returns the scopes and names, of those that variables have, nearest to one, as a phrase."""
    known = {"/".join(n.split("/")[:d]) for n in names for d in range(1, n.count("/") + 2)}
    return nearest(scope, known)


def chosen(trainable: Mapping[str, Any], wanted: Sequence[Any] | None) -> dict[str, Any]:
    """Returns the variables to train: all, those given, or those in the scopes given.

    Args:
        trainable: Variables by name.
        wanted: Variables, and names of variables or scopes; None takes all.

    Raises:
        InputError: A scope holds no trainable variable; the nearest are named.
    """
    if wanted is None:
        return dict(trainable)
    scopes = [w for w in wanted if isinstance(w, str)]
    ids = {id(w) for w in wanted if not isinstance(w, str)}
    for scope in scopes:
        if not any(within(name, scope) for name in trainable):
            raise InputError(
                f"no trainable variable is in the scope {scope!r}. "
                f"Close: {close_to(scope, trainable)}"
            )
    return {
        name: v
        for name, v in trainable.items()
        if id(v) in ids or any(within(name, scope) for scope in scopes)
    }
