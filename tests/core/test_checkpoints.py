"""Name-based checkpoints: what is written, and what a plan makes of it."""

import os
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
    (tmp_path / "model.ckpt-11.index").write_bytes(b"")  # its data never came
    assert checkpoints.load(str(tmp_path)).get_tensor("step") == 10


def test_no_checkpoint_and_a_broken_one_are_errors_that_name_the_file(tmp_path):
    with pytest.raises(CheckpointError, match=f"no checkpoint in the folder {tmp_path}"):
        checkpoints.load(str(tmp_path))
    with pytest.raises(CheckpointError, match="cannot read checkpoint .*absent"):
        checkpoints.load(str(tmp_path / "absent"))
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckpointError, match="cannot write checkpoint .*file/model"):
        checkpoints.save(str(tmp_path / "file" / "model"), {"a": np.float32(1)})


SAVES_UNTIL_KILLED = """
    import glob, os, signal, sys, time
    import numpy as np
    import slimcore.checkpoints as checkpoints  # imported once; TensorFlow starts in each child

    def save_without_end(prefix):
        for value in range(1, 100000):
            values = {f"v{i}": np.full([256, 256], value, np.float32) for i in range(4)}
            checkpoints.save(prefix, values)
            checkpoints.save(f"{prefix}-{value % 50}", values)

    for trial in range(5):
        prefix = f"{sys.argv[1]}/trial{trial}/model"
        child = os.fork()
        if not child:
            save_without_end(prefix)
        while not glob.glob(f"{prefix}-*.index"):
            time.sleep(0.005)
        time.sleep(0.02 + 0.0137 * trial)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
"""


@pytest.mark.slow
def test_a_process_killed_at_any_instant_leaves_no_half_checkpoint(tmp_path):
    """Some saves are over an earlier checkpoint, whose data must not meet the newer index."""
    program = tmp_path / "saves.py"
    program.write_text(textwrap.dedent(SAVES_UNTIL_KILLED))
    subprocess.run([sys.executable, str(program), str(tmp_path)], check=True, timeout=120)
    found = [p for p in tmp_path.glob("trial*/*.index") if ".tmp" not in p.name]
    assert {p.parent.name for p in found} == {f"trial{i}" for i in range(5)}
    for index in found:
        reader = checkpoints.load(str(index).removesuffix(".index"))
        arrays = [reader.get_tensor(f"v{i}") for i in range(4)]
        assert np.min(arrays) == np.max(arrays)


def test_overwriting_removes_the_index_before_the_data(tmp_path, monkeypatch):
    """Between the two renames there must be no index to find."""
    path = str(tmp_path / "model")
    checkpoints.save(path, {"a": np.float32(1)})
    replace, seen = os.replace, []

    def watched(source, target):
        seen.append((target.rpartition(".")[2], os.path.exists(path + ".index")))
        replace(source, target)

    monkeypatch.setattr(os, "replace", watched)
    checkpoints.save(path, {"a": np.float32(2)})
    assert seen == [("data-00000-of-00001", False), ("index", False)]
    assert checkpoints.load(path).get_tensor("a") == 2
