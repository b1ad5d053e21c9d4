"""Inception v4: one block for each size of the map, repeated.

Paper: Szegedy et al., "Inception-v4, Inception-ResNet and the Impact of Residual Connections on
Learning", 2016, arXiv:1602.07261: the stem is its figure 3, `block_inception_a` to `_c` are
figures 4 to 6, `block_reduction_a` and `_b` are figures 7 (k=192, l=224, m=256, n=384) and 8.

`inception_v4_base` is the table of layers; `inception_v4` adds the two classifiers.
"""

from typing import Any

import tensorflow as tf
from slim_layers import avg_pool2d, batch_norm, conv2d, dropout, max_pool2d

from slim_nets._checks import check_classes, check_size
from slim_nets._network import network
from slim_nets._steps import Step, avg_pool, branch_outputs, conv, fork, max_pool, mixed, run
from slim_nets.inception_utils import flat_aux_head, flat_head, inception_arg_scope
from slim_nets.inception_v3 import stem
from slimcore import arg_scope

HALVE: dict[str, Any] = {"stride": 2, "padding": "VALID"}

STEM = [
    *stem(),
    mixed("Mixed_3a", [max_pool("MaxPool_0a_3x3", **HALVE)], [conv("Conv2d_0a_3x3", 96, **HALVE)]),
    mixed(
        "Mixed_4a",
        [conv("Conv2d_0a_1x1", 64), conv("Conv2d_1a_3x3", 96, padding="VALID")],
        [
            conv("Conv2d_0a_1x1", 64),
            conv("Conv2d_0b_1x7", 64),
            conv("Conv2d_0c_7x1", 64),
            conv("Conv2d_1a_3x3", 96, padding="VALID"),
        ],
    ),
    mixed("Mixed_5a", [conv("Conv2d_1a_3x3", 192, **HALVE)], [max_pool("MaxPool_1a_3x3", **HALVE)]),
]
INCEPTION_A = [
    [conv("Conv2d_0a_1x1", 96)],
    [conv("Conv2d_0a_1x1", 64), conv("Conv2d_0b_3x3", 96)],
    [conv("Conv2d_0a_1x1", 64), conv("Conv2d_0b_3x3", 96), conv("Conv2d_0c_3x3", 96)],
    [avg_pool("AvgPool_0a_3x3"), conv("Conv2d_0b_1x1", 96)],
]
REDUCTION_A = [
    [conv("Conv2d_1a_3x3", 384, **HALVE)],
    [
        conv("Conv2d_0a_1x1", 192),
        conv("Conv2d_0b_3x3", 224),
        conv("Conv2d_1a_3x3", 256, **HALVE),
    ],
    [max_pool("MaxPool_1a_3x3", **HALVE)],
]
INCEPTION_B = [
    [conv("Conv2d_0a_1x1", 384)],
    [conv("Conv2d_0a_1x1", 192), conv("Conv2d_0b_1x7", 224), conv("Conv2d_0c_7x1", 256)],
    [
        conv("Conv2d_0a_1x1", 192),
        conv("Conv2d_0b_7x1", 192),
        conv("Conv2d_0c_1x7", 224),
        conv("Conv2d_0d_7x1", 224),
        conv("Conv2d_0e_1x7", 256),
    ],
    [avg_pool("AvgPool_0a_3x3"), conv("Conv2d_0b_1x1", 128)],
]
REDUCTION_B = [
    [conv("Conv2d_0a_1x1", 192), conv("Conv2d_1a_3x3", 192, **HALVE)],
    [
        conv("Conv2d_0a_1x1", 256),
        conv("Conv2d_0b_1x7", 256),
        conv("Conv2d_0c_7x1", 320),
        conv("Conv2d_1a_3x3", 320, **HALVE),
    ],
    [max_pool("MaxPool_1a_3x3", **HALVE)],
]
INCEPTION_C = [
    [conv("Conv2d_0a_1x1", 256)],
    [
        conv("Conv2d_0a_1x1", 384),
        fork(conv("Conv2d_0b_1x3", 256), conv("Conv2d_0c_3x1", 256)),
    ],
    [
        conv("Conv2d_0a_1x1", 384),
        conv("Conv2d_0b_3x1", 448),
        conv("Conv2d_0c_1x3", 512),
        fork(conv("Conv2d_0d_1x3", 256), conv("Conv2d_0e_3x1", 256)),
    ],
    [avg_pool("AvgPool_0a_3x3"), conv("Conv2d_0b_1x1", 256)],
]


def block_inception_a(
    inputs: tf.Tensor, scope: str | None = None, reuse: bool | None = None
) -> tf.Tensor:
    """Turns a 35x35 map into one of 384 channels (figure 4)."""
    return _block(inputs, INCEPTION_A, "BlockInceptionA", scope, reuse)


def block_reduction_a(
    inputs: tf.Tensor, scope: str | None = None, reuse: bool | None = None
) -> tf.Tensor:
    """Turns a 35x35 map of 384 channels into a 17x17 map of 1024 (figure 7)."""
    return _block(inputs, REDUCTION_A, "BlockReductionA", scope, reuse)


