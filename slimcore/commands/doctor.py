"""`slim doctor`."""

import platform
import sys
from collections.abc import Iterator

import click
import importlib_metadata

import slimcore.registry as registry
from slimcore.errors import ComponentLoadError, ConflictError, PreferenceError
from slimcore.hooks import PLUGIN_API


@click.command()
@click.argument("run", required=False)
def doctor(run: str | None) -> None:
    """Find what is wrong with this installation, or with a RUN, and suggest a remedy.

    Without RUN, every component is imported. RUN is the folder of a run: its moving statistics are
    checked, and its network is evaluated on a few batches. The exit status is 1 if a problem was
    found.
    """
    facts, troubles = _of_a_run(run) if run else _of_the_installation()
    for fact in facts:
        click.echo(fact)
    for trouble in troubles:
        click.echo(f"✗ {' '.join(trouble.split())}")
    click.echo(f"{len(troubles)} problem(s) found." if troubles else "No problems found.")
    sys.exit(1 if troubles else 0)


def _of_a_run(logdir: str) -> tuple[list[str], list[str]]:
    seen = registry.lookup("namespace", "learning.diagnosis").diagnose(logdir)
    return seen.facts, seen.troubles


def _of_the_installation() -> tuple[list[str], list[str]]:
    """Returns what is installed, and what is wrong with it."""
    found = registry.current()
    facts = [
        f"Python {platform.python_version()}, {sys.executable}",
        f"TensorFlow {_tensorflow()}",
        f"slimcore {importlib_metadata.version('slimcore')}",
        f"plugin API {PLUGIN_API} (serves {PLUGIN_API - 1} and {PLUGIN_API})",
        f"in use: {found.looked_in()}",
    ]
    troubles = list(_troubles(found))
    if not troubles:
        facts.append(f"all {len(found.components())} components can be imported")
    return facts, troubles


def _tensorflow() -> str:
    """Returns the versions of TensorFlow and of the Keras in it, however they were installed."""
    try:
        import tensorflow as tf
    except ImportError as error:
        return f"cannot be imported: {error}. Run: pip install tensorflow"
    return f"{tf.__version__}, Keras {tf.keras.__version__}"


def _troubles(found: registry.Registry) -> Iterator[str]:
    for aside in found.set_aside:
        yield f"set aside: {aside}"
    asked = {(c.kind, c.name) for c in found.components()}
    for preference in found.preferences.prefer:
        kind, colon, bare = preference.name.rpartition(":")
        kinds = [kind] if colon else sorted({k for k, n in asked if n == bare})
        if not kinds:
            yield f"{preference.source} prefers {preference.name!r}, which nobody offers"
        asked |= {(k, bare) for k in kinds}
    for kind, name in sorted(asked):
        try:
            found.find(kind, name)
        except (ConflictError, PreferenceError) as error:
            yield str(error)
    for component in found.components():
        try:
            component.load()
        except ComponentLoadError as error:
            yield str(error)
