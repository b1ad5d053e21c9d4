"""Variables found by name or by the scope they are in."""

from collections.abc import Mapping, Sequence
from typing import Any

from slimcore.errors import InputError, close
from slimcore.scopes import prefixes, within


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
                f"no trainable variable is in the scope {scope!r}"
                f"{close(scope, prefixes(trainable))}"
            )
    return {
        name: v
        for name, v in trainable.items()
        if id(v) in ids or any(within(name, scope) for scope in scopes)
    }
