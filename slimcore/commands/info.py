"""`slim info`."""

import inspect
from collections.abc import Iterator
from typing import Any

import click

import slimcore.registry as registry
from slimcore._discovery import HOOK_OF_KIND
from slimcore.commands import _tables
from slimcore.errors import SlimError, UnknownComponentError, close, first_line
from slimcore.hooks import Table
from slimcore.registry import Component


@click.command()
@click.argument("name")
@click.option("--kind", help="Kind of component, if several share the name.")
@click.option("--image-size", type=int, help="Height and width of a network's images.")
def info(name: str, kind: str | None, image_size: int | None) -> None:
    """Show the signature, summary and origin of NAME, and for a network its layers."""
    for component in _named(name, kind):
        value = component.load()
        click.echo(f"{component.kind} {component.name}{_signature(value)}")
        click.echo(f"  {_summary(component, value)}")
        click.echo(f"  from {component.distribution} {component.version}, {component.target}")
        for fact, figure in component.details.items():
            shown = f"{figure:,}" if isinstance(figure, int) else figure
            click.echo(f"  {fact.replace('_', ' ')}: {shown}")
        for table in _described(component, image_size):
            click.echo()
            _tables.show(table.columns, table.rows, right=table.columns[1:])


def _named(name: str, kind: str | None) -> list[Component]:
    found = registry.current()
    bare = name.rpartition(":")[2]
    kinds = [kind] if kind else [k for k in HOOK_OF_KIND if found.offers(k, bare)]
    if kinds:
        return [found.find(k, name) for k in kinds]
    for k, known in registry.first_party().items():
        if bare in known:
            found.find(k, name)  # raises, and says which package has it
    everything = {c.name for c in found.components()}
    raise UnknownComponentError(
        f"no component is named {name!r}{close(name, everything)}. "
        f"Looked in {found.looked_in()}. All of them: slim list"
    )


def _signature(value: object) -> str:
    if not callable(value) or isinstance(value, click.Command):
        return ""
    try:
        parameters = inspect.signature(value).parameters.values()
    except ValueError:  # some callables of C code have none
        return "(…)"
    return f"({', '.join(map(_parameter, parameters))})"


def _parameter(parameter: inspect.Parameter) -> str:
    """Returns a parameter as it is called: without its type, and functions by their names."""
    default = getattr(parameter.default, "__name__", None)
    if default is None or parameter.default is parameter.empty:
        return str(parameter.replace(annotation=parameter.empty))
    return f"{parameter.name}={default}"


def _summary(component: Component, value: object) -> str:
    return component.summary or (inspect.getdoc(value) or "no docstring").partition("\n")[0]


def _described(component: Component, image_size: int | None) -> Iterator[Table]:
    """Asks every plugin for tables; one whose hook raises is reported, and the others are asked."""
    arguments = {"component": component, "image_size": image_size}
    for impl in registry.current().manager.hook.slim_component_tables.get_hookimpls():
        try:
            given: Any = impl.function(*(arguments[name] for name in impl.argnames))
            tables = list(given or ())
        except SlimError:  # the user's mistake, such as an image that is too small
            raise
        except Exception as error:
            reason = f"{type(error).__name__}: {first_line(error)}"
            click.echo(f"{impl.plugin_name} cannot describe it further: {reason}", err=True)
        else:
            yield from tables
