"""Collections: where losses, end points and variables are gathered while a model is built.

In a `tf.Graph` they are the graph's own. Elsewhere they belong to the innermost thing that
gathers, a `slim.Module` being called or a training step, and move to the one around it when that
thing ends; a loss outside of all of them is returned to the caller and gathered nowhere.
"""

import contextlib
import re
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from typing import Any

import tensorflow as tf

from slimcore.errors import NoModuleError

REGULARIZATION_LOSSES = tf.compat.v1.GraphKeys.REGULARIZATION_LOSSES


def in_graph() -> bool:
    """Returns whether a TF1-style graph is being built: neither eager mode nor a `tf.function`."""
    return not tf.compat.v1.executing_eagerly_outside_functions()


class Collections:
    """Lists by name, of what one call or one training step made."""

    def __init__(self) -> None:
        self._items: dict[str, list[tuple[str, Any]]] = {}  # (name scope, value)
        # One entry for each regularized variable, however often it is used; computed when asked
        # for, so that a call without a loss pays nothing.
        self._penalties: dict[int, Callable[[], tf.Tensor]] = {}

    def add(self, name: str, value: Any, scope: str | None = None) -> None:
        """Adds a value, in the current name scope by default."""
        scope = tf.get_current_name_scope() if scope is None else scope
        self._items.setdefault(name, []).append((scope, value))

    def add_penalty(self, variable: Any, penalty: Callable[[], tf.Tensor], scope: str) -> None:
        """Adds the regularization loss of a variable, once, to be computed on demand."""
        if id(variable) in self._penalties:
            return
        computed: list[tf.Tensor] = []

        def once() -> tf.Tensor:
            if not computed:
                computed.append(penalty())
            return computed[0]

        self._penalties[id(variable)] = once
        self.add(REGULARIZATION_LOSSES, once, scope)

    def get(self, name: str, scope: str | None = None) -> list[Any]:
        """Returns the values of a collection whose name scope matches the pattern `scope`."""
        values = [v for s, v in self._items.get(name, []) if not scope or re.match(scope, s)]
        if name == REGULARIZATION_LOSSES:
            losses = (v() if callable(v) else v for v in values)
            # A regularizer of scale 0 has no loss.
            return [loss for loss in losses if loss is not None]
        return values

    def clear(self, name: str) -> None:
        """Empties a collection."""
        self._items.pop(name, None)

    def names(self) -> list[str]:
        """Returns the names of the collections that hold something."""
        return list(self._items)

    def absorb(self, inner: "Collections") -> None:
        """Adds all that `inner` holds; a variable regularized in both is counted once."""
        known = {key for key in inner._penalties if key in self._penalties}
        dropped = [inner._penalties[key] for key in known]
        for name, items in inner._items.items():
            kept = [(s, v) for s, v in items if not any(v is d for d in dropped)]
            self._items.setdefault(name, []).extend(kept)
        self._penalties = {**inner._penalties, **self._penalties}


_innermost: ContextVar[Collections | None] = ContextVar("collections", default=None)


@contextlib.contextmanager
def collecting() -> Iterator[Collections]:
    """Gathers what is built inside, such as the losses of one training step.

    In a `tf.Graph` nothing is gathered here: its own collections hold everything.

    Yields:
        The collections. On leaving, they are added to those of the block around, if any.
    """
    inner, outer = Collections(), _innermost.get()
    token = _innermost.set(inner)
    try:
        yield inner
    finally:
        _innermost.reset(token)
    if outer is not None:
        outer.absorb(inner)


@contextlib.contextmanager
def discarding() -> Iterator[None]:
    """Leaves no trace in the collections of what is built inside, such as a second computation."""
    token = _innermost.set(Collections())
    graph = tf.compat.v1.get_default_graph()
    before = {key: len(graph.get_collection_ref(key)) for key in _names_in(graph)}
    try:
        yield
    finally:
        _innermost.reset(token)
        for key in _names_in(graph):
            del graph.get_collection_ref(key)[before.get(key, 0) :]


def _names_in(graph: tf.Graph) -> list[str]:
    """Returns the names of a TF1 graph's collections, but those of its control flow and scopes."""
    own = (tf.compat.v1.GraphKeys.COND_CONTEXT, tf.compat.v1.GraphKeys.WHILE_CONTEXT)
    keys = graph.get_all_collection_keys() if in_graph() else []
    return [key for key in keys if isinstance(key, str) and key not in own]


def innermost() -> Collections | None:
    """Returns the collections being filled here, outside of a graph."""
    return _innermost.get()


def add_to_collections(names: str | Iterable[str] | None, value: Any) -> None:
    """Adds a value to one collection, to several, or to none.

    Args:
        names: A name, a list of names, or None.
        value: Usually a tensor.
    """
    names = [names] if isinstance(names, str) else list(names or ())
    if in_graph():
        tf.compat.v1.add_to_collections(names, value)
        return
    gathered = _innermost.get()
    if gathered is not None:
        for name in names:
            gathered.add(name, value)


def get_collection(name: str, scope: str | None = None) -> list[Any]:
    """Returns the values gathered under a name so far.

    Args:
        name: Such as `tf.compat.v1.GraphKeys.REGULARIZATION_LOSSES`.
        scope: A pattern that the beginning of the name scope must match.

    Raises:
        NoModuleError: Outside of a graph nothing gathers here.
    """
    if in_graph():
        return list(tf.compat.v1.get_collection(name, scope))
    gathered = _innermost.get()
    if gathered is None:
        raise NoModuleError(
            f"the collection {name!r} is empty here: outside of a graph, collections belong to a "
            "slim.Module being called or to a training step. Put the calls that fill it, and this "
            "one, into one block: with slim.collecting():"
        )
    return gathered.get(name, scope)


def clear_collection(name: str) -> None:
    """Empties a collection, of the graph or of the innermost thing that gathers."""
    if in_graph():
        del tf.compat.v1.get_collection_ref(name)[:]
        return
    gathered = _innermost.get()
    if gathered is not None:
        gathered.clear(name)
