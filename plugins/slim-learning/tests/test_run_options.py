"""What a run can do besides: judge itself, keep the best, stop early, and return from bad steps."""

import json
import os

import numpy as np
import pytest
import tensorflow as tf
from slim_learning.run.checkpoints import RunCheckpoints

import slimcore as slim
import slimcore.checkpoints as checkpoints
from slimcore.errors import InputError, RunError

v1 = tf.compat.v1


def train(train_op, logdir, dataset, steps, *followers, **options):
    options = {"dataset": dataset, "number_of_steps": steps, "followers": followers, **options}
    return slim.learning.train(train_op, str(logdir), **options)


def judge(*values):
    """Returns an evaluation whose accuracies are these, one a call."""
    left = list(values)
    return lambda: {"accuracy": left.pop(0), "table": np.zeros([2])}


def steps_there(logdir):
    return sorted(int(p.stem.rpartition("-")[2]) for p in logdir.glob("*.index"))


def test_the_best_checkpoint_is_kept_and_named(tmp_path, task, followed):
    options = {"evaluate_every_n_steps": 5, "keep_best": "accuracy", "keep_checkpoints": 2}
    evaluate = judge(0.1, 0.9, 0.3, float("nan"), 0.8, 0.9)
    train(task.train_op(), tmp_path, task.dataset(), 28, followed, evaluate_fn=evaluate, **options)
    assert [step for step, _ in followed.of("evaluated")] == [5, 10, 15, 20, 25, 28]
    assert steps_there(tmp_path) == [10, 25, 28]
    best = json.loads((tmp_path / "best.json").read_text())
    assert best == {"step": 10, "checkpoint": "model.ckpt-10", "accuracy": 0.9}
    lines = [
        json.loads(line) for line in (tmp_path / "evaluations.jsonl").read_text().split("\n")[:-1]
    ]
    assert lines[1] == {
        "step": 10,
        "checkpoint": "model.ckpt-10",
        "results": {"accuracy": 0.9, "table": [0.0, 0.0]},
    }


def test_the_least_is_best_where_told(tmp_path, task):
    options = {"evaluate_every_n_steps": 5, "keep_best": "accuracy", "keep_best_of": "min"}
    train(task.train_op(), tmp_path, task.dataset(), 10, evaluate_fn=judge(0.2, 0.3), **options)
    assert json.loads((tmp_path / "best.json").read_text())["step"] == 5


def test_a_run_ends_early_and_a_second_start_finds_it_ended(tmp_path, task, followed):
    options = {"evaluate_every_n_steps": 2, "keep_best": "accuracy", "early_stopping": 2}
    evaluate = judge(0.5, 0.6, 0.6, 0.4)
    train(task.train_op(), tmp_path, task.dataset(), 100, evaluate_fn=evaluate, **options)
    assert steps_there(tmp_path)[-1] == 8
    train(task.train_op(), tmp_path, task.dataset(), 100, followed, evaluate_fn=judge(), **options)
    assert [event[0] for event in followed.events] == ["started", "ended"]
    assert followed.events[-1] == ("ended", "completed")


def test_a_second_start_remembers_the_best_so_far(tmp_path, task):
    options = {"evaluate_every_n_steps": 5, "keep_best": "accuracy"}
    train(task.train_op(), tmp_path, task.dataset(), 10, evaluate_fn=judge(0.9, 0.1), **options)
    train(task.train_op(), tmp_path, task.dataset(), 20, evaluate_fn=judge(0.5, 0.6), **options)
    assert json.loads((tmp_path / "best.json").read_text())["step"] == 5


def test_an_evaluation_that_a_kill_prevented_is_made_up_for(tmp_path, task, followed):
    train(task.train_op(), tmp_path, task.dataset(), 5)
    with open(tmp_path / "evaluations.jsonl", "w") as file:
        file.write('{"step": 5, "resu')  # killed while it was written
    options = {"evaluate_every_n_steps": 5, "evaluate_fn": judge(0.5, 0.6)}
    train(task.train_op(), tmp_path, task.dataset(), 10, followed, **options)
    assert [step for step, _ in followed.of("evaluated")] == [5, 10]


