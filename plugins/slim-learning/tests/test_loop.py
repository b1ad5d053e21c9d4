"""The training loop on functions: logs, checkpoints, and runs that go on where they stopped."""

import os
import signal
import tempfile
import threading
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

import slimcore as slim
import slimcore.checkpoints as checkpoints
from slimcore.errors import CheckpointError, DataError, RunError

v1 = tf.compat.v1
OPTIMIZERS = {
    "keras adam": lambda: tf.keras.optimizers.Adam(0.01),
    "v1 momentum": lambda: v1.train.MomentumOptimizer(0.01, 0.9),
}


def train(train_op, logdir, dataset, steps, *followers, **options):
    return slim.learning.train(
        train_op,
        str(logdir),
        dataset=dataset,
        number_of_steps=steps,
        followers=followers,
        **options,
    )


def values(train_op):
    return {name: np.asarray(v) for name, v in train_op.named_variables.items()}


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_run_in_two_parts_ends_as_one_in_one_part(tmp_path, task, optimizer):
    whole = task.train_op(OPTIMIZERS[optimizer]())
    train(whole, tmp_path / "whole", task.dataset(), 30)
    train(task.train_op(OPTIMIZERS[optimizer]()), tmp_path / "parts", task.dataset(), 11)
    # Another seed: all that is random comes from the checkpoint.
    second = task.train_op(OPTIMIZERS[optimizer](), seed=99)
    train(second, tmp_path / "parts", task.dataset(), 30)
    for name, value in values(whole).items():
        np.testing.assert_array_equal(value, values(second)[name], err_msg=name)


def test_a_dataset_without_a_state_goes_on_by_counting(tmp_path, task):
    def dataset():
        rows = [(task.x[i : i + 8], task.y[i : i + 8]) for i in range(0, 64, 8)]
        return tf.data.Dataset.from_generator(
            lambda: iter(rows),
            output_signature=(tf.TensorSpec([8, 4]), tf.TensorSpec([8, 1])),
        )

    whole = task.train_op()
    train(whole, tmp_path / "whole", dataset(), 13)
    train(task.train_op(), tmp_path / "parts", dataset(), 5)
    second = task.train_op()
    train(second, tmp_path / "parts", dataset(), 13)
    np.testing.assert_array_equal(values(whole)["out/weights"], values(second)["out/weights"])


def check_that_it_goes_on_exactly(dataset, places, span):
    """Returns at how many places the state of the iterator was kept, and not a count alone."""
    from slim_learning.run.data_position import DataPosition

    def position():
        tf.random.set_seed(3)
        return DataPosition(dataset(), tf.distribute.get_strategy(), repeat=True)

    def batches(position, count):
        position.advance(count)
        return [next(position.iterator).numpy().tolist() for _ in range(count)]

    whole, states = batches(position(), max(places) + span), 0
    for taken in places:
        first, path = position(), f"{tempfile.mkdtemp()}/model.ckpt-1"
        batches(first, taken)
        checkpoints.save(path, first.values())
        states += "data/iterator" in first.values()
        second = position()
        second.restore(path)
        assert batches(second, span) == whole[taken : taken + span], taken
    return states


@pytest.mark.parametrize("ahead", [0, 2])
def test_a_run_goes_on_exactly_wherever_in_an_epoch_it_stopped(ahead):
    def dataset():
        return tf.data.Dataset.range(30).shuffle(30, seed=1).batch(8).prefetch(ahead)

    assert check_that_it_goes_on_exactly(dataset, range(1, 13), 12) == 0


@pytest.mark.parametrize("ahead", [0, 8, tf.data.AUTOTUNE])
def test_the_state_is_kept_far_from_a_last_batch_that_is_not_full(ahead):
    def dataset():
        data = tf.data.Dataset.range(803).shuffle(30, seed=1).batch(8)
        return data.prefetch(ahead) if ahead else data

    places = [1, 36, 37, 100, 101, 102, 137, 138, 202]  # 101 batches an epoch
    assert check_that_it_goes_on_exactly(dataset, places, 110) == 4


