"""ResNet v2: bottlenecks that normalize and activate their input, and a sum left as it is.

Paper: He et al., "Identity Mappings in Deep Residual Networks", 2016, arXiv:1603.05027: figure 4(e)
is `bottleneck`. The stride is in the last unit of a block, and in its 3x3 convolution.

`resnet_v2` builds any list of blocks, which `resnet_v2_block` makes; `resnet_v2_50`, `_101`, `_152`
and `_200` are the published depths. `resnet_utils` has what both versions share.
"""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf
from slim_layers import batch_norm, conv2d, utils

from slim_nets import resnet_utils
from slim_nets._network import network
from slim_nets._scopes import NoOpScope
from slim_nets.resnet_utils import UNITS, Block, resnet_arg_scope
from slimcore import add_arg_scope, arg_scope


@add_arg_scope
def bottleneck(
    inputs: tf.Tensor,
    depth: int,
    depth_bottleneck: int,
    stride: int,
    rate: int = 1,
    outputs_collections: str | Sequence[str] | None = None,
    scope: str | None = None,
) -> tf.Tensor:
    """Adds a bottleneck of its normalized input to its input.

    Args:
        inputs: The map [batch, height, width, channels].
        depth: Channels of the output. Where the input has another number, a 1x1 convolution
            (`shortcut`) of the normalized input brings it there.
        depth_bottleneck: Channels of `conv1` (1x1) and `conv2` (3x3); `conv3` (1x1) has `depth`.
        stride: How much smaller the output is.
        rate: Distance between the points under the 3x3 kernel.
        outputs_collections: Collections to add the output to.
        scope: Name of the variables' scope, `bottleneck_v2` by default.
    """
    plain: dict[str, Any] = {"normalizer_fn": None, "activation_fn": None}
    with tf.compat.v1.variable_scope(scope, "bottleneck_v2", [inputs]) as sc:
        preact = batch_norm(inputs, activation_fn=tf.nn.relu, scope="preact")
        if depth == inputs.shape[resnet_utils.channels_axis()]:
            shortcut = resnet_utils.subsample(inputs, stride, "shortcut")
        else:
            shortcut = conv2d(preact, depth, [1, 1], stride=stride, scope="shortcut", **plain)
        residual = conv2d(preact, depth_bottleneck, [1, 1], stride=1, scope="conv1")
        residual = resnet_utils.conv2d_same(
            residual, depth_bottleneck, 3, stride, rate=rate, scope="conv2"
        )
        residual = conv2d(residual, depth, [1, 1], stride=1, scope="conv3", **plain)
        return utils.collect_named_outputs(outputs_collections, sc.name, shortcut + residual)


