"""Convolutions of each channel by itself: separable and in-plane."""

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from slim_layers._geometry import Geometry, Ints, Window
from slim_layers._layer import (
    RELU,
    XAVIER,
    ZEROS,
    Collections,
    Function,
    Layer,
    VariablesCollections,
)
from slim_layers._layouts import CHANNELS_FIRST, CHANNELS_LAST
from slimcore import add_arg_scope


@add_arg_scope
def separable_convolution2d(
    inputs: tf.Tensor,
    num_outputs: int | None,
    kernel_size: Ints,
    depth_multiplier: int = 1,
    stride: Ints = 1,
    padding: str = "SAME",
    data_format: str = "NHWC",
    rate: Ints = 1,
    activation_fn: Function = RELU,
    normalizer_fn: Function = None,
    normalizer_params: Mapping[str, Any] | None = None,
    weights_initializer: Any = XAVIER,
    pointwise_initializer: Any = None,
    weights_regularizer: Function = None,
    biases_initializer: Any = ZEROS,
    biases_regularizer: Function = None,
    reuse: bool | None = None,
    variables_collections: VariablesCollections = None,
    outputs_collections: Collections = None,
    trainable: bool = True,
    scope: Any = None,
) -> tf.Tensor:
    """Convolves each channel of images by itself, then mixes the channels of each place.

    Variables, under `scope`: `depthwise_weights` [*kernel_size, C, depth_multiplier];
    `pointwise_weights` [1, 1, C * depth_multiplier, num_outputs], unless `num_outputs` is None;
    `biases` [channels of the outputs], where there is no `normalizer_fn`.

    Args:
        inputs: Tensor [N, H, W, C] with C known, or [N, C, H, W] with data_format="NCHW".
        num_outputs: Channels to mix to; None leaves them as they are, C * depth_multiplier.
        kernel_size: Size of the kernels, one number or [height, width].
        depth_multiplier: Kernels for each channel.
        stride: Step, one number or two equal ones.
        padding: "SAME" or "VALID".
        data_format: "NHWC" or "NCHW".
        rate: Dilation, one number or [vertical, horizontal]. Above 1, `stride` must be 1.
        activation_fn: Function of the outputs, or None.
        normalizer_fn: Function to apply in place of biases, such as `slim.batch_norm`.
        normalizer_params: Further arguments for `normalizer_fn`.
        weights_initializer: Initializer for the depthwise weights.
        pointwise_initializer: Initializer for the pointwise weights, by default
            `weights_initializer`.
        weights_regularizer: Regularizer for both.
        biases_initializer: Initializer for the biases; None for no biases.
        biases_regularizer: Regularizer for the biases.
        reuse: Whether the variables must exist already.
        variables_collections: Collections for all variables, or a dict from their names to lists.
        outputs_collections: Collections for the outputs.
        trainable: Whether the variables are trained.
        scope: Variable scope, `SeparableConv2d` by default.

    Returns:
        Tensor like `inputs` with the new channels, and sizes as of `conv2d`.

    Raises:
        ShapeError: The rank is not 4, C is unknown, or the kernel does not fit.
        InputError: An argument has an unsupported value.

    Paper: Chollet, "Xception", 2017, arXiv:1610.02357.
    """
    layer = Layer(
        "separable_conv2d",
        "SeparableConv2d",
        inputs,
        scope,
        reuse,
        trainable,
        variables_collections,
    )
    with layer:
        multiplier = layer.positive("depth_multiplier", depth_multiplier)
        window = _checked(layer, Geometry(kernel_size, stride, padding, data_format, rate))
        channels = layer.static_dim(window.channels_axis)
        shape = [*window.size, channels, multiplier]
        weights = layer.variable(
            "depthwise_weights", shape, weights_initializer, weights_regularizer, "weights"
        )
        x, first = layer.arrange(
            layer.compute(), window.first, "depthwise", "convolution", dilated=window.dilated
        )
        outputs = _depthwise(x, layer.read(weights), window, first)
        if num_outputs is not None:
            shape = [1, 1, channels * multiplier, layer.positive("num_outputs", num_outputs)]
            mixing = layer.variable(
                "pointwise_weights",
                shape,
                pointwise_initializer or weights_initializer,
                weights_regularizer,
                "weights",
            )
            form = (CHANNELS_FIRST if first else CHANNELS_LAST)[2]
            outputs = tf.nn.conv2d(outputs, layer.read(mixing), 1, "VALID", form)
        outputs = layer.bias_or_normalize(
            outputs,
            normalizer_fn,
            normalizer_params,
            biases_initializer,
            biases_regularizer,
            first,
        )
        return layer.finish(outputs, activation_fn, outputs_collections)


@add_arg_scope
def convolution2d_in_plane(
    inputs: tf.Tensor,
    kernel_size: Ints,
    stride: Ints = 1,
    padding: str = "SAME",
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
    """Convolves every channel of images with the same learned kernel, such as an image gradient.

    Variables, under `scope`: `weights` [*kernel_size, 1, 1]; `biases` [C], where there is no
    `normalizer_fn`.

    Args:
        inputs: Tensor [N, H, W, C] with C known.
        kernel_size: Size of the kernel, one number or [height, width].
        stride: Step, one number or two equal ones.
        padding: "SAME" or "VALID".
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
        scope: Variable scope, `ConvInPlane` by default.

    Returns:
        Tensor [N, h, w, C], with sizes as of `conv2d`.

    Raises:
        ShapeError: The rank is not 4, C is unknown, or the kernel does not fit.
        InputError: An argument has an unsupported value.
    """
    layer = Layer(
        "conv2d_in_plane",
        "ConvInPlane",
        inputs,
        scope,
        reuse,
        trainable,
        variables_collections,
    )
    with layer:
        window = _checked(layer, Geometry(kernel_size, stride, padding, "NHWC"))
        shape = [*window.size, 1, 1]
        weights = layer.variable("weights", shape, weights_initializer, weights_regularizer)
        kernels = tf.tile(layer.read(weights), [1, 1, layer.static_dim(-1), 1])
        outputs = _depthwise(layer.compute(), kernels, window, first=False)
        outputs = layer.bias_or_normalize(
            outputs, normalizer_fn, normalizer_params, biases_initializer, biases_regularizer
        )
        return layer.finish(outputs, activation_fn, outputs_collections)


separable_conv2d = separable_convolution2d
conv2d_in_plane = convolution2d_in_plane


def _checked(layer: Layer, geometry: Geometry) -> Window:
    window = geometry.checked(layer, 2)
    if window.strides[0] != window.strides[1]:
        layer.refuse(f"got stride={geometry.stride}; it takes one number or two equal ones")
    return window


def _depthwise(inputs: tf.Tensor, kernels: tf.Tensor, window: Window, first: bool) -> tf.Tensor:
    strides = [1, 1, *window.strides] if first else [1, *window.strides, 1]
    form = (CHANNELS_FIRST if first else CHANNELS_LAST)[2]
    return tf.nn.depthwise_conv2d(inputs, kernels, strides, window.padding, form, window.rates)
