"""Name-based checkpoints: what is written, and what a plan makes of it."""

import os
import pathlib
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest
import tensorflow as tf

import slimcore.checkpoints as checkpoints
from slimcore.errors import CheckpointError

WEIGHTS = np.arange(6, dtype=np.float32).reshape(2, 3)


@pytest.fixture
def path(tmp_path):
    """Returns a checkpoint with net/conv1/weights [2, 3], net/logits/biases [5] and a step."""
    values = {
        "net/conv1/weights": WEIGHTS,
        "net/logits/biases": np.ones(5, np.float32),
        "global_step": np.int64(7),
    }
    return checkpoints.save(str(tmp_path / "model.ckpt-7"), values)


def variables(**shapes):
    return {name.replace("__", "/"): tf.Variable(tf.zeros(shape)) for name, shape in shapes.items()}


def test_a_saver_in_a_graph_reads_what_is_saved(path):
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        with tf.compat.v1.variable_scope("net/conv1"):
            weights = tf.compat.v1.get_variable("weights", [2, 3])
        tf.compat.v1.train.Saver([weights]).restore(session, path)
        np.testing.assert_array_equal(session.run(weights), WEIGHTS)


def test_a_plan_is_a_report_of_one_line_for_each_variable(path):
    mine = variables(net__conv1__weights=[2, 3], net__logits__biases=[9], net__new__weights=[1])
    plan = checkpoints.plan(path, mine, strict=False)
    assert str(plan).splitlines() == [
        f"{path}:",
        "  matched      net/conv1/weights [2, 3]",
        "  other shape  net/logits/biases [9], there [5]: exclude net/logits",
        "  missing      net/new/weights [1]: close there: net/conv1/weights",
        "  unused       global_step",
    ]


def test_what_is_missing_is_named_with_what_is_close(path):
    with pytest.raises(
        CheckpointError, match=r"conv1/weights is not in it \(close there: net/conv1/weights\)"
    ):
        checkpoints.plan(path, variables(conv1__weights=[2, 3]))


def test_another_shape_is_named_with_both_and_the_remedy(path):
    with pytest.raises(
        CheckpointError, match=r"biases has shape \[5\] there and \[9\] here: exclude net/logits"
    ):
        checkpoints.plan(path, variables(net__logits__biases=[9]))


def test_a_scope_that_matches_nothing_is_an_error(path):
    with pytest.raises(CheckpointError, match=r"scope 'net/logit'. Close: net/logits"):
        checkpoints.plan(path, variables(net__logits__biases=[5]), exclude=["net/logit"])
    with pytest.raises(CheckpointError, match=r"include takes a list of scopes: \['net'\]"):
        checkpoints.plan(path, variables(net__logits__biases=[5]), include="net")


@pytest.mark.parametrize(
    "rename",
    [{"mine": "net", "mine/first": "net/conv1"}, lambda name: "net/conv1/weights"],
    ids=["the longest leading path", "a function"],
)
def test_a_variable_is_read_under_another_name(path, rename):
    mine = variables(mine__first__weights=[2, 3])
    plan = checkpoints.plan(path, mine, rename=rename)
    plan.assign(mine)
    assert "renamed" in str(plan)
    np.testing.assert_array_equal(mine["mine/first/weights"], WEIGHTS)


def test_as_many_elements_are_reshaped_on_demand_only(path):
    mine = variables(net__conv1__weights=[6])
    with pytest.raises(CheckpointError, match=r"\[2, 3\] there and \[6\] here"):
        checkpoints.plan(path, mine)
    checkpoints.plan(path, mine, reshape=True).assign(mine)
    np.testing.assert_array_equal(mine["net/conv1/weights"], WEIGHTS.ravel())


def test_the_names_close_to_many_missing_ones_are_found_quickly(tmp_path):
    names = [f"net/block{b}/unit_{u}/conv/weights" for b in range(20) for u in range(20)]
    path = checkpoints.save(str(tmp_path / "m"), dict.fromkeys(names, np.float32(0)))
    mine = {f"tower/{name}": tf.Variable(0.0) for name in names}
    began = time.perf_counter()
    plan = checkpoints.plan(path, mine, strict=False)
    assert time.perf_counter() - began < 2
    assert plan.entries[21].hint == "close there: net/block1/unit_1/conv/weights"


def test_a_folder_means_its_newest_checkpoint(tmp_path):
    for step in (9, 10):
        checkpoints.save(str(tmp_path / f"model.ckpt-{step}"), {"step": np.int64(step)})
    assert checkpoints.load(str(tmp_path)).get_tensor("step") == 10


