"""The program `slim`, whose commands plugins bring."""

import sys

import click

import slimcore
import slimcore.registry as registry
from slimcore._quiet import quieten_tensorflow
from slimcore.errors import SlimError, close
from slimcore.text import shown


class _Program(click.Group):
    """A group whose commands are components; listing them imports none."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return registry.current().names("command")

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        found = registry.current()
        if not found.offers("command", cmd_name):
            package = registry.first_party().get("command", {}).get(cmd_name)
            if package:
                where = f": it comes with {package}: pip install {package}"
            else:
                where = f"{close(cmd_name, found.names('command'))}. All of them: slim --help"
            ctx.fail(f"No command {cmd_name!r}{where}")
        command: click.Command = found.load("command", cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        found = registry.current()
        with formatter.section("Commands"):
            formatter.write_dl([(c.name, c.summary or str(c)) for c in found.components("command")])


@click.group(cls=_Program, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(slimcore.__version__, prog_name="slim")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def program(debug: bool) -> None:
    """Train, evaluate and export slim networks, and list what plugins offer."""


def main() -> None:
    """Runs the program: errors that a user can fix are one line on stderr, and exit status 2."""
    debug = "--debug" in sys.argv
    if not debug:
        quieten_tensorflow()
    try:
        sys.exit(program.main(standalone_mode=False))
    except click.ClickException as error:
        click.echo(f"slim: {shown(' '.join(error.format_message().split()))}", err=True)
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):
        click.echo("slim: interrupted", err=True)
        sys.exit(130)
    except (SlimError, OSError, UnicodeError) as error:
        # Beside our own errors: files that went away, pipes that closed, names that are not text.
        if debug:
            raise
        message = str(error)
        if isinstance(error, UnicodeEncodeError):
            # A name that came in as other bytes, which Python shows as \\udcff.
            message = f"{error.object} is not UTF-8; rename it"
        elif isinstance(error, OSError) and error.strerror and error.filename is not None:
            message = f"{error.filename}: {error.strerror}"  # without the number
        click.echo(f"slim: {shown(' '.join(message.split()))}", err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
