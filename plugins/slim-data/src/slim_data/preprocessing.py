"""Makes images ready for a network: `preprocess(image, height, width, is_training, seed=None)`.

The families are those of research/slim. Each is a window to cut out and what is done to it then,
apart, so that a pipeline can decode nothing but the window of a JPEG. Randomness comes from `seed`
alone: the same image and seed give the same result.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass

import tensorflow as tf

Window = Callable[[tf.Tensor, int, int, bool, tf.Tensor], tf.Tensor]
Finish = Callable[[tf.Tensor, int, int, bool, tf.Tensor], tf.Tensor]


@dataclass(frozen=True)
class Preprocessing:
    """A window to cut out of an image, and what is done to it then.

    Attributes:
        window: From the image's shape [3], the height and width wanted, whether it is for
            training, and a seed [2], to int32 [y, x, height, width]; None for the whole image.
        finish: From the window as uint8, and the same arguments, to a float32 image.
    """

    window: Window | None
    finish: Finish

    def __call__(
        self,
        image: tf.Tensor,
        height: int,
        width: int,
        is_training: bool = False,
        seed: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """Cuts, distorts (in training), resizes and scales an image.

        Args:
            image: uint8 tensor [h, w, channels].
            height: Height of the result, in pixels.
            width: Width of the result, in pixels.
            is_training: Whether to distort at random.
            seed: int tensor [2] that decides the distortions; drawn anew by default.

        Returns:
            float32 tensor [height, width, channels].
        """
        if seed is None:
            seed = tf.random.uniform([2], maxval=tf.int32.max, dtype=tf.int32)
        if self.window is not None:
            window = self.window(tf.shape(image), height, width, is_training, seed)
            y, x, h, w = tf.unstack(window, 4)
            image = image[y : y + h, x : x + w]
        return self.finish(image, height, width, is_training, seed)


# lenet


def _lenet(image: tf.Tensor, height: int, width: int, training: bool, seed: tf.Tensor) -> tf.Tensor:
    return (tf.image.resize(image, [height, width]) - 128.0) / 128.0


lenet = Preprocessing(None, _lenet)
"""Resizes, and scales to [-1, 1). research/slim pads small images instead, which is the same for
the 28x28 images of MNIST, and would leave the 8x8 digits a speck in the middle."""


# cifarnet

_PADDING = 4


def _cifarnet(
    image: tf.Tensor, height: int, width: int, training: bool, seed: tf.Tensor
) -> tf.Tensor:
    image = tf.image.resize(image, [height, width])
    if training:
        where, flip, brightness, contrast = _split(seed, 4)
        image = tf.pad(image, [[_PADDING] * 2, [_PADDING] * 2, [0, 0]])
        y, x = tf.unstack(
            tf.random.stateless_uniform([2], where, 0, 2 * _PADDING + 1, dtype=tf.int32)
        )
        image = image[y : y + height, x : x + width]
        image = tf.image.stateless_random_flip_left_right(image, flip)
        image = tf.image.stateless_random_brightness(image, 63, brightness)
        image = tf.image.stateless_random_contrast(image, 0.2, 1.8, contrast)
    image = tf.ensure_shape(image, [height, width, None])
    return tf.image.per_image_standardization(image)


cifarnet = Preprocessing(None, _cifarnet)
"""Scales each image to mean 0 and variance 1. In training: a random crop after 4 pixels of
padding, a random flip, brightness by up to 63 and contrast by 0.2 to 1.8. An image of another size
is resized first."""


# vgg

_MEANS = (123.68, 116.78, 103.94)  # of red, green and blue, over ImageNet
_SHORTER_SIDE = (256, 512)  # of which the network sees 224 x 224


def _vgg_window(
    shape: tf.Tensor, height: int, width: int, training: bool, seed: tf.Tensor
) -> tf.Tensor:
    # To resize the shorter side to s and cut out 224 is to cut out 224/s of it and resize that.
    size = tf.cast(shape[:2], tf.float32)
    side = float(_SHORTER_SIDE[0])
    place = tf.constant([0.5, 0.5])
    if training:
        scale_seed, place_seed, _ = _split(seed, 3)
        low, high = _SHORTER_SIDE
        side = tf.random.stateless_uniform([], scale_seed, low, high + 1, dtype=tf.int32)
        place = tf.random.stateless_uniform([2], place_seed)
    wanted = tf.constant([height, width], tf.float32)
    scale = tf.reduce_min(size) * (224.0 / tf.cast(side, tf.float32)) / max(height, width)
    window = tf.maximum(tf.floor(tf.minimum(wanted * scale, size)), 1.0)
    start = tf.floor((size - window + (1.0 if training else 0.0)) * place)
    return tf.cast(tf.concat([start, window], 0), tf.int32)


def _vgg(image: tf.Tensor, height: int, width: int, training: bool, seed: tf.Tensor) -> tf.Tensor:
    image = tf.image.resize(_coloured(image), [height, width])
    if training:
        image = tf.image.stateless_random_flip_left_right(image, _split(seed, 3)[2])
    return tf.ensure_shape(image - _MEANS, [height, width, 3])


vgg = Preprocessing(_vgg_window, _vgg)
"""Resizes the shorter side to 256 (in training, to 256 to 512), of which it cuts 224 x 224 out of
the middle (at random, and flips at random), and subtracts the means 123.68, 116.78 and 103.94. For
another size than 224 all is in proportion. Grey becomes colour.

