"""Opens the session of a run in a graph: restored from a checkpoint, or with first values."""

import re
from collections.abc import Callable
from typing import Any, NoReturn

import tensorflow as tf

import slimcore.checkpoints as checkpoints
from slim_learning.graph.scaffold import RunScaffold
from slimcore.errors import CheckpointError, RunError, first_line
from slimcore.variables import variable_name

v1 = tf.compat.v1

# How long a worker waits for the chief to set the first values.
SECONDS_FOR_THE_CHIEF = 7200


def target(master: str) -> str:
    """Returns the address of a TensorFlow master; "local" is this process, as "" is."""
    return "" if master == "local" else master


def open_session(
    scaffold: RunScaffold, master: str, is_chief: bool, logdir: str | None, config: Any
) -> tuple[Any, str | None]:
    """Opens a session whose variables all have values.

    Args:
        scaffold: The scaffold of the run.
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
        local_init_op=scaffold.local_init_op,
        ready_op=scaffold.ready_op,
        ready_for_local_init_op=scaffold.ready_for_local_init_op,
        graph=scaffold.graph,
        recovery_wait_secs=1,
    )
    master = target(master)
    if not is_chief:
        return manager.wait_for_session(master, config, SECONDS_FOR_THE_CHIEF), None

    def prepared(path: str | None) -> Any:
        if path and scaffold.init_fn is not None:
            v1.logging.info("training goes on from %s, so init_fn is not called", path)
        try:
            return manager.prepare_session(
                master,
                init_op=scaffold.init_op,
                saver=scaffold.saver,
                checkpoint_filename_with_path=path,
                config=config,
                init_feed_dict=scaffold.init_feed_dict,
                init_fn=scaffold.init_fn,
            )
        except (RuntimeError, tf.errors.OpError, ValueError) as error:
            if path:
                explain_restore(error, path, scaffold.saved)
            _explain_first_values(error)

    found = checkpoints.restore_newest(logdir, prepared) if logdir and scaffold.saver else None
    if found is None:
        return prepared(None), None
    path, session = found
    _remember(scaffold.saver, logdir, path)
    return session, path


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
    there = checkpoints.listed(logdir or "")
    saver.recover_last_checkpoints(there[: there.index(path) + 1])


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
