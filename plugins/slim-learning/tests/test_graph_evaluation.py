"""Evaluation in a graph: one checkpoint, or each of a training once, as they appear."""

import json
import time
from pathlib import Path

import numpy as np
import pytest
import slim_learning.run.checkpoint_watcher as watching
import tensorflow as tf

import slimcore as slim
import slimcore.checkpoints as checkpoints
import slimcore.events as events
from slimcore.errors import CheckpointError, DataError, InputError

v1 = tf.compat.v1


class Trained:
    """A folder of checkpoints whose weights and global steps are the numbers given."""

    def __init__(self, folder):
        self.folder = str(folder)
        with tf.Graph().as_default() as self._graph:
            self._w = v1.get_variable("w", [], use_resource=True)
            self._step = slim.create_global_step()
            self._saver = v1.train.Saver(max_to_keep=None)

    def save(self, step, weight=None):
        with v1.Session(graph=self._graph) as session:
            self._w.load(float(step) if weight is None else weight, session)
            self._step.load(step, session)
            return self._saver.save(session, f"{self.folder}/model.ckpt", global_step=step)

    def remove(self, step):
        for path in Path(self.folder).glob(f"model.ckpt-{step}.*"):
            path.unlink()

    def end(self, status="completed"):
        Path(self.folder, "run.json").write_text(json.dumps({"status": status}))


@pytest.fixture
def trained(tmp_path):
    return Trained(tmp_path)


@pytest.fixture(autouse=True)
def graph(monkeypatch):
    monkeypatch.setattr(watching, "SECONDS_A_LOOK", 0.02)
    with tf.Graph().as_default() as graph:
        yield graph


def metric(name="w"):
    """Returns the value and the update of the mean, over batches 1, 2, 3, of weight * batch."""
    batch = v1.data.make_one_shot_iterator(tf.data.Dataset.range(1, 4).repeat()).get_next()
    w = v1.get_variable(name, [], use_resource=True)
    slim.get_or_create_global_step()
    return slim.metrics.streaming_mean(w * tf.cast(batch, tf.float32))


def summaries_in(folder):
    return {
        (event.step, value.tag): value.simple_value
        for path in sorted(Path(folder).glob("events*"))
        for event in v1.train.summary_iterator(str(path))
        for value in event.summary.value
    }


def test_a_checkpoint_is_evaluated_over_the_batches_from_zero_each_time(trained):
    path, (value, update) = trained.save(10), metric()
    for _ in range(2):
        found = slim.evaluation.evaluate_once(
            "", path, None, num_evals=3, eval_op=update, final_op=value
        )
        assert found == 20.0
    in_folder = slim.evaluation.evaluate_once(
        "local", trained.folder, None, eval_op=[update], final_op={"mean": value}
    )
    assert in_folder == {"mean": 10.0}


def test_it_returns_nothing_where_nothing_is_asked_for(trained):
    assert slim.evaluation.evaluate_once("", trained.save(1), None, eval_op=metric()[1]) is None


def test_results_go_to_tensorboard_at_the_step_of_the_checkpoint_and_to_a_file(trained, tmp_path):
    path, (value, update) = trained.save(7), metric()
    v1.summary.scalar("result", value)
    logdir = str(tmp_path / "eval")
    slim.evaluation.evaluate_once(
        "", path, logdir, num_evals=3, eval_op=update, final_op={"mean": value}
    )
    assert summaries_in(logdir) == {(7, "result"): 14.0}
    line = json.loads(Path(logdir, "eval.jsonl").read_text())
    assert (line["step"], line["checkpoint"]) == (7, "model.ckpt-7")
    assert line["results"] == {"mean": 14.0}


def test_summaries_can_be_chosen_fed_or_left_out(trained, tmp_path):
    path, (_, update) = trained.save(7), metric()
    fed = v1.placeholder(tf.float32, [])
    mine = v1.summary.scalar("fed", fed)
    arguments = {"num_evals": 1, "eval_op": update}
    slim.evaluation.evaluate_once("", path, str(tmp_path / "a"), summary_op=None, **arguments)
    assert not summaries_in(tmp_path / "a")
    slim.evaluation.evaluate_once(
        "",
        path,
        str(tmp_path / "b"),
        summary_op=mine,
        summary_op_feed_dict={fed: 5.0},
        **arguments,
    )
    assert summaries_in(tmp_path / "b") == {(7, "fed"): 5.0}


def test_the_values_of_a_dict_can_be_evaluated(trained):
    path, (value, update) = trained.save(2), metric()
    _, updates = slim.metrics.aggregate_metric_map({"mean": (value, update)})
    found = slim.evaluation.evaluate_once(
        "", path, None, eval_op=updates.values(), final_op={"mean": value}.values()
    )
    assert found == [2.0]


