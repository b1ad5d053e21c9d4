"""`slim info`."""

import inspect

import click

import slimcore.registry as registry
from slimcore.commands import _tables
from slimcore.discovery import HOOK_OF_KIND
from slimcore.errors import UnknownComponentError, nearest
from slimcore.registry import Component


@click.command()
@click.argument("name")
@click.option("--kind", help="Which kind, where several have the name.")
@click.option("--image-size", type=int, help="For a network: the input's height and width.")
def info(name: str, kind: str | None, image_size: int | None) -> None:
    """Show NAME's signature, summary and provenance, and for a network its layers."""
    for component in _named(name, kind):
        value = component.load()
        click.echo(f"{component.kind} {component.name}{_signature(value)}")
        click.echo(f"  {_summary(component, value)}")
        click.echo(f"  from {component.distribution} {component.version}, {component.target}")
        for fact, figure in component.details.items():
            shown = f"{figure:,}" if isinstance(figure, int) else figure
            click.echo(f"  {fact.replace('_', ' ')}: {shown}")
        if component.kind == "net" and registry.current().offers("namespace", "nets.analysis"):
            _show_layers(component.qualified, image_size)


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
        f"no component is named {name!r}. Close: {nearest(name, everything)}. "
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


def _show_layers(name: str, image_size: int | None) -> None:
    analysis = registry.lookup("namespace", "nets.analysis").describe(name, image_size=image_size)
    click.echo()
    _tables.show(analysis.columns, analysis.rows, right=analysis.columns[1:])
