"""The commands train, eval, predict and export on the real digits, most in their own processes."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import tensorflow as tf
from slim_learning.commands import inference

import slimcore as slim

NET = ("--net", "lenet", "--dataset", "digits", "--seed", "1")


def digits(folder, count):
    """Writes some of the held-out digits as image files, and returns their paths and classes."""
    batch = next(iter(slim.data.load("digits", "test", count, image_size=8)))
    paths = [str(folder / f"{i}.png") for i in range(count)]
    for path, image in zip(paths, batch["image"], strict=True):
        tf.io.write_file(path, tf.io.encode_png(tf.cast(image, tf.uint8)))
    return paths, batch["label"].numpy().tolist()


def fails(done):
    """Returns the one line of an error that a user can mend."""
    status, _, errors = done
    assert status == 2, errors
    assert "Traceback" not in errors
    (line,) = [line for line in errors.splitlines() if line.startswith("slim: ")]
    return line


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run of 200 steps, which is enough for the digits."""
    logdir = tmp_path_factory.mktemp("run") / "digits"
    command = [sys.executable, "-m", "slimcore.cli", "train", *NET, "--logdir", str(logdir)]
    subprocess.run([*command, "--steps", "200"], check=True, timeout=300)
    return logdir


def test_the_digits_are_learnt_judged_predicted_and_exported(trained, program, tmp_path):
    done = program("eval", "--logdir", str(trained))
    assert done.returncode == 0, done.stderr
    assert "precision" in done.stdout
    results = json.loads((trained / "eval" / "results.json").read_text())
    assert results["accuracy"] >= 0.97
    matrix = results["confusion"]
    assert sum(map(sum, matrix)) == results["examples"] == 355
    assert results["accuracy"] == pytest.approx(sum(matrix[i][i] for i in range(10)) / 355)
    for i, row in enumerate(results["classes"]):
        assert row["recall"] == pytest.approx(matrix[i][i] / sum(matrix[i]))
        assert row["precision"] == pytest.approx(matrix[i][i] / sum(r[i] for r in matrix))
    assert (trained / "eval" / "confusion.png").read_bytes().startswith(b"\x89PNG")
    record = json.loads((trained / "run.json").read_text())
    assert record["results"]["eval test"]["accuracy"] == results["accuracy"]

    paths, classes = digits(tmp_path, 4)
    done = program("predict", "--logdir", str(trained), "--top", "1", *paths)
    predicted = [int(line.split(": ")[1].split()[0]) for line in done.stdout.splitlines()]
    assert sum(p == c for p, c in zip(predicted, classes, strict=True)) >= 3

    folder = tmp_path / "export"
    assert program("export", "--logdir", str(trained), "--to", str(folder)).returncode == 0
    code = (
        "import sys, tensorflow as tf\n"
        "model = tf.saved_model.load(sys.argv[1])\n"
        "contents = tf.constant([open(path, 'rb').read() for path in sys.argv[2:]])\n"
        "found = model.signatures['encoded'](contents)\n"
        "images = tf.map_fn(tf.io.decode_png, contents, fn_output_signature=tf.uint8)\n"
        "same = model.signatures['serving_default'](tf.ensure_shape(images, [None, 8, 8, 1]))\n"
        "assert 'slimcore' not in sys.modules\n"
        "assert (found['classes'].numpy() == same['classes'].numpy()).all()\n"
        "print(*found['classes'].numpy())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder), *paths], capture_output=True, text=True
    )
    assert done.stdout.split() == list(map(str, predicted)), done.stderr

    frozen = tmp_path / "frozen"
    done = program("export", "--frozen", "--logdir", str(trained), "--to", str(frozen))
    assert done.returncode == 0, done.stderr
    assert [name for name, _ in tf.train.list_variables(f"{frozen}/variables/variables")] == [
        "_CHECKPOINTABLE_OBJECT_GRAPH"
    ]
    # The 3,273,504 weights of LeNet are in it once, though two signatures use them.
    assert 4 * 3_273_504 < (frozen / "saved_model.pb").stat().st_size < 1.1 * 4 * 3_273_504
    done = subprocess.run(
        [sys.executable, "-c", code, str(frozen), *paths], capture_output=True, text=True
    )
    assert done.stdout.split() == list(map(str, predicted)), done.stderr

    done = program("export", "--logdir", str(trained), "--to", str(folder))
    assert "is there already" in fails((done.returncode, done.stdout, done.stderr))


