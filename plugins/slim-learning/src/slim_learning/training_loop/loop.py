"""The training loop on functions: many steps a call, nothing read back between logs."""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import tensorflow as tf

import slimcore.checkpoints as checkpoints
from slim_learning.run.checkpoints import RunCheckpoints, step_of
from slim_learning.run.data_position import DataPosition
from slim_learning.run.signals import StopSignals
from slim_learning.training_loop.early_stopping import Evaluations, Selection
from slim_learning.training_loop.recovery import Recovery, restore_variables
from slim_learning.training_loop.schedule import Schedule, Throughput
from slim_learning.training_loop.step_errors import NotFiniteError, raise_explained
from slim_learning.training_loop.train_op import TrainOp
from slimcore.errors import CheckpointError, DataError, InputError
from slimcore.events import Run, following, tell

# A slow network logs more often than every so many steps, so that one sees it move.
SECONDS_A_LOG = 5.0


def train(
    train_op: TrainOp,
    logdir: str,
    dataset: tf.data.Dataset,
    number_of_steps: int | None = None,
    log_every_n_steps: int = 100,
    save_interval_secs: float | None = 600,
    save_interval_steps: int | None = None,
    keep_checkpoints: int | None = 5,
    keep_checkpoint_every_n_hours: float | None = None,
    evaluate_fn: Callable[[], Mapping[str, Any]] | None = None,
    evaluate_every_n_steps: int | None = None,
    keep_best: str | None = None,
    keep_best_of: str = "max",
    early_stopping: int | None = None,
    on_disk_full: str = "stop",
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
        dataset: Dataset of batches. With `number_of_steps` it is repeated as often as needed.
        number_of_steps: The global step to reach; None makes one pass over the dataset.
        log_every_n_steps: Steps between reading the loss back; every 5 seconds at least.
        save_interval_secs: Seconds between checkpoints; None saves by steps alone. The last step
            is always saved.
        save_interval_steps: Steps between checkpoints; None saves by seconds alone.
        keep_checkpoints: How many of the newest checkpoints to keep; None keeps all.
        keep_checkpoint_every_n_hours: Keep one older checkpoint in so many hours; None keeps
            none of them.
        evaluate_fn: Called without arguments during training, returns results by name, such as
            `{"accuracy": 0.9}`; they go to the followers and to `evaluations.jsonl`.
        evaluate_every_n_steps: Steps between its calls; it is called at the end in any case.
        keep_best: The result by which to find the best checkpoint, which is kept, and named in
            `best.json`.
        keep_best_of: "max" where more is better, "min" where less is.
        early_stopping: How many evaluations without a better result end the run.
        on_disk_full: "stop" ends the run where a checkpoint does not fit on the disk; "go_on" warns
            and tries again when the next is due. The checkpoints before it stay either way.
        init_fn: Called once, before the first step of a new run, to change first values.
        followers: Objects with event hooks that follow this run; by default a progress line,
            TensorBoard events, and the record `run.json`.
        config: What the record says of the run.

    Returns:
        The loss of the last step; None where the run had already reached its end.

    Raises:
        RunError: The folder cannot be written, or the loss became infinite or NaN.
        DataError: The dataset is empty or cannot be read, or a label is beyond the classes.
        CheckpointError: The checkpoint in the folder does not fit, or one cannot be written.
        InputError: An option is out of its range.
    """
    if on_disk_full not in ("stop", "go_on"):
        raise InputError(f'on_disk_full is "stop" or "go_on", not {on_disk_full!r}')
    selection = Selection(evaluate_fn, keep_best, keep_best_of, early_stopping)
    schedule = Schedule(
        number_of_steps,
        log_every_n_steps,
        save_interval_secs,
        save_interval_steps,
        evaluate_every_n_steps if evaluate_fn else None,
    )
    with RunCheckpoints(logdir, keep_checkpoints, keep_checkpoint_every_n_hours) as kept:
        position = DataPosition(dataset, train_op.strategy, repeat=number_of_steps is not None)
        train_op.build(position.element_spec)

        def restore(path: str) -> None:
            try:
                restore_variables(path, train_op)
            except CheckpointError as error:
                raise CheckpointError(f"{error}; to begin anew, choose another logdir") from error
            position.restore(path)

        found = checkpoints.restore_newest(logdir, restore)
        path = found[0] if found else None
        if path is None and init_fn is not None:
            init_fn()
            train_op.begin_averages()
        first_step = int(train_op.global_step.numpy())
        run = Run("train", logdir, number_of_steps, first_step, dict(config or {}))
        evaluations = Evaluations(selection, logdir, first_step)
        recovery = Recovery(train_op, position, kept, run, on_disk_full == "go_on")
        recovery.saved = step_of(path) if path else None
        kept.best_step = evaluations.best_step
        followers = default_followers() if followers is None else followers
        with following(run, followers) as results:
            _Loop(train_op, position, kept, schedule, evaluations, recovery, run, results).go()
        return results.get("loss")


def default_followers() -> list[Any]:
    """Returns what follows a run unless told otherwise."""
    from slim_learning.run.progress import Progress
    from slim_learning.run.run_record import RunRecord
    from slim_learning.run.tensorboard import TensorBoard

    return [Progress(), TensorBoard(), RunRecord()]


class _Loop:
    """The steps of one run, and what happens between them."""

    def __init__(
        self,
        train_op: TrainOp,
        position: DataPosition,
        kept: RunCheckpoints,
        schedule: Schedule,
        evaluations: Evaluations,
        recovery: Recovery,
        run: Run,
        results: dict[str, float],
    ) -> None:
        self._train_op = train_op
        self._position = position
        self._kept = kept
        self._schedule = schedule
        self._evaluations = evaluations
        self._recovery = recovery
        self._run = run
        self._step = run.first_step
        self._throughput = Throughput(lambda: int(train_op.examples.numpy()), run.first_step)
        self._results = results

    def go(self) -> None:
        """Runs to the end, a signal or an error, and keeps the newest figures in the results."""
        with StopSignals() as signals:
            self._take_steps(signals)
        signals.leave()

    def _take_steps(self, signals: StopSignals) -> None:
        if self._train_op.non_finite == "roll_back" and self._recovery.saved is None:
            self._recovery.save(self._step)
        if self._schedule.evaluates_at(self._step) and self._evaluations.wanted_at(self._step):
            self._evaluate()  # the start before this one was killed on the point of doing so
        more = True
        while more and not signals.received and self._goes_on():
            try:
                more = self._advance()
                self._between_steps()
            except NotFiniteError as error:
                self._step = self._recovery.roll_back(error, self._step)
                self._throughput.restart(self._step)
        if self._step != self._throughput.logged_step:
            self._log()
        if not signals.received and self._evaluations.wanted_at(self._step):
            self._evaluate()
        if self._step != self._recovery.saved:
            self._recovery.save(self._step, at_the_end=True)

    def _goes_on(self) -> bool:
        end = self._schedule.number_of_steps
        return (end is None or self._step < end) and not self._evaluations.exhausted

    def _between_steps(self) -> None:
        """Logs, saves and evaluates, each where it is due."""
        if self._schedule.logs_at(self._step) or self._throughput.seconds > SECONDS_A_LOG:
            self._log()
        if self._schedule.saves_at(self._step, self._recovery.seconds_since_save):
            self._recovery.save(self._step)
        if self._schedule.evaluates_at(self._step) and self._evaluations.wanted_at(self._step):
            self._evaluate()

    def _advance(self) -> bool:
        """Takes as many steps as may pass unwatched; returns whether the data go on."""
        due = self._schedule.steps_until_due(self._step)
        steps = min(n for n in (due, self._throughput.steps_a_call()) if n is not None)
        before, began, failed = self._step, time.monotonic(), None
        try:
            self._train_op.run(self._position.iterator, steps)
            self._step += steps
        except tf.errors.OpError as error:
            failed, self._step = error, int(self._train_op.global_step.numpy())
            if not isinstance(error, tf.errors.OutOfRangeError):
                # The batches of the step that failed are behind, too.
                self._position.advance(self._train_op.batches_a_step)
        taken = self._step - before
        self._position.advance(taken * self._train_op.batches_a_step)
        if isinstance(failed, tf.errors.OutOfRangeError):
            if self._schedule.number_of_steps is not None or not self._step:
                raise DataError(self._no_batch()) from failed
        elif failed is not None:
            raise_explained(failed, self._step + 1, self._kept.latest(), self._position)
        self._throughput.called(self._step, taken, time.monotonic() - began)
        return failed is None

    def _no_batch(self) -> str:
        several = self._train_op.batches_a_step
        if several > 1 and self._schedule.number_of_steps is None:
            return (
                f"the dataset gave fewer than the {several} batches of a step (accumulate_steps); "
                "give number_of_steps, with which it is repeated, or make its batches smaller"
            )
        return "the dataset gave no batch: it is empty, or holds fewer examples than a batch"

    def _log(self) -> None:
        """Reads the loss back and tells it."""
        self._results["loss"] = float(self._train_op.loss.numpy())
        self._recovery.check_loss(self._step)
        rate = self._train_op.learning_rate()
        if rate is not None:
            self._results["learning_rate"] = rate
        if self._train_op.non_finite == "skip":
            self._results["skipped"] = self._recovery.count_skipped(self._step)
        scalars = self._results | self._throughput.logged(self._step)
        tell("slim_scalars_logged", run=self._run, step=self._step, scalars=scalars)

    def _evaluate(self) -> None:
        """Evaluates, tells the results, and keeps the checkpoint if it is the best."""
        recovery = self._recovery
        if self._evaluations.selection.metric is not None and recovery.saved != self._step:
            recovery.save(self._step)
        began = time.monotonic()
        path = self._kept.latest() if recovery.saved == self._step else None
        name = os.path.basename(path) if path else None
        results = self._evaluations.evaluate(self._step, name)
        self._kept.best_step = self._evaluations.best_step
        tell("slim_evaluation_done", run=self._run, step=self._step, results=results)
        self._throughput.pause(time.monotonic() - began)
