"""What the tests of slim-learning share."""

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import slimcore as slim

v1 = tf.compat.v1


@slim.add_arg_scope
def linear(inputs: Any, num_outputs: int, scale: float = 1.0, scope: str | None = None) -> Any:
    with v1.variable_scope(scope, "linear"):
        weights = slim.model_variable("weights", [inputs.shape[-1], num_outputs])
        biases = slim.model_variable("biases", [num_outputs], initializer=v1.zeros_initializer())
    return (inputs @ weights + biases) * scale


def regression(inputs: Any, is_training: bool = True) -> Any:
    hidden = tf.nn.relu(linear(inputs, 8, scope="hidden"))
    seed = slim.randomness.next_seed()
    if is_training and seed is not None:
        hidden = tf.nn.experimental.stateless_dropout(hidden, 0.1, seed=seed)
    return linear(hidden, 1, scope="out")


class Task:
    """A small regression: seeded data and a network with dropout."""

    linear = staticmethod(linear)
    network = staticmethod(regression)

    def __init__(self) -> None:
        self.x = np.random.RandomState(0).randn(64, 4).astype("float32")
        self.y = self.x.sum(axis=1, keepdims=True)

    def dataset(self, batch_size: int = 8) -> tf.data.Dataset:
        tf.random.set_seed(5)  # which a seeded shuffle follows, too
        data = tf.data.Dataset.from_tensor_slices((self.x, self.y))
        return data.shuffle(64, seed=1).batch(batch_size, drop_remainder=True)

    def train_op(self, optimizer: Any = None, seed: int = 3, **options: Any) -> Any:
        tf.random.set_seed(seed)
        model = slim.Module(regression)

        def loss_fn(batch: Any) -> Any:
            inputs, wanted = batch
            return tf.reduce_mean((model(inputs) - wanted) ** 2)

        optimizer = optimizer or v1.train.GradientDescentOptimizer(0.01)
        return slim.learning.create_train_op(loss_fn, optimizer, **options)


class Followed:
    """Keeps what the event hooks were told."""

    def __init__(self) -> None:
        self.events: list[tuple[Any, ...]] = []

    @slim.hookimpl
    def slim_run_started(self, run: Any) -> None:
        self.events.append(("started", run.kind, run.first_step))

    @slim.hookimpl
    def slim_scalars_logged(self, step: int, scalars: Any) -> None:
        self.events.append(("scalars", step, dict(scalars)))

    @slim.hookimpl
    def slim_checkpoint_saved(self, step: int) -> None:
        self.events.append(("saved", step))

    @slim.hookimpl
    def slim_evaluation_done(self, step: int, results: Any) -> None:
        self.events.append(("evaluated", step, dict(results)))

    @slim.hookimpl
    def slim_run_ended(self, status: str) -> None:
        self.events.append(("ended", status))

    def of(self, kind: str) -> list[tuple[Any, ...]]:
        return [event[1:] for event in self.events if event[0] == kind]


@pytest.fixture
def task() -> Task:
    return Task()


@pytest.fixture
def followed() -> Followed:
    return Followed()


@pytest.fixture
def program() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs the program `slim` in a process of its own."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command(*arguments), capture_output=True, text=True, timeout=300)

    return run


@pytest.fixture
def start() -> Callable[..., subprocess.Popen[str]]:
    """Starts the program `slim`, to be sent signals."""

    def run(*arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            command(*arguments), stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    return run


def command(*arguments: str) -> Sequence[str]:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    return [sys.executable, "-m", "slimcore.cli", *arguments]


@pytest.fixture
def slim_main(capsys: Any, monkeypatch: Any) -> Callable[..., tuple[int, str, str]]:
    """Runs the program in this process, which has TensorFlow: its status, output and errors."""

    def run(*arguments: Any) -> tuple[int, str, str]:
        from slimcore import cli

        capsys.readouterr()
        monkeypatch.setattr(sys, "argv", ["slim", *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            cli.main()
        said = capsys.readouterr()
        return left.value.code or 0, said.out, said.err

    return run


def tiny(images: Any, num_classes: int = 10, is_training: bool = True) -> Any:
    """Two dense layers, for what does not depend on the network."""
    del is_training
    hidden = slim.fully_connected(slim.flatten(images), 8, scope="tiny/hidden")
    return slim.fully_connected(hidden, num_classes, activation_fn=None, scope="tiny/logits"), {}


@pytest.fixture
def tiny_net(monkeypatch: Any) -> tuple[str, ...]:
    """Registers the network `tiny`; returns the options to train it on the digits."""
    from slimcore import registry

    monkeypatch.setattr(registry, "_registered", dict(registry._registered))
    tiny.default_image_size = 8
    slim.register_net(tiny)
    return ("--net", "tiny", "--dataset", "digits", "--preprocessing", "lenet", "--seed", "1")