@pytest.mark.parametrize(
    "options, message",
    [
        ({"keep_best": "accuracy"}, "needs evaluate_fn"),
        ({"early_stopping": 3, "evaluate_fn": judge()}, "needs keep_best"),
        ({"keep_best_of": "most"}, "'most'"),
        ({"on_disk_full": "pray"}, "'pray'"),
        (
            {"keep_best": "acuracy", "evaluate_fn": judge(0.5), "evaluate_every_n_steps": 1},
            "'acuracy', which evaluate_fn does not return. Close: accuracy",
        ),
    ],
)
def test_options_that_cannot_be_met_are_refused(tmp_path, task, options, message):
    with pytest.raises(InputError, match=message):
        train(task.train_op(), tmp_path, task.dataset(), 2, **options)


def test_one_checkpoint_in_so_many_hours_is_kept(tmp_path):
    hours = {1: 0, 2: 1, 3: 2.5, 4: 3, 5: 5, 6: 5.5}
    with RunCheckpoints(str(tmp_path), keep=1, keep_every_n_hours=2) as kept:
        for step, hour in hours.items():
            path = kept.save(step, {"w": tf.zeros([1])})
            os.utime(f"{path}.index", (3600 * hour, 3600 * hour))
    assert steps_there(tmp_path) == [1, 3, 5, 6]


def spiked(task, at):
    """Returns batches of which those numbered here hold an infinite value."""
    rows = [(task.x[:8], task.y[:8])] * 30
    rows = [(x * np.inf if i in at else x, y) for i, (x, y) in enumerate(rows)]
    data = tf.data.Dataset.from_tensor_slices(
        tuple(np.stack(each) for each in zip(*rows, strict=True))
    )
    return data.map(lambda x, y: (tf.ensure_shape(x, [8, 4]), tf.ensure_shape(y, [8, 1])))


def test_a_run_returns_to_its_checkpoint_and_goes_on_in_the_data(tmp_path, task, followed):
    train_op = task.train_op(non_finite="roll_back")
    with pytest.warns(RuntimeWarning, match=r"NaN at step 7; .*ckpt-4.*returns to it"):
        train(train_op, tmp_path, spiked(task, [6]), 12, followed, save_interval_steps=4)
    assert followed.of("saved") == [(0,), (4,), (8,), (12,)]
    reader = tf.train.load_checkpoint(str(tmp_path / "model.ckpt-12"))
    assert reader.get_tensor("data/batches") == 15  # 12 steps, two undone, and the bad one
    assert np.isfinite(reader.get_tensor("out/weights")).all()


def test_a_run_gives_up_after_a_few_returns(tmp_path, task):
    train_op = task.train_op(v1.train.GradientDescentOptimizer(1e6), non_finite="roll_back")
    with (
        pytest.warns(RuntimeWarning, match="returns to it"),
        pytest.raises(RunError, match="returned to it 3 times"),
    ):
        train(train_op, tmp_path, task.dataset(), 100)
    assert steps_there(tmp_path) == [0]


def test_skipped_steps_are_told(tmp_path, task, followed):
    train_op = task.train_op(non_finite="skip")
    data = spiked(task, [6, 8])
    train(train_op, tmp_path, data, 20, followed, log_every_n_steps=10)
    assert [scalars["skipped"] for _, scalars in followed.of("scalars")] == [2, 2]
    assert np.isfinite(checkpoints.load(str(tmp_path)).get_tensor("out/weights")).all()


def test_a_run_whose_every_step_is_skipped_ends(tmp_path, task):
    train_op = task.train_op(non_finite="skip")
    with pytest.raises(RunError, match="at each of the last 110 steps, which were all skipped"):
        train(train_op, tmp_path, spiked(task, range(30)), 500, log_every_n_steps=11)


def test_a_checkpoint_of_weights_that_are_no_numbers_is_not_written(tmp_path):
    def root(x):
        weights = slim.model_variable("w", [2], initializer=v1.zeros_initializer())
        return tf.reduce_sum(tf.sqrt(x * weights))  # at 0 the slope is infinite

    optimizer = v1.train.GradientDescentOptimizer(0.1)
    train_op = slim.learning.create_train_op(slim.Module(root), optimizer)
    with pytest.raises(RunError, match="NaN at step 1"):
        train(train_op, tmp_path, tf.data.Dataset.from_tensors(tf.ones([2])), 1)
    assert steps_there(tmp_path) == []