def test_an_initial_op_that_initializes_everything_does_not_undo_the_restore(trained):
    path, (value, update) = trained.save(10), metric()
    seen = v1.placeholder(tf.float32, [])
    other = slim.local_variable(0.0, name="other")
    initial_op = [
        v1.global_variables_initializer(),
        v1.local_variables_initializer(),
    ]
    with tf.control_dependencies(initial_op):
        initial_op = other.assign(seen)
    found = slim.evaluation.evaluate_once(
        "",
        path,
        None,
        initial_op=initial_op,
        initial_op_feed_dict={seen: 4.0},
        eval_op=update,
        final_op=[value, other],
    )
    assert found == [10.0, 4.0]


def test_variables_can_be_restored_under_other_names(trained):
    path, (value, update) = trained.save(10), metric("renamed")
    w = slim.get_unique_variable("renamed")
    found = slim.evaluation.evaluate_once(
        "", path, None, eval_op=update, final_op=value, variables_to_restore={"w": w}
    )
    assert found == 10.0


def test_a_variable_that_is_not_restored_is_named(trained):
    path, (_, update) = trained.save(10), metric()
    forgotten = slim.model_variable("forgotten", [])
    del forgotten
    restored = [slim.get_unique_variable("w")]
    message = "1 variables have no value after .*: forgotten; restore them too"
    with pytest.raises(CheckpointError, match=message):
        slim.evaluation.evaluate_once("", path, None, eval_op=update, variables_to_restore=restored)


def test_a_checkpoint_of_another_network_is_refused_with_the_nearest_names(trained):
    path, (_, update) = trained.save(10), metric("net/w")
    for evaluate in (
        lambda: slim.evaluation.evaluate_once("", path, None, eval_op=update),
        lambda: slim.training.evaluation.evaluate_once(path, eval_ops=update),
    ):
        with pytest.raises(CheckpointError, match=r"net/w is not in it \(close there: w\)") as told:
            evaluate()
        assert "\n" not in str(told.value)


def test_a_checkpoint_that_is_not_there_is_an_error(tmp_path):
    _, update = metric()
    with pytest.raises(CheckpointError, match="there is no checkpoint in the folder"):
        slim.evaluation.evaluate_once("", str(tmp_path), None, eval_op=update)
    with pytest.raises(CheckpointError, match=r"model\.ckpt-3"):
        slim.evaluation.evaluate_once("", f"{tmp_path}/model.ckpt-3", None, eval_op=update)


def test_an_input_that_ends_ends_the_evaluation_and_an_empty_one_is_an_error(trained):
    path = trained.save(10)
    for count in (2, 0):
        with tf.Graph().as_default():
            data = tf.data.Dataset.range(count)
            batch = v1.data.make_one_shot_iterator(data).get_next()
            w = v1.get_variable("w", [], use_resource=True)
            value, update = slim.metrics.streaming_mean(w + tf.cast(batch, tf.float32))
            options = {"num_evals": None, "eval_op": update, "final_op": value}
            if count:
                assert slim.evaluation.evaluate_once("", path, None, **options) == 10.5
                continue
            with pytest.raises(DataError, match="the input to evaluate on gave no batch"):
                slim.evaluation.evaluate_once("", path, None, **options)


def loop(trained, logdir=None, **options):
    """Returns what an evaluation loop returned, and the steps that it evaluated."""
    value, update = metric()
    steps = []

    class Steps(v1.train.SessionRunHook):
        def end(self, session):
            steps.append(int(session.run(slim.get_global_step())))

    options = {"eval_interval_secs": 0, **options}
    last = slim.evaluation.evaluation_loop(
        "", trained.folder, logdir, eval_op=update, final_op=value, hooks=[Steps()], **options
    )
    return last, steps


def test_a_backlog_is_caught_up_each_checkpoint_once_until_the_training_is_over(trained):
    for step in (5, 10, 100):
        trained.save(step)
    trained.end()
    assert loop(trained) == (100.0, [5, 10, 100])


def test_checkpoints_are_evaluated_as_they_appear_and_none_is_skipped(trained):
    trained.save(1)
    later = iter([[2, 3], [4], []])

    def timed_out():
        steps = next(later)
        for step in steps:
            trained.save(step)
        return not steps

    assert loop(trained, timeout=0.05, timeout_fn=timed_out)[1] == [1, 2, 3, 4]


