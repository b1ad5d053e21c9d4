"""Layers that compare channels or positions with each other: maxout, unit norm, soft arg-max."""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from slim_layers._layer import Layer
from slim_layers._shapes import sizes
from slimcore import add_arg_scope


@add_arg_scope
def maxout(inputs: tf.Tensor, num_units: int, axis: int = -1, scope: Any = None) -> tf.Tensor:
    """Keeps the largest value of each group of neighbouring channels.

    Args:
        inputs: Tensor of any rank whose size C on `axis` is known.
        num_units: Groups to form, hence channels to keep. Must divide C.
        axis: Where the channels are: -1 for NHWC, 1 for NCHW.
        scope: Name of the ops, `MaxOut` by default.

    Returns:
        Tensor like `inputs`, with `num_units` in place of C.

    Raises:
        ShapeError: C is unknown, or `num_units` does not divide it.

    Paper: Goodfellow et al., "Maxout Networks", 2013, arXiv:1302.4389.
    """
    with Layer("maxout", "MaxOut", inputs, scope) as layer:
        rank = layer.inputs.shape.rank
        if rank is None or not -rank <= axis < rank:
            layer.fail(f"got axis={axis}; it takes one of inputs of known rank")
        channels = layer.static_dim(axis)
        if num_units < 1 or channels % num_units:
            layer.fail(
                f"cannot share {channels} channels (axis {axis}) among {num_units} units; pass a "
                f"divisor of {channels}"
            )
        # Split C where it stands, so that NCHW never mixes rows with channels.
        axis, shape = axis % rank, sizes(layer.inputs)
        groups = [num_units, channels // num_units]
        split = tf.reshape(layer.inputs, [*shape[:axis], *groups, *shape[axis + 1 :]])
        return tf.reduce_max(split, axis + 1)


@add_arg_scope
def unit_norm(inputs: tf.Tensor, dim: int, epsilon: float = 1e-7, scope: Any = None) -> tf.Tensor:
    """Divides by the Euclidean length along one axis.

    Args:
        inputs: Tensor of known rank.
        dim: The axis, above 0 and below the rank.
        epsilon: Added to the square of the length, so that zeros stay zeros.
        scope: Name of the ops, `UnitNorm` by default.

    Returns:
        Tensor like `inputs`.

    Raises:
        ShapeError: The rank is unknown, or `dim` is no such axis.
    """
    with Layer("unit_norm", "UnitNorm", inputs, scope) as layer:
        layer.check_floating()
        rank = layer.inputs.shape.rank
        if rank is None or not 0 < dim < rank:
            layer.fail(f"got dim={dim}; it takes an axis above 0 and below the rank")
        squares = tf.reduce_sum(tf.square(layer.inputs), dim, keepdims=True)
        return layer.inputs * tf.math.rsqrt(squares + epsilon)


@add_arg_scope
def spatial_softmax(
    features: tf.Tensor,
    temperature: float | tf.Tensor | None = None,
    name: str | None = None,
    variables_collections: Sequence[str] | None = None,
    trainable: bool = True,
    data_format: str = "NHWC",
) -> tf.Tensor:
    """Returns the mean position of each channel, its values being weights by their softmax.

    Variable, unless `temperature` is a tensor, under `name`: `temperature`, a scalar.

    Args:
        features: Tensor [N, H, W, C], or [N, C, H, W].
        temperature: Divides the features: a number that the variable begins with, 1 by default, or
            a tensor to use as it is.
        name: Variable scope, `spatial_softmax` by default.
        variables_collections: Collections for the variable.
        trainable: Whether the temperature is trained.
        data_format: "NHWC" or "NCHW".

    Returns:
        Tensor [N, 2 C]: of each channel its position along the height and along the width, both
        from -1 to 1.

    Raises:
        ShapeError: The rank is not 4, or H, W or C is unknown.
        InputError: Another data format.

    Paper: Levine et al., "End-to-End Training of Deep Visuomotor Policies", 2015,
    arXiv:1504.00702, section 5.
    """
    with Layer(
        "spatial_softmax",
        "spatial_softmax",
        features,
        name,
        trainable=trainable,
        variables_collections=variables_collections,
    ) as layer:
        layer.check_choice("data_format", data_format, ("NHWC", "NCHW"))
        layer.check_rank(4)
        if not tf.is_tensor(temperature):
            first = tf.compat.v1.constant_initializer(1.0 if temperature is None else temperature)
            temperature = layer.read(layer.variable("temperature", [], first))
        first_space = 1 if data_format == "NHWC" else 2
        height, width = (layer.static_dim(first_space + i) for i in (0, 1))
        channels = layer.static_dim(3 if data_format == "NHWC" else 1)
        images = layer.compute()
        if data_format == "NHWC":
            images = tf.transpose(images, [0, 3, 1, 2])
        weights = tf.nn.softmax(tf.reshape(images, [-1, channels, height * width]) / temperature)
        rows, columns = tf.meshgrid(
            tf.linspace(-1.0, 1.0, height), tf.linspace(-1.0, 1.0, width), indexing="ij"
        )
        positions = tf.stack([tf.reshape(rows, [-1]), tf.reshape(columns, [-1])], 1)
        expected = tf.matmul(weights, tf.cast(positions, weights.dtype))
        return tf.reshape(expected, [-1, 2 * channels])
