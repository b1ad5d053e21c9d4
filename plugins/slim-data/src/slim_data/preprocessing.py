"""Makes images ready for a network: `preprocess(image, height, width, is_training, seed=None)`.

The families are those of research/slim. Each is a window to cut out and what is done to it then,
apart, so that a pipeline can decode nothing but the window of a JPEG. Chance comes from `seed`
alone: the same image and seed give the same result.
"""

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
            height, width: Wanted, in pixels.
            is_training: Whether chance takes part.
            seed: int tensor [2] that decides it; drawn anew by default.

        Returns:
            float32 tensor [height, width, channels].
        """
        if seed is None:
            seed = tf.random.uniform([2], maxval=tf.int32.max, dtype=tf.int32)
        if self.window is not None:
            y, x, h, w = tf.unstack(
                self.window(tf.shape(image), height, width, is_training, seed), 4
            )
            image = image[y : y + h, x : x + w]
        result = self.finish(image, height, width, is_training, seed)
        return tf.ensure_shape(result, [height, width, None])


def _lenet_finish(
    image: tf.Tensor, height: int, width: int, is_training: bool, seed: tf.Tensor
) -> tf.Tensor:
    del is_training, seed
    return (tf.image.resize(image, [height, width]) - 128.0) / 128.0


lenet = Preprocessing(None, _lenet_finish)
"""Resizes, and scales to [-1, 1). research/slim pads small images instead, which is the same for
the 28x28 images of MNIST, and would leave the 8x8 digits a speck in the middle."""
