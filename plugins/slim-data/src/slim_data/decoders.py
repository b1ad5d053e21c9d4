"""Decoders of images: JPEG, PNG, GIF, BMP, WebP and raw pixels.

Each decoder refuses an image larger than the pixel limit by its header, before any memory is
taken for it. The limit is 2**27 pixels, or what SLIM_MAX_PIXELS says. Of an animation only the
first frame is decoded.
"""

import io
import os
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from slim_data._bytes import little_endian, numbers
from slim_data._first_frame import (
    first_frame_of_gif,
    first_frame_of_webp,
    is_animated_webp,
    size_of_webp,
)
from slimcore.errors import InputError


def max_pixels() -> int:
    """Returns the most pixels that an image may have.

    Raises:
        InputError: SLIM_MAX_PIXELS is not a positive number.
    """
    said = os.environ.get("SLIM_MAX_PIXELS", "") or str(2**27)
    if not said.isdecimal() or not 0 < int(said) < 2**63:
        raise InputError(
            f"the environment variable SLIM_MAX_PIXELS is {said!r}; give a number of pixels, "
            f"such as {2**27}"
        )
    return int(said)


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
        channels: 0 (as in the image), 1, 3 or 4 (opaque).
        dct_method: "INTEGER_FAST", "INTEGER_ACCURATE", or "" for TensorFlow's choice.

    Returns:
        uint8 tensor [height, width, channels].
    """
    shape = tf.io.extract_jpeg_shape(contents)

    def decode(channels: int) -> tf.Tensor:
        return tf.io.decode_jpeg(contents, channels=channels, dct_method=dct_method)

    with tf.control_dependencies([_check_size("JPEG", shape[1::-1])]):
        return _jpeg_channels(decode, shape, channels)


def decode_and_crop_jpeg(contents: tf.Tensor, window: tf.Tensor, channels: int = 0) -> tf.Tensor:
    """Decodes only a part of a JPEG, which is quicker than all of it, with the same result.

    Args:
        contents: Scalar string.
        window: int32 tensor [y, x, height, width], within the image.
        channels: 0 (as in the image), 1, 3 or 4 (opaque).

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

    def decode(channels: int) -> tf.Tensor:
        around = tf.stack([y, left, height, right - left])
        return tf.io.decode_and_crop_jpeg(contents, around, channels=channels)

    with tf.control_dependencies([_check_size("JPEG", shape[1::-1])]):
        part = _jpeg_channels(decode, shape, channels)
    return tf.slice(part, tf.stack([0, x - left, 0]), tf.stack([-1, width, -1]))


def _jpeg_channels(
    decode: Callable[[int], tf.Tensor], shape: tf.Tensor, channels: int
) -> tf.Tensor:
    """Decodes to a number of channels; libjpeg makes no grey of CMYK, and no transparency."""
    if channels == 4:
        return _with_channels(decode(3), 4)
    if channels != 1:
        return decode(channels)
    return tf.cond(
        tf.equal(shape[2], 4),
        lambda: tf.image.rgb_to_grayscale(decode(3)),
        lambda: decode(1),
    )


# Callers that want a part of a JPEG look for these on whatever decoder is preferred, so that
# another distribution's decoder is never passed by.
vars(decode_jpeg).update(
    decode_and_crop=decode_and_crop_jpeg, extract_shape=tf.io.extract_jpeg_shape
)


def decode_gif(contents: tf.Tensor, channels: int = 0) -> tf.Tensor:
    """Decodes the first frame of a GIF, and no other.

    Args:
        contents: Scalar string.
        channels: 0 or 3 (colour), 1 (grey) or 4 (opaque).

    Returns:
        uint8 tensor [height, width, channels].
    """
    # GIF89a, section 18: logical screen width and height from byte 6.
    screen = _header_numbers(contents, 6, 10, tf.uint16)
    first, size = first_frame_of_gif(contents)
    checks = [_check_size("GIF", screen), _check_size("first frame of the GIF", size)]
    with tf.control_dependencies(checks):
        return _with_channels(tf.io.decode_gif(first)[0], channels)


