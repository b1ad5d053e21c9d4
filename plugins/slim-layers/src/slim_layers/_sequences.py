"""Rows of images as sequences, for recurrent layers over images."""

from typing import Any

import tensorflow as tf

from slim_layers._layer import Collections, Layer
from slim_layers._shapes import sizes
from slim_layers.utils import channels_first
from slimcore import add_arg_scope


@add_arg_scope
def images_to_sequence(
    inputs: tf.Tensor,
    data_format: str = "NHWC",
    outputs_collections: Collections = None,
    scope: Any = None,
) -> tf.Tensor:
    """Turns each row of each image into a sequence over its width.

    Args:
        inputs: Tensor [N, H, W, C], or [N, C, H, W].
        data_format: "NHWC" or "NCHW".
        outputs_collections: Collections for the outputs.
        scope: Name of the ops, `ImagesToSequence` by default.

    Returns:
        Tensor [W, N H, C]: time first, the rows of an image next to each other.

    Raises:
        ShapeError: The rank is not 4.
        InputError: Another data format.
    """
    with Layer("images_to_sequence", "ImagesToSequence", inputs, scope) as layer:
        layer.check_choice("data_format", data_format, ("NHWC", "NCHW"))
        layer.check_rank(4)
        images = layer.inputs
        if data_format == "NCHW":
            images = tf.transpose(images, [0, 2, 3, 1])
        batch, height, width, channels = sizes(images)
        sequence = tf.reshape(tf.transpose(images, [2, 0, 1, 3]), [width, batch * height, channels])
        return layer.finish(sequence, None, outputs_collections)


@add_arg_scope
def sequence_to_images(
    inputs: tf.Tensor,
    height: int,
    output_data_format: str = "channels_last",
    outputs_collections: Collections = None,
    scope: Any = None,
) -> tf.Tensor:
    """Turns sequences back into images, as `images_to_sequence` made them.

    Args:
        inputs: Tensor [W, N H, C], time first.
        height: H, which divides the number of sequences.
        output_data_format: "channels_last" or "channels_first".
        outputs_collections: Collections for the outputs.
        scope: Name of the ops, `SequenceToImages` by default.

    Returns:
        Tensor [N, H, W, C], or [N, C, H, W].

    Raises:
        ShapeError: The rank is not 3, or `height` does not divide the number of sequences.
        InputError: Another data format.
    """
    with Layer("sequence_to_images", "SequenceToImages", inputs, scope) as layer:
        formats = ("channels_last", "channels_first", "NHWC", "NCHW")
        layer.check_choice("output_data_format", output_data_format, formats)
        layer.check_rank(3)
        known = layer.inputs.shape[1]
        if known is not None and known % height:
            layer.fail(f"cannot make images of height {height} from {known} sequences")
        width, sequences, channels = sizes(layer.inputs)
        images = tf.reshape(layer.inputs, [width, sequences // height, height, channels])
        order = [1, 3, 2, 0] if channels_first(output_data_format) else [1, 2, 0, 3]
        return layer.finish(tf.transpose(images, order), None, outputs_collections)