def test_weights_too_large_for_constants_are_refused(trained, slim_main, tmp_path, monkeypatch):
    monkeypatch.setattr(inference, "MOST_CONSTANTS", 10_000_000)
    folder = tmp_path / "frozen"
    line = fails(slim_main("export", "--logdir", trained, "--to", folder, "--frozen"))
    assert "holds less than 10,000,000 of constants; leave --frozen out" in line
    assert not list(tmp_path.iterdir())


def test_the_record_names_command_seed_components_and_versions(trained):
    record = json.loads((trained / "run.json").read_text())
    assert record["starts"][0]["command"][1:4] == ["train", "--net", "lenet"]
    assert (record["network"], record["dataset"], record["seed"]) == ("lenet", "digits", 1)
    assert (record["preprocessing"], record["image_size"]) == ("lenet", 28)
    assert record["components"]["network"]["distribution"] == "slim-nets"
    assert record["components"]["network"]["version"]
    assert record["results"]["train"]["loss"] > 0
    assert record["status"] == "completed"


def test_one_unreadable_image_does_not_stop_the_others(trained, slim_main, tmp_path):
    (good, other), _ = digits(tmp_path, 2)
    bad, missing = tmp_path / "no.png", tmp_path / "missing\x1b[2J.png"
    bad.write_text("no image")
    status, said, errors = slim_main("predict", "--logdir", trained, bad, good, missing, other)
    assert [line.split(": ")[0] for line in said.splitlines()] == [good, other]
    first, second = errors.splitlines()[-2:]
    assert f"slim: {bad} is not a readable image: " in first
    assert (
        second == f"slim: {tmp_path}/missing\\x1b[2J.png cannot be read: No such file or directory"
    )
    assert (status, "Traceback" in errors) == (1, False)


