"""MobileNet v1: depthwise separable convolutions, in four widths.

Paper: Howard et al., "MobileNets: Efficient Convolutional Neural Networks for Mobile Vision
Applications", 2017, arXiv:1704.04861: `MOBILENETV1_CONV_DEFS` is its table 1.

`mobilenet_v1_base` is the table of layers; `mobilenet_v1` adds the classifier; `mobilenet_v1_075`,
`_050` and `_025` are narrower variants (table 6).
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import tensorflow as tf
from slim_layers import batch_norm, conv2d, dropout, l2_regularizer, separable_conv2d, softmax

from slim_nets._checks import check_classes, check_multiplier, check_size, check_stride
from slim_nets._heads import classified, pooled
from slim_nets._network import network
from slim_nets._scopes import wrapped_partial
from slim_nets._steps import Step, run
from slim_nets.mobilenet._padding import fixed_padding
from slimcore import Scope, arg_scope


class Conv(NamedTuple):
    """A row of the table: a full convolution."""

    kernel: Sequence[int]
    stride: int
    depth: int


class DepthSepConv(NamedTuple):
    """A row of the table: a depthwise convolution, then a 1x1 convolution."""

    kernel: Sequence[int]
    stride: int
    depth: int


MOBILENETV1_CONV_DEFS: list[Conv | DepthSepConv] = [
    Conv(kernel=[3, 3], stride=2, depth=32),
    DepthSepConv(kernel=[3, 3], stride=1, depth=64),
    DepthSepConv(kernel=[3, 3], stride=2, depth=128),
    DepthSepConv(kernel=[3, 3], stride=1, depth=128),
    DepthSepConv(kernel=[3, 3], stride=2, depth=256),
    DepthSepConv(kernel=[3, 3], stride=1, depth=256),
    DepthSepConv(kernel=[3, 3], stride=2, depth=512),
    *[DepthSepConv(kernel=[3, 3], stride=1, depth=512)] * 5,
    DepthSepConv(kernel=[3, 3], stride=2, depth=1024),
    DepthSepConv(kernel=[3, 3], stride=1, depth=1024),
]


def mobilenet_v1_base(
    inputs: tf.Tensor,
    final_endpoint: str = "Conv2d_13_pointwise",
    min_depth: int = 8,
    depth_multiplier: float = 1.0,
    conv_defs: Sequence[Conv | DepthSepConv] | None = None,
    output_stride: int | None = None,
    use_explicit_padding: bool = False,
    scope: str | None = None,
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """Turns images into a map of features.

    Args:
        inputs: Images [batch, height, width, channels].
        final_endpoint: Where to stop: `Conv2d_0`, `Conv2d_1_depthwise`, `Conv2d_1_pointwise`, ...
        min_depth: The least number of channels of a layer.
        depth_multiplier: Factor on the number of channels of every layer.
        conv_defs: The table of layers, `MOBILENETV1_CONV_DEFS` by default.
        output_stride: How much smaller than the image the last map is: 8, 16 or 32; None for 32.
            Below 32, later convolutions have holes.
        use_explicit_padding: Whether maps are padded alike on both sides, whatever their size, and
            then convolved without padding.
        scope: Name of the variables' scope.

    Returns:
        The last map, [batch, height / 32, width / 32, 1024] by default, and the end points.

    Raises:
        InputError: There is no end point of this name; the multiplier is not positive; the output
            stride is not one of those.
    """
    check_multiplier("mobilenet_v1", depth_multiplier)
    check_stride("mobilenet_v1", output_stride, (8, 16, 32))
    steps, reached, rate = [], 1, 1
    for number, row in enumerate(conv_defs or MOBILENETV1_CONV_DEFS):
        depth = max(int(row.depth * depth_multiplier), min_depth)
        if reached == output_stride:
            steps += _layers(number, row, depth, 1, rate, use_explicit_padding)
            rate *= row.stride
        else:
            steps += _layers(number, row, depth, row.stride, 1, use_explicit_padding)
            reached *= row.stride
    padding = "VALID" if use_explicit_padding else "SAME"
    with (
        tf.compat.v1.variable_scope(scope, "MobilenetV1", [inputs]),
        arg_scope([conv2d, separable_conv2d], padding=padding),
    ):
        return run("mobilenet_v1", inputs, steps, final_endpoint)


def _layers(
    number: int,
    row: Conv | DepthSepConv,
    depth: int,
    stride: int,
    rate: int,
    use_explicit_padding: bool,
) -> list[Step]:
    def padded(net: tf.Tensor) -> tf.Tensor:
        return fixed_padding(net, row.kernel, rate) if use_explicit_padding else net

    def conv(net: tf.Tensor) -> tf.Tensor:
        return conv2d(padded(net), depth, row.kernel, stride=stride, rate=rate, scope=name)

    def depthwise(net: tf.Tensor) -> tf.Tensor:
        return separable_conv2d(
            padded(net),
            None,
            row.kernel,
            depth_multiplier=1,
            stride=stride,
            rate=rate,
            scope=f"{name}_depthwise",
        )

    def pointwise(net: tf.Tensor) -> tf.Tensor:
        return conv2d(net, depth, [1, 1], stride=1, scope=f"{name}_pointwise")

    name = f"Conv2d_{number}"
    if isinstance(row, Conv):
        return [Step(name, conv)]
    return [Step(f"{name}_depthwise", depthwise), Step(f"{name}_pointwise", pointwise)]


def mobilenet_v1_arg_scope(
    is_training: bool | None = True,
    weight_decay: float = 0.00004,
    stddev: float = 0.09,
    regularize_depthwise: bool = False,
    batch_norm_decay: float = 0.9997,
    batch_norm_epsilon: float = 0.001,
    batch_norm_updates_collections: str | None = tf.compat.v1.GraphKeys.UPDATE_OPS,
    normalizer_fn: Callable[..., tf.Tensor] | None = batch_norm,
) -> Scope:
    """Returns the scope that `mobilenet_v1` is built in.

    Args:
        is_training: Whether batch normalization uses the batch, where the network does not say
            so; None leaves that to the scope around.
        weight_decay: Factor of the L2 regularization loss of the weights.
        stddev: Standard deviation of the initial weights.
        regularize_depthwise: Whether depthwise weights decay too.
        batch_norm_decay: Decay of the moving averages.
        batch_norm_epsilon: Added to the variance.
        batch_norm_updates_collections: Collects the updates of the moving averages; None makes
            them part of the forward pass.
        normalizer_fn: Normalization of the convolutions.
    """
    batch_norm_params: dict[str, Any] = {
        "center": True,
        "scale": True,
        "decay": batch_norm_decay,
        "epsilon": batch_norm_epsilon,
        "updates_collections": batch_norm_updates_collections,
    }
    if is_training is not None:
        batch_norm_params["is_training"] = is_training
    decay = l2_regularizer(weight_decay)
    with (
        arg_scope(
            [conv2d, separable_conv2d],
            weights_initializer=tf.compat.v1.truncated_normal_initializer(stddev=stddev),
            activation_fn=tf.nn.relu6,
            normalizer_fn=normalizer_fn,
        ),
        arg_scope([batch_norm], **batch_norm_params),
        arg_scope([conv2d], weights_regularizer=decay),
        arg_scope(
            [separable_conv2d], weights_regularizer=decay if regularize_depthwise else None
        ) as scope,
    ):
        return scope


@network(image_size=224, arg_scope=mobilenet_v1_arg_scope)
def mobilenet_v1(
    inputs: tf.Tensor,
    num_classes: int | None = 1000,
    dropout_keep_prob: float = 0.999,
    is_training: bool = True,
    min_depth: int = 8,
    depth_multiplier: float = 1.0,
    conv_defs: Sequence[Conv | DepthSepConv] | None = None,
    prediction_fn: Callable[..., tf.Tensor] | None = softmax,
    spatial_squeeze: bool = True,
    reuse: bool | None = None,
    scope: str = "MobilenetV1",
    global_pool: bool = False,
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """Turns images into logits.

    Args:
        inputs: Images [batch, height, width, channels]; 224x224 in the paper.
        num_classes: Number of classes; 0 or None returns the pooled features instead.
        dropout_keep_prob: The share of features that dropout keeps.
        is_training: Whether dropout is on and batch normalization uses the batch.
        min_depth: The least number of channels of a layer.
        depth_multiplier: Factor on the number of channels of every layer.
        conv_defs: The table of layers, `MOBILENETV1_CONV_DEFS` by default.
        prediction_fn: Makes predictions of the logits; None for no predictions.
        spatial_squeeze: Whether logits [batch, 1, 1, classes] become [batch, classes].
        reuse: Whether the variables exist already.
        scope: Name of the variables' scope.
        global_pool: Whether the last map is averaged over all positions, for larger images;
            otherwise over windows of 7x7.

    Returns:
        The logits [batch, num_classes], and the end points: those of `mobilenet_v1_base`,
        `AvgPool_1a` or `global_pool`, `Logits` and `Predictions`.

    Raises:
        InputError: `num_classes` is negative, or `depth_multiplier` is not positive.
        ShapeError: The inputs are not images; or too large to squeeze.
    """
    check_classes("mobilenet_v1", num_classes)
    check_size("mobilenet_v1", inputs, smallest=1)
    with (
        tf.compat.v1.variable_scope(scope, "MobilenetV1", [inputs], reuse=reuse) as scope,
        arg_scope([batch_norm, dropout], is_training=is_training),
    ):
        net, ends = mobilenet_v1_base(
            inputs,
            min_depth=min_depth,
            depth_multiplier=depth_multiplier,
            conv_defs=conv_defs,
            scope=scope,
        )
        with tf.compat.v1.variable_scope("Logits"):
            net = pooled(net, ends, global_pool, "AvgPool_1a_7x7", "AvgPool_1a")
            if not num_classes:
                return net, ends
            net = dropout(net, dropout_keep_prob, scope="Dropout_1b")
            logits = classified(
                net, ends, num_classes, prediction_fn, spatial_squeeze, "Conv2d_1c_1x1"
            )
    return logits, ends


mobilenet_v1_075 = wrapped_partial(mobilenet_v1, depth_multiplier=0.75)
mobilenet_v1_050 = wrapped_partial(mobilenet_v1, depth_multiplier=0.50)
mobilenet_v1_025 = wrapped_partial(mobilenet_v1, depth_multiplier=0.25)
