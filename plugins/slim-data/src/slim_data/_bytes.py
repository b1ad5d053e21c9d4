"""Numbers and pieces of a string tensor, with zeros where it has ended already."""

import tensorflow as tf


def piece(contents: tf.Tensor, start: tf.Tensor | int, length: tf.Tensor | int) -> tf.Tensor:
    """Returns up to `length` bytes from `start` on, a scalar string; none beyond the end."""
    size = tf.strings.length(contents)
    start = tf.minimum(tf.cast(start, tf.int64), tf.cast(size, tf.int64))
    length = tf.minimum(tf.cast(length, tf.int64), tf.cast(size, tf.int64))
    return tf.strings.substr(contents, start, length)


def numbers(contents: tf.Tensor, start: tf.Tensor | int, count: int) -> tf.Tensor:
    """Returns `count` bytes from `start` on as int64 [count], zeros beyond the end."""
    found = tf.io.decode_raw(piece(contents, start, count), tf.uint8, fixed_length=count)
    return tf.cast(tf.ensure_shape(found, [count]), tf.int64)


def little_endian(digits: tf.Tensor) -> tf.Tensor:
    """Returns the number that bytes [..., n] make, the least significant first."""
    count = digits.shape[-1]
    return tf.reduce_sum(digits * [256**n for n in range(count)], -1)


def big_endian(digits: tf.Tensor) -> tf.Tensor:
    """Returns the number that bytes [..., n] make, the most significant first."""
    return little_endian(tf.reverse(digits, [-1]))


def as_bytes(number: tf.Tensor, count: int) -> tf.Tensor:
    """Returns a number as a scalar string of `count` bytes, the least significant first."""
    digits = number // [256**n for n in range(count)] % 256
    return tf.strings.reduce_join(tf.gather(tf.constant([bytes([n]) for n in range(256)]), digits))
