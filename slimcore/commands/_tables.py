"""Tables on a terminal and in a pipe."""

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table


def console() -> Console:
    """Returns a console as wide as the terminal, or wide enough that a pipe loses nothing."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(width=1000, highlight=False)


def show(
    columns: Sequence[str], rows: Iterable[Sequence[object]], right: Iterable[str] = ()
) -> None:
    """Prints a table; the columns named in `right` are set to the right, as figures are."""
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="bold")
    for column in columns:
        table.add_column(
            column,
            justify="right" if column in right else "left",
            overflow="fold",
            no_wrap=column in right,
        )
    for row in rows:
        table.add_row(*("" if cell is None else str(cell) for cell in row))
    console().print(table)
