"""Inception-ResNet v2: inception blocks whose outputs, scaled down, are added to their inputs.

Paper: Szegedy et al., "Inception-v4, Inception-ResNet and the Impact of Residual Connections on
Learning", 2016, arXiv:1602.07261: `block35`, `block17` and `block8` are its figures 16, 17 and 19,
`Mixed_6a` and `Mixed_7a` its figures 7 (k=256, l=256, m=384, n=384) and 18. The stem is that of
Inception v3, and the last block (`Block8`) has no activation.

`inception_resnet_v2_base` is the table of layers; `inception_resnet_v2` adds the two classifiers.
"""

from collections.abc import Callable
from typing import Any

import tensorflow as tf
from slim_layers import (
    avg_pool2d,
    batch_norm,
    conv2d,
    dropout,
    fully_connected,
    l2_regularizer,
    max_pool2d,
    repeat,
)

from slim_nets._checks import check_classes, check_size, check_stride
from slim_nets._network import network
from slim_nets._steps import Step, after, avg_pool, branch_outputs, conv, max_pool, mixed, run
from slim_nets.inception_utils import flat_aux_head, flat_head
from slim_nets.inception_v3 import stem, tail_of_stem
from slimcore import Scope, arg_scope
from slimcore.errors import InputError

Activation = Callable[..., tf.Tensor] | None

BLOCK35 = [
    [conv("Conv2d_1x1", 32)],
    [conv("Conv2d_0a_1x1", 32), conv("Conv2d_0b_3x3", 32)],
    [conv("Conv2d_0a_1x1", 32), conv("Conv2d_0b_3x3", 48), conv("Conv2d_0c_3x3", 64)],
]
BLOCK17 = [
    [conv("Conv2d_1x1", 192)],
    [conv("Conv2d_0a_1x1", 128), conv("Conv2d_0b_1x7", 160), conv("Conv2d_0c_7x1", 192)],
]
BLOCK8 = [
    [conv("Conv2d_1x1", 192)],
    [conv("Conv2d_0a_1x1", 192), conv("Conv2d_0b_1x3", 224), conv("Conv2d_0c_3x1", 256)],
]
MIXED_5B = [
    [conv("Conv2d_1x1", 96)],
    [conv("Conv2d_0a_1x1", 48), conv("Conv2d_0b_5x5", 64)],
    [conv("Conv2d_0a_1x1", 64), conv("Conv2d_0b_3x3", 96), conv("Conv2d_0c_3x3", 96)],
    [avg_pool("AvgPool_0a_3x3"), conv("Conv2d_0b_1x1", 64)],
]


def block35(
    net: tf.Tensor,
    scale: float = 1.0,
    activation_fn: Activation = tf.nn.relu,
    scope: str | None = None,
    reuse: bool | None = None,
) -> tf.Tensor:
    """Adds a 35x35 inception block, scaled, to its input (figure 16).

    Args:
        net: The map; the result has its shape.
        scale: Factor of what is added.
        activation_fn: Applied to the sum.
        scope: Name of the variables' scope.
        reuse: Whether the variables exist already.
    """
    return _block(net, BLOCK35, "Block35", scale, activation_fn, scope, reuse)


def block17(
    net: tf.Tensor,
    scale: float = 1.0,
    activation_fn: Activation = tf.nn.relu,
    scope: str | None = None,
    reuse: bool | None = None,
) -> tf.Tensor:
    """Adds a 17x17 inception block, scaled, to its input (figure 17). See `block35`."""
    return _block(net, BLOCK17, "Block17", scale, activation_fn, scope, reuse)


def block8(
    net: tf.Tensor,
    scale: float = 1.0,
    activation_fn: Activation = tf.nn.relu,
    scope: str | None = None,
    reuse: bool | None = None,
) -> tf.Tensor:
    """Adds an 8x8 inception block, scaled, to its input (figure 19). See `block35`."""
    return _block(net, BLOCK8, "Block8", scale, activation_fn, scope, reuse)


