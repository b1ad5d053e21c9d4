"""`slim list`."""

import click

import slimcore.registry as registry
from slimcore._discovery import HOOK_OF_KIND
from slimcore.commands import _tables
from slimcore.registry import Component


@click.command("list")
@click.argument("kind", required=False)
def list_components(kind: str | None) -> None:
    """List what plugins offer: all of it, or one KIND such as layer or nets.

    Nothing is imported, so that listing takes no time.
    """
    found = registry.current()
    kind = _singular(kind) if kind else None
    components = found.components(kind)
    # The figures; what else is known of a component, slim info tells.
    details = ((k, v) for c in components for k, v in c.details.items())
    facts = list(dict.fromkeys(k for k, v in details if isinstance(v, int))) if kind else []
    columns = [*([] if kind else ["kind"]), "name", *facts, "from", "summary"]
    rows = [
        [
            *([] if kind else [c.kind]),
            c.name,
            *(f"{c.details[fact]:,}" if fact in c.details else "" for fact in facts),
            _origin(c),
            c.summary,
        ]
        for c in components
    ]
    if components:
        _tables.show(columns, rows, right=facts)
    else:
        click.echo(f"No {kind or 'component'} is offered. Looked in {found.looked_in()}.")
    if found.set_aside:
        click.echo(f"{len(found.set_aside)} plugin(s) set aside; slim doctor says why.", err=True)


def _singular(kind: str) -> str:
    singular = {hook.removeprefix("slim_"): k for k, hook in HOOK_OF_KIND.items()}
    name = singular.get(kind.replace("-", "_"), kind.replace("-", "_"))
    registry.check_kind(name)
    return name


def _origin(component: Component) -> str:
    return f"{component.distribution} {component.version}".strip()