def test_a_failed_training_ends_the_loop_and_an_interrupted_one_does_not(trained):
    trained.save(1)
    for status, asked in [("failed", 0), ("interrupted", 1)]:
        trained.end(status)
        calls = []
        with tf.Graph().as_default():
            loop(trained, timeout=0.05, timeout_fn=lambda calls=calls: calls.append(1) or True)
        assert len(calls) == asked


def test_of_a_backlog_as_many_of_the_newest_are_taken_as_are_asked_for(trained):
    for step in (1, 2, 3, 4):
        trained.save(step)
    assert loop(trained, max_number_of_evaluations=2) == (4.0, [3, 4])


def test_without_a_checkpoint_the_loop_ends_after_its_time(trained):
    began = time.monotonic()
    assert loop(trained, timeout=0.2) == (None, [])
    assert 0.2 <= time.monotonic() - began < 30


def test_a_checkpoint_that_is_deleted_or_replaced_meanwhile_is_passed_over(trained):
    trained.save(1)
    trained.save(2)
    trained.save(3)
    trained.end()
    opened = []

    def init_fn(session):
        opened.append(session)
        if len(opened) == 1:  # about to read the first
            trained.remove(1)
            trained.remove(2)

    assert loop(trained, init_fn=init_fn)[1] == [3]


def test_a_checkpoint_that_is_replaced_after_its_evaluation_is_evaluated_again(trained):
    trained.save(1)
    again = iter([7.0, None])

    def timed_out():
        weight = next(again)
        if weight is not None:
            trained.save(1, weight)
        return weight is None

    assert loop(trained, timeout=0.05, timeout_fn=timed_out) == (7.0, [1, 1])


def test_a_checkpoint_that_does_not_fit_ends_the_loop_with_an_error(trained):
    trained.save(1)
    _, update = metric("other")
    with pytest.raises(CheckpointError, match="other is not in it"):
        slim.evaluation.evaluation_loop("", trained.folder, None, eval_op=update)


def test_a_loop_writes_a_line_and_tells_followers_for_each_checkpoint(trained, tmp_path, followed):
    trained.save(1)
    trained.save(2)
    trained.end()
    value, update = metric()
    logdir = str(tmp_path / "eval")
    with events.followed_by(followed):
        slim.evaluation.evaluation_loop(
            "", trained.folder, logdir, eval_op=update, final_op={"mean": value}
        )
    lines = [json.loads(line) for line in Path(logdir, "eval.jsonl").read_text().splitlines()]
    assert [(line["step"], line["results"]["mean"]) for line in lines] == [(1, 1.0), (2, 2.0)]
    assert followed.of("evaluated") == [(1, {"mean": 1.0}), (2, {"mean": 2.0})]


def test_evaluate_repeatedly_takes_hooks_and_a_scaffold(trained, tmp_path):
    trained.save(1)
    trained.save(2)
    value, update = metric()
    v1.summary.scalar("result", value)
    hooks = [
        slim.training.evaluation.StopAfterNEvalsHook(3),
        slim.training.evaluation.SummaryAtEndHook(str(tmp_path / "eval")),
    ]
    found = slim.training.evaluation.evaluate_repeatedly(
        trained.folder,
        scaffold=v1.train.Scaffold(),
        eval_ops=update,
        final_ops={"mean": value},
        hooks=hooks,
        max_number_of_evaluations=2,
    )
    assert found == {"mean": 4.0}
    assert summaries_in(tmp_path / "eval") == {(1, "result"): 2.0, (2, "result"): 4.0}


def test_the_count_of_batches_is_one_local_variable_of_the_graph():
    with v1.variable_scope("anywhere"):
        step = slim.evaluation.get_or_create_eval_step()
    assert step.name == "eval_step:0"
    assert slim.evaluation.get_or_create_eval_step() is step
    assert any(v is step for v in v1.local_variables())
    assert not v1.global_variables()


def test_a_summary_hook_needs_a_place_to_write_to():
    with pytest.raises(InputError, match="needs log_dir or summary_writer"):
        slim.evaluation.SummaryAtEndHook()


def test_a_new_checkpoint_is_waited_for(trained):
    wait = slim.evaluation.wait_for_new_checkpoint
    assert wait(trained.folder, seconds_to_sleep=0.01, timeout=0.05) is None
    assert wait(f"{trained.folder}/none", seconds_to_sleep=0.01, timeout=0.02) is None
    first = trained.save(1)
    assert wait(trained.folder) == first
    assert wait(trained.folder, first, seconds_to_sleep=0.01, timeout=0.05) is None
    assert wait(trained.folder, first, 0.01, timeout=0) is None
    second = trained.save(2)
    assert wait(trained.folder, first) == second


