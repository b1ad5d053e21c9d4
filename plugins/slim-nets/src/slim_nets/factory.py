"""Networks by name, ready to call: `slim.nets.get_network_fn`."""

import contextlib
import functools
import inspect
from collections.abc import Callable
from typing import Any

import slimcore.registry as registry
from slimcore import arg_scope
from slimcore.errors import InputError


def get_network_fn(
    name: str, num_classes: int | None, weight_decay: float = 0.0, is_training: bool = False
) -> Callable[..., Any]:
    """Returns a function that builds a network in its own arg scope.

        network_fn = slim.nets.get_network_fn("lenet", num_classes=10, weight_decay=1e-4)
        model = slim.Module(network_fn)
        logits, end_points = model(images, is_training=True)

    Args:
        name: Any network, of any plugin: `slim list nets` shows them.
        num_classes: Number of classes; 0 or None for features.
        weight_decay: Factor of the L2 regularization loss of the weights.
        is_training: Whether dropout is on and batch normalization uses the batch; a call of the
            function may say otherwise.

    Returns:
        `fn(images, is_training=is_training, **kwargs)`, whose further arguments are those of the
        network. It has the network's name, `default_image_size` and `arg_scope`.

    Raises:
        UnknownComponentError: Nobody offers a network of this name; the nearest names are given.
        InputError: The network takes no `num_classes`, as the generators do.
    """
    net = registry.lookup("net", name)
    training = is_training
    parameters = inspect.signature(net).parameters
    if "num_classes" not in parameters:
        raise InputError(
            f"{name} classifies nothing, it has no argument num_classes; call slim.nets.{name} "
            f"itself, with {', '.join(parameters)}"
        )
    scope_fn = getattr(net, "arg_scope", None)

    @functools.wraps(net)
    def network_fn(images: Any, is_training: bool = training, **kwargs: Any) -> Any:
        scope = arg_scope(scope_fn(weight_decay=weight_decay)) if scope_fn else None
        with scope or contextlib.nullcontext():
            return net(images, num_classes=num_classes, is_training=is_training, **kwargs)

    # Tools should show this function's own arguments: num_classes is settled.
    del network_fn.__wrapped__
    network_fn.__name__ = network_fn.__qualname__ = name
    return network_fn