def block_inception_b(
    inputs: tf.Tensor, scope: str | None = None, reuse: bool | None = None
) -> tf.Tensor:
    """Turns a 17x17 map into one of 1024 channels (figure 5)."""
    return _block(inputs, INCEPTION_B, "BlockInceptionB", scope, reuse)


def block_reduction_b(
    inputs: tf.Tensor, scope: str | None = None, reuse: bool | None = None
) -> tf.Tensor:
    """Turns a 17x17 map of 1024 channels into an 8x8 map of 1536 (figure 8)."""
    return _block(inputs, REDUCTION_B, "BlockReductionB", scope, reuse)


def block_inception_c(
    inputs: tf.Tensor, scope: str | None = None, reuse: bool | None = None
) -> tf.Tensor:
    """Turns an 8x8 map into one of 1536 channels (figure 6)."""
    return _block(inputs, INCEPTION_C, "BlockInceptionC", scope, reuse)


def _block(
    inputs: tf.Tensor,
    branches: list[list[Step]],
    default_scope: str,
    scope: str | None,
    reuse: bool | None,
) -> tf.Tensor:
    with (
        arg_scope([conv2d, max_pool2d, avg_pool2d], stride=1, padding="SAME"),
        tf.compat.v1.variable_scope(scope, default_scope, [inputs], reuse=reuse),
    ):
        return tf.concat(branch_outputs(inputs, branches), -1)


def inception_v4_base(
    inputs: tf.Tensor, final_endpoint: str = "Mixed_7d", scope: str | None = None
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """Turns images into a map of features.

    Args:
        inputs: Images [batch, height, width, channels], at least 75x75.
        final_endpoint: Where to stop: `Conv2d_1a_3x3`, `Conv2d_2a_3x3`, ..., `Mixed_7d`.
        scope: Name of the variables' scope.

    Returns:
        The last map, [batch, 8, 8, 1536] for images of 299x299 and `Mixed_7d`, and the end points.

    Raises:
        InputError: There is no end point of this name.
        ShapeError: The images are too small.
    """
    check_size("inception_v4", inputs, smallest=75)
    steps = [
        *STEM,
        *(mixed(f"Mixed_5{letter}", *INCEPTION_A) for letter in "bcde"),
        mixed("Mixed_6a", *REDUCTION_A),
        *(mixed(f"Mixed_6{letter}", *INCEPTION_B) for letter in "bcdefgh"),
        mixed("Mixed_7a", *REDUCTION_B),
        *(mixed(f"Mixed_7{letter}", *INCEPTION_C) for letter in "bcd"),
    ]
    with (
        tf.compat.v1.variable_scope(scope, "InceptionV4", [inputs]),
        arg_scope([conv2d, max_pool2d, avg_pool2d], stride=1, padding="SAME"),
    ):
        return run("inception_v4", inputs, steps, final_endpoint)


inception_v4_arg_scope = inception_arg_scope


@network(image_size=299, arg_scope=inception_v4_arg_scope)
def inception_v4(
    inputs: tf.Tensor,
    num_classes: int | None = 1001,
    is_training: bool = True,
    dropout_keep_prob: float = 0.8,
    reuse: bool | None = None,
    scope: str = "InceptionV4",
    create_aux_logits: bool = True,
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """Turns images into logits.

    Args:
        inputs: Images [batch, height, width, channels]; 299x299 in the paper, and at least
            107x107, or 75x75 without the auxiliary classifier.
        num_classes: Number of classes; 0 or None returns the pooled features instead.
        is_training: Whether dropout is on and batch normalization uses the batch.
        dropout_keep_prob: The share of features that dropout keeps.
        reuse: Whether the variables exist already.
        scope: Name of the variables' scope.
        create_aux_logits: Whether there is a second classifier, after `Mixed_6h`.

    Returns:
        The logits [batch, num_classes], and the end points: those of `inception_v4_base`,
        `AuxLogits`, `global_pool`, `PreLogitsFlatten`, `Logits` and `Predictions`.

    Raises:
        InputError: `num_classes` is negative.
        ShapeError: The images are too small.
    """
    check_classes("inception_v4", num_classes)
    with_aux = create_aux_logits and num_classes
    check_size("inception_v4", inputs, smallest=107 if with_aux else 75)
    with (
        tf.compat.v1.variable_scope(scope, "InceptionV4", [inputs], reuse=reuse) as scope,
        arg_scope([batch_norm, dropout], is_training=is_training),
    ):
        net, ends = inception_v4_base(inputs, scope=scope)
        with arg_scope([conv2d, max_pool2d, avg_pool2d], stride=1, padding="SAME"):
            if create_aux_logits and num_classes:
                scopes = ("AvgPool_1a_5x5", "Conv2d_1b_1x1", "Conv2d_2a", "Aux_logits")
                ends["AuxLogits"] = flat_aux_head(ends["Mixed_6h"], num_classes, scopes)
            net = flat_head(net, ends, num_classes, dropout_keep_prob, "AvgPool_1a")
    return net, ends
