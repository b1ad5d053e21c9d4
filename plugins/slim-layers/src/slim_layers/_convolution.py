"""Convolutions over one, two or three axes."""

from collections.abc import Mapping
from typing import Any, NamedTuple

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
from slim_layers._products import product
from slimcore import add_arg_scope


class _Variables(NamedTuple):
    reuse: bool | None
    trainable: bool
    collections: VariablesCollections


class _Weights(NamedTuple):
    initializer: Any
    regularizer: Function


class _Biases(NamedTuple):
    normalizer_fn: Function
    normalizer_params: Mapping[str, Any] | None
    initializer: Any
    regularizer: Function


@add_arg_scope
def convolution(
    inputs: tf.Tensor,
    num_outputs: int,
    kernel_size: Ints,
    stride: Ints = 1,
    padding: str = "SAME",
    data_format: str | None = None,
    rate: Ints = 1,
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
    conv_dims: int | None = None,
) -> tf.Tensor:
    """Convolves inputs with learned kernels, then adds biases or normalizes, then activates.

    Variables, under `scope`: `weights` [*kernel_size, C, num_outputs]; `biases` [num_outputs],
    where there is no `normalizer_fn`.

    Args:
        inputs: Tensor [N, W, C], [N, H, W, C] or [N, D, H, W, C] with C known, or with C on axis 1
            where `data_format` begins with "NC".
        num_outputs: Number of kernels.
        kernel_size: Size of the kernels, one number for all axes or one for each.
        stride: Step, one number for all axes or one for each.
        padding: "SAME" or "VALID".
        data_format: "NHWC" (default) or "NCHW", and their like for one and three axes.
        rate: Dilation, one number for all axes or one for each. Above 1, `stride` must be 1.
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
        scope: Variable scope, `Conv` by default.
        conv_dims: Number of axes that the inputs must have beside batch and channels.

    Returns:
        Tensor like `inputs`, with `num_outputs` channels; an axis of size n becomes
        ceil(n / stride) with "SAME" and ceil((n - (kernel_size - 1) * rate) / stride) with "VALID".

    Raises:
        ShapeError: The rank is wrong, C is unknown, or the kernel does not fit.
        InputError: An argument has an unsupported value.
    """
    return _convolution(
        conv_dims,
        inputs,
        num_outputs,
        Geometry(kernel_size, stride, padding, data_format, rate),
        _Variables(reuse, trainable, variables_collections),
        _Weights(weights_initializer, weights_regularizer),
        _Biases(normalizer_fn, normalizer_params, biases_initializer, biases_regularizer),
        activation_fn,
        outputs_collections,
        scope,
    )


