"""Evaluation on functions: one checkpoint, or each of a run, once, whatever happens meanwhile."""

import json
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import slim_learning.run.checkpoint_watcher as watcher
import slim_learning.run.run_record as record
import tensorflow as tf
from slim_learning.evaluate.eager import evaluate_once, evaluation_loop

import slimcore as slim
import slimcore.checkpoints as checkpoints
from slimcore.errors import CheckpointError, DataError, InputError

v1 = tf.compat.v1


def lines(folder, name="eval.jsonl"):
    return [json.loads(line) for line in Path(folder, name).read_text().splitlines()]


class Line:
    """y = w * x, judged by its mean error, with checkpoints of any weights."""

    def __init__(self):
        def network(x):
            return x * slim.model_variable("net/w", [], initializer=v1.ones_initializer())

        self.model = slim.Module(network)
        self.calls = 0

    def metric_fn(self, batch):
        return slim.metrics.aggregate_metric_map(
            {"mean": slim.metrics.streaming_mean(self.model(batch))}
        )

    def dataset(self):
        return tf.data.Dataset.from_tensor_slices(tf.constant([1.0, 2.0, 3.0, 6.0])).batch(2)

    def save(self, folder, step, weight, average=None):
        values = {"net/w": tf.constant(weight), "global_step": tf.constant(step, tf.int64)}
        if average is not None:
            values["net/w/ExponentialMovingAverage"] = tf.constant(average)
        return checkpoints.save(str(Path(folder, f"model.ckpt-{step}")), values)

    def loop(self, folder, **options):
        options = {"eval_interval_secs": 0.05, "timeout": 0.1, "followers": [], **options}
        return evaluation_loop(self.metric_fn, str(folder), self.dataset(), **options)


@pytest.fixture
def line():
    return Line()


def test_a_checkpoint_is_judged_and_the_results_are_written(tmp_path, line):
    path = line.save(tmp_path, 7, 2.0)
    found = evaluate_once(
        line.metric_fn, path, line.dataset(), logdir=str(tmp_path / "out"), split="test"
    )
    assert found == {"mean": 6.0}
    assert lines(tmp_path / "out", "eval_test.jsonl") == [
        {"step": 7, "checkpoint": "model.ckpt-7", "results": {"mean": 6.0}}
    ]
    (events,) = (tmp_path / "out").glob("events*")
    found = v1.train.summary_iterator(str(events))
    assert [(e.step, v.tag) for e in found for v in e.summary.value] == [(7, "mean")]


def test_a_folder_stands_for_its_newest_checkpoint_and_a_number_of_batches_is_kept_to(
    tmp_path, line
):
    line.save(tmp_path, 2, 9.0)
    line.save(tmp_path, 10, 2.0)
    assert evaluate_once(line.metric_fn, str(tmp_path), line.dataset(), num_evals=1) == {
        "mean": 3.0
    }


def test_averaged_weights_are_judged_beside_the_raw_ones(tmp_path, line):
    path = line.save(tmp_path, 1, 2.0, average=3.0)
    assert evaluate_once(line.metric_fn, path, line.dataset()) == {
        "mean": 6.0,
        "averaged/mean": 9.0,
    }
    assert float(line.model.variables[0]) == 2.0
    raw = evaluate_once(line.metric_fn, path, line.dataset(), moving_averages=False)
    assert raw == {"mean": 6.0}
    path = line.save(tmp_path, 2, 2.0)
    with pytest.raises(CheckpointError, match="no moving averages"):
        evaluate_once(line.metric_fn, path, line.dataset(), moving_averages=True)


def test_a_backlog_is_caught_up_oldest_first_and_each_checkpoint_is_judged_once(
    tmp_path, line, followed
):
    for step in (20, 3, 10):
        line.save(tmp_path, step, float(step))
    assert line.loop(tmp_path, followers=[followed]) == {"mean": 60.0}
    expected = [(step, {"mean": 3.0 * step}) for step in (3, 10, 20)]
    assert followed.of("evaluated") == expected
    line.save(tmp_path, 30, 1.0)  # another loop goes on where this one ended
    followed.events.clear()
    Line().loop(tmp_path, followers=[followed])
    assert followed.of("evaluated") == [(30, {"mean": 3.0})]
    assert [entry["step"] for entry in lines(tmp_path / "eval")] == [3, 10, 20, 30]
    assert line.loop(tmp_path) is None


