"""`slim.training`: train ops and a training loop by hooks. Its evaluation is beside it."""

from typing import Any

import slim_learning.graph.train_op as graph_train_ops
from slim_learning.dispatch import two_worlds
from slim_learning.graph.monitored_session import train
from slim_learning.graph.train_op import add_gradients_summaries
from slim_learning.optim.gradients import (
    clip_gradient_norms,
    clip_gradient_norms_fn,
    multiply_gradients,
)
from slim_learning.training_loop.train_op import TrainOp

__all__ = [
    "add_gradients_summaries",
    "clip_gradient_norms",
    "clip_gradient_norms_fn",
    "create_train_op",
    "multiply_gradients",
    "train",
]


@two_worlds(in_a_graph=graph_train_ops.create_transformed_train_op, on_functions=TrainOp)
def create_train_op(total_loss: Any) -> bool:
    """Makes one step of training of a loss and an optimizer.

    In a graph the loss is a scalar tensor, and so is the result, whose evaluation takes the step:
    see `slim_learning.graph.train_op.create_transformed_train_op`. Elsewhere the loss is a
    function of a batch, and the result is an object to call with batches: see
    `slim_learning.training_loop.train_op.TrainOp`. What comes after `check_numerics` is for
    functions alone.

    Raises:
        InputError: An argument of the other world, or of a kind or value that is not allowed.
    """
    return callable(total_loss)
