"""`repeat` and `stack`: the same layer several times over."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import tensorflow as tf

from slimcore.errors import InputError

Layer = Callable[..., Any]


def repeat(inputs: Any, repetitions: int, layer: Layer, *args: Any, **kwargs: Any) -> Any:
    """Applies a layer several times, with the same arguments.

        net = slim.repeat(net, 3, slim.conv2d, 256, [3, 3], scope="conv3")

    is three layers with the scopes `conv3/conv3_1`, `conv3/conv3_2` and `conv3/conv3_3`.

    Args:
        inputs: What the first layer takes.
        repetitions: How many times; at least 1.
        layer: Function of the inputs.
        *args: Its further arguments.
        **kwargs: Its keyword arguments. `scope` is that of them all, `Repeat` by default, in which
            each one is numbered from 1.

    Returns:
        What the last layer returns.

    Raises:
        InputError: `repetitions` is below 1.
    """
    if int(repetitions) < 1:
        raise InputError(f"repeat got repetitions={repetitions}; it takes at least 1")
    return _chain("Repeat", inputs, layer, [args] * int(repetitions), kwargs)


def stack(inputs: Any, layer: Layer, stack_args: Sequence[Any], **kwargs: Any) -> Any:
    """Applies a layer several times, each time with other arguments.

        net = slim.stack(net, slim.fully_connected, [32, 64, 128], scope="fc")
        net = slim.stack(net, slim.conv2d, [(64, [3, 3]), (128, [1, 1])], scope="conv")

    Args:
        inputs: What the first layer takes.
        layer: Function of the inputs.
        stack_args: For each layer its second argument, or a list or tuple of those from the second
            on.
        **kwargs: Keyword arguments of all. `scope` is that of them all, `Stack` by default, in
            which each one is numbered from 1.

    Returns:
        What the last layer returns.

    Raises:
        InputError: `stack_args` is not a list or tuple.
    """
    if not isinstance(stack_args, list | tuple):
        raise InputError(
            f"stack got stack_args={stack_args!r}; it takes a list or tuple with one entry a layer"
        )
    each = [args if isinstance(args, list | tuple) else [args] for args in stack_args]
    return _chain("Stack", inputs, layer, each, kwargs)


def _chain(
    default_scope: str,
    inputs: Any,
    layer: Layer,
    args_of_each: Sequence[Sequence[Any]],
    kwargs: Mapping[str, Any],
) -> Any:
    kwargs = dict(kwargs)
    scope = kwargs.pop("scope", None)
    with tf.compat.v1.variable_scope(scope, default_scope, [inputs]):
        prefix = scope or _name(layer)
        outputs = inputs
        for number, args in enumerate(args_of_each, 1):
            kwargs["scope"] = f"{prefix}_{number}"
            outputs = layer(outputs, *args, **kwargs)
        return outputs


def _name(layer: Layer) -> str:
    """Returns the name of a function, also of one wrapped in `functools.partial`."""
    function = getattr(layer, "func", layer)
    return getattr(function, "__name__", "layer")
