"""What an evaluation of a classifier says: numbers by class, a table, a file and a picture."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from slimcore.errors import RunError

AVERAGED = "averaged/"


def judged(results: Mapping[str, Any], labels: Sequence[str]) -> dict[str, Any]:
    """Turns accuracy, loss and confusion matrix into what is reported of an evaluation.

    Args:
        results: `accuracy`, `loss`, and `confusion` [classes, classes] with labels as rows and
            predictions as columns. The same of the moving averages begin with `averaged/`.
        labels: The classes' names; numbers stand in where there are none.

    Returns:
        `accuracy`, `loss`, `examples`, `classes` (a list of dicts) and `confusion` (lists), ready
        for JSON; the same of the averages as `averaged`, if there are any. Precision is None for a
        class that was never predicted, recall for one that never occurred.
    """
    averaged = {n.removeprefix(AVERAGED): v for n, v in results.items() if n.startswith(AVERAGED)}
    beside = {"averaged": judged(averaged, labels)} if averaged else {}
    confusion = np.asarray(results["confusion"])
    right, actual, predicted = confusion.diagonal(), confusion.sum(1), confusion.sum(0)
    classes = [
        {
            "class": labels[i] if labels else str(i),
            "examples": int(actual[i]),
            "precision": float(right[i] / predicted[i]) if predicted[i] else None,
            "recall": float(right[i] / actual[i]) if actual[i] else None,
        }
        for i in range(len(confusion))
    ]
    return {
        "accuracy": results["accuracy"],
        "loss": results["loss"],
        "examples": int(confusion.sum()),
        **beside,
        "classes": classes,
        "confusion": confusion.astype(int).tolist(),
    }


def summary(results: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the few facts of an evaluation that a run's record keeps."""
    kept = {name: value for name, value in results.items() if name not in _LONG}
    if "averaged" in kept:
        kept["averaged"] = summary(kept["averaged"])
    return kept


_LONG = ("classes", "confusion")


def show(results: Mapping[str, Any]) -> None:
    """Prints the table of classes, and the accuracy; those of the averages beside."""
    from rich.console import Console
    from rich.table import Table

    tables = [results, *([results["averaged"]] if "averaged" in results else [])]
    table = Table("class", box=None)
    table.add_column("examples", justify="right")
    for kind in ("", " (averaged)")[: len(tables)]:
        for column in ("precision", "recall"):
            table.add_column(column + kind, justify="right")
    for rows in zip(*(each["classes"] for each in tables), strict=True):
        shares = [row[column] for row in rows for column in ("precision", "recall")]
        shown = (f"{share:.3f}" if share is not None else "-" for share in shares)
        table.add_row(rows[0]["class"], f"{rows[0]['examples']:,}", *shown)
    console = Console(highlight=False)
    console.print(table)
    beside = f", averaged weights {tables[1]['accuracy']:.4f}" if tables[1:] else ""
    console.print(
        f"accuracy {results['accuracy']:.4f}{beside} on {results['examples']:,} examples "
        f"({results['split']}), step {results['step']:,}"
    )


def write(folder: str, results: Mapping[str, Any]) -> list[str]:
    """Writes `results.json` and `confusion.png`, each beside its place and then renamed.

    Returns:
        Their paths.

    Raises:
        RunError: The folder cannot be written.
    """
    try:
        numbers, picture = Path(folder, "results.json"), Path(folder, "confusion.png")
        beside = numbers.with_suffix(".tmp")
        beside.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
        os.replace(beside, numbers)
        names = [row["class"] for row in results["classes"]]
        beside = picture.with_suffix(".tmp")
        _draw(np.array(results["confusion"]), names, beside)
        os.replace(beside, picture)
    except OSError as error:
        raise RunError(f"cannot write results to {folder}: {error.strerror}; say --to") from error
    return [str(numbers), str(picture)]


def _draw(confusion: np.ndarray, names: Sequence[str], path: Path) -> None:
    from matplotlib.figure import Figure

    count = len(names)
    side = min(4 + 0.35 * count, 30)
    figure = Figure(figsize=(side, side), layout="constrained")
    axes = figure.subplots()
    # Shares of each label's examples, so that rare classes are seen as well as frequent ones.
    shares = confusion / np.maximum(confusion.sum(1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set(xlabel="predicted", ylabel="label")
    if count <= 100:
        axes.set_xticks(range(count), names, rotation=90)
        axes.set_yticks(range(count), names)
    if count <= 30:
        for (row, column), number in np.ndenumerate(confusion):
            if number:
                colour = "white" if shares[row, column] > 0.5 else "black"
                axes.text(column, row, str(number), ha="center", va="center", color=colour)
    figure.savefig(path, format="png", dpi=100)
