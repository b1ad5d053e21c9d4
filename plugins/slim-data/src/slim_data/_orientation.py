"""How an image is to be turned to stand upright, by the EXIF data that cameras and phones write.

All is done in TensorFlow's operations, so that pipelines stay quick and a SavedModel can hold it.
"""

from collections.abc import Callable

import tensorflow as tf

from slim_data._bytes import big_endian, little_endian, numbers, piece

_MOST_CHUNKS = 1000  # that are looked at
_ORIENTATION = 0x0112

Place = tuple[tf.Tensor, tf.Tensor]  # where the EXIF data begin, 0 if there are none; their length
# At a position: whether the EXIF data are here, where they begin, their length, and the next
# position, or 0 where there is nothing more to look at.
Look = Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]]


def orientation(contents: tf.Tensor) -> tf.Tensor:
    """Returns the EXIF orientation of a JPEG, PNG or WebP.

    Args:
        contents: Scalar string.

    Returns:
        int32 scalar, 1 to 8; 1, upright, where nothing else is said.

    Source: Exif 2.3 (CIPA DC-008), section 4.6.4 A.
    """
    formats = [
        tf.equal(piece(contents, 0, 3), b"\xff\xd8\xff"),
        tf.equal(piece(contents, 0, 4), b"\x89PNG"),
        # Only the extended format holds EXIF data, and has a flag for it.
        tf.equal(piece(contents, 8, 8), "WEBPVP8X") & tf.equal(numbers(contents, 20, 1)[0] & 8, 8),
        True,
    ]
    none = tf.constant(0, tf.int64), tf.constant(0, tf.int64)
    start, length = tf.switch_case(
        tf.argmax(tf.cast(tf.stack(formats), tf.int32), output_type=tf.int32),
        [
            lambda: _find(contents, 2, _in_jpeg),
            _apart(lambda: _find(contents, 8, _in_png)),
            _apart(lambda: _find(contents, 12, _in_webp)),
            lambda: none,
        ],
    )
    upright = tf.constant(1)
    parse = _apart(lambda: _orientation_in(piece(contents, start, length)))
    return tf.cond(start > 0, parse, lambda: upright)


