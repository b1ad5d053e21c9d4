"""Tables on the terminal, of texts that nothing interprets."""

from collections.abc import Sequence

from slimcore.text import shown


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Prints a table, whose first column is on the left and whose others are on the right."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(columns[0], box=None)
    for column in columns[1:]:
        table.add_column(column, justify="right")
    for row in rows:
        # As a Text, a name such as [red] is no markup.
        table.add_row(*(Text(shown(cell)) for cell in row))
    Console(highlight=False).print(table)


def share(value: float | None) -> str:
    """Returns a share with three decimals, or a dash where there is none."""
    return "-" if value is None else f"{value:.3f}"
