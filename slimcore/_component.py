"""One thing that a plugin brought: what it is, where it is, who ships it; imported on demand."""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from slimcore.errors import ComponentLoadError, close


@dataclass(frozen=True)
class Component:
    """One thing that a plugin brought: what it is, where it is, and who ships it."""

    kind: str
    name: str
    distribution: str
    version: str
    target: str
    summary: str = ""
    details: Mapping[str, Any] = field(default_factory=dict, hash=False, compare=False)
    value: Any = field(default=None, repr=False, compare=False)  # of run-time components

    @property
    def qualified(self) -> str:
        """The name that always means this one: `slim-layers:conv2d`."""
        return f"{self.distribution}:{self.name}"

    def __str__(self) -> str:
        return f"{self.name} of {self.distribution} {self.version} ({self.target})".replace(
            "  ", " "
        )

    def load(self) -> Any:
        """Imports the component.

        Raises:
            ComponentLoadError: The module or the attribute is not there, or cannot be imported.
        """
        if self.value is not None:
            return self.value
        module_name, _, attributes = self.target.partition(":")
        try:
            value: Any = importlib.import_module(module_name)
        except Exception as error:
            raise ComponentLoadError(
                f"{self.kind} {self} cannot be imported: {type(error).__name__}: {error}. "
                f"Run: slim doctor"
            ) from error
        for attribute in filter(None, attributes.split(".")):
            if not hasattr(value, attribute):
                raise ComponentLoadError(
                    f"{self.kind} {self} does not exist: {module_name} has no {attribute!r}"
                    f"{close(attribute, dir(value))}. Report it to the authors of "
                    f"{self.distribution}"
                )
            value = getattr(value, attribute)
        return value
