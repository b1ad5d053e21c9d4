"""Inception v1 (GoogLeNet), with batch normalization and without the auxiliary classifiers.

Paper: Szegedy et al., "Going Deeper with Convolutions", 2014, arXiv:1409.4842: `WIDTHS` is the
right half of its table 1.

`inception_v1_base` is the table of layers; `inception_v1` adds the classifier.
"""

from collections.abc import Callable

import tensorflow as tf
from slim_layers import batch_norm, conv2d, dropout, fully_connected, max_pool2d, softmax

from slim_nets._checks import check_classes, check_size
from slim_nets._heads import classified, pooled
from slim_nets._network import network
from slim_nets._steps import Step, conv, max_pool, mixed, run
from slim_nets.inception_utils import inception_arg_scope, truncated_normal
from slimcore import arg_scope

# Outputs of 1x1 | 1x1 before 3x3, 3x3 | 1x1 before "5x5", "5x5" | 1x1 after the pool. As in the
# published checkpoints, the convolution called 5x5 in the paper is one of 3x3.
WIDTHS = {
    "Mixed_3b": (64, 96, 128, 16, 32, 32),
    "Mixed_3c": (128, 128, 192, 32, 96, 64),
    "Mixed_4b": (192, 96, 208, 16, 48, 64),
    "Mixed_4c": (160, 112, 224, 24, 64, 64),
    "Mixed_4d": (128, 128, 256, 24, 64, 64),
    "Mixed_4e": (112, 144, 288, 32, 64, 64),
    "Mixed_4f": (256, 160, 320, 32, 128, 128),
    "Mixed_5b": (256, 160, 320, 32, 128, 128),
    "Mixed_5c": (384, 192, 384, 48, 128, 128),
}


def _mixed(name: str) -> Step:
    one, three_in, three, five_in, five, pool = WIDTHS[name]
    # A slip in one name, which the published checkpoints keep.
    last = "Conv2d_0a_3x3" if name == "Mixed_5b" else "Conv2d_0b_3x3"
    return mixed(
        name,
        [conv("Conv2d_0a_1x1", one)],
        [conv("Conv2d_0a_1x1", three_in), conv("Conv2d_0b_3x3", three)],
        [conv("Conv2d_0a_1x1", five_in), conv(last, five)],
        [max_pool("MaxPool_0a_3x3"), conv("Conv2d_0b_1x1", pool)],
    )


ROOT = [
    conv("Conv2d_1a_7x7", 64, stride=2),
    max_pool("MaxPool_2a_3x3", stride=2),
    conv("Conv2d_2b_1x1", 64),
    conv("Conv2d_2c_3x3", 192),
    max_pool("MaxPool_3a_3x3", stride=2),
]
BODY = [
    *map(_mixed, ["Mixed_3b", "Mixed_3c"]),
    max_pool("MaxPool_4a_3x3", stride=2),
    *map(_mixed, ["Mixed_4b", "Mixed_4c", "Mixed_4d", "Mixed_4e", "Mixed_4f"]),
    max_pool("MaxPool_5a_2x2", stride=2),
    *map(_mixed, ["Mixed_5b", "Mixed_5c"]),
]


def inception_v1_base(
    inputs: tf.Tensor,
    final_endpoint: str = "Mixed_5c",
    include_root_block: bool = True,
    scope: str = "InceptionV1",
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """Turns images into a map of features.

    Args:
        inputs: Images [batch, height, width, channels].
        final_endpoint: Where to stop: `Conv2d_1a_7x7`, `MaxPool_2a_3x3`, ..., `Mixed_5c`.
        include_root_block: Whether the layers before `Mixed_3b` are there.
        scope: Name of the variables' scope.

    Returns:
        The last map, [batch, height / 32, width / 32, 1024] for `Mixed_5c`, and the end points.

    Raises:
        InputError: There is no end point of this name.
    """
    with (
        tf.compat.v1.variable_scope(scope, "InceptionV1", [inputs]),
        arg_scope([conv2d, fully_connected], weights_initializer=truncated_normal(0.01)),
        arg_scope([conv2d, max_pool2d], stride=1, padding="SAME"),
    ):
        steps = [*ROOT, *BODY] if include_root_block else BODY
        return run("inception_v1", inputs, steps, final_endpoint)


inception_v1_arg_scope = inception_arg_scope


@network(image_size=224, arg_scope=inception_v1_arg_scope)
def inception_v1(
    inputs: tf.Tensor,
    num_classes: int | None = 1000,
    is_training: bool = True,
    dropout_keep_prob: float = 0.8,
    prediction_fn: Callable[..., tf.Tensor] = softmax,
    spatial_squeeze: bool = True,
    reuse: bool | None = None,
    scope: str = "InceptionV1",
    global_pool: bool = False,
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """Turns images into logits.

    Args:
        inputs: Images [batch, height, width, channels]; 224x224 in the paper.
        num_classes: Number of classes; 0 or None returns the pooled features instead.
        is_training: Whether dropout is on and batch normalization uses the batch.
        dropout_keep_prob: The share of features that dropout keeps.
        prediction_fn: Makes predictions of the logits.
        spatial_squeeze: Whether logits [batch, 1, 1, classes] become [batch, classes].
        reuse: Whether the variables exist already.
        scope: Name of the variables' scope.
        global_pool: Whether the last map is averaged over all positions, for larger images;
            otherwise over windows of 7x7.

    Returns:
        The logits [batch, num_classes], and the end points: those of `inception_v1_base`,
        `AvgPool_0a_7x7` or `global_pool`, `Logits` and `Predictions`.

    Raises:
        InputError: `num_classes` is negative.
        ShapeError: The images are too large to squeeze.
    """
    check_classes("inception_v1", num_classes)
    check_size("inception_v1", inputs, smallest=1)
    with (
        tf.compat.v1.variable_scope(scope, "InceptionV1", [inputs], reuse=reuse) as scope,
        arg_scope([batch_norm, dropout], is_training=is_training),
    ):
        net, ends = inception_v1_base(inputs, scope=scope)
        with tf.compat.v1.variable_scope("Logits"):
            net = pooled(net, ends, global_pool, "AvgPool_0a_7x7", "AvgPool_0a_7x7", stride=1)
            if not num_classes:
                return net, ends
            net = dropout(net, dropout_keep_prob, scope="Dropout_0b")
            logits = classified(
                net, ends, num_classes, prediction_fn, spatial_squeeze, "Conv2d_0c_1x1"
            )
    return logits, ends
