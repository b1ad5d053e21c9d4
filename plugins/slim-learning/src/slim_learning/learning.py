"""`slim.learning`: train ops and the training loop, in a graph and on functions of a batch."""

from typing import Any

import slim_learning.graph.loop as graph_loop
import slim_learning.graph.train_op as graph_train_ops
import slim_learning.training_loop.loop as loop
from slim_learning.dispatch import two_worlds
from slim_learning.graph.train_op import add_gradients_summaries
from slim_learning.graph.train_step import train_step
from slim_learning.optim.gradients import clip_gradient_norms, multiply_gradients
from slim_learning.optim.warm_up import warm_up
from slim_learning.training_loop.train_op import TrainOp

__all__ = [
    "add_gradients_summaries",
    "clip_gradient_norms",
    "create_train_op",
    "multiply_gradients",
    "train",
    "train_step",
    "warm_up",
]


@two_worlds(in_a_graph=graph_train_ops.create_train_op, on_functions=TrainOp)
def create_train_op(total_loss: Any) -> bool:
    """Makes one step of training of a loss and an optimizer.

    In a graph the loss is a scalar tensor, and so is the result, whose evaluation takes the step:
    see `slim_learning.graph.train_op.create_train_op`. Elsewhere the loss is a function of a
    batch, and the result is an object to call with batches: see
    `slim_learning.training_loop.train_op.TrainOp`.
    What comes after `check_numerics` is for functions alone.

    Raises:
        InputError: An argument of the other world, or of a kind or value that is not allowed.
    """
    return callable(total_loss)


@two_worlds(in_a_graph=graph_loop.train, on_functions=loop.train)
def train(train_op: Any) -> bool:
    """Trains until a step is reached, and goes on from the newest checkpoint if there is one.

    In a graph the train op is a tensor, and a session evaluates it: see
    `slim_learning.graph.loop.train`. Elsewhere it is a `TrainOp`, and takes the batches of
    `dataset`: see `slim_learning.training_loop.loop.train`;
    there the loss is logged every 100 steps by default.
    What comes after `ignore_live_threads` is for functions alone.

    Raises:
        InputError: An argument of the other world, or of a kind or value that is not allowed.
        RunError: The folder cannot be written, or the loss became infinite or no number.
        DataError: The input gave no batch, or cannot be read.
        CheckpointError: The checkpoint in the folder does not fit, or one cannot be written.
    """
    return isinstance(train_op, TrainOp)
