"""Evaluations during training: which checkpoint is the best, and when no better one will come."""

import json
import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slim_learning.run.results_log import ResultsFile
from slimcore.errors import InputError, RunError, close
from slimcore.files import replacing

RESULTS, BEST = "evaluations.jsonl", "best.json"


@dataclass(frozen=True)
class Selection:
    """What is evaluated during training, and what follows from it.

    Attributes:
        evaluate_fn: Called without arguments, returns results by name; None evaluates nothing.
        metric: The name of the result that ranks checkpoints; None ranks none.
        best_of: "max" or "min".
        patience: How many evaluations without a better result end the run; None never does.
    """

    evaluate_fn: Callable[[], Mapping[str, Any]] | None = None
    metric: str | None = None
    best_of: str = "max"
    patience: int | None = None

    def __post_init__(self) -> None:
        if self.best_of not in ("max", "min"):
            raise InputError(f'keep_best_of is "max" or "min", not {self.best_of!r}')
        if self.metric is not None and self.evaluate_fn is None:
            raise InputError(f"keep_best={self.metric!r} needs evaluate_fn, which returns results")
        if self.patience is not None and self.metric is None:
            raise InputError("early_stopping needs keep_best, the name of the metric to judge by")
        if self.patience is not None and self.patience < 1:
            raise InputError(f"early_stopping is {self.patience}, and must be at least 1")

    def value(self, results: Mapping[str, Any]) -> float:
        """Returns the result that ranks checkpoints.

        Raises:
            InputError: It is not among the results, or is not a number.
        """
        assert self.metric is not None
        if self.metric not in results:
            raise InputError(
                f"keep_best names {self.metric!r}, which evaluate_fn does not return"
                f"{close(self.metric, results)}; it returns {', '.join(results)}"
            )
        return float(results[self.metric])

    def is_better(self, value: float, best: float | None) -> bool:
        """Returns whether a value is better than the best so far; NaN never is."""
        if math.isnan(value):
            return False
        return best is None or (value > best if self.best_of == "max" else value < best)


class Evaluations:
    """The evaluations of one run, with those of its earlier starts.

    They are kept in `evaluations.jsonl`. The best so far stands in `best.json`.
    """

    def __init__(self, selection: Selection, logdir: str, first_step: int) -> None:
        """Reads what earlier starts found at the steps that the checkpoint has behind it."""
        self.selection = selection
        self._logdir = logdir
        self._file = ResultsFile(os.path.join(logdir, RESULTS))
        self._best: tuple[float, int] | None = None
        self._worse = 0
        self._done = -1
        if selection.evaluate_fn is not None:
            # A start that was killed may have been further than its last checkpoint.
            found = {e["step"]: e for e in self._file.read() if e["step"] <= first_step}
            for step in sorted(found):
                self._count(step, found[step]["results"])

    @property
    def best_step(self) -> int | None:
        """The step of the best evaluation so far."""
        return self._best[1] if self._best else None

    @property
    def exhausted(self) -> bool:
        """Whether so many evaluations were no better that the run ends."""
        patience = self.selection.patience
        return patience is not None and self._worse >= patience

    def wanted_at(self, step: int) -> bool:
        """Returns whether there is something to evaluate, which was not at this step."""
        return self.selection.evaluate_fn is not None and self._done < step

    def evaluate(self, step: int, checkpoint: str | None) -> dict[str, Any]:
        """Evaluates, and notes the results.

        Args:
            step: The present step.
            checkpoint: The name of its checkpoint, if there is one.

        Raises:
            InputError: The metric that ranks checkpoints is not among the results.
            RunError: The results cannot be written.
        """
        assert self.selection.evaluate_fn is not None
        results = dict(self.selection.evaluate_fn())
        better = self._count(step, results)
        self._file.add(step, results, checkpoint=checkpoint)
        if better and self._best:
            self._write_best(checkpoint)
        return results

    def _count(self, step: int, results: Mapping[str, Any]) -> bool:
        self._done = step
        if self.selection.metric is None:
            return False
        value = self.selection.value(results)
        better = self.selection.is_better(value, self._best[0] if self._best else None)
        if better:
            self._best = value, step
        self._worse = 0 if better else self._worse + 1
        return better

    def _write_best(self, checkpoint: str | None) -> None:
        assert self._best is not None
        value, step = self._best
        best = {"step": step, "checkpoint": checkpoint, self.selection.metric: value}
        path = Path(self._logdir, BEST)
        try:
            with replacing(path) as beside:
                beside.write_text(json.dumps(best) + "\n", encoding="utf-8")
        except OSError as error:
            raise RunError(f"cannot write {path}: {error.strerror}") from error
