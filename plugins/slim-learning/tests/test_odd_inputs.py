"""Every command on odd input: one clear line and an exit status, and never a traceback."""

import json
import os
import socket

import pytest

NOT_UTF8 = os.fsdecode(b"\xff\xfe")
TEXTS = ["", " ", ".", "..", "/", "-", "--", "a/b/c", "~", "*", "[", "$\\frac$", "[/x]", "\x1b[2J",
         "a\nb", "é" * 300, NOT_UTF8, "\u2028", "%s", "{}", "0", "-1", "1e999", "nan",
         "model.ckpt-3", "x:y", "slim-nets:lenet", "os:system", "=", "a=b"]  # fmt: skip

# The text stands where the braces are.
COMMANDS = [
    ("train", "--logdir", "{run}", "--net", "{}", "--dataset", "digits"),
    ("train", "--logdir", "{run}", "--net", "tiny", "--dataset", "{}"),
    ("train", "--logdir", "{new}", "--net", "tiny", "--dataset", "digits", "--task", "{}"),
    ("train", "--logdir", "{new}", "--net", "tiny", "--dataset", "digits", "--task-option", "{}"),
    ("train", "--logdir", "{new}", "--net", "tiny", "--dataset", "digits", "--split", "{}"),
    ("train", "--logdir", "{new}", "--net", "tiny", "--dataset", "digits", "--dataset-dir", "{}"),
    ("train", "--logdir", "{new}", "--net", "tiny", "--dataset", "digits", "--steps", "{}"),
    ("train", "--logdir", "{new}", "--net", "tiny", "--dataset", "digits", "--rename", "{}"),
    ("train", "--logdir", "{run}", "--keep-best", "{}", "--eval-every", "1"),
    ("eval", "--logdir", "{}"),
    ("eval", "--logdir", "{run}", "--checkpoint", "{}"),
    ("eval", "--logdir", "{run}", "--split", "{}"),
    ("predict", "--logdir", "{}", "x.png"),
    ("predict", "--logdir", "{run}", "--", "{}"),
    ("export", "--logdir", "{}", "--to", "{new}"),
    ("export", "--logdir", "{run}", "--averaged", "--to", "{}"),
    ("doctor", "{}"),
    ("info", "{}"),
    ("list", "{}"),
    ("plan", "{}", "{}"),
    ("{}",),
]


@pytest.fixture
def run(tiny_net, tmp_path, monkeypatch):
    """A run of the network `tiny` in a folder of its own, which is the present one."""
    import slim_learning.run.run_record as record
    from slim_learning.commands.setup import build, new_setup

    monkeypatch.chdir(tmp_path)
    setup = new_setup("tiny", "digits", preprocessing="lenet")
    model = setup.model()
    build(model, setup.input_shape)
    model.save(str(tmp_path / "run" / "model.ckpt-3"))
    facts = {"split": "train", "batch_size": 32, "number_of_steps": 3, "optimizer": "sgd"}
    record.write(str(tmp_path / "run"), {**facts, **setup.record()})
    return tmp_path / "run"


def assert_clean(done, what):
    status, said, errors = done
    assert status in (0, 1, 2), (what, status, errors)
    assert "Traceback" not in errors, what
    # Nothing of the text reaches the terminal as a control sequence.
    assert "\x1b[2J" not in said + errors, what
    if status == 2:
        assert [line for line in errors.splitlines() if line.startswith("slim: ")], what


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_an_odd_word_gets_a_clear_line(slim_main, run, tmp_path, command):
    # A training is built for each; a third of the words is enough there.
    words = TEXTS[::3] if command[0] == "train" else TEXTS
    for i, text in enumerate(words):
        places = {"{}": text, "{run}": str(run), "{new}": str(tmp_path / f"new{i}")}
        arguments = [places.get(word, word) for word in command]
        assert_clean(slim_main(*arguments), arguments)


def damaged(**changes):
    def damage(run):
        record = json.loads((run / "run.json").read_text())
        (run / "run.json").write_text(json.dumps({**record, **changes}))

    return damage


