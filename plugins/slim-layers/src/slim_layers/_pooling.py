"""Pooling: the largest or the mean value of each window."""

from functools import partial
from typing import Any

import tensorflow as tf

from slim_layers._geometry import Geometry, Ints
from slim_layers._layer import Collections, Layer
from slim_layers._layouts import CHANNELS_FIRST, CHANNELS_LAST
from slimcore import add_arg_scope

_OPS = {
    ("MAX", 2): partial(tf.nn.max_pool2d, name="MaxPool"),
    ("AVG", 2): tf.nn.avg_pool2d,
    ("MAX", 3): partial(tf.nn.max_pool3d, name="MaxPool3D"),
    ("AVG", 3): tf.nn.avg_pool3d,
}


@add_arg_scope
def max_pool2d(
    inputs: tf.Tensor,
    kernel_size: Ints,
    stride: Ints = 2,
    padding: str = "VALID",
    data_format: str = "NHWC",
    outputs_collections: Collections = None,
    scope: Any = None,
) -> tf.Tensor:
    """Keeps the largest value of each window of images.

    Args:
        inputs: Tensor [N, H, W, C], or [N, C, H, W] with data_format="NCHW".
        kernel_size: Size of the window, one number or [height, width].
        stride: Step, one number or [vertical, horizontal].
        padding: "VALID" or "SAME".
        data_format: "NHWC" or "NCHW".
        outputs_collections: Collections for the outputs.
        scope: Name of the ops, `MaxPool2D` by default.

    Returns:
        Tensor like `inputs`; an axis of size n becomes ceil(n / stride) with "SAME" and
        ceil((n - kernel_size + 1) / stride) with "VALID".

    Raises:
        ShapeError: The rank is not 4, or the window does not fit.
        InputError: An argument has an unsupported value.
    """
    geometry = Geometry(kernel_size, stride, padding, data_format)
    layer = Layer("max_pool2d", "MaxPool2D", inputs, scope)
    return _pool(layer, "MAX", 2, geometry, outputs_collections)


@add_arg_scope
def avg_pool2d(
    inputs: tf.Tensor,
    kernel_size: Ints,
    stride: Ints = 2,
    padding: str = "VALID",
    data_format: str = "NHWC",
    outputs_collections: Collections = None,
    scope: Any = None,
) -> tf.Tensor:
    """Takes the mean of each window of images, not counting padding; see `max_pool2d`.

    The default scope is `AvgPool2D`.
    """
    geometry = Geometry(kernel_size, stride, padding, data_format)
    layer = Layer("avg_pool2d", "AvgPool2D", inputs, scope)
    return _pool(layer, "AVG", 2, geometry, outputs_collections)


@add_arg_scope
def max_pool3d(
    inputs: tf.Tensor,
    kernel_size: Ints,
    stride: Ints = 2,
    padding: str = "VALID",
    data_format: str = "NDHWC",
    outputs_collections: Collections = None,
    scope: Any = None,
) -> tf.Tensor:
    """Keeps the largest value of each window of volumes; see `max_pool2d`.

    Args:
        inputs: Tensor [N, D, H, W, C], or [N, C, D, H, W] with data_format="NCDHW".
        kernel_size: Size of the window, one number or three.
        stride: Step, one number or three.
        padding: "VALID" or "SAME".
        data_format: "NDHWC" or "NCDHW".
        outputs_collections: Collections for the outputs.
        scope: Name of the ops, `MaxPool3D` by default.
    """
    geometry = Geometry(kernel_size, stride, padding, data_format)
    layer = Layer("max_pool3d", "MaxPool3D", inputs, scope)
    return _pool(layer, "MAX", 3, geometry, outputs_collections)


@add_arg_scope
def avg_pool3d(
    inputs: tf.Tensor,
    kernel_size: Ints,
    stride: Ints = 2,
    padding: str = "VALID",
    data_format: str = "NDHWC",
    outputs_collections: Collections = None,
    scope: Any = None,
) -> tf.Tensor:
    """Takes the mean of each window of volumes, not counting padding; see `max_pool3d`.

    The default scope is `AvgPool3D`.
    """
    geometry = Geometry(kernel_size, stride, padding, data_format)
    layer = Layer("avg_pool3d", "AvgPool3D", inputs, scope)
    return _pool(layer, "AVG", 3, geometry, outputs_collections)


@add_arg_scope
def pool(
    inputs: tf.Tensor,
    kernel_size: Ints,
    pooling_type: str,
    padding: str = "VALID",
    data_format: str | None = None,
    dilation_rate: Ints = 1,
    stride: Ints = 1,
    outputs_collections: Collections = None,
    scope: Any = None,
) -> tf.Tensor:
    """Pools over one, two or three axes, whose windows may be dilated.

    Args:
        inputs: Tensor of rank 3, 4 or 5, with channels last unless `data_format` begins with "NC".
        kernel_size: Size of the window, one number or one for each axis.
        pooling_type: "MAX" or "AVG".
        padding: "VALID" or "SAME".
        data_format: "NHWC" (default) or "NCHW", and their like for one and three axes.
        dilation_rate: Dilation, one number or one for each axis. Above 1, `stride` must be 1.
        stride: Step, one number or one for each axis.
        outputs_collections: Collections for the outputs.
        scope: Name of the ops, `max_pool` or `avg_pool` by default.

    Returns:
        Tensor like `inputs`, with sizes as in `max_pool2d` for the span of the window.

    Raises:
        ShapeError: The rank is wrong, or the window does not fit.
        InputError: An argument has an unsupported value.
    """
    layer = Layer("pool", f"{str(pooling_type).lower()}_pool", inputs, scope)
    with layer:
        layer.check_choice("pooling_type", str(pooling_type).upper(), ("MAX", "AVG"))
        geometry = Geometry(
            kernel_size, stride, padding, data_format, dilation_rate, rate_argument="dilation_rate"
        )
        window = geometry.checked(layer, 1, 2, 3)
        kind = pooling_type.upper()
        if kind == "AVG":
            layer.check_floating()
        x, first = layer.arrange(layer.inputs, window.first, kind, dilated=window.dilated)
        outputs = tf.nn.pool(
            x,
            window.size,
            kind,
            strides=window.strides,
            padding=window.padding,
            data_format=(CHANNELS_FIRST if first else CHANNELS_LAST)[window.dims],
            dilations=window.rates,
        )
        return layer.finish(outputs, None, outputs_collections)


def _pool(
    layer: Layer, kind: str, dims: int, geometry: Geometry, outputs_collections: Collections
) -> tf.Tensor:
    with layer:
        window = geometry.checked(layer, dims)
        if kind == "AVG":
            layer.check_floating()
        x, first = layer.arrange(layer.inputs, window.first, kind)
        form = (CHANNELS_FIRST if first else CHANNELS_LAST)[dims]
        outputs = _OPS[kind, dims](x, window.size, window.strides, window.padding, form)
        return layer.finish(outputs, None, outputs_collections)
