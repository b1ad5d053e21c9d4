"""CifarNet, for the 32x32 images of CIFAR-10.

The network of cuda-convnet (Krizhevsky, 2011), by way of TensorFlow's CIFAR-10 tutorial: two
convolutions with local response normalization, and two fully connected layers.

`cifarnet` is the whole network; `cifarnet_arg_scope` holds its initializers and weight decay.
"""

from collections.abc import Callable

import tensorflow as tf
from slim_layers import (
    conv2d,
    dropout,
    flatten,
    fully_connected,
    l2_regularizer,
    max_pool2d,
    softmax,
)

from slim_nets._checks import check_classes, check_size
from slim_nets._network import network
from slimcore import Scope, arg_scope


def cifarnet_arg_scope(weight_decay: float = 0.004) -> Scope:
    """Returns the scope that `cifarnet` is built in.

    Args:
        weight_decay: Factor of the L2 regularization loss of the fully connected weights.
    """
    v1 = tf.compat.v1
    with (
        arg_scope(
            [conv2d],
            weights_initializer=v1.truncated_normal_initializer(stddev=5e-2),
            activation_fn=tf.nn.relu,
        ),
        arg_scope(
            [fully_connected],
            biases_initializer=v1.constant_initializer(0.1),
            weights_initializer=v1.truncated_normal_initializer(stddev=0.04),
            weights_regularizer=l2_regularizer(weight_decay),
            activation_fn=tf.nn.relu,
        ) as scope,
    ):
        return scope


@network(image_size=32, arg_scope=cifarnet_arg_scope)
def cifarnet(
    images: tf.Tensor,
    num_classes: int | None = 10,
    is_training: bool = False,
    dropout_keep_prob: float = 0.5,
    prediction_fn: Callable[..., tf.Tensor] = softmax,
    scope: str = "CifarNet",
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """Turns small images into logits.

    Args:
        images: Images [batch, height, width, channels], at least 4x4; 32x32 in CIFAR-10.
        num_classes: Number of classes; 0 or None returns the features of `fc4` instead.
        is_training: Whether dropout is on.
        dropout_keep_prob: The share of features that dropout keeps.
        prediction_fn: Makes predictions of the logits.
        scope: Name of the variables' scope.

    Returns:
        The logits [batch, num_classes], and the end points: `conv1`, `pool1`, `conv2`, `pool2`,
        `Flatten`, `fc3`, `fc4`, `Logits` and `Predictions`.

    Raises:
        InputError: `num_classes` is negative.
        ShapeError: The images are too small.
    """
    check_classes("cifarnet", num_classes)
    check_size("cifarnet", images, smallest=4)
    ends = {}
    with tf.compat.v1.variable_scope(scope, "CifarNet", [images]):
        net = ends["conv1"] = conv2d(images, 64, [5, 5], scope="conv1")
        net = ends["pool1"] = max_pool2d(net, [2, 2], 2, scope="pool1")
        net = _normalized(net, "norm1")
        net = ends["conv2"] = conv2d(net, 64, [5, 5], scope="conv2")
        net = _normalized(net, "norm2")
        net = ends["pool2"] = max_pool2d(net, [2, 2], 2, scope="pool2")
        net = ends["Flatten"] = flatten(net)
        net = ends["fc3"] = fully_connected(net, 384, scope="fc3")
        net = dropout(net, dropout_keep_prob, is_training=is_training, scope="dropout3")
        net = ends["fc4"] = fully_connected(net, 192, scope="fc4")
        if not num_classes:
            return net, ends
        logits = ends["Logits"] = fully_connected(
            net,
            num_classes,
            biases_initializer=tf.compat.v1.zeros_initializer(),
            weights_initializer=tf.compat.v1.truncated_normal_initializer(stddev=1 / 192.0),
            weights_regularizer=None,
            activation_fn=None,
            scope="logits",
        )
        ends["Predictions"] = prediction_fn(logits, scope="Predictions")
    return logits, ends


def _normalized(net: tf.Tensor, name: str) -> tf.Tensor:
    return tf.nn.lrn(net, 4, bias=1.0, alpha=0.001 / 9.0, beta=0.75, name=name)
