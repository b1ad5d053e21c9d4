"""Which distribution a name comes from, and which plugins are switched off.

Three places say so; the first that mentions a name wins:

1. code: `slim.prefer("conv2d", "acme-layers")`, `slim.disable("acme-layers")`;
2. the environment: `SLIM_PREFER="conv2d=acme-layers,image/png=fast-png"`,
   `SLIM_DISABLE="acme-layers"`;
3. the nearest `pyproject.toml`, here or in a folder above:

       [tool.slim]
       prefer = {conv2d = "acme-layers", "image/png" = "fast-png"}
       disable = ["acme-layers"]

A name may carry its kind, as in `decoder:image/png`, where two kinds share it.
"""

import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from slimcore.errors import PreferenceError, close

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_KEYS = "prefer", "disable"  # of the table [tool.slim]


@dataclass(frozen=True)
class Preference:
    """The distribution that a name should come from, and who said so."""

    name: str
    distribution: str
    source: str


@dataclass(frozen=True)
class Preferences:
    """All that has been said, the strongest source first."""

    prefer: tuple[Preference, ...] = ()
    disable: Mapping[str, str] = field(default_factory=dict)  # distribution -> source

    def for_component(self, kind: str, name: str) -> Preference | None:
        """Returns the preference in force for this component, if any."""
        wanted = (name, f"{kind}:{name}")
        return next((p for p in self.prefer if p.name in wanted), None)


def normalized(distribution: str) -> str:
    """Returns a distribution's name as the packaging standards compare it (PEP 503)."""
    return distribution.strip().replace("_", "-").replace(".", "-").lower()


def read(prefer: Mapping[str, str], disable: Iterable[str]) -> Preferences:
    """Joins what code said with the environment and `pyproject.toml`."""
    sources = [_Said("slim.prefer", dict(prefer), list(disable)), _environment(), _pyproject()]
    return Preferences(
        prefer=tuple(
            Preference(name, normalized(distribution), said.source)
            for said in sources
            for name, distribution in said.prefer.items()
        ),
        disable={
            normalized(name): said.source for said in reversed(sources) for name in said.disable
        },
    )


@dataclass(frozen=True)
class _Said:
    source: str
    prefer: Mapping[str, str] = field(default_factory=dict)
    disable: list[str] = field(default_factory=list)


def _environment() -> _Said:
    prefer = {}
    for entry in filter(None, map(str.strip, os.environ.get("SLIM_PREFER", "").split(","))):
        name, equals, distribution = map(str.strip, entry.partition("="))
        if not (name and equals and distribution):
            raise PreferenceError(
                f"SLIM_PREFER holds {entry!r}; write NAME=DISTRIBUTION, separated by commas"
            )
        prefer[name] = distribution
    disable = filter(None, map(str.strip, os.environ.get("SLIM_DISABLE", "").split(",")))
    return _Said("the environment", prefer, list(disable))


def _pyproject() -> _Said:
    path = _nearest_pyproject()
    if path is None:
        return _Said("pyproject.toml")
    try:
        # Some editors begin a file with a byte-order mark, which TOML does not know.
        values: Any = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise PreferenceError(f"{path} cannot be read for [tool.slim]: {error}") from error
    for key in ("tool", "slim"):
        values = values.get(key, {})
        if not isinstance(values, dict):
            raise PreferenceError(f"{key} in {path} is {values!r:.50}; write a table, [tool.slim]")
    for key in values:
        if key not in _KEYS:
            raise PreferenceError(
                f"[tool.slim] in {path} has {key!r}{close(key, _KEYS)}. It may have "
                f"{' and '.join(_KEYS)}"
            )
    prefer, disable = values.get("prefer", {}), values.get("disable", [])
    if not (isinstance(prefer, dict) and all(isinstance(d, str) for d in prefer.values())):
        raise PreferenceError(
            f"[tool.slim] prefer in {path} is {prefer!r}; write a table of names to distributions, "
            'such as prefer = {conv2d = "acme-layers"}'
        )
    if not (isinstance(disable, list) and all(isinstance(d, str) for d in disable)):
        raise PreferenceError(
            f"[tool.slim] disable in {path} is {disable!r}; write a list of distributions"
        )
    return _Said(str(path), prefer, disable)


def _nearest_pyproject() -> Path | None:
    try:
        here = Path.cwd()
    except FileNotFoundError:  # the present folder was deleted
        return None
    return next((p for d in (here, *here.parents) if (p := d / "pyproject.toml").is_file()), None)
