"""Lines of numbers in a CSV file."""

import csv
import io
from collections.abc import Mapping
from pathlib import Path

NAME = "log.csv"
COLUMNS = ("event", "step", "name", "value")


def add_lines(folder: str, event: str, step: int, numbers: Mapping[str, float]) -> None:
    """Adds a line for each number to the file in a folder, which is made where it is not there.

    Args:
        folder: The run's.
        event: What the numbers are of: "scalars" or "evaluation".
        step: The step that they belong to.
        numbers: By name.
    """
    path = Path(folder, NAME)
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    if not path.exists():
        writer.writerow(COLUMNS)
    writer.writerows((event, step, name, value) for name, value in numbers.items())
    # At once, so that a reader or a killed run finds whole lines.
    with path.open("a", encoding="utf-8", newline="") as file:
        file.write(text.getvalue())
