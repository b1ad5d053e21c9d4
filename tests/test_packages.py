"""Real wheels in a fresh environment: the core with one plugin, and a third party's plugin."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def run(*command, cwd, **environment):
    result = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, f"{command}\n{result.stdout}\n{result.stderr}"
    return result.stdout


class Environment:
    """A virtual environment that shares nothing with this one."""

    def __init__(self, folder):
        self.folder = folder
        self.wheels = folder / "wheels"
        self.python = folder / "env" / "bin" / "python"
        run("uv", "venv", "--python", sys.executable, folder / "env", cwd=folder)

    def install(self, *projects):
        for project in projects:
            run("uv", "build", "--wheel", "--out-dir", self.wheels, ROOT / project, cwd=self.folder)
        wheels = [next(self.wheels.glob(f"{wheel_name(p)}-*.whl")) for p in projects]
        install = ("uv", "pip", "install", "--python", self.python, "--find-links", self.wheels)
        # The same TensorFlow as here, so that each edge of the supported range is tested.
        import tensorflow as tf

        run(*install, *wheels, f"tensorflow=={tf.__version__}", cwd=self.folder)

    def execute(self, code, **environment):
        return run(self.python, "-c", code, cwd=self.folder, **environment)

    def slim(self, *arguments, **environment):
        return run(self.python.with_name("slim"), *arguments, cwd=self.folder, **environment)


def wheel_name(project):
    names = {".": "slimcore", "examples/slim-example-plugin": "acme_vision"}
    return names.get(project, Path(project).name.replace("-", "_"))


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    environment = Environment(tmp_path_factory.mktemp("fresh"))
    environment.install(".", "plugins/slim-layers")
    return environment


def test_the_core_and_the_layers_alone_make_a_model(environment):
    code = """
import slimcore as slim, tensorflow as tf, json
with slim.arg_scope([slim.conv2d], padding="VALID"):
    model = slim.Module(lambda x: slim.fully_connected(slim.flatten(slim.conv2d(x, 4, 3)), 2))
    shape = model(tf.zeros([1, 5, 5, 1])).shape.as_list()
print(json.dumps([shape, [v.name for v in model.variables]]))
"""
    shape, names = json.loads(environment.execute(code).splitlines()[-1])
    assert shape == [1, 2]
    assert names == [
        "Conv/weights:0",
        "Conv/biases:0",
        "fully_connected/weights:0",
        "fully_connected/biases:0",
    ]


def test_what_is_not_installed_is_said_with_the_install_line(environment):
    code = """
import slimcore as slim
for find in (lambda: slim.losses.log_loss, lambda: slim.nets.lenet, lambda: slim.learning,
             lambda: slim.lookup("decoder", "image/png")):
    try:
        find()
    except slim.SlimError as error:
        print(error)
"""
    lines = environment.execute(code).splitlines()
    assert [line.rpartition(": ")[2] for line in lines] == [
        "pip install slim-losses",
        "pip install slim-nets",
        "pip install slim-learning",
        "pip install slim-data",
    ]


def test_a_third_partys_layer_and_decoder_work_once_installed(environment):
    environment.install("plugins/slim-data", "examples/slim-example-plugin")
    listing = [line.split() for line in environment.slim("list").splitlines()]
    assert ["layer", "blur_pool", "acme-vision", "1.1.0"] in [line[:4] for line in listing]
    code = """
import slimcore as slim, tensorflow as tf
with slim.arg_scope([slim.blur_pool], stride=4):
    print(slim.blur_pool(tf.ones([1, 8, 8, 3])).shape)
"""
    assert environment.execute(code).splitlines()[-1] == "(1, 2, 2, 3)"


def test_a_preference_swaps_the_decoder(environment):
    code = """
import slimcore as slim, tensorflow as tf
png = tf.io.encode_png(tf.constant([[[7], [9]]], tf.uint8))
decode = slim.lookup("decoder", "image/png")
print(decode.__module__, decode(png).numpy().ravel().tolist())
batch = next(iter(slim.data.load("digits", "test", batch_size=4, image_size=8)))
print(batch["image"].shape)
"""
    preferred = {"SLIM_PREFER": "image/png=acme-vision"}
    lines = environment.execute(code, **preferred).splitlines()
    assert lines[-2:] == ["acme_vision.png [7, 9]", "(4, 8, 8, 1)"]
    lines = environment.execute(code, SLIM_PREFER="image/png=slim-data").splitlines()
    assert lines[-2].endswith("[7, 9]")
    assert "acme_vision" not in lines[-2]
