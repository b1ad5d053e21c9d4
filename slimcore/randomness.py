"""Random numbers that can be drawn again: those of a training step follow from its seed.

TensorFlow's stateful random ops keep their state out of reach of a checkpoint, so a resumed run
would drop other units than an uninterrupted one. Inside `seeded`, each draw has a seed made from
the seed of the block, such as the run's and its step, and from the number of the draw.
"""

import contextlib
import itertools
from collections.abc import Iterator
from contextvars import ContextVar

import tensorflow as tf

_draws: ContextVar["tuple[tf.Tensor, Iterator[int]] | None"] = ContextVar("draws", default=None)


@contextlib.contextmanager
def seeded(seed: tf.Tensor) -> Iterator[None]:
    """Gives every random draw inside a seed of its own.

    Args:
        seed: Two integers; they may be tensors that differ from step to step.
    """
    token = _draws.set((seed, itertools.count()))
    try:
        yield
    finally:
        _draws.reset(token)


def next_seed() -> "tf.Tensor | None":
    """Returns a seed for a stateless random op, or None where nothing seeds this block."""
    draws = _draws.get()
    if draws is None:
        return None
    seed, numbers = draws
    return tf.random.experimental.stateless_fold_in(seed, next(numbers))
