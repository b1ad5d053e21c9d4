"""JPEG decoding by Pillow, in graphs and in TF2."""

import io

import numpy as np
import tensorflow as tf
from PIL import Image, ImageOps

_MODES = {1: "L", 3: "RGB"}


def decode(contents: tf.Tensor, channels: int = 0, upright: bool = True) -> tf.Tensor:
    """Decodes a JPEG, and turns it as its EXIF orientation says.

    Args:
        contents: Scalar string, the bytes of the file.
        channels: 1 or 3; 0 takes 1 for grey images and 3 for all others.
        upright: Whether to turn it. Slim turns what a decoder without this argument gives.

    Returns:
        uint8 tensor [height, width, channels].

    Raises:
        tf.errors.InvalidArgumentError: When it runs, on bytes that are not an image.

    Source: EXIF 2.32, section 4.6.4, tag Orientation.
    """

    def read(data: bytes | np.ndarray) -> np.ndarray:
        try:
            # Eager mode hands the bytes over in an array of one object.
            with Image.open(io.BytesIO(np.asarray(data, object).item())) as opened:
                image = ImageOps.exif_transpose(opened) if upright else opened
                mode = _MODES.get(channels) or ("L" if image.mode == "L" else "RGB")
                return np.atleast_3d(np.asarray(image.convert(mode)))
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            # What Slim takes for a fault of the image; it names the file then.
            raise tf.errors.InvalidArgumentError(None, None, f"no JPEG: {error}") from error

    pixels = tf.numpy_function(read, [contents], tf.uint8, stateful=False)
    return tf.ensure_shape(pixels, [None, None, channels or None])
