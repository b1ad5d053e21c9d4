"""The example that brings a task: built and installed, and trained by `slim train --task`."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

import slimcore
import slimcore.registry as registry

ROOT = Path(__file__).parents[1]
PROJECT = ROOT / "examples" / "slim-example-regression"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A folder with the distribution installed from its wheel."""
    folder = tmp_path_factory.mktemp("acme")
    build = ("uv", "build", "--wheel", "--no-build-isolation", "--python", sys.executable)
    subprocess.run([*build, "--out-dir", folder, PROJECT], check=True, capture_output=True)
    (wheel,) = folder.glob("acme_regression-*.whl")
    install = ("uv", "pip", "install", "--python", sys.executable, "--no-deps", "--target")
    subprocess.run([*install, folder / "site", wheel], check=True, capture_output=True)
    return folder / "site"


@pytest.fixture
def slim(site, monkeypatch, capsys):
    """Runs the program in this process, with the distribution on its path; returns its output."""
    from slimcore import cli

    monkeypatch.syspath_prepend(str(site))
    registry.rediscover()

    def run(*arguments):
        capsys.readouterr()
        monkeypatch.setattr(sys, "argv", ["slim", *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            cli.main()
        said = capsys.readouterr()
        assert not left.value.code, said.err
        return said.out

    yield run
    monkeypatch.undo()
    for name in [name for name in sys.modules if name.partition(".")[0] == "acme_regression"]:
        del sys.modules[name]
    registry.rediscover()


def test_a_number_is_learnt_evaluated_predicted_and_exported(slim, tmp_path):
    logdir = tmp_path / "run"
    options = ("--net", "lenet", "--dataset", "digits", "--image-size", 8, "--seed", 1)
    best = ("--eval-every", 60, "--keep-best", "absolute_error", "--task-option", "scale=9")
    slim("train", "--task", "number", *options, *best, "--steps", 120, "--logdir", logdir)
    record = json.loads((logdir / "run.json").read_text())
    assert (record["task"], record["task_config"]) == ("number", {"item": "label", "scale": 9.0})
    assert record["components"]["task"]["distribution"] == "acme-regression"

    said = slim("eval", "--logdir", logdir)
    results = json.loads((logdir / "eval" / "results.json").read_text())
    # Always to say 4.5 is off by 2.5.
    assert results["absolute_error"] < 1.5
    assert f"absolute_error {results['absolute_error']:.4f}" in said
    evaluations = (logdir / "evaluations.jsonl").read_text().splitlines()
    errors = {e["step"]: e["results"]["absolute_error"] for e in map(json.loads, evaluations)}
    chosen = json.loads((logdir / "best.json").read_text())
    assert chosen["step"] == min(errors, key=errors.get)

    batch = next(iter(slimcore.data.load("digits", "test", 355, image_size=8)))
    images = tf.cast(batch["image"], tf.uint8)
    slim("export", "--logdir", logdir, "--to", tmp_path / "export")
    numbers = tf.saved_model.load(str(tmp_path / "export")).signatures["serving_default"](images)
    error = np.abs(numbers["number"].numpy() - batch["label"].numpy()).mean()
    assert error == pytest.approx(results["absolute_error"], rel=1e-4)

    path = tmp_path / "digit.png"
    tf.io.write_file(str(path), tf.io.encode_png(images[0]))
    said = slim("predict", "--logdir", logdir, path)
    assert said == f"{path}: {numbers['number'][0]:.2f}\n"