@network(image_size=224, arg_scope=resnet_arg_scope)
def resnet_v2(
    inputs: tf.Tensor,
    blocks: Sequence[Block],
    num_classes: int | None = None,
    is_training: bool | None = True,
    global_pool: bool = True,
    output_stride: int | None = None,
    include_root_block: bool = True,
    spatial_squeeze: bool = True,
    reuse: bool | None = None,
    scope: str | None = None,
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """Turns images into logits, or into a map of features for dense prediction.

    Args:
        inputs: Images [batch, height, width, channels]; 224x224 in the paper. For dense
            prediction, sizes of the form 32 n + 1 let the maps line up with the image.
        blocks: The blocks.
        num_classes: Number of classes; 0 or None returns features instead.
        is_training: Whether batch normalization uses the batch; None leaves that to the scope
            around.
        global_pool: Whether features are averaged over positions. False keeps the map.
        output_stride: How much smaller than the image the last map is: 4, 8, 16 or 32 with the
            published blocks; None for 32.
        include_root_block: Whether the network begins with a 7x7 convolution and a pool. Without
            them `inputs` may be the map of another network.
        spatial_squeeze: Whether logits [batch, 1, 1, classes] become [batch, classes].
        reuse: Whether the variables exist already.
        scope: Name of the variables' scope, `resnet_v2` by default.

    Returns:
        The logits [batch, num_classes], or the features; and the end points: every convolution,
        unit and block with its full name, such as `resnet_v2_50/block1/unit_1/bottleneck_v2/conv1`;
        `global_pool`, `<scope>/logits`, `<scope>/spatial_squeeze` and `predictions`.

    Raises:
        InputError: `num_classes` is negative, or the output stride cannot be.
        ShapeError: The inputs are not images; or a map of logits cannot be squeezed.
    """
    block_stride = resnet_utils.check_arguments(
        "resnet_v2", inputs, blocks, num_classes, output_stride, include_root_block
    )
    with tf.compat.v1.variable_scope(scope, "resnet_v2", [inputs], reuse=reuse) as sc:
        collection = sc.original_name_scope + "_end_points"
        with (
            arg_scope(
                [conv2d, bottleneck, resnet_utils.stack_blocks_dense],
                outputs_collections=collection,
            ),
            NoOpScope()
            if is_training is None
            else arg_scope([batch_norm], is_training=is_training),
        ):
            net = inputs
            if include_root_block:
                # The first unit normalizes and activates what comes out of the root.
                with arg_scope([conv2d], activation_fn=None, normalizer_fn=None):
                    net = resnet_utils.root_block(net)
            net = resnet_utils.stack_blocks_dense(net, blocks, block_stride)
            net = batch_norm(net, activation_fn=tf.nn.relu, scope="postnorm")
            ends = utils.convert_collection_to_dict(collection)
            net = resnet_utils.head(net, ends, sc.name, num_classes, global_pool, spatial_squeeze)
    return net, ends


def resnet_v2_block(scope: str, base_depth: int, num_units: int, stride: int) -> Block:
    """Returns a block of bottleneck units. See `resnet_utils.bottleneck_block`."""
    return resnet_utils.bottleneck_block(bottleneck, scope, base_depth, num_units, stride)


def _blocks(layers: int) -> list[Block]:
    rows = zip((64, 128, 256, 512), UNITS[layers], (2, 2, 2, 1), strict=True)
    return [
        resnet_v2_block(f"block{number}", depth, units, stride)
        for number, (depth, units, stride) in enumerate(rows, start=1)
    ]


@network(image_size=224, arg_scope=resnet_arg_scope)
def resnet_v2_50(
    inputs: tf.Tensor,
    num_classes: int | None = None,
    is_training: bool | None = True,
    global_pool: bool = True,
    output_stride: int | None = None,
    spatial_squeeze: bool = True,
    reuse: bool | None = None,
    scope: str = "resnet_v2_50",
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """Turns images into logits with 50 layers. See `resnet_v2`."""
    return resnet_v2(
        inputs,
        _blocks(50),
        num_classes,
        is_training,
        global_pool=global_pool,
        output_stride=output_stride,
        include_root_block=True,
        spatial_squeeze=spatial_squeeze,
        reuse=reuse,
        scope=scope,
    )


@network(image_size=224, arg_scope=resnet_arg_scope)
def resnet_v2_101(
    inputs: tf.Tensor,
    num_classes: int | None = None,
    is_training: bool | None = True,
    global_pool: bool = True,
    output_stride: int | None = None,
    spatial_squeeze: bool = True,
    reuse: bool | None = None,
    scope: str = "resnet_v2_101",
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """Turns images into logits with 101 layers. See `resnet_v2`."""
    return resnet_v2(
        inputs,
        _blocks(101),
        num_classes,
        is_training,
        global_pool=global_pool,
        output_stride=output_stride,
        include_root_block=True,
        spatial_squeeze=spatial_squeeze,
        reuse=reuse,
        scope=scope,
    )


@network(image_size=224, arg_scope=resnet_arg_scope)
def resnet_v2_152(
    inputs: tf.Tensor,
    num_classes: int | None = None,
    is_training: bool | None = True,
    global_pool: bool = True,
    output_stride: int | None = None,
    spatial_squeeze: bool = True,
    reuse: bool | None = None,
    scope: str = "resnet_v2_152",
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """Turns images into logits with 152 layers. See `resnet_v2`."""
    return resnet_v2(
        inputs,
        _blocks(152),
        num_classes,
        is_training,
        global_pool=global_pool,
        output_stride=output_stride,
        include_root_block=True,
        spatial_squeeze=spatial_squeeze,
        reuse=reuse,
        scope=scope,
    )


@network(image_size=224, arg_scope=resnet_arg_scope)
def resnet_v2_200(
    inputs: tf.Tensor,
    num_classes: int | None = None,
    is_training: bool | None = True,
    global_pool: bool = True,
    output_stride: int | None = None,
    spatial_squeeze: bool = True,
    reuse: bool | None = None,
    scope: str = "resnet_v2_200",
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """Turns images into logits with 200 layers. See `resnet_v2`."""
    return resnet_v2(
        inputs,
        _blocks(200),
        num_classes,
        is_training,
        global_pool=global_pool,
        output_stride=output_stride,
        include_root_block=True,
        spatial_squeeze=spatial_squeeze,
        reuse=reuse,
        scope=scope,
    )
