"""The datasets that Slim knows: `get_split(split_name, dataset_dir=None, …) -> Dataset`.

Each function describes one split of a dataset in research/slim's layout. Its arguments:

    split_name: Such as "train"; an unknown one is an InputError that lists them.
    dataset_dir: The folder with the TFRecords and labels.txt.
    file_pattern: Pattern for the files of a split, with `%s` for its name, if not the usual one.
    reader: Reader that cuts a file into examples, `tf.compat.v1.TFRecordReader` by default.
"""

import functools
import os
from pathlib import Path
from typing import Any

import tensorflow as tf

import slim_data._manifest as manifests
from slim_data._boxes import BoundingBox
from slim_data._image_folder import image_folder as image_folder
from slim_data._item_handlers import Tensor
from slim_data._tfrecord_layout import (
    Layout,
    check_split,
    image_decoder,
    read_labels,
    required_folder,
)
from slim_data.dataset import Dataset
from slimcore.errors import DataError

_SMALL = {
    # Splits, classes, shape, what a label is.
    "digits": ({"train": 1442, "test": 355}, 10, (8, 8, 1), "The digit."),
    "mnist": ({"train": 60000, "test": 10000}, 10, (28, 28, 1), "The digit."),
    "fashion_mnist": ({"train": 60000, "test": 10000}, 10, (28, 28, 1), "The kind of garment."),
    "cifar10": ({"train": 50000, "test": 10000}, 10, (32, 32, 3), "The kind of thing."),
    "cifar100": ({"train": 50000, "test": 10000}, 100, (32, 32, 3), "The kind of thing."),
}


@functools.cache
def _small(name: str) -> Layout:
    sizes, num_classes, shape, label = _SMALL[name]
    return Layout(
        name=name,
        sizes=sizes,
        pattern=f"{name}_%s*.tfrecord",
        num_classes=num_classes,
        # research/slim's MNIST does not say that it is raw.
        decoder=image_decoder(shape, "raw" if "mnist" in name else "png"),
        items_to_descriptions={"image": f"{shape[0]}x{shape[1]} pixels.", "label": label},
    )


def digits(
    split_name: str,
    dataset_dir: str | None = None,
    file_pattern: str | None = None,
    reader: Any = None,
) -> Dataset:
    """Describes the UCI handwritten digits, 8x8 pixels, which come with slim-data.

    Splits: train (1,442) and test (355).
    Source: Alpaydin and Kaynak, "Optical Recognition of Handwritten Digits", UCI, 1998.
    """
    dataset_dir = dataset_dir or str(Path(__file__).with_name("digits"))
    return _small("digits").get_split(split_name, dataset_dir, file_pattern, reader)


def mnist(
    split_name: str,
    dataset_dir: str | None = None,
    file_pattern: str | None = None,
    reader: Any = None,
) -> Dataset:
    """Describes the MNIST digits, 28x28 pixels: mnist_train.tfrecord, mnist_test.tfrecord.

    Splits: train (60,000) and test (10,000). `slim data convert` makes them from the IDX files.
    Source: LeCun et al., "Gradient-Based Learning Applied to Document Recognition", 1998.
    """
    return _small("mnist").get_split(split_name, dataset_dir, file_pattern, reader)


def fashion_mnist(
    split_name: str,
    dataset_dir: str | None = None,
    file_pattern: str | None = None,
    reader: Any = None,
) -> Dataset:
    """Describes Fashion-MNIST, 28x28 pixels: fashion_mnist_train.tfrecord and so on.

    Splits: train (60,000) and test (10,000). `slim data convert` makes them from the IDX files.
    Source: Xiao et al., 2017, arXiv:1708.07747.
    """
    return _small("fashion_mnist").get_split(split_name, dataset_dir, file_pattern, reader)


def cifar10(
    split_name: str,
    dataset_dir: str | None = None,
    file_pattern: str | None = None,
    reader: Any = None,
) -> Dataset:
    """Describes CIFAR-10, 32x32 pixels: cifar10_train.tfrecord, cifar10_test.tfrecord.

    Splits: train (50,000) and test (10,000). `slim data convert` makes them from the archive.
    Source: Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009.
    """
    return _small("cifar10").get_split(split_name, dataset_dir, file_pattern, reader)


def cifar100(
    split_name: str,
    dataset_dir: str | None = None,
    file_pattern: str | None = None,
    reader: Any = None,
) -> Dataset:
    """Describes CIFAR-100 with its fine labels: cifar100_train.tfrecord, cifar100_test.tfrecord.

    Splits: train (50,000) and test (10,000). `slim data convert` makes them from the archive.
    Source: Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009.
    """
    return _small("cifar100").get_split(split_name, dataset_dir, file_pattern, reader)


