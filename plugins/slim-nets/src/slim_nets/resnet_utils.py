"""What ResNets are made of: blocks of units, stacked at a chosen output stride, and their scope.

Papers: He et al., "Deep Residual Learning for Image Recognition", 2015, arXiv:1512.03385; Chen et
al., "DeepLab", 2016, arXiv:1606.00915, for the convolutions with holes (`rate`) that keep a map
large.

`Block` describes a block, `stack_blocks_dense` builds a list of them; `root_block` and `head` are
what both versions have below and above; `resnet_arg_scope` is their scope.
"""

import itertools
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import tensorflow as tf
from slim_layers import (
    batch_norm,
    conv2d,
    l2_regularizer,
    max_pool2d,
    softmax,
    utils,
    variance_scaling_initializer,
)

from slim_nets._checks import check_classes, check_size, check_stride
from slim_nets._heads import squeezed
from slimcore import Scope, add_arg_scope, arg_scope, arg_scope_func_key, current_arg_scope

# Units of the four blocks, by the number of layers (table 1 of the paper; 200: arXiv:1603.05027).
UNITS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3), 200: (3, 24, 36, 3)}


class Block(NamedTuple):
    """A block of a ResNet.

    Attributes:
        scope: Its scope, such as "block1".
        unit_fn: The unit, a function of a map, of the arguments of one unit, and of `rate`.
        args: The arguments of each unit, a dict with at least `stride`.
    """

    scope: str
    unit_fn: Callable[..., tf.Tensor]
    args: Sequence[Mapping[str, Any]]


def bottleneck_block(
    unit_fn: Callable[..., tf.Tensor], scope: str, base_depth: int, num_units: int, stride: int
) -> Block:
    """Returns a block of bottleneck units, the last of which has the stride.

    Args:
        unit_fn: The bottleneck.
        scope: Its scope.
        base_depth: Channels inside the bottleneck; the output has four times as many.
        num_units: How many units.
        stride: How much smaller the output is than the input.
    """
    unit = {"depth": base_depth * 4, "depth_bottleneck": base_depth, "stride": 1}
    return Block(scope, unit_fn, [unit] * (num_units - 1) + [{**unit, "stride": stride}])


def channels_axis() -> int:
    """Returns the axis of the channels of maps, by the scope around: 1, or -1.

    Within `slim.arg_scope([slim.conv2d, slim.batch_norm, slim.max_pool2d], data_format="NCHW")`,
    entered inside `resnet_arg_scope`, a ResNet has its channels on axis 1.
    """
    scoped = current_arg_scope().get(arg_scope_func_key(conv2d), {})
    return 1 if scoped.get("data_format") == "NCHW" else -1


def subsample(inputs: tf.Tensor, factor: int, scope: str | None = None) -> tf.Tensor:
    """Keeps every `factor`-th row and column of a map.

    Args:
        inputs: The map [batch, height, width, channels].
        factor: 1 keeps all.
        scope: Name of the ops.
    """
    if factor == 1:
        return inputs
    return max_pool2d(inputs, [1, 1], stride=factor, scope=scope)


def conv2d_same(
    inputs: tf.Tensor,
    num_outputs: int,
    kernel_size: int,
    stride: int,
    rate: int = 1,
    scope: str | None = None,
) -> tf.Tensor:
    """Convolves with padding that does not depend on the size of the map.

    "SAME" padding at a stride pads an even map on one side only; here both sides are padded alike,
    so that the result is that of stride 1, subsampled.

    Args:
        inputs: The map [batch, height, width, channels].
        num_outputs: Channels of the output.
        kernel_size: Height and width of the kernel.
        stride: How much smaller the output is.
        rate: Distance between the points under the kernel.
        scope: Name of the variables' scope.

    Returns:
        The map [batch, ceil(height / stride), ceil(width / stride), num_outputs].
    """
    if stride == 1:
        return conv2d(
            inputs, num_outputs, kernel_size, stride=1, rate=rate, padding="SAME", scope=scope
        )
    reach = (kernel_size - 1) * rate
    before = reach // 2
    around = [before, reach - before]
    none = [0, 0]
    margins = [none, none, around, around] if channels_axis() == 1 else [none, around, around, none]
    padded = tf.pad(inputs, margins)
    return conv2d(
        padded, num_outputs, kernel_size, stride=stride, rate=rate, padding="VALID", scope=scope
    )


def reachable_strides(blocks: Sequence[Block]) -> list[int]:
    """Returns the output strides that these blocks can have, from 1 to their own."""
    strides = (unit.get("stride", 1) for block in blocks for unit in block.args)
    return sorted({1, *itertools.accumulate(strides, operator.mul)})


