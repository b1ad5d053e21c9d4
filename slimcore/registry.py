"""Every component by kind and name: where it comes from, who else offers it, and its code.

Discovery runs once, when a name is first asked for. Nothing here imports TensorFlow, and a
component is imported when it is first loaded.
"""

import inspect
import json
import threading
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import slimcore._preferences as prefs
from slimcore._component import Component as Component
from slimcore._discovery import HOOK_OF_KIND, Discovery, SetAside, discover, installed_entry_points
from slimcore.errors import (
    ConflictError,
    PreferenceError,
    UnknownComponentError,
    close,
)

_RUN_TIME = "run-time"
"""The distribution that components registered in the running program belong to."""

F = TypeVar("F", bound=Callable[..., Any])


def check_kind(kind: str) -> None:
    """Raises UnknownComponentError unless `kind` is a kind of component."""
    if kind not in HOOK_OF_KIND:
        raise UnknownComponentError(
            f"no kind of component is named {kind!r}{close(kind, HOOK_OF_KIND)}. "
            f"All of them: {', '.join(HOOK_OF_KIND)}"
        )


class Registry:
    """The components of one discovery, the preferences over them, and what is imported so far."""

    def __init__(self, found: Discovery, preferences: prefs.Preferences) -> None:
        self.manager = found.manager
        self.set_aside: tuple[SetAside, ...] = found.set_aside
        self.distributions = found.distributions
        self.preferences = preferences
        self._by_name: dict[tuple[str, str], dict[str, Component]] = {}
        self._loaded: dict[tuple[str, str], Any] = {}
        for o in found.offered:
            self.add(
                Component(
                    o.kind,
                    o.name,
                    o.distribution,
                    o.version,
                    o.offer.target,
                    o.offer.summary,
                    o.offer.details,
                )
            )

    def add(self, component: Component) -> None:
        """Adds a component; one of the same distribution and name gives way."""
        key = component.kind, component.name
        self._by_name.setdefault(key, {})[component.distribution] = component
        self._loaded.pop(key, None)

    def components(self, kind: str | None = None) -> list[Component]:
        """Returns all components, conflicting ones included, sorted by kind, name, distribution."""
        order = list(HOOK_OF_KIND)
        return sorted(
            (c for (k, _), cs in self._by_name.items() if kind in (None, k) for c in cs.values()),
            key=lambda c: (order.index(c.kind), c.name, c.distribution),
        )

    def names(self, kind: str) -> list[str]:
        """Returns the names offered for a kind, sorted."""
        return sorted(name for k, name in self._by_name if k == kind)

    def offers(self, kind: str, name: str) -> bool:
        """Returns whether anybody offers this name."""
        return (kind, name) in self._by_name

    def find(self, kind: str, name: str) -> Component:
        """Returns the component that a name means.

        Args:
            kind: One of the kinds, such as "layer".
            name: A name, or a qualified one such as `slim-layers:conv2d`.

        Raises:
            UnknownComponentError: Nobody offers it.
            ConflictError: Several distributions offer it, and no preference chooses.
            PreferenceError: A preference asks for a distribution that does not offer it.
        """
        check_kind(kind)
        distribution, colon, rest = name.partition(":")
        if colon:
            component = self._by_name.get((kind, rest), {}).get(prefs.normalized(distribution))
            return component or self._unknown(kind, rest, distribution)
        candidates = self._by_name.get((kind, name), {})
        preference = self.preferences.for_component(kind, name)
        if preference:
            return candidates.get(preference.distribution) or self._unmet(
                kind, name, preference, candidates
            )
        if len(candidates) > 1:
            raise ConflictError(
                f"{len(candidates)} distributions offer the {kind} {name!r}: "
                f"{'; '.join(map(str, candidates.values()))}. Choose one: "
                f"slim.prefer({name!r}, {next(iter(candidates))!r}), or "
                f"SLIM_PREFER={name}={next(iter(candidates))}, or [tool.slim] prefer in "
                f"pyproject.toml, or ask for {next(iter(candidates.values())).qualified!r}"
            )
        return next(iter(candidates.values()), None) or self._unknown(kind, name)

    def load(self, kind: str, name: str) -> Any:
        """Returns what a name stands for, imported."""
        key = kind, name
        if key not in self._loaded:
            self._loaded[key] = self.find(kind, name).load()
        return self._loaded[key]

    def _unmet(
        self,
        kind: str,
        name: str,
        preference: prefs.Preference,
        candidates: Mapping[str, Component],
    ) -> NoReturn:
        wanted = preference.distribution
        if wanted == _RUN_TIME:
            trouble, remedy = "which nothing has registered yet", f"Use @slim.register_{kind}"
        elif any(aside.distribution == wanted for aside in self.set_aside):
            trouble, remedy = "which is set aside (slim doctor says why)", "Repair it"
        elif wanted in self.distributions:
            trouble, remedy = "which does not offer it", "Correct the preference"
        else:
            trouble, remedy = "which is not installed", f"Run: pip install {wanted}"
        offers = "; ".join(map(str, candidates.values())) or "nobody else"
        raise PreferenceError(
            f"{preference.source} prefers the {kind} {name!r} of {wanted}, {trouble}. "
            f"Offered by {offers}. {remedy}, or remove the preference"
        )

    def _unknown(self, kind: str, name: str, distribution: str = "") -> NoReturn:
        if distribution and prefs.normalized(distribution) not in self.distributions:
            raise UnknownComponentError(
                f"no installed plugin is named {distribution!r}, asked for in "
                f"{distribution}:{name}{close(distribution, self.distributions)}. "
                f"Looked in {self.looked_in()}"
            )
        package = first_party().get(kind, {}).get(name)
        if package and package not in self.distributions:
            aside = next((a for a in self.set_aside if a.distribution == package), None)
            raise UnknownComponentError(
                f"{kind} {name!r} comes with {package}: "
                + (f"it is installed but set aside: {aside}" if aside else f"pip install {package}")
            )
        where = f" in {distribution}" if distribution else ""
        raise UnknownComponentError(
            f"no {kind} is named {name!r}{where}{close(name, self.names(kind))}. "
            f"Looked in {self.looked_in()}. All of them: slim list {kind}"
        )

    def looked_in(self) -> str:
        """Returns the distributions in use, with their versions, as a phrase."""
        return ", ".join(f"{n} {v}" for n, v in sorted(self.distributions.items())) or "no plugin"


