"""Options of commands: under headings in the help, and also by the names of research/slim."""

from typing import Any

import click

from slimcore.text import shown

# research/slim's train_image_classifier and eval_image_classifier use other names. Beside
# them, `_` may stand for `-` in any name: `--batch_size` is `--batch-size`.
SECOND_NAMES = {
    "train-dir": "logdir",
    "eval-dir": "to",
    "model-name": "net",
    "dataset-name": "dataset",
    "dataset-split-name": "split",
    "preprocessing-name": "preprocessing",
    "train-image-size": "image-size",
    "eval-image-size": "image-size",
    "max-number-of-steps": "steps",
    "max-num-batches": "batches",
    "eval-interval-secs": "interval-secs",
    "learning-rate-decay-type": "learning-rate-decay",
    "num-epochs-per-decay": "epochs-per-decay",
    "log-every-n-steps": "log-every",
    "save-interval-secs": "save-secs",
    "save-summaries-secs": "summary-secs",
    "checkpoint-path": "checkpoint",
    "checkpoint-exclude-scopes": "exclude-scopes",
    "ignore-missing-vars": "ignore-missing",
}


class Command(click.Command):
    """A command whose help puts options under headings, and which knows their second names."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        for argument in args:
            require_utf8(argument)
        return super().parse_args(ctx, [_with_first_name(argument) for argument in args])

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        sections: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            if record := parameter.get_help_record(ctx):
                sections.setdefault(getattr(parameter, "section", "Other"), []).append(record)
        for title, records in sections.items():
            with formatter.section(title):
                formatter.write_dl(records)


def _with_first_name(argument: str) -> str:
    """Returns an argument; an option, `--name` or `--name=value`, by its first name."""
    if not argument.startswith("--"):
        return argument
    name, equals, value = argument[2:].partition("=")
    name = name.replace("_", "-")
    return f"--{SECOND_NAMES.get(name, name)}{equals}{value}"


def require_utf8(text: str) -> None:
    """Refuses a text that came in as bytes which are not UTF-8: TensorFlow takes no such names.

    Raises:
        BadParameter: It is not.
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise click.BadParameter(
            f"{shown(text)} is not UTF-8, which TensorFlow needs; rename it"
        ) from error


def folder(ctx: click.Context, parameter: click.Parameter, value: str) -> str:
    """Returns the folder of an option, which must have a name that TensorFlow takes."""
    require_utf8(value)
    if not value:
        raise click.BadParameter("the name of a folder is empty")
    return value


class Option(click.Option):
    """An option with the heading that it stands under."""

    def __init__(self, *args: Any, section: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.section = section


def scopes(
    ctx: click.Context, parameter: click.Parameter, values: tuple[str, ...]
) -> list[str] | None:
    """Returns the scopes of an option that is given several times, or with commas; or None."""
    found = [scope.strip() for value in values for scope in value.split(",") if scope.strip()]
    return found or None


def pairs(
    ctx: click.Context, parameter: click.Parameter, values: tuple[str, ...]
) -> dict[str, str] | None:
    """Returns the pairs `A=B` of an option that is given several times, or None."""
    split = [value.partition("=") for value in values]
    for value, (left, _, right) in zip(values, split, strict=True):
        if not (left and right):
            raise click.BadParameter(f"{value!r} is not of the form {parameter.metavar}")
    return {left: right for left, _, right in split} or None


def factors(
    ctx: click.Context, parameter: click.Parameter, values: tuple[str, ...]
) -> dict[str, float] | None:
    """Returns the pairs `SCOPE=FACTOR` of an option that is given several times, or None."""
    found = pairs(ctx, parameter, values)
    try:
        return {scope: float(factor) for scope, factor in (found or {}).items()} or None
    except ValueError as error:
        raise click.BadParameter(f"a factor must be a number: {error}") from error
