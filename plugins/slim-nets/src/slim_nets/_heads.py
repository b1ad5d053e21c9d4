"""The head of a fully convolutional classifier: a pool, a 1x1 convolution, a squeeze."""

from collections.abc import Callable, Sequence

import tensorflow as tf
from slim_layers import avg_pool2d, conv2d

from slimcore.errors import ShapeError


def squeezed(logits: tf.Tensor, name: str, axis: int = -1) -> tf.Tensor:
    """Turns logits [batch, 1, 1, classes] into [batch, classes], their classes being on `axis`.

    Raises:
        ShapeError: There is more than one position.
    """
    shape = logits.shape
    places = [i for i in range(1, shape.rank) if i != axis % shape.rank]
    if any(shape[i] not in (1, None) for i in places):
        raise ShapeError(
            f"{logits.name} has the shape {shape}, a map of logits, which cannot be squeezed to "
            "[batch, classes]; pass global_pool=True to average over positions, or "
            "spatial_squeeze=False to keep the map"
        )
    return tf.squeeze(logits, places, name=name)


def reduced_kernel_size(net: tf.Tensor, kernel_size: Sequence[int]) -> list[int]:
    """Returns the kernel size, or the size of the map where that is smaller."""
    sizes = zip(net.shape[1:3], kernel_size, strict=True)
    return [kernel if size is None else min(size, kernel) for size, kernel in sizes]


def pooled(
    net: tf.Tensor,
    ends: dict[str, tf.Tensor],
    global_pool: bool,
    name: str,
    endpoint: str,
    stride: int = 2,
) -> tf.Tensor:
    """Averages the last map over positions: all of them, or a window of up to 7x7 or 8x8.

    Args:
        net: The map.
        ends: The end points, which gain `global_pool` or `endpoint`.
        global_pool: Whether all positions are averaged, whatever the size.
        name: Scope of the pool; it ends with the window at the usual image size, such as `_7x7`.
        endpoint: The end point of the pool.
        stride: Distance between windows, where the map is larger than one.
    """
    if global_pool:
        net = ends["global_pool"] = tf.reduce_mean(net, [1, 2], keepdims=True, name="global_pool")
        return net
    stem, _, window = name.rpartition("_")
    kernel = reduced_kernel_size(net, [int(size) for size in window.split("x")])
    net = ends[endpoint] = avg_pool2d(
        net, kernel, stride=stride, padding="VALID", scope=f"{stem}_{kernel[0]}x{kernel[1]}"
    )
    return net


def classified(
    net: tf.Tensor,
    ends: dict[str, tf.Tensor],
    num_classes: int,
    prediction_fn: Callable[..., tf.Tensor] | None,
    spatial_squeeze: bool,
    name: str,
) -> tf.Tensor:
    """Classifies with a 1x1 convolution.

    Args:
        net: Pooled features, after dropout.
        ends: The end points, which gain `Logits` and `Predictions`.
        num_classes: Number of classes.
        prediction_fn: Makes predictions of the logits; None for no predictions.
        spatial_squeeze: Whether logits [batch, 1, 1, classes] become [batch, classes].
        name: Scope of the convolution.

    Returns:
        The logits.
    """
    logits = conv2d(net, num_classes, [1, 1], activation_fn=None, normalizer_fn=None, scope=name)
    if spatial_squeeze:
        logits = squeezed(logits, "SpatialSqueeze")
    ends["Logits"] = logits
    if prediction_fn:
        ends["Predictions"] = prediction_fn(logits, scope="Predictions")
    return logits
