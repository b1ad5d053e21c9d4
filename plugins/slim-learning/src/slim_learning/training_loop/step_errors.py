"""What went wrong in a step, said in one line."""

import re
from collections.abc import Iterable
from typing import Any, NoReturn

import tensorflow as tf
from slim_data._error_context import BAD_DATA

from slim_learning.run.data_position import DataPosition
from slim_learning.training_loop.train_op import NOT_FINITE
from slimcore.errors import DataError, RunError


class NotFiniteError(RunError):
    """The loss, or the weights, became infinite or no number."""

    @classmethod
    def at(cls, step: int, saved: str | None) -> "NotFiniteError":
        """Returns the error of a step, which names the newest checkpoint."""
        return cls(
            f"the loss became infinite or no number at step {step}; the newest checkpoint is "
            f"{saved or 'none yet'}. Lower the learning rate, clip gradients, or look for such "
            "values in the data"
        )


def is_finite(tensors: Iterable[Any]) -> bool:
    """Returns whether all values of all tensors are finite numbers."""
    return all(bool(tf.reduce_all(tf.math.is_finite(t))) for t in tensors)


def raise_explained(
    error: tf.errors.OpError, step: int, saved: str | None, position: DataPosition | None
) -> NoReturn:
    """Raises an error of TensorFlow's in a step as what it means, where that is known.

    Args:
        error: What TensorFlow raised.
        step: The step that failed.
        saved: The newest checkpoint.
        position: Of the dataset, which knows its files; None in a graph, where that is unknown.
    """
    text = str(error.message)
    if NOT_FINITE in text:
        raise NotFiniteError.at(step, saved) from error
    label = re.search(r"label value of (-?\d+) .*outside the valid range of \[0, (\d+)\)", text)
    if label:
        raise DataError(
            f"a label in the batch of step {step} is {label[1]}, and the network has {label[2]} "
            f"classes, 0 to {int(label[2]) - 1}; give it more classes, or mend the labels"
        ) from error
    if position is not None and isinstance(error, BAD_DATA) and "IteratorGetNext" in text:
        explained = position.explain(error)
        if explained is not error:
            raise explained from error
    raise error
