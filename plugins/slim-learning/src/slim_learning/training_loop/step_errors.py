"""What went wrong in a step, said in one line."""

import re
from collections.abc import Mapping
from typing import Any, NoReturn

import tensorflow as tf

from slim_learning.run.data_position import DataPosition
from slimcore.data_errors import BAD_DATA
from slimcore.errors import DataError, RunError

NOT_FINITE = "the loss is inf or nan"
"""What TensorFlow says when the check of the loss in a step fails."""


class NotFiniteError(RunError):
    """The loss, the weights or moving statistics became infinite or NaN."""

    @classmethod
    def at(cls, step: int, saved: str | None, what: str = "the loss") -> "NotFiniteError":
        """Returns the error of a step, which names the newest checkpoint.

        Args:
            step: The step.
            saved: The newest checkpoint.
            what: What is not finite.
        """
        return cls(
            f"{what} became infinite or NaN at step {step}; the newest checkpoint is "
            f"{saved or 'none yet'}. Lower the learning rate, clip gradients, or look for such "
            "values in the data"
        )


def not_finite(tensors: Mapping[str, Any]) -> list[str]:
    """Returns the names of those tensors, of any type, that hold an infinity or a NaN."""
    return [
        name
        for name, t in tensors.items()
        if t.dtype.is_floating and not bool(tf.reduce_all(tf.math.is_finite(t)))
    ]


def raise_explained(
    error: tf.errors.OpError, step: int, saved: str | None, position: DataPosition | None
) -> NoReturn:
    """Raises an error of TensorFlow's in a step as what it means, where that is known.

    Args:
        error: What TensorFlow raised.
        step: The step that failed.
        saved: The newest checkpoint.
        position: Position in the dataset, which knows its files; None in a graph, where that is
            unknown.
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
