"""The first frame of an animation as a file of its own, so that no other is decoded.

The decoders of TensorFlow decode every frame. Here the blocks of the file are followed up to the
end of the first frame, whose size is then known too; all in TensorFlow's operations, which a
SavedModel can hold.
"""

import tensorflow as tf

from slim_data._bytes import as_bytes, little_endian, numbers, piece

_MOST_CHUNKS = 1000  # that are passed over on the way to the first frame of a WebP


def first_frame_of_gif(contents: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Cuts a GIF off behind its first frame.

    Args:
        contents: Scalar string.

    Returns:
        The shortened GIF, and the width and height of the frame, int64 [2]. Where no frame is
        found, the file as it is, and zeros.

    Source: GIF89a specification, sections 17 to 24.
    """
    # The padding lets no step end outside.
    data = tf.concat([tf.io.decode_raw(contents, tf.uint8), tf.zeros([256], tf.uint8)], 0)
    data = tf.cast(data, tf.int32)

    def behind_table(position: tf.Tensor, flags: tf.Tensor) -> tf.Tensor:
        entries = tf.bitwise.left_shift(2, tf.bitwise.bitwise_and(flags, 7))
        return position + tf.where(flags >= 128, 3 * entries, 0)

    def behind_blocks(position: tf.Tensor) -> tf.Tensor:
        # Nearly all blocks are of 255 bytes: one look at every 256th byte passes over them.
        def step(position: tf.Tensor) -> tuple[tf.Tensor]:
            sizes = data[position::256]
            last = position + 256 * tf.argmax(tf.not_equal(sizes, 255), output_type=tf.int32)
            return (tf.where(data[last] > 0, last + data[last] + 1, last),)

        (end,) = tf.while_loop(lambda position: data[position] > 0, step, (position,))
        return end + 1

    def within(position: tf.Tensor) -> tf.Tensor:
        return tf.minimum(position, tf.size(data) - 256)

    start = within(behind_table(tf.constant(13), tf.cast(numbers(contents, 10, 1)[0], tf.int32)))
    (start,) = tf.while_loop(
        lambda position: tf.equal(data[position], 0x21),  # an extension
        lambda position: (within(behind_blocks(position + 2)),),
        (start,),
    )
    header = numbers(contents, start, 10)
    is_frame = tf.equal(header[0], 0x2C)
    size = tf.where(is_frame, little_endian(tf.reshape(header[5:9], [2, 2])), 0)

    def cut() -> tf.Tensor:
        pixels = within(behind_table(start + 10, tf.cast(header[9], tf.int32)) + 1)
        return tf.strings.join([piece(contents, 0, behind_blocks(pixels)), ";"])

    return tf.cond(is_frame, cut, lambda: contents), size


def size_of_webp(contents: tf.Tensor) -> tf.Tensor:
    """Returns the width and height of a WebP, or of its canvas, int64 [2].

    Source: https://developers.google.com/speed/webp/docs/riff_container and RFC 6386, section 9.1.
    """
    kind, data = piece(contents, 12, 4), numbers(contents, 0, 30)
    lossless = little_endian(data[21:25])
    sizes = {
        "VP8X": little_endian(tf.reshape(data[24:30], [2, 3])) + 1,
        "VP8L": tf.stack([lossless % 2**14, lossless // 2**14 % 2**14]) + 1,
        "VP8 ": little_endian(tf.reshape(data[26:30], [2, 2])) % 2**14,
    }
    return sum(tf.where(tf.equal(kind, name), size, 0) for name, size in sizes.items())


def is_animated_webp(contents: tf.Tensor) -> tf.Tensor:
    """Returns whether a WebP says that it is an animation."""
    flags = numbers(contents, 20, 1)[0]
    return tf.equal(piece(contents, 12, 4), "VP8X") & tf.equal(flags // 2 % 2, 1)


def first_frame_of_webp(contents: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Makes a still image of the first frame of an animated WebP.

    Args:
        contents: Scalar string.

    Returns:
        The WebP of the frame, and where on the canvas it lies, int64 [x, y, width, height].
    """

    def at_chunk(position: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return piece(contents, position, 4), little_endian(numbers(contents, position + 4, 4))

    def other(position: tf.Tensor) -> tf.Tensor:
        name, _ = at_chunk(position)
        return tf.not_equal(name, "ANMF") & tf.not_equal(name, "")

    def following(position: tf.Tensor) -> tuple[tf.Tensor]:
        size = at_chunk(position)[1]
        return (position + 8 + size + size % 2,)

    (position,) = tf.while_loop(
        other, following, (tf.constant(12, tf.int64),), maximum_iterations=_MOST_CHUNKS
    )
    start, size = position + 8, at_chunk(position)[1]
    place = little_endian(tf.reshape(numbers(contents, start, 12), [4, 3]))
    place = place * [2, 2, 1, 1] + [0, 0, 1, 1]
    header = tf.strings.join(["VP8X", as_bytes(tf.constant(10, tf.int64), 4), "\x10\0\0\0"])
    frame = piece(contents, start + 16, tf.maximum(size - 16, 0))
    parts = tf.strings.join(["WEBP", header, piece(contents, start + 6, 6), frame])
    length = tf.cast(tf.strings.length(parts), tf.int64)
    return tf.strings.join(["RIFF", as_bytes(length, 4), parts]), place
