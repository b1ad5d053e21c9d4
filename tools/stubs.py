"""Writes what the core knows of Slim's own packages without having them.

    python tools/stubs.py [--check]

- `slimcore/first_party.json`: kind -> name -> distribution, for "comes with slim-layers: pip
  install slim-layers".
- `slimcore/__init__.pyi` and `slimcore/_names/*.pyi`: the names of `slim` and of the namespaces
  under it, for editors and type checkers.

All of it follows from what the packages offer; run it after changing a `plugin.py`.
"""

import argparse
import json
import sys
from pathlib import Path

import slimcore
import slimcore.registry as registry
from slimcore._discovery import HOOK_OF_KIND
from slimcore._namespace import KINDS_IN

CORE = Path(slimcore.__file__).parent
HEADER = "# Written by tools/stubs.py.\n"


def first_party() -> list[registry.Component]:
    """Returns the components of Slim's own packages."""
    return [c for c in registry.components() if c.distribution.startswith("slim-")]


def table(components: list[registry.Component]) -> str:
    """Returns the text of first_party.json."""
    kinds: dict[str, dict[str, str]] = {}
    for c in components:
        kinds.setdefault(c.kind, {})[c.name] = c.distribution
    return json.dumps(kinds, indent=1, sort_keys=True) + "\n"


def stub(path: str, components: list[registry.Component]) -> str:
    """Returns the stub of one namespace; "" is `slim` itself."""
    prefix = f"{path}." if path else ""
    lines = set()
    for c in components:
        module, _, attribute = c.target.partition(":")
        if c.kind in KINDS_IN.get(path, ()):
            lines.add(f"from {module} import {attribute} as {c.name}")
        elif c.kind == "namespace" and c.name == path:
            lines.add(f"from {module} import *")
        elif c.kind == "namespace" and c.name.startswith(prefix):
            name, dot, _ = c.name.removeprefix(prefix).partition(".")
            if not dot and f"{prefix}{name}" not in namespaces(components):
                package, dot, leaf = module.rpartition(".")
                lines.add(f"{f'from {package} ' if dot else ''}import {leaf} as {name}")
    for below in namespaces(components):
        parent, _, name = below.rpartition(".")
        if parent == path:
            lines.add(f"from slimcore._names import {below.replace('.', '_')} as {name}")
    return "\n".join(sorted(lines)) + "\n"


def namespaces(components: list[registry.Component]) -> set[str]:
    """Returns the namespaces that are more than one module, and so have a stub of their own."""
    parents = {c.name.rpartition(".")[0] for c in components if c.kind == "namespace"}
    return {*KINDS_IN, *parents} - {""}


def root(components: list[registry.Component]) -> str:
    """Returns the stub of `slim` itself: the core's names, and then the plugins'."""
    core = [
        f"from slimcore.{place} import {name} as {name}"
        for name, place in vars(slimcore)["_PLACES"].items()
    ]
    registers = [f"def register_{kind}(target: Any) -> Any: ..." for kind in HOOK_OF_KIND]
    lines = ["from typing import Any", *sorted(core), stub("", components), *registers]
    return "\n".join([*lines, "__version__: str", ""])


def files() -> dict[Path, str]:
    """Returns every file and its text."""
    components = first_party()
    texts = {
        CORE / "first_party.json": table(components),
        CORE / "__init__.pyi": HEADER + root(components),
    }
    for path in namespaces(components):
        texts[CORE / "_names" / f"{path.replace('.', '_')}.pyi"] = HEADER + stub(path, components)
    return texts


def main() -> None:
    """Writes the files, or with --check says whether they are as they would be written."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="only compare")
    check = parser.parse_args().check
    stale = [p for p, text in files().items() if not p.exists() or p.read_text() != text]
    for path in stale:
        print(f"{path.name} {'is not up to date; run: nox -s stubs' if check else 'written'}")
        if not check:
            path.parent.mkdir(exist_ok=True)
            path.write_text(files()[path])
    sys.exit(bool(stale and check))


if __name__ == "__main__":
    main()
