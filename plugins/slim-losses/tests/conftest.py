"""Ways to run a function of arrays: eagerly, in a `tf.function`, and in a TF1-style graph."""

import contextlib

import numpy as np
import pytest
import tensorflow as tf

# Refused once TensorFlow has made its devices; tests that need both are then skipped.
with contextlib.suppress(RuntimeError):
    tf.config.set_logical_device_configuration(
        tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
    )


def _eager(function, *arrays):
    return np.asarray(function(*map(tf.constant, arrays)))


def _traced(function, *arrays):
    return np.asarray(tf.function(function)(*map(tf.constant, arrays)))


def _shapeless(function, *arrays):
    """Traces with nothing known of the shapes but how many dimensions there are."""
    signature = [tf.TensorSpec([None] * np.ndim(a), np.asarray(a).dtype) for a in arrays]
    return np.asarray(tf.function(function, signature)(*map(tf.constant, arrays)))


def _graph(function, *arrays):
    with tf.Graph().as_default():
        result = function(*map(tf.constant, arrays))
        with tf.compat.v1.Session() as session:
            return session.run(result)


_WORLDS = {"eager": _eager, "function": _traced, "shapeless": _shapeless, "graph": _graph}


@pytest.fixture(params=_WORLDS)
def run(request):
    """Runs `function(*tensors)` on arrays in each world, and returns an array."""
    return _WORLDS[request.param]


@pytest.fixture(params=["eager", "graph"])
def run_both(request):
    """Runs in eager mode and in a graph only."""
    return _WORLDS[request.param]


@pytest.fixture(scope="session")
def strategy():
    """A MirroredStrategy over two logical CPU devices."""
    if len(tf.config.list_logical_devices("CPU")) < 2:
        pytest.skip("TensorFlow started with one CPU device")
    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
