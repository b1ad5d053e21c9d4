"""Networks as tables: named steps, run one after the other up to a final end point.

steps = [
    conv("Conv2d_1a_3x3", 32, stride=2),
    max_pool("MaxPool_2a_3x3", stride=2),
    mixed("Mixed_3b", [conv("Conv2d_0a_1x1", 64)], [max_pool("MaxPool_0a_3x3")]),
]
net, end_points = run("my_net", images, steps, final_endpoint="Mixed_3b")
"""

import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import tensorflow as tf
from slim_layers import avg_pool2d, conv2d, max_pool2d

from slim_nets._checks import check_endpoint


class Step(NamedTuple):
    """One row of a table: its name, which is its scope and end point, and what it applies."""

    name: str
    layer: Callable[[tf.Tensor], tf.Tensor]


def conv(
    name: str,
    depth: int,
    kernel_size: Sequence[int] | None = None,
    layer: Callable[..., tf.Tensor] | None = None,
    **kwargs: Any,
) -> Step:
    """Returns a convolution, whose name tells its kernel: `Conv2d_0b_3x3`.

    Args:
        name: Its scope.
        depth: Its number of outputs.
        kernel_size: Its kernel, where the name does not tell it.
        layer: `slim.conv2d` by default.
        **kwargs: Further arguments of the layer.
    """
    kernel_size = kernel_size or _size(name)
    return Step(name, lambda net: (layer or conv2d)(net, depth, kernel_size, scope=name, **kwargs))


def max_pool(name: str, **kwargs: Any) -> Step:
    """Returns a max pool, whose name tells its window."""
    return Step(name, lambda net: max_pool2d(net, _size(name), scope=name, **kwargs))


def avg_pool(name: str, **kwargs: Any) -> Step:
    """Returns an average pool, whose name tells its window."""
    return Step(name, lambda net: avg_pool2d(net, _size(name), scope=name, **kwargs))


def mixed(name: str, *branches: Sequence[Step], axis: int = -1) -> Step:
    """Returns a block of branches, `Branch_0` and so on, whose outputs are concatenated."""

    def layer(net: tf.Tensor) -> tf.Tensor:
        with tf.compat.v1.variable_scope(name):
            return tf.concat(branch_outputs(net, branches), axis)

    return Step(name, layer)


def branch_outputs(net: tf.Tensor, branches: Sequence[Sequence[Step]]) -> list[tf.Tensor]:
    """Applies each branch to `net`, in the scopes `Branch_0` and so on."""
    outputs = []
    for number, steps in enumerate(branches):
        with tf.compat.v1.variable_scope(f"Branch_{number}"):
            output = net
            for step in steps:
                output = step.layer(output)
            outputs.append(output)
    return outputs


def fork(*steps: Step) -> Step:
    """Returns the steps side by side on one input, their outputs concatenated."""
    return Step(
        "+".join(step.name for step in steps),
        lambda net: tf.concat([step.layer(net) for step in steps], -1),
    )


def after(first: Callable[[tf.Tensor], tf.Tensor], step: Step) -> Step:
    """Returns a step with a function before it, whose output is not an end point of its own."""
    return Step(step.name, lambda net: step.layer(first(net)))


def run(
    network: str, net: tf.Tensor, steps: Sequence[Step], final_endpoint: str
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """Applies steps up to the final end point.

    Args:
        network: The network, for the error.
        net: The input.
        steps: The table.
        final_endpoint: The name of the last step to take.

    Returns:
        The output of the last step, and those of all steps by name.

    Raises:
        InputError: No step has the name `final_endpoint`; the names are listed.
    """
    check_endpoint(network, final_endpoint, [step.name for step in steps])
    ends = {}
    for name, layer in steps:
        net = ends[name] = layer(net)
        if name == final_endpoint:
            break
    return net, ends


def _size(name: str) -> list[int]:
    size = re.search(r"_(\d+)x(\d+)$", name)
    if size is None:
        raise ValueError(f"the name {name!r} tells no kernel size; end it with one, such as _3x3")
    return [int(size[1]), int(size[2])]
