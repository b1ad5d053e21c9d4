"""When a run logs, saves, evaluates and ends, and how fast it is."""

import time
from collections.abc import Callable
from dataclasses import dataclass

# One call of the compiled steps must stay short, so that Ctrl-C is handled promptly.
SECONDS_A_CALL = 0.25


@dataclass(frozen=True)
class Schedule:
    """When a run logs, saves, evaluates and ends.

    Attributes:
        number_of_steps: The global step to reach; None goes on until the dataset ends.
        log_every_n_steps: Steps between logs.
        save_interval_secs: Seconds between checkpoints; None saves by steps alone.
        save_interval_steps: Steps between checkpoints; None saves by seconds alone.
        evaluate_every_n_steps: Steps between evaluations; None evaluates at the end alone.
    """

    number_of_steps: int | None
    log_every_n_steps: int
    save_interval_secs: float | None
    save_interval_steps: int | None
    evaluate_every_n_steps: int | None = None

    def steps_until_due(self, step: int) -> int | None:
        """Returns how many steps can be taken before something must happen, or None."""
        intervals = (self.log_every_n_steps, self.save_interval_steps, self.evaluate_every_n_steps)
        due = [n - step % n for n in intervals if n]
        if self.number_of_steps is not None:
            due.append(self.number_of_steps - step)
        return min(due, default=None)

    def logs_at(self, step: int) -> bool:
        """Returns whether the loss is read back at this step."""
        return bool(self.log_every_n_steps) and step % self.log_every_n_steps == 0

    def saves_at(self, step: int, seconds: float) -> bool:
        """Returns whether a checkpoint is due, so many seconds after the last one."""
        every = self.save_interval_steps
        return (every is not None and every > 0 and step % every == 0) or (
            self.save_interval_secs is not None and seconds >= self.save_interval_secs
        )

    def evaluates_at(self, step: int) -> bool:
        """Returns whether an evaluation is due at this step."""
        every = self.evaluate_every_n_steps
        return every is not None and every > 0 and step > 0 and step % every == 0


class Throughput:
    """How fast the run is: for the logs, and to size the calls."""

    def __init__(self, examples: Callable[[], int], step: int) -> None:
        """Counts nothing before the first call.

        Args:
            examples: Returns how many examples all steps so far have seen.
            step: The present step.
        """
        self._examples = examples
        self.logged_step = step
        self._seconds_a_step: float | None = None
        # Where the count of the next log begins; None before the first call, which compiles.
        self._since: tuple[float, int, int] | None = None

    @property
    def seconds(self) -> float:
        """Seconds since the last log."""
        return time.monotonic() - self._since[0] if self._since else 0.0

    def steps_a_call(self) -> int:
        """Returns how many steps fit into one call; the first two calls are of one step."""
        if not self._seconds_a_step:
            return 1
        return max(1, int(SECONDS_A_CALL / self._seconds_a_step))

    def called(self, step: int, taken: int, seconds: float) -> None:
        """Notes that a call of so many steps and seconds reached this step."""
        if self._since is None:
            self.restart(step)
        elif taken:
            self._seconds_a_step = seconds / taken

    def logged(self, step: int) -> dict[str, float]:
        """Returns the speeds since the last log, and counts anew."""
        began, first_step, seen = self._since or (0.0, step, 0)
        seconds, speeds = time.monotonic() - began, {}
        self.logged_step = step
        self.restart(step)
        assert self._since is not None
        if step > first_step:
            speeds["steps/s"] = (step - first_step) / seconds
            speeds["examples/s"] = (self._since[2] - seen) / seconds
        return speeds

    def pause(self, seconds: float) -> None:
        """Leaves out so many seconds, in which no step was taken."""
        if self._since is not None:
            began, step, seen = self._since
            self._since = began + seconds, step, seen

    def restart(self, step: int) -> None:
        """Counts the speeds from here."""
        self._since = time.monotonic(), step, self._examples()
