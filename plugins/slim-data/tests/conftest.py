"""What the tests of this package share: examples, images, and damaged files."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

import slimcore as slim


def pytest_configure(config):
    # Two logical devices, as in the tests of the whole repository; before any operation.
    cpu = tf.config.list_physical_devices("CPU")[0]
    if tf.config.get_logical_device_configuration(cpu) is None:
        two = [tf.config.LogicalDeviceConfiguration()] * 2
        tf.config.set_logical_device_configuration(cpu, two)


def _example(**features):
    """Serializes features; a double underscore in a name stands for a slash."""
    encoded = {}
    for key, value in features.items():
        values = value if isinstance(value, list) else [value]
        if isinstance(values[0], bytes):
            feature = tf.train.Feature(bytes_list=tf.train.BytesList(value=values))
        elif isinstance(values[0], float):
            feature = tf.train.Feature(float_list=tf.train.FloatList(value=values))
        else:
            feature = tf.train.Feature(int64_list=tf.train.Int64List(value=values))
        encoded[key.replace("__", "/")] = feature
    return tf.train.Example(features=tf.train.Features(feature=encoded)).SerializeToString(
        deterministic=True
    )


def _write(path, records):
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in records:
            writer.write(record)
    return str(path)


@pytest.fixture(scope="session")
def example():
    return _example


@pytest.fixture(scope="session")
def write_records():
    return _write


@pytest.fixture(scope="session")
def noise():
    """Images of noise: `noise(height, width, channels)`."""
    random = np.random.default_rng(0)
    return lambda *shape: random.integers(0, 256, shape, np.uint8)


@pytest.fixture(scope="session")
def digit_records():
    """The first 20 records of the digits' test split."""
    pattern = slim.data.get_dataset("digits", "test").data_sources
    return [r.numpy() for r in tf.data.TFRecordDataset(tf.io.gfile.glob(pattern)).take(20)]


@pytest.fixture(scope="session")
def replaced():
    """Replaces features of a serialized example: `replaced(record, image__encoded=b"…")`."""

    def replace(record, **features):
        parsed = tf.train.Example.FromString(record)
        parsed.MergeFromString(_example(**features))
        return parsed.SerializeToString()

    return replace


@pytest.fixture
def folder_of_images(tmp_path):
    """A folder with two classes of six images, JPEGs and PNGs of several sizes."""
    random = np.random.default_rng(1)
    root = tmp_path / "images"
    for label, name in enumerate(("cat", "dog")):
        (root / name).mkdir(parents=True)
        for number in range(6):
            shape = (20 + 3 * number, 30 + label, 3)
            pixels = random.integers(0, 256, shape, np.uint8)
            jpeg = number % 2
            contents = tf.io.encode_jpeg(pixels) if jpeg else tf.io.encode_png(pixels)
            suffix = "jpg" if jpeg else "png"
            (root / name / f"{number}.{suffix}").write_bytes(contents.numpy())
    return root
