"""VGG: convolutions of 3x3 and pools of 2x2, nothing else, in three depths.

Paper: Simonyan and Zisserman, "Very Deep Convolutional Networks for Large-Scale Image
Recognition", 2014, arXiv:1409.1556, table 1: columns A, D and E.

`vgg_a`, `vgg_16` (also `vgg_d`) and `vgg_19` (also `vgg_e`) are the networks; `vgg_arg_scope` holds
their weight decay. `DEPTHS` says how often each of the five stages convolves.
"""

from typing import Any

import tensorflow as tf
from slim_layers import conv2d, fully_connected, l2_regularizer, max_pool2d, repeat

from slim_nets._checks import check_classes, check_size
from slim_nets._dense_heads import dense_head
from slim_nets._network import network
from slimcore import Scope, arg_scope

WIDTHS = (64, 128, 256, 512, 512)
DEPTHS = {"vgg_a": (1, 1, 2, 2, 2), "vgg_16": (2, 2, 3, 3, 3), "vgg_19": (2, 2, 4, 4, 4)}


def vgg_arg_scope(weight_decay: float = 0.0005) -> Scope:
    """Returns the scope that the VGG networks are built in.

    Args:
        weight_decay: Factor of the L2 regularization loss of the weights.
    """
    with (
        arg_scope(
            [conv2d, fully_connected],
            activation_fn=tf.nn.relu,
            weights_regularizer=l2_regularizer(weight_decay),
            biases_initializer=tf.compat.v1.zeros_initializer(),
        ),
        arg_scope([conv2d], padding="SAME") as scope,
    ):
        return scope


@network(image_size=224, arg_scope=vgg_arg_scope)
def vgg_a(
    inputs: tf.Tensor,
    num_classes: int | None = 1000,
    is_training: bool = True,
    dropout_keep_prob: float = 0.5,
    spatial_squeeze: bool = True,
    reuse: bool | None = None,
    scope: str = "vgg_a",
    fc_conv_padding: str = "VALID",
    global_pool: bool = False,
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """Turns images into logits with 11 layers. Arguments and results are those of `vgg_16`."""
    return _vgg(
        "vgg_a",
        inputs,
        scope,
        reuse,
        fc_conv_padding,
        num_classes=num_classes,
        is_training=is_training,
        dropout_keep_prob=dropout_keep_prob,
        spatial_squeeze=spatial_squeeze,
        global_pool=global_pool,
    )


@network(image_size=224, arg_scope=vgg_arg_scope)
def vgg_16(
    inputs: tf.Tensor,
    num_classes: int | None = 1000,
    is_training: bool = True,
    dropout_keep_prob: float = 0.5,
    spatial_squeeze: bool = True,
    reuse: bool | None = None,
    scope: str = "vgg_16",
    fc_conv_padding: str = "VALID",
    global_pool: bool = False,
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """Turns images into logits with 16 layers.

    Args:
        inputs: Images [batch, height, width, channels]; 224x224 in the paper, and at least that,
            or 32x32 with `fc_conv_padding="SAME"`.
        num_classes: Number of classes; 0 or None returns the features of `fc7` instead.
        is_training: Whether dropout is on.
        dropout_keep_prob: The share of features that dropout keeps.
        spatial_squeeze: Whether logits [batch, 1, 1, classes] become [batch, classes]. Set it to
            False for a map of logits over a larger image.
        reuse: Whether the variables exist already.
        scope: Name of the variables' scope.
        fc_conv_padding: Padding of `fc6`: "SAME" gives a map of logits 32 times smaller than the
            image, of any size.
        global_pool: Whether features are averaged over positions before the classifier, so that
            images larger than 224x224 give one vector of logits each.

    Returns:
        The logits [batch, num_classes], and the end points: `vgg_16/conv1/conv1_1` and so on, one
        for each layer with its full name.

    Raises:
        InputError: `num_classes` is negative.
        ShapeError: The images are too small; or too large to squeeze.
    """
    return _vgg(
        "vgg_16",
        inputs,
        scope,
        reuse,
        fc_conv_padding,
        num_classes=num_classes,
        is_training=is_training,
        dropout_keep_prob=dropout_keep_prob,
        spatial_squeeze=spatial_squeeze,
        global_pool=global_pool,
    )


@network(image_size=224, arg_scope=vgg_arg_scope)
def vgg_19(
    inputs: tf.Tensor,
    num_classes: int | None = 1000,
    is_training: bool = True,
    dropout_keep_prob: float = 0.5,
    spatial_squeeze: bool = True,
    reuse: bool | None = None,
    scope: str = "vgg_19",
    fc_conv_padding: str = "VALID",
    global_pool: bool = False,
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """Turns images into logits with 19 layers. Arguments and results are those of `vgg_16`."""
    return _vgg(
        "vgg_19",
        inputs,
        scope,
        reuse,
        fc_conv_padding,
        num_classes=num_classes,
        is_training=is_training,
        dropout_keep_prob=dropout_keep_prob,
        spatial_squeeze=spatial_squeeze,
        global_pool=global_pool,
    )


def _vgg(
    name: str,
    inputs: tf.Tensor,
    scope: str,
    reuse: bool | None,
    fc_conv_padding: str,
    num_classes: int | None,
    **head: Any,
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    check_classes(name, num_classes)
    check_size(name, inputs, smallest=224 if fc_conv_padding == "VALID" else 32)
    with tf.compat.v1.variable_scope(scope, name, [inputs], reuse=reuse) as sc:
        collection = sc.original_name_scope + "_end_points"
        with arg_scope([conv2d, max_pool2d], outputs_collections=[collection]):
            net = inputs
            for stage, (depth, width) in enumerate(zip(DEPTHS[name], WIDTHS, strict=True), start=1):
                net = repeat(net, depth, conv2d, width, [3, 3], scope=f"conv{stage}")
                net = max_pool2d(net, [2, 2], scope=f"pool{stage}")
            return dense_head(
                net,
                sc,
                collection,
                kernel_size=[7, 7],
                widths=[4096, 4096],
                num_classes=num_classes,
                padding=fc_conv_padding,
                **head,
            )


vgg_d = vgg_16
vgg_e = vgg_19
