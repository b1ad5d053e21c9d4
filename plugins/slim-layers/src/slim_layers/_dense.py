"""Fully connected layers, and biases alone."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import tensorflow as tf

from slim_layers._layer import (
    RELU,
    XAVIER,
    ZEROS,
    Collections,
    Function,
    Layer,
    VariablesCollections,
)
from slim_layers._products import product
from slim_layers.utils import channels_first
from slimcore import add_arg_scope


@add_arg_scope
def fully_connected(
    inputs: tf.Tensor,
    num_outputs: int,
    activation_fn: Function = RELU,
    normalizer_fn: Function = None,
    normalizer_params: Mapping[str, Any] | None = None,
    weights_initializer: Any = XAVIER,
    weights_regularizer: Function = None,
    biases_initializer: Any = ZEROS,
    biases_regularizer: Function = None,
    reuse: bool | None = None,
    variables_collections: VariablesCollections = None,
    outputs_collections: Collections = None,
    trainable: bool = True,
    scope: Any = None,
) -> tf.Tensor:
    """Multiplies the last axis by a learned matrix, then adds biases or normalizes, then activates.

    Variables, under `scope`: `weights` [C, num_outputs]; `biases` [num_outputs], where there is no
    `normalizer_fn`.

    Args:
        inputs: Tensor of rank 2 or more whose last axis has a known size C.
        num_outputs: Size of the last axis of the result.
        activation_fn: Function of the outputs, or None.
        normalizer_fn: Function to apply in place of biases, such as `slim.batch_norm`.
        normalizer_params: Further arguments for `normalizer_fn`.
        weights_initializer: Initializer for the weights.
        weights_regularizer: Regularizer for the weights.
        biases_initializer: Initializer for the biases; None for no biases.
        biases_regularizer: Regularizer for the biases.
        reuse: Whether the variables must exist already.
        variables_collections: Collections for all variables, or a dict from their names to lists.
        outputs_collections: Collections for the outputs.
        trainable: Whether the variables are trained.
        scope: Variable scope, `fully_connected` by default.

    Returns:
        Tensor like `inputs`, with `num_outputs` in place of C.

    Raises:
        ShapeError: The rank is below 2, or C is unknown.
        InputError: `num_outputs` is not a positive integer.
    """
    with Layer(
        "fully_connected",
        "fully_connected",
        inputs,
        scope,
        reuse,
        trainable,
        variables_collections,
    ) as layer:
        rank = layer.inputs.shape.rank
        if rank is None or rank < 2:
            layer.fail("takes inputs of rank 2 or more")
        size = [layer.static_dim(-1), layer.positive("num_outputs", num_outputs)]
        weights = layer.variable("weights", size, weights_initializer, weights_regularizer)
        if rank == 2:
            outputs = product(layer.compute(), layer.read(weights))
        else:
            outputs = tf.tensordot(layer.compute(), layer.read(weights), 1)
        outputs = layer.bias_or_normalize(
            outputs, normalizer_fn, normalizer_params, biases_initializer, biases_regularizer
        )
        return layer.finish(outputs, activation_fn, outputs_collections)


linear = partial(fully_connected, activation_fn=None)
relu = partial(fully_connected, activation_fn=tf.nn.relu)
relu6 = partial(fully_connected, activation_fn=tf.nn.relu6)
elu = partial(fully_connected, activation_fn=tf.nn.elu)


@add_arg_scope
def bias_add(
    inputs: tf.Tensor,
    activation_fn: Function = None,
    initializer: Any = ZEROS,
    regularizer: Function = None,
    reuse: bool | None = None,
    variables_collections: VariablesCollections = None,
    outputs_collections: Collections = None,
    trainable: bool = True,
    data_format: str = "NHWC",
    scope: Any = None,
) -> tf.Tensor:
    """Adds a learned number to each channel, then activates.

    Variable, under `scope`: `biases` [C].

    Args:
        inputs: Tensor of rank 2 or more with C channels, known: on the last axis, or on axis 1
            where `data_format` is "NCHW".
        activation_fn: Function of the outputs, or None.
        initializer: Initializer for the biases.
        regularizer: Regularizer for the biases.
        reuse: Whether the variable must exist already.
        variables_collections: Collections for the variable, or a dict of lists by its name.
        outputs_collections: Collections for the outputs.
        trainable: Whether the biases are trained.
        data_format: "NHWC" or "NCHW".
        scope: Variable scope, `BiasAdd` by default.

    Returns:
        Tensor like `inputs`.

    Raises:
        ShapeError: The rank is below 2, or C is unknown.
        InputError: The data format is none of these.
    """
    with Layer(
        "bias_add", "BiasAdd", inputs, scope, reuse, trainable, variables_collections
    ) as layer:
        layer.check_choice("data_format", data_format, ("NHWC", "NCHW"))
        if layer.inputs.shape.rank is None or layer.inputs.shape.rank < 2:
            layer.fail("takes inputs of rank 2 or more")
        first = channels_first(data_format)
        layer.static_dim(1 if first else -1)
        inputs, first = layer.arrange(layer.compute(), first, "convolution")
        outputs = layer.bias_or_normalize(inputs, None, None, initializer, regularizer, first)
        return layer.finish(outputs, activation_fn, outputs_collections)
