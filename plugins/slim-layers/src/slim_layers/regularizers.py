"""Regularizers: functions from a variable to a scalar loss."""

import numbers
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from slimcore.collections import add_to_collections
from slimcore.errors import InputError
from slimcore.variables import get_variables

Regularizer = Callable[[Any], tf.Tensor | None]

GraphKeys = tf.compat.v1.GraphKeys


def l1_regularizer(scale: float, scope: str | None = None) -> Regularizer:
    """Returns a regularizer `scale` * sum(|weights|), which drives weights to exactly 0.

    Args:
        scale: Factor of at least 0; with 0 the regularizer returns None.
        scope: Name of the ops, `l1_regularizer` by default.

    Raises:
        InputError: The scale is an integer or negative.
    """
    _check_scale("l1_regularizer", "scale", scale)
    if scale == 0.0:
        return _nothing

    def l1(weights: Any) -> tf.Tensor:
        with tf.name_scope(scope or "l1_regularizer"):
            return tf.cast(scale, weights.dtype) * tf.reduce_sum(tf.abs(weights))

    return l1


def l2_regularizer(scale: float, scope: str | None = None) -> Regularizer:
    """Returns a regularizer `scale` * sum(weights ** 2) / 2, known as weight decay.

    Args:
        scale: Factor of at least 0; with 0 the regularizer returns None.
        scope: Name of the ops, `l2_regularizer` by default.

    Raises:
        InputError: The scale is an integer or negative.
    """
    _check_scale("l2_regularizer", "scale", scale)
    if scale == 0.0:
        return _nothing

    def l2(weights: Any) -> tf.Tensor:
        with tf.name_scope(scope or "l2_regularizer"):
            return scale * tf.nn.l2_loss(weights)

    return l2


def l1_l2_regularizer(
    scale_l1: float = 1.0, scale_l2: float = 1.0, scope: str | None = None
) -> Regularizer | None:
    """Returns the sum of an `l1_regularizer` and an `l2_regularizer`.

    Raises:
        InputError: A scale is an integer or negative.
    """
    _check_scale("l1_l2_regularizer", "scale_l1", scale_l1)
    _check_scale("l1_l2_regularizer", "scale_l2", scale_l2)
    parts = [l1_regularizer(scale_l1), l2_regularizer(scale_l2)]
    return sum_regularizer(parts, scope or "l1_l2_regularizer")


def sum_regularizer(
    regularizer_list: Sequence[Regularizer | None], scope: str | None = None
) -> Regularizer | None:
    """Returns the sum of regularizers, leaving out each that is None; None if all are.

    Args:
        regularizer_list: Functions from a variable to a scalar or None.
        scope: Name of the ops, `sum_regularizer` by default.
    """
    parts = [part for part in regularizer_list if part is not None]
    if not parts:
        return None

    def total(weights: Any) -> tf.Tensor | None:
        with tf.name_scope(scope or "sum_regularizer"):
            losses = [loss for part in parts if (loss := part(weights)) is not None]
            return tf.add_n(losses) if losses else None

    return total


def apply_regularization(
    regularizer: Regularizer, weights_list: Sequence[Any] | None = None
) -> tf.Tensor:
    """Returns the sum of a regularizer over weights, and adds it to the regularization losses.

    Args:
        regularizer: Function from weights to a scalar, or to None for nothing.
        weights_list: Tensors or variables; by default those in the collection `weights`.

    Raises:
        InputError: There are no weights, or the regularizer does not return a scalar.
    """
    if weights_list is None:
        weights_list = get_variables(collection=GraphKeys.WEIGHTS)
    if not weights_list:
        raise InputError(
            "apply_regularization has no weights: pass weights_list, or give the layers "
            f"variables_collections=[{GraphKeys.WEIGHTS!r}]"
        )
    with tf.name_scope("get_regularization_penalty"):
        losses = [loss for w in weights_list if (loss := regularizer(w)) is not None]
        for loss in losses:
            if loss.shape.rank != 0:
                raise InputError(
                    f"apply_regularization needs a scalar from the regularizer, not {loss.shape}"
                )
        total = tf.add_n(losses) if losses else tf.constant(0.0)
    add_to_collections(GraphKeys.REGULARIZATION_LOSSES, total)
    return total


def _nothing(weights: Any) -> None:
    """The regularizer of scale 0, for which no op is made."""


def _check_scale(function: str, argument: str, scale: Any) -> None:
    # An integer here has mostly been a mistaken order of arguments.
    if isinstance(scale, numbers.Integral):
        raise InputError(f"{function} takes a float for {argument}, not the integer {scale}")
    if not isinstance(scale, numbers.Real) or scale < 0.0:
        raise InputError(f"{function} takes a float of at least 0 for {argument}, not {scale!r}")
