"""The fully connected layer as it was before slim, for models that still call it so."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import tensorflow as tf

from slim_layers._layer import XAVIER, ZEROS, Function, Layer
from slimcore.collections import add_to_collections
from slimcore.precisions import variable_dtype
from slimcore.variables import variable

GraphKeys = tf.compat.v1.GraphKeys


def legacy_fully_connected(
    x: tf.Tensor,
    num_output_units: int,
    activation_fn: Function = None,
    weight_init: Any = XAVIER,
    bias_init: Any = ZEROS,
    name: str | None = None,
    weight_collections: Sequence[str] = (GraphKeys.WEIGHTS,),
    bias_collections: Sequence[str] = (GraphKeys.BIASES,),
    output_collections: Sequence[str] = (GraphKeys.ACTIVATIONS,),
    trainable: bool = True,
    weight_regularizer: Function = None,
    bias_regularizer: Function = None,
) -> tf.Tensor:
    """Multiplies the last axis by a learned matrix, adds biases, and activates.

    Variables, under `name`: `weights` [C, num_output_units]; `bias` [num_output_units], unless
    `bias_init` is None.

    Args:
        x: Tensor of rank 2 or more whose last axis has a known size C.
        num_output_units: Size of the last axis of the result.
        activation_fn: Function of the outputs, or None.
        weight_init: Initializer of the weights.
        bias_init: Initializer of the biases; None for no biases.
        name: Variable scope, `fully_connected` by default.
        weight_collections: Further collections for the weights.
        bias_collections: Further collections for the biases.
        output_collections: Collections for the outputs, beside `GraphKeys.ACTIVATIONS`.
        trainable: Whether the variables are trained.
        weight_regularizer: Regularizer for the weights.
        bias_regularizer: Regularizer for the biases.

    Returns:
        Tensor like `x`, with `num_output_units` in place of C.

    Raises:
        ShapeError: The rank is below 2, or C is unknown.
    """
    with Layer("legacy_fully_connected", "fully_connected", x, name) as layer:
        rank = layer.inputs.shape.rank
        if rank is None or rank < 2:
            layer.fail("takes inputs of rank 2 or more")
        size, dtype, inputs = layer.static_dim(-1), variable_dtype(layer.inputs), layer.compute()
        weights = variable(
            "weights",
            [size, num_output_units],
            dtype,
            weight_init,
            weight_regularizer,
            trainable,
            [*(weight_collections or ()), GraphKeys.GLOBAL_VARIABLES],
        )
        if rank == 2:
            outputs = tf.matmul(inputs, layer.read(weights))
        else:
            outputs = tf.tensordot(inputs, layer.read(weights), 1)
        if bias_init is not None:
            bias = variable(
                "bias",
                [num_output_units],
                dtype,
                bias_init,
                bias_regularizer,
                trainable,
                [*(bias_collections or ()), GraphKeys.GLOBAL_VARIABLES],
            )
            outputs = outputs + layer.read(bias)
        if activation_fn is not None:
            outputs = activation_fn(outputs)
        add_to_collections(
            dict.fromkeys([*(output_collections or ()), GraphKeys.ACTIVATIONS]), outputs
        )
        return outputs


legacy_linear = partial(legacy_fully_connected, activation_fn=None)
legacy_relu = partial(legacy_fully_connected, activation_fn=tf.nn.relu)
