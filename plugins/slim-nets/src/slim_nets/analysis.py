"""What a network is made of: layer by layer, output, parameters, multiply-adds, receptive field.

`describe("vgg_16")` builds the network in a graph of its own and reads it from there, so that it
works for any network, of any plugin.

A *multiply-add* is one multiplication and one addition of a convolution or matrix product, for one
example; biases, normalization, activations and pools are not counted. The *receptive field* is the
height and width of the region of the image that an output depends on, borders left aside.
"""

import inspect
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

import slimcore.registry as registry
from slim_nets._receptive import receptive_fields
from slim_nets.factory import get_network_fn
from slimcore import arg_scope
from slimcore.errors import InputError

# Scopes of normalization, whose variables belong to the layer that they are in.
_NORMALIZATIONS = ("BatchNorm", "InstanceNorm", "GroupNorm", "LayerNorm")
# What lies between a variable and the op that computes with it.
_PASSED = ("ReadVariableOp", "Identity", "Cast", "Reshape", "ExpandDims", "Squeeze")
_PRODUCTS = (
    "Conv2D",
    "Conv3D",
    "DepthwiseConv2dNative",
    "Conv2DBackpropInput",
    "Conv3DBackpropInputV2",
    "MatMul",
)


@dataclass(frozen=True)
class Layer:
    """One layer of a network.

    Attributes:
        name: Its scope.
        output_shape: Output of its convolution, product or normalization, for one example.
        parameters: Number of trainable parameters.
        multiply_adds: Multiply-adds for one example.
        receptive_field: Height and width; None for what does not depend on an image.
    """

    name: str
    output_shape: tuple[int | None, ...]
    parameters: int
    multiply_adds: int
    receptive_field: tuple[int, ...] | None


@dataclass(frozen=True)
class Analysis:
    """A network's layers, in the order in which they are made.

    Attributes:
        name: The network.
        input_shape: Shape of one example.
        layers: The layers that own variables.
    """

    name: str
    input_shape: tuple[int, ...]
    layers: tuple[Layer, ...]

    columns = ("layer", "output", "parameters", "multiply-adds", "receptive field")

    @property
    def parameters(self) -> int:
        """All trainable parameters."""
        return sum(layer.parameters for layer in self.layers)

    @property
    def multiply_adds(self) -> int:
        """All multiply-adds, those of auxiliary classifiers included."""
        return sum(layer.multiply_adds for layer in self.layers)

    @property
    def receptive_field(self) -> tuple[int, ...] | None:
        """The largest receptive field of all layers."""
        return max((x.receptive_field for x in self.layers if x.receptive_field), default=None)

    @property
    def rows(self) -> list[tuple[str, ...]]:
        """The table's rows, as text: the layers, and the totals."""
        total = Layer("total", (), self.parameters, self.multiply_adds, self.receptive_field)
        return [
            (
                layer.name,
                _by(layer.output_shape),
                f"{layer.parameters:,}",
                f"{layer.multiply_adds:,}",
                _by(layer.receptive_field or ()),
            )
            for layer in (*self.layers, total)
        ]


def describe(
    name: str, image_size: int | None = None, num_classes: int | None = None, **kwargs: Any
) -> Analysis:
    """Builds a network for inference, and tells what it is made of.

    Args:
        name: Any network, of any plugin.
        image_size: Height and width of the input; that of the paper by default.
        num_classes: Number of classes; as many as the published network has by default.
        **kwargs: Further arguments of the network.

    Returns:
        The layers and their sums; `columns` and `rows` make a table.

    Raises:
        UnknownComponentError: Nobody offers a network of this name.
        InputError: The size of the input is not known.
    """
    component = registry.component("net", name)
    net, details = registry.lookup("net", name), component.details
    shape = input_shape(component, image_size)
    if not shape:
        raise InputError(f"{name} does not say how large its images are; pass image_size")
    kwargs = {**details.get("arguments", {}), **kwargs}
    if "num_classes" in inspect.signature(net).parameters:
        classes = details.get("classes", 1000) if num_classes is None else num_classes
        net = get_network_fn(name, classes)
    else:
        scope = getattr(net, "arg_scope", None)
        net = _scoped(net, scope()) if scope else net
    with tf.Graph().as_default() as graph:
        inputs = tf.compat.v1.placeholder(tf.float32, (1, *shape))
        net(inputs, is_training=False, **kwargs)
        return Analysis(name, shape, tuple(_layers(graph, inputs)))


