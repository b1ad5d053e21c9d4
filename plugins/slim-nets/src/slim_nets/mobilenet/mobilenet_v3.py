"""MobileNet v3: inverted residuals with squeeze and excite, and hard swish, found by search.

Paper: Howard et al., "Searching for MobileNetV3", 2019, arXiv:1905.02244: `LARGE` is its table 1,
`SMALL` its table 2. The minimalistic variants leave out squeeze and excite, hard swish and 5x5
kernels; the detection variants halve the last stage (section 6.3). MobileNet-EdgeTPU (`EDGE_TPU`)
is of the same authors, 2019: its first blocks have one 3x3 convolution in place of the expansion
and the depthwise convolution.

`mobilenet` builds one of the tables `V3_LARGE` and so on with a classifier, `mobilenet_base`
without; `large`, `small`, `large_minimalistic`, `small_minimalistic`, `edge_tpu` and `edge_tpu_075`
have their table fixed.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeVar

import tensorflow as tf
from slim_layers import (
    avg_pool2d,
    batch_norm,
    conv2d,
    fully_connected,
    group_norm,
    separable_conv2d,
)

from slim_nets import _scopes as scopes
from slim_nets._heads import reduced_kernel_size
from slim_nets._network import Network, network
from slim_nets.mobilenet import conv_blocks
from slim_nets.mobilenet import mobilenet as lib
from slim_nets.mobilenet.conv_blocks import expand_input_by_factor, expanded_conv
from slim_nets.mobilenet.mobilenet_v2 import finegrained
from slimcore import add_arg_scope
from slimcore.errors import InputError

expand_input = expand_input_by_factor
op = lib.op
training_scope = lib.training_scope

R = TypeVar("R")


def hard_swish(x: tf.Tensor) -> tf.Tensor:
    """Returns x times a piecewise linear sigmoid (equation 3 of the paper)."""
    return x * tf.nn.relu6(x + 3.0) * (1.0 / 6.0)


def reduce_to_1x1(input_tensor: tf.Tensor, default_size: int = 7, **kwargs: Any) -> tf.Tensor:
    """Averages a square map over all its positions, and any other over windows.

    Args:
        input_tensor: The map [batch, height, width, channels].
        default_size: Height and width of the windows, where the map is not square or its size is
            not known. A smaller map has smaller windows.
        **kwargs: Further arguments of `slim.avg_pool2d`.
    """
    height, width = input_tensor.shape[1:3]
    window = [default_size, default_size] if height != width else [height or default_size] * 2
    return avg_pool2d(input_tensor, reduced_kernel_size(input_tensor, window), **kwargs)


squeeze_excite = partial(
    conv_blocks.squeeze_excite,
    squeeze_factor=4,
    inner_activation_fn=tf.nn.relu,
    gating_fn=lambda x: tf.nn.relu6(x + 3.0) * 0.16667,
)


def _squeeze_excite(expansion_tensor: tf.Tensor, input_tensor: tf.Tensor) -> tf.Tensor:
    del input_tensor
    return squeeze_excite(expansion_tensor)


def mbv3_op(
    ef: float,
    n: int,
    k: int,
    s: int = 1,
    act: Callable[..., tf.Tensor] = tf.nn.relu,
    se: Callable[..., tf.Tensor] | None = None,
    **kwargs: Any,
) -> lib.Op:
    """Returns a row: an inverted residual.

    Args:
        ef: Factor of the expansion.
        n: Outputs.
        k: Size of the depthwise kernel.
        s: Stride.
        act: Activation.
        se: Applied to the expansion, such as squeeze and excite.
        **kwargs: Further arguments of `expanded_conv`.
    """
    return op(
        expanded_conv,
        expansion_size=expand_input(ef),
        kernel_size=(k, k),
        stride=s,
        num_outputs=n,
        inner_activation_fn=act,
        expansion_transform=se,
        **kwargs,
    )


def mbv3_fused(ef: float, n: int, k: int, s: int = 1, **kwargs: Any) -> lib.Op:
    """Returns a row: an inverted residual whose expansion is a full convolution, of size `k`."""
    return mbv3_op(
        ef,
        n,
        k=1,
        s=s,
        depthwise_location=None,
        expansion_fn=partial(conv2d, kernel_size=k),
        strided_expansion=True,
        **kwargs,
    )


mbv3_op_se = partial(mbv3_op, se=_squeeze_excite)


def _defaults(normalizer_fn: Callable[..., tf.Tensor], **normalizer_params: Any) -> dict:
    layers = (conv2d, fully_connected, separable_conv2d)
    return {
        (expanded_conv,): {"normalizer_fn": normalizer_fn, "residual": True},
        layers: {"normalizer_fn": normalizer_fn, "activation_fn": tf.nn.relu},
        **({(normalizer_fn,): normalizer_params} if normalizer_params else {}),
    }


DEFAULTS = _defaults(batch_norm, center=True, scale=True)
DEFAULTS_GROUP_NORM = _defaults(group_norm)

# Expansion, outputs, kernel, stride, hard swish, squeeze and excite.
LARGE = [
    (1, 16, 3, 1, False, False),
    (4, 24, 3, 2, False, False),
    (3, 24, 3, 1, False, False),
    (3, 40, 5, 2, False, True),
    (3, 40, 5, 1, False, True),
    (3, 40, 5, 1, False, True),
    (6, 80, 3, 2, True, False),
    (2.5, 80, 3, 1, True, False),
    (184 / 80, 80, 3, 1, True, False),
    (184 / 80, 80, 3, 1, True, False),
    (6, 112, 3, 1, True, True),
    (6, 112, 3, 1, True, True),
    (6, 160, 5, 2, True, True),
    (6, 160, 5, 1, True, True),
    (6, 160, 5, 1, True, True),
]
SMALL = [
    (1, 16, 3, 2, False, True),
    (72 / 16, 24, 3, 2, False, False),
    (88 / 24, 24, 3, 1, False, False),
    (4, 40, 5, 2, True, True),
    (6, 40, 5, 1, True, True),
    (6, 40, 5, 1, True, True),
    (3, 48, 5, 1, True, True),
    (3, 48, 5, 1, True, True),
    (6, 96, 5, 2, True, True),
    (6, 96, 5, 1, True, True),
    (6, 96, 5, 1, True, True),
]


def _definition(
    rows: list[tuple], last: int, features: int, minimalistic: bool = False
) -> dict[str, Any]:
    """Returns a table: the rows, a convolution to `last` channels, a pool, one to `features`."""
    swish = {} if minimalistic else {"activation_fn": hard_swish}
    spec = [op(conv2d, stride=2, num_outputs=16, kernel_size=(3, 3), **swish)]
    for factor, outputs, kernel, stride, swished, squeezed in rows:
        if minimalistic:
            spec.append(mbv3_op(factor, outputs, 3, stride))
        else:
            row = mbv3_op_se if squeezed else mbv3_op
            spec.append(
                row(factor, outputs, kernel, stride, act=hard_swish if swished else tf.nn.relu)
            )
    spec += [
        op(conv2d, stride=1, kernel_size=[1, 1], num_outputs=last, **swish),
        op(reduce_to_1x1, default_size=7, stride=1, padding="VALID"),
        op(
            conv2d,
            stride=1,
            kernel_size=[1, 1],
            num_outputs=features,
            normalizer_fn=None,
            **swish,
        ),
    ]
    return {"defaults": DEFAULTS, "spec": spec}


def _halved(rows: list[tuple]) -> list[tuple]:
    """Returns the rows with half the outputs in the last stage, for detection."""
    return rows[:-3] + [(factor, outputs // 2, *rest) for factor, outputs, *rest in rows[-3:]]


V3_LARGE = _definition(LARGE, last=960, features=1280)
V3_LARGE_MINIMALISTIC = _definition(LARGE, last=960, features=1280, minimalistic=True)
V3_LARGE_DETECTION = _definition(_halved(LARGE), last=480, features=1280)
V3_SMALL = _definition(SMALL, last=576, features=1024)
V3_SMALL_MINIMALISTIC = _definition(SMALL, last=576, features=1024, minimalistic=True)
V3_SMALL_DETECTION = _definition(_halved(SMALL), last=288, features=1024)
V3_EDGETPU = {
    "defaults": DEFAULTS,
    "spec": [
        op(conv2d, stride=2, num_outputs=32, kernel_size=(3, 3)),
        mbv3_fused(ef=1, n=16, k=3),
        mbv3_fused(ef=8, n=32, k=3, s=2),
        *[mbv3_fused(ef=4, n=32, k=3)] * 3,
        mbv3_fused(ef=8, n=48, k=3, s=2),
        *[mbv3_fused(ef=4, n=48, k=3)] * 3,
        mbv3_op(ef=8, n=96, k=3, s=2),
        *[mbv3_op(ef=4, n=96, k=3)] * 3,
        mbv3_op(ef=8, n=96, k=3, residual=False),
        *[mbv3_op(ef=4, n=96, k=3)] * 3,
        mbv3_op(ef=8, n=160, k=5, s=2),
        *[mbv3_op(ef=4, n=160, k=5)] * 3,
        mbv3_op(ef=8, n=192, k=3),
        op(conv2d, stride=1, num_outputs=1280, kernel_size=(1, 1)),
    ],
}


@network(image_size=224, arg_scope=training_scope)
@add_arg_scope
def mobilenet(
    input_tensor: tf.Tensor,
    num_classes: int | None = 1001,
    depth_multiplier: float = 1.0,
    scope: str = "MobilenetV3",
    conv_defs: Mapping[str, Any] | None = None,
    finegrain_classification_mode: bool = False,
    use_groupnorm: bool = False,
    **kwargs: Any,
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """Turns images into logits.

    Args:
        input_tensor: Images [batch, height, width, channels]; 224x224 in the paper.
        num_classes: Number of classes; 0 or None returns the pooled features instead.
        depth_multiplier: Factor on the number of channels of every layer.
        scope: Name of the variables' scope.
        conv_defs: The table of layers, `V3_LARGE` by default.
        finegrain_classification_mode: Whether the last layer keeps its width with a
            `depth_multiplier` below 1, as many classes need it.
        use_groupnorm: Whether normalization is over groups of channels rather than the batch.
        **kwargs: Further arguments of `mobilenet.mobilenet`: `is_training` (False by default),
            `prediction_fn`, `reuse`, `base_only`, `final_endpoint`, `output_stride`,
            `use_explicit_padding`, `use_reduce_mean_for_pooling`; and, with `use_groupnorm`,
            `groups`: into how many groups the channels fall, 8 by default.

    Returns:
        The logits [batch, num_classes], and the end points: `layer_1` and so on, those inside of
        the blocks, such as `layer_3/expansion_output`; `global_pool`, `Logits`, `Predictions`.

    Raises:
        InputError: `num_classes` is negative; or as `mobilenet.mobilenet_base`.
        ShapeError: The inputs are not images.
    """
    if "multiplier" in kwargs:
        raise InputError("mobilenet takes depth_multiplier, not multiplier; rename the argument")
    conv_defs = conv_defs or V3_LARGE
    if use_groupnorm:
        groups = {(group_norm,): {"groups": kwargs.pop("groups", 8)}}
        conv_defs = {**conv_defs, "defaults": {**DEFAULTS_GROUP_NORM, **groups}}
    if finegrain_classification_mode:
        conv_defs = finegrained(conv_defs, depth_multiplier)
    return lib.mobilenet(
        input_tensor,
        num_classes=num_classes,
        conv_defs=conv_defs,
        scope=scope,
        multiplier=depth_multiplier,
        **kwargs,
    )


@add_arg_scope
def mobilenet_base(
    input_tensor: tf.Tensor, depth_multiplier: float = 1.0, **kwargs: Any
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """Turns images into a map of features: `mobilenet` without pool and classifier."""
    return mobilenet(input_tensor, depth_multiplier=depth_multiplier, base_only=True, **kwargs)


def wrapped_partial(
    func: Network[..., R], new_defaults: Mapping[str, Any] | None = None, **kwargs: Any
) -> Network[..., R]:
    """Returns a variant of a network, with some arguments fixed and others by default.

    Args:
        func: The network.
        new_defaults: Arguments that the variant takes by default.
        **kwargs: Arguments given by name.
    """
    return scopes.wrapped_partial(func, **{**(new_defaults or {}), **kwargs})


large = wrapped_partial(mobilenet, conv_defs=V3_LARGE)
small = wrapped_partial(mobilenet, conv_defs=V3_SMALL)
large_minimalistic = wrapped_partial(mobilenet, conv_defs=V3_LARGE_MINIMALISTIC)
small_minimalistic = wrapped_partial(mobilenet, conv_defs=V3_SMALL_MINIMALISTIC)
edge_tpu = wrapped_partial(
    mobilenet, new_defaults={"scope": "MobilenetEdgeTPU"}, conv_defs=V3_EDGETPU
)
edge_tpu_075 = wrapped_partial(
    mobilenet,
    new_defaults={"scope": "MobilenetEdgeTPU"},
    conv_defs=V3_EDGETPU,
    depth_multiplier=0.75,
    finegrain_classification_mode=True,
)
