"""S3D-G: I3D with kernels separated into space and time, and with gating of features.

Paper: Xie et al., "Rethinking Spatiotemporal Feature Learning: Speed-Accuracy Trade-offs in Video
Classification", 2017, arXiv:1712.04851: figures 3 and 5, section 4.4 for `self_gating`.

`s3dg_base` is the table of layers, `s3dg` adds the classifier, `s3dg_arg_scope` is their scope.
Blocks and widths are in `i3d_utils` and `inception_v1`.
"""

from collections.abc import Callable
from functools import partial

import tensorflow as tf
from slim_layers import batch_norm, conv3d, dropout, max_pool3d, softmax

from slim_nets._checks import check_classes, check_multiplier, check_size
from slim_nets._network import network
from slim_nets._steps import run
from slim_nets.i3d_utils import (
    conv3d_spatiotemporal,
    inception_block_v1_3d,
    video_arg_scope,
    video_head,
    video_steps,
)
from slim_nets.inception_utils import truncated_normal
from slim_nets.inception_v1 import WIDTHS
from slimcore import Scope, arg_scope
from slimcore.errors import InputError

# The blocks that can see several frames, and be gated.
BLOCKS = ("Conv2d_2c_3x3", *WIDTHS)


def s3dg_arg_scope(
    weight_decay: float = 1e-7, batch_norm_decay: float = 0.999, batch_norm_epsilon: float = 0.001
) -> Scope:
    """Returns the scope that `s3dg` is built in. See `i3d_utils.video_arg_scope`."""
    return video_arg_scope(weight_decay, batch_norm_decay, batch_norm_epsilon)


def self_gating(input_tensor: tf.Tensor, scope: str, data_format: str = "NDHWC") -> tf.Tensor:
    """Scales each channel by a sigmoid of what a layer makes of the averages of all.

    Args:
        input_tensor: Map [batch, frames, height, width, channels], or as `data_format` says.
        scope: Scope of the layer gated; the variables are in `<scope>/self_gating/transformer_W`.
        data_format: "NDHWC" or "NCDHW".
    """
    first = data_format == "NCDHW"
    averages = tf.reduce_mean(input_tensor, [2, 3, 4] if first else [1, 2, 3], keepdims=True)
    gates = conv3d(
        averages,
        input_tensor.shape[1 if first else -1],
        [1, 1, 1],
        activation_fn=tf.sigmoid,
        normalizer_fn=None,
        biases_initializer=None,
        data_format=data_format,
        scope=f"{scope}/self_gating/transformer_W",
    )
    return input_tensor * gates


