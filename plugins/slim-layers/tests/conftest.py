"""The ways to run a function of tensors: in a graph, eagerly, and in a `tf.function`."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import slimcore as slim

v1 = tf.compat.v1


def pytest_configure(config: pytest.Config) -> None:
    # Two logical devices, as in the tests of the whole repository; before any operation.
    cpu = tf.config.list_physical_devices("CPU")[0]
    if tf.config.get_logical_device_configuration(cpu) is None:
        two = [tf.config.LogicalDeviceConfiguration()] * 2
        tf.config.set_logical_device_configuration(cpu, two)


def in_graph(function: Callable[..., Any], arrays: Any, weights: Mapping[str, Any]) -> Any:
    with tf.Graph().as_default(), v1.Session() as session:
        v1.set_random_seed(1)
        outputs = function(*map(tf.constant, arrays))
        session.run([v1.global_variables_initializer(), v1.local_variables_initializer()])
        for variable in v1.global_variables():
            if variable.op.name in weights:
                session.run(v1.assign(variable, weights[variable.op.name]))
        return session.run(outputs)


def in_module(function: Callable[..., Any], arrays: Any, weights: Mapping[str, Any]) -> Any:
    return _called(slim.Module(function), lambda model: model, arrays, weights)


def in_function(function: Callable[..., Any], arrays: Any, weights: Mapping[str, Any]) -> Any:
    return _called(slim.Module(function), tf.function, arrays, weights)


def _called(model: Any, wrap: Callable[..., Any], arrays: Any, weights: Mapping[str, Any]) -> Any:
    tf.random.set_seed(1)
    call = wrap(model)
    outputs = call(*map(tf.constant, arrays))
    if weights:
        for name, value in weights.items():
            model.named_variables[name].assign(value)
        outputs = call(*map(tf.constant, arrays))
    return tf.nest.map_structure(
        lambda t: t if isinstance(t, tf.SparseTensor) else np.asarray(t), outputs
    )


WORLDS = {"graph": in_graph, "module": in_module, "function": in_function}


@pytest.fixture(params=WORLDS)
def run(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Returns `run(function, *arrays, weights={})`, which returns arrays, once for each world.

    `weights` are values by name for the variables that the function makes.
    """
    world = WORLDS[request.param]

    def run(function: Callable[..., Any], *arrays: Any, weights: Mapping[str, Any] = {}) -> Any:
        return world(function, arrays, weights)

    return run
