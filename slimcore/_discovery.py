"""Finds the plugins that are installed, and sets aside those that cannot be used.

Entry points are enumerated here, one by one, because pluggy's own loader drops the second
distribution that uses an entry-point name, and lets one ImportError stop the rest.
"""

import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import importlib_metadata
import pluggy

import slimcore.hooks as hooks
from slimcore._preferences import Preferences, normalized
from slimcore.errors import close

GROUP = "slimcore"

# Kinds of components, and the hook that offers each.
HOOK_OF_KIND = {
    "layer": "slim_layers",
    "regularizer": "slim_regularizers",
    "initializer": "slim_initializers",
    "loss": "slim_losses",
    "metric": "slim_metrics",
    "net": "slim_nets",
    "data_provider": "slim_data_providers",
    "dataset": "slim_datasets",
    "decoder": "slim_decoders",
    "preprocessing": "slim_preprocessing",
    "task": "slim_tasks",
    "namespace": "slim_namespaces",
    "command": "slim_commands",
}


@dataclass(frozen=True)
class SetAside:
    """A plugin that is installed and not used: why, and what would change that."""

    distribution: str
    version: str
    plugin: str
    reason: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.distribution} {self.version} ({self.plugin}): {self.reason}. {self.remedy}"


@dataclass(frozen=True)
class Offered:
    """One thing that one distribution offers."""

    kind: str
    name: str
    distribution: str
    version: str
    offer: hooks.Offer


@dataclass(frozen=True)
class Discovery:
    """Everything found: the offers of good plugins, and the plugins set aside."""

    manager: pluggy.PluginManager
    offered: tuple[Offered, ...]
    set_aside: tuple[SetAside, ...]
    distributions: dict[str, str]  # of good plugins, name -> version


class _UnfitError(Exception):
    """Why a plugin is set aside, and the remedy."""


def installed_entry_points() -> Iterable[importlib_metadata.EntryPoint]:
    """Returns the entry points of the group, each distribution once.

    `importlib_metadata` keeps the first of several copies of one distribution on the path, such
    as an editable install and its leftover metadata.
    """
    return importlib_metadata.entry_points(group=GROUP)


def discover(entry_points: Iterable[Any], preferences: Preferences) -> Discovery:
    """Imports and registers each plugin, and asks what it offers.

    Args:
        entry_points: Objects with `name`, `value`, `dist` and `load()`.
        preferences: Whose `disable` names the distributions that are not even imported.
    """
    manager = pluggy.PluginManager(GROUP)
    manager.add_hookspecs(hooks)
    offered: list[Offered] = []
    set_aside: list[SetAside] = []
    distributions: dict[str, str] = {}
    named = [(normalized(entry.dist.name), entry) for entry in entry_points]
    for name, entry in sorted(named, key=lambda pair: (pair[0], pair[1].name)):
        version, label = entry.dist.version, f"{name}:{entry.name}"
        try:
            _check_allowed(name, preferences)
            _check_core_version(entry.dist)
            offers = list(_register(manager, label, entry))
        except _UnfitError as unfit:
            set_aside.append(SetAside(name, version, entry.value, *unfit.args))
        else:
            offered += (Offered(kind, n, name, version, offer) for kind, n, offer in offers)
            distributions[name] = version
    return Discovery(manager, tuple(offered), tuple(set_aside), distributions)


def _check_allowed(name: str, preferences: Preferences) -> None:
    if source := preferences.disable.get(name):
        raise _UnfitError(f"switched off by {source}", "Take it off that list to use it.")


