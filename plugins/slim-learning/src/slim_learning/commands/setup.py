"""What a run is made of: a task, a network, a dataset and a preprocessing, kept in `run.json`."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import tensorflow as tf

import slim_learning.run.run_record as run_record
import slim_learning.task as tasks
import slimcore as slim
import slimcore.checkpoints as checkpoints
import slimcore.registry as registry
from slim_learning.optim.ema import SUFFIX
from slim_learning.task import Batch, Task
from slimcore.data_errors import explain_by, explained
from slimcore.errors import InputError, RunError

CLASSIFICATION = "classification"
"""The task where none is said, and of the runs of before there were others."""

# Where a run of before there were tasks keeps what is now the configuration of its task.
_FORMERLY = ("num_classes", "labels", "labels_offset")


@dataclass(frozen=True)
class Setup:
    """A task, a network, a dataset, and how images are made ready for the network.

    Attributes:
        task: What is learnt.
        task_name: Its name.
        network: Name of the network.
        dataset: Name of the dataset.
        dataset_dir: The folder with its files; None where they are bundled.
        preprocessing: Name of the preprocessing; None only turns images into floats.
        image_size: Height and width that the network sees, in pixels.
        channels: Number of channels of an image.
    """

    task: Task
    task_name: str
    network: str
    dataset: str
    dataset_dir: str | None
    preprocessing: str | None
    image_size: int
    channels: int

    def record(self) -> dict[str, Any]:
        """Returns what `run.json` says of it, the versions of its components included."""
        components = {
            "task": run_record.component("task", self.task_name),
            "network": run_record.component("net", self.network),
            "dataset": run_record.component("dataset", self.dataset),
        }
        if self.preprocessing:
            components["preprocessing"] = run_record.component("preprocessing", self.preprocessing)
        decoders = (c for c in registry.components("decoder") if c.name.startswith("image/"))
        for name in sorted({c.name for c in decoders}):
            components[f"decoder {name}"] = run_record.component("decoder", name)
        facts = {name: getattr(self, name) for name in _RECORDED}
        config = {"task": self.task_name, "task_config": self.task.config()}
        return {**config, **facts, "components": components}

    def load(self, split: str, batch_size: int, **options: Any) -> tf.data.Dataset:
        """Returns the batches of a split, as `slim.data.load` does, ready for network and task.

        Data that the task cannot take end the iteration with a DataError.
        """
        batches = slim.data.load(
            self.dataset,
            split,
            batch_size,
            dataset_dir=self.dataset_dir,
            preprocessing=self.preprocessing,
            image_size=self.image_size,
            items=("image", *self.task.items),
            **options,
        )
        prepare = self.task.prepare
        if prepare is None:
            return batches

        @tf.autograph.experimental.do_not_convert
        def prepared(batch: Batch) -> Batch:
            return prepare(batch)

        def explain(error: Exception) -> Exception:
            return tasks.unmet(error) or explained(batches, error)

        ready = batches.map(prepared)
        explain_by(ready, explain)
        return ready

    def model(self, weight_decay: float = 0.0, precision: str | None = None) -> slim.Module:
        """Returns the network with variables of its own, which its first call makes."""
        network = slim.nets.get_network_fn(
            self.network, self.task.num_outputs, weight_decay=weight_decay
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


_RECORDED = tuple(f.name for f in fields(Setup) if not f.name.startswith("task"))


def _averages_in(path: str, model: slim.Module) -> dict[str, str]:
    there = checkpoints.load(path).get_variable_to_shape_map()
    found = {name: name + SUFFIX for name in model.named_variables if name + SUFFIX in there}
    if not found:
        raise RunError(
            f"checkpoint {path} holds no moving averages: leave --averaged out, or train with "
            "--moving-average-decay"
        )
    return found


def newest(logdir: str) -> str | None:
    """Returns the prefix of a run's newest checkpoint, or None."""
    return checkpoints.newest(logdir)


def newest_checkpoint(logdir: str) -> str:
    """Returns the prefix of a run's newest checkpoint.

    Raises:
        RunError: There is none yet.
    """
    path = newest(logdir)
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


def new_setup(
    network: str,
    dataset: str,
    dataset_dir: str | None = None,
    split: str = "train",
    preprocessing: str | None = None,
    image_size: int | None = None,
    task: str = CLASSIFICATION,
    task_options: Mapping[str, Any] | None = None,
) -> Setup:
    """Returns the setup of a task, a network and a dataset; the rest follows where it is not given.

    Raises:
        UnknownComponentError: A name that nobody offers; the nearest are given.
        InputError: The task does not take the options or the dataset.
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
    setup = Setup(
        task=tasks.create(task, described, task_options or {}),
        task_name=task,
        network=network,
        dataset=dataset,
        dataset_dir=dataset_dir,
        preprocessing=preprocessing or component.details.get("preprocessing"),
        image_size=int(image_size),
        channels=0,
    )
    # Nothing is read here, and whoever reads says how much may be corrupt.
    images = setup.load(split, 1, skip_corrupt=1).element_spec["image"]
    return replace(setup, channels=images.shape[-1])


def recorded_setup(logdir: str) -> Setup:
    """Returns the setup of the run in a folder.

    Raises:
        RunError: There is no run, or not one of `slim train`.
    """
    return setup_of(run_record.read(logdir), logdir)


def is_of_slim_train(record: Mapping[str, Any]) -> bool:
    """Returns whether a record tells a setup."""
    return set(_RECORDED) <= record.keys()


def setup_of(record: Mapping[str, Any], logdir: str) -> Setup:
    """Returns the setup of a record.

    Raises:
        RunError: It is not the record of a run of `slim train`.
    """
    name = record.get("task", CLASSIFICATION)
    config = record.get("task_config", {n: record[n] for n in _FORMERLY if n in record})
    try:
        facts = {name: record[name] for name in _RECORDED}
    except KeyError as error:
        raise RunError(
            f"{logdir}/run.json lacks {error.args[0]}: only runs of slim train can be used here"
        ) from error
    for what, value, kinds in (
        ("task", name, str),
        ("task_config", config, dict),
        *((f, facts[f], str) for f in ("network", "dataset")),
        *((f, facts[f], str | None) for f in ("dataset_dir", "preprocessing")),
        *((f, facts[f], int) for f in ("image_size", "channels")),
    ):
        if not isinstance(value, kinds):
            raise RunError(f"{logdir}/run.json is damaged: its {what} is {value!r}")
    try:
        task = tasks.recreate(name, config)
    except InputError as error:
        raise RunError(f"{logdir}/run.json: {error}") from error
    return Setup(task=task, task_name=name, **facts)
