"""`slim train`, `eval` and `predict` on one's own images and on damaged data."""

import json
import shutil
import sys

import numpy as np
import pytest
import tensorflow as tf

from slimcore.cli import main


@pytest.fixture
def program(monkeypatch, capfd):
    """Runs `slim` here, without another import of TensorFlow; returns status and output."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["slim", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        return ended.value.code or 0, capfd.readouterr()

    return run


@pytest.fixture
def light_and_dark(tmp_path):
    """A newcomer's images: two classes of ten photographs, with some notes beside them."""
    random = np.random.default_rng(0)
    root = tmp_path / "images"
    for name, brightness in (("dark", 30), ("light", 200)):
        (root / name).mkdir(parents=True)
        for number in range(10):
            shape = (40 + number, 50 - number, 3)
            pixels = random.integers(brightness, brightness + 50, shape, np.uint8)
            contents = tf.io.encode_jpeg(pixels).numpy()
            (root / name / f"photograph {number}.jpg").write_bytes(contents)
    return root


@pytest.mark.slow
def test_ones_own_images_are_learnt(light_and_dark, program, tmp_path):
    logdir = tmp_path / "run"
    data = ("--dataset", "image_folder", "--dataset-dir", light_and_dark)
    status, said = program(
        "train", "--net", "lenet", *data, "--steps", 20, "--seed", 1, "--logdir", logdir
    )
    assert status == 0, said.err
    status, said = program("eval", "--logdir", logdir)
    assert status == 0, said.err
    results = json.loads((logdir / "eval" / "results.json").read_text())
    assert results["accuracy"] == 1
    image = light_and_dark / "light" / "photograph 3.jpg"
    status, said = program("predict", "--logdir", logdir, "--top", 1, image)
    assert said.out.startswith(f"{image}: light")


def test_train_and_eval_name_a_bad_image_or_leave_it_out(light_and_dark, program, tmp_path):
    for split in ("train", "test"):
        shutil.copytree(light_and_dark, tmp_path / "split" / split)
        (tmp_path / "split" / split / "dark" / "notes.txt").write_text("Too dark.")
    notes = tmp_path / "split" / "train" / "dark" / "notes.txt"
    data = ("--dataset", "image_folder", "--dataset-dir", tmp_path / "split")
    train = ("train", "--net", "lenet", *data, "--steps", 5, "--seed", 1, "--logdir")

    status, said = program(*train, tmp_path / "failed")
    assert status == 2
    assert f"slim: {notes}: not a readable image: its format is not one of" in said.err
    status, said = program(*train, tmp_path / "run", "--skip-corrupt", 1)
    assert status == 0, said.err
    line = f"slim: left out {notes}, record 0, which cannot be read (1 of at most 1)"
    assert said.err.count("slim: left out") == said.err.count(line) == 1

    status, said = program("eval", "--logdir", tmp_path / "run")
    assert status == 2
    assert "split/test/dark/notes.txt: not a readable image: its format is not one of" in said.err
    status, said = program("eval", "--logdir", tmp_path / "run", "--skip-corrupt", 1)
    assert status == 0, said.err
    assert "split/test/dark/notes.txt" in said.err
    results = json.loads((tmp_path / "run" / "eval" / "results.json").read_text())
    assert results["examples"] == 20
