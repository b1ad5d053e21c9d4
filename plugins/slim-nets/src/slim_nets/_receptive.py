"""Receptive fields: how large a region of the input each tensor of a graph depends on.

Method: Dumoulin and Visin, "A guide to convolution arithmetic for deep learning", 2016,
arXiv:1603.07285: through each layer, the region grows by the kernel's reach times the distance
between neighbours in the input (`jump`), and the jump grows by the stride.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf

_CONVOLUTIONS = ("Conv2D", "Conv3D", "DepthwiseConv2dNative")
_TRANSPOSED = ("Conv2DBackpropInput", "Conv3DBackpropInputV2")
_POOLS = ("AvgPool", "AvgPool3D", "MaxPool", "MaxPool3D")
_RESIZES = ("ResizeNearestNeighbor", "ResizeBilinear")
# Statistics of a normalization are constants at heart: they do not widen a receptive field.
_NORMALIZATIONS = ("/InstanceNorm/", "/GroupNorm/", "/LayerNorm/")


class _Field(NamedTuple):
    """What an output sees, for each spatial axis: a size and a distance between neighbours."""

    size: tuple[int, ...]
    jump: tuple[float, ...]

    def grown(self, reach: Sequence[float], stride: Sequence[float]) -> "_Field":
        sizes = (s + r * j for s, r, j in zip(self.size, reach, self.jump, strict=True))
        jumps = (j * s for j, s in zip(self.jump, stride, strict=True))
        return _Field(tuple(math.ceil(size) for size in sizes), tuple(jumps))


def receptive_fields(graph: tf.Graph, inputs: tf.Tensor) -> dict[str, tuple[int, ...]]:
    """Returns the receptive field of each tensor that depends on the input, by its name.

    Args:
        graph: A graph without loops.
        inputs: Images [batch, height, width, channels] or videos; of another rank, nothing has a
            receptive field.
    """
    axes = inputs.shape.rank - 2
    if axes not in (2, 3):
        return {}
    fields = {inputs.name: _Field((1,) * axes, (1.0,) * axes)}
    for op in graph.get_operations():
        known = [(t, fields[t.name]) for t in op.inputs if t.name in fields]
        if not known or not op.outputs:
            continue
        if op.type == "Mul":
            # A gate, one factor for each channel, is left aside like statistics.
            positions = max(t.shape[1:-1].num_elements() or 0 for t, _ in known)
            known = [(t, f) for t, f in known if (t.shape[1:-1].num_elements() or 0) == positions]
        widest = _Field(
            tuple(map(max, zip(*(field.size for _, field in known), strict=True))),
            tuple(map(max, zip(*(field.jump for _, field in known), strict=True))),
        )
        field = _through(op, known[0][0], widest, axes)
        for output in op.outputs:
            fields[output.name] = field
    return {name: field.size for name, field in fields.items()}


def _through(op: tf.Operation, source: tf.Tensor, field: _Field, axes: int) -> _Field:
    """Returns the field of an op's outputs, given that of its inputs."""
    if op.type in _CONVOLUTIONS or op.type in _POOLS:
        if op.type in _CONVOLUTIONS:
            kernel = op.inputs[1].shape.as_list()[:axes]
            rates = _spatial(op.get_attr("dilations"), op)
        else:
            kernel, rates = _spatial(op.get_attr("ksize"), op), [1] * axes
        reach = [(k - 1) * rate for k, rate in zip(kernel, rates, strict=True)]
        return field.grown(reach, _spatial(op.get_attr("strides"), op))
    if op.type in _TRANSPOSED:
        strides = _spatial(op.get_attr("strides"), op)
        kernel = op.inputs[1].shape.as_list()[:axes]
        reach = [math.ceil(k / s) - 1 for k, s in zip(kernel, strides, strict=True)]
        return field.grown(reach, [1 / s for s in strides])
    if op.type in ("SpaceToBatchND", "BatchToSpaceND"):
        block = tf.get_static_value(op.inputs[1]).tolist()
        scale = block if op.type == "SpaceToBatchND" else [1 / b for b in block]
        return field.grown([0] * axes, scale)
    if op.type in _RESIZES:
        reach = [0 if op.type == "ResizeNearestNeighbor" else 1] * axes
        sizes = zip(source.shape[1:-1], op.outputs[0].shape[1:-1], strict=True)
        return field.grown(reach, [before / after for before, after in sizes])
    if _forgets_positions(op, source) and not any(n in op.name for n in _NORMALIZATIONS):
        positions = source.shape[1:-1] if source.shape.rank == axes + 2 else [1] * axes
        return field.grown([(p or 1) - 1 for p in positions], [1] * axes)
    return field


def _forgets_positions(op: tf.Operation, source: tf.Tensor) -> bool:
    """Returns whether an op joins all positions: a mean over them, or a flattening."""
    rank = source.shape.rank
    if op.type == "Mean":
        averaged = tf.get_static_value(op.inputs[1])
        return averaged is not None and any(0 < axis % rank < rank - 1 for axis in averaged.ravel())
    return op.type == "Reshape" and rank is not None and op.outputs[0].shape.rank == 2


def _spatial(values: list[int], op: tf.Operation) -> list[int]:
    """Returns the entries of an attribute that belong to spatial axes."""
    first = op.get_attr("data_format").decode().startswith("NC")
    return list(values[2:] if first else values[1:-1])