def test_a_replaced_checkpoint_is_judged_again(tmp_path, line):
    line.save(tmp_path, 5, 1.0)
    line.loop(tmp_path)
    line.save(tmp_path, 5, 2.0)
    assert line.loop(tmp_path) == {"mean": 6.0}


def test_the_number_of_evaluations_ends_the_loop(tmp_path, line):
    for step in (1, 2, 3):
        line.save(tmp_path, step, 1.0)
    line.loop(tmp_path, max_number_of_evaluations=2, timeout=None)
    assert [entry["step"] for entry in lines(tmp_path / "eval")] == [1, 2]


def test_a_timeout_function_says_whether_to_go_on(tmp_path, line):
    asked = []
    line.loop(tmp_path, timeout_fn=lambda: asked.append(1) or len(asked) == 3)
    assert len(asked) == 3


@pytest.mark.parametrize(
    "facts", [{"status": "completed"}, {"status": "failed"}, {"status": "x", "number_of_steps": 4}]
)
def test_the_end_of_training_ends_the_loop(tmp_path, line, facts):
    line.save(tmp_path, 4, 1.0)
    record.write(str(tmp_path), facts)
    assert line.loop(tmp_path, timeout=None) == {"mean": 3.0}


def test_the_loop_follows_a_training_to_its_end(tmp_path, task, monkeypatch):
    monkeypatch.setattr(watcher, "SECONDS_A_LOOK", 0.05)
    model = slim.Module(task.network)

    def metric_fn(batch):
        predicted = model(batch[0], is_training=False)
        return slim.metrics.streaming_mean_squared_error(predicted, batch[1])

    def train():
        slim.learning.train(
            train_op,
            str(tmp_path),
            dataset=task.dataset().map(slowly),
            number_of_steps=20,
            save_interval_steps=5,
            followers=[record.RunRecord()],
        )

    def slowly(x, y):
        tf.py_function(lambda: time.sleep(0.05), [], [])
        return x, y

    train_op = task.train_op()
    thread = threading.Thread(target=train)
    thread.start()
    evaluation_loop(metric_fn, str(tmp_path), task.dataset(), eval_interval_secs=0.02, followers=[])
    thread.join()
    found = lines(tmp_path / "eval")
    assert [entry["step"] for entry in found] == [5, 10, 15, 20]
    predicted = model(task.x, is_training=False)  # which holds the last checkpoint
    error = np.mean((predicted - task.y) ** 2)
    assert found[-1]["results"]["mean_squared_error"] == pytest.approx(error, rel=1e-5)


def test_a_checkpoint_deleted_while_it_is_read_is_passed_over(tmp_path, line, monkeypatch):
    for step in (1, 2, 3):
        line.save(tmp_path, step, float(step))
    load = checkpoints.load

    def slow_load(path):
        if path.endswith("-2"):
            for part in tmp_path.glob("model.ckpt-2.*"):
                part.unlink()
        return load(path)

    monkeypatch.setattr(checkpoints, "load", slow_load)
    line.loop(tmp_path)
    assert [entry["step"] for entry in lines(tmp_path / "eval")] == [1, 3]


def test_a_checkpoint_replaced_while_it_is_read_is_judged_as_it_is_then(
    tmp_path, line, monkeypatch
):
    line.save(tmp_path, 1, 1.0)
    load = checkpoints.load

    def slow_load(path):
        reader = load(path)
        if not (tmp_path / "replaced").exists():
            (tmp_path / "replaced").touch()
            line.save(tmp_path, 1, 2.0)  # the reader finds the new data by the old index
        return reader

    monkeypatch.setattr(checkpoints, "load", slow_load)
    line.loop(tmp_path)
    assert [entry["results"] for entry in lines(tmp_path / "eval")][-1] == {"mean": 6.0}


@pytest.mark.parametrize("part", ["index", "data-00000-of-00001"])
def test_a_damaged_checkpoint_is_passed_over_with_a_warning(tmp_path, line, part):
    for step in (1, 2, 3):
        line.save(tmp_path, step, float(step))
    (tmp_path / f"model.ckpt-2.{part}").write_bytes(b"")
    with pytest.warns(RuntimeWarning, match="ckpt-2 is damaged .*, and is passed over"):
        line.loop(tmp_path)
    assert [entry["step"] for entry in lines(tmp_path / "eval")] == [1, 3]


