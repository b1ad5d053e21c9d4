"""The folder of a run: where it goes on from, who holds it, and what happens if it is lost."""

import json
import os
import platform
import shutil
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from slim_learning.run.run_record import RunRecord, read

import slimcore as slim
import slimcore.checkpoints as checkpoints
from slimcore.errors import CheckpointError, RunError
from slimcore.locks import NAME, FolderLock

v1 = tf.compat.v1


class Functions:
    """Trains on functions of a batch; the weight is the number of steps taken."""

    def train(self, folder, steps, before_step=None, **options):
        model = slim.Module(lambda x: x * slim.model_variable("w", [], initializer=tf.zeros))

        def loss_fn(batch):
            if before_step:
                tf.py_function(before_step, [], [])
            return -tf.reduce_sum(model(batch))

        batches = tf.data.Dataset.from_tensor_slices([1.0]).batch(1)
        train_op = slim.learning.create_train_op(loss_fn, v1.train.GradientDescentOptimizer(1.0))
        slim.learning.train(
            train_op,
            str(folder),
            dataset=batches,
            number_of_steps=steps,
            save_interval_steps=1,
            **{"followers": [RunRecord()], **options},
        )


class Graphs:
    """Trains in a graph; the weight is the number of steps taken."""

    def train(self, folder, steps, before_step=None, **options):
        with tf.Graph().as_default():
            w = v1.get_variable("w", [], initializer=v1.zeros_initializer(), use_resource=True)
            called = [tf.py_function(before_step, [], [])] if before_step else []
            with tf.control_dependencies(called):
                loss = -tf.identity(w)
            train_op = slim.learning.create_train_op(
                loss, v1.train.GradientDescentOptimizer(1.0), check_numerics=False
            )
            slim.learning.train(
                train_op,
                str(folder),
                number_of_steps=steps,
                save_interval_secs=1e-6,
                save_summaries_secs=0,
                **options,
            )


class Hooks:
    """Trains in a session that hooks watch over; the weight is the number of steps taken."""

    def train(self, folder, steps, before_step=None):
        with tf.Graph().as_default():
            w = v1.get_variable("w", [], initializer=v1.zeros_initializer(), use_resource=True)
            called = [tf.py_function(before_step, [], [])] if before_step else []
            with tf.control_dependencies(called):
                loss = -tf.identity(w)
            train_op = slim.training.create_train_op(
                loss, v1.train.GradientDescentOptimizer(1.0), check_numerics=False
            )
            slim.training.train(
                train_op,
                str(folder),
                hooks=[
                    v1.train.StopAtStepHook(last_step=steps),
                    v1.train.CheckpointSaverHook(str(folder), save_steps=1),
                ],
                save_checkpoint_secs=None,
                save_summaries_steps=None,
            )


@pytest.fixture(params=[Functions, Graphs], ids=["on functions", "in a graph"])
def mode(request):
    return request.param()


# `slim.training.train` keeps no record.
@pytest.fixture(params=[Functions, Graphs, Hooks], ids=["on functions", "in a graph", "by hooks"])
def any_mode(request):
    return request.param()


def step_and_weight(folder):
    reader = checkpoints.load(str(folder))
    return int(reader.get_tensor("global_step")), float(reader.get_tensor("w"))


def test_a_run_goes_on_from_the_checkpoint_that_the_state_file_names(tmp_path, mode):
    mode.train(tmp_path, 4)
    state = (tmp_path / "checkpoint").read_text().splitlines()
    state[0] = 'model_checkpoint_path: "model.ckpt-2"'
    (tmp_path / "checkpoint").write_text("\n".join(state))
    mode.train(tmp_path, 3)
    assert read(str(tmp_path))["starts"][-1]["first_step"] == 2
    # What was taken back is not the newest again, until the run reaches it once more.
    assert step_and_weight(tmp_path) == (3, 3)
    mode.train(tmp_path, 5)
    assert step_and_weight(tmp_path) == (5, 5)


@pytest.mark.parametrize("part", ["index", "data-00000-of-00001"])
def test_a_damaged_newest_checkpoint_does_not_end_a_run(tmp_path, any_mode, part):
    any_mode.train(tmp_path, 4)
    path = tmp_path / f"model.ckpt-4.{part}"
    path.write_bytes(path.read_bytes()[:-60])
    taken = []
    with pytest.warns(RuntimeWarning, match="ckpt-4 is damaged .*ckpt-3, the newest before it"):
        any_mode.train(tmp_path, 6, before_step=lambda: taken.append(1))
    assert len(taken) == 3
    assert step_and_weight(tmp_path) == (6, 6)


