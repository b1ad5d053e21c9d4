"""What an evaluation of a classifier says: numbers by class, a table, a file and a picture."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from slimcore.errors import RunError


def judged(confusion: np.ndarray, labels: Sequence[str]) -> dict[str, Any]:
    """Turns a confusion matrix into precision and recall of each class.

    Args:
        confusion: [classes, classes]; rows are labels, columns predictions.
        labels: The classes' names; numbers stand in where there are none.

    Returns:
        `examples`, `classes` (a list of dicts) and `confusion` (lists), ready for JSON. Precision
        is None for a class that was never predicted, recall for one that never occurred.
    """
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
    matrix = confusion.astype(int).tolist()
    return {"examples": int(confusion.sum()), "classes": classes, "confusion": matrix}


def summary(results: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the few numbers of an evaluation that a run's record keeps."""
    return {name: results[name] for name in ("step", "examples", "accuracy")}


def show(results: Mapping[str, Any]) -> None:
    """Prints the table of classes, and the accuracy."""
    from rich.console import Console
    from rich.table import Table

    table = Table("class", box=None)
    for column in ("examples", "precision", "recall"):
        table.add_column(column, justify="right")
    for row in results["classes"]:
        shares = (f"{v:.3f}" if v is not None else "-" for v in (row["precision"], row["recall"]))
        table.add_row(row["class"], f"{row['examples']:,}", *shares)
    console = Console(highlight=False)
    console.print(table)
    console.print(
        f"accuracy {results['accuracy']:.4f} on {results['examples']:,} examples "
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
        os.makedirs(folder, exist_ok=True)
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
