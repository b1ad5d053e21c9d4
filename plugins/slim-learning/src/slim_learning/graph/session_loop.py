"""The steps of a run in a graph, from the opening of its session to the end of its threads."""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

import tensorflow as tf

from slim_learning.graph.saver import SummaryAndCheckpointSaver
from slim_learning.graph.scaffold import RunScaffold
from slim_learning.graph.sessions import open_session, wait_for_step
from slim_learning.run.run_record import RunRecord
from slim_learning.run.signals import StopSignals
from slim_learning.training_loop.step_errors import raise_explained
from slimcore.errors import DataError, InputError
from slimcore.events import Run, following

v1 = tf.compat.v1

# How long threads that fill queues may take to end: in good order, and after an error.
SECONDS_OF_GRACE = 120
SECONDS_AFTER_AN_ERROR = 5


@dataclass
class SessionLoop:
    """Runs steps until one says to stop, the input ends, or a signal comes.

    Attributes:
        scaffold: The ops of the run.
        step: Takes a step in a session, and returns the loss and whether to end.
        run: The run; its logdir is "" where there is none.
        run_saver: Makes what saves and summarizes; None where another worker does, or none.
        master: See `train`, also for what follows.
        is_chief: See there.
        config: See there, `session_config`.
        session_wrapper: See there.
        ignore_live_threads: See there.
    """

    scaffold: RunScaffold
    step: Callable[[Any], tuple[Any, bool]]
    run: Run
    run_saver: Callable[[Run], SummaryAndCheckpointSaver] | None
    master: str
    is_chief: bool
    config: Any
    session_wrapper: Callable[[Any], Any] | None
    ignore_live_threads: bool

    def go(self, startup_delay_steps: int = 0) -> Any:
        """Runs to the end, and returns the last loss.

        Args:
            startup_delay_steps: The global step at which a worker that is not the chief begins.
        """
        while True:
            try:
                return self._in_a_session(startup_delay_steps)
            except tf.errors.AbortedError as error:
                # A process that holds variables was started anew.
                v1.logging.info("the session was aborted, and is opened anew: %s", error.message)

    def _in_a_session(self, startup_delay_steps: int) -> Any:
        signals = StopSignals()
        session, restored = open_session(
            self.scaffold, self.master, self.is_chief, self.run.logdir or None, self.config
        )
        self._loss: Any = None
        with contextlib.closing(session), signals:
            step = self.scaffold.global_step
            run = dataclasses.replace(self.run, first_step=int(session.run(step)))
            saver = self.run_saver(run) if self.run_saver else None
            with _followed(run) if saver else contextlib.nullcontext({}) as results:
                if saver:
                    saver.results = results
                with self._threads(session) as coordinator:
                    if saver:
                        saver.begin(session, restored)
                    if not self.is_chief and startup_delay_steps:
                        end = min(startup_delay_steps, run.number_of_steps or startup_delay_steps)
                        wait_for_step(session, step, end, coordinator.wait_for_stop)
                    self._take_steps(session, run, saver, coordinator, signals)
                signals.leave()
        return self._loss

    def _take_steps(
        self,
        session: Any,
        run: Run,
        saver: SummaryAndCheckpointSaver | None,
        coordinator: Any,
        signals: StopSignals,
    ) -> None:
        wrapped = self.session_wrapper(session) if self.session_wrapper else session
        ended, taken = run.number_of_steps is not None and run.first_step >= run.number_of_steps, 0
        try:
            while not (ended or signals.received or coordinator.should_stop()):
                self._loss, ended = self.step(wrapped)
                taken += 1
                if saver:
                    saver.after_step(session, self._loss)
        except tf.errors.OutOfRangeError as error:
            if not taken:
                coordinator.request_stop()
                coordinator.join()  # raises what a thread that reads the input met with
                raise DataError(
                    "the input gave no batch: it is empty, or holds fewer examples than a batch"
                ) from error
        except (tf.errors.InvalidArgumentError, tf.errors.FailedPreconditionError) as error:
            self._explain(error, session, saver)
        if saver:
            saver.end(session, self._loss)

    def _explain(
        self, error: tf.errors.OpError, session: Any, saver: SummaryAndCheckpointSaver | None
    ) -> NoReturn:
        if "iterator has not been initialized" in str(error.message):
            raise InputError(
                "an iterator of the input is not initialized; add iterator.initializer to "
                "tf.compat.v1.GraphKeys.TABLE_INITIALIZERS, or make a one-shot iterator"
            ) from error
        step = int(session.run(self.scaffold.global_step)) + 1
        raise_explained(error, step, saver.latest if saver else None, None)

    @contextlib.contextmanager
    def _threads(self, session: Any) -> Iterator[Any]:
        """Fills the graph's queues meanwhile; yields the coordinator of the threads that do."""
        coordinator = v1.train.Coordinator()
        with self.scaffold.graph.as_default():
            threads = []
            if v1.get_collection(v1.GraphKeys.QUEUE_RUNNERS):
                threads += v1.train.start_queue_runners(session, coordinator, daemon=True)
            for tokens, runner in self.scaffold.synchronizers:
                threads += runner.create_threads(session, coordinator, daemon=True, start=True)
                session.run(tokens)
        try:
            yield coordinator
        except BaseException:
            coordinator.request_stop()
            session.close()
            with contextlib.suppress(Exception):  # the error in the block is the one to see
                coordinator.join(threads, SECONDS_AFTER_AN_ERROR, ignore_live_threads=True)
            raise
        coordinator.request_stop()
        session.close()  # which ends what a thread may be waiting for
        coordinator.join(threads, SECONDS_OF_GRACE, self.ignore_live_threads)


def _followed(run: Run) -> contextlib.AbstractContextManager[dict[str, Any]]:
    """Tells a run to its followers, of which `run.json` is one where the folder is local."""
    return following(run, [] if "://" in run.logdir else [RunRecord()])