DAMAGES = {
    "not JSON": lambda run: (run / "run.json").write_text("{"),
    "a list": lambda run: (run / "run.json").write_text("[]"),
    "not UTF-8": lambda run: (run / "run.json").write_bytes(b"\xff"),
    "a folder": lambda run: ((run / "run.json").unlink(), (run / "run.json").mkdir()),
    "network is a number": damaged(network=3),
    "network is unknown": damaged(network="nothing"),
    "dataset is a list": damaged(dataset=["digits"]),
    "image size is a text": damaged(image_size="8"),
    "image size is too small": damaged(image_size=0),
    "task is a number": damaged(task=1),
    "task is a module": damaged(task="os:system"),
    "configuration is a text": damaged(task_config="x"),
    "configuration of another task": damaged(task_config={"x": 1}),
    "a number of classes that does not fit": damaged(task_config={"num_classes": 3}),
    "unknown optimizer": damaged(optimizer="nothing"),
    "results are a text": damaged(results="x"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_record_gets_a_clear_line(slim_main, run, tmp_path, damage):
    DAMAGES[damage](run)
    for command in (
        ("train", "--logdir", run),
        ("eval", "--logdir", run),
        ("predict", "--logdir", run, "x.png"),
        ("export", "--logdir", run, "--to", tmp_path / "export"),
        ("doctor", run),
    ):
        assert_clean(slim_main(*command), command)


@pytest.mark.parametrize("name", [
    "model.ckpt-4.tmpdir", "model.ckpt-4.index", "model.ckpt-4.data-00000-of-00001", "checkpoint",
    "eval", "best.json",
])  # fmt: skip
# That another checkpoint is taken is told in a warning.
@pytest.mark.filterwarnings("ignore:checkpoint .* is damaged:RuntimeWarning")
@pytest.mark.parametrize("kind", ["folder", "garbage"])
def test_what_else_is_in_the_folder_of_a_run_gets_a_clear_line(
    slim_main, run, tmp_path, name, kind
):
    path = run / name
    if kind == "folder":
        path.mkdir()
    else:
        path.write_bytes(b"\x00garbage")
    train = ("train", "--logdir", run, "--net", "tiny", "--dataset", "digits", "--steps", "4")
    for command in (
        ("eval", "--logdir", run),
        ("doctor", run),
        ("export", "--logdir", run, "--to", tmp_path / "export"),
        train,
    ):
        assert_clean(slim_main(*command), command)


def test_odd_things_to_predict_from_get_a_clear_line(slim_main, run, tmp_path):
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "empty.png").touch()
    os.symlink("loop", tmp_path / "loop")
    (tmp_path / NOT_UTF8).write_bytes(b"x")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        names = ["folder.png", "empty.png", "loop", NOT_UTF8, "socket", "/dev/null", "x" * 300]
        for name in names:
            done = slim_main("predict", "--logdir", run, name)
            assert_clean(done, name)
            assert done[0] == (2 if name in ("socket", "/dev/null") else 1)


def test_what_cannot_be_predicted_from_is_told_in_words(slim_main, run, tmp_path):
    (tmp_path / "a.tif").write_bytes(b"II*\0" + bytes(20))
    (tmp_path / "a.gif").write_bytes(b"GIF89a\xff\xff\xff\xff" + bytes(20))
    _, _, errors = slim_main("predict", "--logdir", run, "a.tif", "a.gif")
    of_tif, of_gif = errors.splitlines()[-2:]
    assert of_tif.startswith("slim: a.tif is not a readable image: its format is not one of BMP, ")
    assert of_gif.startswith("slim: a.gif is not a readable image: the GIF exceeds the limit of ")


@pytest.mark.parametrize("options, message", [
    (("eval", "--logdir", "run/run.json"), "there is no run in run/run.json"),
    (("eval", "--logdir", "run", "--checkpoint", "pipe"), "pipe is not a checkpoint"),
    (("plan", "pipe", "--net", "lenet"), "pipe is not a checkpoint, but a pipe or a device"),
])  # fmt: skip
def test_what_is_not_a_run_or_a_checkpoint_is_told(slim_main, run, tmp_path, options, message):
    os.mkfifo(tmp_path / "pipe")
    status, _, errors = slim_main(*options)
    assert (status, message in errors) == (2, True), errors


@pytest.mark.parametrize("folder", [".", "..", "/", "run", "run/model.ckpt-3.index"])
def test_an_export_replaces_nothing(slim_main, run, folder):
    before = sorted(os.listdir(run))
    status, _, errors = slim_main("export", "--logdir", run, "--to", folder)
    assert (status, f"{folder} is there already" in errors) == (2, True)
    assert sorted(os.listdir(run)) == before


def test_an_empty_present_folder_can_be_exported_to(slim_main, run, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    status, _, errors = slim_main("export", "--logdir", run, "--to", ".")
    assert status == 0, errors
    assert (tmp_path / "here" / "saved_model.pb").exists()