def test_the_iterator_yields_each_checkpoint_once_in_order_of_steps(trained):
    paths = [trained.save(step) for step in (9, 10, 11)]
    found = []
    for path in slim.evaluation.checkpoints_iterator(trained.folder, timeout=0.05):
        found.append(path)
        if len(found) == 1:
            trained.remove(10)
            paths.append(trained.save(12))
    assert found == [paths[0], paths[2], paths[3]]


def evaluated(folder, **options):
    value, update = metric()
    return slim.evaluation.evaluation_loop(
        "", str(folder), None, 3, eval_op=update, final_op=value, **options
    )


@pytest.mark.parametrize("loop", [True, False])
def test_a_checkpoint_without_a_global_step_is_evaluated(tmp_path, loop):
    path = checkpoints.save(str(tmp_path / "model.ckpt-7"), {"w": tf.constant(2.0).numpy()})
    value, update = metric()
    ops = {"num_evals": 3, "eval_op": update, "final_op": value}
    if loop:
        found = slim.evaluation.evaluation_loop("", str(tmp_path), None, timeout=0, **ops)
    else:
        found = slim.evaluation.evaluate_once("", path, None, **ops)
    assert found == 4.0


def test_a_checkpoint_with_a_step_and_one_without_it_take_turns(tmp_path, trained):
    trained.save(1, 1.0)
    checkpoints.save(str(tmp_path / "model.ckpt-2"), {"w": np.float32(2)})
    trained.save(3, 3.0)
    found = []
    value, update = metric()
    step = slim.get_global_step()
    for path in slim.evaluation.checkpoints_iterator(str(tmp_path), timeout=0):
        ops = {"num_evals": 3, "eval_op": update, "final_op": [value, step]}
        found.append(slim.evaluation.evaluate_once("", path, None, **ops))
    assert found == [[2.0, 1], [4.0, 0], [6.0, 3]]


def test_another_variable_that_a_checkpoint_without_a_step_lacks_is_named(tmp_path):
    checkpoints.save(str(tmp_path / "model.ckpt-7"), {"v": np.float32(2)})
    with pytest.raises(CheckpointError, match="w is not in it"):
        evaluated(tmp_path, timeout=0)


def test_a_training_killed_after_its_last_checkpoint_is_over(trained):
    for step in (5, 10):
        trained.save(step)
    facts = {"status": "running", "number_of_steps": 10}
    Path(trained.folder, "run.json").write_text(json.dumps(facts))
    assert evaluated(trained.folder, timeout=None) == 20.0


def test_the_state_file_says_which_is_the_newest(trained):
    for step in (5, 10):
        trained.save(step)
    Path(trained.folder, "checkpoint").write_text('model_checkpoint_path: "model.ckpt-5"\n')
    value, update = metric()
    found = slim.evaluation.evaluate_once(
        "", trained.folder, None, 3, eval_op=update, final_op=value
    )
    assert found == 10.0


def test_a_damaged_newest_checkpoint_gives_way_to_the_one_before(trained, tmp_path):
    for step in (5, 10):
        trained.save(step)
    (tmp_path / "model.ckpt-10.data-00000-of-00001").write_bytes(b"")
    value, update = metric()
    with pytest.warns(RuntimeWarning, match="ckpt-10 is damaged .*ckpt-5, the newest before it"):
        found = slim.evaluation.evaluate_once(
            "", trained.folder, None, 3, eval_op=update, final_op=value
        )
    assert found == 10.0


def test_a_damaged_checkpoint_does_not_end_the_loop(trained, tmp_path):
    for step in (5, 10, 15):
        trained.save(step)
    (tmp_path / "model.ckpt-10.index").write_bytes(b"")
    with pytest.warns(RuntimeWarning, match="ckpt-10 is damaged .*, and is passed over"):
        assert evaluated(tmp_path, timeout=0) == 30.0


def test_what_is_waited_for_is_said_once(trained, capsys):
    assert evaluated(trained.folder, timeout=0.2) is None
    said = f"Waiting for the first checkpoint in {trained.folder}, for 0.2 seconds at most\n"
    assert capsys.readouterr().err == said
    assert slim.evaluation.wait_for_new_checkpoint(trained.folder, None, 0.05, 0.2) is None
    assert capsys.readouterr().err == said


def test_a_checkpoint_in_place_of_its_folder_is_refused(trained):
    path = trained.save(5)
    with pytest.raises(InputError, match=f"{path}, which is a checkpoint; give its folder, "):
        evaluated(path)
    with pytest.raises(InputError, match="is a checkpoint; give its folder"):
        slim.evaluation.wait_for_new_checkpoint(path)
