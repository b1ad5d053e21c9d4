"""The training loop in a graph: what it writes, how it goes on, and what ends it."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

import slimcore as slim
import slimcore.events as events
from slimcore.errors import ArgumentTypeError, CheckpointError, DataError, InputError, RunError

v1 = tf.compat.v1


def square(name="w", initial=1.0, factor=1.0):
    """Returns a train op that takes 0.1 times 2 w from a variable, and the variable."""
    w = slim.model_variable(name, [2], initializer=v1.constant_initializer(initial))
    optimizer = v1.train.GradientDescentOptimizer(0.1)
    return slim.learning.create_train_op(tf.reduce_sum(w**2) * factor, optimizer), w


def loss_at(step):
    """Returns the loss that step number `step` computes, the first being 1."""
    return 2 * 0.8 ** (2 * (step - 1))


def checkpoints_in(folder):
    return sorted(int(p.stem.rpartition("-")[2]) for p in Path(folder).glob("model.ckpt-*.index"))


def events_in(folder):
    for path in sorted(Path(folder).glob("events*")):
        yield from v1.train.summary_iterator(str(path))


def tags_in(folder):
    return {(event.step, value.tag) for event in events_in(folder) for value in event.summary.value}


@pytest.fixture(autouse=True)
def graph():
    with tf.Graph().as_default() as graph:
        yield graph


def test_it_trains_to_the_step_and_returns_the_last_loss(tmp_path):
    train_op, _ = square()
    loss = slim.learning.train(train_op, str(tmp_path), number_of_steps=5)
    np.testing.assert_allclose(loss, loss_at(5), rtol=1e-5)
    assert checkpoints_in(tmp_path) == [0, 5]
    assert (tmp_path / "graph.pbtxt").exists()
    reader = tf.train.load_checkpoint(str(tmp_path))
    np.testing.assert_allclose(reader.get_tensor("w"), [0.8**5] * 2, rtol=1e-5)
    assert reader.get_tensor("global_step") == 5


def test_it_goes_on_from_the_newest_checkpoint_and_takes_no_step_beyond_the_end(tmp_path):
    for end in (3, 5):
        with tf.Graph().as_default():
            train_op, _ = square()
            loss = slim.learning.train(train_op, str(tmp_path), number_of_steps=end)
            np.testing.assert_allclose(loss, loss_at(end), rtol=1e-5)
    with tf.Graph().as_default():
        train_op, _ = square()
        assert slim.learning.train(train_op, str(tmp_path), number_of_steps=5) is None
    assert checkpoints_in(tmp_path) == [0, 3, 5]
    record = json.loads((tmp_path / "run.json").read_text())
    assert record["status"] == "completed"
    assert [start["first_step"] for start in record["starts"]] == [0, 3, 5]


def test_a_folder_that_was_moved_is_gone_on_with(tmp_path):
    train_op, _ = square()
    slim.learning.train(train_op, str(tmp_path / "a"), number_of_steps=2)
    (tmp_path / "a").rename(tmp_path / "b")
    loss = slim.learning.train(train_op, str(tmp_path / "b"), number_of_steps=3)
    np.testing.assert_allclose(loss, loss_at(3), rtol=1e-5)


def test_checkpoints_of_earlier_starts_count_among_those_that_are_kept(tmp_path):
    train_op, _ = square()
    for end in (1, 2, 3):
        saver = v1.train.Saver(max_to_keep=2)
        slim.learning.train(train_op, str(tmp_path), number_of_steps=end, saver=saver)
    assert checkpoints_in(tmp_path) == [2, 3]


def test_without_a_folder_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    train_op, _ = square()
    loss = slim.learning.train(train_op, None, number_of_steps=4)
    np.testing.assert_allclose(loss, loss_at(4), rtol=1e-5)
    assert not list(tmp_path.iterdir())


def test_checkpoints_are_saved_by_the_clock_and_summaries_written(tmp_path):
    train_op, w = square()
    v1.summary.scalar("first", w[0])
    saver = v1.train.Saver(max_to_keep=None)
    slim.learning.train(
        train_op,
        str(tmp_path),
        number_of_steps=3,
        saver=saver,
        save_interval_secs=1e-6,
        save_summaries_secs=1e-6,
    )
    assert checkpoints_in(tmp_path) == [0, 1, 2, 3]
    assert {(1, "first"), (3, "first"), (3, "global_step/sec")} <= tags_in(tmp_path)
    statuses = [e.session_log.status for e in events_in(tmp_path) if e.HasField("session_log")]
    assert statuses == [v1.SessionLog.START, v1.SessionLog.STOP]


def test_zero_seconds_save_at_the_end_alone_and_summarize_nothing(tmp_path):
    train_op, w = square()
    v1.summary.scalar("first", w[0])
    options = {"save_interval_secs": 0, "save_summaries_secs": 0}
    slim.learning.train(train_op, str(tmp_path), number_of_steps=3, **options)
    assert checkpoints_in(tmp_path) == [0, 3]
    assert not tags_in(tmp_path)


def test_a_summary_op_and_a_writer_can_be_given(tmp_path):
    train_op, w = square()
    op = v1.summary.scalar("mine", w[0])
    v1.summary.scalar("other", w[0])
    writer = v1.summary.FileWriter(str(tmp_path / "mine"))
    slim.learning.train(
        train_op, str(tmp_path), number_of_steps=1, summary_op=op, summary_writer=writer
    )
    writer.close()
    assert tags_in(tmp_path / "mine") == {(1, "mine"), (1, "global_step/sec")}


def test_a_step_function_gets_its_arguments_and_says_when_to_end(tmp_path):
    train_op, _ = square()
    seen = []

    def step(session, train_op, global_step, kwargs):
        loss, ends = slim.learning.train_step(session, train_op, global_step, kwargs)
        seen.append((session.run(global_step), session.run(kwargs["should_log"]), ends))
        return loss, len(seen) == 3

    loss = slim.learning.train(
        train_op, str(tmp_path), train_step_fn=step, log_every_n_steps=2, number_of_steps=9
    )
    assert seen == [(1, False, False), (2, True, False), (3, False, False)]
    np.testing.assert_allclose(loss, loss_at(3), rtol=1e-5)
    assert checkpoints_in(tmp_path) == [0, 3]


def test_a_step_function_may_have_arguments_and_losses_of_its_own(tmp_path):
    train_op, _ = square()

    def step(session, train_op, global_step, kwargs):
        return {"loss": session.run(train_op)}, kwargs["ends"]

    options = {"train_step_fn": step, "train_step_kwargs": {"ends": True}}
    loss = slim.learning.train(train_op, str(tmp_path), **options)
    assert loss == {"loss": 2.0}


def test_a_wrapped_session_takes_the_steps():
    train_op, _ = square()
    fetched = []

    class Wrapper:
        def __init__(self, session):
            self._session = session

        def run(self, fetches, **options):
            fetched.append(fetches)
            return self._session.run(fetches, **options)

    slim.learning.train(train_op, None, number_of_steps=2, session_wrapper=Wrapper)
    assert sum(fetches is train_op for fetches in fetched) == 2


def test_traces_name_the_ops_of_a_step(tmp_path):
    train_op, _ = square()
    slim.learning.train(train_op, str(tmp_path), number_of_steps=4, trace_every_n_steps=2)
    assert {p.name for p in tmp_path.glob("tf_trace-*")} == {"tf_trace-1.json", "tf_trace-3.json"}
    trace = json.loads((tmp_path / "tf_trace-1.json").read_text())["traceEvents"]
    assert any("GradientDescent" in event["name"] for event in trace if event["ph"] == "X")
    tags = [e.tagged_run_metadata.tag for e in events_in(tmp_path)]
    assert {"run-1", "run-3"} <= set(tags)


def test_first_values_are_set_once_in_a_run(tmp_path):
    calls = []
    for end in (1, 2):
        with tf.Graph().as_default():
            train_op, w = square()
            fed = v1.placeholder(tf.float32, [2])
            with tf.control_dependencies([v1.global_variables_initializer()]):
                init_op = w.assign(fed)

            def init_fn(session, w=w):
                calls.append(session.run(w))
                w.load([3.0, 0.0], session)

            slim.learning.train(
                train_op,
                str(tmp_path),
                number_of_steps=end,
                init_op=init_op,
                init_feed_dict={fed: [2.0, 2.0]},
                init_fn=init_fn,
            )
    np.testing.assert_array_equal(calls, [[2.0, 2.0]])
    value = tf.train.load_checkpoint(str(tmp_path)).get_tensor("w")
    np.testing.assert_allclose(value, [3 * 0.8**2, 0.0], rtol=1e-5)


def test_tables_and_local_variables_are_set_at_each_start(tmp_path):
    keys, values = tf.constant(["a"]), tf.constant([2.0])
    initializer = tf.lookup.KeyValueTensorInitializer(keys, values)
    table = tf.lookup.StaticHashTable(initializer, 0.0)
    local = slim.local_variable(3.0, name="local")
    w = slim.model_variable("w", [], initializer=v1.ones_initializer())
    factor = table.lookup(tf.constant("a")) * local
    optimizer = v1.train.GradientDescentOptimizer(0.0)
    train_op = slim.learning.create_train_op(w * factor, optimizer)
    for end in (1, 2):
        assert slim.learning.train(train_op, str(tmp_path), number_of_steps=end) == 6.0


def test_a_variable_without_a_value_is_named(tmp_path):
    train_op, _ = square("forgotten")
    with pytest.raises(RunError, match="without a value after init_op.*: .*forgotten"):
        slim.learning.train(train_op, None, number_of_steps=1, init_op=None)


def test_the_end_of_the_input_ends_the_training(tmp_path):
    batches = tf.data.Dataset.range(3).map(lambda i: tf.cast(i, tf.float32))
    batch = v1.data.make_one_shot_iterator(batches).get_next()
    w = slim.model_variable("w", [], initializer=v1.ones_initializer())
    optimizer = v1.train.GradientDescentOptimizer(0.0)
    train_op = slim.learning.create_train_op(w * batch, optimizer)
    assert slim.learning.train(train_op, str(tmp_path)) == 2.0
    assert checkpoints_in(tmp_path) == [0, 3]


def test_an_input_without_a_batch_is_an_error():
    batch = v1.data.make_one_shot_iterator(tf.data.Dataset.range(0)).get_next()
    w = slim.model_variable("w", [], initializer=v1.ones_initializer())
    loss = w * tf.cast(batch, tf.float32)
    train_op = slim.learning.create_train_op(loss, v1.train.GradientDescentOptimizer(0.1))
    with pytest.raises(DataError, match="the input gave no batch"):
        slim.learning.train(train_op, None, number_of_steps=3)


def test_an_iterator_that_nothing_initializes_is_named_with_the_remedy():
    iterator = v1.data.make_initializable_iterator(tf.data.Dataset.from_tensors(2.0).repeat())
    w = slim.model_variable("w", [], initializer=v1.ones_initializer())
    optimizer = v1.train.GradientDescentOptimizer(0.0)
    train_op = slim.learning.create_train_op(w * iterator.get_next(), optimizer)
    with pytest.raises(InputError, match="TABLE_INITIALIZERS"):
        slim.learning.train(train_op, None, number_of_steps=2)
    v1.add_to_collection(v1.GraphKeys.TABLE_INITIALIZERS, iterator.initializer)
    assert slim.learning.train(train_op, None, number_of_steps=2) == 2.0


def queue_of(values, message=None):
    """Returns a value from a queue that a thread fills, and that fails after the values."""
    left = list(values)

    def read():
        if not left and message:
            raise ValueError(message)
        return np.float32(left.pop(0))

    value = tf.numpy_function(read, [], tf.float32)
    value.set_shape([])
    queue = v1.FIFOQueue(2, [tf.float32], shapes=[()])
    v1.train.add_queue_runner(v1.train.QueueRunner(queue, [queue.enqueue(value)]))
    return queue.dequeue()


def test_queues_are_filled_by_threads_that_end_with_the_training():
    before = threading.active_count()
    batch = queue_of(np.arange(100.0))
    w = slim.model_variable("w", [], initializer=v1.ones_initializer())
    optimizer = v1.train.GradientDescentOptimizer(0.0)
    train_op = slim.learning.create_train_op(w * batch, optimizer)
    assert slim.learning.train(train_op, None, number_of_steps=4) == 3.0
    assert threading.active_count() == before


def test_an_error_in_a_thread_that_reads_ends_the_run_and_is_raised(tmp_path):
    batch = queue_of([5.0, 6.0], message="the third record is torn")
    w = slim.model_variable("w", [], initializer=v1.ones_initializer())
    optimizer = v1.train.GradientDescentOptimizer(0.0)
    train_op = slim.learning.create_train_op(w * batch, optimizer)
    with pytest.raises(Exception, match="the third record is torn"):
        slim.learning.train(train_op, str(tmp_path))
    assert checkpoints_in(tmp_path)[-1] <= 2  # how many steps come before is a matter of threads
    assert json.loads((tmp_path / "run.json").read_text())["status"] == "failed"


def test_a_loss_that_is_no_number_ends_the_run_and_names_the_newest_checkpoint(tmp_path):
    step = tf.cast(slim.get_or_create_global_step(), tf.float32)
    train_op, _ = square(factor=tf.where(step > 2.5, np.nan, 1.0))
    message = r"NaN at step 4; the newest checkpoint is .*model\.ckpt-0\. Lower"
    with pytest.raises(RunError, match=message):
        slim.learning.train(train_op, str(tmp_path), number_of_steps=9)
    assert json.loads((tmp_path / "run.json").read_text())["status"] == "failed"


def test_a_label_beyond_the_classes_ends_the_run_and_is_named():
    logits = slim.model_variable("logits", [1, 3])
    loss = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=[5], logits=logits)
    optimizer = v1.train.GradientDescentOptimizer(0.1)
    train_op = slim.learning.create_train_op(tf.reduce_mean(loss), optimizer)
    with pytest.raises(DataError, match="a label in the batch of step 1 is 5.*has 3 classes"):
        slim.learning.train(train_op, None, number_of_steps=2)


KILLED = """
import os, sys
import tensorflow as tf
import slimcore as slim

