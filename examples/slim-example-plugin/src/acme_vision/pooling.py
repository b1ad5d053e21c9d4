"""Subsampling that does not alias."""

import tensorflow as tf

import slimcore as slim


@slim.add_arg_scope
def blur_pool(inputs: tf.Tensor, stride: int = 2, scope: str | None = None) -> tf.Tensor:
    """Blurs each channel with the filter [1, 2, 1] in both directions, then subsamples.

    Args:
        inputs: Floats [batch, height, width, channels], the channels known.
        stride: Keeps every so many pixels, in both directions.
        scope: Name of the ops, `BlurPool` by default.

    Returns:
        A tensor [batch, ceil(height / stride), ceil(width / stride), channels].

    Raises:
        ValueError: The number of channels is unknown.

    Paper: Zhang, "Making Convolutional Networks Shift-Invariant Again", 2019, arXiv:1904.11486.
    """
    channels = inputs.shape[-1]
    if channels is None:
        raise ValueError(f"blur_pool needs the number of channels; got shape {inputs.shape}")
    with tf.name_scope(scope or "BlurPool"):
        line = tf.constant([0.25, 0.5, 0.25], inputs.dtype)
        kernel = tf.tile(tf.tensordot(line, line, 0)[:, :, None, None], [1, 1, channels, 1])
        return tf.nn.depthwise_conv2d(inputs, kernel, [1, stride, stride, 1], "SAME")