def test_a_pipe_is_refused_before_anything_waits_for_it(trained, slim_main, tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    line = fails(slim_main("predict", "--logdir", trained, path))
    assert line == f"slim: {path} is not a file but a pipe or a device; write the image to a file"


def test_a_record_of_before_there_were_tasks_is_one_of_classification(trained, slim_main, tmp_path):
    record = json.loads((trained / "run.json").read_text())
    assert record.pop("task") == "classification"
    config = record.pop("task_config")
    record |= {name: config[name] for name in ("num_classes", "labels", "labels_offset")}
    del record["components"]["task"], record["results"]
    old = tmp_path / "old"
    shutil.copytree(trained, old)
    (old / "run.json").write_text(json.dumps(record))
    paths, _ = digits(tmp_path, 2)
    new_and_old = [slim_main("predict", "--logdir", logdir, *paths)[1] for logdir in (trained, old)]
    assert new_and_old[0] == new_and_old[1] != ""
    steps = ("--steps", "201", "--logdir", old)
    status, _, errors = slim_main("train", *steps)
    assert status == 0, errors
    assert json.loads((old / "run.json").read_text())["task"] == "classification"
    assert "whose task is classification, not multilabel" in fails(
        slim_main("train", *steps, "--task", "multilabel")
    )


def test_what_a_record_names_is_looked_up_and_never_imported(trained, slim_main, tmp_path):
    record = json.loads((trained / "run.json").read_text())
    trap = tmp_path / "trap"
    (tmp_path / "evil.py").write_text(f"open({str(trap)!r}, 'w')")
    for name in ("evil", "evil:Task", "os:system", "../evil"):
        (tmp_path / "run.json").write_text(json.dumps({**record, "task": name}))
        fails(slim_main("predict", "--logdir", tmp_path, "x.png"))
    assert not trap.exists()


@pytest.mark.parametrize("arguments, message", [
    (("train", "--net", "lenett", "--dataset", "digits"), "'lenett'. Close: lenet"),
    (("train", "--net", "lenet", "--dataset", "digit"), "'digit'. Close: digits"),
    (("train",), "there is no run in {logdir} to go on with: give --net"),
    (("eval",), "there is no run in {logdir}"),
    (("train", *NET, "--dataset-dir", "nowhere"), "nowhere"),
], ids=["net", "dataset", "nothing", "eval", "no data"])  # fmt: skip
def test_what_cannot_be_done_is_one_line_and_makes_no_run(slim_main, tmp_path, arguments, message):
    logdir = tmp_path / "run"
    done = slim_main(*arguments, "--logdir", logdir)
    assert message.format(logdir=logdir) in fails(done)
    assert not logdir.exists()


def test_a_folder_with_a_run_of_another_network_is_left_as_it_is(trained, slim_main):
    before = {path: path.stat().st_mtime_ns for path in trained.iterdir()}
    done = slim_main("train", "--net", "alexnet_v2", "--dataset", "digits", "--logdir", trained)
    assert "whose network is lenet, not alexnet_v2" in fails(done)
    assert {path: path.stat().st_mtime_ns for path in trained.iterdir()} == before


def test_a_folder_that_cannot_be_written_is_one_line(slim_main, tmp_path):
    (tmp_path / "file").touch()
    logdir = str(tmp_path / "file" / "run")
    assert "Not a directory" in fails(slim_main("train", *NET, "--logdir", logdir))


def test_a_truncated_file_of_records_is_named_with_the_record(slim_main, tmp_path):
    from slim_data import datasets

    there = Path(datasets.__file__).with_name("digits")
    (tmp_path / "labels.txt").write_bytes((there / "labels.txt").read_bytes())
    path = tmp_path / "digits_train.tfrecord"
    path.write_bytes((there / "digits_train.tfrecord").read_bytes()[:20000])
    run = ("train", *NET, "--dataset-dir", str(tmp_path), "--logdir", str(tmp_path / "run"))
    assert f"{path}, record 75" in fails(slim_main(*run))


def wait_for(condition, process, seconds=240):
    deadline = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline, "nothing happened"
        time.sleep(0.05)


def test_a_killed_run_goes_on_from_its_last_checkpoint_and_ends_as_if_unharmed(
    program, start, tmp_path
):
    options = (
        *NET,
        "--deterministic",
        "--save-steps",
        "5",
        "--batch-size",
        "8",
        "--log-every",
        "5",
    )
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert program("train", *options, "--steps", "30", "--logdir", str(whole)).returncode == 0
    command = ("train", *options, "--steps", "30", "--logdir", str(parts))
    process = start(*command)
    wait_for(lambda: list(parts.glob("model.ckpt-*.index")), process)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    done = program(*command)
    assert done.returncode == 0, done.stderr
    one, two = (tf.train.load_checkpoint(str(run / "model.ckpt-30")) for run in (whole, parts))
    shapes = one.get_variable_to_shape_map()
    assert shapes == two.get_variable_to_shape_map()
    for name in shapes:
        if name != "data/iterator":
            assert (one.get_tensor(name) == two.get_tensor(name)).all(), name


@pytest.mark.parametrize("number, status", [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_stopped_run_saves_first(program, start, tmp_path, number, status):
    logdir = tmp_path / "run"
    process = start("train", *NET, "--steps", "100000", "--logdir", str(logdir), "--log-every", "1")
    wait_for(lambda: (logdir / "run.json").exists(), process)
    time.sleep(8)
    process.send_signal(number)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == status, errors
    assert "Traceback" not in errors
    record = json.loads((logdir / "run.json").read_text())
    assert record["status"] == "interrupted"
    assert (logdir / f"{record['checkpoint']}.index").exists()
