"""Channels first where TensorFlow has no op for it: computed channels last, between transposes.

TensorFlow convolves and pools channels first on GPUs, and on processors only with oneDNN and in
some precisions. Where it cannot, a layer transposes its inputs, computes with the channels last,
which works everywhere, and transposes its outputs. In a graph and in a `tf.function`, TensorFlow's
arithmetic optimizer removes the transposes that meet, those between one layer and the next.
"""

import functools
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import tensorflow as tf

CHANNELS_LAST = {1: "NWC", 2: "NHWC", 3: "NDHWC"}
CHANNELS_FIRST = {1: "NCW", 2: "NCHW", 3: "NCDHW"}

# Functions of each value by itself, for which it does not matter where the channels are.
_ELEMENTWISE = (
    tf.nn.relu,
    tf.nn.relu6,
    tf.nn.leaky_relu,
    tf.nn.elu,
    tf.nn.selu,
    tf.nn.gelu,
    tf.nn.silu,
    tf.nn.softplus,
    tf.nn.softsign,
    tf.nn.sigmoid,
    tf.nn.tanh,
    tf.identity,
)


def is_elementwise(function: Callable[..., Any]) -> bool:
    """Returns whether a function is known to compute each value by itself."""
    return any(function is known for known in _ELEMENTWISE)


def to_last(tensor: tf.Tensor) -> tf.Tensor:
    """Moves the channels from axis 1 to the last."""
    return tf.transpose(tensor, [0, *range(2, tensor.shape.rank), 1])


def to_first(tensor: tf.Tensor) -> tf.Tensor:
    """Moves the channels from the last axis to axis 1."""
    return tf.transpose(tensor, [0, tensor.shape.rank - 1, *range(1, tensor.shape.rank - 1)])


@functools.cache
def has_op(kind: str, dims: int, dtype: tf.DType, dilated: bool = False) -> bool:
    """Returns whether TensorFlow has an op, and its gradient, for channels first.

    It is asked once, by computing a small example where this process computes by default.

    Args:
        kind: "convolution", "depthwise", "transposed", "AVG" or "MAX".
        dims: Number of axes beside batch and channels.
        dtype: What is computed in.
        dilated: Whether the kernel or window is dilated.
    """
    # A thread of its own is in nobody's graph, gradient tape or device scope.
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(_works, kind, dims, dtype, dilated).result()


def _works(*example: Any) -> bool:
    try:
        if tf.executing_eagerly():
            _example(*example)
        elif not tf.config.get_visible_devices("GPU"):
            # After `disable_eager_execution` only sessions compute. One that saw a GPU would take
            # all its memory, and the ops are there.
            with tf.Graph().as_default(), tf.compat.v1.Session() as session:
                session.run(_example(*example))
    except (
        TypeError,
        tf.errors.InvalidArgumentError,
        tf.errors.NotFoundError,
        tf.errors.UnimplementedError,
    ):
        return False
    return True


def _example(kind: str, dims: int, dtype: tf.DType, dilated: bool) -> list[Any]:
    """Computes an op and its gradients channels first."""
    inputs = tf.ones([1, 2] + [4] * dims, dtype)
    kernel = tf.ones([3] * dims + ([2, 1] if kind == "depthwise" else [2, 2]), dtype)
    rates = [2 if dilated else 1] * dims
    form = CHANNELS_FIRST[dims]

    def compute() -> Any:
        if kind == "convolution":
            return tf.nn.convolution(inputs, kernel, 1, "SAME", form, rates)
        if kind == "depthwise":
            return tf.nn.depthwise_conv2d(inputs, kernel, [1] * 4, "SAME", form, rates)
        if kind == "transposed":
            shape: Sequence[int] = inputs.shape.as_list()
            return tf.nn.conv_transpose(inputs, kernel, shape, 1, "SAME", form)
        return tf.nn.pool(inputs, [2] * dims, kind, [1] * dims, "VALID", form, rates)

    with tf.GradientTape() as tape:
        tape.watch([inputs, kernel])
        outputs = compute()
    gradients = tape.gradient(outputs, [inputs, kernel])
    return [outputs, *(gradient for gradient in gradients if gradient is not None)]
