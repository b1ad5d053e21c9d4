"""The reference facts, and the weights and inputs that they belong to."""

import contextlib
import gc
import importlib
import json
import os
import zlib
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import pytest
import tensorflow as tf

import slimcore as slim


def pytest_configure(config):
    """Starts TensorFlow with two logical devices, as all of Slim's tests do."""
    distributes_tests = config.getoption("numprocesses", None) and not hasattr(
        config, "workerinput"
    )
    cpu = tf.config.list_physical_devices("CPU")[0]
    if distributes_tests or tf.config.get_logical_device_configuration(cpu):
        return
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)


@pytest.fixture(autouse=True)
def _one_network_at_a_time(request):
    """Lets go of a large network's memory before the next one is built."""
    yield
    if request.node.get_closest_marker("slow"):
        gc.collect()


FOLDER = Path(__file__).with_name("reference")


class Reference:
    """The facts about one network, with what is needed to build it and to compare."""

    def __init__(self, name):
        self.name = name
        self.facts = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
        self.module = importlib.import_module(f"slim_nets.{self.facts['module']}")
        self.kwargs = {k: self._value(v) for k, v in self.facts["call_kwargs"].items()}
        self.shape = self.facts["input_shape"]

    def _value(self, value):
        if isinstance(value, list):
            return [self._value(v) for v in value]
        if isinstance(value, dict) and "$namedtuple" in value:
            _, kind, values, _ = value["$namedtuple"]
            return getattr(self.module, kind)(*values)
        return value

    def scope(self):
        """Enters the arg scope of the recorded call."""
        facts = self.facts["arg_scope"]
        if facts is None:
            return contextlib.nullcontext()
        return slim.arg_scope(getattr(self.module, facts["function"])(**facts["kwargs"]))

    def build(self, inputs, **kwargs):
        """Builds the network as in the recorded call, with some arguments replaced."""
        with self.scope():
            return getattr(self.module, self.facts["function"])(inputs, **{**self.kwargs, **kwargs})

    def inputs(self):
        """Returns the recorded input."""
        draws = np.random.Generator(np.random.PCG64(0)).standard_normal(self.shape)
        return draws.astype(np.float32)

    @property
    def end_points(self):
        """The end points of tf-slim and research/slim together."""
        more = self.facts.get("research_slim", {})
        ends = {**self.facts["end_points"], **more.get("end_points_only_in_research_slim", {})}
        for name, shape in more.get("end_point_shapes_differ", {}).items():
            ends[name] = {**ends[name], "shape": shape}
        return ends

    def check_tensor(self, name, value, facts):
        """Compares a value with its recorded shape, norm, mean and elements."""
        assert list(value.shape) == facts["shape"], name
        if facts.get("random"):
            return
        flat = np.asarray(value, np.float64).ravel()
        n, l2 = flat.size, facts["l2"]
        rms = l2 / np.sqrt(n)
        np.testing.assert_allclose(np.sqrt(np.sum(flat**2)), l2, rtol=1e-3, err_msg=name)
        np.testing.assert_allclose(flat.mean(), facts["mean"], 0, 1e-3 * rms, err_msg=name)
        elements = [flat[n // 7], flat[n // 2], flat[6 * n // 7]]
        np.testing.assert_allclose(elements, facts["probe"], 0, 4e-3 * rms, err_msg=name)

    def check_outputs(self, outputs):
        """Compares the outputs with the recorded ones; ResNets may have squeezed theirs."""
        facts = self.facts["outputs"]
        outputs = np.asarray(outputs)
        if outputs.shape != tuple(facts["shape"]):
            assert "resnet_v" in self.name
            outputs = outputs.reshape(facts["shape"])
        self.check_tensor("outputs", outputs, facts)
        if not facts.get("random"):
            first8 = outputs.reshape(len(outputs), -1)[:, :8]
            np.testing.assert_allclose(first8, facts["first8"], 0, 2e-4 * facts["max"])


def weights(name, shape):
    """Returns the recorded value of a variable."""
    z = np.random.Generator(np.random.PCG64(zlib.crc32(name.encode()))).standard_normal(
        tuple(shape)
    )
    z = z.astype(np.float32)
    kind = name.rpartition("/")[2]
    if kind in ("weights", "pointwise_weights"):
        return z * np.float32(np.sqrt(2 / np.prod(shape[:-1])))
    if kind == "depthwise_weights":
        return z * np.float32(np.sqrt(2 / np.prod(shape[:2])))
    if kind == "gamma":
        return 1 + 0.1 * z
    if kind == "moving_variance":
        return 1 + 0.1 * np.abs(z)
    return 0.1 * z


@pytest.fixture
def run():
    """Returns a function that runs fetches in the default graph, with values of variables by name.

    `run(fetches, values, feeds=None)`: `values` takes a variable's name and shape.
    """

    def run_with(fetches, values, feeds=None):
        variables = tf.compat.v1.global_variables()
        with tf.compat.v1.Session() as session:
            # One call for all: each new set of feeds costs time.
            starts = {
                v.initializer.inputs[1]: values(v.op.name, v.shape.as_list()) for v in variables
            }
            session.run([v.initializer for v in variables], starts)
            return session.run(fetches, feeds)

    return run_with


@pytest.fixture
def reference():
    """Returns the facts about a network, by name."""
    return Reference


@pytest.fixture
def recorded_weights():
    """Returns the recorded value of a variable, by name and shape."""
    return weights


@pytest.fixture
def graph():
    """A TF1 graph, the default one within the test."""
    with tf.Graph().as_default() as graph:
        yield graph


@pytest.fixture
def importer():
    """Returns a function that finds `module.name` in slim_nets."""

    def find(path):
        module, _, name = path.rpartition(".")
        return getattr(importlib.import_module(f"slim_nets.{module}"), name)

    return find
