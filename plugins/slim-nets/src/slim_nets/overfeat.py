"""OverFeat, the fast model.

Paper: Sermanet et al., "OverFeat: Integrated Recognition, Localization and Detection using
Convolutional Networks", 2013, arXiv:1312.6229, table 1.

`overfeat` is the whole network; `overfeat_arg_scope` holds its padding and weight decay.
"""

import tensorflow as tf
from slim_layers import conv2d, fully_connected, l2_regularizer, max_pool2d

from slim_nets._checks import check_classes, check_size
from slim_nets._dense_heads import dense_head
from slim_nets._network import network
from slimcore import Scope, arg_scope


def overfeat_arg_scope(weight_decay: float = 0.0005) -> Scope:
    """Returns the scope that `overfeat` is built in.

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
        arg_scope([conv2d], padding="SAME"),
        arg_scope([max_pool2d], padding="VALID") as scope,
    ):
        return scope


@network(image_size=231, arg_scope=overfeat_arg_scope)
def overfeat(
    inputs: tf.Tensor,
    num_classes: int | None = 1000,
    is_training: bool = True,
    dropout_keep_prob: float = 0.5,
    spatial_squeeze: bool = True,
    scope: str = "overfeat",
    global_pool: bool = False,
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """Turns images into logits.

    Args:
        inputs: Images [batch, height, width, channels], at least 231x231, the size in the paper.
        num_classes: Number of classes; 0 or None returns the features of `fc7` instead.
        is_training: Whether dropout is on.
        dropout_keep_prob: The share of features that dropout keeps.
        spatial_squeeze: Whether logits [batch, 1, 1, classes] become [batch, classes]. Set it to
            False for a map of logits over a larger image.
        scope: Name of the variables' scope.
        global_pool: Whether features are averaged over positions before the classifier, so that
            images larger than 231x231 give one vector of logits each.

    Returns:
        The logits [batch, num_classes], and the end points: `overfeat/conv1` and so on, one for
        each layer with its full name.

    Raises:
        InputError: `num_classes` is negative.
        ShapeError: The images are too small; or too large to squeeze.
    """
    check_classes("overfeat", num_classes)
    check_size("overfeat", inputs, smallest=231)
    v1 = tf.compat.v1
    with v1.variable_scope(scope, "overfeat", [inputs]) as sc:
        collection = sc.original_name_scope + "_end_points"
        with arg_scope([conv2d, max_pool2d], outputs_collections=[collection]):
            net = conv2d(inputs, 64, [11, 11], 4, padding="VALID", scope="conv1")
            net = max_pool2d(net, [2, 2], scope="pool1")
            net = conv2d(net, 256, [5, 5], padding="VALID", scope="conv2")
            net = max_pool2d(net, [2, 2], scope="pool2")
            net = conv2d(net, 512, [3, 3], scope="conv3")
            net = conv2d(net, 1024, [3, 3], scope="conv4")
            net = conv2d(net, 1024, [3, 3], scope="conv5")
            net = max_pool2d(net, [2, 2], scope="pool5")
            with arg_scope(
                [conv2d],
                weights_initializer=v1.truncated_normal_initializer(stddev=0.005),
                biases_initializer=v1.constant_initializer(0.1),
            ):
                return dense_head(
                    net,
                    sc,
                    collection,
                    kernel_size=[6, 6],
                    widths=[3072, 4096],
                    num_classes=num_classes,
                    is_training=is_training,
                    dropout_keep_prob=dropout_keep_prob,
                    spatial_squeeze=spatial_squeeze,
                    global_pool=global_pool,
                    biases_initializer=v1.zeros_initializer(),
                )
