"""LeNet, for the 28x28 images of handwritten digits.

Paper: LeCun et al., "Gradient-Based Learning Applied to Document Recognition", 1998. The variant
here has rectified linear units, max pooling and dropout, as TensorFlow's MNIST tutorial had.

`lenet` is the whole network; `lenet_arg_scope` holds its initializer and weight decay.
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


def lenet_arg_scope(weight_decay: float = 0.0) -> Scope:
    """Returns the scope that `lenet` is built in.

    Args:
        weight_decay: Factor of the L2 regularization loss of the weights.
    """
    with arg_scope(
        [conv2d, fully_connected],
        weights_regularizer=l2_regularizer(weight_decay),
        weights_initializer=tf.compat.v1.truncated_normal_initializer(stddev=0.1),
        activation_fn=tf.nn.relu,
    ) as scope:
        return scope


@network(image_size=28, arg_scope=lenet_arg_scope)
def lenet(
    images: tf.Tensor,
    num_classes: int | None = 10,
    is_training: bool = False,
    dropout_keep_prob: float = 0.5,
    prediction_fn: Callable[..., tf.Tensor] = softmax,
    scope: str = "LeNet",
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """Turns images of digits into logits.

    Args:
        images: Images [batch, height, width, channels], at least 4x4; 28x28 in the paper.
        num_classes: Number of classes; 0 or None returns the features of `fc3` instead.
        is_training: Whether dropout is on.
        dropout_keep_prob: The share of features that dropout keeps.
        prediction_fn: Makes predictions of the logits.
        scope: Name of the variables' scope.

    Returns:
        The logits [batch, num_classes], and the end points: `conv1`, `pool1`, `conv2`, `pool2`,
        `Flatten`, `fc3`, `dropout3`, `Logits` and `Predictions`.

    Raises:
        InputError: `num_classes` is negative.
        ShapeError: The images are too small.
    """
    check_classes("lenet", num_classes)
    check_size("lenet", images, smallest=4)
    ends = {}
    with tf.compat.v1.variable_scope(scope, "LeNet", [images]):
        net = ends["conv1"] = conv2d(images, 32, [5, 5], scope="conv1")
        net = ends["pool1"] = max_pool2d(net, [2, 2], 2, scope="pool1")
        net = ends["conv2"] = conv2d(net, 64, [5, 5], scope="conv2")
        net = ends["pool2"] = max_pool2d(net, [2, 2], 2, scope="pool2")
        net = ends["Flatten"] = flatten(net)
        net = ends["fc3"] = fully_connected(net, 1024, scope="fc3")
        if not num_classes:
            return net, ends
        net = ends["dropout3"] = dropout(
            net, dropout_keep_prob, is_training=is_training, scope="dropout3"
        )
        logits = ends["Logits"] = fully_connected(net, num_classes, activation_fn=None, scope="fc4")
        ends["Predictions"] = prediction_fn(logits, scope="Predictions")
    return logits, ends
