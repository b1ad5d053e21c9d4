"""Shows how a run goes: a live line on a terminal, a plain line now and then elsewhere."""

import sys
import time
from collections.abc import Mapping
from typing import Any, TextIO

from slimcore import hookimpl
from slimcore.events import Run

# Where nobody watches, a line every so often is enough.
SECONDS_A_LINE = 10.0


class Progress:
    """Follows one training run: step, loss, examples a second, and the time left."""

    def __init__(self, stream: TextIO | None = None) -> None:
        """Keeps where to write; standard error by default."""
        self._stream = stream or sys.stderr
        self._run: Run | None = None
        self._view: _Live | _Lines | None = None

    @hookimpl
    def slim_run_started(self, run: Run) -> None:
        """Says what begins, and where it goes on from."""
        if self._run is not None or run.kind != "train":
            return
        self._run = run
        self._view = (_Live if self._stream.isatty() else _Lines)(run, self._stream)

    @hookimpl
    def slim_scalars_logged(self, run: Run, step: int, scalars: Mapping[str, float]) -> None:
        """Moves on."""
        if run is self._run and self._view is not None:
            self._view.update(step, scalars)

    @hookimpl
    def slim_run_ended(self, run: Run, status: str, results: Mapping[str, Any]) -> None:
        """Leaves the last state on the screen."""
        if run is self._run and self._view is not None:
            self._view.end(status)
            self._view = None


class _Live:
    """One line that is drawn again and again."""

    def __init__(self, run: Run, stream: TextIO) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        self._bar = Bar(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            TextColumn("step {task.completed:.0f}/{task.fields[end]}"),
            TextColumn("{task.fields[figures]}"),
            TimeRemainingColumn(compact=True),
            console=Console(file=stream),
            speed_estimate_period=60,
        )
        begin = f"resumes at step {run.first_step}" if run.first_step else "compiles"
        self._task = self._bar.add_task(
            "train",
            total=run.number_of_steps,
            completed=run.first_step,
            end=run.number_of_steps or "?",
            figures=begin,
        )
        self._bar.start()

    def update(self, step: int, scalars: Mapping[str, float]) -> None:
        self._bar.update(self._task, completed=step, figures=_figures(scalars))

    def end(self, status: str) -> None:
        self._bar.update(self._task, description=status)
        self._bar.stop()


class _Lines:
    """A line every ten seconds, and the first and the last."""

    def __init__(self, run: Run, stream: TextIO) -> None:
        self._run = run
        self._stream = stream
        self._began = time.monotonic()
        self._printed_at = 0.0
        self._last = ""
        if run.first_step:
            self._print(f"resumes at step {run.first_step}")

    def update(self, step: int, scalars: Mapping[str, float]) -> None:
        end = self._run.number_of_steps
        line = f"step {step}{f'/{end}' if end else ''}  {_figures(scalars)}"
        speed = scalars.get("steps/s")
        if end and speed:
            line += f"  {_duration((end - step) / speed)} left"
        self._last = line
        if time.monotonic() - self._printed_at >= SECONDS_A_LINE:
            self._print(line)

    def end(self, status: str) -> None:
        if self._last:
            self._print(self._last)
        self._print(f"{status} after {_duration(time.monotonic() - self._began)}")

    def _print(self, line: str) -> None:
        print(line, file=self._stream, flush=True)
        self._printed_at, self._last = time.monotonic(), ""


def _figures(scalars: Mapping[str, float]) -> str:
    parts = [f"loss {scalars['loss']:.4f}"] if "loss" in scalars else []
    if "examples/s" in scalars:
        parts.append(f"{scalars['examples/s']:,.0f} examples/s")
    return "  ".join(parts)


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
