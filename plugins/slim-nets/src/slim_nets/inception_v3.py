"""Inception v3: convolutions factorized into smaller and into one-sided ones.

Paper: Szegedy et al., "Rethinking the Inception Architecture for Computer Vision", 2015,
arXiv:1512.00567, table 1: the 35x35 blocks are its figure 5 (`_mixed_5`), the 17x17 blocks its
figure 6 (`_mixed_6`), the 8x8 blocks its figure 7 (`_mixed_7`).

`inception_v3_base` is the table of layers; `inception_v3` adds the two classifiers. `stem` is
shared with Inception v4 and Inception-ResNet v2.
"""

from collections.abc import Callable
from typing import Any

import tensorflow as tf
from slim_layers import avg_pool2d, batch_norm, conv2d, dropout, max_pool2d, softmax

from slim_nets._checks import check_classes, check_multiplier, check_size
from slim_nets._heads import classified, pooled, reduced_kernel_size, squeezed
from slim_nets._network import network
from slim_nets._steps import Step, avg_pool, conv, fork, max_pool, mixed, run
from slim_nets.inception_utils import inception_arg_scope, truncated_normal
from slimcore import arg_scope

Depth = Callable[[int], int]


def inception_v3_base(
    inputs: tf.Tensor,
    final_endpoint: str = "Mixed_7c",
    min_depth: int = 16,
    depth_multiplier: float = 1.0,
    scope: str | None = None,
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """Turns images into a map of features.

    Args:
        inputs: Images [batch, height, width, channels], at least 75x75.
        final_endpoint: Where to stop: `Conv2d_1a_3x3`, `Conv2d_2a_3x3`, ..., `Mixed_7c`.
        min_depth: The least number of channels of a layer.
        depth_multiplier: Factor on the number of channels of every layer.
        scope: Name of the variables' scope.

    Returns:
        The last map, [batch, 8, 8, 2048] for images of 299x299 and `Mixed_7c`, and the end points.

    Raises:
        InputError: There is no end point of this name; the multiplier is not positive.
        ShapeError: The images are too small.
    """
    check_multiplier("inception_v3", depth_multiplier)
    check_size("inception_v3", inputs, smallest=75)

    def depth(channels: int) -> int:
        return max(int(channels * depth_multiplier), min_depth)

    steps = [
        *stem(depth),
        *tail_of_stem(depth),
        _mixed_5("Mixed_5b", depth, projection=32),
        _mixed_5("Mixed_5c", depth, projection=64),
        _mixed_5("Mixed_5d", depth, projection=64),
        _mixed_6a(depth),
        _mixed_6("Mixed_6b", depth, width=128),
        _mixed_6("Mixed_6c", depth, width=160),
        _mixed_6("Mixed_6d", depth, width=160),
        _mixed_6("Mixed_6e", depth, width=192),
        _mixed_7a(depth),
        _mixed_7("Mixed_7b", depth),
        _mixed_7("Mixed_7c", depth),
    ]
    with (
        tf.compat.v1.variable_scope(scope, "InceptionV3", [inputs]),
        arg_scope([conv2d, max_pool2d, avg_pool2d], stride=1, padding="SAME"),
    ):
        return run("inception_v3", inputs, steps, final_endpoint)


def stem(depth: Depth = int, padding: str = "VALID") -> list[Step]:
    """Returns the first three convolutions of Inception v3, v4 and Inception-ResNet v2."""
    return [
        conv("Conv2d_1a_3x3", depth(32), stride=2, padding=padding),
        conv("Conv2d_2a_3x3", depth(32), padding=padding),
        conv("Conv2d_2b_3x3", depth(64), padding="SAME"),
    ]


def tail_of_stem(depth: Depth = int, padding: str = "VALID") -> list[Step]:
    """Returns what follows the stem in Inception v3 and Inception-ResNet v2, up to 35x35."""
    return [
        max_pool("MaxPool_3a_3x3", stride=2, padding=padding),
        conv("Conv2d_3b_1x1", depth(80), padding=padding),
        conv("Conv2d_4a_3x3", depth(192), padding=padding),
        max_pool("MaxPool_5a_3x3", stride=2, padding=padding),
    ]


def _mixed_5(name: str, depth: Depth, projection: int) -> Step:
    # Two slips in the names of Mixed_5c, which the published checkpoints keep.
    reduce, cover = "Conv2d_0a_1x1", "Conv2d_0b_5x5"
    if name == "Mixed_5c":
        reduce, cover = "Conv2d_0b_1x1", "Conv_1_0c_5x5"
    return mixed(
        name,
        [conv("Conv2d_0a_1x1", depth(64))],
        [conv(reduce, depth(48)), conv(cover, depth(64))],
        [
            conv("Conv2d_0a_1x1", depth(64)),
            conv("Conv2d_0b_3x3", depth(96)),
            conv("Conv2d_0c_3x3", depth(96)),
        ],
        [avg_pool("AvgPool_0a_3x3"), conv("Conv2d_0b_1x1", depth(projection))],
    )


def _mixed_6a(depth: Depth) -> Step:
    halve: dict[str, Any] = {"stride": 2, "padding": "VALID"}
    return mixed(
        "Mixed_6a",
        [conv("Conv2d_1a_1x1", depth(384), [3, 3], **halve)],
        [
            conv("Conv2d_0a_1x1", depth(64)),
            conv("Conv2d_0b_3x3", depth(96)),
            conv("Conv2d_1a_1x1", depth(96), [3, 3], **halve),
        ],
        [max_pool("MaxPool_1a_3x3", **halve)],
    )


def _mixed_6(name: str, depth: Depth, width: int) -> Step:
    return mixed(
        name,
        [conv("Conv2d_0a_1x1", depth(192))],
        [
            conv("Conv2d_0a_1x1", depth(width)),
            conv("Conv2d_0b_1x7", depth(width)),
            conv("Conv2d_0c_7x1", depth(192)),
        ],
        [
            conv("Conv2d_0a_1x1", depth(width)),
            conv("Conv2d_0b_7x1", depth(width)),
            conv("Conv2d_0c_1x7", depth(width)),
            conv("Conv2d_0d_7x1", depth(width)),
            conv("Conv2d_0e_1x7", depth(192)),
        ],
        [avg_pool("AvgPool_0a_3x3"), conv("Conv2d_0b_1x1", depth(192))],
    )


def _mixed_7a(depth: Depth) -> Step:
    halve: dict[str, Any] = {"stride": 2, "padding": "VALID"}
    return mixed(
        "Mixed_7a",
        [conv("Conv2d_0a_1x1", depth(192)), conv("Conv2d_1a_3x3", depth(320), **halve)],
        [
            conv("Conv2d_0a_1x1", depth(192)),
            conv("Conv2d_0b_1x7", depth(192)),
            conv("Conv2d_0c_7x1", depth(192)),
            conv("Conv2d_1a_3x3", depth(192), **halve),
        ],
        [max_pool("MaxPool_1a_3x3", **halve)],
    )


def _mixed_7(name: str, depth: Depth) -> Step:
    column = "Conv2d_0b_3x1" if name == "Mixed_7b" else "Conv2d_0c_3x1"
    return mixed(
        name,
        [conv("Conv2d_0a_1x1", depth(320))],
        [
            conv("Conv2d_0a_1x1", depth(384)),
            fork(conv("Conv2d_0b_1x3", depth(384)), conv(column, depth(384))),
        ],
        [
            conv("Conv2d_0a_1x1", depth(448)),
            conv("Conv2d_0b_3x3", depth(384)),
            fork(conv("Conv2d_0c_1x3", depth(384)), conv("Conv2d_0d_3x1", depth(384))),
        ],
        [avg_pool("AvgPool_0a_3x3"), conv("Conv2d_0b_1x1", depth(192))],
    )


inception_v3_arg_scope = inception_arg_scope


@network(image_size=299, arg_scope=inception_v3_arg_scope)
def inception_v3(
    inputs: tf.Tensor,
    num_classes: int | None = 1000,
    is_training: bool = True,
    dropout_keep_prob: float = 0.8,
    min_depth: int = 16,
    depth_multiplier: float = 1.0,
    prediction_fn: Callable[..., tf.Tensor] = softmax,
    spatial_squeeze: bool = True,
    reuse: bool | None = None,
    create_aux_logits: bool = True,
    scope: str = "InceptionV3",
    global_pool: bool = False,
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """Turns images into logits.

    Args:
        inputs: Images [batch, height, width, channels]; 299x299 in the paper, and at least
            107x107, or 75x75 without the auxiliary classifier.
        num_classes: Number of classes; 0 or None returns the pooled features instead.
        is_training: Whether dropout is on and batch normalization uses the batch.
        dropout_keep_prob: The share of features that dropout keeps.
        min_depth: The least number of channels of a layer.
        depth_multiplier: Factor on the number of channels of every layer.
        prediction_fn: Makes predictions of the logits.
        spatial_squeeze: Whether logits [batch, 1, 1, classes] become [batch, classes].
        reuse: Whether the variables exist already.
        create_aux_logits: Whether there is a second classifier, after `Mixed_6e`.
        scope: Name of the variables' scope.
        global_pool: Whether the last map is averaged over all positions, for larger images;
            otherwise over windows of 8x8.

    Returns:
        The logits [batch, num_classes], and the end points: those of `inception_v3_base`,
        `AuxLogits`, `AvgPool_1a` or `global_pool`, `PreLogits`, `Logits` and `Predictions`.

    Raises:
        InputError: `num_classes` is negative, or `depth_multiplier` is not positive.
        ShapeError: The images are too small; or too large to squeeze.
    """
    check_classes("inception_v3", num_classes)
    with_aux = create_aux_logits and num_classes
    check_size("inception_v3", inputs, smallest=107 if with_aux else 75)
    with (
        tf.compat.v1.variable_scope(scope, "InceptionV3", [inputs], reuse=reuse) as scope,
        arg_scope([batch_norm, dropout], is_training=is_training),
    ):
        net, ends = inception_v3_base(
            inputs, min_depth=min_depth, depth_multiplier=depth_multiplier, scope=scope
        )
        if create_aux_logits and num_classes:
            widths = [max(int(d * depth_multiplier), min_depth) for d in (128, 768)]
            ends["AuxLogits"] = _aux_logits(ends["Mixed_6e"], num_classes, widths, spatial_squeeze)
        with tf.compat.v1.variable_scope("Logits"):
            net = pooled(net, ends, global_pool, "AvgPool_1a_8x8", "AvgPool_1a")
            if not num_classes:
                return net, ends
            net = dropout(net, dropout_keep_prob, scope="Dropout_1b")
            ends["PreLogits"] = net
            logits = classified(
                net, ends, num_classes, prediction_fn, spatial_squeeze, "Conv2d_1c_1x1"
            )
    return logits, ends


def _aux_logits(
    net: tf.Tensor, num_classes: int, widths: list[int], spatial_squeeze: bool
) -> tf.Tensor:
    with (
        tf.compat.v1.variable_scope("AuxLogits"),
        arg_scope([conv2d, avg_pool2d], stride=1, padding="SAME"),
    ):
        net = avg_pool2d(net, [5, 5], stride=3, padding="VALID", scope="AvgPool_1a_5x5")
        net = conv2d(net, widths[0], [1, 1], scope="Conv2d_1b_1x1")
        kernel = reduced_kernel_size(net, [5, 5])
        net = conv2d(
            net,
            widths[1],
            kernel,
            weights_initializer=truncated_normal(0.01),
            padding="VALID",
            scope=f"Conv2d_2a_{kernel[0]}x{kernel[1]}",
        )
        logits = conv2d(
            net,
            num_classes,
            [1, 1],
            activation_fn=None,
            normalizer_fn=None,
            weights_initializer=truncated_normal(0.001),
            scope="Conv2d_2b_1x1",
        )
        return squeezed(logits, "SpatialSqueeze") if spatial_squeeze else logits
