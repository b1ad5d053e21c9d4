"""The folder of a run: made, found to be writable, and held by one training at a time."""

import os
import secrets

import tensorflow as tf

import slimcore.files as files
from slimcore.errors import RunError
from slimcore.locks import FolderLock


def open_folder(logdir: str, what: str = "a training") -> FolderLock:
    """Makes the folder of a run, locks it, and removes the files that a killed run was writing.

    A folder that is not local, such as `gs://…`, is not locked.

    Args:
        logdir: The folder, on any file system that `tf.io.gfile` knows.
        what: Who holds it, for the message to others.

    Returns:
        The lock, to be released at the end of the run.

    Raises:
        RunError: The folder cannot be made, nothing can be written in it, or another process
            holds it.
    """
    is_local = "://" not in logdir
    probe = os.path.join(logdir, f".{secrets.token_hex(4)}.tmp")
    try:
        if is_local:
            os.makedirs(logdir, exist_ok=True)
        else:
            tf.io.gfile.makedirs(logdir)
        with tf.io.gfile.GFile(probe, "w") as file:
            file.write("")
        tf.io.gfile.remove(probe)
    except (OSError, tf.errors.OpError) as error:
        reason = getattr(error, "strerror", None) or str(error).rpartition("; ")[2]
        raise RunError(
            f"cannot write to the run's folder {logdir}: {reason}; choose another logdir"
        ) from error
    lock = FolderLock(logdir, what)
    if is_local:
        lock.acquire()
        files.remove_leftovers(logdir)
    return lock