def upright_shape(shape: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    """Returns the shape [3] of an image after `turned`."""
    return tf.where(orientation >= 5, tf.gather(shape, [1, 0, 2]), shape)


def stored_window(window: tf.Tensor, shape: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    """Returns where in the stored image a window of the upright image lies.

    Args:
        window: int32 [y, x, height, width], in the upright image.
        shape: Shape [3] of the upright image.
        orientation: int32 scalar.
    """
    y, x, height, width = tf.unstack(window, 4)
    y = tf.where(_upside_down(orientation), shape[0] - y - height, y)
    x = tf.where(_mirrored(orientation), shape[1] - x - width, x)
    placed = tf.stack([y, x, height, width])
    return tf.where(orientation >= 5, tf.gather(placed, [1, 0, 3, 2]), placed)


def turned(image: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    """Returns a stored image [height, width, channels] upright."""

    def turn() -> tf.Tensor:
        swapped = tf.cond(orientation >= 5, lambda: tf.transpose(image, [1, 0, 2]), lambda: image)
        axes = tf.stack([_upside_down(orientation), _mirrored(orientation)])
        return tf.reverse(swapped, tf.reshape(tf.where(axes), [-1]))

    static = [None, None, image.shape[-1]]
    result = tf.cond(tf.equal(orientation, 1), lambda: image, _apart(turn))
    result.set_shape(static)
    return result


def _upside_down(orientation: tf.Tensor) -> tf.Tensor:
    return tf.reduce_any(tf.equal(orientation, [3, 4, 7, 8]))


def _mirrored(orientation: tf.Tensor) -> tf.Tensor:
    return tf.reduce_any(tf.equal(orientation, [2, 3, 6, 7]))


def _apart(function: Callable[[], tf.Tensor]) -> Callable[[], tf.Tensor]:
    # A branch is laid out in the graph around it, and passed over node by node where it is not
    # taken; as a call it is one node.
    if tf.executing_eagerly():
        return function
    return tf.function(function, autograph=False, experimental_attributes={"_noinline": True})


def _find(contents: tf.Tensor, start: int, look: Callable[[tf.Tensor, tf.Tensor], tuple]) -> Place:
    def step(position: tf.Tensor, _: tf.Tensor, __: tf.Tensor) -> tuple[tf.Tensor, ...]:
        here, begin, length, following = look(contents, position)
        zero = tf.constant(0, tf.int64)
        return (
            tf.where(here, zero, following),
            tf.where(here, begin, zero),
            tf.where(here, length, zero),
        )

    zero = tf.constant(0, tf.int64)
    _, begin, length = tf.while_loop(
        lambda position, begin, length: position > 0,
        step,
        (tf.constant(start, tf.int64), zero, zero),
        maximum_iterations=_MOST_CHUNKS,
    )
    return begin, length


def _in_jpeg(contents: tf.Tensor, position: tf.Tensor) -> tuple[tf.Tensor, ...]:
    # Segments of applications (APPn) and comments (COM) come before what the image consists of.
    head = numbers(contents, position, 4)
    marker, length = head[1], big_endian(head[2:])
    filling = tf.equal(marker, 255)
    passed = ((marker >= 0xE0) & (marker <= 0xEF)) | tf.equal(marker, 0xFE)
    here = tf.equal(marker, 0xE1) & tf.equal(piece(contents, position + 4, 6), b"Exif\0\0")
    following = tf.where(filling, position + 1, tf.where(passed, position + 2 + length, 0))
    following = tf.where(tf.equal(head[0], 255) & (filling | (length >= 2)), following, 0)
    return here & tf.equal(head[0], 255), position + 10, length - 8, following


def _in_png(contents: tf.Tensor, position: tf.Tensor) -> tuple[tf.Tensor, ...]:
    # PNG specification, third edition, 5.6: eXIf comes before IDAT.
    length, name = big_endian(numbers(contents, position, 4)), piece(contents, position + 4, 4)
    at_end = tf.equal(name, "IDAT") | tf.equal(name, "")
    return (
        tf.equal(name, "eXIf"),
        position + 8,
        length,
        tf.where(at_end, tf.zeros_like(position), position + 12 + length),
    )


def _in_webp(contents: tf.Tensor, position: tf.Tensor) -> tuple[tf.Tensor, ...]:
    name, length = piece(contents, position, 4), little_endian(numbers(contents, position + 4, 4))
    # Some writers put the beginning of JPEG's segment there too.
    extra = tf.where(tf.equal(piece(contents, position + 8, 6), b"Exif\0\0"), 6, 0)
    extra = tf.cast(extra, tf.int64)
    following = position + 8 + length + length % 2
    following = tf.where(tf.equal(name, ""), tf.zeros_like(position), following)
    return tf.equal(name, "EXIF"), position + 8 + extra, length - extra, following


def _orientation_in(tiff: tf.Tensor) -> tf.Tensor:
    """Reads the orientation in the first directory of EXIF data, which are a TIFF file."""
    intel = tf.equal(piece(tiff, 0, 2), "II")

    def number(digits: tf.Tensor) -> tf.Tensor:
        return tf.where(intel, little_endian(digits), big_endian(digits))

    directory = number(numbers(tiff, 4, 4))
    count = number(numbers(tiff, directory, 2))
    there = (tf.cast(tf.strings.length(tiff), tf.int64) - directory - 2) // 12
    count = tf.maximum(tf.minimum(count, there), 0)
    entries = tf.io.decode_raw(piece(tiff, directory + 2, 12 * count), tf.uint8)
    entries = tf.cast(tf.reshape(entries, [-1, 12]), tf.int64)
    tag, kind = number(entries[:, 0:2]), number(entries[:, 2:4])
    value = tf.where(tf.equal(kind, 4), number(entries[:, 8:12]), number(entries[:, 8:10]))
    known = tf.equal(tag, _ORIENTATION) & (tf.equal(kind, 3) | tf.equal(kind, 4))
    found = tf.boolean_mask(value, known & (value >= 1) & (value <= 8))
    return tf.cast(tf.concat([found, [1]], 0)[0], tf.int32)
