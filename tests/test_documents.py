"""Every command and snippet of the READMEs works as it is written."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
PLUGINS = sorted(p.relative_to(ROOT) for p in ROOT.glob("plugins/*/README.md"))
# The others test theirs themselves, with what their examples print.
UNTESTED = [
    p for p in PLUGINS if not (ROOT / p).with_name("tests").joinpath("test_readme.py").exists()
]


def blocks(document, language):
    text = (ROOT / document).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def test_the_readme_begins_with_its_two_commands():
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert [line.partition("#")[0].strip() for line in lines[2:4]] == [
        "pip install nox uv && nox -s demo",
        "pip install nox uv && nox -s tests",
    ]


def test_the_commands_of_the_readme_run_in_order(tmp_path):
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    for block in blocks("README.md", "console"):
        for line in block.splitlines():
            result = subprocess.run(
                line.removeprefix("$ "),
                shell=True,
                cwd=tmp_path,
                env={**os.environ, "PATH": path},
                capture_output=True,
                text=True,
                check=False,
            )
            assert result.returncode == 0, f"{line}\n{result.stdout}\n{result.stderr}"


def test_the_snippets_of_the_readme_run_in_order(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "readme"}
    for block in blocks("README.md", "python"):
        exec(compile(block, "README.md", "exec"), names)
    output = capsys.readouterr().out
    assert "['conv1/conv1_1/weights:0', 'conv1/conv1_1/biases:0'" in output
    assert "padding" in output
    assert output.strip().endswith("42")

    slim, tf = names["slim"], names["tf"]
    tests = slim.data.load("digits", "test", 355, preprocessing="lenet", image_size=16)
    batch = next(iter(tests))
    guesses = tf.argmax(names["model"](batch["image"], is_training=False), 1)
    right = np.mean(guesses == batch["label"])
    assert right > 0.8, "the model of the README did not learn"


@pytest.mark.parametrize("readme", list(map(str, UNTESTED)), ids=lambda p: p.split("/")[1])
def test_the_snippets_of_a_plugins_readme_run_in_order(readme, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "readme"}
    for block in blocks(readme, "python"):
        exec(compile(block, readme, "exec"), names)


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md", *map(str, PLUGINS)])
def test_the_links_of_a_document_lead_somewhere(document):
    text = (ROOT / document).read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", text):
        assert ((ROOT / document).parent / target).exists(), target
