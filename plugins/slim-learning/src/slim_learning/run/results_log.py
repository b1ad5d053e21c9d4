"""Results of evaluations in a file of one JSON object a line."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from slimcore.errors import RunError


class ResultsFile:
    """Lines such as `{"step": 100, "checkpoint": "model.ckpt-100", "results": {"accuracy": 0.9}}`.

    A line is added in one write. What a killed process may leave at the end, a part of a line, is
    passed over.
    """

    def __init__(self, path: str) -> None:
        """Keeps the path; the file is made by the first `add`."""
        self.path = path

    def read(self) -> list[dict[str, Any]]:
        """Returns the whole lines, in the order in which they were added."""
        try:
            text = Path(self.path).read_text(encoding="utf-8")
        except FileNotFoundError:
            return []
        except OSError as error:
            raise RunError(f"cannot read the results in {self.path}: {error.strerror}") from error
        found = []
        for line in text.split("\n"):
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            if isinstance(entry, dict) and isinstance(entry.get("step"), int):
                found.append(entry)
        return found

    def add(self, step: int, results: Mapping[str, Any], **facts: Any) -> None:
        """Adds a line.

        Args:
            step: Step of the checkpoint that was evaluated.
            results: Numbers and arrays by name.
            **facts: What else the line says.

        Raises:
            RunError: The file cannot be written.
        """
        entry = {"step": step, **facts, "results": {n: plain(v) for n, v in results.items()}}
        line = json.dumps(entry) + "\n"
        try:
            os.makedirs(os.path.dirname(self.path) or ".", exist_ok=True)
            with open(self.path, "ab+") as file:
                if file.tell():
                    file.seek(-1, os.SEEK_END)
                    line = line if file.read() == b"\n" else "\n" + line
                file.write(line.encode())
        except OSError as error:
            raise RunError(
                f"cannot write the results to {self.path}: {error.strerror}; free space there, or "
                "choose another logdir"
            ) from error


def plain(value: Any) -> Any:
    """Returns a number, a list of numbers, or what else JSON can hold, for a value."""
    if isinstance(value, Mapping):
        return {str(name): plain(v) for name, v in value.items()}
    if isinstance(value, str | int | float | bool | list | None):
        return value
    return np.asarray(value).tolist()
