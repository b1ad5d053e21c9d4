"""`slim.queues`: the threads that fill the queues of a graph, for the length of a block."""

import contextlib
import weakref
from collections.abc import Iterator
from typing import Any

import tensorflow as tf

from slimcore.errors import RunError

__all__ = ["NestedQueueRunnerError", "QueueRunners"]

_running: "weakref.WeakSet[Any]" = weakref.WeakSet()


class NestedQueueRunnerError(RunError):
    """The queues of this session are being filled already."""


@contextlib.contextmanager
def QueueRunners(session: Any) -> Iterator[None]:  # noqa: N802, tf-slim's name
    """Fills the queues of a session's graph while the block runs.

    An error in the block ends the threads and is raised as it is; an error in a thread that
    fills a queue is raised at the end of the block.

    Args:
        session: A `tf.compat.v1.Session`.

    Raises:
        NestedQueueRunnerError: A block for this session is open.
    """
    if session in _running:
        raise NestedQueueRunnerError(
            "QueueRunners cannot be nested: the queues of this session are being filled; use the "
            "outer block"
        )
    coordinator = tf.compat.v1.train.Coordinator()
    _running.add(session)
    try:
        with session.graph.as_default():
            threads = tf.compat.v1.train.start_queue_runners(session, coordinator, daemon=True)
        try:
            yield
        except BaseException:
            coordinator.request_stop()
            with contextlib.suppress(Exception):  # the error in the block is the one to see
                coordinator.join(threads)
            raise
        coordinator.request_stop()
        coordinator.join(threads)
    finally:
        _running.discard(session)