def test_a_folder_whose_newest_checkpoint_is_damaged_stands_for_the_one_before(tmp_path, line):
    for step in (1, 2):
        line.save(tmp_path, step, float(step))
    data = (tmp_path / "model.ckpt-2.data-00000-of-00001").read_bytes()
    flipped = bytes(byte ^ 1 for byte in data)  # which the checksums tell
    (tmp_path / "model.ckpt-2.data-00000-of-00001").write_bytes(flipped)
    with pytest.warns(RuntimeWarning, match="ckpt-2 is damaged .a value is not as its checksum"):
        found = evaluate_once(line.metric_fn, str(tmp_path), line.dataset())
    assert found == {"mean": 3.0}


def test_a_training_killed_after_its_last_checkpoint_is_over(tmp_path, line):
    for step in (5, 10):
        line.save(tmp_path, step, float(step))
    record.write(str(tmp_path), {"status": "running", "number_of_steps": 10})
    assert line.loop(tmp_path, timeout=None) == {"mean": 30.0}


def test_a_checkpoint_beyond_the_one_that_the_state_file_names_is_not_evaluated(tmp_path, line):
    for step in (5, 10):
        line.save(tmp_path, step, float(step))
    (tmp_path / "checkpoint").write_text('model_checkpoint_path: "model.ckpt-5"\n')
    assert line.loop(tmp_path) == {"mean": 15.0}
    assert evaluate_once(line.metric_fn, str(tmp_path), line.dataset()) == {"mean": 15.0}


def test_what_is_waited_for_is_said_once(tmp_path, line, capsys):
    assert line.loop(tmp_path / "absent", timeout=0.3) is None
    said = f"Waiting for the first checkpoint in {tmp_path}/absent, for 0.3 seconds at most\n"
    assert capsys.readouterr().err == said
    line.save(tmp_path, 1, 1.0)
    line.loop(tmp_path, timeout=0.3)
    assert f"Waiting for a new checkpoint in {tmp_path}, for" in capsys.readouterr().err
    record.write(str(tmp_path), {"status": "completed"})
    line.loop(tmp_path)
    assert capsys.readouterr().err == ""


def test_a_checkpoint_in_place_of_its_folder_is_refused(tmp_path, line):
    path = line.save(tmp_path, 1, 1.0)
    with pytest.raises(InputError, match=f"{path}, which is a checkpoint; give its folder, "):
        line.loop(path, timeout=None)
    with pytest.raises(InputError, match="is a file; give a folder"):
        line.loop(f"{path}.index", timeout=None)


def test_a_prefix_that_is_also_a_folder_is_a_prefix(tmp_path, line):
    path = line.save(tmp_path, 1, 1.0)
    line.save(path, 2, 2.0)
    assert evaluate_once(line.metric_fn, path, line.dataset()) == {"mean": 3.0}


def test_metrics_start_from_zero_each_time(tmp_path, line):
    path = line.save(tmp_path, 1, 1.0)
    evaluation = [evaluate_once(line.metric_fn, path, line.dataset()) for _ in range(2)]
    assert evaluation == [{"mean": 3.0}] * 2


def test_data_that_cannot_be_judged_on_are_refused(tmp_path, line):
    path = line.save(tmp_path, 1, 1.0)
    with pytest.raises(DataError, match="empty"):
        evaluate_once(line.metric_fn, path, line.dataset().take(0))
    with pytest.raises(InputError, match="never ends"):
        evaluate_once(line.metric_fn, path, line.dataset().repeat())
    path = checkpoints.save(str(tmp_path / "other.ckpt-1"), {"x": tf.zeros([])})
    with pytest.raises(CheckpointError, match="net/w is not in it"):
        evaluate_once(line.metric_fn, path, line.dataset())
    (tmp_path / "empty").mkdir()
    with pytest.raises(CheckpointError, match="no checkpoint"):
        evaluate_once(line.metric_fn, str(tmp_path / "empty"), line.dataset())