def flowers(
    split_name: str,
    dataset_dir: str | None = None,
    file_pattern: str | None = None,
    reader: Any = None,
) -> Dataset:
    """Describes the TensorFlow flowers, JPEGs of five kinds: flowers_train_*.tfrecord.

    Splits: train (3,320) and validation (350).
    """
    layout = Layout(
        name="flowers",
        sizes={"train": 3320, "validation": 350},
        pattern="flowers_%s*.tfrecord",
        num_classes=5,
        decoder=image_decoder(None, "png"),
        items_to_descriptions={"image": "A photograph.", "label": "The kind of flower."},
    )
    return layout.get_split(split_name, dataset_dir, file_pattern, reader)


_BOX_SIDES = ("ymin", "xmin", "ymax", "xmax")


def imagenet(
    split_name: str,
    dataset_dir: str | None = None,
    file_pattern: str | None = None,
    reader: Any = None,
) -> Dataset:
    """Describes ImageNet (ILSVRC 2012): train-*-of-01024, validation-*-of-00128.

    Label 0 is the background. Splits: train (1,281,167) and validation (50,000).
    Source: Russakovsky et al., 2014, arXiv:1409.0575.
    """
    text = tf.io.FixedLenFeature([], tf.string, default_value="")
    boxes = {f"image/object/bbox/{s}": tf.io.VarLenFeature(tf.float32) for s in _BOX_SIDES}
    labels = {"image/object/class/label": tf.io.VarLenFeature(tf.int64)}
    layout = Layout(
        name="imagenet",
        sizes={"train": 1281167, "validation": 50000},
        pattern="%s-*",
        num_classes=1001,
        decoder=image_decoder(
            None,
            "jpeg",
            more_features={"image/class/text": text, **boxes, **labels},
            more_handlers={
                "label_text": Tensor("image/class/text"),
                "object/bbox": BoundingBox(_BOX_SIDES, "image/object/bbox/"),
                "object/label": Tensor("image/object/class/label"),
            },
        ),
        items_to_descriptions={
            "image": "A photograph.",
            "label": "The class, 1 to 1000.",
            "label_text": "The name of the class.",
            "object/bbox": "Boxes [n, 4] around objects of the class.",
            "object/label": "The class of each box.",
        },
    )
    return layout.get_split(split_name, dataset_dir, file_pattern, reader)


def visualwakewords(
    split_name: str,
    dataset_dir: str | None = None,
    file_pattern: str | None = None,
    reader: Any = None,
) -> Dataset:
    """Describes Visual Wake Words, person or not: train.record-*, val.record-*.

    Splits: train (82,783) and val (40,504).
    Source: Chowdhery et al., 2019, arXiv:1906.05721.
    """
    boxes = {f"image/object/bbox/{s}": tf.io.VarLenFeature(tf.float32) for s in _BOX_SIDES}
    layout = Layout(
        name="visualwakewords",
        sizes={"train": 82783, "val": 40504},
        pattern="%s.record-*",
        num_classes=2,
        decoder=image_decoder(
            None,
            "jpeg",
            more_features=boxes,
            more_handlers={"object/bbox": BoundingBox(_BOX_SIDES, "image/object/bbox/")},
        ),
        items_to_descriptions={
            "image": "A photograph.",
            "label": "1 where there is a person, else 0.",
            "object/bbox": "Boxes [n, 4] around the persons.",
        },
    )
    return layout.get_split(split_name, dataset_dir, file_pattern, reader)


def converted(
    split_name: str,
    dataset_dir: str | None = None,
    file_pattern: str | None = None,
    reader: Any = None,
) -> Dataset:
    """Describes whatever `slim data convert` wrote into a folder, from its manifest.json."""
    folder = required_folder("converted", dataset_dir, manifests.FILE_NAME)
    manifest = manifests.read(folder)
    if manifest is None:
        raise DataError(
            f"dataset converted: {folder} holds no {manifests.FILE_NAME} of slim data convert"
        )
    check_split(f"converted in {folder}", split_name, manifest.splits)
    split = manifest.splits[split_name]
    pattern = file_pattern and file_pattern.replace("%s", split_name)
    files = [pattern] if pattern else [shard.file for shard in split.shards]
    return Dataset(
        data_sources=[os.path.join(folder, name) for name in files],
        reader=reader or tf.compat.v1.TFRecordReader,
        decoder=image_decoder(manifest.shape, manifest.image_format),
        num_samples=split.examples,
        items_to_descriptions={"image": "The image.", "label": "Its class."},
        num_classes=len(manifest.classes),
        labels_to_names=read_labels(folder, len(manifest.classes))
        or dict(enumerate(manifest.classes)),
        name=manifest.name,
        split=split_name,
    )
