"""`train` on a train op in a graph, by a session that hooks watch over."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import tensorflow as tf

import slimcore.checkpoints as checkpoints
from slim_learning.graph.scaffold import graph_of
from slim_learning.graph.sessions import target
from slim_learning.run.folder import open_folder
from slim_learning.training_loop.train_op import TrainOp
from slimcore.errors import InputError

v1 = tf.compat.v1


def train(
    train_op: Any,
    logdir: str | None,
    master: str = "",
    is_chief: bool = True,
    scaffold: Any = None,
    hooks: Sequence[Any] | None = None,
    chief_only_hooks: Sequence[Any] | None = None,
    save_checkpoint_secs: float | None = 600,
    save_summaries_steps: int | None = 100,
    config: Any = None,
    max_wait_secs: int = 7200,
    run_metadata: Any = None,
) -> Any:
    """Trains until a hook asks to stop or the input ends, in a `MonitoredTrainingSession`.

    It goes on from the newest checkpoint in `logdir`, if there is one.

    Args:
        train_op: Tensor that takes a step when it is evaluated.
        logdir: The folder for checkpoints and events; None writes nothing.
        master: The address of a TensorFlow master; "" or "local" is this process.
        is_chief: Whether this worker sets first values and saves; the others wait for it.
        scaffold: A `tf.compat.v1.train.Scaffold`.
        hooks: Session hooks, such as `tf.compat.v1.train.StopAtStepHook`.
        chief_only_hooks: Hooks that only the chief has.
        save_checkpoint_secs: Seconds between checkpoints; 0 or None saves none.
        save_summaries_steps: Steps between summaries; 0 or None writes none.
        config: A `tf.compat.v1.ConfigProto`.
        max_wait_secs: Seconds to wait for the chief at most.
        run_metadata: A `tf.compat.v1.RunMetadata` to fill in each step.

    Returns:
        The loss of the last step; None where there was none.

    Raises:
        InputError: There is no folder to save in, or the train op is of no graph.
        RunError: The folder cannot be written, or another process trains in it.
        CheckpointError: There are checkpoints in the folder, and all of them are damaged.
    """
    if isinstance(train_op, TrainOp):
        raise InputError(
            "slim.training.train takes a train op in a graph; for one on a function of a batch, "
            "call slim.learning.train(train_op, logdir, dataset=…)"
        )
    graph = graph_of(train_op, None)
    if logdir is None and is_chief:
        for name, given in [
            ("save_checkpoint_secs", save_checkpoint_secs),
            ("save_summaries_steps", save_summaries_steps),
        ]:
            if given:
                raise InputError(f"logdir is None; give a folder, or {name}=None")
    loss = None
    with (
        _folder(logdir) if logdir is not None and is_chief else contextlib.nullcontext(),
        graph.as_default(),
        v1.train.MonitoredTrainingSession(
            master=target(master),
            is_chief=is_chief,
            checkpoint_dir=logdir,
            scaffold=scaffold,
            hooks=hooks,
            chief_only_hooks=chief_only_hooks,
            save_checkpoint_secs=save_checkpoint_secs,
            save_summaries_steps=save_summaries_steps,
            config=config,
            max_wait_secs=max_wait_secs,
        ) as session,
    ):
        while not session.should_stop():
            loss = session.run(train_op, run_metadata=run_metadata)
    return loss


@contextlib.contextmanager
def _folder(logdir: str) -> Iterator[None]:
    """Holds the folder, where the state file names the newest checkpoint that is whole."""
    with open_folder(logdir):
        newest = checkpoints.newest(logdir)
        if newest is not None and newest != tf.train.latest_checkpoint(logdir):
            paths = checkpoints.listed(logdir)
            v1.train.update_checkpoint_state(logdir, newest, paths[: paths.index(newest) + 1])
        yield