# The registry of this process. Run-time components and what code prefers outlive a new discovery.

_lock = threading.RLock()
_current: Registry | None = None
_prefer: dict[str, str] = {}
_disable: list[str] = []
_registered: dict[tuple[str, str], Component] = {}


def current() -> Registry:
    """Returns the registry, discovering the plugins first where that has not happened."""
    global _current
    if _current is None:
        with _lock:
            if _current is None:
                preferences = prefs.read(_prefer, _disable)
                registry = Registry(discover(installed_entry_points(), preferences), preferences)
                for component in _registered.values():
                    registry.add(component)
                _current = registry
    return _current


def rediscover() -> None:
    """Forgets what was discovered, so that the next use looks again at what is installed."""
    global _current
    with _lock:
        _current = None


def component(kind: str, name: str) -> Component:
    """Returns the record of a component, without importing it. See `Registry.find`."""
    return current().find(kind, name)


def components(kind: str | None = None) -> list[Component]:
    """Returns the records of all components, or of one kind, without importing them."""
    return current().components(kind)


def lookup(kind: str, name: str) -> Any:
    """Returns a component, imported: `slim.lookup("decoder", "image/png")`.

    See `Registry.find` for the names allowed and the errors raised.
    """
    return current().load(kind, name)


def prefer(name: str, distribution: str) -> None:
    """Chooses the distribution that `name` comes from, in this process.

    Args:
        name: Such as `conv2d` or `image/png`, or with its kind, `decoder:image/png`.
        distribution: Such as `acme-layers`; `run-time` means what this program registered.
    """
    _prefer[name] = distribution
    rediscover()


def disable(distribution: str) -> None:
    """Switches every plugin of a distribution off, in this process."""
    _disable.append(distribution)
    rediscover()


def register(kind: str, name: str | None = None) -> Callable[[F], F]:
    """Returns a decorator that offers a function for as long as this program runs.

    Registering a name again replaces the earlier function, as when a notebook cell is run again.
    A name that a plugin also offers is a conflict, which `slim.prefer(name, "run-time")` settles.

    Args:
        kind: One of the kinds, such as "layer".
        name: The function's own name by default.
    """

    check_kind(kind)

    def decorate(function: F) -> F:
        own_name = name or function.__name__
        summary = (inspect.getdoc(function) or "").partition("\n")[0]
        target = f"{function.__module__}:{function.__qualname__}"
        new = Component(kind, own_name, _RUN_TIME, "", target, summary, {}, function)
        with _lock:
            _registered[kind, own_name] = new
            if _current is not None:
                _current.add(new)
        return function

    return decorate


def decorator(kind: str) -> Callable[[Any], Any]:
    """Returns `slim.register_<kind>`, which takes the function, or a name for it.

    @slim.register_layer
    def blur(inputs): ...

    @slim.register_decoder("image/png")
    def decode(contents, channels=0): ...
    """
    check_kind(kind)

    def decorate(target: Any) -> Any:
        return register(kind)(target) if callable(target) else register(kind, target)

    return decorate


@cache
def first_party() -> dict[str, dict[str, str]]:
    """Returns kind -> name -> distribution for what Slim's own packages offer, installed or not."""
    path = Path(__file__).with_name("first_party.json")
    table: dict[str, dict[str, str]] = json.loads(path.read_text(encoding="utf-8"))
    return table
