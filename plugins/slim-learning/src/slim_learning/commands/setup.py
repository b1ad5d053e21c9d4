"""What a run is about, which network on which data; the commands share it through `run.json`."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import tensorflow as tf
from slim_data._error_context import explained

import slim_learning.run.run_record as record
import slimcore as slim
import slimcore.checkpoints as checkpoints
import slimcore.registry as registry
from slim_learning.optim.ema import SUFFIX
from slimcore.errors import DataError, InputError, RunError

_BELOW = "has labels below --labels-offset"


@dataclass(frozen=True)
class Task:
    """A network, a dataset, and how images are made ready for the network.

    Attributes:
        network: Name of the net.
        dataset: Name of the dataset.
        dataset_dir: The folder with its files; None where they are bundled.
        preprocessing: Name of the preprocessing; None only turns images to floats.
        image_size: Height and width that the network sees, in pixels.
        channels: Of the images.
        num_classes: How many classes there are.
        labels: Their names; empty where they have none.
        labels_offset: Taken off each label of the dataset, whose first classes are left out.
    """

    network: str
    dataset: str
    dataset_dir: str | None
    preprocessing: str | None
    image_size: int
    channels: int
    num_classes: int
    labels: tuple[str, ...]
    labels_offset: int = 0

    def record(self) -> dict[str, Any]:
        """Returns what `run.json` says of it, the versions of its components included."""
        components = {
            "network": record.component("net", self.network),
            "dataset": record.component("dataset", self.dataset),
        }
        if self.preprocessing:
            components["preprocessing"] = record.component("preprocessing", self.preprocessing)
        decoders = (c for c in registry.components("decoder") if c.name.startswith("image/"))
        for name in sorted({c.name for c in decoders}):
            components[f"decoder {name}"] = record.component("decoder", name)
        return {**asdict(self), "components": components}

    def load(self, split: str, batch_size: int, **options: Any) -> tf.data.Dataset:
        """Returns the batches of a split, as `slim.data.load` does, ready for the network.

        A label that is none of the classes ends the iteration with a DataError; `labels_offset` is
        taken off the others.
        """
        batches = slim.data.load(
            self.dataset,
            split,
            batch_size,
            dataset_dir=self.dataset_dir,
            preprocessing=self.preprocessing,
            image_size=self.image_size,
            **options,
        )
        # That the labels are among the dataset's classes, slim.data has checked.
        return self._without_offset(batches) if self.labels_offset else batches

    def _without_offset(self, batches: tf.data.Dataset) -> tf.data.Dataset:
        offset, known = self.labels_offset, batches.explain
        told = f"dataset {self.dataset} {_BELOW} {offset}; leave these examples out, or lower it"

        def shifted(batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
            good = tf.reduce_all(batch["label"] >= offset)
            with tf.control_dependencies([tf.debugging.Assert(good, [told])]):
                return {**batch, "label": batch["label"] - offset}

        def explain(error: tf.errors.OpError) -> Exception:
            return DataError(told) if _BELOW in str(error.message) else known(error)

        return explained(batches.map(shifted), explain)

    def model(self, weight_decay: float = 0.0, precision: str | None = None) -> slim.Module:
        """Returns the network with variables of its own, which its first call makes."""
        network = slim.nets.get_network_fn(
            self.network, self.num_classes, weight_decay=weight_decay
        )
        return slim.Module(network, precision=precision)

    def preprocess(self, image: tf.Tensor) -> tf.Tensor:
        """Makes one image [height, width, channels], uint8, ready for the network in use."""
        size = self.image_size
        if self.preprocessing is None:
            ready = tf.image.resize(tf.cast(image, tf.float32), [size, size])
        else:
            ready = slim.lookup("preprocessing", self.preprocessing)(image, size, size, False)
        return tf.ensure_shape(ready, [size, size, self.channels])

    @property
    def input_shape(self) -> list[int]:
        """The shape of one image as the network takes it, with a batch of one."""
        return [1, self.image_size, self.image_size, self.channels]

    def restored_model(self, logdir: str, averaged: bool = False) -> tuple[slim.Module, str]:
        """Returns the network with the values of a run's newest checkpoint, and its path.

        Args:
            logdir: The run's folder.
            averaged: Whether the moving averages of the weights take their place.

        Raises:
            RunError: There is no checkpoint yet, or it holds no averages and they are asked for.
            CheckpointError: It does not fit the network.
        """
        path = newest_checkpoint(logdir)
        model = self.model()
        build(model, self.input_shape)
        averages = _averages_in(path, model) if averaged else {}
        model.restore(path, rename=lambda name: averages.get(name, name))
        return model, path


def _averages_in(path: str, model: slim.Module) -> dict[str, str]:
    there = checkpoints.load(path).get_variable_to_shape_map()
    found = {name: name + SUFFIX for name in model.named_variables if name + SUFFIX in there}
    if not found:
        raise RunError(
            f"checkpoint {path} holds no moving averages: leave --averaged out, or train with "
            "--moving-average-decay"
        )
    return found


def newest_checkpoint(logdir: str) -> str:
    """Returns the prefix of a run's newest checkpoint.

    Raises:
        RunError: There is none yet.
    """
    path = checkpoints.latest(logdir)
    if path is None:
        raise RunError(
            f"there is no checkpoint in {logdir} yet: slim train saves the first after "
            "--save-secs seconds or at the end"
        )
    return path


def build(model: slim.Module, shape: list[int]) -> None:
    """Makes the variables of a network, by tracing it on images of a shape; computes nothing."""
    function = tf.function(lambda images: model(images, is_training=False)[0], autograph=False)
    function.get_concrete_function(tf.TensorSpec(shape, tf.float32))


def new_task(
    network: str,
    dataset: str,
    dataset_dir: str | None = None,
    split: str = "train",
    preprocessing: str | None = None,
    image_size: int | None = None,
    labels_offset: int = 0,
) -> Task:
    """Returns the task of a network and a dataset; what is not given follows from these two.

    Raises:
        UnknownComponentError: A name that nobody offers; the nearest are given.
        DataError: A file of the dataset is missing.
    """
    component = slim.component("net", network)
    described = slim.data.get_dataset(dataset, split, dataset_dir)
    net = component.load()
    image_size = (
        image_size
        or component.details.get("image_size")
        or getattr(net, "default_image_size", None)
    )
    if image_size is None:
        raise InputError(f"network {network} states no image size; give one with --image-size")
    preprocessing = preprocessing or component.details.get("preprocessing")
    num_classes = getattr(described, "num_classes", None)
    if not num_classes:
        raise InputError(f"dataset {dataset} states no number of classes, which training needs")
    if labels_offset >= num_classes:
        raise InputError(
            f"--labels-offset {labels_offset} leaves none of the {num_classes} classes of {dataset}"
        )
    names = getattr(described, "labels_to_names", None) or {}
    task = Task(
        network=network,
        dataset=dataset,
        dataset_dir=dataset_dir,
        preprocessing=preprocessing,
        image_size=int(image_size),
        channels=0,
        num_classes=int(num_classes) - labels_offset,
        labels=tuple(str(names[i]) for i in sorted(names) if i >= labels_offset),
        labels_offset=labels_offset,
    )
    # Nothing is read here, and whoever reads says how much may be corrupt.
    images = task.load(split, 1, skip_corrupt=1).element_spec["image"]
    return Task(**{**asdict(task), "channels": images.shape[-1]})


def recorded_task(record: Mapping[str, Any], logdir: str) -> Task:
    """Returns the task of a record.

    Raises:
        RunError: It is no record of `slim train`.
    """
    try:
        values = {name: record[name] for name in Task.__dataclass_fields__}
    except KeyError as error:
        raise RunError(
            f"{logdir}/run.json says no {error.args[0]}: only runs of slim train can be used here"
        ) from error
    return Task(**{**values, "labels": tuple(values["labels"])})