def s3dg_base(
    inputs: tf.Tensor,
    first_temporal_kernel_size: int = 3,
    temporal_conv_startat: str | None = "Conv2d_2c_3x3",
    gating_startat: str | None = "Conv2d_2c_3x3",
    final_endpoint: str = "Mixed_5c",
    min_depth: int = 16,
    depth_multiplier: float = 1.0,
    data_format: str = "NDHWC",
    scope: str = "InceptionV1",
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """Turns videos into a map of features.

    Args:
        inputs: Videos [batch, frames, height, width, channels], or as `data_format` says.
        first_temporal_kernel_size: Frames under the first kernel.
        temporal_conv_startat: The first block that sees several frames, `Conv2d_2c_3x3`,
            `Mixed_3b`, ..., `Mixed_5c`; None for all.
        gating_startat: The first block that is gated; None for all.
        final_endpoint: Where to stop: `Conv2d_1a_7x7`, `MaxPool_2a_3x3`, ..., `Mixed_5c`.
        min_depth: The least number of channels of a layer.
        depth_multiplier: Factor on the number of channels of every layer.
        data_format: "NDHWC" or "NCDHW".
        scope: Name of the variables' scope.

    Returns:
        The last map, [batch, frames / 8, height / 32, width / 32, 1024] for `Mixed_5c`, and the
        end points.

    Raises:
        InputError: There is no end point, block or data format of this name; the multiplier is not
            positive.
    """
    check_multiplier("s3dg", depth_multiplier)
    if data_format not in ("NDHWC", "NCDHW"):
        raise InputError(f"s3dg got data_format={data_format!r}; pass 'NDHWC' or 'NCDHW'")
    temporal = _from(temporal_conv_startat, "temporal_conv_startat")
    gated = _from(gating_startat, "gating_startat")
    gate = partial(self_gating, data_format=data_format)
    with (
        tf.compat.v1.variable_scope(scope, "InceptionV1", [inputs]),
        arg_scope([conv3d], weights_initializer=truncated_normal(0.01)),
        arg_scope([conv3d, max_pool3d], stride=1, padding="SAME", data_format=data_format),
        arg_scope([batch_norm], data_format=data_format.replace("D", "")),
        arg_scope([inception_block_v1_3d], data_format=data_format),
        arg_scope([conv3d_spatiotemporal], separable=True, data_format=data_format),
    ):
        steps = video_steps(
            conv3d,
            first_temporal_kernel_size,
            temporal=lambda name: name in temporal,
            gating=lambda name: gate if name in gated else None,
            depth=lambda channels: max(int(channels * depth_multiplier), min_depth),
        )
        return run("s3dg", inputs, steps, final_endpoint)


def _from(start: str | None, argument: str) -> tuple[str, ...]:
    if start is None:
        return BLOCKS
    if start not in BLOCKS:
        raise InputError(
            f"s3dg got {argument}={start!r}; pass None for all blocks, or one of "
            f"{', '.join(BLOCKS)}"
        )
    return BLOCKS[BLOCKS.index(start) :]


@network(image_size=224, arg_scope=s3dg_arg_scope)
def s3dg(
    inputs: tf.Tensor,
    num_classes: int | None = 1000,
    first_temporal_kernel_size: int = 3,
    temporal_conv_startat: str | None = "Conv2d_2c_3x3",
    gating_startat: str | None = "Conv2d_2c_3x3",
    final_endpoint: str = "Mixed_5c",
    min_depth: int = 16,
    depth_multiplier: float = 1.0,
    dropout_keep_prob: float = 0.8,
    is_training: bool = True,
    prediction_fn: Callable[..., tf.Tensor] = softmax,
    spatial_squeeze: bool = True,
    reuse: bool | None = None,
    data_format: str = "NDHWC",
    scope: str = "InceptionV1",
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """Turns videos into logits.

    Args:
        inputs: Videos [batch, frames, height, width, channels]; 64 frames of 224x224 in the paper.
        num_classes: Number of classes; 0 or None returns the pooled features instead.
        first_temporal_kernel_size, temporal_conv_startat, gating_startat, final_endpoint,
            min_depth, depth_multiplier: As in `s3dg_base`.
        dropout_keep_prob: The share of features that dropout keeps.
        is_training: Whether dropout is on and batch normalization uses the batch.
        prediction_fn: Makes predictions of the logits.
        spatial_squeeze: Whether logits [batch, 1, 1, classes] become [batch, classes].
        reuse: Whether the variables exist already.
        data_format: The order in which the network computes, "NDHWC" or "NCDHW"; the inputs are
            NDHWC either way.
        scope: Name of the variables' scope.

    Returns:
        The logits [batch, num_classes], and the end points: those of `s3dg_base`, `Logits` and
        `Predictions`.

    Raises:
        InputError: `num_classes` is negative; or as `s3dg_base`.
        ShapeError: The inputs are not videos; or too large to squeeze.
    """
    check_classes("s3dg", num_classes)
    check_size("s3dg", inputs, smallest=1, frames=True)
    with (
        tf.compat.v1.variable_scope(scope, "InceptionV1", [inputs], reuse=reuse) as scope,
        arg_scope([batch_norm, dropout], is_training=is_training),
    ):
        if data_format == "NCDHW":
            inputs = tf.transpose(inputs, [0, 4, 1, 2, 3])
        net, ends = s3dg_base(
            inputs,
            first_temporal_kernel_size=first_temporal_kernel_size,
            temporal_conv_startat=temporal_conv_startat,
            gating_startat=gating_startat,
            final_endpoint=final_endpoint,
            min_depth=min_depth,
            depth_multiplier=depth_multiplier,
            data_format=data_format,
            scope=scope,
        )
        if data_format == "NCDHW":
            net = tf.transpose(net, [0, 2, 3, 4, 1])
        net = video_head(net, ends, num_classes, dropout_keep_prob, prediction_fn, spatial_squeeze)
    return net, ends