v1 = tf.compat.v1
with tf.Graph().as_default():
    w = slim.model_variable("w", [200_000], initializer=v1.ones_initializer())
    optimizer = v1.train.MomentumOptimizer(0.001, 0.9)
    train_op = slim.learning.create_train_op(tf.reduce_sum(w**2), optimizer)

    def step(session, train_op, global_step, kwargs):
        print(session.run(global_step), flush=True)
        return slim.learning.train_step(session, train_op, global_step, kwargs)

    slim.learning.train(
        train_op, sys.argv[1], train_step_fn=step, number_of_steps=100, save_interval_secs=1e-6
    )
"""


@pytest.mark.slow
def test_a_killed_run_leaves_a_whole_checkpoint_and_goes_on_to_the_same_end(tmp_path):
    logdir, random = str(tmp_path), np.random.RandomState(0)

    def start():
        command = [sys.executable, "-c", KILLED, logdir]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)

    for _ in range(2):
        run = start()
        run.stdout.readline()
        time.sleep(random.uniform(0.0, 0.3))
        run.kill()
        run.communicate()
        reader = tf.train.load_checkpoint(logdir)
        for name in reader.get_variable_to_shape_map():
            assert np.all(np.isfinite(reader.get_tensor(name)))
    assert reader.get_tensor("global_step") < 100
    run = start()
    run.communicate()
    assert run.returncode == 0
    reader, w, speed = tf.train.load_checkpoint(logdir), np.float32(1.0), np.float32(0.0)
    for _ in range(100):
        speed = np.float32(0.9) * speed + 2 * w
        w = w - np.float32(0.001) * speed
    np.testing.assert_allclose(reader.get_tensor("w")[[0, -1]], [w, w], rtol=1e-3)


def test_a_signal_saves_a_checkpoint_before_the_program_ends(tmp_path):
    train_op, _ = square()

    def step(session, train_op, global_step, kwargs):
        result = slim.learning.train_step(session, train_op, global_step, kwargs)
        if session.run(global_step) == 2:
            os.kill(os.getpid(), signal.SIGINT)
        return result

    with pytest.raises(KeyboardInterrupt):
        slim.learning.train(train_op, str(tmp_path), train_step_fn=step, number_of_steps=99)
    assert checkpoints_in(tmp_path)[-1] in (2, 3)
    assert json.loads((tmp_path / "run.json").read_text())["status"] == "interrupted"


def test_followers_are_told_what_happens(tmp_path, followed):
    train_op, _ = square()
    with events.followed_by(followed):
        slim.learning.train(train_op, str(tmp_path), number_of_steps=2)
    assert followed.of("started") == [("train", 0)]
    assert followed.of("saved") == [(0,), (2,)]
    ((step, scalars),) = followed.of("scalars")
    assert step == 2
    np.testing.assert_allclose(scalars["loss"], loss_at(2), rtol=1e-5)
    assert followed.of("ended") == [("completed",)]


def test_a_checkpoint_of_another_network_is_refused_with_the_nearest_names(tmp_path):
    train_op, _ = square("net/weights")
    slim.learning.train(train_op, str(tmp_path), number_of_steps=1)
    with tf.Graph().as_default():
        train_op, _ = square("other/weights")
        message = "other/weights is not in it.*net/weights"
        with pytest.raises(CheckpointError, match=message) as caught:
            slim.learning.train(train_op, str(tmp_path), number_of_steps=2)
    assert "\n" not in str(caught.value)


def test_a_saver_of_some_variables_leaves_the_others_without_a_value(tmp_path):
    for end in (1, 2):
        with tf.Graph().as_default():
            train_op, w = square()
            slim.model_variable("new", [], initializer=v1.zeros_initializer())
            saver = v1.train.Saver([w, slim.get_global_step()])
            options = {"number_of_steps": end, "saver": saver}
            if end == 1:
                slim.learning.train(train_op, str(tmp_path), **options)
                continue
            with pytest.raises(CheckpointError, match="new would have no value"):
                slim.learning.train(train_op, str(tmp_path), **options)


def test_a_folder_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    train_op, _ = square()
    with pytest.raises(RunError, match="cannot write to the run's folder .*file"):
        slim.learning.train(train_op, str(tmp_path / "file"), number_of_steps=1)


def test_a_checkpoint_that_cannot_be_written_is_told_and_leaves_the_one_before(tmp_path):
    train_op, _ = square()

    def step(session, train_op, global_step, kwargs):
        # In the place of the file that is to be written is a folder.
        (tmp_path / "model.ckpt-2.index" / "x").mkdir(parents=True, exist_ok=True)
        return slim.learning.train_step(session, train_op, global_step, kwargs)

    message = r"cannot write checkpoint .*model\.ckpt-2: .*whole is .*model\.ckpt-0"
    with pytest.raises(CheckpointError, match=message):
        slim.learning.train(train_op, str(tmp_path), train_step_fn=step, number_of_steps=2)


def test_one_worker_with_synchronized_replicas_trains(tmp_path):
    w = slim.model_variable("w", [2], initializer=v1.ones_initializer())
    optimizer = v1.train.SyncReplicasOptimizer(
        v1.train.GradientDescentOptimizer(0.1), replicas_to_aggregate=1, total_num_replicas=1
    )
    train_op = slim.learning.create_train_op(tf.reduce_sum(w**2), optimizer)
    slim.learning.train(train_op, str(tmp_path), number_of_steps=3, sync_optimizer=optimizer)
    value = tf.train.load_checkpoint(str(tmp_path)).get_tensor("w")
    np.testing.assert_allclose(value, [0.8**3] * 2, rtol=1e-5)


def test_a_worker_that_is_not_the_chief_waits_for_it_and_trains_along(tmp_path):
    server = tf.distribute.Server.create_local_server()
    losses = {}

    def work(is_chief):
        with tf.Graph().as_default():
            train_op, _ = square()
            losses[is_chief] = slim.learning.train(
                train_op,
                str(tmp_path),
                master=server.target,
                is_chief=is_chief,
                startup_delay_steps=0 if is_chief else 3,
                number_of_steps=200,
            )

    worker = threading.Thread(target=work, args=[False])
    worker.start()
    work(True)
    worker.join(timeout=60)
    assert not worker.is_alive()
    assert set(losses) == {True, False}
    assert checkpoints_in(tmp_path)[-1] >= 200


@pytest.mark.parametrize(
    "logdir, options, message",
    [
        ("run", {"number_of_steps": 0}, "number_of_steps is 0; it must be positive"),
        (None, {"saver": object()}, "got saver, and logdir is None"),
        (None, {"trace_every_n_steps": 2}, "got trace_every_n_steps, and logdir is None"),
        (None, {"summary_op": "x"}, "got summary_op, and logdir is None"),
        ("run", {"sync_optimizer": object()}, "SyncReplicasOptimizer or a list of them"),
        (
            "run",
            {"sync_optimizer": object(), "startup_delay_steps": 2},
            "startup_delay_steps is 2, and must be 0",
        ),
        ("run", {"dataset": [1]}, "in a graph takes no 'dataset', which it takes only on a func"),
        ("run", {"num_steps": 3}, "takes no 'num_steps'. Close: number_of_steps"),
        ("run", {"graph": tf.Graph()}, "is in another graph than the one given"),
    ],
)
def test_arguments_that_are_not_allowed_are_named(tmp_path, logdir, options, message):
    train_op, _ = square()
    logdir = logdir and str(tmp_path / logdir)
    with pytest.raises(InputError, match=message) as caught:
        slim.learning.train(train_op, logdir, **options)
    assert "\n" not in str(caught.value)


def test_what_is_no_train_op_is_refused(tmp_path):
    with pytest.raises(InputError, match="train_op is None"):
        slim.learning.train(None, str(tmp_path))
    with pytest.raises(ArgumentTypeError, match="a tensor of a tf.Graph, or.*not 3"):
        slim.learning.train(3, str(tmp_path))
    with pytest.raises(TypeError, match="train_op"):
        slim.learning.train(logdir=str(tmp_path))


def test_hooks_watch_over_the_loop_of_slim_training(tmp_path):
    train_op, _ = square()
    stop = v1.train.StopAtStepHook(last_step=3)
    loss = slim.training.train(train_op, str(tmp_path), hooks=[stop])
    np.testing.assert_allclose(loss, loss_at(3), rtol=1e-5)
    assert checkpoints_in(tmp_path) == [0, 3]
    assert slim.training.train(
        train_op,
        None,
        hooks=[v1.train.StopAtStepHook(2)],
        save_checkpoint_secs=None,
        save_summaries_steps=None,
    )
    with pytest.raises(InputError, match="save_checkpoint_secs=None"):
        slim.training.training.train(train_op, None)
