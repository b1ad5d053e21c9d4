"""DCGAN: a generator of transposed convolutions, and a discriminator of convolutions.

Paper: Radford et al., "Unsupervised Representation Learning with Deep Convolutional Generative
Adversarial Networks", 2015, arXiv:1511.06434: figure 1 is `generator`.
"""

from typing import Any

import tensorflow as tf
from slim_layers import batch_norm, conv2d, conv2d_transpose

from slimcore import arg_scope
from slimcore.errors import InputError, ShapeError


def discriminator(
    inputs: tf.Tensor,
    depth: int = 64,
    is_training: bool = True,
    reuse: bool | None = None,
    scope: str = "Discriminator",
    fused_batch_norm: bool = False,
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """Turns images into one logit each: whether it is real.

    Args:
        inputs: Images [batch, size, size, channels], whose size is a power of 2.
        depth: Channels of the first convolution; each has twice as many as the one before.
        is_training: Whether batch normalization uses the batch.
        reuse: Whether the variables exist already.
        scope: Name of the variables' scope.
        fused_batch_norm: Whether batch normalization is one fused op.

    Returns:
        The logits [batch, 1], and the end points: `conv1` and so on, `logits`.

    Raises:
        ShapeError: The images are not square, or their size is not a power of 2.
    """
    inputs = tf.convert_to_tensor(inputs)
    shape = inputs.shape
    size = shape[1] if shape.rank == 4 else None
    if size is None or shape[2] != size or not _is_power_of_2(size):
        raise ShapeError(
            f"dcgan discriminator takes images [batch, size, size, channels] whose size is a power "
            f"of 2, such as 32 or 64; got {shape}"
        )
    ends = {}
    with (
        tf.compat.v1.variable_scope(scope, "Discriminator", [inputs], reuse=reuse),
        arg_scope([conv2d], activation_fn=tf.nn.leaky_relu),
    ):
        net = inputs
        for number in range(1, size.bit_length()):
            net = ends[f"conv{number}"] = conv2d(
                net,
                depth * 2 ** (number - 1),
                kernel_size=4,
                stride=2,
                scope=f"conv{number}",
                # The paper leaves the layers at either end without normalization.
                **(_normalized(is_training, fused_batch_norm) if number > 1 else {}),
            )
        logits = conv2d(net, 1, kernel_size=1, padding="VALID", activation_fn=None)
        logits = ends["logits"] = tf.reshape(logits, [-1, 1])
    return logits, ends


def generator(
    inputs: tf.Tensor,
    depth: int = 64,
    final_size: int = 32,
    num_outputs: int = 3,
    is_training: bool = True,
    reuse: bool | None = None,
    scope: str = "Generator",
    fused_batch_norm: bool = False,
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """Turns noise into images.

    Args:
        inputs: Noise [batch, features].
        depth: Channels of the last transposed convolution; each has half as many as the one before.
        final_size: Height and width of the images, a power of 2, 8 or more.
        num_outputs: Channels of the images.
        is_training: Whether batch normalization uses the batch.
        reuse: Whether the variables exist already.
        scope: Name of the variables' scope.
        fused_batch_norm: Whether batch normalization is one fused op.

    Returns:
        The images before their activation [batch, final_size, final_size, num_outputs], and the
        end points: `deconv1` and so on, `logits`.

    Raises:
        InputError: `final_size` is not a power of 2, or below 8.
        ShapeError: The inputs are not of rank 2.
    """
    inputs = tf.convert_to_tensor(inputs)
    if inputs.shape.rank != 2:
        raise ShapeError(f"dcgan generator takes noise [batch, features]; got {inputs.shape}")
    if final_size < 8 or not _is_power_of_2(final_size):
        raise InputError(
            f"dcgan generator got final_size={final_size}; pass a power of 2: 8, 16, 32, 64, ..."
        )
    layers = final_size.bit_length() - 2
    normalized = _normalized(is_training, fused_batch_norm)
    ends = {}
    with (
        tf.compat.v1.variable_scope(scope, "Generator", [inputs], reuse=reuse),
        arg_scope([conv2d_transpose], kernel_size=4, stride=2),
    ):
        net = inputs[:, tf.newaxis, tf.newaxis, :]
        for number in range(1, layers + 1):
            # From one position to 4x4, then twice as large each time.
            kwargs: dict[str, Any] = {"stride": 1, "padding": "VALID"} if number == 1 else {}
            kwargs |= normalized if number < layers else {"activation_fn": None}
            net = ends[f"deconv{number}"] = conv2d_transpose(
                net, depth * 2 ** (layers - number), scope=f"deconv{number}", **kwargs
            )
        logits = ends["logits"] = conv2d(
            net, num_outputs, kernel_size=1, padding="VALID", activation_fn=None, scope="logits"
        )
    return logits, ends


def _normalized(is_training: bool, fused: bool) -> dict[str, Any]:
    params = {"is_training": is_training, "zero_debias_moving_mean": True, "fused": fused}
    return {"normalizer_fn": batch_norm, "normalizer_params": params}


def _is_power_of_2(size: int) -> bool:
    return size > 0 and size & (size - 1) == 0
