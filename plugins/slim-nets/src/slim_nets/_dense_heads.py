"""The head of AlexNet, OverFeat and VGG: fully connected layers written as convolutions.

A fully connected layer over a map of 7x7 is a convolution with a 7x7 kernel and no padding, so
that a larger image gives a map of logits, one for each position (Sermanet et al., 2013,
arXiv:1312.6229, section 3.5).
"""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf
from slim_layers import conv2d, dropout, utils

from slim_nets._heads import squeezed


def dense_head(
    net: tf.Tensor,
    sc: Any,
    collection: str,
    kernel_size: Sequence[int],
    widths: Sequence[int],
    num_classes: int | None,
    is_training: bool,
    dropout_keep_prob: float,
    spatial_squeeze: bool,
    global_pool: bool,
    padding: str = "VALID",
    **logits_kwargs: Any,
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """Adds `fc6`, `fc7` and `fc8`, and gathers the network's end points.

    Args:
        net: The map below, [batch, height, width, channels].
        sc: The network's variable scope.
        collection: Where the layers of the network gather their outputs.
        kernel_size: The kernel of `fc6`, which covers the whole map at the usual image size.
        widths: Outputs of `fc6` and of `fc7`.
        num_classes: Outputs of `fc8`; 0 or None leaves it out.
        is_training: Whether dropout is on.
        dropout_keep_prob: The share of features that dropout keeps.
        spatial_squeeze: Whether logits [batch, 1, 1, classes] become [batch, classes].
        global_pool: Whether the map of `fc7` is averaged over positions.
        padding: Padding of `fc6`: "SAME" gives a map as large as the one below.
        **logits_kwargs: Further arguments of `fc8`.

    Returns:
        The logits, or the features of `fc7`, and the end points.
    """
    net = conv2d(net, widths[0], kernel_size, padding=padding, scope="fc6")
    net = dropout(net, dropout_keep_prob, is_training=is_training, scope="dropout6")
    net = conv2d(net, widths[1], [1, 1], scope="fc7")
    ends = utils.convert_collection_to_dict(collection)
    if global_pool:
        net = ends["global_pool"] = tf.reduce_mean(net, [1, 2], keepdims=True, name="global_pool")
    if not num_classes:
        return net, ends
    net = dropout(net, dropout_keep_prob, is_training=is_training, scope="dropout7")
    net = conv2d(
        net,
        num_classes,
        [1, 1],
        activation_fn=None,
        normalizer_fn=None,
        scope="fc8",
        **logits_kwargs,
    )
    if spatial_squeeze:
        net = squeezed(net, "fc8/squeezed")
    ends[sc.name + "/fc8"] = net
    return net, ends