def test_no_checkpoint_and_a_broken_one_are_errors_that_name_the_file(tmp_path):
    with pytest.raises(CheckpointError, match=f"no checkpoint in the folder {tmp_path}"):
        checkpoints.load(str(tmp_path))
    with pytest.raises(CheckpointError, match="cannot read checkpoint .*absent"):
        checkpoints.load(str(tmp_path / "absent"))
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckpointError, match="cannot write checkpoint .*file/model"):
        checkpoints.save(str(tmp_path / "file" / "model"), {"a": np.float32(1)})


OVERWRITES_UNTIL_KILLED = """
    import os, random, signal, sys, time
    import numpy as np
    import slimcore.checkpoints as checkpoints  # imported once; TensorFlow starts in each child

    folder, kills = sys.argv[1], int(sys.argv[2])
    prefix = f"{folder}/model.ckpt-7"

    def values(value):
        return {f"v{i}": np.full([256, 128], value, np.float32) for i in range(4)}

    def whole():
        found = checkpoints.newest(folder)
        reader = checkpoints.load(found)
        arrays = [reader.get_tensor(f"v{i}") for i in range(4)]
        assert found == prefix and np.min(arrays) == np.max(arrays), (found, np.unique(arrays))
        return int(np.min(arrays))

    def child(number, saved):
        value = whole() if number else 0
        while True:
            checkpoints.save(prefix, values(value))
            os.write(saved, b".")
            value += 1

    draws = random.Random(5)
    for number in range(kills):
        read, write = os.pipe()
        pid = os.fork()
        if not pid:
            try:
                child(number, write)
            finally:
                os._exit(1)
        os.close(write)
        os.read(read, 1)  # until it has saved once
        time.sleep(draws.uniform(0, 0.1))
        os.kill(pid, signal.SIGKILL)
        assert os.waitpid(pid, 0)[1] == signal.SIGKILL, number
        os.close(read)
    print(whole(), *sorted(os.listdir(folder)))
"""


@pytest.mark.parametrize("kills", [4, pytest.param(150, marks=pytest.mark.slow)])
def test_overwriting_a_checkpoint_never_leaves_a_moment_without_a_whole_one(tmp_path, kills):
    program = tmp_path / "overwrites.py"
    program.write_text(textwrap.dedent(OVERWRITES_UNTIL_KILLED))
    folder = tmp_path / "run"
    command = [sys.executable, str(program), str(folder), str(kills)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stderr[-2000:]
    value, *files = done.stdout.split()
    assert int(value) >= kills - 1
    assert "model.ckpt-7.index" in files


def test_a_checkpoint_is_whole_at_each_step_of_overwriting_it(tmp_path, monkeypatch):
    path = str(tmp_path / "model.ckpt-1")
    checkpoints.save(path, {"a": np.float32(0), "b": np.float32(0)})
    seen, replace, unlink = [], os.replace, pathlib.Path.unlink

    def look():
        reader = checkpoints.load(checkpoints.newest(str(tmp_path)))
        seen.append((float(reader.get_tensor("a")), float(reader.get_tensor("b"))))

    def watched(function):
        def call(*args, **kwargs):
            look()
            function(*args, **kwargs)
            look()

        return call

    monkeypatch.setattr(os, "replace", watched(replace))
    monkeypatch.setattr(pathlib.Path, "unlink", watched(unlink))
    checkpoints.save(path, {"a": np.float32(1), "b": np.float32(1)})
    assert sorted(set(seen)) == [(0, 0), (1, 1)]
    assert seen == sorted(seen)


def test_each_overwriting_leaves_its_own_files_alone(tmp_path):
    path = str(tmp_path / "model.ckpt-1")
    for value in range(4):
        values = {"a": np.float32(value)} if value == 1 else dict.fromkeys("abc", np.int64(value))
        checkpoints.save(path, values)
        assert checkpoints.load(path).get_tensor("a") == value
        shards = 1 + value % 2
        assert sorted(os.listdir(tmp_path)) == [
            *(f"model.ckpt-1.data-0000{i}-of-0000{shards}" for i in range(shards)),
            "model.ckpt-1.index",
        ]


@pytest.mark.parametrize("before", [[], ["a"]], ids=["a new one", "one overwritten"])
def test_what_cannot_be_written_leaves_nothing_behind(tmp_path, monkeypatch, before):
    path = str(tmp_path / "model.ckpt-1")
    for name in before:
        checkpoints.save(path, {name: np.float32(1)})
    there = sorted(os.listdir(tmp_path))

    def full(source, target):
        if target.endswith(".index"):
            raise OSError(28, "No space left on device")
        os.rename(source, target)

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(CheckpointError, match="cannot write checkpoint .*No space left"):
        checkpoints.save(path, {"a": np.float32(2), "b": np.float32(2)})
    assert sorted(os.listdir(tmp_path)) == there
