"""The example with a JPEG decoder: a real wheel, installed and preferred, and removed again."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[1]
UPSIDE_DOWN = 3  # of the EXIF tag Orientation
PREFERRED = "image/jpeg=acme-jpeg"

# One process for all, because most of its time goes into the import of TensorFlow.
USES = """
import json, sys
import tensorflow as tf
import slimcore as slim
from slimcore.cli import main

def said(*arguments):
    sys.argv = ["slim", *arguments]
    try:
        main()
    except SystemExit as ended:
        assert not ended.code, ended.code

options = {"dataset_dir": "pictures/turned", "preprocessing": "vgg", "image_size": 28}
def white(image):
    return bool(image[7].mean() > image[21].mean())

for is_training in (False, True):
    batches = slim.data.load("image_folder", "all", 1, is_training=is_training, seed=1, **options)
    print("pipeline", [white(b["image"][0].numpy()) for b in batches.take(2)])
v1 = tf.compat.v1
with tf.Graph().as_default(), v1.Session() as session:
    dataset = slim.data.get_dataset("image_folder", "all", "pictures/turned")
    image, = slim.DatasetDataProvider(dataset, shuffle=False).get(["image"])
    threads = v1.train.start_queue_runners(session, v1.train.Coordinator())
    print("provider", [white(session.run(image)) for _ in range(2)], flush=True)
if not tf.io.gfile.exists("run/run.json"):
    said("train", "--net", "lenet", "--dataset", "image_folder", "--dataset-dir",
         "pictures/upright", "--steps", "20", "--seed", "1", "--logdir", "run")
said("predict", "--logdir", "run", "--top", "1", "turned.jpg")
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Pictures that are white above or below: as they are, and stored upside down with a note."""
    folder = tmp_path_factory.mktemp("acme")
    random = np.random.default_rng(0)
    for number in range(16):
        pixels = random.integers(0, 60, [28, 28, 3], np.uint8)
        pixels[:14] += 180
        for name, upright in (("above", pixels), ("below", pixels[::-1])):
            save(upright, folder / "pictures" / "upright" / name / f"{number}.jpg")
    for name, upright in (("1", pixels), ("2", pixels)):
        save(upright, folder / "pictures" / "turned" / name / "turned.jpg", turned=True)
    shutil.copy(folder / "pictures" / "turned" / "1" / "turned.jpg", folder)
    return folder


def save(pixels, path, turned=False):
    path.parent.mkdir(parents=True, exist_ok=True)
    exif = Image.Exif()
    if turned:
        exif[0x0112] = UPSIDE_DOWN
    Image.fromarray(pixels[::-1, ::-1] if turned else pixels).save(path, exif=exif)


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


@pytest.mark.slow
def test_the_decoder_is_used_everywhere_once_installed_and_preferred(folder):
    # A folder on the path instead of an environment, which would need a TensorFlow of its own.
    site, project = folder / "site", ROOT / "examples/slim-example-jpeg"
    run("uv", "build", "--wheel", "--out-dir", folder, project, cwd=folder)
    (wheel,) = folder.glob("acme_jpeg-*.whl")
    run("uv", "pip", "install", "--no-deps", "--target", site, wheel, cwd=folder)

    upright = {"PYTHONPATH": str(site), "SLIM_PREFER": PREFERRED}
    lines = run(sys.executable, "-c", USES, cwd=folder, **upright).splitlines()
    assert lines[:3] == ["pipeline [True, True]"] * 2 + ["provider [True, True]"]
    assert lines[-1].startswith("turned.jpg: above")
    recorded = json.loads((folder / "run" / "run.json").read_text())["components"]
    assert recorded["decoder image/jpeg"]["distribution"] == "acme-jpeg"

    # Slim's own decoder leaves an image as it lies, and slim-data turns it afterwards.
    shutil.rmtree(site)
    lines = run(sys.executable, "-c", USES, cwd=folder).splitlines()
    assert lines[:3] == ["pipeline [True, True]"] * 2 + ["provider [True, True]"]
    assert lines[-1].startswith("turned.jpg: above")


@pytest.mark.slow
def test_the_decoder_refuses_what_is_no_jpeg(folder):
    source = ROOT / "examples/slim-example-jpeg/src"
    code = """
import tensorflow as tf
from acme_jpeg.decoder import decode
whole = open("turned.jpg", "rb").read()
print(decode(tf.constant(whole)).shape, decode(tf.constant(whole), channels=1).shape)
in_function = tf.function(decode, [tf.TensorSpec([], tf.string)])
for contents in (b"", b"hello", whole[:40], whole[: len(whole) // 2]):
    for read in (decode, in_function):
        try:
            read(tf.constant(contents))
        except (tf.errors.InvalidArgumentError, tf.errors.UnknownError) as error:
            print("no JPEG" in str(error))
"""
    lines = run(sys.executable, "-c", code, cwd=folder, PYTHONPATH=str(source)).splitlines()
    assert lines == ["(28, 28, 3) (28, 28, 1)"] + ["True"] * 8