Source: Simonyan and Zisserman, 2014, arXiv:1409.1556, section 3.1."""


# inception


def _inception_window(
    shape: tf.Tensor, height: int, width: int, training: bool, seed: tf.Tensor
) -> tf.Tensor:
    if not training:
        margin = tf.cast(tf.cast(shape[:2], tf.float32) * (1 - 0.875) / 2, tf.int32)
        return tf.concat([margin, shape[:2] - 2 * margin], 0)
    start, size, _ = tf.image.stateless_sample_distorted_bounding_box(
        shape,
        tf.constant([[[0.0, 0.0, 1.0, 1.0]]]),
        _split(seed, 3)[0],
        min_object_covered=0.1,
        aspect_ratio_range=(0.75, 1.33),
        area_range=(0.05, 1.0),
        max_attempts=100,
    )
    return tf.concat([start[:2], size[:2]], 0)


def _inception(
    image: tf.Tensor, height: int, width: int, training: bool, seed: tf.Tensor
) -> tf.Tensor:
    image = tf.image.resize(_coloured(image), [height, width]) / 255.0
    if training:
        _, flip, colour = _split(seed, 3)
        image = tf.image.stateless_random_flip_left_right(image, flip)
        image = tf.clip_by_value(_recoloured(image, colour), 0.0, 1.0)
    return tf.ensure_shape(image * 2.0 - 1.0, [height, width, 3])


def _recoloured(image: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Changes brightness, saturation, hue and contrast, in one of four orders."""
    order, *seeds = _split(seed, 5)
    brightness, saturation, hue, contrast = (
        lambda i: tf.image.stateless_random_brightness(i, 32 / 255, seeds[0]),
        lambda i: tf.image.stateless_random_saturation(i, 0.5, 1.5, seeds[1]),
        lambda i: tf.image.stateless_random_hue(i, 0.2, seeds[2]),
        lambda i: tf.image.stateless_random_contrast(i, 0.5, 1.5, seeds[3]),
    )
    orders = (
        (brightness, saturation, hue, contrast),
        (saturation, brightness, contrast, hue),
        (contrast, hue, brightness, saturation),
        (hue, saturation, contrast, brightness),
    )

    def applied(changes: tuple[Callable[[tf.Tensor], tf.Tensor], ...]) -> tf.Tensor:
        changed = image
        for change in changes:
            changed = change(changed)
        return changed

    chosen = tf.random.stateless_uniform([], order, 0, len(orders), dtype=tf.int32)
    return tf.switch_case(chosen, [functools.partial(applied, order) for order in orders])


inception = Preprocessing(_inception_window, _inception)
"""Cuts out the central 87.5 % of height and width, resizes and scales to [-1, 1]. In training: a
random box of 5 to 100 % of the area and aspect 0.75 to 1.33, a random flip, and random changes of
brightness, saturation, hue and contrast. Grey becomes colour.

Source: Szegedy et al., 2014, arXiv:1409.4842, section 6."""


def _split(seed: tf.Tensor, count: int) -> list[tf.Tensor]:
    return tf.unstack(tf.random.split(tf.cast(seed, tf.int32), count), count)


def _coloured(image: tf.Tensor) -> tf.Tensor:
    return tf.image.grayscale_to_rgb(image) if image.shape[-1] == 1 else image
