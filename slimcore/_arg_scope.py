"""Shared defaults for the arguments of layers: `arg_scope`.

    with slim.arg_scope([slim.conv2d], padding="SAME", activation_fn=tf.nn.relu):
        net = slim.conv2d(images, 64, [11, 11], 4)
        net = slim.conv2d(net, 256, [5, 5], padding="VALID")  # a local argument wins

A scope is a value: it can be kept (`with slim.arg_scope(...) as scope`) and entered again
(`with slim.arg_scope(scope)`). The scope in force belongs to the current thread or async task
(`contextvars`), so that no other one sees it.
"""

import contextlib
import functools
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeVar

from slimcore.errors import ArgScopeError, ArgumentTypeError, close

F = TypeVar("F", bound=Callable[..., Any])


class Scope(Mapping[Any, Mapping[str, Any]]):
    """Defaults by function: `scope[arg_scope_func_key(conv2d)]` is `{"padding": "SAME", …}`.

    A mapping that does not change once it is made.
    """

    def __init__(
        self,
        values: Mapping[Any, Mapping[str, Any]],
        origins: Mapping[Any, Mapping[str, str]],
    ) -> None:
        self._values = values
        self._origins = origins

    def __getitem__(self, key: Any) -> Mapping[str, Any]:
        return self._values[key]

    def get(self, key: Any, default: Any = None) -> Any:
        """Returns the defaults of one function; every call of a layer comes through here."""
        return self._values.get(key, default)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def copy(self) -> dict[Any, dict[str, Any]]:
        """Returns the defaults as dicts that can be changed and entered as a scope."""
        return {key: dict(values) for key, values in self.items()}

    def origin(self, key: Any, argument: str) -> str:
        """Returns the `file:line` of the `with` that set this argument."""
        return self._origins.get(key, {}).get(argument, "a scope built by hand")

    def extended(self, keys: Sequence[Any], arguments: Mapping[str, Any], origin: str) -> "Scope":
        """Returns this scope with `arguments` set for every function in `keys`."""
        values, origins = {**self._values}, {**self._origins}
        for key in keys:
            values[key] = MappingProxyType({**values.get(key, {}), **arguments})
            origins[key] = {**origins.get(key, {}), **dict.fromkeys(arguments, origin)}
        return Scope(values, origins)


_EMPTY = Scope({}, {})
_current: ContextVar[Scope] = ContextVar("arg_scope", default=_EMPTY)


def current_arg_scope() -> Scope:
    """Returns the scope in force here."""
    return _current.get()


