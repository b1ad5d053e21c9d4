"""What builds a MobileNet from a table: `mobilenet_base`, and `mobilenet` with a classifier.

A table (`conv_defs`) is a dict: `spec` is a list of `op(layer, **arguments)`, and `defaults` says
which arguments some layers get: `{(slim.batch_norm,): {"center": True, "scale": True}, ...}`.
`overrides`, which may be left out, says the same and wins over `defaults`.

`training_scope` is the scope that v2 and v3 are built in.
"""

import contextlib
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import tensorflow as tf
from slim_layers import (
    batch_norm,
    conv2d,
    dropout,
    fully_connected,
    l2_regularizer,
    separable_conv2d,
    softmax,
    xavier_initializer,
)

from slim_nets._checks import (
    check_classes,
    check_endpoint,
    check_multiplier,
    check_size,
    check_stride,
)
from slim_nets._heads import squeezed
from slim_nets._scopes import NoOpScope
from slim_nets.mobilenet._padding import fixed_padding
from slim_nets.mobilenet.conv_blocks import expanded_conv, make_divisible, split_separable_conv2d
from slimcore import Scope, add_arg_scope, arg_scope
from slimcore.errors import ShapeError

Function = Callable[..., Any]


class Op(NamedTuple):
    """A row of a table: a layer, its arguments, and what a depth multiplier does to them."""

    op: Function
    params: Mapping[str, Any]
    multiplier_func: Function


@add_arg_scope
def depth_multiplier(
    output_params: dict[str, Any],
    multiplier: float,
    divisible_by: int = 8,
    min_depth: int = 8,
    **unused_kwargs: Any,
) -> None:
    """Changes `num_outputs` of a row, where it has one, to a multiple of it.

    Args:
        output_params: The row's arguments.
        multiplier: The factor.
        divisible_by: The result is the nearest multiple of it.
        min_depth: The least result.
        **unused_kwargs: Accepted for the sake of other functions in its place.
    """
    if "num_outputs" in output_params:
        wanted = output_params["num_outputs"] * multiplier
        output_params["num_outputs"] = make_divisible(wanted, divisible_by, min_depth)


def op(opfunc: Function, multiplier_func: Function = depth_multiplier, **params: Any) -> Op:
    """Returns a row of a table.

    Args:
        opfunc: The layer.
        multiplier_func: Function of the arguments and of `multiplier`, which changes them.
        **params: Arguments of the layer.
    """
    return Op(opfunc, params, multiplier_func)