def _block(
    net: tf.Tensor,
    branches: list[list[Step]],
    default_scope: str,
    scale: float,
    activation_fn: Activation,
    scope: str | None,
    reuse: bool | None,
) -> tf.Tensor:
    with tf.compat.v1.variable_scope(scope, default_scope, [net], reuse=reuse):
        up = conv2d(
            tf.concat(branch_outputs(net, branches), -1),
            net.shape[-1],
            [1, 1],
            normalizer_fn=None,
            activation_fn=None,
            scope="Conv2d_1x1",
        )
        up *= scale
        if activation_fn is tf.nn.relu6:
            # Keeps the sum in the range of the activation, for quantized arithmetic.
            up = tf.clip_by_value(up, -6.0, 6.0)
        net += up
        return activation_fn(net) if activation_fn else net


def inception_resnet_v2_base(
    inputs: tf.Tensor,
    final_endpoint: str = "Conv2d_7b_1x1",
    output_stride: int = 16,
    align_feature_maps: bool = False,
    scope: str | None = None,
    activation_fn: Activation = tf.nn.relu,
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """Turns images into a map of features.

    Args:
        inputs: Images [batch, height, width, channels], at least 75x75.
        final_endpoint: Where to stop: `Conv2d_1a_3x3`, ..., `Mixed_5b`, `Mixed_6a`,
            `PreAuxLogits`, `Mixed_7a` or `Conv2d_7b_1x1`.
        output_stride: How much smaller than the image `PreAuxLogits` is, 8 or 16. With 8, which
            uses convolutions with holes, it is the last end point there can be.
        align_feature_maps: Whether the layers that halve the map pad it, so that maps of different
            sizes line up.
        scope: Name of the variables' scope.
        activation_fn: Applied to the sum in each residual block.

    Returns:
        The last map, [batch, 8, 8, 1536] for images of 299x299 and `Conv2d_7b_1x1`, and the end
        points.

    Raises:
        InputError: There is no end point of this name, or none at this output stride.
        ShapeError: The images are too small.
    """
    check_stride("inception_resnet_v2", output_stride, (8, 16))
    if not align_feature_maps:
        check_size("inception_resnet_v2", inputs, smallest=75)
    padding = "SAME" if align_feature_maps else "VALID"
    if output_stride == 8 and final_endpoint in ("Mixed_7a", "Conv2d_7b_1x1"):
        raise InputError(
            f"inception_resnet_v2 has no {final_endpoint} at output_stride=8; pass 16, or "
            "final_endpoint='PreAuxLogits'"
        )
    with (
        tf.compat.v1.variable_scope(scope, "InceptionResnetV2", [inputs]),
        arg_scope([conv2d, max_pool2d, avg_pool2d], stride=1, padding="SAME"),
    ):
        steps = _steps(output_stride == 8, padding, activation_fn)
        return run("inception_resnet_v2", inputs, steps, final_endpoint)


def _steps(dilated: bool, padding: str, activation_fn: Activation) -> list[Step]:
    halve: dict[str, Any] = {"stride": 2, "padding": padding}
    to_17 = {**halve, "stride": 1 if dilated else 2}

    def blocks35(net: tf.Tensor) -> tf.Tensor:
        return repeat(net, 10, block35, scale=0.17, activation_fn=activation_fn)

    def blocks17(net: tf.Tensor) -> tf.Tensor:
        with arg_scope([conv2d], rate=2 if dilated else 1):
            return repeat(net, 20, block17, scale=0.10, activation_fn=activation_fn)

    def blocks8(net: tf.Tensor) -> tf.Tensor:
        net = repeat(net, 9, block8, scale=0.20, activation_fn=activation_fn)
        return block8(net, activation_fn=None)

    mixed_6a = mixed(
        "Mixed_6a",
        [conv("Conv2d_1a_3x3", 384, **to_17)],
        [
            conv("Conv2d_0a_1x1", 256),
            conv("Conv2d_0b_3x3", 256),
            conv("Conv2d_1a_3x3", 384, **to_17),
        ],
        [max_pool("MaxPool_1a_3x3", **to_17)],
    )
    mixed_7a = mixed(
        "Mixed_7a",
        [conv("Conv2d_0a_1x1", 256), conv("Conv2d_1a_3x3", 384, **halve)],
        [conv("Conv2d_0a_1x1", 256), conv("Conv2d_1a_3x3", 288, **halve)],
        [
            conv("Conv2d_0a_1x1", 256),
            conv("Conv2d_0b_3x3", 288),
            conv("Conv2d_1a_3x3", 320, **halve),
        ],
        [max_pool("MaxPool_1a_3x3", **halve)],
    )
    return [
        *stem(padding=padding),
        *tail_of_stem(padding=padding),
        mixed("Mixed_5b", *MIXED_5B),
        after(blocks35, mixed_6a),
        Step("PreAuxLogits", blocks17),
        mixed_7a,
        after(blocks8, conv("Conv2d_7b_1x1", 1536)),
    ]


def inception_resnet_v2_arg_scope(
    weight_decay: float = 0.00004,
    batch_norm_decay: float = 0.9997,
    batch_norm_epsilon: float = 0.001,
    activation_fn: Activation = tf.nn.relu,
    batch_norm_updates_collections: str | None = tf.compat.v1.GraphKeys.UPDATE_OPS,
    batch_norm_scale: bool = False,
) -> Scope:
    """Returns the scope that `inception_resnet_v2` is built in.

    Args:
        weight_decay: Factor of the L2 regularization loss of weights and biases.
        batch_norm_decay: Decay of the moving averages.
        batch_norm_epsilon: Added to the variance.
        activation_fn: Activation of the convolutions.
        batch_norm_updates_collections: Collects the updates of the moving averages; None makes
            them part of the forward pass.
        batch_norm_scale: Whether batch normalization has a gamma.
    """
    batch_norm_params = {
        "decay": batch_norm_decay,
        "epsilon": batch_norm_epsilon,
        "updates_collections": batch_norm_updates_collections,
        "fused": None,
        "scale": batch_norm_scale,
    }
    decay = l2_regularizer(weight_decay)
    with (
        arg_scope([conv2d, fully_connected], weights_regularizer=decay, biases_regularizer=decay),
        arg_scope(
            [conv2d],
            activation_fn=activation_fn,
            normalizer_fn=batch_norm,
            normalizer_params=batch_norm_params,
        ) as scope,
    ):
        return scope


@network(image_size=299, arg_scope=inception_resnet_v2_arg_scope)
def inception_resnet_v2(
    inputs: tf.Tensor,
    num_classes: int | None = 1001,
    is_training: bool = True,
    dropout_keep_prob: float = 0.8,
    reuse: bool | None = None,
    scope: str = "InceptionResnetV2",
    create_aux_logits: bool = True,
    activation_fn: Activation = tf.nn.relu,
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
        create_aux_logits: Whether there is a second classifier, after `PreAuxLogits`.
        activation_fn: Applied to the sum in each residual block.

    Returns:
        The logits [batch, num_classes], and the end points: those of `inception_resnet_v2_base`,
        `AuxLogits`, `global_pool`, `PreLogitsFlatten`, `Logits` and `Predictions`.

    Raises:
        InputError: `num_classes` is negative.
        ShapeError: The images are too small.
    """
    check_classes("inception_resnet_v2", num_classes)
    with_aux = create_aux_logits and num_classes
    check_size("inception_resnet_v2", inputs, smallest=107 if with_aux else 75)
    with (
        tf.compat.v1.variable_scope(scope, "InceptionResnetV2", [inputs], reuse=reuse) as scope,
        arg_scope([batch_norm, dropout], is_training=is_training),
    ):
        net, ends = inception_resnet_v2_base(inputs, scope=scope, activation_fn=activation_fn)
        if create_aux_logits and num_classes:
            scopes = ("Conv2d_1a_3x3", "Conv2d_1b_1x1", "Conv2d_2a_5x5", "Logits")
            ends["AuxLogits"] = flat_aux_head(ends["PreAuxLogits"], num_classes, scopes)
        net = flat_head(net, ends, num_classes, dropout_keep_prob, "AvgPool_1a_8x8")
    return net, ends
