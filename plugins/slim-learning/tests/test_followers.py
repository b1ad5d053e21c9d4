"""The progress line, the TensorBoard events and the record follow the event hooks, and no more."""

import io
import json

import tensorflow as tf
from slim_learning.run.progress import Progress
from slim_learning.run.run_record import RunRecord
from slim_learning.run.tensorboard import TensorBoard
from slim_learning.training_loop.loop import default_followers

import slimcore.registry as registry
from slimcore.events import Run, followed_by, tell


def scalars_in(folder):
    (events,) = folder.glob("events.out.*")
    return [
        (event.step, value.tag, round(tf.make_ndarray(value.tensor).item(), 4))
        for event in tf.compat.v1.train.summary_iterator(str(events))
        for value in event.summary.value
    ]


def told(run, *scalars, followers):
    """Tells followers a run, as any plugin hears of it."""
    with followed_by(*followers):
        tell("slim_run_started", run=run)
        for step, loss in scalars:
            tell("slim_scalars_logged", run=run, step=step, scalars={"loss": loss})
        tell("slim_checkpoint_saved", run=run, step=4, path=f"{run.logdir}/model.ckpt-4")
        tell("slim_evaluation_done", run=run, step=4, results={"accuracy": 0.5, "confusion": [[1]]})
        tell("slim_run_ended", run=run, status="completed", results={})


def test_each_does_its_part_when_the_hooks_are_told(tmp_path):
    stream = io.StringIO()
    run = Run("train", str(tmp_path), number_of_steps=4, config={"seed": 7})
    told(run, (2, 0.75), (4, 0.25), followers=[Progress(stream), TensorBoard(), RunRecord()])
    assert "step 4/4  loss 0.2500" in stream.getvalue()
    assert scalars_in(tmp_path) == [(2, "loss", 0.75), (4, "loss", 0.25)]
    assert scalars_in(tmp_path / "eval") == [(4, "accuracy", 0.5)]
    record = json.loads((tmp_path / "run.json").read_text())
    assert (record["seed"], record["step"], record["checkpoint"]) == (7, 4, "model.ckpt-4")
    assert (record["status"], record["results"]["train"]) == ("completed", {"loss": 0.25})


def test_those_of_a_run_are_plugins_like_any_other_while_it_lasts():
    manager, followers = registry.current().manager, default_followers()
    assert [type(f) for f in followers] == [Progress, TensorBoard, RunRecord]
    before = manager.get_plugins()
    with followed_by(*followers):
        assert manager.get_plugins() - before == set(followers)
    assert manager.get_plugins() == before


def test_events_are_written_at_most_so_often_and_the_last_always(tmp_path):
    run = Run("train", str(tmp_path), number_of_steps=4)
    told(run, (1, 4.0), (2, 3.0), (3, 2.0), (4, 1.0), followers=[TensorBoard(every_secs=60)])
    assert scalars_in(tmp_path) == [(1, "loss", 4.0), (4, "loss", 1.0)]
