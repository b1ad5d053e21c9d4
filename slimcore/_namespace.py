"""`slim` and the namespaces under it, such as `slim.losses`, whose names plugins bring."""

import types
from typing import Any

import slimcore.registry as registry
from slimcore.errors import UnknownComponentError, close

# The namespace in which each kind of component appears; other kinds are looked up by name only.
KINDS_IN = {
    "": ("layer", "regularizer", "initializer", "data_provider"),
    "layers": ("layer", "regularizer", "initializer"),
    "losses": ("loss",),
    "metrics": ("metric",),
    "nets": ("net",),
}


class Namespace(types.ModuleType):
    """Components of some kinds, the namespaces below, and the public names of a plugin's module.

    Attributes are looked up in this order, so that a third party's loss stands beside the
    first-party ones although `slim.losses` is a module of slim-losses.
    """

    def __init__(self, path: str) -> None:
        super().__init__(f"slim.{path}" if path else "slim")
        self._path = path

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # what the interpreter and its tools probe for
            raise AttributeError(f"{self.__name__} has no attribute {name!r}")
        return self.find(name)

    def find(self, name: str) -> Any:
        """Returns the component, namespace or module attribute of this name.

        Raises:
            UnknownComponentError: There is none.
            ConflictError: Several distributions offer it, and no preference chooses.
        """
        found = registry.current()
        kinds = KINDS_IN.get(self._path, ())
        for kind in kinds:
            if found.offers(kind, name):
                return found.load(kind, name)
        below = f"{self._path}.{name}" if self._path else name
        offered = found.names("namespace")
        if below in KINDS_IN or any(n.startswith(below + ".") for n in offered):
            return _namespace(below)
        if below in offered:
            return found.load("namespace", below)
        if self._path in offered:
            module = found.load("namespace", self._path)
            if hasattr(module, name):
                return getattr(module, name)
        return self._unknown(name, found)

    def names(self) -> list[str]:
        """Returns the names found here, without importing what only has to be listed."""
        found = registry.current()
        prefix = f"{self._path}." if self._path else ""
        below = {
            n.removeprefix(prefix).partition(".")[0]
            for n in [*found.names("namespace"), *KINDS_IN]
            if n.startswith(prefix)
        }
        own = {n for kind in KINDS_IN.get(self._path, ()) for n in found.names(kind)}
        return sorted(filter(None, below | own))

    def __dir__(self) -> list[str]:
        found = registry.current()
        public: list[str] = []
        if self._path in found.names("namespace"):
            module = found.load("namespace", self._path)
            public = getattr(module, "__all__", None) or [n for n in dir(module) if n[0] != "_"]
        return sorted({*self.names(), *public})

    def _unknown(self, name: str, found: registry.Registry) -> Any:
        kinds = KINDS_IN.get(self._path, ())
        below = f"{self._path}.{name}" if self._path else name
        for kind in (*kinds, "namespace"):
            known = registry.first_party().get(kind, {})
            if (below if kind == "namespace" else name) in known:
                return found.find(kind, below if kind == "namespace" else name)
        package = registry.first_party()["namespace"].get(self._path)
        if package and package not in found.distributions:
            found.find("namespace", self._path)
        raise UnknownComponentError(
            f"{self.__name__} has no {name!r}{close(name, dir(self))}. "
            f"Looked in {found.looked_in()}. All of them: slim list"
        )


_namespaces: dict[str, Namespace] = {}


def _namespace(path: str) -> Namespace:
    """Returns the one object for each namespace."""
    return _namespaces.setdefault(path, Namespace(path))


ROOT = _namespace("")
