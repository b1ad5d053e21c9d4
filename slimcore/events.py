"""What happens in a run, told to every plugin that follows it."""

import contextlib
import contextvars
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import slimcore.registry as registry
from slimcore.hooks import Run as Run

# Which hooks of which followers have failed in this run, by the follower's id.
_reported: contextvars.ContextVar[set[tuple[int, str]] | None] = contextvars.ContextVar(
    "reported", default=None
)


@contextlib.contextmanager
def following(run: Run, followers: Sequence[Any] = ()) -> Iterator[dict[str, Any]]:
    """Tells the start of a run, and how it ended, to every plugin and to some more objects.

        with following(run, followers) as results:
            results |= train()
            signals.leave()  # raises KeyboardInterrupt or SystemExit, if a signal came

    The run ends as "completed" if the block does; as "interrupted" if KeyboardInterrupt or
    SystemExit leaves it, and as "failed" if another exception does.

    Args:
        run: The run.
        followers: Objects that implement event hooks, which follow this run alone.

    Yields:
        The results that are told at the end, to be filled in.
    """
    results: dict[str, Any] = {}
    status = "failed"
    with followed_by(*followers):
        tell("slim_run_started", run=run)
        try:
            yield results
            status = "completed"
        except (KeyboardInterrupt, SystemExit):
            status = "interrupted"
            raise
        finally:
            tell("slim_run_ended", run=run, status=status, results=dict(results))


@contextlib.contextmanager
def followed_by(*plugins: Any) -> Iterator[None]:
    """Lets objects that implement event hooks follow what runs inside the block."""
    manager = registry.current().manager
    reported = _reported.set(set())
    for plugin in plugins:
        manager.register(plugin)
    try:
        yield
    finally:
        for plugin in filter(manager.is_registered, plugins):
            manager.unregister(plugin)
        _reported.reset(reported)


def tell(event: str, **arguments: Any) -> None:
    """Calls every implementation of an event hook, such as `slim_scalars_logged`.

    Each is called by itself, since one that raises would end a joint call. Its error is reported
    as a warning, once for each hook in a run; the follower hears of later events, and the run goes
    on.

    Args:
        event: The hook's name.
        **arguments: Its arguments; an implementation receives those that it names.
    """
    manager = registry.current().manager
    reported = _reported.get()
    for impl in reversed(getattr(manager.hook, event).get_hookimpls()):
        try:
            impl.function(*(arguments[name] for name in impl.argnames))
        except Exception as error:  # a follower's fault is not the run's
            failed = id(impl.plugin), event
            if reported is not None:
                if failed in reported:
                    continue
                reported.add(failed)
            name = getattr(impl.plugin, "__name__", type(impl.plugin).__name__)
            warnings.warn(
                f"the hook {event} of {name} raised {type(error).__name__}: {error}. The run goes "
                "on; further errors of this hook are not reported",
                RuntimeWarning,
                stacklevel=2,
            )