@add_arg_scope
def mobilenet_base(
    inputs: tf.Tensor,
    conv_defs: Mapping[str, Any],
    multiplier: float = 1.0,
    final_endpoint: str | None = None,
    output_stride: int | None = None,
    use_explicit_padding: bool = False,
    scope: str | None = None,
    is_training: bool | None = False,
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """Turns images into a map of features, as a table says.

    Args:
        inputs: Images [batch, height, width, channels].
        conv_defs: The table.
        multiplier: Factor on the number of channels of every layer.
        final_endpoint: Where to stop: `layer_1`, `layer_2`, and so on; the last row by default.
        output_stride: How much smaller than the image the map gets at most: 1, 2, 4, 8, 16 or 32;
            None for what the table says. Later convolutions have holes.
        use_explicit_padding: Whether maps are padded alike on both sides, whatever their size, and
            then convolved without padding. A block whose row has a `kernel_size`, as all of v3, is
            padded before it and convolved with "SAME" padding all the same, so that its map grows.
        scope: Name of the variables' scope.
        is_training: Whether batch normalization uses the batch; None leaves that to the scope
            around.

    Returns:
        The last map, and the end points: `layer_1` and so on, then those inside of the blocks,
        such as `layer_3/expansion_output`, `layer_3/depthwise_output` and `layer_3/output`.

    Raises:
        InputError: There is no end point of this name; the multiplier is not positive; the output
            stride is not one of those.
    """
    check_multiplier("mobilenet", multiplier)
    check_stride("mobilenet", output_stride, (1, 2, 4, 8, 16, 32))
    spec = conv_defs["spec"]
    if final_endpoint is not None:
        check_endpoint("mobilenet", final_endpoint, [f"layer_{n + 1}" for n in range(len(spec))])
    ends: dict[str, tf.Tensor] = {}
    inside: dict[str, tf.Tensor] = {}
    net, reached, rate = inputs, 1, 1
    with contextlib.ExitStack() as scopes:
        scopes.enter_context(tf.compat.v1.variable_scope(scope, "Mobilenet", [inputs]))
        scopes.enter_context(safe_arg_scope([batch_norm], is_training=is_training))
        for key in ("defaults", "overrides"):
            for layers, arguments in conv_defs.get(key, {}).items():
                scopes.enter_context(arg_scope(list(layers), **arguments))
        if use_explicit_padding:
            scopes.enter_context(arg_scope([conv2d, separable_conv2d], padding="VALID"))
        for number, row in enumerate(spec, start=1):
            params = dict(row.params)
            row.multiplier_func(params, multiplier)
            stride = params.get("stride", 1)
            if reached == output_stride:
                params["stride"] = 1
                if rate > 1 and tuple(params.get("kernel_size", ())) != (1, 1):
                    params["rate"] = rate
                rate *= stride
            else:
                params["stride"] = stride
                reached *= stride
            if use_explicit_padding and "kernel_size" in params:
                net = fixed_padding(net, params["kernel_size"], params.get("rate", 1))
            elif use_explicit_padding and row.op in (expanded_conv, split_separable_conv2d):
                params["use_explicit_padding"] = True
            net = _built(row.op, net, params, f"layer_{number}", inside)
            ends[f"layer_{number}"] = net
            if final_endpoint == f"layer_{number}":
                break
    return net, {**ends, **inside}


def _built(
    layer: Function,
    net: tf.Tensor,
    params: dict[str, Any],
    name: str,
    inside: dict[str, tf.Tensor],
) -> tf.Tensor:
    """Builds one row, and adds the end points inside of it."""
    if layer is not expanded_conv:
        return layer(net, **params)
    within: dict[str, tf.Tensor] = {}
    output = layer(net, **params, endpoints=within)
    seen = [net]
    for key in within:
        # A stage that is left out has the tensor of an earlier one.
        if key in ("expansion_output", "depthwise_output"):
            if not any(within[key] is tensor for tensor in seen):
                inside[f"{name}/{key}"] = within[key]
            seen.append(within[key])
    inside[f"{name}/output"] = output
    return output


@add_arg_scope
def apply_activation(
    x: tf.Tensor, name: str | None = None, activation_fn: Function | None = None
) -> tf.Tensor:
    """Applies an activation, which an arg scope may set; none by default."""
    return activation_fn(x, name=name) if activation_fn else x


def global_pool(
    input_tensor: tf.Tensor,
    use_reduce_mean_for_pooling: bool = False,
    pool_op: Function = tf.nn.avg_pool2d,
) -> tf.Tensor:
    """Averages a map over all its positions.

    Args:
        input_tensor: The map [batch, height, width, channels].
        use_reduce_mean_for_pooling: Whether that is a mean rather than a pool, as quantized
            arithmetic may want it. It is where the size is not known.
        pool_op: The pool, as `tf.nn.avg_pool2d`.

    Returns:
        Features [batch, 1, 1, channels].

    Raises:
        ShapeError: Another pool than an average is asked for, and the size is not known.
    """
    sizes = input_tensor.shape[1:3]
    if pool_op is not tf.nn.avg_pool2d and not sizes.is_fully_defined():
        raise ShapeError(
            f"global_pool got a map {input_tensor.shape}; a pool other than tf.nn.avg_pool2d takes "
            "maps whose height and width are known"
        )
    if use_reduce_mean_for_pooling or not sizes.is_fully_defined():
        return tf.reduce_mean(input_tensor, [1, 2], keepdims=True, name="ReduceMean")
    return pool_op(input_tensor, ksize=[1, *sizes, 1], strides=[1, 1, 1, 1], padding="VALID")


@add_arg_scope
def mobilenet(
    inputs: tf.Tensor,
    num_classes: int | None = 1001,
    prediction_fn: Function | None = softmax,
    reuse: bool | None = None,
    scope: str = "Mobilenet",
    base_only: bool = False,
    use_reduce_mean_for_pooling: bool = False,
    **mobilenet_args: Any,
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """Turns images into logits, as a table says.

    Args:
        inputs: Images [batch, height, width, channels].
        num_classes: Number of classes; 0 or None returns the pooled features instead.
        prediction_fn: Makes predictions of the logits, given a name as its second argument, as
            `tf.sigmoid` does; None for no predictions.
        reuse: Whether the variables exist already.
        scope: Name of the variables' scope.
        base_only: Whether the map and its end points are returned, without pool and classifier.
        use_reduce_mean_for_pooling: Whether the pool is a mean; see `global_pool`.
        **mobilenet_args: Arguments of `mobilenet_base`: `conv_defs`, `multiplier`, `is_training`,
            `final_endpoint`, `output_stride`, `use_explicit_padding`. `is_training` switches
            dropout too, and is False by default.

    Returns:
        The logits [batch, num_classes], and the end points: those of `mobilenet_base`,
        `global_pool`, `Logits` and `Predictions`.

    Raises:
        InputError: `num_classes` is negative; or as `mobilenet_base`.
        ShapeError: The inputs are not images.
    """
    check_classes(scope, num_classes)
    check_size(scope, inputs, smallest=1)
    is_training = mobilenet_args.get("is_training", False)
    with tf.compat.v1.variable_scope(scope, "Mobilenet", [inputs], reuse=reuse) as sc:
        net, ends = mobilenet_base(inputs, scope=sc, **mobilenet_args)
        if base_only:
            return net, ends
        with tf.compat.v1.variable_scope("Logits"):
            net = ends["global_pool"] = global_pool(net, use_reduce_mean_for_pooling)
            if not num_classes:
                return net, ends
            net = dropout(net, is_training=is_training, scope="Dropout")
            logits = conv2d(
                net,
                num_classes,
                [1, 1],
                activation_fn=None,
                normalizer_fn=None,
                biases_initializer=tf.compat.v1.zeros_initializer(),
                scope="Conv2d_1c_1x1",
            )
            logits = ends["Logits"] = squeezed(logits, "output")
    if prediction_fn:
        # By position: the original takes functions of TensorFlow, such as tf.sigmoid, too.
        ends["Predictions"] = prediction_fn(logits, "Predictions")
    return logits, ends


def safe_arg_scope(funcs: list[Function], **kwargs: Any) -> contextlib.AbstractContextManager[Any]:
    """Returns an arg scope of the arguments that are not None; one that does nothing if none is."""
    given = {name: value for name, value in kwargs.items() if value is not None}
    return arg_scope(funcs, **given) if given else NoOpScope()


def training_scope(
    is_training: bool | None = True,
    weight_decay: float = 0.00004,
    stddev: float = 0.09,
    dropout_keep_prob: float | None = 0.8,
    bn_decay: float | None = 0.997,
) -> Scope:
    """Returns the scope that MobileNet v2 and v3 are built in.

    Args:
        is_training: Whether dropout is on and batch normalization uses the batch, where the
            network does not say so; None leaves that to the scope around.
        weight_decay: Factor of the L2 regularization loss of the weights, depthwise ones excepted.
        stddev: Standard deviation of the initial weights; negative for
            `slim.xavier_initializer`.
        dropout_keep_prob: The share of features that dropout keeps.
        bn_decay: Decay of the moving averages.
    """
    initializer = (
        xavier_initializer()
        if stddev < 0
        else tf.compat.v1.truncated_normal_initializer(stddev=stddev)
    )
    with (
        arg_scope(
            [conv2d, fully_connected, separable_conv2d],
            weights_initializer=initializer,
            normalizer_fn=batch_norm,
        ),
        arg_scope([mobilenet_base, mobilenet], is_training=is_training),
        safe_arg_scope([batch_norm], is_training=is_training, decay=bn_decay),
        safe_arg_scope([dropout], is_training=is_training, keep_prob=dropout_keep_prob),
        arg_scope([conv2d], weights_regularizer=l2_regularizer(weight_decay)),
        arg_scope([separable_conv2d], weights_regularizer=None) as scope,
    ):
        return scope
