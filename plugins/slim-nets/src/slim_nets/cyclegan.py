"""CycleGAN: a generator that turns images into images, with residual blocks in its middle.

Paper: Zhu et al., "Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial
Networks", 2017, arXiv:1703.10593, appendix 7.2. Its discriminator is `pix2pix_discriminator`.

`cyclegan_generator_resnet` is the network, which enters `cyclegan_arg_scope` by itself.
"""

from collections.abc import Callable, Sequence

import tensorflow as tf
from slim_layers import conv2d, conv2d_transpose, instance_norm, l2_regularizer

from slim_nets._network import network
from slimcore import Scope, arg_scope
from slimcore.errors import InputError, ShapeError


def cyclegan_arg_scope(
    instance_norm_center: bool = True,
    instance_norm_scale: bool = True,
    instance_norm_epsilon: float = 0.001,
    weights_init_stddev: float = 0.02,
    weight_decay: float = 0.0,
) -> Scope:
    """Returns the scope that the generator is built in.

    Args:
        instance_norm_center: Whether instance normalization has a beta.
        instance_norm_scale: Whether it has a gamma.
        instance_norm_epsilon: Added to the variance.
        weights_init_stddev: Standard deviation of the initial weights.
        weight_decay: Factor of the L2 regularization loss of the weights.
    """
    with arg_scope(
        [conv2d],
        normalizer_fn=instance_norm,
        normalizer_params={
            "center": instance_norm_center,
            "scale": instance_norm_scale,
            "epsilon": instance_norm_epsilon,
        },
        weights_initializer=tf.compat.v1.random_normal_initializer(0, weights_init_stddev),
        weights_regularizer=l2_regularizer(weight_decay) if weight_decay > 0 else None,
    ) as scope:
        return scope


def cyclegan_upsample(
    net: tf.Tensor,
    num_outputs: int,
    stride: Sequence[int],
    method: str = "conv2d_transpose",
    pad_mode: str = "REFLECT",
    align_corners: bool = False,
) -> tf.Tensor:
    """Makes a map larger.

    Args:
        net: The map [batch, height, width, channels].
        num_outputs: Channels of the output.
        stride: How many times higher and wider the output is.
        method: "nn_upsample_conv" or "bilinear_upsample_conv", resize and convolve; or
            "conv2d_transpose".
        pad_mode: How the map is padded before it is convolved: "REFLECT", "SYMMETRIC", "CONSTANT".
        align_corners: Whether bilinear resizing keeps the values in the corners.

    Raises:
        InputError: The method is not one of these.
    """
    methods = ("conv2d_transpose", "nn_upsample_conv", "bilinear_upsample_conv")
    if method not in methods:
        raise InputError(f"cyclegan has no upsample method {method!r}; pass {', '.join(methods)}")
    with tf.compat.v1.variable_scope("upconv"):
        if method == "conv2d_transpose":
            net = conv2d_transpose(
                net, num_outputs, kernel_size=[3, 3], stride=stride, padding="VALID"
            )
            return net[:, 1:, 1:, :]
        shape = tf.shape(net)
        size = [shape[1] * stride[0], shape[2] * stride[1]]
        if method == "nn_upsample_conv":
            net = tf.raw_ops.ResizeNearestNeighbor(images=net, size=size)
        else:
            net = tf.raw_ops.ResizeBilinear(images=net, size=size, align_corners=align_corners)
        return conv2d(_padded(net, 3, pad_mode), num_outputs, kernel_size=[3, 3], padding="VALID")


def _padded(net: tf.Tensor, kernel_size: int | Sequence[int], mode: str = "REFLECT") -> tf.Tensor:
    """Pads a map so that a convolution without padding keeps its size."""
    sizes = [kernel_size] * 2 if isinstance(kernel_size, int) else kernel_size
    around = [[(size - 1) // 2, size // 2] for size in sizes]
    return tf.pad(net, [[0, 0], *around, [0, 0]], mode)


def _encoder(
    images: tf.Tensor,
    num_filters: int,
    kernel_size: int | Sequence[int],
    ends: dict[str, tf.Tensor],
) -> tf.Tensor:
    """Makes images four times smaller, with four times `num_filters` channels."""
    with tf.compat.v1.variable_scope("input"):
        net = ends["encoder_0"] = conv2d(_padded(images, 7), num_filters, [7, 7])
    with tf.compat.v1.variable_scope("encoder"):
        for number in (1, 2):
            net = ends[f"encoder_{number}"] = conv2d(
                _padded(net, kernel_size), num_filters * 2**number, kernel_size, stride=2
            )
    return net


def _residual_block(net: tf.Tensor, kernel_size: int | Sequence[int]) -> tf.Tensor:
    channels = net.shape[-1]
    residual = conv2d(_padded(net, kernel_size), channels, kernel_size)
    return net + conv2d(_padded(residual, kernel_size), channels, kernel_size, activation_fn=None)


@network(image_size=256)
def cyclegan_generator_resnet(
    images: tf.Tensor,
    arg_scope_fn: Callable[[], Scope] = cyclegan_arg_scope,
    num_resnet_blocks: int = 6,
    num_filters: int = 64,
    upsample_fn: Callable[..., tf.Tensor] = cyclegan_upsample,
    kernel_size: int | Sequence[int] = 3,
    tanh_linear_slope: float = 0.0,
    is_training: bool = False,
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """Turns images into images of another kind.

    Args:
        images: Images [batch, height, width, channels]; height and width are multiples of 4.
        arg_scope_fn: Returns the scope to build in.
        num_resnet_blocks: Residual blocks; 6 for 128x128 in the paper, 9 for 256x256.
        num_filters: Channels of the first layer and of the last map.
        upsample_fn: Makes maps larger; as `cyclegan_upsample`.
        kernel_size: Height and width of the kernels between the first layer and the last.
        tanh_linear_slope: Factor of the logits that are added to the result, to give it a gradient
            where it saturates.
        is_training: Accepted like that of other networks; nothing depends on it.

    Returns:
        The images, of the shape of `images`, and the end points: `encoder_0` to `encoder_2`,
        `resnet_block_0` and so on, `decoder1`, `decoder2`, `logits` and `predictions`.

    Raises:
        ShapeError: The sizes are not multiples of 4.
    """
    del is_training
    images = tf.convert_to_tensor(images)
    shape = images.shape
    if shape.rank != 4 or shape[-1] is None or any(size and size % 4 for size in shape[1:3]):
        raise ShapeError(
            "cyclegan_generator_resnet takes images [batch, height, width, channels] whose height "
            f"and width are multiples of 4; got {shape}"
        )
    scope = tf.compat.v1.variable_scope
    ends: dict[str, tf.Tensor] = {}
    with arg_scope(arg_scope_fn()), arg_scope([conv2d], padding="VALID"):
        net = _encoder(images, num_filters, kernel_size, ends)
        with scope("residual_blocks"):
            for number in range(num_resnet_blocks):
                with scope(f"block_{number}"):
                    net = ends[f"resnet_block_{number}"] = _residual_block(net, kernel_size)
        with scope("decoder"):
            for number in (1, 2):
                with scope(f"decoder{number}"):
                    net = upsample_fn(net, num_outputs=num_filters * 2 // number, stride=[2, 2])
                ends[f"decoder{number}"] = net
        with scope("output"):
            logits = ends["logits"] = conv2d(
                _padded(net, 7), shape[-1], [7, 7], activation_fn=None, normalizer_fn=None
            )
            net = ends["predictions"] = tf.tanh(logits) + logits * tanh_linear_slope
    return net, ends
