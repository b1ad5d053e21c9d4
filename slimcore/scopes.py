"""Scopes as leading parts of names: `net/conv1` holds `net/conv1/weights`, and not `net/conv10`."""

from collections.abc import Iterable


def within(name: str, scopes: str | Iterable[str]) -> bool:
    """Returns whether a name is in a scope, or in one of several.

    Args:
        name: The name of a variable, such as `net/conv1/weights`.
        scopes: A scope or several: `net`, `net/conv1`, `net/conv1/`, or the whole name.
    """
    scopes = [scopes] if isinstance(scopes, str) else scopes
    return any(f"{name}/".startswith(f"{scope.rstrip('/')}/") for scope in scopes)


def prefixes(names: Iterable[str]) -> set[str]:
    """Returns all scopes that names are in, and the names: `a/b` gives `a` and `a/b`."""
    return {"/".join(n.split("/")[:depth]) for n in names for depth in range(1, n.count("/") + 2)}
