"""How a run is saved, and how it goes on after a loss that is not finite or a full disk."""

import time
import warnings

import slimcore.checkpoints as checkpoints
from slim_learning.run.checkpoints import RunCheckpoints, is_disk_full
from slim_learning.run.data_position import DataPosition
from slim_learning.training_loop.step_errors import NotFiniteError, not_finite
from slim_learning.training_loop.train_op import TrainOp
from slimcore.errors import CheckpointError
from slimcore.events import Run, tell

# How often a run returns to a checkpoint without getting past the step that failed.
ROLL_BACKS = 3
# A run that skips so many steps in a row ends.
SKIPS = 100


class Recovery:
    """What keeps a run whole: finite checkpoints, the way back to them, and the steps skipped.

    Attributes:
        saved: The step of the newest checkpoint; None where there is none.
    """

    def __init__(
        self,
        train_op: TrainOp,
        position: DataPosition,
        kept: RunCheckpoints,
        run: Run,
        goes_on_without_saving: bool,
    ) -> None:
        """Saves nothing yet.

        Args:
            train_op: One that is built, with the values of the first step.
            position: The place in the data, which checkpoints keep.
            kept: The checkpoints.
            run: The run.
            goes_on_without_saving: Whether a full disk is a warning, except at the end of the run.
        """
        self.saved: int | None = None
        self._train_op = train_op
        self._position = position
        self._kept = kept
        self._run = run
        self._goes_on_without_saving = goes_on_without_saving
        self._saved_at = time.monotonic()
        self._roll_backs, self._failed_step = 0, -1
        self._skips_since = run.first_step, int(train_op.skipped.numpy())

    @property
    def seconds_since_save(self) -> float:
        """Seconds since the last attempt to save, or since the start."""
        return time.monotonic() - self._saved_at

    def check_loss(self, step: int) -> None:
        """Reads the last loss back, since XLA leaves the check in the step out.

        Raises:
            NotFiniteError: The loss is infinite or NaN, and that is to end a step.
        """
        if self._train_op.checks and not_finite({"loss": self._train_op.loss}):
            raise NotFiniteError.at(step, self._kept.latest())

    def save(self, step: int, at_the_end: bool = False) -> None:
        """Saves a checkpoint and tells the followers.

        Args:
            step: The present step.
            at_the_end: Whether the run ends here, so that a full disk is an error in any case.

        Raises:
            NotFiniteError: A weight or a moving statistic is infinite or NaN. Nothing is saved.
            CheckpointError: The checkpoint cannot be written.
        """
        self._check_values(step)
        values = {**self._train_op.named_variables, **self._position.values()}
        self._saved_at = time.monotonic()
        try:
            path = self._kept.save(step, values)
        except CheckpointError as error:
            if not is_disk_full(error):
                raise
            self._without_room(error, stops=at_the_end or not self._goes_on_without_saving)
            return
        self.saved = step
        if step > self._failed_step:
            self._roll_backs = 0
        tell("slim_checkpoint_saved", run=self._run, step=step, path=path)

    def _check_values(self, step: int) -> None:
        """Refuses to save what a loss that is still finite can leave behind.

        A gradient without bounds leaves such weights; an infinite activation such statistics.
        """
        if not self._train_op.checks:
            return
        found = not_finite(self._train_op.trained_variables | self._train_op.statistics)
        if found:
            shown = ", ".join(found[:3]) + (f" and {len(found) - 3} more" if found[3:] else "")
            raise NotFiniteError.at(step, self._kept.latest(), shown)

    def _without_room(self, error: CheckpointError, stops: bool) -> None:
        text = f"{error}; the newest checkpoint is {self._kept.latest() or 'none yet'}"
        if stops:
            text += ". Free space there and start again"
            if not self._goes_on_without_saving:
                text += ', or train with on_disk_full="go_on"'
            raise CheckpointError(text) from error
        warnings.warn(f"{text}. The run goes on", RuntimeWarning, stacklevel=3)

    def roll_back(self, error: NotFiniteError, step: int) -> int:
        """Returns to the newest checkpoint, though not in the data, and returns its step.

        Args:
            error: What happened.
            step: The step at which it did.

        Raises:
            NotFiniteError: The train op does not ask for this, or it did not help.
        """
        path = self._kept.latest()
        self._roll_backs += 1
        self._failed_step = max(self._failed_step, step)
        if self._train_op.non_finite != "roll_back" or path is None:
            raise error
        if self._roll_backs > ROLL_BACKS:
            raise NotFiniteError(f"{error}. The run returned to it {ROLL_BACKS} times") from error
        warnings.warn(f"{error}. The run returns to it", RuntimeWarning, stacklevel=2)
        restore_variables(path, self._train_op)
        return int(self._train_op.global_step.numpy())

    def count_skipped(self, step: int) -> int:
        """Returns how many steps were skipped in this process.

        Raises:
            NotFiniteError: The last steps, as many as `SKIPS`, all were.
        """
        skipped, (since, before) = int(self._train_op.skipped.numpy()), self._skips_since
        if skipped - before < step - since:
            self._skips_since = step, skipped
        elif step - since >= SKIPS:
            raise NotFiniteError(
                f"the loss or a gradient was infinite or NaN at each of the last {step - since} "
                "steps, which were all skipped; the newest checkpoint is "
                f"{self._kept.latest() or 'none yet'}. Lower the learning rate or clip gradients"
            )
        return skipped


def restore_variables(path: str, train_op: TrainOp) -> None:
    """Reads all that the train op keeps from a checkpoint.

    Moving averages that it lacks, since the run had none so far, begin at the weights read.

    Args:
        path: The checkpoint's prefix.
        train_op: One that is built.

    Raises:
        CheckpointError: The checkpoint cannot be read, or does not fit.
    """
    there = checkpoints.load(path).get_variable_to_shape_map()
    new = train_op.moving_averages.keys() - there.keys()
    variables = {n: v for n, v in train_op.named_variables.items() if n not in new}
    checkpoints.plan(path, variables).assign(variables)
    train_op.begin_averages(but=there)
