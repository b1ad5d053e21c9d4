"""Convolutions over one, two or three axes."""

from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf

from slim_layers._layer import RELU, ZEROS, Collections, Function, Layer, VariablesCollections
from slim_layers._layouts import CHANNELS_FIRST, CHANNELS_LAST
from slim_layers._products import product
from slim_layers.initializers import xavier_initializer
from slimcore import add_arg_scope

Ints = int | Sequence[int]

XAVIER = xavier_initializer()

PADDINGS = ("SAME", "VALID")


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
        normalizer_params: Further arguments of it.
        weights_initializer: Of the weights.
        weights_regularizer: Of the weights.
        biases_initializer: Of the biases; None for no biases.
        biases_regularizer: Of the biases.
        reuse: Whether the variables must exist already.
        variables_collections: Collections for all variables, or a dict of lists by their names.
        outputs_collections: Collections for the outputs.
        trainable: Whether the variables are trained.
        scope: Variable scope, `Conv` by default.
        conv_dims: Number of axes that the inputs must have beside batch and channels.

    Returns:
        Tensor like `inputs`, with `num_outputs` channels; an axis of size n becomes
        ceil(n / stride) with "SAME" and ceil((n - (kernel_size - 1) * rate) / stride) with "VALID".

    Raises:
        ShapeError: The rank is wrong, C is unknown, or the kernel does not fit.
        InputError: An argument is none of those allowed.
    """
    return _convolution(
        inputs,
        num_outputs,
        kernel_size,
        stride,
        padding,
        data_format,
        rate,
        activation_fn,
        normalizer_fn,
        normalizer_params,
        weights_initializer,
        weights_regularizer,
        biases_initializer,
        biases_regularizer,
        reuse,
        variables_collections,
        outputs_collections,
        trainable,
        scope,
        conv_dims,
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
        InputError: An argument is none of those allowed.
    """
    return _convolution(
        inputs,
        num_outputs,
        kernel_size,
        stride,
        padding,
        data_format,
        rate,
        activation_fn,
        normalizer_fn,
        normalizer_params,
        weights_initializer,
        weights_regularizer,
        biases_initializer,
        biases_regularizer,
        reuse,
        variables_collections,
        outputs_collections,
        trainable,
        scope,
        1,
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
        InputError: An argument is none of those allowed.
    """
    return _convolution(
        inputs,
        num_outputs,
        kernel_size,
        stride,
        padding,
        data_format,
        rate,
        activation_fn,
        normalizer_fn,
        normalizer_params,
        weights_initializer,
        weights_regularizer,
        biases_initializer,
        biases_regularizer,
        reuse,
        variables_collections,
        outputs_collections,
        trainable,
        scope,
        2,
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
        InputError: An argument is none of those allowed.
    """
    return _convolution(
        inputs,
        num_outputs,
        kernel_size,
        stride,
        padding,
        data_format,
        rate,
        activation_fn,
        normalizer_fn,
        normalizer_params,
        weights_initializer,
        weights_regularizer,
        biases_initializer,
        biases_regularizer,
        reuse,
        variables_collections,
        outputs_collections,
        trainable,
        scope,
        3,
    )


def _convolution(
    inputs: tf.Tensor,
    num_outputs: int,
    kernel_size: Ints,
    stride: Ints,
    padding: str,
    data_format: str | None,
    rate: Ints,
    activation_fn: Function,
    normalizer_fn: Function,
    normalizer_params: Mapping[str, Any] | None,
    weights_initializer: Any,
    weights_regularizer: Function,
    biases_initializer: Any,
    biases_regularizer: Function,
    reuse: bool | None,
    variables_collections: VariablesCollections,
    outputs_collections: Collections,
    trainable: bool,
    scope: Any,
    conv_dims: int | None,
) -> tf.Tensor:
    with Layer(
        "convolution" if conv_dims is None else f"conv{conv_dims}d",
        "Conv",
        inputs,
        scope,
        reuse,
        trainable,
        variables_collections,
    ) as layer:
        dims = layer.check_rank(*([conv_dims + 2] if conv_dims else [3, 4, 5])) - 2
        first = check_data_format(layer, data_format, dims)
        check_padding(layer, padding)
        kernel = layer.integers("kernel_size", kernel_size, dims)
        strides = layer.integers("stride", stride, dims)
        rates = layer.integers("rate", rate, dims)
        if max(strides) > 1 and max(rates) > 1:
            layer.refuse(
                f"takes a stride or a rate above 1, not both: stride={stride}, rate={rate}"
            )
        check_fit(layer, kernel, rates, padding, first)
        channels = layer.static_dim(1 if first else -1)
        weights = layer.variable(
            "weights",
            [*kernel, channels, layer.positive("num_outputs", num_outputs)],
            weights_initializer,
            weights_regularizer,
        )
        inputs, first = layer.arrange(layer.compute(), first, "convolution", dilated=max(rates) > 1)
        outputs = _convolve(layer, inputs, weights, kernel, strides, rates, padding.upper(), first)
        outputs = layer.bias_or_normalize(
            outputs,
            normalizer_fn,
            normalizer_params,
            biases_initializer,
            biases_regularizer,
            first,
        )
        return layer.finish(outputs, activation_fn, outputs_collections)


def _convolve(
    layer: Layer,
    inputs: tf.Tensor,
    weights: Any,
    kernel: Sequence[int],
    strides: Sequence[int],
    rates: Sequence[int],
    padding: str,
    first: bool,
) -> tf.Tensor:
    kernels = layer.read(weights)
    dims = len(kernel)
    data_format = CHANNELS_FIRST[dims] if first else CHANNELS_LAST[dims]
    if dims == 2 and max(rates) == 1:
        size, depth = tuple(inputs.shape[1:3]), weights.shape[-1]
        if not first and size == tuple(kernel) and (padding == "VALID" or size == (1, 1)):
            # A kernel that covers its whole input is a matrix, and several times faster as one.
            kernels = tf.reshape(kernels, [-1, depth])
            outputs = product(tf.reshape(inputs, [-1, kernels.shape[0]]), kernels)
            return tf.reshape(outputs, [-1, 1, 1, depth])
        return tf.nn.conv2d(inputs, kernels, strides, padding, data_format)
    return tf.nn.convolution(
        inputs, kernels, strides, padding, data_format=data_format, dilations=rates
    )


def check_data_format(layer: Layer, data_format: str | None, dims: int) -> bool:
    """Returns whether the channels are on axis 1.

    Raises:
        InputError: The format is not one for this number of axes.
    """
    if data_format is None or data_format == CHANNELS_LAST[dims]:
        return False
    layer.check_choice("data_format", data_format, (CHANNELS_LAST[dims], CHANNELS_FIRST[dims]))
    return True


def check_padding(layer: Layer, padding: str) -> None:
    """Raises an InputError unless the padding is "SAME" or "VALID"."""
    if padding not in PADDINGS:
        layer.check_choice("padding", str(padding).upper(), PADDINGS)


def check_fit(
    layer: Layer, kernel: Sequence[int], rates: Sequence[int], padding: str, first: bool
) -> None:
    """Raises a ShapeError where a kernel is larger than inputs that are not padded."""
    if padding.upper() == "SAME":
        return
    shape = layer.inputs.shape
    sizes = shape[2:] if first else shape[1:-1]
    extents = [(k - 1) * r + 1 for k, r in zip(kernel, rates, strict=True)]
    if any(n is not None and n < e for n, e in zip(sizes, extents, strict=True)):
        layer.fail(
            f"cannot fit a kernel that spans {extents} into {list(sizes)} without padding; take a "
            "smaller kernel or padding='SAME'"
        )


conv1d = convolution1d
conv2d = convolution2d
conv3d = convolution3d