def decode_bmp(contents: tf.Tensor, channels: int = 0) -> tf.Tensor:
    """Decodes a BMP.

    Args:
        contents: Scalar string.
        channels: 0 (as in the image), 1, 3 or 4.

    Returns:
        uint8 tensor [height, width, channels].
    """
    # BITMAPINFOHEADER: its size from byte 14, width and height from 18 (a negative height means top
    # row first), bits of a pixel from 28, compression from 30.
    size = _header_numbers(contents, 18, 26, tf.int32)
    header = little_endian(numbers(contents, 14, 4))
    bits = little_endian(numbers(contents, 28, 2))
    compression = little_endian(numbers(contents, 30, 4))
    # TensorFlow passes over the compression, and takes the bytes for pixels.
    plain = tf.equal(compression, 0) | (tf.equal(compression, 3) & tf.equal(bits, 32))
    plain &= (header >= 40) & tf.reduce_any(tf.equal(bits, [8, 24, 32]))
    why = (
        "a BMP is read if it has 8, 24 or 32 bits a pixel and is not compressed; bits and "
        "compression of this one:"
    )
    checks = [
        _check_size("BMP", size),
        tf.debugging.Assert(plain, [why, bits, compression]),
    ]
    with tf.control_dependencies(checks):
        stored = tf.io.decode_bmp(contents)
    image = tf.cond(
        tf.equal(bits, 8), lambda: _with_palette(stored, contents, header), lambda: stored
    )
    if channels == 0:
        return image
    depth = tf.shape(image)[2]
    if channels == 1:
        grey = tf.cond(
            tf.equal(depth, 1), lambda: image, lambda: tf.image.rgb_to_grayscale(image[..., :3])
        )
        return tf.ensure_shape(grey, [None, None, 1])
    colour = tf.gather(image, tf.where(tf.equal(depth, 1), [0, 0, 0], [0, 1, 2]), axis=2)
    if channels == 3:
        return colour
    opaque = tf.fill(tf.shape(colour[..., :1]), tf.constant(255, tf.uint8))
    alpha = tf.cond(tf.equal(depth, 4), lambda: image[..., 3:], lambda: opaque)
    return tf.concat([colour, alpha], 2)


def _with_palette(image: tf.Tensor, contents: tf.Tensor, header: tf.Tensor) -> tf.Tensor:
    """Returns the colours of a BMP of 8 bits a pixel, of which TensorFlow returns the numbers."""
    # Behind the header: blue, green, red and nothing, of as many colours as byte 46 says.
    used = little_endian(numbers(contents, 46, 4))
    used = tf.where(tf.equal(used, 0), tf.constant(256, tf.int64), used)
    colours = tf.reshape(numbers(contents, 14 + header, 4 * 256), [256, 4])[:, 2::-1]
    colours = tf.where(
        tf.range(256, dtype=tf.int64)[:, tf.newaxis] < used, colours, tf.zeros_like(colours)
    )
    found = tf.gather(tf.cast(colours, tf.uint8), tf.cast(image[..., 0], tf.int32))
    is_grey = tf.reduce_all(tf.equal(colours, colours[:, :1]))
    return found[..., : tf.where(is_grey, 1, 3)]


def decode_webp(contents: tf.Tensor, channels: int = 0) -> tf.Tensor:
    """Decodes a WebP, or the first frame of an animated one, black where it covers no canvas.

    It is done by TensorFlow from 2.20 on, and by Pillow before.

    Args:
        contents: Scalar string.
        channels: 0 or 3 (colour), 1 (grey) or 4 (with alpha).

    Returns:
        uint8 tensor [height, width, channels].
    """
    size = size_of_webp(contents)
    depth = 4 if channels == 4 else 3

    def still() -> tf.Tensor:
        return _decode_still_webp(contents, depth)

    def animated() -> tf.Tensor:
        frame, place = first_frame_of_webp(contents)
        outside = tf.debugging.Assert(
            tf.reduce_all(place[:2] + place[2:] <= size),
            ["the first frame of the WebP lies outside of its canvas: x, y, width, height", place],
        )
        with tf.control_dependencies([outside]):
            image = _decode_still_webp(frame, depth)
        x, y = tf.unstack(tf.cast(place[:2], tf.int32))
        width, height = tf.unstack(tf.cast(size, tf.int32))
        return tf.image.pad_to_bounding_box(image, y, x, height, width)

    with tf.control_dependencies([_check_size("WebP", size)]):
        image = tf.cond(is_animated_webp(contents), animated, still)
    image.set_shape([None, None, depth])
    return _with_channels(image, channels)


def _decode_still_webp(contents: tf.Tensor, depth: int) -> tf.Tensor:
    if hasattr(tf.io, "decode_webp"):
        # TensorFlow refuses to add or to leave out the transparency.
        image = tf.io.decode_webp(contents)[0][..., :depth]
        missing = depth - tf.shape(image)[2]
        return tf.pad(image, [[0, 0], [0, 0], [0, missing]], constant_values=255)
    image = tf.numpy_function(_decode_with_pillow, [contents, depth == 4], tf.uint8)
    image.set_shape([None, None, depth])
    return image


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
            return np.asarray(image.convert("RGBA" if alpha else "RGB"))
    except OSError as error:
        raise tf.errors.InvalidArgumentError(None, None, f"not a readable WebP: {error}") from error


def _with_channels(image: tf.Tensor, channels: int) -> tf.Tensor:
    if channels == 1 and image.shape[-1] != 1:
        return tf.image.rgb_to_grayscale(image)
    if channels == 4 and image.shape[-1] == 3:
        return tf.pad(image, [[0, 0], [0, 0], [0, 1]], constant_values=255)
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
