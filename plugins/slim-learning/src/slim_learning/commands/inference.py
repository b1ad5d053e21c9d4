"""From pictures to classes, preprocessing included: what `slim predict` and `slim export` share."""

import os
import shutil
from pathlib import Path
from typing import Any

import tensorflow as tf
from slim_data._error_context import BAD_DATA, reason
from slim_data._images import decode_image

import slimcore as slim
from slim_learning.tasks import Task
from slimcore.errors import DataError, RunError

MOST_CONSTANTS = 2**31 - 2**24
"""Bytes of constants that a SavedModel holds: its graph is below 2 GiB, of which 16 MiB are left
for what is not weights."""


class Inference(tf.Module):
    """A trained network as functions of pictures, which can be saved as a SavedModel.

    Its two signatures take `images`, uint8 [batch, height, width, channels] of any size, and
    `encoded`, the bytes of image files, string [batch]. Both return a dict: `logits` and
    `probabilities`, float32 [batch, classes]; `classes`, int64 [batch], the likeliest, and
    `labels`, string [batch], their names.
    """

    def __init__(self, task: Task, model: slim.Module, frozen: bool = False) -> None:
        """Makes the two functions; they are traced at their first call, or when saved.

        Args:
            task: What the network was trained to do.
            model: The network, with its trained values.
            frozen: Whether these become constants; see `slim.Module.frozen`.

        Raises:
            RunError: They are to become constants, and are too large for a SavedModel.
        """
        super().__init__()
        size = sum(v.dtype.size * (v.shape.num_elements() or 0) for v in model.variables)
        if frozen and size >= MOST_CONSTANTS:
            raise RunError(
                f"the weights take {size:,} bytes, and a SavedModel holds less than "
                f"{MOST_CONSTANTS:,} of constants; leave --frozen out"
            )
        self._task = task
        # Of a frozen model no attribute holds the variables, which would be saved with it.
        self._network = model.frozen if frozen else model
        pixels = tf.TensorSpec([None, None, None, task.channels], tf.uint8, "images")
        contents = tf.TensorSpec([None], tf.string, "encoded")
        self.images = tf.function(self._classified, [pixels], autograph=False)
        self.encoded = tf.function(self._decoded, [contents], autograph=False)
        # Traced once, for both, since constants of hundreds of megabytes may be in it.
        ready = tf.TensorSpec([None, *task.input_shape[1:]], tf.float32, "ready")
        self._predicted = tf.function(self._predict, [ready], autograph=False)
        self.labels = tf.constant(task.labels or [str(i) for i in range(task.num_classes)])

    @property
    def signatures(self) -> dict[str, Any]:
        """The functions by the names that `tf.saved_model.load` gives them."""
        return {"serving_default": self.images, "encoded": self.encoded}

    def classify_file(self, path: str) -> dict[str, tf.Tensor]:
        """Returns what the network says of one image file.

        Raises:
            DataError: It is not there, or no image that a decoder can read.
        """
        try:
            # Decoded here, outside of the function, where TensorFlow's error is about the file.
            image = decode_image(Path(path).read_bytes(), channels=self._task.channels)
            return self.images(image[tf.newaxis])
        except OSError as error:
            raise DataError(f"{path} cannot be read: {error.strerror}") from error
        except BAD_DATA as error:
            raise DataError(f"{path} is no image that can be read: {reason(error)}") from error

    def _classified(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        return self._predicted(_each(self._task.preprocess, images))

    def _decoded(self, encoded: tf.Tensor) -> dict[str, tf.Tensor]:
        channels = self._task.channels
        return self._predicted(
            _each(lambda c: self._task.preprocess(decode_image(c, channels=channels)), encoded)
        )

    def _predict(self, ready: tf.Tensor) -> dict[str, tf.Tensor]:
        logits, _ = self._network(ready, is_training=False)
        classes = tf.argmax(logits, axis=-1)
        return {
            "logits": logits,
            "probabilities": tf.nn.softmax(logits),
            "classes": classes,
            "labels": tf.gather(self.labels, classes),
        }


def _each(prepare: Any, pictures: tf.Tensor) -> tf.Tensor:
    return tf.map_fn(prepare, pictures, fn_output_signature=tf.float32)


def save(inference: Inference, folder: str) -> None:
    """Writes a SavedModel, beside its place and then renamed.

    Raises:
        RunError: The folder is there already and not empty, or cannot be written.
    """
    target = Path(folder)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise RunError(f"{folder} is there already; choose a new folder, or remove it first")
    beside = target.with_name(f"{target.name}.{os.getpid()}.tmp")
    try:
        tf.saved_model.save(inference, str(beside), signatures=inference.signatures)
        if target.exists():
            target.rmdir()
        os.replace(beside, target)
    except (OSError, tf.errors.OpError) as error:
        shutil.rmtree(beside, ignore_errors=True)
        why = getattr(error, "strerror", None) or str(error).splitlines()[0]
        raise RunError(f"cannot write a SavedModel to {folder}: {why}") from error
