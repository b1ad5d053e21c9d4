"""The blocks of MobileNet v2 and v3: inverted residuals, and squeeze and excite.

Papers: Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks", 2018,
arXiv:1801.04381, figure 4(d) and table 1 (`expanded_conv`); Hu et al., "Squeeze-and-Excitation
Networks", 2017, arXiv:1709.01507, as in Howard et al., "Searching for MobileNetV3", 2019,
arXiv:1905.02244, figure 4 (`squeeze_excite`).
"""

import contextlib
import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf
from slim_layers import conv2d, separable_conv2d

from slim_nets.mobilenet._padding import fixed_padding
from slimcore import add_arg_scope, arg_scope
from slimcore.errors import InputError

Function = Callable[..., tf.Tensor] | None


def make_divisible(value: float, divisor: int, min_value: int | None = None) -> int:
    """Returns the multiple of `divisor` nearest to a number of channels.

    Args:
        value: The number of channels wanted.
        divisor: What the result is a multiple of.
        min_value: The least result, `divisor` by default.

    Returns:
        A number that is never more than a tenth below `value`.
    """
    nearest = max(min_value or divisor, int(value + divisor / 2) // divisor * divisor)
    return nearest if nearest >= 0.9 * value else nearest + divisor


def expand_input_by_factor(n: float, divisible_by: int = 8) -> Callable[..., int]:
    """Returns a function that gives `n` times as many channels as its argument `num_inputs`.

    Args:
        n: The factor.
        divisible_by: The result is the nearest multiple of it.
    """
    return lambda num_inputs, **_: make_divisible(num_inputs * n, divisible_by)


def split_conv(
    input_tensor: tf.Tensor,
    num_outputs: int,
    num_ways: int,
    scope: str,
    divisible_by: int = 8,
    **kwargs: Any,
) -> tf.Tensor:
    """Convolves groups of channels by themselves, with 1x1 kernels.

    Args:
        input_tensor: The map [batch, height, width, channels].
        num_outputs: Channels of the output.
        num_ways: Groups. One convolution of all is built where a group would be smaller than
            `divisible_by`.
        scope: Name of the variables' scope; `<scope>_part_0` and so on where there are groups.
        divisible_by: What the number of channels of a group is a multiple of, where possible.
        **kwargs: Further arguments of `slim.conv2d`.
    """
    channels = input_tensor.shape[-1]
    if num_ways == 1 or min(channels // num_ways, num_outputs // num_ways) < divisible_by:
        return conv2d(input_tensor, num_outputs, [1, 1], scope=scope, **kwargs)
    inputs = tf.split(
        input_tensor, _shares(channels, num_ways, divisible_by), axis=-1, name=f"split_{scope}"
    )
    shares = _shares(num_outputs, num_ways, divisible_by)
    outputs = [
        conv2d(part, share, [1, 1], scope=f"{scope}_part_{number}", **kwargs)
        for number, (part, share) in enumerate(zip(inputs, shares, strict=True))
    ]
    return tf.concat(outputs, -1, name=f"{scope}_concat")


def _shares(total: int, num_ways: int, divisible_by: int) -> list[int]:
    """Divides channels evenly into multiples of `divisible_by`, the larger ones first."""
    ends = [
        min(total, math.ceil(total * way / (num_ways * divisible_by)) * divisible_by)
        for way in range(num_ways + 1)
    ]
    return [end - begin for begin, end in itertools.pairwise(ends)]


@add_arg_scope
def squeeze_excite(
    input_tensor: tf.Tensor,
    divisible_by: int = 8,
    squeeze_factor: float = 3,
    inner_activation_fn: Function = tf.nn.relu,
    gating_fn: Function = tf.sigmoid,
    squeeze_input_tensor: tf.Tensor | None = None,
    pool: int | None = None,
) -> tf.Tensor:
    """Scales each channel by what two small layers make of the average of all.

    Args:
        input_tensor: The map [batch, height, width, channels], of static size.
        divisible_by: What the number of inner channels is a multiple of.
        squeeze_factor: How many times fewer inner channels there are.
        inner_activation_fn: Activation of the inner channels.
        gating_fn: Activation of the factors.
        squeeze_input_tensor: The map that is averaged, `input_tensor` by default.
        pool: Averages are over windows of this size, side by side, and the factors are resized
            bilinearly to the map; by default one average is over the whole map.

    Returns:
        The map, scaled. Variables: `squeeze_excite/Conv/weights`, `.../biases`, `Conv_1/...`.
    """
    with tf.compat.v1.variable_scope("squeeze_excite"):
        input_tensor = tf.convert_to_tensor(input_tensor)
        source = input_tensor if squeeze_input_tensor is None else squeeze_input_tensor
        window, stride = source.shape[1:3].as_list(), 1
        if pool is not None and window[0] >= pool:
            window, stride = [pool, pool], pool
        net = tf.nn.avg_pool2d(source, window, strides=stride, padding="VALID")
        net = conv2d(
            net,
            make_divisible(source.shape[-1] / squeeze_factor, divisible_by),
            [1, 1],
            normalizer_fn=None,
            activation_fn=inner_activation_fn,
        )
        channels = input_tensor.shape[-1]
        net = conv2d(net, channels, [1, 1], normalizer_fn=None, activation_fn=gating_fn)
        if pool is not None:
            sizes = input_tensor.shape[1:3].as_list()
            net = tf.compat.v1.image.resize_bilinear(net, sizes, align_corners=True)
        return input_tensor * net


@add_arg_scope
def split_separable_conv2d(
    input_tensor: tf.Tensor,
    num_outputs: int,
    scope: str | None = None,
    normalizer_fn: Function = None,
    stride: int = 1,
    rate: int = 1,
    endpoints: dict[str, tf.Tensor] | None = None,
    use_explicit_padding: bool = False,
) -> tf.Tensor:
    """Convolves each channel with a 3x3 kernel, activates, and mixes channels with a 1x1 one.

    Args:
        input_tensor: The map [batch, height, width, channels].
        num_outputs: Channels of the output.
        scope: Name of the variables' scope, `separable` by default.
        normalizer_fn: Normalization of both convolutions.
        stride: How much smaller the output is.
        rate: Distance between the points under the 3x3 kernel.
        endpoints: A dict to put the output of `depthwise` and of `pointwise` into.
        use_explicit_padding: Whether the map is padded alike on both sides.
    """
    endpoints = {} if endpoints is None else endpoints
    # With a scope, names are those of MobileNet v1: Conv2d_1_depthwise, Conv2d_1_pointwise.
    prefix = f"{scope}_" if scope else ""
    with (
        contextlib.nullcontext()
        if scope
        else tf.compat.v1.variable_scope(None, "separable", [input_tensor])
    ):
        net = fixed_padding(input_tensor, [3, 3], rate) if use_explicit_padding else input_tensor
        net = endpoints["depthwise"] = separable_conv2d(
            net,
            None,
            [3, 3],
            depth_multiplier=1,
            stride=stride,
            rate=rate,
            normalizer_fn=normalizer_fn,
            padding="VALID" if use_explicit_padding else "SAME",
            scope=f"{prefix}depthwise",
        )
        net = endpoints["pointwise"] = conv2d(
            net,
            num_outputs,
            [1, 1],
            stride=1,
            normalizer_fn=normalizer_fn,
            scope=f"{prefix}pointwise",
        )
        return net


@dataclass(frozen=True)
class Stage:
    """What the three layers of an expanded convolution share.

    Attributes:
        normalizer_fn: Normalization of each layer.
        stride: How much smaller the output is.
        rate: Distance between the points under the depthwise kernel.
        kernel_size: Height and width of the depthwise kernel.
        padding: Padding of the depthwise convolution.
        pads: Whether the map is padded alike on both sides before that.
        divisible_by: What the number of channels of a group of a `split_conv` is a multiple of.
    """

    normalizer_fn: Function
    stride: int
    rate: int
    kernel_size: Sequence[int]
    padding: str
    pads: bool
    divisible_by: int

    def split(self, layer: Callable[..., tf.Tensor], num_ways: int) -> dict[str, Any]:
        """Returns what a layer takes besides its activation, if it is a `split_conv`."""
        if layer is not split_conv:
            return {}
        return {"num_ways": num_ways, "divisible_by": self.divisible_by, "stride": 1}


def _depthwise(
    net: tf.Tensor,
    stage: Stage,
    layer: Callable[..., tf.Tensor],
    channel_multiplier: int,
    ends: dict[str, tf.Tensor],
    **activation: Function,
) -> tf.Tensor:
    if stage.pads:
        net = fixed_padding(net, stage.kernel_size, stage.rate)
    net = layer(
        net,
        num_outputs=None,
        kernel_size=stage.kernel_size,
        depth_multiplier=channel_multiplier,
        stride=stage.stride,
        rate=stage.rate,
        normalizer_fn=stage.normalizer_fn,
        padding="VALID" if stage.pads else stage.padding,
        scope="depthwise",
        **activation,
    )
    net = ends["depthwise_output"] = tf.identity(net, "depthwise_output")
    return net


def _expand(
    net: tf.Tensor,
    inner: int,
    stage: Stage,
    layer: Callable[..., tf.Tensor],
    **kwargs: Any,
) -> tf.Tensor:
    if inner <= net.shape[-1]:
        return net
    net = layer(net, inner, scope="expand", normalizer_fn=stage.normalizer_fn, **kwargs)
    return tf.identity(net, "expansion_output")


def _project(
    net: tf.Tensor,
    num_outputs: int,
    stage: Stage,
    layer: Callable[..., tf.Tensor],
    **kwargs: Any,
) -> tf.Tensor:
    return layer(net, num_outputs, scope="project", normalizer_fn=stage.normalizer_fn, **kwargs)


@add_arg_scope
def expanded_conv(
    input_tensor: tf.Tensor,
    num_outputs: int,
    expansion_size: int | Callable[..., int] = expand_input_by_factor(6),  # noqa: B008
    stride: int = 1,
    rate: int = 1,
    kernel_size: Sequence[int] = (3, 3),
    residual: bool | Callable[..., tf.Tensor] = True,
    normalizer_fn: Function = None,
    split_projection: int = 1,
    split_expansion: int = 1,
    split_divisible_by: int = 8,
    expansion_transform: Function = None,
    depthwise_location: str | None = "expansion",
    depthwise_channel_multiplier: int = 1,
    endpoints: dict[str, tf.Tensor] | None = None,
    use_explicit_padding: bool = False,
    padding: str = "SAME",
    inner_activation_fn: Function = None,
    depthwise_activation_fn: Function = None,
    project_activation_fn: Function = tf.identity,
    depthwise_fn: Callable[..., tf.Tensor] = separable_conv2d,
    expansion_fn: Callable[..., tf.Tensor] = split_conv,
    projection_fn: Callable[..., tf.Tensor] = split_conv,
    scope: str | None = None,
    *,
    strided_expansion: bool = False,
) -> tf.Tensor:
    """Expands a map to more channels, convolves each by itself, and projects to fewer.

    Args:
        input_tensor: The map [batch, height, width, channels].
        num_outputs: Channels of the output.
        expansion_size: Channels inside; or a function of `num_inputs` that says how many. There is
            no expansion where it is not more than the channels that are there.
        stride: How much smaller the output is.
        rate: Distance between the points under the depthwise kernel.
        kernel_size: Height and width of the depthwise kernel.
        residual: Whether the input is added to the output where both have one shape; or a function
            of `input_tensor` and `output_tensor`.
        normalizer_fn: Normalization of all convolutions.
        split_projection, split_expansion: Groups of channels that are projected and expanded by
            themselves.
        split_divisible_by: What the number of channels of a group is a multiple of.
        expansion_transform: Function of `expansion_tensor` and `input_tensor` applied inside, such
            as `squeeze_excite`.
        depthwise_location: "expansion", between the 1x1 convolutions; "input", "output"; or None
            for no depthwise convolution.
        depthwise_channel_multiplier: Outputs for each channel of the depthwise convolution.
        endpoints: A dict to put `expansion_output`, `depthwise_output`, `expansion_transform` and
            `projection_output` into, in the order in which they are made.
        use_explicit_padding: Whether the map is padded alike on both sides, and then convolved
            without padding.
        padding: Padding of the depthwise convolution.
        inner_activation_fn: Activation of the expansion and the depthwise convolution, and of every
            `slim.conv2d` in the functions given that has none; that of the scope by default.
        depthwise_activation_fn: Activation of the depthwise convolution, where it differs.
        project_activation_fn: Activation of the projection.
        depthwise_fn, expansion_fn, projection_fn: The three layers.
        scope: Name of the variables' scope, `expanded_conv` by default.
        strided_expansion: Whether the expansion takes the place of the depthwise convolution, and
            so gets `stride` and `rate`.

    Returns:
        The map [batch, height / stride, width / stride, num_outputs]. Variables: those of the
        layers `expand`, `depthwise` and `project`.

    Raises:
        InputError: `depthwise_location` is not one of those; or explicit padding is asked for with
            a `padding` other than "SAME".
    """
    locations = (None, "input", "output", "expansion")
    if depthwise_location not in locations:
        raise InputError(
            f"expanded_conv has no depthwise_location={depthwise_location!r}; pass one of "
            f"{', '.join(map(repr, locations))}"
        )
    if use_explicit_padding and padding != "SAME":
        raise InputError(
            f"expanded_conv pads by itself with use_explicit_padding=True, and got "
            f"padding={padding!r}; leave it at 'SAME'"
        )
    ends = {} if endpoints is None else endpoints
    stage = Stage(
        normalizer_fn=normalizer_fn,
        stride=stride,
        rate=rate,
        kernel_size=kernel_size,
        padding=padding,
        pads=use_explicit_padding,
        divisible_by=split_divisible_by,
    )
    channels = input_tensor.shape[-1]
    inner = expansion_size(num_inputs=channels) if callable(expansion_size) else expansion_size
    expansion = stage.split(expansion_fn, split_expansion)
    if strided_expansion:
        expansion |= {"stride": stride, "rate": rate}

    def depthwise(net: tf.Tensor, **activation: Function) -> tf.Tensor:
        return _depthwise(
            net, stage, depthwise_fn, depthwise_channel_multiplier, ends, **activation
        )

    with (
        tf.compat.v1.variable_scope(scope, "expanded_conv", [input_tensor]),
        # By scope, for they reach the layers inside of functions that are given, too.
        arg_scope([conv2d], **_given(activation_fn=inner_activation_fn)),
        arg_scope(
            [separable_conv2d],
            **_given(activation_fn=depthwise_activation_fn or inner_activation_fn),
        ),
    ):
        net = input_tensor
        if depthwise_location == "input":
            net = depthwise(net, activation_fn=None)
        net = ends["expansion_output"] = _expand(net, inner, stage, expansion_fn, **expansion)
        if depthwise_location == "expansion":
            net = depthwise(net)
        if expansion_transform:
            net = expansion_transform(expansion_tensor=net, input_tensor=input_tensor)
        ends["expansion_transform"] = net
        net = ends["projection_output"] = _project(
            net,
            num_outputs,
            stage,
            projection_fn,
            activation_fn=project_activation_fn,
            **stage.split(projection_fn, split_projection),
        )
        if depthwise_location == "output":
            net = depthwise(net, activation_fn=None)
        ends.setdefault("depthwise_output", ends["expansion_output"])
        if callable(residual):
            net = residual(input_tensor=input_tensor, output_tensor=net)
        elif residual and stride == 1 and net.shape[-1] == channels:
            net += input_tensor
        return tf.identity(net, "output")


def _given(**kwargs: Any) -> dict[str, Any]:
    return {name: value for name, value in kwargs.items() if value is not None}