def add_arg_scope(func: F) -> F:
    """Decorates a function so that `arg_scope` can set its arguments.

    A call takes each argument from, in this order: the call itself, by position or by name; the
    innermost scope that sets it; the function's own default. Name, docstring and signature stay.
    """
    if has_arg_scope(func):
        return func
    parameters = inspect.signature(func).parameters.values()
    positional = [
        p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
    ]
    by_name = [p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    # The arguments that may be given by name, or None where the function takes any.
    takes_any = any(p.kind == p.VAR_KEYWORD for p in parameters)
    known = None if takes_any else frozenset(by_name)

    @functools.wraps(func)
    def with_defaults(*args: Any, **kwargs: Any) -> Any:
        if known is not None and not known.issuperset(kwargs):
            raise _unknown_argument(with_defaults, kwargs)
        scoped = _current.get().get(func)
        if not scoped:
            return func(*args, **kwargs)
        given = positional[: len(args)]
        defaults = {k: v for k, v in scoped.items() if k not in given}
        return func(*args, **{**defaults, **kwargs})

    with_defaults._key_op = func  # type: ignore[attr-defined]
    with_defaults._scopable = None if takes_any else by_name  # type: ignore[attr-defined]
    return with_defaults  # type: ignore[return-value]


def has_arg_scope(func: Any) -> bool:
    """Returns whether `func` was decorated with `add_arg_scope`."""
    return hasattr(func, "_key_op")


def arg_scope_func_key(op: Any) -> Any:
    """Returns the key of a decorated function in a scope."""
    return getattr(op, "_key_op", op)


def arg_scoped_arguments(func: Callable[..., Any]) -> tuple[str, ...]:
    """Returns the names of the arguments of `func` that have a default for a scope to replace.

    Raises:
        ArgScopeError: `func` was not decorated with `add_arg_scope`.
    """
    _check_decorated(func)
    parameters = inspect.signature(func).parameters.values()
    return tuple(p.name for p in parameters if p.default is not p.empty or p.kind == p.KEYWORD_ONLY)


@contextlib.contextmanager
def arg_scope(
    list_ops_or_scope: Sequence[Callable[..., Any]] | Mapping[Any, Mapping[str, Any]],
    **kwargs: Any,
) -> Iterator[Scope]:
    """Sets default arguments for functions, within a `with` block.

    Args:
        list_ops_or_scope: The functions, a list or tuple; or a scope to enter again, which then
            replaces the one in force.
        **kwargs: The defaults, for every function of the list. They add to those of the scopes
            around, and win over them.

    Yields:
        The scope, to be kept and entered again.

    Raises:
        ArgScopeError: A function is not decorated, or does not take one of the arguments; or
            arguments were given with a scope to enter again. The scopes around stay in force.
    """
    origin = _caller()
    if isinstance(list_ops_or_scope, Mapping):
        if kwargs:
            raise ArgScopeError(
                f"arg_scope got a scope to enter again and also {', '.join(sorted(kwargs))}; "
                "nest a second arg_scope for these"
            )
        scope = list_ops_or_scope
        if not isinstance(scope, Scope):
            scope = Scope(
                {key: MappingProxyType(dict(values)) for key, values in scope.items()},
                {key: dict.fromkeys(values, origin) for key, values in scope.items()},
            )
    elif isinstance(list_ops_or_scope, list | tuple):
        for op in list_ops_or_scope:
            _check_decorated(op)
            _check_arguments(op, kwargs)
        keys = [arg_scope_func_key(op) for op in list_ops_or_scope]
        scope = _current.get().extended(keys, kwargs, origin)
    else:
        raise ArgScopeError(
            "arg_scope takes a list or tuple of functions, or a scope to enter again; "
            f"got {type(list_ops_or_scope).__name__}"
        )
    token = _current.set(scope)
    try:
        yield scope
    finally:
        _current.reset(token)


@dataclass(frozen=True)
class Setting:
    """The value that one argument has here, and where it was set."""

    argument: str
    value: Any
    origin: str


class Explanation(tuple[Setting, ...]):
    """Settings, argument by argument; printed, a table."""

    name: str

    def __repr__(self) -> str:
        width = max((len(s.argument) for s in self), default=0)
        rows = (f"  {s.argument:<{width}} = {_short(s.value)}  ({s.origin})" for s in self)
        return "\n".join([f"{self.name} here:", *rows])

    __str__ = __repr__


def explain(func: Callable[..., Any]) -> Explanation:
    """Tells which value each argument of a layer has here, and which scope set it.

    Args:
        func: A function decorated with `add_arg_scope`.

    Returns:
        A tuple of `Setting`, in the order of the signature, that prints as a table. The origin is
        `file:line` of a scope, "default", or "no default".
    """
    _check_decorated(func)
    key, scope = arg_scope_func_key(func), _current.get()
    scoped = scope.get(key, {})
    parameters = inspect.signature(func).parameters
    settings = []
    for p in parameters.values():
        if p.name in scoped:
            settings.append(Setting(p.name, scoped[p.name], scope.origin(key, p.name)))
        elif p.default is not p.empty:
            settings.append(Setting(p.name, p.default, "default"))
        elif p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL):
            settings.append(Setting(p.name, None, "no default"))
    settings += [
        Setting(name, value, scope.origin(key, name))
        for name, value in scoped.items()
        if name not in parameters
    ]
    explanation = Explanation(settings)
    explanation.name = getattr(func, "__name__", repr(func))
    return explanation


def _check_decorated(op: Any) -> None:
    if not has_arg_scope(op):
        name = getattr(op, "__name__", repr(op))
        raise ArgScopeError(f"{name} cannot be scoped: decorate it with @slim.add_arg_scope")


def _check_arguments(op: Any, arguments: Mapping[str, Any]) -> None:
    for argument in arguments:
        if op._scopable is not None and argument not in op._scopable:
            raise ArgScopeError(
                f"{op.__name__} has no argument {argument!r}{close(argument, op._scopable)}"
            )


def _unknown_argument(op: Any, given: Mapping[str, Any]) -> ArgumentTypeError:
    name, value = next((k, v) for k, v in given.items() if k not in op._scopable)
    scope = given.get("scope")
    # Without TensorFlow there are no variable scopes, and this module does without.
    if scope is not None and "tensorflow" in sys.modules:
        around = sys.modules["tensorflow"].compat.v1.get_variable_scope().name
        scope = "/".join(filter(None, [around, getattr(scope, "name", scope)]))
    place = f" (scope {scope})" if scope else ""
    return ArgumentTypeError(
        f"{op.__name__}{place} has no argument {name!r}, given as {_short(value)}"
        f"{close(name, op._scopable)}"
    )


def _caller() -> str:
    """Returns the `file:line` of the `with` statement, whoever entered it on its behalf."""
    frame = sys._getframe(1)
    while frame.f_back and frame.f_code.co_filename in (__file__, contextlib.__file__):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"


def _short(value: Any) -> str:
    text = getattr(value, "__name__", None) or repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
