"""MobileNet v2: inverted residuals with linear bottlenecks.

Paper: Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks", 2018,
arXiv:1801.04381: `ROWS` is its table 2.

`mobilenet` builds `V2_DEF` with a classifier, `mobilenet_base` without; `mobilenet_v2_140`, `_050`
and `_035` are variants of other widths; `V2_DEF_GROUP_NORM` has group normalization.
"""

import copy
from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf
from slim_layers import batch_norm, conv2d, fully_connected, group_norm, separable_conv2d

from slim_nets._network import network
from slim_nets._scopes import wrapped_partial
from slim_nets.mobilenet import mobilenet as lib
from slim_nets.mobilenet.conv_blocks import expand_input_by_factor, expanded_conv
from slimcore import Scope, add_arg_scope
from slimcore.errors import InputError

expand_input = expand_input_by_factor
op = lib.op

# Outputs, repetitions, stride of the first; the expansion is sixfold but in the first row.
ROWS = [
    (24, 2, 2),
    (32, 3, 2),
    (64, 4, 2),
    (96, 3, 1),
    (160, 3, 2),
    (320, 1, 1),
]


def _definition(normalizer_fn: Callable[..., tf.Tensor], **normalizer_params: Any) -> dict:
    layers = (conv2d, fully_connected, separable_conv2d)
    return {
        "defaults": {
            **({(normalizer_fn,): normalizer_params} if normalizer_params else {}),
            layers: {"normalizer_fn": normalizer_fn, "activation_fn": tf.nn.relu6},
            (expanded_conv,): {
                "expansion_size": expand_input(6),
                "split_expansion": 1,
                "normalizer_fn": normalizer_fn,
                "residual": True,
            },
            (conv2d, separable_conv2d): {"padding": "SAME"},
        },
        "spec": [
            op(conv2d, stride=2, num_outputs=32, kernel_size=[3, 3]),
            op(expanded_conv, expansion_size=expand_input(1, divisible_by=1), num_outputs=16),
            *(
                op(expanded_conv, stride=stride if first else 1, num_outputs=depth)
                for depth, repetitions, stride in ROWS
                for first in [True] + [False] * (repetitions - 1)
            ),
            op(conv2d, stride=1, kernel_size=[1, 1], num_outputs=1280),
        ],
    }


V2_DEF = _definition(batch_norm, center=True, scale=True)
V2_DEF_GROUP_NORM = _definition(group_norm)


def training_scope(**kwargs: Any) -> Scope:
    """Returns the scope that `mobilenet` is built in. See `mobilenet.training_scope`."""
    return lib.training_scope(**kwargs)


@network(image_size=224, arg_scope=training_scope)
@add_arg_scope
def mobilenet(
    input_tensor: tf.Tensor,
    num_classes: int | None = 1001,
    depth_multiplier: float = 1.0,
    scope: str = "MobilenetV2",
    conv_defs: Mapping[str, Any] | None = None,
    finegrain_classification_mode: bool = False,
    min_depth: int | None = None,
    divisible_by: int | None = None,
    activation_fn: Callable[..., tf.Tensor] | None = None,
    **kwargs: Any,
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """Turns images into logits.

    Args:
        input_tensor: Images [batch, height, width, channels]; 224x224 in the paper.
        num_classes: Number of classes; 0 or None returns the pooled features instead.
        depth_multiplier: Factor on the number of channels of every layer.
        scope: Name of the variables' scope.
        conv_defs: The table of layers, `V2_DEF` by default.
        finegrain_classification_mode: Whether the last layer keeps its width with a
            `depth_multiplier` below 1, as many classes need it.
        min_depth: The least number of channels of a layer, 8 by default.
        divisible_by: The number of channels of a layer is a multiple of it, 8 by default.
        activation_fn: Activation of the convolutions, in place of the table's.
        **kwargs: Further arguments of `mobilenet.mobilenet`: `is_training` (False by default),
            `prediction_fn`, `reuse`, `base_only`, `final_endpoint`, `output_stride`,
            `use_explicit_padding`, `use_reduce_mean_for_pooling`.

    Returns:
        The logits [batch, num_classes], and the end points: `layer_1` to `layer_19`, those inside
        of the blocks, such as `layer_3/expansion_output`; `global_pool`, `Logits`, `Predictions`.

    Raises:
        InputError: `num_classes` is negative; or as `mobilenet.mobilenet_base`.
        ShapeError: The inputs are not images.
    """
    if "multiplier" in kwargs:
        raise InputError("mobilenet takes depth_multiplier, not multiplier; rename the argument")
    conv_defs = conv_defs or V2_DEF
    if finegrain_classification_mode:
        conv_defs = finegrained(conv_defs, depth_multiplier)
    if activation_fn:
        conv_defs = {**conv_defs, "defaults": copy.copy(conv_defs["defaults"])}
        for layers, defaults in conv_defs["defaults"].items():
            if "activation_fn" in defaults:
                conv_defs["defaults"][layers] = {**defaults, "activation_fn": activation_fn}
    with lib.safe_arg_scope([lib.depth_multiplier], min_depth=min_depth, divisible_by=divisible_by):
        return lib.mobilenet(
            input_tensor,
            num_classes=num_classes,
            conv_defs=conv_defs,
            scope=scope,
            multiplier=depth_multiplier,
            **kwargs,
        )


def finegrained(conv_defs: Mapping[str, Any], depth_multiplier: float) -> dict[str, Any]:
    """Returns the table with its last layer as wide as without a multiplier below 1."""
    if depth_multiplier >= 1:
        return dict(conv_defs)
    *spec, last = conv_defs["spec"]
    params = {**last.params, "num_outputs": last.params["num_outputs"] / depth_multiplier}
    return {**conv_defs, "spec": [*spec, last._replace(params=params)]}


@add_arg_scope
def mobilenet_base(
    input_tensor: tf.Tensor, depth_multiplier: float = 1.0, **kwargs: Any
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """Turns images into a map of features: `mobilenet` without pool and classifier."""
    return mobilenet(input_tensor, depth_multiplier=depth_multiplier, base_only=True, **kwargs)


@add_arg_scope
def mobilenet_base_group_norm(
    input_tensor: tf.Tensor, depth_multiplier: float = 1.0, **kwargs: Any
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """Turns images into a map of features, with group normalization.

    Args:
        input_tensor: Images [batch, height, width, channels].
        depth_multiplier: Factor on the number of channels of every layer.
        **kwargs: Further arguments of `mobilenet`; and `groups`: into how many groups the channels
            fall, 8 by default. It divides the number of channels of every layer.
    """
    groups = {(group_norm,): {"groups": kwargs.pop("groups", 8)}}
    conv_defs = {**V2_DEF_GROUP_NORM, "defaults": {**V2_DEF_GROUP_NORM["defaults"], **groups}}
    return mobilenet_base(input_tensor, depth_multiplier, **{**kwargs, "conv_defs": conv_defs})


mobilenet_v2_140 = wrapped_partial(mobilenet, depth_multiplier=1.4)
mobilenet_v2_050 = wrapped_partial(
    mobilenet, depth_multiplier=0.50, finegrain_classification_mode=True
)
mobilenet_v2_035 = wrapped_partial(
    mobilenet, depth_multiplier=0.35, finegrain_classification_mode=True
)
