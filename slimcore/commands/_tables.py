"""Tables in plain columns. `rich` would take longer to import than listing may take in all."""

import shutil
import sys
from collections.abc import Collection, Iterable, Sequence

import click


def show(
    columns: Sequence[str], rows: Iterable[Sequence[object]], right: Collection[str] = ()
) -> None:
    """Prints a table; the columns named in `right` are set to the right, as figures are.

    A terminal shows each row on one line, cut at its width; a pipe gets all of it.
    """
    cells = [list(columns), *(["" if c is None else str(c) for c in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    limit = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    for row in cells:
        aligned = (
            cell.rjust(width) if name in right else cell.ljust(width)
            for name, cell, width in zip(columns, row, widths, strict=True)
        )
        click.echo("  ".join(aligned).rstrip()[:limit])
