"""What the tests of slim-classification share."""

import os
import sys
from collections.abc import Callable
from typing import Any

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


def pytest_configure(config: Any) -> None:
    import tensorflow as tf

    # Two devices, as in all of Slim's tests. TensorFlow takes this only before its first operation.
    cpu = tf.config.list_physical_devices("CPU")[0]
    if tf.config.get_logical_device_configuration(cpu) is None:
        tf.config.set_logical_device_configuration(
            cpu, [tf.config.LogicalDeviceConfiguration()] * 2
        )


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


@pytest.fixture
def tiny_net(monkeypatch: Any) -> str:
    """Registers the network `tiny`, two dense layers, and returns its name."""
    import slimcore as slim
    from slimcore import registry

    def tiny(images: Any, num_classes: int = 10, is_training: bool = True) -> Any:
        del is_training
        hidden = slim.fully_connected(slim.flatten(images / 16), 32, scope="tiny/hidden")
        outputs = slim.fully_connected(hidden, num_classes, activation_fn=None, scope="tiny/logits")
        return outputs, {}

    monkeypatch.setattr(registry, "_registered", dict(registry._registered))
    monkeypatch.setattr(registry, "_current", None)
    tiny.default_image_size = 8  # type: ignore[attr-defined]
    slim.register_net(tiny)
    return "tiny"
