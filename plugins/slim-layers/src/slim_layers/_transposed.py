"""Transposed convolutions, which enlarge."""

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
from slim_layers._shapes import sizes as sizes_of
from slimcore import add_arg_scope


@add_arg_scope
def convolution2d_transpose(
    inputs: tf.Tensor,
    num_outputs: int,
    kernel_size: Ints,
    stride: Ints = 1,
    padding: str = "SAME",
    data_format: str = "NHWC",
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
    """Spreads each place of images over a learned kernel: the gradient of a `conv2d`.

    Variables, under `scope`: `weights` [*kernel_size, num_outputs, C]; `biases` [num_outputs],
    where there is no `normalizer_fn`.

    Args:
        inputs: Tensor [N, H, W, C] with C known, or [N, C, H, W] with data_format="NCHW".
        num_outputs: Number of kernels.
        kernel_size: Size of the kernels, one number or [height, width].
        stride: Enlargement, one number or [vertical, horizontal].
        padding: "SAME" or "VALID", as of the `conv2d` whose gradient this is.
        data_format: "NHWC" or "NCHW".
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
        scope: Variable scope, `Conv2d_transpose` by default.

    Returns:
        Tensor like `inputs`, with `num_outputs` channels; an axis of size n becomes n * stride with
        "SAME" and n * stride + max(kernel_size - stride, 0) with "VALID".

    Raises:
        ShapeError: The rank is not 4, or C is unknown.
        InputError: An argument has an unsupported value.
    """
    layer = Layer(
        "conv2d_transpose",
        "Conv2d_transpose",
        inputs,
        scope,
        reuse,
        trainable,
        variables_collections,
    )
    with layer:
        window = Geometry(kernel_size, stride, padding, data_format).checked(layer, 2, fits=False)
        outputs, first = _transposed(
            layer, num_outputs, window, weights_initializer, weights_regularizer
        )
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
def convolution3d_transpose(
    inputs: tf.Tensor,
    num_outputs: int,
    kernel_size: Ints,
    stride: Ints = 1,
    padding: str = "SAME",
    data_format: str = "NDHWC",
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
    """Spreads each place of volumes over a learned kernel; see `conv2d_transpose`.

    Variables, under `scope` (`Conv3d_transpose` by default): `weights` [*kernel_size, num_outputs,
    C]; `biases` [num_outputs], where there is no `normalizer_fn`.

    Args:
        inputs: Tensor [N, D, H, W, C] with C known, or [N, C, D, H, W] with data_format="NCDHW".

    Raises:
        ShapeError: The rank is not 5, or C is unknown.
        InputError: An argument has an unsupported value.
    """
    layer = Layer(
        "conv3d_transpose",
        "Conv3d_transpose",
        inputs,
        scope,
        reuse,
        trainable,
        variables_collections,
    )
    with layer:
        window = Geometry(kernel_size, stride, padding, data_format).checked(layer, 3, fits=False)
        outputs, first = _transposed(
            layer, num_outputs, window, weights_initializer, weights_regularizer
        )
        outputs = layer.bias_or_normalize(
            outputs,
            normalizer_fn,
            normalizer_params,
            biases_initializer,
            biases_regularizer,
            first,
        )
        return layer.finish(outputs, activation_fn, outputs_collections)


def _transposed(
    layer: Layer,
    num_outputs: int,
    window: Window,
    weights_initializer: Any,
    weights_regularizer: Function,
) -> tuple[tf.Tensor, bool]:
    """Returns the outputs, and whether their channels are on axis 1."""
    channels = layer.static_dim(window.channels_axis)
    depth = layer.positive("num_outputs", num_outputs)
    shape = [*window.size, depth, channels]
    kernels = layer.read(layer.variable("weights", shape, weights_initializer, weights_regularizer))
    x, first = layer.arrange(layer.compute(), window.first, "transposed")
    sizes = _output_sizes(x, window, depth, first)
    transpose = tf.nn.conv2d_transpose if window.dims == 2 else tf.nn.conv3d_transpose
    form = (CHANNELS_FIRST if first else CHANNELS_LAST)[window.dims]
    outputs = transpose(x, kernels, sizes, window.strides, window.padding, form)
    outputs.set_shape([n if isinstance(n, int) else None for n in sizes])
    return outputs, first


def _output_sizes(inputs: tf.Tensor, window: Window, depth: int, first: bool) -> list[Any]:
    """Returns the sizes of the outputs: integers where they are known, else scalar tensors."""
    sizes = sizes_of(inputs)
    axes = range(2 if first else 1, len(sizes))
    for axis, k, step in zip(axes, window.size, window.strides, strict=False):
        sizes[axis] = sizes[axis] * step + (0 if window.padding == "SAME" else max(k - step, 0))
    sizes[1 if first else -1] = depth
    return sizes


conv2d_transpose = convolution2d_transpose
conv3d_transpose = convolution3d_transpose