def _check_core_version(dist: Any) -> None:
    """Reads, before anything is imported, which core the plugin is for."""
    from packaging.requirements import InvalidRequirement, Requirement

    ours = importlib_metadata.version("slimcore")
    for line in dist.requires or ():
        try:
            requirement = Requirement(line)
        except InvalidRequirement:
            continue
        if normalized(requirement.name) != "slimcore" or not requirement.specifier:
            continue
        if not requirement.specifier.contains(ours, prereleases=True):
            raise _UnfitError(
                f"it is for slimcore{requirement.specifier}, and this is slimcore {ours}",
                f"Run: pip install --upgrade {dist.name} slimcore",
            )
    keywords = dist.metadata.get("Keywords") or ""
    for word in keywords.replace(",", " ").split():
        level = word.removeprefix("slimcore-api-")
        if level == word or not level.isdigit():
            continue
        if not hooks.PLUGIN_API - 1 <= int(level) <= hooks.PLUGIN_API:
            raise _UnfitError(
                f"it is written for plugin API {level}, and this core serves "
                f"{hooks.PLUGIN_API - 1} and {hooks.PLUGIN_API}",
                f"Run: pip install --upgrade {dist.name} slimcore",
            )


def _register(
    manager: pluggy.PluginManager, label: str, entry: Any
) -> Iterator[tuple[str, str, hooks.Offer]]:
    """Registers one plugin and yields its offers; on any fault, the plugin is out again."""
    ask = f"Report it to the authors of {entry.dist.name}, or: pip uninstall {entry.dist.name}"
    try:
        plugin = entry.load()
    except Exception as error:  # whatever a plugin raises, the others go on
        raise _UnfitError(f"importing it raised {_what(error)}", ask) from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pluggy.PluggyWarning)
            manager.register(plugin, label)
    except Exception as error:  # pluggy found a hook whose arguments do not fit
        if manager.has_plugin(label):
            manager.unregister(name=label)
        raise _UnfitError(f"its hooks do not fit: {_what(error)}", ask) from error
    try:
        _check_spelling(manager, plugin, ask)
        offers = list(_offers(manager, plugin, ask))
    except _UnfitError:
        manager.unregister(plugin)
        raise
    yield from offers


def _check_spelling(manager: pluggy.PluginManager, plugin: Any, ask: str) -> None:
    """Names every hook that has no specification; pluggy's `check_pending` names only one."""
    known = [name for name in vars(hooks) if name.startswith("slim_")]
    unknown = [
        caller.name
        for caller in manager.get_hookcallers(plugin) or ()
        if not caller.has_spec()
        and not any(i.optionalhook for i in caller.get_hookimpls() if i.plugin is plugin)
    ]
    if unknown:
        guesses = ". ".join(f"{name}{close(name, known)}" for name in unknown)
        raise _UnfitError(f"it implements a hook that does not exist: {guesses}", ask)


def _offers(
    manager: pluggy.PluginManager, plugin: Any, ask: str
) -> Iterator[tuple[str, str, hooks.Offer]]:
    for kind, hook in HOOK_OF_KIND.items():
        for impl in getattr(manager.hook, hook).get_hookimpls():
            if impl.plugin is not plugin:
                continue
            try:
                result = impl.function()
            except Exception as error:
                raise _UnfitError(f"its hook {hook} raised {_what(error)}", ask) from error
            if not isinstance(result, dict):
                raise _UnfitError(
                    f"its hook {hook} returned {type(result).__name__}, not a dict of names to "
                    '"module:attribute"',
                    ask,
                )
            for name, offer in result.items():
                offer = hooks.Offer(offer) if isinstance(offer, str) else offer
                if not _well_formed(kind, name, offer):
                    raise _UnfitError(
                        f"its hook {hook} returned {name!r}: {offer!r}, and a {kind} is a name and "
                        + ('a "module"' if kind == "namespace" else 'a "module:attribute"'),
                        ask,
                    )
                yield kind, name, offer


def _well_formed(kind: str, name: object, offer: object) -> bool:
    if not (isinstance(name, str) and name and isinstance(offer, hooks.Offer)):
        return False
    module, colon, attribute = offer.target.partition(":")
    dotted = f"{module}.{attribute}" if colon else module
    return bool(colon or kind == "namespace") and all(p.isidentifier() for p in dotted.split("."))


def _what(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"
