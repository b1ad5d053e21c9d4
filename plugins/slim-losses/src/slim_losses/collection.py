"""The losses gathered while a model is built: adding one, finding them, and their sum.

In a graph they are in the graph's collections. Elsewhere they belong to the `slim.Module` being
called or to the block `with slim.collecting():` around.
"""

from collections.abc import Iterable
from typing import Any

import tensorflow as tf

from slimcore import add_arg_scope
from slimcore.collections import add_to_collections, get_collection
from slimcore.errors import InputError

__all__ = [
    "add_loss",
    "get_losses",
    "get_regularization_loss",
    "get_regularization_losses",
    "get_total_loss",
]

GraphKeys = tf.compat.v1.GraphKeys


@add_arg_scope
def add_loss(loss: tf.Tensor, loss_collection: str | None = GraphKeys.LOSSES) -> None:
    """Adds your own loss to the losses, so that `get_total_loss` counts it.

    Args:
        loss: A scalar tensor.
        loss_collection: Where to add it; None adds it nowhere.
    """
    add_to_collections(loss_collection, loss)


def get_losses(
    scope: str | None = None, loss_collection: str = GraphKeys.LOSSES
) -> list[tf.Tensor]:
    """Returns the losses gathered so far, in the order in which they were added.

    Args:
        scope: A pattern that the beginning of their name scope must match.
        loss_collection: Where to look.

    Raises:
        NoModuleError: Outside of a graph nothing gathers here.
    """
    return get_collection(loss_collection, scope)


def get_regularization_losses(scope: str | None = None) -> list[tf.Tensor]:
    """Returns the regularization losses of the variables used so far, one for each variable.

    Args:
        scope: A pattern that the beginning of the variable's name must match.

    Raises:
        NoModuleError: Outside of a graph nothing gathers here.
    """
    return get_collection(GraphKeys.REGULARIZATION_LOSSES, scope)


def get_regularization_loss(
    scope: str | None = None, name: str = "total_regularization_loss"
) -> tf.Tensor:
    """Adds up the regularization losses.

    Args:
        scope: A pattern that the beginning of the variable's name must match.
        name: Name of the sum.

    Returns:
        A scalar, 0.0 where nothing is regularized.

    Raises:
        NoModuleError: Outside of a graph nothing gathers here.
    """
    losses = get_regularization_losses(scope)
    return _sum(losses, name) if losses else tf.constant(0.0, name=name)


def get_total_loss(add_regularization_losses: bool = True, name: str = "total_loss") -> tf.Tensor:
    """Adds up the losses gathered so far: what training minimizes.

    Args:
        add_regularization_losses: Whether the regularization losses are part of the sum.
        name: Name of the sum.

    Returns:
        A scalar: float64 if one of the losses is, and float32 if they have several other types.

    Raises:
        InputError: There is no loss to add up.
        NoModuleError: Outside of a graph nothing gathers here.
    """
    losses = get_losses()
    if add_regularization_losses:
        losses = losses + get_regularization_losses()
    if not losses:
        raise InputError(
            "get_total_loss found no loss to add up: call a loss of slim.losses, or "
            "slim.losses.add_loss(loss), before it and in the same graph or step"
        )
    return _sum(losses, name)


def _sum(losses: Iterable[Any], name: str) -> tf.Tensor:
    tensors = [tf.convert_to_tensor(loss) for loss in losses]
    dtypes = {t.dtype for t in tensors}
    if len(dtypes) > 1:
        dtype = tf.float64 if tf.float64 in dtypes else tf.float32
        tensors = [tf.cast(t, dtype) for t in tensors]
    return tf.add_n(tensors, name=name)