@add_arg_scope
def stack_blocks_dense(
    net: tf.Tensor,
    blocks: Sequence[Block],
    output_stride: int | None = None,
    store_non_strided_activations: bool = False,
    outputs_collections: str | Sequence[str] | None = None,
) -> tf.Tensor:
    """Stacks blocks, and keeps the map from getting smaller than `output_stride` says.

    Once the output stride is reached, units have stride 1, and those after them look further apart
    instead (`rate`), so that each output sees what it would have seen.

    Args:
        net: The map [batch, height, width, channels].
        blocks: The blocks.
        output_stride: How much smaller than `net` the output is; None for the blocks' own.
        store_non_strided_activations: Whether a block's outputs are collected before the stride of
            its last unit, at twice the size.
        outputs_collections: Collections to add the outputs of each block to.

    Returns:
        The last map.

    Raises:
        InputError: The blocks cannot have this output stride.
    """
    check_stride("stack_blocks_dense", output_stride, reachable_strides(blocks))
    reached, rate = 1, 1
    for block in blocks:
        with tf.compat.v1.variable_scope(block.scope, "block", [net]) as sc:
            deferred = 1
            for number, unit in enumerate(block.args, start=1):
                stride = unit.get("stride", 1)
                if store_non_strided_activations and number == len(block.args):
                    deferred, stride = stride, 1
                with tf.compat.v1.variable_scope(f"unit_{number}", values=[net]):
                    if reached == output_stride:
                        net = block.unit_fn(net, rate=rate, **{**unit, "stride": 1})
                        rate *= stride
                    else:
                        net = block.unit_fn(net, rate=1, **{**unit, "stride": stride})
                        reached *= stride
            net = utils.collect_named_outputs(outputs_collections, sc.name, net)
            if reached == output_stride:
                rate *= deferred
            else:
                net = subsample(net, deferred)
                reached *= deferred
    return net


def check_arguments(
    name: str,
    inputs: tf.Tensor,
    blocks: Sequence[Block],
    num_classes: int | None,
    output_stride: int | None,
    include_root_block: bool,
) -> int | None:
    """Checks a ResNet's arguments, and returns the output stride left for its blocks.

    Raises:
        InputError: `num_classes` is negative, or the output stride cannot be.
        ShapeError: The inputs are not images.
    """
    check_classes(name, num_classes)
    check_size(name, inputs, smallest=1)
    root = 4 if include_root_block else 1
    check_stride(name, output_stride, [root * stride for stride in reachable_strides(blocks)])
    return output_stride // root if output_stride else None


def root_block(net: tf.Tensor) -> tf.Tensor:
    """Turns images into a map four times smaller, of 64 channels."""
    net = conv2d_same(net, 64, 7, stride=2, scope="conv1")
    return max_pool2d(net, [3, 3], stride=2, scope="pool1")


def head(
    net: tf.Tensor,
    ends: dict[str, tf.Tensor],
    scope: str,
    num_classes: int | None,
    global_pool: bool,
    spatial_squeeze: bool,
) -> tf.Tensor:
    """Averages over positions, and classifies.

    Args:
        net: The last map.
        ends: The end points, which gain `global_pool`, `<scope>/logits`, `<scope>/spatial_squeeze`
            and `predictions`, as far as they are built.
        scope: The network's scope.
        num_classes: Number of classes; 0 or None stops after the average.
        global_pool: Whether there is an average.
        spatial_squeeze: Whether logits [batch, 1, 1, classes] become [batch, classes].

    Returns:
        The logits, or the features.
    """
    axis = channels_axis()
    if global_pool:
        places = [2, 3] if axis == 1 else [1, 2]
        net = ends["global_pool"] = tf.reduce_mean(net, places, keepdims=True, name="pool5")
    if not num_classes:
        return net
    net = ends[f"{scope}/logits"] = conv2d(
        net, num_classes, [1, 1], activation_fn=None, normalizer_fn=None, scope="logits"
    )
    if spatial_squeeze:
        net = ends[f"{scope}/spatial_squeeze"] = squeezed(net, "SpatialSqueeze", axis)
    if axis == 1 and not spatial_squeeze:
        ends["predictions"] = tf.nn.softmax(net, 1, name="predictions")
    else:
        ends["predictions"] = softmax(net, scope="predictions")
    return net


def resnet_arg_scope(
    weight_decay: float = 0.0001,
    batch_norm_decay: float = 0.997,
    batch_norm_epsilon: float = 1e-5,
    batch_norm_scale: bool = True,
    activation_fn: Callable[..., tf.Tensor] | None = tf.nn.relu,
    use_batch_norm: bool = True,
    batch_norm_updates_collections: str | None = tf.compat.v1.GraphKeys.UPDATE_OPS,
) -> Scope:
    """Returns the scope that ResNets are built in.

    Args:
        weight_decay: Factor of the L2 regularization loss of the weights.
        batch_norm_decay: Decay of the moving averages.
        batch_norm_epsilon: Added to the variance.
        batch_norm_scale: Whether batch normalization has a gamma.
        activation_fn: Activation of the convolutions.
        use_batch_norm: Whether convolutions are normalized; they have biases otherwise.
        batch_norm_updates_collections: Collects the updates of the moving averages; None makes
            them part of the forward pass.
    """
    batch_norm_params = {
        "decay": batch_norm_decay,
        "epsilon": batch_norm_epsilon,
        "scale": batch_norm_scale,
        "updates_collections": batch_norm_updates_collections,
        "fused": None,
    }
    with (
        arg_scope(
            [conv2d],
            weights_regularizer=l2_regularizer(weight_decay),
            weights_initializer=variance_scaling_initializer(),
            activation_fn=activation_fn,
            normalizer_fn=batch_norm if use_batch_norm else None,
        ),
        arg_scope([batch_norm], **batch_norm_params),
        # Padding the first pool alike lets maps of different sizes line up.
        arg_scope([max_pool2d], padding="SAME") as scope,
    ):
        return scope