def input_shape(component: registry.Component, image_size: int | None = None) -> tuple[int, ...]:
    """Returns the shape of one input of a network, or () where neither it nor the caller says one.

    Args:
        component: The network.
        image_size: Height and width in pixels, in place of the network's own.
    """
    size = getattr(component.load(), "default_image_size", None)
    shape = tuple(component.details.get("input") or ((size, size, 3) if size else ()))
    if image_size is not None:
        shape = (*shape[:-3], image_size, image_size, *(shape[-1:] or (3,)))
    return shape


def _scoped(net: Any, scope: Any) -> Any:
    def build(*args: Any, **kwargs: Any) -> Any:
        with arg_scope(scope):
            return net(*args, **kwargs)

    return build


def _layers(graph: tf.Graph, inputs: tf.Tensor) -> Iterator[Layer]:
    """Yields the layers of a graph, one for each scope that owns variables."""
    fields = receptive_fields(graph, inputs)
    trainable = {v.name for v in graph.get_collection("trainable_variables")}
    owners: dict[str, list[Any]] = {}
    for variable in graph.get_collection("variables"):
        owners.setdefault(_owner(variable.name), []).append(variable)
    for name, variables in owners.items():
        ops = [op for variable in variables for op in _users(variable)]
        products = [op for op in ops if op.type in _PRODUCTS]
        if not ops:
            continue
        last = (products or ops)[-1]
        yield Layer(
            name,
            _output_shape(last),
            sum(v.shape.num_elements() for v in variables if v.name in trainable),
            sum(map(_multiply_adds, products)),
            fields.get(last.outputs[0].name),
        )


def _output_shape(op: tf.Operation) -> tuple[int | None, ...]:
    """Returns the shape of an op's output, for one example."""
    users = op.outputs[0].consumers()
    if op.type == "MatMul" and [user.type for user in users] == ["Reshape"]:
        op = users[0]  # a convolution whose kernel covers its whole input
    return tuple(op.outputs[0].shape[1:])


def _owner(variable: str) -> str:
    scopes = variable.split("/")[:-1]
    return "/".join(scopes[:-1] if len(scopes) > 1 and scopes[-1] in _NORMALIZATIONS else scopes)


def _users(variable: Any) -> Iterator[tf.Operation]:
    """Yields the ops that compute with a variable, but for its regularization loss."""
    waiting = list(variable.handle.consumers())
    while waiting:
        op = waiting.pop(0)
        if op.type in _PASSED:
            waiting += [user for output in op.outputs for user in output.consumers()]
        elif op.type not in ("L2Loss", "AssignVariableOp", "VarIsInitializedOp"):
            yield op


def _multiply_adds(op: tf.Operation) -> int:
    """Returns the multiply-adds of a convolution or matrix product."""
    if op.type == "MatMul":
        rows = op.inputs[0].shape[0]
        return rows * op.inputs[1].shape.num_elements()
    if op.type in ("Conv2DBackpropInput", "Conv3DBackpropInputV2"):
        # A transposed convolution spreads each element of its input over the kernel.
        kernel, spread = op.inputs[1].shape, op.inputs[2].shape
        return spread.num_elements() * math.prod(kernel[:-1])
    kernel, output = op.inputs[1].shape, op.outputs[0].shape
    each = kernel[:2] if op.type == "DepthwiseConv2dNative" else kernel[:-1]
    return output.num_elements() * math.prod(each)


def _by(sizes: Sequence[int | None]) -> str:
    return "x".join("?" if size is None else str(size) for size in sizes)