def test_the_state_is_kept_everywhere_where_all_batches_are_full():
    def dataset():
        return tf.data.Dataset.range(30).shuffle(30, seed=1).batch(8, drop_remainder=True)

    assert check_that_it_goes_on_exactly(dataset, range(1, 8), 8) == 7


def test_what_cannot_be_told_of_epochs_is_warned_of_once():
    from slim_learning.run.data_position import DataPosition

    data = tf.data.Dataset.range(30).batch(8).repeat()
    position = DataPosition(data, tf.distribute.get_strategy())
    with pytest.warns(RuntimeWarning, match="drop_remainder=True"):
        values = position.values()
    assert "data/iterator" in values
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        position.values()


def test_the_loss_is_told_at_its_steps_and_at_the_end(tmp_path, task, followed):
    loss = train(task.train_op(), tmp_path, task.dataset(), 25, followed, log_every_n_steps=10)
    logged = followed.of("scalars")
    assert [step for step, _ in logged] == [10, 20, 25]
    assert logged[-1][1]["loss"] == loss
    assert logged[1][1]["examples/s"] == pytest.approx(8 * logged[1][1]["steps/s"])
    assert followed.events[0] == ("started", "train", 0)
    assert followed.events[-1] == ("ended", "completed")


def test_the_newest_checkpoints_are_kept_and_listed(tmp_path, task, followed):
    options = {"save_interval_steps": 4, "keep_checkpoints": 2}
    train(task.train_op(), tmp_path, task.dataset(), 14, followed, **options)
    assert followed.of("saved") == [(4,), (8,), (12,), (14,)]
    assert sorted(p.name for p in tmp_path.glob("*.index")) == [
        "model.ckpt-12.index",
        "model.ckpt-14.index",
    ]
    assert tf.train.latest_checkpoint(str(tmp_path)) == str(tmp_path / "model.ckpt-14")
    state = tf.train.get_checkpoint_state(str(tmp_path))
    assert [Path(p).name for p in state.all_model_checkpoint_paths] == [
        "model.ckpt-12",
        "model.ckpt-14",
    ]


def test_a_checkpoint_of_a_function_is_read_by_a_saver_in_a_graph(tmp_path, task):
    train_op = task.train_op()
    train(train_op, tmp_path, task.dataset(), 3)
    weights_here = values(train_op)["out/weights"]
    with tf.Graph().as_default(), v1.Session() as session:
        with v1.variable_scope("out"):
            weights = v1.get_variable("weights", [8, 1])
        step = v1.train.get_or_create_global_step()
        v1.train.Saver().restore(session, str(tmp_path / "model.ckpt-3"))
        assert session.run(step) == 3
        np.testing.assert_array_equal(session.run(weights), weights_here)


def test_one_pass_is_made_where_no_number_of_steps_is_given(tmp_path, task, followed):
    train(task.train_op(), tmp_path, task.dataset(), None, followed)
    assert followed.of("saved") == [(8,)]


def test_a_run_at_its_end_does_nothing(tmp_path, task, followed):
    train(task.train_op(), tmp_path, task.dataset(), 3)
    assert train(task.train_op(), tmp_path, task.dataset(), 3, followed) is None
    assert [event[0] for event in followed.events] == ["started", "ended"]


def test_first_values_can_be_changed_before_the_first_step_alone(tmp_path, task):
    calls = []
    train(task.train_op(), tmp_path, task.dataset(), 2, init_fn=lambda: calls.append(1))
    train(task.train_op(), tmp_path, task.dataset(), 4, init_fn=lambda: calls.append(2))
    assert calls == [1]


def test_the_record_tells_versions_results_and_every_start(tmp_path, task):
    from slim_learning.run.run_record import RunRecord, read

    for steps in (3, 5):
        slim.learning.train(
            task.train_op(),
            str(tmp_path),
            dataset=task.dataset(),
            number_of_steps=steps,
            followers=[RunRecord()],
            config={"network": "regression", "seed": 3},
        )
    record = read(str(tmp_path))
    assert (record["network"], record["seed"]) == ("regression", 3)
    assert (record["status"], record["step"], record["checkpoint"]) == (
        "completed",
        5,
        "model.ckpt-5",
    )
    assert record["results"]["train"]["loss"] >= 0
    assert [start["first_step"] for start in record["starts"]] == [0, 3]
    assert record["starts"][0]["packages"]["tensorflow"] == tf.__version__


