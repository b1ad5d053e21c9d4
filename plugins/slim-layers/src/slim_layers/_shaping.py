"""Dropout and flattening: layers between others."""

from collections.abc import Sequence
from math import prod
from typing import Any

import tensorflow as tf

from slim_layers._layer import Collections, Layer
from slim_layers.utils import smart_cond
from slimcore import add_arg_scope
from slimcore.randomness import next_seed


@add_arg_scope
def dropout(
    inputs: tf.Tensor,
    keep_prob: Any = 0.5,
    noise_shape: Sequence[int | None] | tf.Tensor | None = None,
    is_training: Any = True,
    outputs_collections: Collections = None,
    scope: Any = None,
    seed: int | None = None,
) -> tf.Tensor:
    """Keeps each value with a probability, divided by it, and makes the others 0.

    Args:
        inputs: Tensor of any shape.
        keep_prob: Probability above 0 and up to 1, a number or a scalar tensor.
        noise_shape: Shape of the choice, which is repeated along axes of size 1; by default that
            of the inputs.
        is_training: Whether to drop at all, a bool or a scalar tensor.
        outputs_collections: Collections for the outputs.
        scope: Name of the ops, `Dropout` by default.
        seed: Makes the choices the same every time.

    Returns:
        Tensor like `inputs`.

    Raises:
        InputError: `keep_prob` is a number out of its range.

    Paper: Srivastava et al., "Dropout: A Simple Way to Prevent Neural Networks from Overfitting",
    2014.
    """
    with Layer("dropout", "Dropout", inputs, scope) as layer:
        inputs = layer.inputs
        if not tf.is_tensor(keep_prob) and not 0.0 < keep_prob <= 1.0:
            layer.refuse(f"got keep_prob={keep_prob}; it takes a number above 0 and up to 1")
        if is_training is not False:
            layer.check_floating()
        outputs = smart_cond(
            is_training,
            lambda: _dropped(inputs, 1.0 - keep_prob, noise_shape, seed),
            lambda: tf.identity(inputs),
        )
        return layer.finish(outputs, None, outputs_collections)


def _dropped(
    inputs: tf.Tensor, rate: Any, noise_shape: Sequence[int | None] | tf.Tensor | None, seed: Any
) -> tf.Tensor:
    draw = next_seed()
    if draw is None or seed is not None:
        return tf.nn.dropout(inputs, rate, noise_shape, seed)
    # In a training step: a resumed run drops what an uninterrupted one would.
    return tf.nn.experimental.stateless_dropout(inputs, rate, draw, noise_shape=noise_shape)


@add_arg_scope
def flatten(
    inputs: tf.Tensor, outputs_collections: Collections = None, scope: Any = None
) -> tf.Tensor:
    """Joins all axes but the first.

    Args:
        inputs: Tensor [N, ...] of rank 1 or more.
        outputs_collections: Collections for the outputs.
        scope: Name of the ops, `Flatten` by default.

    Returns:
        Tensor [N, K], K being the product of the other sizes, 1 where there are none.

    Raises:
        ShapeError: The rank is 0 or unknown.
    """
    with Layer("flatten", "Flatten", inputs, scope) as layer:
        shape = layer.inputs.shape
        if not shape.rank:
            layer.fail("takes inputs of rank 1 or more")
        if shape[1:].is_fully_defined():
            batch = -1 if shape[0] is None else shape[0]
            outputs = tf.reshape(layer.inputs, [batch, prod(shape[1:])])
        else:
            outputs = tf.reshape(layer.inputs, [tf.shape(layer.inputs)[0], -1])
        return layer.finish(outputs, None, outputs_collections)