def test_a_flipped_bit_does_not_end_a_run(tmp_path, mode):
    mode.train(tmp_path, 4)
    for path in tmp_path.glob("model.ckpt-4.data*"):
        data = bytearray(path.read_bytes())
        data[:] = bytes(byte ^ 1 for byte in data)
        path.write_bytes(data)
    with pytest.warns(RuntimeWarning, match="ckpt-4 is damaged .*ckpt-3, the newest before it"):
        mode.train(tmp_path, 6)
    assert read(str(tmp_path))["starts"][-1]["first_step"] == 3
    assert step_and_weight(tmp_path) == (6, 6)


def test_a_run_of_damaged_checkpoints_alone_does_not_begin_anew(tmp_path, any_mode):
    any_mode.train(tmp_path, 2)
    for index in tmp_path.glob("*.index"):
        index.write_bytes(b"")
    with pytest.raises(CheckpointError, match="no checkpoint in .* is whole"):
        any_mode.train(tmp_path, 4)


def test_a_copied_checkpoint_of_another_name_is_not_gone_on_from(tmp_path, any_mode):
    checkpoints.save(str(tmp_path / "pretrained-9000"), {"w": np.float32(9), "global_step": 9})
    any_mode.train(tmp_path, 2)
    assert step_and_weight(tmp_path) == (2, 2)


def test_a_second_training_in_a_folder_is_refused_and_told_who_holds_it(tmp_path, any_mode):
    refused = []

    def train_again():
        with pytest.raises(RunError, match="is in use by a training: process") as error:
            any_mode.train(tmp_path, 9)
        refused.append(str(error.value))

    any_mode.train(tmp_path, 1, before_step=train_again)
    assert f"process {os.getpid()} on host {platform.node()}" in refused[0]
    assert not (tmp_path / NAME).exists()
    assert step_and_weight(tmp_path) == (1, 1)


def test_without_a_state_file_a_run_goes_on_from_the_highest_step(tmp_path, any_mode):
    any_mode.train(tmp_path, 2)
    (tmp_path / "checkpoint").unlink()
    any_mode.train(tmp_path, 3)
    assert step_and_weight(tmp_path) == (3, 3)


def test_a_training_that_failed_frees_its_folder(tmp_path, mode):
    def fail():
        raise ValueError("no")

    with pytest.raises(Exception, match="no"):
        mode.train(tmp_path, 2, before_step=fail)
    with FolderLock(tmp_path, "a test"):
        assert read(str(tmp_path))["status"] == "failed"


@pytest.mark.filterwarnings("ignore:the hook slim_run_ended of RunRecord")  # which has no folder
@pytest.mark.parametrize("again", [False, True], ids=["deleted", "made anew"])
def test_a_folder_that_is_deleted_while_training_is_a_clear_error(tmp_path, mode, again):
    folder, steps = tmp_path / "run", []

    def delete():
        steps.append(1)
        if len(steps) == 2:
            shutil.rmtree(folder)
            if again:
                folder.mkdir()

    with pytest.raises(RunError, match="run was deleted, moved or replaced while a training"):
        mode.train(folder, 4, before_step=delete)
    assert len(steps) == 2
    assert not list(folder.glob("model.ckpt*"))


def test_what_a_killed_run_was_writing_is_removed_at_the_next_start(tmp_path, mode):
    mode.train(tmp_path, 1)
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    left = tmp_path / f".run.{platform.node()}-{gone.pid}-0123abcd.tmp.json"
    left.touch()
    mode.train(tmp_path, 2)
    assert not left.exists()


def test_a_record_that_cannot_be_written_once_is_written_later(tmp_path):
    saved = []

    class Blocks:
        @slim.hookimpl(tryfirst=True)
        def slim_checkpoint_saved(self, step):
            saved.append(step)
            path = tmp_path / "run.json"
            if step == 2:  # a folder cannot be replaced by a file
                path.rename(tmp_path / "aside")
                path.mkdir()
            elif step == 3:
                path.rmdir()
                (tmp_path / "aside").rename(path)

    with pytest.warns(RuntimeWarning, match="slim_checkpoint_saved of RunRecord raised RunError"):
        Functions().train(tmp_path, 4, followers=[RunRecord(), Blocks()])
    found = json.loads((tmp_path / "run.json").read_text())
    assert (saved, found["status"], found["step"]) == ([1, 2, 3, 4], "completed", 4)
