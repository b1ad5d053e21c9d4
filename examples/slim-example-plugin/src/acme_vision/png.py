"""PNG decoding by Pillow, in graphs and in TF2."""

import io

import numpy as np
import tensorflow as tf
from PIL import Image

_MODES = {1: "L", 3: "RGB", 4: "RGBA"}


def decode(contents: tf.Tensor, channels: int = 0) -> tf.Tensor:
    """Decodes a PNG image.

    Args:
        contents: A scalar string, the bytes of the file.
        channels: 1, 3 or 4; 0 takes as many as the image has.

    Returns:
        uint8 [height, width, channels].

    Raises:
        tf.errors.InvalidArgumentError: When run, on bytes that are no image.
    """

    def read(data: bytes | np.ndarray) -> np.ndarray:
        try:
            image = Image.open(io.BytesIO(np.asarray(data, object).item()))
            pixels = np.asarray(image.convert(_MODES.get(channels, image.mode)), np.uint8)
        except OSError as error:
            raise ValueError(f"no PNG image: {error}") from error
        return np.atleast_3d(pixels)

    image = tf.numpy_function(read, [contents], tf.uint8)
    return tf.ensure_shape(image, [None, None, channels or None])
