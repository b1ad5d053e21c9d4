"""pix2pix: an encoder and a decoder with connections across, and a discriminator of patches.

Paper: Isola et al., "Image-to-Image Translation with Conditional Adversarial Networks", 2016,
arXiv:1611.07004, appendix 6.1, with instance normalization in place of batch normalization.

`pix2pix_generator` and `pix2pix_discriminator` are the networks; `pix2pix_arg_scope` their scope.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import tensorflow as tf
from slim_layers import conv2d, conv2d_transpose, dropout, instance_norm

from slim_nets._network import network
from slimcore import Scope, arg_scope
from slimcore.errors import InputError, ShapeError


class Block(NamedTuple):
    """A layer of the encoder, and the one of the decoder across from it.

    Attributes:
        num_filters: Channels of both.
        decoder_keep_prob: The share of features that dropout keeps in the decoder; 0 for no
            dropout.
    """

    num_filters: int
    decoder_keep_prob: float


DEFAULT_BLOCKS = (
    Block(64, 0.5),
    Block(128, 0.5),
    Block(256, 0.5),
    Block(512, 0),
    Block(512, 0),
    Block(512, 0),
    Block(512, 0),
)
_leaky_relu = partial(tf.nn.leaky_relu, alpha=0.2)


def pix2pix_arg_scope() -> Scope:
    """Returns the scope that both networks are built in."""
    with arg_scope(
        [conv2d, conv2d_transpose],
        normalizer_fn=instance_norm,
        normalizer_params={"center": True, "scale": True, "epsilon": 0.00001},
        weights_initializer=tf.compat.v1.random_normal_initializer(0, 0.02),
    ) as scope:
        return scope


def upsample(
    net: tf.Tensor,
    num_outputs: int,
    kernel_size: Sequence[int],
    method: str = "nn_upsample_conv",
) -> tf.Tensor:
    """Makes a map larger.

    Args:
        net: The map [batch, height, width, channels].
        num_outputs: Channels of the output.
        kernel_size: How many times higher and wider the output is.
        method: "nn_upsample_conv", repeat each position and convolve; or "conv2d_transpose".

    Raises:
        InputError: The method is neither.
    """
    if method == "conv2d_transpose":
        return conv2d_transpose(net, num_outputs, [4, 4], stride=kernel_size, activation_fn=None)
    if method != "nn_upsample_conv":
        raise InputError(
            f"pix2pix has no upsample method {method!r}; pass 'nn_upsample_conv' or "
            "'conv2d_transpose'"
        )
    shape = tf.shape(net)
    size = [shape[1] * kernel_size[0], shape[2] * kernel_size[1]]
    net = tf.raw_ops.ResizeNearestNeighbor(images=net, size=size)
    return conv2d(net, num_outputs, [4, 4], activation_fn=None)


@network(image_size=256, arg_scope=pix2pix_arg_scope)
def pix2pix_generator(
    net: tf.Tensor,
    num_outputs: int,
    blocks: Sequence[Block] | None = None,
    upsample_method: str = "nn_upsample_conv",
    is_training: bool = False,
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """Turns images into other images.

    The encoder halves the map with each block; the decoder doubles it, and sees what the encoder
    had at each size. Its dropout is always on: it is where the paper's noise comes from.

    Args:
        net: Images [batch, height, width, channels], whose sizes are known, and are multiples of 2
            to the number of blocks: of 128 by default.
        num_outputs: Channels of the result.
        blocks: The blocks, `DEFAULT_BLOCKS` by default.
        upsample_method: See `upsample`.
        is_training: Accepted like that of other networks; nothing depends on it.

    Returns:
        The images before their activation, [batch, height, width, num_outputs], and the end
        points: `encoder0` and so on, `decoder0` and so on, `logits`, and `predictions`, the images.

    Raises:
        InputError: There is no upsample method of this name.
        ShapeError: The sizes are not known, or not such multiples.
    """
    del is_training
    net = tf.convert_to_tensor(net)
    blocks = blocks or DEFAULT_BLOCKS
    multiple = 2 ** len(blocks)
    if net.shape.rank != 4 or any(size is None or size % multiple for size in net.shape[1:3]):
        raise ShapeError(
            f"pix2pix_generator with {len(blocks)} blocks takes images [batch, height, width, "
            f"channels] whose height and width are multiples of {multiple}; got {net.shape}"
        )
    ends: dict[str, tf.Tensor] = {}
    plain: dict[str, Any] = {"activation_fn": None, "normalizer_fn": None}
    across = []
    with (
        tf.compat.v1.variable_scope("encoder"),
        arg_scope([conv2d], stride=2, activation_fn=_leaky_relu),
    ):
        for number, block in enumerate(blocks):
            kwargs: dict[str, Any] = plain if number == len(blocks) - 1 else {}
            if number == 0:
                kwargs = {"normalizer_fn": None}
            net = ends[f"encoder{number}"] = conv2d(net, block.num_filters, [4, 4], **kwargs)
            across.append(net)
    with tf.compat.v1.variable_scope("decoder"):
        for number, block in enumerate(reversed(blocks)):
            if number:
                net = tf.concat([net, across[-number - 1]], axis=-1)
            net = upsample(tf.nn.relu(net), block.num_filters, [2, 2], upsample_method)
            if block.decoder_keep_prob > 0:
                net = dropout(net, keep_prob=block.decoder_keep_prob, is_training=True)
            ends[f"decoder{number}"] = net
    with tf.compat.v1.variable_scope("output"):
        net = ends["logits"] = conv2d(net, num_outputs, [4, 4], **plain)
        ends["predictions"] = tf.tanh(net)
    return net, ends


@network(image_size=256, arg_scope=pix2pix_arg_scope)
def pix2pix_discriminator(
    net: tf.Tensor,
    num_filters: Sequence[int],
    padding: int = 2,
    pad_mode: str = "REFLECT",
    activation_fn: Callable[..., tf.Tensor] = _leaky_relu,
    is_training: bool = False,
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """Turns images into a map of logits: whether each patch is real.

    Args:
        net: Images [batch, height, width, channels], with those they belong to as more channels.
        num_filters: Channels of each convolution. All but the last halve the map.
        padding: Rows and columns added on each side before each convolution.
        pad_mode: How they are filled: "REFLECT", "SYMMETRIC" or "CONSTANT".
        activation_fn: Activation of the convolutions.
        is_training: Accepted like that of other networks; nothing depends on it.

    Returns:
        The logits [batch, rows, columns, 1], and the end points: `conv0` and so on, `logits` and
        `predictions`.
    """
    del is_training
    around = [[0, 0], [padding, padding], [padding, padding], [0, 0]]
    ends: dict[str, tf.Tensor] = {}
    last = len(num_filters) - 1
    with arg_scope([conv2d], padding="VALID", activation_fn=activation_fn):
        for number, filters in enumerate(num_filters):
            kwargs: dict[str, Any] = {"normalizer_fn": None} if number == 0 else {}
            net = ends[f"conv{number}"] = conv2d(
                tf.pad(net, around, pad_mode),
                filters,
                [4, 4],
                stride=1 if number == last else 2,
                scope=f"conv{number}",
                **kwargs,
            )
        logits = ends["logits"] = conv2d(
            tf.pad(net, around, pad_mode),
            1,
            [4, 4],
            stride=1,
            activation_fn=None,
            normalizer_fn=None,
            scope=f"conv{last + 1}",
        )
        ends["predictions"] = tf.sigmoid(logits)
    return logits, ends
