"""From images to predictions, preprocessing included: for `slim predict` and `slim export`."""

import os
import secrets
import shutil
import stat
from pathlib import Path
from typing import Any

import tensorflow as tf

import slimcore as slim
from slim_learning.commands.setup import Setup
from slimcore.data_errors import BAD_DATA
from slimcore.errors import DataError, InputError, RunError, first_line

MOST_CONSTANTS = 2**31 - 2**24
"""Bytes of constants that a SavedModel holds: its graph is below 2 GiB, of which 16 MiB are left
for what is not weights."""


class Inference(tf.Module):
    """A trained network as functions of images, which can be saved as a SavedModel.

    Its two signatures take `images`, uint8 [batch, height, width, channels] of any size, and
    `encoded`, the bytes of image files, string [batch]. Both return what the task predicts.
    """

    def __init__(self, setup: Setup, model: slim.Module, frozen: bool = False) -> None:
        """Makes the two functions; they are traced at their first call, or when saved.

        Args:
            setup: What the network was trained to do.
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
        self._setup = setup
        # Of a frozen model no attribute holds the variables, which would be saved with it.
        self._network = model.frozen if frozen else model
        pixels = tf.TensorSpec([None, None, None, setup.channels], tf.uint8, "images")
        contents = tf.TensorSpec([None], tf.string, "encoded")
        self.images = tf.function(self._of_images, [pixels], autograph=False)
        self.encoded = tf.function(self._of_files, [contents], autograph=False)
        # Traced once, for both, since constants of hundreds of megabytes may be in it.
        ready = tf.TensorSpec([None, *setup.input_shape[1:]], tf.float32, "ready")
        self._predicted = tf.function(self._predict, [ready], autograph=False)

    @property
    def signatures(self) -> dict[str, Any]:
        """The functions by the names that `tf.saved_model.load` gives them."""
        return {"serving_default": self.images, "encoded": self.encoded}

    def predict_file(self, path: str) -> dict[str, Any]:
        """Returns what is predicted from one image file, as arrays without a batch axis.

        Raises:
            DataError: It is not there, or not an image that a decoder can read.
        """
        try:
            # Decoded here, outside of the function, where TensorFlow's error is about the file.
            image = self._decode(Path(path).read_bytes())
            predicted = self.images(image[tf.newaxis])
        except OSError as error:
            raise DataError(f"cannot be read: {error.strerror}") from error
        except BAD_DATA as error:
            why = first_line(error).removeprefix("not a readable image: ")
            raise DataError(f"is not a readable image: {why}") from error
        return {name: value[0].numpy() for name, value in predicted.items()}

    def _of_images(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        return self._predicted(_each(self._setup.preprocess, images))

    def _of_files(self, encoded: tf.Tensor) -> dict[str, tf.Tensor]:
        return self._predicted(_each(lambda c: self._setup.preprocess(self._decode(c)), encoded))

    def _decode(self, contents: Any) -> tf.Tensor:
        return slim.data.decode_image(contents, channels=self._setup.channels)

    def _predict(self, ready: tf.Tensor) -> dict[str, tf.Tensor]:
        outputs, _ = self._network(ready, is_training=False)
        return self._setup.task.predict(outputs)


def _each(prepare: Any, images: tf.Tensor) -> tf.Tensor:
    return tf.map_fn(prepare, images, fn_output_signature=tf.float32)


def require_file(path: str) -> None:
    """Refuses what is neither a file nor a folder: to read it could wait for ever.

    Raises:
        InputError: It is a pipe, a socket or a device.
    """
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return  # told with the reason when it is read
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise InputError(f"{path} is not a file but a pipe or a device; write the image to a file")


def save(inference: Inference, folder: str) -> None:
    """Writes a SavedModel, beside its place and then renamed.

    Raises:
        RunError: The folder is there already and not empty, or cannot be written.
    """
    target = Path(os.path.abspath(folder))
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise RunError(f"{folder} is there already; choose a new folder, or remove it first")
    beside = target.with_name(f".{target.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
    try:
        tf.saved_model.save(inference, str(beside), signatures=inference.signatures)
        if target.exists():
            target.rmdir()
        os.replace(beside, target)
    except (OSError, tf.errors.OpError) as error:
        why = getattr(error, "strerror", None) or first_line(error)
        raise RunError(f"cannot write a SavedModel to {folder}: {why}") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)
