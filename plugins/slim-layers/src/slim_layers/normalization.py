"""Normalization within each example: layer, instance and group normalization."""

from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf

from slim_layers._layer import ONES, ZEROS, Collections, Function, Layer, VariablesCollections
from slim_layers._shapes import sizes as sizes_of
from slim_layers.utils import channels_first
from slimcore import add_arg_scope


@add_arg_scope
def layer_norm(
    inputs: tf.Tensor,
    center: bool = True,
    scale: bool = True,
    activation_fn: Function = None,
    reuse: bool | None = None,
    variables_collections: VariablesCollections = None,
    outputs_collections: Collections = None,
    trainable: bool = True,
    begin_norm_axis: int = 1,
    begin_params_axis: int = -1,
    scope: Any = None,
) -> tf.Tensor:
    """Makes mean 0 and variance 1 of each example, then scales and shifts by learned parameters.

    Variables, under `scope`, of the inputs' shape from `begin_params_axis` on: `beta`, `gamma`.

    Args:
        inputs: Tensor of rank 2 or more, whose sizes from `begin_params_axis` on are known.
        center: Whether to add `beta`.
        scale: Whether to multiply by `gamma`.
        activation_fn: Function of the outputs, or None.
        reuse: Whether the variables must exist already.
        variables_collections: Collections for all variables, or a dict from their names to lists.
        outputs_collections: Collections for the outputs.
        trainable: Whether the variables are trained.
        begin_norm_axis: Mean and variance are taken over this axis and those behind it.
        begin_params_axis: Parameters have this axis and those behind it.
        scope: Variable scope, `LayerNorm` by default.

    Returns:
        Tensor like `inputs`.

    Raises:
        ShapeError: An axis is out of range, or a size is unknown.

    Paper: Ba et al., "Layer Normalization", 2016, arXiv:1607.06450.
    """
    with Layer(
        "layer_norm", "LayerNorm", inputs, scope, reuse, trainable, variables_collections
    ) as layer:
        rank = _known_rank(layer)
        if not (-rank <= begin_norm_axis < rank and -rank <= begin_params_axis < rank):
            layer.fail(
                f"got begin_norm_axis={begin_norm_axis} and begin_params_axis={begin_params_axis}, "
                f"which must be axes of inputs of rank {rank}"
            )
        shape = [layer.static_dim(axis) for axis in range(begin_params_axis % rank, rank)]
        axes = list(range(begin_norm_axis % rank, rank))
        # Half precision has no smaller number that would make a difference.
        epsilon = 1e-3 if layer.inputs.dtype == tf.float16 else 1e-12
        beta, gamma = _parameters(layer, shape, center, scale, {})
        outputs = _normalized(layer.inputs, axes, beta, gamma, epsilon)
        return layer.finish(outputs, activation_fn, outputs_collections)


@add_arg_scope
def instance_norm(
    inputs: tf.Tensor,
    center: bool = True,
    scale: bool = True,
    epsilon: float = 1e-6,
    activation_fn: Function = None,
    param_initializers: Mapping[str, Any] | None = None,
    reuse: bool | None = None,
    variables_collections: VariablesCollections = None,
    outputs_collections: Collections = None,
    trainable: bool = True,
    data_format: str = "NHWC",
    scope: Any = None,
) -> tf.Tensor:
    """Makes mean 0 and variance 1 of each channel of each example, then scales and shifts.

    Variables, under `scope`: `beta` [C], `gamma` [C].

    Args:
        inputs: Tensor of rank 3 or more with C channels, known: on the last axis, or on axis 1 with
            data_format="NCHW".
        center: Whether to add `beta`.
        scale: Whether to multiply by `gamma`.
        epsilon: Added to the variance.
        activation_fn: Function of the outputs, or None.
        param_initializers: Initializers by the names of the variables.
        reuse: Whether the variables must exist already.
        variables_collections: Collections for all variables, or a dict from their names to lists.
        outputs_collections: Collections for the outputs.
        trainable: Whether the variables are trained.
        data_format: "NHWC" or "NCHW".
        scope: Variable scope, `InstanceNorm` by default.

    Returns:
        Tensor like `inputs`.

    Raises:
        ShapeError: The rank is below 3, or C is unknown.
        InputError: The data format is none of these.

    Paper: Ulyanov et al., "Instance Normalization", 2016, arXiv:1607.08022.
    """
    with Layer(
        "instance_norm", "InstanceNorm", inputs, scope, reuse, trainable, variables_collections
    ) as layer:
        layer.check_choice("data_format", data_format, ("NHWC", "NCHW"))
        rank = _known_rank(layer)
        if rank < 3:
            layer.fail("takes inputs of rank 3 or more")
        channels_axis = 1 if channels_first(data_format) else rank - 1
        channels, inputs = layer.static_dim(channels_axis), layer.inputs
        if rank in (3, 4, 5):
            inputs, first = layer.arrange(inputs, channels_axis == 1, "convolution")
            channels_axis = 1 if first else rank - 1
        axes = [axis for axis in range(1, rank) if axis != channels_axis]
        beta, gamma = _parameters(layer, [channels], center, scale, param_initializers)
        spread = [channels] + [1] * (rank - 1 - channels_axis)
        outputs = _normalized(inputs, axes, beta, gamma, epsilon, spread)
        return layer.finish(outputs, activation_fn, outputs_collections)


