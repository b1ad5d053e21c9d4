"""`train` on a train op in a graph: what it is told, completed with defaults."""

import contextlib
from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf

from slim_learning.graph.saver import SummaryAndCheckpointSaver
from slim_learning.graph.scaffold import USE_DEFAULT, RunScaffold, graph_of, is_default
from slim_learning.graph.session_loop import SessionLoop
from slim_learning.graph.train_step import default_step_arguments, train_step
from slim_learning.run.folder import open_folder
from slimcore.errors import InputError
from slimcore.events import Run

v1 = tf.compat.v1

TrainStep = Callable[[Any, Any, Any, Any], tuple[Any, bool]]


def train(
    train_op: Any,
    logdir: str | None,
    train_step_fn: TrainStep = train_step,
    train_step_kwargs: Any = USE_DEFAULT,
    log_every_n_steps: int = 1,
    graph: tf.Graph | None = None,
    master: str = "",
    is_chief: bool = True,
    global_step: Any = None,
    number_of_steps: int | None = None,
    init_op: Any = USE_DEFAULT,
    init_feed_dict: Mapping[Any, Any] | None = None,
    local_init_op: Any = USE_DEFAULT,
    init_fn: Callable[[Any], Any] | None = None,
    ready_op: Any = USE_DEFAULT,
    summary_op: Any = USE_DEFAULT,
    save_summaries_secs: float | None = 600,
    summary_writer: Any = USE_DEFAULT,
    startup_delay_steps: int = 0,
    saver: Any = None,
    save_interval_secs: float | None = 600,
    sync_optimizer: Any = None,
    session_config: Any = None,
    session_wrapper: Callable[[Any], Any] | None = None,
    trace_every_n_steps: int | None = None,
    ignore_live_threads: bool = False,
) -> Any:
    """Trains until a step is reached, and goes on from the newest checkpoint if there is one.

    Checkpoints are saved between steps. Ctrl-C and SIGTERM save one before the program ends (exit
    status 130 and 143). The losses are logged by `tf.compat.v1.logging`.

    Args:
        train_op: Tensor that takes a step when it is evaluated, from `create_train_op`.
        logdir: The folder for checkpoints, TensorBoard events, `graph.pbtxt` and `run.json`; None
            writes nothing.
        train_step_fn: Called with the session, `train_op`, the global step and
            `train_step_kwargs` for each step; returns the loss, and whether to end.
        train_step_kwargs: What `train_step_fn` gets; by default what `train_step` wants.
        log_every_n_steps: Steps between logs of the loss; 0 logs none.
        graph: The graph that the train op must be in; any by default.
        master: The address of a TensorFlow master; "" or "local" is this process.
        is_chief: Whether this worker sets first values and saves; the others wait for it.
        global_step: Counts the steps; the graph's own, made if need be, by default.
        number_of_steps: The global step to reach; None goes on until the input ends.
        init_op: Sets first values in a new run; all global variables by default.
        init_feed_dict: What to feed to it.
        local_init_op: Sets what no checkpoint keeps, at each start; local variables and tables by
            default.
        init_fn: Called with the session after `init_op`, such as a restore for fine-tuning. A
            run that goes on from its checkpoint does not call it.
        ready_op: Tensor of the names of variables without a value.
        summary_op: Summaries as one string; all of the graph by default, None for none.
        save_summaries_secs: Seconds between summaries; 0 or None for none. They are evaluated by
            themselves, which takes a batch of the input.
        summary_writer: A `tf.compat.v1.summary.FileWriter`; one in `logdir` by default.
        startup_delay_steps: The global step at which a worker that is not the chief begins.
        saver: Saves and restores; a `tf.compat.v1.train.Saver` of all variables by default.
        save_interval_secs: Seconds between checkpoints; 0 or None saves at the end alone.
        sync_optimizer: `tf.compat.v1.train.SyncReplicasOptimizer`s whose workers wait for each
            other.
        session_config: A `tf.compat.v1.ConfigProto`.
        session_wrapper: From the session to the one to take steps with, such as a debugger's.
        trace_every_n_steps: Steps between traces `tf_trace-STEP.json`; None for none.
        ignore_live_threads: Whether threads that fill queues and do not end are no error.

    Returns:
        The loss of the last step; None where the run had already reached its end.

    Raises:
        InputError: An argument that is not allowed, or not with another.
        RunError: The folder cannot be written, was deleted meanwhile, or another process trains in
            it; or the loss became infinite or NaN.
        DataError: The input gave no batch.
        CheckpointError: The checkpoint in the folder does not fit, or one cannot be written.
    """
    graph = graph_of(train_op, graph)
    if logdir is None:
        _refuse_without_folder(saver, summary_op, trace_every_n_steps)
    _check_steps(number_of_steps, sync_optimizer, startup_delay_steps)
    writes = logdir is not None and is_chief
    with contextlib.ExitStack() as at_the_end:
        lock = at_the_end.enter_context(open_folder(logdir or "")) if writes else None
        scaffold = RunScaffold(
            graph=graph,
            global_step=global_step,
            init_op=init_op,
            init_feed_dict=init_feed_dict,
            init_fn=init_fn,
            local_init_op=local_init_op,
            ready_op=ready_op,
            saver=saver,
            summary_op=summary_op,
        )
        scaffold.complete(writes)
        if sync_optimizer is not None:
            scaffold.synchronize(sync_optimizer, is_chief)
        writer = summary_writer
        if is_default(writer):
            writer = v1.summary.FileWriter(logdir, graph) if writes else None
            if writer is not None:
                at_the_end.callback(writer.close)
        if is_default(train_step_kwargs):
            step, every, trace = scaffold.global_step, log_every_n_steps, trace_every_n_steps
            with graph.as_default():
                train_step_kwargs = default_step_arguments(
                    step, number_of_steps, every, trace if is_chief else None, logdir, writer
                )

        def run_saver(run: Run) -> SummaryAndCheckpointSaver:
            assert lock is not None
            return SummaryAndCheckpointSaver(
                scaffold, run, writer, save_summaries_secs, save_interval_secs, lock
            )

        def step_fn(session: Any) -> tuple[Any, bool]:
            return train_step_fn(session, train_op, scaffold.global_step, train_step_kwargs)

        loop = SessionLoop(
            scaffold=scaffold,
            step=step_fn,
            run=Run("train", logdir or "", number_of_steps),
            run_saver=run_saver if writes else None,
            master=master,
            is_chief=is_chief,
            config=session_config,
            session_wrapper=session_wrapper,
            ignore_live_threads=ignore_live_threads,
        )
        return loop.go(startup_delay_steps)


def _refuse_without_folder(saver: Any, summary_op: Any, trace_every_n_steps: int | None) -> None:
    """Refuses arguments that mean nothing where nothing is written."""
    summarizes = summary_op is not None and not is_default(summary_op)
    given = {
        "saver": saver is not None,
        "summary_op": summarizes,
        "trace_every_n_steps": trace_every_n_steps is not None,
    }
    for name, is_given in given.items():
        if is_given:
            raise InputError(f"train() got {name}, and logdir is None: there is no place to write")


def _check_steps(number_of_steps: Any, sync_optimizer: Any, startup_delay_steps: int) -> None:
    if number_of_steps is not None and number_of_steps <= 0:
        raise InputError(
            f"number_of_steps is {number_of_steps}; it must be positive, or None to go on until "
            "the input ends"
        )
    if sync_optimizer is not None and startup_delay_steps > 0:
        raise InputError(
            f"startup_delay_steps is {startup_delay_steps}, and must be 0 with a sync_optimizer, "
            "whose workers step together"
        )
