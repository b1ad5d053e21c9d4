"""Opens the session of a run in a graph: restored from a checkpoint, or with first values."""

import os
import re
import uuid
from collections.abc import Callable
from typing import Any, NoReturn

import tensorflow as tf

import slimcore.checkpoints as checkpoints
from slim_learning.graph.scaffold import Parts
from slimcore.errors import CheckpointError, RunError
from slimcore.variables import variable_name

v1 = tf.compat.v1

# How long a worker waits for the chief to set the first values.
SECONDS_FOR_THE_CHIEF = 7200


def target(master: str) -> str:
    """Returns the address of a TensorFlow master; "local" is this process, as "" is."""
    return "" if master == "local" else master


def open_session(
    parts: Parts, master: str, is_chief: bool, logdir: str | None, config: Any
) -> tuple[Any, str | None]:
    """Opens a session whose variables all have values.

    Args:
        parts: The parts of the run.
        master: The address of a TensorFlow master; "" is this process.
        is_chief: Whether this worker sets the values; others wait until it has.
        logdir: The folder whose newest checkpoint is restored, if there is one.
        config: A `tf.compat.v1.ConfigProto`, or None.

    Returns:
        The session, and the checkpoint that was restored, if any.

    Raises:
        CheckpointError: The checkpoint does not fit the graph.
        RunError: A variable has no value after all.
    """
    manager = v1.train.SessionManager(
        local_init_op=parts.local_init_op,
        ready_op=parts.ready_op,
        ready_for_local_init_op=parts.ready_for_local_init_op,
        graph=parts.graph,
        recovery_wait_secs=1,
    )
    master = target(master)
    if not is_chief:
        return manager.wait_for_session(master, config, SECONDS_FOR_THE_CHIEF), None
    path = newest(logdir) if logdir and parts.saver else None
    if path and parts.init_fn is not None:
        v1.logging.info("training goes on from %s, so init_fn is not called", path)
    try:
        session = manager.prepare_session(
            master,
            init_op=parts.init_op,
            saver=parts.saver,
            checkpoint_filename_with_path=path,
            config=config,
            init_feed_dict=parts.init_feed_dict,
            init_fn=parts.init_fn,
        )
    except (RuntimeError, tf.errors.OpError, ValueError) as error:
        if path:
            explain_restore(error, path, parts.saved)
        _explain_first_values(error)
    if path:
        _remember(parts.saver, logdir, path)
    return session, path


def newest(folder: str) -> str | None:
    """Returns the newest checkpoint in a folder: as its list says, or by step if there is none."""
    return tf.train.latest_checkpoint(folder) or checkpoints.latest(folder)


def explain_restore(error: Exception, path: str, variables: Any = None) -> NoReturn:
    """Raises an error of restoring a checkpoint as what it means, as far as that is known.

    Args:
        error: What TensorFlow raised.
        path: The checkpoint.
        variables: Those that were to be restored, a list, or a dict by their names there; None
            where that is not known.
    """
    names = _uninitialized(error)
    if names:
        raise CheckpointError(
            f"checkpoint {path} does not have all variables of the graph: {names} would have no "
            "value; restore into the graph that it was saved from, or use another logdir"
        ) from error
    if variables is not None:
        if not isinstance(variables, dict):
            variables = {variable_name(v): v for v in variables}
        checkpoints.plan(path, variables)  # says best what does not fit, if something does not
    raise CheckpointError(f"cannot restore checkpoint {path}: {first_line(error)}") from error


def first_line(error: Exception) -> str:
    """Returns what an error says, without the ops and the traces that follow."""
    return str(getattr(error, "message", "") or error).partition("\n")[0]


def _explain_first_values(error: Exception) -> NoReturn:
    names = _uninitialized(error)
    if names:
        raise RunError(
            f"variables without a value after init_op, local_init_op and init_fn: {names}; leave "
            "these arguments out to initialize all variables"
        ) from error
    raise error


def _uninitialized(error: Exception) -> str:
    """Returns the names in a message of TensorFlow's about variables without a value, or ""."""
    found = re.search(r"[Vv]ariables not initialized: (.*)", str(error))
    return found[1].strip() if found else ""


def _remember(saver: Any, logdir: str | None, path: str) -> None:
    """Lets a saver count the checkpoints of earlier starts among those that it keeps."""
    state = v1.train.get_checkpoint_state(logdir)
    paths = list(state.all_model_checkpoint_paths) if state else [path]
    saver.recover_last_checkpoints([p for p in paths if v1.train.checkpoint_exists(p)])


def require_folder(logdir: str) -> None:
    """Makes the folder of a run.

    Raises:
        RunError: It cannot be made, or nothing can be written in it.
    """
    probe = os.path.join(logdir, f".{uuid.uuid4().hex[:8]}.tmp")
    try:
        tf.io.gfile.makedirs(logdir)
        with tf.io.gfile.GFile(probe, "w") as file:
            file.write("")
        tf.io.gfile.remove(probe)
    except tf.errors.OpError as error:
        raise RunError(
            f"cannot write to the run's folder {logdir}: {error.message.partition(';')[0]}; choose "
            "another logdir"
        ) from error


def wait_for_step(
    session: Any, global_step: Any, step: int, sleep: Callable[[float], bool]
) -> None:
    """Waits until the other workers have reached a step.

    Args:
        session: The session.
        global_step: Counts the steps of all workers.
        step: The step to wait for.
        sleep: Waits for some seconds, and returns whether to give up.
    """
    while session.run(global_step) < step:
        if sleep(1.0):
            return