@add_arg_scope
def group_norm(
    inputs: tf.Tensor,
    groups: int = 32,
    channels_axis: int = -1,
    reduction_axes: Sequence[int] = (-3, -2),
    center: bool = True,
    scale: bool = True,
    epsilon: float = 1e-6,
    activation_fn: Function = None,
    param_initializers: Mapping[str, Any] | None = None,
    reuse: bool | None = None,
    variables_collections: VariablesCollections = None,
    outputs_collections: Collections = None,
    trainable: bool = True,
    scope: Any = None,
    mean_close_to_zero: bool = False,
) -> tf.Tensor:
    """Makes mean 0 and variance 1 of each group of channels of each example, and rescales them.

    Variables, under `scope`: `beta` [C], `gamma` [C].

    Args:
        inputs: Tensor of rank 2 or more with C channels, known.
        groups: Number of groups of neighbouring channels. Must divide C.
        channels_axis: Where the channels are: -1 for NHWC, -3 for NCHW.
        reduction_axes: Where the places are: (-3, -2) for NHWC, (-2, -1) for NCHW.
        center: Whether to add `beta`.
        scale: Whether to multiply by `gamma`.
        epsilon: Added to the variance.
        activation_fn: Function of the outputs, or None.
        param_initializers: Initializers by the names of the variables.
        reuse: Whether the variables must exist already.
        variables_collections: Collections for all variables, or a dict from their names to lists.
        outputs_collections: Collections for the outputs.
        trainable: Whether the variables are trained.
        scope: Variable scope, `GroupNorm` by default.
        mean_close_to_zero: Whether the variance may be taken as the mean square less the squared
            mean, in one pass, which is exact enough when the mean is small.

    Returns:
        Tensor like `inputs`.

    Raises:
        ShapeError: An axis is out of range, C is unknown, or `groups` does not divide it.
        InputError: The channels are among the axes to reduce.

    Paper: Wu and He, "Group Normalization", 2018, arXiv:1803.08494.
    """
    with Layer(
        "group_norm", "GroupNorm", inputs, scope, reuse, trainable, variables_collections
    ) as layer:
        rank = _known_rank(layer)
        if any(not -rank <= axis < rank for axis in (channels_axis, *reduction_axes)):
            layer.fail(
                f"got channels_axis={channels_axis} and reduction_axes={reduction_axes}, which "
                f"must be axes of inputs of rank {rank}"
            )
        at, places = channels_axis % rank, {axis % rank for axis in reduction_axes}
        if at in places:
            layer.refuse(
                f"got channels_axis={channels_axis}, which is among reduction_axes={reduction_axes}"
            )
        channels = layer.static_dim(at)
        groups = layer.positive("groups", groups)
        if channels % groups:
            layer.fail(f"cannot share {channels} channels among {groups} groups")
        beta, gamma = _parameters(layer, [channels], center, scale, param_initializers)
        # The channels are split where they stand: [..., groups, channels of a group, ...].
        split = [groups, channels // groups]
        axes = sorted({axis + (axis > at) for axis in places} | {at + 1})
        outputs = _normalized(
            _resized(layer.inputs, at, 1, split),
            axes,
            beta,
            gamma,
            epsilon,
            split + [1] * (rank - 1 - at),
            mean_close_to_zero,
        )
        outputs = tf.ensure_shape(_resized(outputs, at, 2, [channels]), layer.inputs.shape)
        return layer.finish(outputs, activation_fn, outputs_collections)


def _known_rank(layer: Layer) -> int:
    rank = layer.inputs.shape.rank
    if rank is None or rank < 2:
        layer.fail("takes inputs of rank 2 or more")
    return rank


def _parameters(
    layer: Layer,
    shape: Sequence[int],
    center: bool,
    scale: bool,
    initializers: Mapping[str, Any] | None,
) -> tuple[Any, Any]:
    initializers = initializers or {}
    beta = layer.variable("beta", shape, initializers.get("beta", ZEROS)) if center else None
    gamma = layer.variable("gamma", shape, initializers.get("gamma", ONES)) if scale else None
    return beta, gamma


def _normalized(
    inputs: tf.Tensor,
    axes: Sequence[int],
    beta: Any,
    gamma: Any,
    epsilon: float,
    parameter_shape: Sequence[int] | None = None,
    one_pass: bool = False,
) -> tf.Tensor:
    """Normalizes over axes, in float32 where the inputs have less; parameters are reshaped."""
    low = inputs.dtype in (tf.float16, tf.bfloat16)
    values = tf.cast(inputs, tf.float32) if low else inputs

    def ready(parameter: Any) -> Any:
        if parameter is None:
            return None
        parameter = tf.cast(parameter, values.dtype)
        return tf.reshape(parameter, parameter_shape) if parameter_shape else parameter

    if one_pass:
        mean = tf.reduce_mean(values, axes, keepdims=True)
        variance = tf.reduce_mean(tf.square(values), axes, keepdims=True) - tf.square(mean)
    else:
        mean, variance = tf.nn.moments(values, axes, keepdims=True)
    outputs = tf.nn.batch_normalization(values, mean, variance, ready(beta), ready(gamma), epsilon)
    return tf.cast(outputs, inputs.dtype)


def _resized(tensor: tf.Tensor, axis: int, count: int, sizes: Sequence[int]) -> tf.Tensor:
    """Returns the tensor with `sizes` in place of `count` axes from `axis` on."""
    shape = tensor.shape.as_list()
    # One size may be left to the op; of several, none is guessed.
    shape = sizes_of(tensor) if shape.count(None) > 1 else [-1 if n is None else n for n in shape]
    return tf.reshape(tensor, [*shape[:axis], *sizes, *shape[axis + count :]])
