"""Inception v2 (BN-Inception): batch normalization, and two 3x3 convolutions in place of a 5x5.

Paper: Ioffe and Szegedy, "Batch Normalization: Accelerating Deep Network Training by Reducing
Internal Covariate Shift", 2015, arXiv:1502.03167: `WIDTHS` and `REDUCTIONS` are its figure 5, with
`Mixed_4a` and `Mixed_5a` at stride 2.

`inception_v2_base` is the table of layers; `inception_v2` adds the classifier.
"""

from collections.abc import Callable

import tensorflow as tf
from slim_layers import (
    avg_pool2d,
    batch_norm,
    conv2d,
    dropout,
    max_pool2d,
    separable_conv2d,
    softmax,
)

from slim_nets._checks import check_classes, check_multiplier, check_size
from slim_nets._heads import classified, pooled
from slim_nets._network import network
from slim_nets._steps import Step, avg_pool, conv, max_pool, mixed, run
from slim_nets.inception_utils import inception_arg_scope, truncated_normal
from slimcore import arg_scope
from slimcore.errors import InputError

# Outputs of 1x1 | 1x1 before 3x3, 3x3 | 1x1 before the double 3x3, each 3x3 | 1x1 after the pool.
WIDTHS = {
    "Mixed_3b": (64, 64, 64, 64, 96, 32),
    "Mixed_3c": (64, 64, 96, 64, 96, 64),
    "Mixed_4b": (224, 64, 96, 96, 128, 128),
    "Mixed_4c": (192, 96, 128, 96, 128, 128),
    "Mixed_4d": (160, 128, 160, 128, 160, 96),
    "Mixed_4e": (96, 128, 192, 160, 192, 96),
    "Mixed_5b": (352, 192, 320, 160, 224, 128),
    "Mixed_5c": (352, 192, 320, 192, 224, 128),
}
# Outputs of 1x1 before 3x3, 3x3 | 1x1 before the double 3x3, each 3x3; a max pool beside them.
REDUCTIONS = {"Mixed_4a": (128, 160, 64, 96), "Mixed_5a": (128, 192, 192, 256)}


