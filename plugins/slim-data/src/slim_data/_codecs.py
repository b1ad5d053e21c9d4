"""Decoders of images, and the choice among them by what the bytes are.

Each decoder refuses an image larger than the pixel limit by its header, before any memory is
taken for it. The limit is 2**27 pixels, or what SLIM_MAX_PIXELS says.
"""

import io
import os
from typing import Any

import tensorflow as tf


def max_pixels() -> int:
    """Returns the most pixels that an image may have."""
    return int(os.environ.get("SLIM_MAX_PIXELS", 2**27))


def decode_png(contents: tf.Tensor, channels: int = 0, dtype: tf.DType = tf.uint8) -> tf.Tensor:
    """Decodes a PNG.

    Args:
        contents: Scalar string.
        channels: 0 (as in the image), 1, 2, 3 or 4.
        dtype: uint8 or uint16.

    Returns:
        Tensor [height, width, channels].
    """
    # PNG specification, 11.2.2: the first chunk is IHDR, width and height big-endian from byte 16.
    size = _header_numbers(contents, 16, 24, tf.int32, little_endian=False)
    with tf.control_dependencies([_check_size("PNG", size)]):
        return tf.io.decode_png(contents, channels=channels, dtype=dtype)


def decode_jpeg(contents: tf.Tensor, channels: int = 0, dct_method: str = "") -> tf.Tensor:
    """Decodes a JPEG.

    Args:
        contents: Scalar string.
        channels: 0 (as in the image), 1 or 3.
        dct_method: "INTEGER_FAST", "INTEGER_ACCURATE", or "" for TensorFlow's choice.

    Returns:
        uint8 tensor [height, width, channels].
    """
    shape = tf.io.extract_jpeg_shape(contents)
    with tf.control_dependencies([_check_size("JPEG", shape[1::-1])]):
        return tf.io.decode_jpeg(contents, channels=channels, dct_method=dct_method)


def decode_and_crop_jpeg(contents: tf.Tensor, window: tf.Tensor, channels: int = 0) -> tf.Tensor:
    """Decodes only a part of a JPEG, which is quicker than all of it, with the same result.

    Args:
        contents: Scalar string.
        window: int32 tensor [y, x, height, width], within the image.
        channels: 0 (as in the image), 1 or 3.

    Returns:
        uint8 tensor [height of the window, width of the window, channels].
    """
    shape = tf.io.extract_jpeg_shape(contents)
    # Colour is interpolated between columns that are 2 pixels apart, which the decoder does not do
    # across the sides of what it decodes. Above and below it looks further by itself. It begins at
    # whole blocks of up to 16 columns, and copies all that it made if it was asked for less.
    y, x, height, width = tf.unstack(window, 4)
    left = tf.maximum(x - 2, 0) // 16 * 16
    right = tf.minimum(x + width + 2, shape[1])
    with tf.control_dependencies([_check_size("JPEG", shape[1::-1])]):
        around = tf.stack([y, left, height, right - left])
        part = tf.io.decode_and_crop_jpeg(contents, around, channels=channels)
    return tf.slice(part, tf.stack([0, x - left, 0]), tf.stack([-1, width, -1]))


# Callers that want a part of a JPEG look for these on whatever decoder is preferred, so that
# another distribution's decoder is never passed by.
decode_jpeg.decode_and_crop = decode_and_crop_jpeg
decode_jpeg.extract_shape = tf.io.extract_jpeg_shape


def decode_gif(contents: tf.Tensor, channels: int = 0) -> tf.Tensor:
    """Decodes the first frame of a GIF.

    Args:
        contents: Scalar string.
        channels: 0 or 3 (colour), or 1 (grey).

    Returns:
        uint8 tensor [height, width, channels].
    """
    # GIF89a, section 18: logical screen width and height from byte 6.
    size = _header_numbers(contents, 6, 10, tf.uint16)
    with tf.control_dependencies([_check_size("GIF", size)]):
        return _with_channels(tf.io.decode_gif(contents)[0], channels)


