"""`slim.learning`: train ops and the training loop."""

from typing import Any

from slim_learning.gradients import clip_gradient_norms, multiply_gradients
from slim_learning.loop import train
from slim_learning.train_ops import TrainOp

__all__ = ["clip_gradient_norms", "create_train_op", "multiply_gradients", "train"]


def create_train_op(total_loss: Any, optimizer: Any, **kwargs: Any) -> TrainOp:
    return TrainOp(total_loss, optimizer, **kwargs)