def inception_v2_base(
    inputs: tf.Tensor,
    final_endpoint: str = "Mixed_5c",
    min_depth: int = 16,
    depth_multiplier: float = 1.0,
    use_separable_conv: bool = True,
    data_format: str = "NHWC",
    include_root_block: bool = True,
    scope: str | None = None,
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """Turns images into a map of features.

    Args:
        inputs: Images [batch, height, width, channels], or as `data_format` says.
        final_endpoint: Where to stop: `Conv2d_1a_7x7`, `MaxPool_2a_3x3`, ..., `Mixed_5c`.
        min_depth: The least number of channels of a layer.
        depth_multiplier: Factor on the number of channels of every layer.
        use_separable_conv: Whether the first layer is a separable convolution.
        data_format: "NHWC" or "NCHW".
        include_root_block: Whether the layers before `Mixed_3b` are there.
        scope: Name of the variables' scope.

    Returns:
        The last map, [batch, height / 32, width / 32, 1024] for `Mixed_5c`, and the end points.

    Raises:
        InputError: There is no end point of this name; the multiplier is not positive; the data
            format is neither, or NCHW with a separable convolution.
    """
    check_multiplier("inception_v2", depth_multiplier)
    if data_format not in ("NHWC", "NCHW"):
        raise InputError(f"inception_v2 got data_format={data_format!r}; pass 'NHWC' or 'NCHW'")
    if data_format == "NCHW" and use_separable_conv and include_root_block:
        raise InputError(
            "inception_v2 has no separable convolution for data_format='NCHW'; pass "
            "use_separable_conv=False, or 'NHWC'"
        )

    def depth(channels: int) -> int:
        return max(int(channels * depth_multiplier), min_depth)

    axis = -1 if data_format == "NHWC" else 1
    steps = _root(depth, use_separable_conv) if include_root_block else []
    steps += [_mixed(f"Mixed_{name}", depth, axis) for name in ("3b", "3c", "4a")]
    steps += [_mixed(f"Mixed_{name}", depth, axis) for name in ("4b", "4c", "4d", "4e", "5a")]
    steps += [_mixed(f"Mixed_{name}", depth, axis) for name in ("5b", "5c")]
    with (
        tf.compat.v1.variable_scope(scope, "InceptionV2", [inputs]),
        arg_scope(
            [conv2d, max_pool2d, avg_pool2d], stride=1, padding="SAME", data_format=data_format
        ),
        arg_scope([batch_norm], data_format=data_format),
    ):
        return run("inception_v2", inputs, steps, final_endpoint)


def _root(depth: Callable[[int], int], use_separable_conv: bool) -> list[Step]:
    first = {"stride": 2, "weights_initializer": truncated_normal(1.0)}
    if use_separable_conv:
        first["depth_multiplier"] = min(int(depth(64) / 3), 8)
        first["padding"] = "SAME"
        first["layer"] = separable_conv2d
    return [
        conv("Conv2d_1a_7x7", depth(64), **first),
        max_pool("MaxPool_2a_3x3", stride=2),
        conv("Conv2d_2b_1x1", depth(64), weights_initializer=truncated_normal(0.1)),
        conv("Conv2d_2c_3x3", depth(192)),
        max_pool("MaxPool_3a_3x3", stride=2),
    ]


def _mixed(name: str, depth: Callable[[int], int], axis: int) -> Step:
    narrow = {"weights_initializer": truncated_normal(0.09)}
    if name in REDUCTIONS:
        three_in, three, double_in, double = map(depth, REDUCTIONS[name])
        return mixed(
            name,
            [conv("Conv2d_0a_1x1", three_in, **narrow), conv("Conv2d_1a_3x3", three, stride=2)],
            [
                conv("Conv2d_0a_1x1", double_in, **narrow),
                conv("Conv2d_0b_3x3", double),
                conv("Conv2d_1a_3x3", double, stride=2),
            ],
            [max_pool("MaxPool_1a_3x3", stride=2)],
            axis=axis,
        )
    one, three_in, three, double_in, double, projection = map(depth, WIDTHS[name])
    pool = max_pool("MaxPool_0a_3x3") if name == "Mixed_5c" else avg_pool("AvgPool_0a_3x3")
    return mixed(
        name,
        [conv("Conv2d_0a_1x1", one)],
        [conv("Conv2d_0a_1x1", three_in, **narrow), conv("Conv2d_0b_3x3", three)],
        [
            conv("Conv2d_0a_1x1", double_in, **narrow),
            conv("Conv2d_0b_3x3", double),
            conv("Conv2d_0c_3x3", double),
        ],
        [pool, conv("Conv2d_0b_1x1", projection, weights_initializer=truncated_normal(0.1))],
        axis=axis,
    )


inception_v2_arg_scope = inception_arg_scope


@network(image_size=224, arg_scope=inception_v2_arg_scope)
def inception_v2(
    inputs: tf.Tensor,
    num_classes: int | None = 1000,
    is_training: bool = True,
    dropout_keep_prob: float = 0.8,
    min_depth: int = 16,
    depth_multiplier: float = 1.0,
    prediction_fn: Callable[..., tf.Tensor] = softmax,
    spatial_squeeze: bool = True,
    reuse: bool | None = None,
    scope: str = "InceptionV2",
    global_pool: bool = False,
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """Turns images into logits.

    Args:
        inputs: Images [batch, height, width, channels]; 224x224 in the paper.
        num_classes: Number of classes; 0 or None returns the pooled features instead.
        is_training: Whether dropout is on and batch normalization uses the batch.
        dropout_keep_prob: The share of features that dropout keeps.
        min_depth: The least number of channels of a layer.
        depth_multiplier: Factor on the number of channels of every layer.
        prediction_fn: Makes predictions of the logits.
        spatial_squeeze: Whether logits [batch, 1, 1, classes] become [batch, classes].
        reuse: Whether the variables exist already.
        scope: Name of the variables' scope.
        global_pool: Whether the last map is averaged over all positions, for larger images;
            otherwise over windows of 7x7.

    Returns:
        The logits [batch, num_classes], and the end points: those of `inception_v2_base`,
        `AvgPool_1a` or `global_pool`, `PreLogits`, `Logits` and `Predictions`.

    Raises:
        InputError: `num_classes` is negative, or `depth_multiplier` is not positive.
        ShapeError: The images are too large to squeeze.
    """
    check_classes("inception_v2", num_classes)
    check_size("inception_v2", inputs, smallest=1)
    with (
        tf.compat.v1.variable_scope(scope, "InceptionV2", [inputs], reuse=reuse) as scope,
        arg_scope([batch_norm, dropout], is_training=is_training),
    ):
        net, ends = inception_v2_base(
            inputs, min_depth=min_depth, depth_multiplier=depth_multiplier, scope=scope
        )
        with tf.compat.v1.variable_scope("Logits"):
            net = pooled(net, ends, global_pool, "AvgPool_1a_7x7", "AvgPool_1a")
            if not num_classes:
                return net, ends
            net = dropout(net, dropout_keep_prob, scope="Dropout_1b")
            ends["PreLogits"] = net
            logits = classified(
                net, ends, num_classes, prediction_fn, spatial_squeeze, "Conv2d_1c_1x1"
            )
    return logits, ends
