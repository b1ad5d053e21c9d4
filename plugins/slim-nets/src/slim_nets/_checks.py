"""What a network checks of its arguments first; the errors list the valid choices."""

from collections.abc import Iterable, Sequence
from typing import Any

import tensorflow as tf

from slimcore.errors import InputError, ShapeError, close


def check_classes(net: str, num_classes: int | None) -> None:
    """Raises InputError unless `num_classes` is None, 0 or a positive integer."""
    if num_classes is not None and num_classes < 0:
        raise InputError(
            f"{net} got num_classes={num_classes}; pass the number of classes, or 0 or None for "
            "the features below the classifier"
        )


def check_size(net: str, inputs: Any, smallest: int, frames: bool = False) -> None:
    """Raises ShapeError unless `inputs` have channels, and are large enough for the network.

    Args:
        net: The network, for the message.
        inputs: Images [batch, height, width, channels]. A height or width not known passes.
        smallest: The least height and width.
        frames: Whether the inputs are videos [batch, frames, height, width, channels].
    """
    layout = ["batch", *(["frames"] if frames else []), "height", "width", "channels"]
    shape = tf.TensorShape(inputs.shape)
    if shape.rank != len(layout) or shape[-1] is None:
        raise ShapeError(
            f"{net} takes inputs [{', '.join(layout)}] whose channels are known; got {shape}"
        )
    if any(size is not None and size < smallest for size in shape[-3:-1]):
        raise ShapeError(
            f"{net} got inputs {shape}, too small for its strides; height and width must be at "
            f"least {smallest}"
        )


def check_multiplier(net: str, depth_multiplier: float) -> None:
    """Raises InputError unless the factor on the number of channels is positive."""
    if depth_multiplier <= 0:
        raise InputError(
            f"{net} got depth_multiplier={depth_multiplier}; pass a positive factor, such as 0.5 "
            "or 1.0"
        )


def check_endpoint(net: str, final_endpoint: str, known: Iterable[str]) -> None:
    """Raises InputError unless `final_endpoint` is one of the end points known."""
    known = list(known)
    if final_endpoint not in known:
        raise InputError(
            f"{net} has no end point {final_endpoint!r}{close(final_endpoint, known)}. "
            f"Valid: {', '.join(known)}"
        )


def check_stride(net: str, output_stride: int | None, valid: Sequence[int]) -> None:
    """Raises InputError unless `output_stride` is None or one of `valid`."""
    if output_stride is not None and output_stride not in valid:
        raise InputError(
            f"{net} cannot have output_stride={output_stride}; pass None for its own stride, or "
            f"one of {', '.join(map(str, valid))}"
        )
