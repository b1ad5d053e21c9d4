"""What the video networks I3D and S3D-G are made of: Inception v1, inflated in time.

Papers: Carreira and Zisserman, "Quo Vadis, Action Recognition?", 2017, arXiv:1705.07750, figure 3;
Xie et al., "Rethinking Spatiotemporal Feature Learning", 2017, arXiv:1712.04851, figures 3 and 5.

`video_steps` is the table of layers of both; its widths are those of `inception_v1`.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from slim_layers import avg_pool3d, batch_norm, conv3d, dropout, l2_regularizer, max_pool3d

from slim_nets._heads import squeezed
from slim_nets._steps import Step
from slim_nets.inception_v1 import WIDTHS
from slimcore import Scope, add_arg_scope, arg_scope

Function = Callable[..., tf.Tensor] | None


def center_initializer() -> Callable[..., tf.Tensor]:
    """Returns an initializer of temporal kernels: each frame stays as it is.

    The kernel [frames, 1, 1, channels, channels] is the identity in the middle of the frames.
    """

    def initialize(
        shape: Sequence[int], dtype: Any = tf.float32, partition_info: Any = None
    ) -> tf.Tensor:
        del partition_info
        value = np.zeros(shape)
        value[shape[0] // 2, 0, 0] = np.eye(shape[3], shape[4])
        return tf.constant(value, dtype)

    return initialize


@add_arg_scope
def conv3d_spatiotemporal(
    inputs: tf.Tensor,
    num_outputs: int,
    kernel_size: Sequence[int],
    stride: int | Sequence[int] = 1,
    padding: str = "SAME",
    activation_fn: Function = None,
    normalizer_fn: Function = None,
    normalizer_params: dict[str, Any] | None = None,
    weights_regularizer: Function = None,
    separable: bool = False,
    data_format: str = "NDHWC",
    scope: str = "",
) -> tf.Tensor:
    """Convolves in space and time, together or one after the other.

    Args:
        inputs: Map [batch, frames, height, width, channels], or as `data_format` says.
        num_outputs: Channels of the output.
        kernel_size: Frames, height and width.
        stride: One number, or one for each of frames, height and width.
        padding: "SAME" or "VALID".
        activation_fn: Activation of both convolutions.
        normalizer_fn: Normalization of the convolution in space; the one in time has biases.
        normalizer_params: Further arguments for `normalizer_fn`.
        weights_regularizer: Regularizer for all weights.
        separable: Whether a kernel of several frames becomes two: in space, then in time
            (`<scope>/temporal`), which at first leaves frames as they are.
        data_format: "NDHWC" or "NCDHW".
        scope: Name of the variables' scope.
    """
    strides = [stride] * 3 if isinstance(stride, int) else list(stride)
    frames, height, width = kernel_size
    apart = separable and frames > 1
    net = conv3d(
        inputs,
        num_outputs,
        [1, height, width] if apart else [frames, height, width],
        stride=[1, *strides[1:]] if apart else strides,
        padding=padding,
        activation_fn=activation_fn,
        normalizer_fn=normalizer_fn,
        normalizer_params=normalizer_params,
        weights_regularizer=weights_regularizer,
        data_format=data_format,
        scope=scope,
    )
    if not apart:
        return net
    return conv3d(
        net,
        num_outputs,
        [frames, 1, 1],
        stride=[strides[0], 1, 1],
        padding=padding,
        activation_fn=activation_fn,
        normalizer_fn=None,
        weights_initializer=center_initializer(),
        weights_regularizer=weights_regularizer,
        data_format=data_format,
        scope=f"{scope}/temporal",
    )


@add_arg_scope
def inception_block_v1_3d(
    inputs: tf.Tensor,
    num_outputs_0_0a: int,
    num_outputs_1_0a: int,
    num_outputs_1_0b: int,
    num_outputs_2_0a: int,
    num_outputs_2_0b: int,
    num_outputs_3_0b: int,
    temporal_kernel_size: int = 3,
    self_gating_fn: Function = None,
    data_format: str = "NDHWC",
    scope: str = "",
) -> tf.Tensor:
    """Applies the four branches of an inception block in space and time.

    Args:
        inputs: Map [batch, frames, height, width, channels], or as `data_format` says.
        num_outputs_0_0a: Outputs of the 1x1 convolution.
        num_outputs_1_0a, num_outputs_1_0b: Outputs of the 1x1 and 3x3 convolutions of branch 1.
        num_outputs_2_0a, num_outputs_2_0b: The same of branch 2.
        num_outputs_3_0b: Outputs of the 1x1 convolution after the pool.
        temporal_kernel_size: Frames under the 3x3 kernels and the pool.
        self_gating_fn: Function of a branch's output and its scope, applied to each.
        data_format: "NDHWC" or "NCDHW".
        scope: Name of the variables' scope.

    Returns:
        The outputs of the branches, concatenated.
    """
    cube = [temporal_kernel_size, 3, 3]
    reductions = [("Branch_1", num_outputs_1_0a, num_outputs_1_0b)]
    reductions.append(("Branch_2", num_outputs_2_0a, num_outputs_2_0b))
    outputs = []

    def gated(net: tf.Tensor, name: str) -> tf.Tensor:
        return self_gating_fn(net, scope=name) if self_gating_fn else net

    with tf.compat.v1.variable_scope(scope):
        with tf.compat.v1.variable_scope("Branch_0"):
            net = conv3d(inputs, num_outputs_0_0a, [1, 1, 1], scope="Conv2d_0a_1x1")
            outputs.append(gated(net, "Conv2d_0a_1x1"))
        for branch, inner, outer in reductions:
            with tf.compat.v1.variable_scope(branch):
                net = conv3d(inputs, inner, [1, 1, 1], scope="Conv2d_0a_1x1")
                net = conv3d_spatiotemporal(net, outer, cube, scope="Conv2d_0b_3x3")
                outputs.append(gated(net, "Conv2d_0b_3x3"))
        with tf.compat.v1.variable_scope("Branch_3"):
            net = max_pool3d(inputs, cube, scope="MaxPool_0a_3x3")
            net = conv3d(net, num_outputs_3_0b, [1, 1, 1], scope="Conv2d_0b_1x1")
            outputs.append(gated(net, "Conv2d_0b_1x1"))
        return tf.concat(outputs, 1 if data_format == "NCDHW" else -1)


def reduced_kernel_size_3d(input_tensor: tf.Tensor, kernel_size: Sequence[int]) -> list[int]:
    """Returns the kernel size, or the size of the map [batch, frames, ...] where it is smaller."""
    sizes = zip(input_tensor.shape[1:4], kernel_size, strict=True)
    return [kernel if size is None else min(size, kernel) for size, kernel in sizes]


def video_steps(
    first: Callable[..., tf.Tensor],
    first_temporal_kernel_size: int,
    temporal: Callable[[str], bool] = lambda name: True,
    gating: Callable[[str], Function] = lambda name: None,
    depth: Callable[[int], int] = int,
) -> list[Step]:
    """Returns the table of layers of a video network.

    Args:
        first: The first convolution, a layer.
        first_temporal_kernel_size: Frames under its kernel.
        temporal: Whether the layer of a name sees more than one frame.
        gating: The gating of the layer of a name, or None.
        depth: From the channels of Inception v1 to those of this network.
    """

    def conv(
        name: str, layer: Callable[..., tf.Tensor], channels: int, *kernel: int, **kwargs: Any
    ) -> Step:
        def apply(net: tf.Tensor) -> tf.Tensor:
            net = layer(net, depth(channels), list(kernel), scope=name, **kwargs)
            gate = gating(name)
            return gate(net, scope=name) if gate else net

        return Step(name, apply)

    def pool(name: str, size: Sequence[int], stride: Sequence[int]) -> Step:
        return Step(name, lambda net: max_pool3d(net, size, stride=stride, scope=name))

    def mixed(name: str) -> Step:
        def apply(net: tf.Tensor) -> tf.Tensor:
            one, three_in, three, five_in, five, pooled = map(depth, WIDTHS[name])
            return inception_block_v1_3d(
                net,
                one,
                three_in,
                three,
                five_in,
                five,
                pooled,
                temporal_kernel_size=3 if temporal(name) else 1,
                self_gating_fn=gating(name),
                scope=name,
            )

        return Step(name, apply)

    frames = 3 if temporal("Conv2d_2c_3x3") else 1
    return [
        conv("Conv2d_1a_7x7", first, 64, first_temporal_kernel_size, 7, 7, stride=2),
        pool("MaxPool_2a_3x3", [1, 3, 3], [1, 2, 2]),
        conv("Conv2d_2b_1x1", conv3d, 64, 1, 1, 1),
        conv("Conv2d_2c_3x3", conv3d_spatiotemporal, 192, frames, 3, 3),
        pool("MaxPool_3a_3x3", [1, 3, 3], [1, 2, 2]),
        mixed("Mixed_3b"),
        mixed("Mixed_3c"),
        pool("MaxPool_4a_3x3", [3, 3, 3], [2, 2, 2]),
        *map(mixed, ["Mixed_4b", "Mixed_4c", "Mixed_4d", "Mixed_4e", "Mixed_4f"]),
        pool("MaxPool_5a_2x2", [2, 2, 2], [2, 2, 2]),
        mixed("Mixed_5b"),
        mixed("Mixed_5c"),
    ]


def video_head(
    net: tf.Tensor,
    ends: dict[str, tf.Tensor],
    num_classes: int | None,
    dropout_keep_prob: float,
    prediction_fn: Callable[..., tf.Tensor],
    spatial_squeeze: bool,
) -> tf.Tensor:
    """Pools over windows of 2x7x7, classifies, and averages the logits over time.

    Args:
        net: The last map [batch, frames, height, width, channels].
        ends: The end points, which gain `Logits` and `Predictions`.
        num_classes: Number of classes; 0 or None stops after the pool.
        dropout_keep_prob: The share of features that dropout keeps.
        prediction_fn: Makes predictions of the logits.
        spatial_squeeze: Whether logits [batch, 1, 1, classes] become [batch, classes].

    Returns:
        The logits, or the features [batch, frames, rows, columns, channels].
    """
    with tf.compat.v1.variable_scope("Logits"):
        window = reduced_kernel_size_3d(net, [2, 7, 7])
        net = avg_pool3d(net, window, stride=1, padding="VALID", scope="AvgPool_0a_7x7")
        if not num_classes:
            return net
        net = dropout(net, dropout_keep_prob, scope="Dropout_0b")
        logits = conv3d(
            net,
            num_classes,
            [1, 1, 1],
            activation_fn=None,
            normalizer_fn=None,
            scope="Conv2d_0c_1x1",
        )
        logits = tf.reduce_mean(logits, axis=1)
        if spatial_squeeze:
            logits = squeezed(logits, "SpatialSqueeze")
        ends["Logits"] = logits
        ends["Predictions"] = prediction_fn(logits, scope="Predictions")
    return logits


def video_arg_scope(
    weight_decay: float,
    batch_norm_decay: float,
    batch_norm_epsilon: float,
    **batch_norm_kwargs: Any,
) -> Scope:
    """Returns the scope that the video networks are built in.

    Args:
        weight_decay: Factor of the L2 regularization loss of the weights.
        batch_norm_decay: Decay of the moving averages.
        batch_norm_epsilon: Added to the variance.
        **batch_norm_kwargs: Further arguments of batch normalization.
    """
    averages = ["moving_vars"]
    params = {
        "decay": batch_norm_decay,
        "epsilon": batch_norm_epsilon,
        "fused": False,
        "variables_collections": {
            "beta": None,
            "gamma": None,
            "moving_mean": averages,
            "moving_variance": averages,
        },
        **batch_norm_kwargs,
    }
    with arg_scope(
        [conv3d, conv3d_spatiotemporal],
        weights_regularizer=l2_regularizer(weight_decay),
        activation_fn=tf.nn.relu,
        normalizer_fn=batch_norm,
        normalizer_params=params,
    ) as scope:
        return scope
