"""Every command of `slim data` on odd input: a clear line and an exit status, never a traceback."""

import os
import sys

import numpy as np
import pytest
import tensorflow as tf

NOT_UTF8 = os.fsdecode(b"\xff\xfe")
TEXTS = ["", " ", ".", "..", "/", "-", "--", "a/b/c", "~", "*", "[", "$\\frac$", "[/x]", "\x1b[2J",
         "a\nb", "\u00e9" * 300, NOT_UTF8, "\u2028", "%s", "{}", "0", "-1", "1e999", "nan",
         "gs:", "x:y", "slim-data:digits", "os:system", "=", "a=b", "pipe", "animals",
         "animals/cat", "animals/cat/a.png", "/dev/zero", "x.png"]  # fmt: skip

# The text stands where the braces are.
COMMANDS = [
    ("convert", "{}", "--to", "new"),
    ("convert", "animals", "--to", "sets/{}"),
    ("convert", "animals", "--to", "new", "--name", "{}"),
    ("convert", "animals", "--to", "new", "--shards", "{}"),
    ("stats", "{}"),
    ("stats", "image_folder", "--dataset-dir", "{}"),
    ("stats", "mnist", "--split", "{}"),
    ("show", "image_folder", "--dataset-dir", "animals", "--split", "{}"),
    ("show", "digits", "--count", "1", "--to", "sheets/{}"),
    ("{}",),
]


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with images and a pipe, which is the present one."""
    monkeypatch.chdir(tmp_path)
    for name in ("animals/cat/a.png", "animals/dog/a.png"):
        path = tmp_path / name
        path.parent.mkdir(parents=True)
        path.write_bytes(tf.io.encode_png(np.zeros([1, 1, 1], np.uint8)).numpy())
    os.mkfifo(tmp_path / "pipe")
    return tmp_path


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_an_odd_word_gets_a_clear_line(command, here, monkeypatch, capfd):
    from slimcore.cli import main

    # A sheet is drawn for each; a third of the words is enough there.
    for text in TEXTS[::3] if "digits" in command else TEXTS:
        arguments = [word.replace("{}", text) for word in command]
        monkeypatch.setattr(sys, "argv", ["slim", "data", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capfd.readouterr()
        assert ended.value.code in (None, 0, 2), (arguments, said.err)
        assert "\x1b[2J" not in said.out + said.err
        if ended.value.code == 2:
            line = said.err.splitlines()[-1]
            assert line.startswith("slim: "), arguments
            # Words of Python's or the system's alone tell nobody what to do.
            assert not line.startswith(("slim: [Errno", "slim: '")), arguments
    assert sorted(os.listdir(here / "animals" / "cat")) == ["a.png"]