def test_scalars_are_written_for_tensorboard(tmp_path, task):
    from slim_learning.run.tensorboard import TensorBoard

    train(task.train_op(), tmp_path, task.dataset(), 20, TensorBoard(), log_every_n_steps=10)
    found = {}
    for file in tmp_path.glob("events*"):
        for event in v1.train.summary_iterator(str(file)):
            for value in event.summary.value:
                found[value.tag, event.step] = tf.make_ndarray(value.tensor)
                assert value.metadata.plugin_data.plugin_name == "scalars"
    assert {step for tag, step in found if tag == "loss"} == {10, 20}


def test_a_line_now_and_then_is_printed_where_nobody_watches(tmp_path, task, capsys):
    from slim_learning.run.progress import Progress

    train(task.train_op(), tmp_path, task.dataset(), 20, Progress(), log_every_n_steps=10)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("step 10/20  loss ")
    assert lines[-1].startswith("completed after 0:0")


def test_a_signal_saves_and_then_ends_the_program(tmp_path, task, followed):
    timer = threading.Timer(1.5, os.kill, (os.getpid(), signal.SIGTERM))
    timer.start()
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as left:
        train(task.train_op(), tmp_path, task.dataset(), 10**9, followed)
    assert left.value.code == 143
    assert followed.events[-1] == ("ended", "interrupted")
    assert followed.of("saved")
    assert signal.getsignal(signal.SIGTERM) is before


def test_ctrl_c_is_a_keyboard_interrupt_after_saving(tmp_path, task, followed):
    timer = threading.Timer(1.5, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        train(task.train_op(), tmp_path, task.dataset(), 10**9, followed)
    assert followed.of("saved")


def test_a_loss_that_is_no_number_ends_the_run_with_its_checkpoints(tmp_path, task, followed):
    train_op = task.train_op(v1.train.GradientDescentOptimizer(1e6))
    with pytest.raises(RunError, match=r"NaN at step \d+; the newest checkpoint is .*ckpt-\d\."):
        train(train_op, tmp_path, task.dataset(), 100, followed, save_interval_steps=1)
    assert followed.events[-1] == ("ended", "failed")


def test_an_empty_dataset_is_an_error_in_one_line(tmp_path, task):
    with pytest.raises(DataError, match="gave no batch"):
        train(task.train_op(), tmp_path, task.dataset(batch_size=65), 10)


def test_a_folder_that_cannot_be_written_is_an_error_in_one_line(tmp_path, task):
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match="cannot write to the run's folder .*Not a directory"):
        train(task.train_op(), tmp_path / "file" / "run", task.dataset(), 10)


def test_a_checkpoint_of_another_network_is_an_error_and_stays(tmp_path, task):
    checkpoints.save(str(tmp_path / "model.ckpt-7"), {"out/weights": tf.zeros([3, 3])})
    with pytest.raises(CheckpointError, match="does not fit"):
        train(task.train_op(), tmp_path, task.dataset(), 10)
    assert checkpoints.latest(str(tmp_path)) == str(tmp_path / "model.ckpt-7")


def test_what_a_killed_run_left_half_written_is_removed(tmp_path, task):
    half = tmp_path / "model.ckpt-2.0123abcd.tmp.data-00000-of-00001"
    half.write_bytes(b"half")
    train(task.train_op(), tmp_path, task.dataset(), 1)
    assert not half.exists()


def test_nothing_is_read_back_between_logs(tmp_path, task, followed):
    began = time.monotonic()
    train(task.train_op(), tmp_path, task.dataset(), 400, followed, log_every_n_steps=10**6)
    # Unless the machine took longer than a log may wait.
    assert len(followed.of("scalars")) <= 1 + (time.monotonic() - began) // 5
