"""What happens in a run, told to every plugin that follows it."""

import contextlib
import warnings
from collections.abc import Iterator
from typing import Any

import slimcore.registry as registry
from slimcore.hooks import Run as Run


@contextlib.contextmanager
def followed_by(*plugins: Any) -> Iterator[None]:
    """Lets objects that implement event hooks follow what runs inside the block."""
    manager = registry.current().manager
    for plugin in plugins:
        manager.register(plugin)
    try:
        yield
    finally:
        for plugin in filter(manager.is_registered, plugins):
            manager.unregister(plugin)


def tell(event: str, **arguments: Any) -> None:
    """Calls every implementation of an event hook, such as `slim_scalars_logged`.

    Each is called by itself, for one that raises would end a joint call: it is reported once, as
    a warning, is not called again, and the run goes on.

    Args:
        event: The hook's name.
        **arguments: Its arguments; an implementation receives those that it names.
    """
    manager = registry.current().manager
    for impl in reversed(getattr(manager.hook, event).get_hookimpls()):
        try:
            impl.function(*(arguments[name] for name in impl.argnames))
        except Exception as error:  # a follower's fault is not the run's
            manager.unregister(impl.plugin)
            name = getattr(impl.plugin, "__name__", type(impl.plugin).__name__)
            warnings.warn(
                f"{name} no longer follows this run: its hook {event} raised "
                f"{type(error).__name__}: {error}",
                RuntimeWarning,
                stacklevel=2,
            )