def decode_bmp(contents: tf.Tensor, channels: int = 0) -> tf.Tensor:
    """Decodes a BMP.

    Args:
        contents: Scalar string.
        channels: 0 (as in the image), 1, 3 or 4.

    Returns:
        uint8 tensor [height, width, channels].
    """
    # BITMAPINFOHEADER: width and height from byte 18; a negative height means top row first.
    size = _header_numbers(contents, 18, 26, tf.int32)
    with tf.control_dependencies([_check_size("BMP", size)]):
        image = tf.io.decode_bmp(contents)
    return image if channels == 0 else _with_channels(image[..., :3], channels)


def decode_webp(contents: tf.Tensor, channels: int = 0) -> tf.Tensor:
    """Decodes the first frame of a WebP, with TensorFlow where it can and with Pillow otherwise.

    Args:
        contents: Scalar string.
        channels: 0 or 3 (colour), 1 (grey) or 4 (with alpha).

    Returns:
        uint8 tensor [height, width, channels].
    """
    # Both libraries read the header first, and the format ends at 16383 x 16383 pixels, so the
    # limit is checked on what Pillow finds, and by the format itself in TensorFlow.
    if hasattr(tf.io, "decode_webp"):
        wanted = 4 if channels == 4 else 3
        frames = tf.io.decode_webp(contents, channels=wanted)
        return _with_channels(frames[0], channels)
    image = tf.numpy_function(_decode_with_pillow, [contents, channels == 4], tf.uint8)
    image.set_shape([None, None, 4 if channels == 4 else 3])
    return _with_channels(image, channels)


def decode_raw(contents: tf.Tensor, dtype: tf.DType = tf.uint8) -> tf.Tensor:
    """Reads the bytes as little-endian numbers, without any header.

    Args:
        contents: Scalar string.
        dtype: What the numbers are.

    Returns:
        Tensor [n] of `dtype`; whoever knows the shape of the image gives it.
    """
    return tf.io.decode_raw(contents, dtype)


def _decode_with_pillow(contents: bytes, alpha: bool) -> Any:
    import numpy as np
    from PIL import Image

    # Eager mode hands the bytes over in an array of one object, and errors out as they are.
    data = np.asarray(contents, object).item()
    try:
        with Image.open(io.BytesIO(data)) as image:
            if image.width * image.height > max_pixels():
                raise ValueError(f"{_too_large('WebP')} {image.width} x {image.height}")
            return np.asarray(image.convert("RGBA" if alpha else "RGB"))
    except OSError as error:
        raise tf.errors.InvalidArgumentError(None, None, f"no WebP image: {error}") from error


def _with_channels(image: tf.Tensor, channels: int) -> tf.Tensor:
    if channels == 1 and image.shape[-1] != 1:
        return tf.image.rgb_to_grayscale(image)
    return image


def _header_numbers(
    contents: tf.Tensor, start: int, stop: int, dtype: tf.DType, little_endian: bool = True
) -> tf.Tensor:
    # Zeros stand in for a header that ends early; the decoder then says what is wrong.
    header = tf.strings.join([tf.strings.substr(contents, 0, stop), "\0" * stop])
    field = tf.strings.substr(header, start, stop - start)
    return tf.io.decode_raw(field, dtype, little_endian=little_endian)


def _check_size(what: str, size: tf.Tensor) -> tf.Operation:
    """Refuses an image of width and height `size` [2]."""
    pixels = tf.abs(tf.reduce_prod(tf.cast(size, tf.int64)))
    return tf.debugging.Assert(pixels <= max_pixels(), [_too_large(what), size])


def _too_large(what: str) -> str:
    return f"the {what} exceeds the limit of {max_pixels()} pixels (SLIM_MAX_PIXELS): width, height"
