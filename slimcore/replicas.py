"""What a loss must know of the other replicas of a training step, so that it means the whole batch.

A training step on several replicas weighs each by its share of the examples, and then averages.
That is exact for a mean over examples. A loss that divides by something else, such as the number of
weights other than zero, divides by what `normalizer` returns instead.
"""

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar

import tensorflow as tf

_share: ContextVar[tf.Tensor | None] = ContextVar("share", default=None)


@contextlib.contextmanager
def sharing(share: tf.Tensor | None) -> Iterator[None]:
    """Says inside which part of the examples of all replicas this replica has.

    A training step enters this, and weighs the loss computed inside by that part.

    Args:
        share: float32 scalar from 0 to 1; None where there is one replica.
    """
    token = _share.set(share)
    try:
        yield
    finally:
        _share.reset(token)


def normalizer(count: tf.Tensor) -> tf.Tensor:
    """Returns what a loss divides the sum over its examples by, so that replicas add up.

    With one replica, and outside of a training step, that is the count itself. Otherwise it is the
    sum of the counts of all replicas, times the share of this one: weighed by the shares, the
    losses of the replicas then add up to the loss of one device for the whole batch.

    Args:
        count: Scalar of a float type: the number of examples here, or the sum of their weights.
    """
    share = _share.get()
    if share is None:
        return count
    replica = tf.distribute.get_replica_context()
    total = replica.all_reduce(tf.distribute.ReduceOp.SUM, tf.stop_gradient(count))
    return total * tf.cast(share, count.dtype)
