"""The training loop on functions: many steps a call, nothing read back between logs."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf
from slim_data.faults import BAD_DATA

import slimcore.checkpoints as checkpoints
from slim_learning.data_position import DataPosition
from slim_learning.run_checkpoints import RunCheckpoints, step_of
from slim_learning.stopping import StopSignals
from slim_learning.train_ops import NOT_FINITE, TrainOp
from slimcore.errors import DataError, RunError
from slimcore.events import Run, followed_by, tell

# One call of the compiled steps shall not take longer, so that signals are answered soon.
SECONDS_A_CALL = 0.25
# A slow network logs more often than every so many steps, so that one sees it move.
SECONDS_A_LOG = 5.0


@dataclass(frozen=True)
class Schedule:
    """When a run logs, saves and ends.

    Attributes:
        number_of_steps: The global step to reach; None goes on until the dataset ends.
        log_every_n_steps: Steps between logs.
        save_interval_secs: Seconds between checkpoints; None saves by steps alone.
        save_interval_steps: Steps between checkpoints; None saves by seconds alone.
    """

    number_of_steps: int | None
    log_every_n_steps: int
    save_interval_secs: float | None
    save_interval_steps: int | None

    def steps_until_due(self, step: int) -> int | None:
        """Returns how many steps can be taken before something must happen, or None."""
        due = [n - step % n for n in (self.log_every_n_steps, self.save_interval_steps) if n]
        if self.number_of_steps is not None:
            due.append(self.number_of_steps - step)
        return min(due, default=None)

    def logs_at(self, step: int) -> bool:
        """Returns whether the loss is read back at this step."""
        return bool(self.log_every_n_steps) and step % self.log_every_n_steps == 0

    def saves_at(self, step: int, seconds: float) -> bool:
        """Returns whether a checkpoint is due, so many seconds after the last one."""
        by_steps = bool(self.save_interval_steps) and step % self.save_interval_steps == 0
        return by_steps or (
            self.save_interval_secs is not None and seconds >= self.save_interval_secs
        )


def train(
    train_op: TrainOp,
    logdir: str,
    dataset: tf.data.Dataset,
    number_of_steps: int | None = None,
    log_every_n_steps: int = 100,
    save_interval_secs: float | None = 600,
    save_interval_steps: int | None = None,
    keep_checkpoints: int | None = 5,
    init_fn: Callable[[], Any] | None = None,
    followers: Sequence[Any] | None = None,
    config: dict[str, Any] | None = None,
) -> float | None:
    """Trains until a step is reached, and goes on from the newest checkpoint if there is one.

    Checkpoints keep networks, optimizer, step, random seed and the position in the dataset. Ctrl-C
    and SIGTERM save one before the program ends (exit status 130 and 143).

    Args:
        train_op: What `create_train_op` returned for a function of a batch.
        logdir: The run's folder: checkpoints, TensorBoard events, `run.json`.
        dataset: Of batches. With `number_of_steps` it is repeated as often as needed.
        number_of_steps: The global step to reach; None makes one pass over the dataset.
        log_every_n_steps: Steps between reading the loss back; every 5 seconds at least.
        save_interval_secs: Seconds between checkpoints; None saves by steps alone. The last step
            is always saved.
        save_interval_steps: Steps between checkpoints; None saves by seconds alone.
        keep_checkpoints: How many of the newest checkpoints to keep; None keeps all.
        init_fn: Called once, before the first step of a new run, to change first values.
        followers: Objects with event hooks that follow this run; by default a progress line,
            TensorBoard events, and the record `run.json`.
        config: What the record says of the run.

    Returns:
        The loss of the last step; None where the run had already reached its end.

    Raises:
        RunError: The folder cannot be written, or the loss became infinite or no number.
        DataError: The dataset is empty or cannot be read.
        CheckpointError: The checkpoint in the folder does not fit, or one cannot be written.
    """
    schedule = Schedule(number_of_steps, log_every_n_steps, save_interval_secs, save_interval_steps)
    kept = RunCheckpoints(logdir, keep_checkpoints)
    position = DataPosition(dataset, train_op.strategy, repeat=number_of_steps is not None)
    train_op.build(position.element_spec)
    path = kept.latest()
    if path:
        _restore(path, train_op, position)
    elif init_fn is not None:
        init_fn()
    first_step = int(train_op.global_step.numpy())
    run = Run("train", logdir, number_of_steps, first_step, dict(config or {}))
    loop = _Loop(train_op, position, kept, schedule, run)
    with followed_by(*(default_followers() if followers is None else followers)):
        return loop.go(saved=step_of(path) if path else None)


def default_followers() -> list[Any]:
    """Returns what follows a run unless told otherwise."""
    from slim_learning.progress import Progress
    from slim_learning.record import Record
    from slim_learning.tensorboard import TensorBoard

    return [Progress(), TensorBoard(), Record()]


def _restore(path: str, train_op: TrainOp, position: DataPosition) -> None:
    variables = train_op.named_variables
    checkpoints.plan(path, variables).assign(variables)
    position.restore(path)


class _Loop:
    """The steps of one run, and what happens between them."""

    def __init__(
        self,
        train_op: TrainOp,
        position: DataPosition,
        kept: RunCheckpoints,
        schedule: Schedule,
        run: Run,
    ) -> None:
        self._train_op = train_op
        self._position = position
        self._kept = kept
        self._schedule = schedule
        self._run = run
        self._step = run.first_step
        self._pace = _Pace(train_op, run.first_step)
        self._results: dict[str, float] = {}

    def go(self, saved: int | None) -> float | None:
        """Runs to the end, a signal or an error, and tells the followers which it was.

        Args:
            saved: The step of the newest checkpoint.
        """
        status = "failed"
        tell("slim_run_started", run=self._run)
        try:
            with StopSignals() as signals:
                self._take_steps(signals, saved)
                status = "interrupted" if signals.received else "completed"
        finally:
            tell("slim_run_ended", run=self._run, status=status, results=dict(self._results))
        signals.leave()
        return self._results.get("loss")

    def _take_steps(self, signals: StopSignals, saved: int | None) -> None:
        schedule, saved_at, more = self._schedule, time.monotonic(), True
        end = schedule.number_of_steps
        while more and not signals.received and (end is None or self._step < end):
            more = self._advance()
            if schedule.logs_at(self._step) or self._pace.seconds > SECONDS_A_LOG:
                self._log()
            if schedule.saves_at(self._step, time.monotonic() - saved_at):
                self._save()
                saved, saved_at = self._step, time.monotonic()
        if self._step != self._pace.logged_step:
            self._log()
        if self._step != saved:
            self._save()

    def _advance(self) -> bool:
        """Takes as many steps as may pass unwatched; returns whether the data go on."""
        due = self._schedule.steps_until_due(self._step)
        steps = min(n for n in (due, self._pace.steps_a_call()) if n is not None)
        before, more = self._step, True
        try:
            self._train_op.run(self._position.iterator, steps)
            self._step += steps
        except tf.errors.OpError as error:
            self._step = int(self._train_op.global_step.numpy())
            if not isinstance(error, tf.errors.OutOfRangeError):
                raise self._mended(error) from error
            more = False
            if self._schedule.number_of_steps is not None or not self._step:
                raise DataError(
                    "the dataset gave no batch: it is empty, or holds fewer examples than a batch"
                ) from error
        self._position.advance(self._step - before)
        self._pace.called(self._step)
        return more

    def _mended(self, error: tf.errors.OpError) -> Exception:
        """Returns what to raise for an error of TensorFlow's in a step."""
        text = str(error.message)
        if NOT_FINITE in text:
            saved = self._kept.latest()
            return RunError(
                f"the loss became infinite or no number at step {self._step + 1}; the newest "
                f"checkpoint is {saved or 'none yet'}. Lower the learning rate, clip gradients, or "
                "look for such values in the data"
            )
        if isinstance(error, BAD_DATA) and "IteratorGetNext" in text:
            return self._position.explain(error)
        return error

    def _log(self) -> None:
        """Reads the loss back and tells it."""
        self._results = {"loss": float(self._train_op.loss.numpy())}
        rate = self._train_op.learning_rate()
        if rate is not None:
            self._results["learning_rate"] = rate
        scalars = self._results | self._pace.logged(self._step)
        tell("slim_scalars_logged", run=self._run, step=self._step, scalars=scalars)

    def _save(self) -> None:
        values = {**self._train_op.named_variables, **self._position.values()}
        path = self._kept.save(self._step, values)
        tell("slim_checkpoint_saved", run=self._run, step=self._step, path=path)


class _Pace:
    """How fast the run is: for the logs, and to size the calls."""

    def __init__(self, train_op: TrainOp, step: int) -> None:
        self._train_op = train_op
        self.logged_step = step
        self._called_step, self._called_at = step, time.monotonic()
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

    def called(self, step: int) -> None:
        """Notes that a call reached this step."""
        now, taken = time.monotonic(), step - self._called_step
        if self._since is None:
            self._since = now, step, int(self._train_op.examples.numpy())
        elif taken:
            self._seconds_a_step = (now - self._called_at) / taken
        self._called_step, self._called_at = step, now

    def logged(self, step: int) -> dict[str, float]:
        """Returns the speeds since the last log, and counts anew."""
        examples, speeds = int(self._train_op.examples.numpy()), {}
        began, first_step, seen = self._since or (0.0, step, 0)
        now = time.monotonic()
        if step > first_step:
            speeds["steps/s"] = (step - first_step) / (now - began)
            speeds["examples/s"] = (examples - seen) / (now - began)
        self.logged_step, self._since = step, (now, step, examples)
        return speeds