@add_arg_scope
def convolution1d(
    inputs: tf.Tensor,
    num_outputs: int,
    kernel_size: Ints,
    stride: Ints = 1,
    padding: str = "SAME",
    data_format: str | None = None,
    rate: Ints = 1,
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
    """Convolves sequences with learned kernels; see `convolution`.

    Variables, under `scope` (`Conv` by default): `weights` [kernel_size, C, num_outputs];
    `biases` [num_outputs], where there is no `normalizer_fn`.

    Args:
        inputs: Tensor [N, W, C] with C known, or [N, C, W] with data_format="NCW".

    Returns:
        Tensor like `inputs`, with `num_outputs` channels.

    Raises:
        ShapeError: The rank is not 3, C is unknown, or the kernel does not fit.
        InputError: An argument has an unsupported value.
    """
    return _convolution(
        1,
        inputs,
        num_outputs,
        Geometry(kernel_size, stride, padding, data_format, rate),
        _Variables(reuse, trainable, variables_collections),
        _Weights(weights_initializer, weights_regularizer),
        _Biases(normalizer_fn, normalizer_params, biases_initializer, biases_regularizer),
        activation_fn,
        outputs_collections,
        scope,
    )


@add_arg_scope
def convolution2d(
    inputs: tf.Tensor,
    num_outputs: int,
    kernel_size: Ints,
    stride: Ints = 1,
    padding: str = "SAME",
    data_format: str | None = None,
    rate: Ints = 1,
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
    """Convolves images with learned kernels; see `convolution`.

    Variables, under `scope` (`Conv` by default): `weights` [*kernel_size, C, num_outputs];
    `biases` [num_outputs], where there is no `normalizer_fn`.

    Args:
        inputs: Tensor [N, H, W, C] with C known, or [N, C, H, W] with data_format="NCHW".

    Returns:
        Tensor like `inputs`, with `num_outputs` channels.

    Raises:
        ShapeError: The rank is not 4, C is unknown, or the kernel does not fit.
        InputError: An argument has an unsupported value.
    """
    return _convolution(
        2,
        inputs,
        num_outputs,
        Geometry(kernel_size, stride, padding, data_format, rate),
        _Variables(reuse, trainable, variables_collections),
        _Weights(weights_initializer, weights_regularizer),
        _Biases(normalizer_fn, normalizer_params, biases_initializer, biases_regularizer),
        activation_fn,
        outputs_collections,
        scope,
    )


@add_arg_scope
def convolution3d(
    inputs: tf.Tensor,
    num_outputs: int,
    kernel_size: Ints,
    stride: Ints = 1,
    padding: str = "SAME",
    data_format: str | None = None,
    rate: Ints = 1,
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
    """Convolves volumes with learned kernels; see `convolution`.

    Variables, under `scope` (`Conv` by default): `weights` [*kernel_size, C, num_outputs];
    `biases` [num_outputs], where there is no `normalizer_fn`.

    Args:
        inputs: Tensor [N, D, H, W, C] with C known, or [N, C, D, H, W] with data_format="NCDHW".

    Returns:
        Tensor like `inputs`, with `num_outputs` channels.

    Raises:
        ShapeError: The rank is not 5, C is unknown, or the kernel does not fit.
        InputError: An argument has an unsupported value.
    """
    return _convolution(
        3,
        inputs,
        num_outputs,
        Geometry(kernel_size, stride, padding, data_format, rate),
        _Variables(reuse, trainable, variables_collections),
        _Weights(weights_initializer, weights_regularizer),
        _Biases(normalizer_fn, normalizer_params, biases_initializer, biases_regularizer),
        activation_fn,
        outputs_collections,
        scope,
    )


def _convolution(
    conv_dims: int | None,
    inputs: tf.Tensor,
    num_outputs: int,
    geometry: Geometry,
    variables: _Variables,
    weights: _Weights,
    biases: _Biases,
    activation_fn: Function,
    outputs_collections: Collections,
    scope: Any,
) -> tf.Tensor:
    name = "convolution" if conv_dims is None else f"conv{conv_dims}d"
    with Layer(name, "Conv", inputs, scope, *variables) as layer:
        window = geometry.checked(layer, *([conv_dims] if conv_dims else [1, 2, 3]))
        channels = layer.static_dim(window.channels_axis)
        shape = [*window.size, channels, layer.positive("num_outputs", num_outputs)]
        kernels = layer.read(layer.variable("weights", shape, *weights))
        x, first = layer.arrange(
            layer.compute(), window.first, "convolution", dilated=window.dilated
        )
        outputs = _convolve(x, kernels, window, first)
        outputs = layer.bias_or_normalize(outputs, *biases, first)
        return layer.finish(outputs, activation_fn, outputs_collections)


def _convolve(inputs: tf.Tensor, kernels: tf.Tensor, window: Window, first: bool) -> tf.Tensor:
    data_format = (CHANNELS_FIRST if first else CHANNELS_LAST)[window.dims]
    if window.dims == 2 and not window.dilated:
        size, depth = tuple(inputs.shape[1:3]), kernels.shape[-1]
        if not first and size == window.size and (window.padding == "VALID" or size == (1, 1)):
            # A kernel that covers its whole input is a matrix, and several times faster as one.
            kernels = tf.reshape(kernels, [-1, depth])
            outputs = product(tf.reshape(inputs, [-1, kernels.shape[0]]), kernels)
            return tf.reshape(outputs, [-1, 1, 1, depth])
        return tf.nn.conv2d(inputs, kernels, window.strides, window.padding, data_format)
    return tf.nn.convolution(
        inputs,
        kernels,
        window.strides,
        window.padding,
        data_format=data_format,
        dilations=window.rates,
    )


conv1d = convolution1d
conv2d = convolution2d
conv3d = convolution3d
