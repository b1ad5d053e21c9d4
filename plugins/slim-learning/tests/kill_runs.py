"""Kills a training run at random instants and starts it again; a program that test_killed.py runs.

    python kill_runs.py FOLDER KILLS

This process imports TensorFlow and does nothing with it, so that the runs, which it forks, need not
import it each. It prints what it found as JSON.
"""

import json
import os
import random
import select
import signal
import sys
import time
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import numpy as np
import tensorflow as tf

import slimcore as slim
import slimcore.checkpoints as checkpoints

STEPS = 400
UNREADABLE = 3
# Loads what the runs need, once for all.
USED = (slim.conv2d, slim.batch_norm, slim.dropout, slim.flatten, slim.fully_connected)
USED += (slim.losses.sparse_softmax_cross_entropy, slim.learning.train)


def network(images):
    with slim.arg_scope([slim.batch_norm], is_training=True, decay=0.9):
        net = slim.conv2d(images, 4, [3, 3], normalizer_fn=slim.batch_norm)
    net = slim.dropout(slim.flatten(net), 0.8, is_training=True)
    return slim.fully_connected(net, 3, activation_fn=None)


def train(logdir, saved):
    """Trains to the end, after it has read every checkpoint that is there."""
    for index in Path(logdir).glob("*.index"):
        try:
            reader = checkpoints.load(str(index.with_suffix("")))
            for name in reader.get_variable_to_shape_map():
                if name != "data/iterator":
                    reader.get_tensor(name)
        except Exception as error:
            print(f"{index}: {error}", file=sys.stderr)
            os._exit(UNREADABLE)
    if Path(logdir, "run.json").exists():
        json.loads(Path(logdir, "run.json").read_text())
    tf.config.experimental.enable_op_determinism()
    tf.random.set_seed(3)
    draws = np.random.RandomState(0)
    images, labels = draws.rand(60, 6, 6, 1).astype("float32"), draws.randint(0, 3, 60)
    data = tf.data.Dataset.from_tensor_slices((images, labels)).shuffle(60, seed=1).batch(8)
    model = slim.Module(network)

    def loss_fn(batch):
        return slim.losses.sparse_softmax_cross_entropy(model(batch[0]), batch[1])

    class Saved:
        @slim.hookimpl
        def slim_checkpoint_saved(self):
            os.write(saved, b".")

    from slim_learning.run.run_record import RunRecord

    slim.learning.train(
        slim.learning.create_train_op(
            loss_fn, tf.keras.optimizers.Adam(0.01), moving_average_decay=0.99
        ),
        logdir,
        dataset=data,
        number_of_steps=STEPS,
        save_interval_steps=3,
        keep_checkpoints=3,
        log_every_n_steps=10,
        followers=[Saved(), RunRecord()],
    )


class Child:
    """A run in a process of its own."""

    def __init__(self, logdir):
        self.out, saved = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            status = 1
            try:
                train(logdir, saved)
                status = 0
            finally:
                os._exit(status)
        os.close(saved)
        self.began = time.monotonic()

    def saved(self, seconds):
        """Waits for its first checkpoint, so long at most; returns whether it came."""
        return bool(select.select([self.out], [], [], seconds)[0])

    def ended(self):
        """Waits for the end; returns the exit status, or what is negative for a signal."""
        _, status = os.waitpid(self.pid, 0)
        os.close(self.out)
        return os.waitstatus_to_exitcode(status)


def values(folder):
    reader = tf.train.load_checkpoint(checkpoints.latest(folder))
    names = reader.get_variable_to_shape_map()
    return {name: reader.get_tensor(name) for name in names if name != "data/iterator"}


def main():
    folder, kills = sys.argv[1], int(sys.argv[2])
    whole, parts = os.path.join(folder, "whole"), os.path.join(folder, "parts")
    child = Child(whole)
    child.saved(120)
    setup, began = time.monotonic() - child.began, time.monotonic()
    statuses = [child.ended()]
    stepping = time.monotonic() - began
    draws, killed_at = random.Random(7), []
    while not statuses[-1] or statuses[-1] == -signal.SIGKILL:
        child = Child(parts)
        if len(killed_at) < kills:
            # A quarter of them before it has saved anything, the others at any instant after that.
            if draws.random() < 0.25:
                child.saved(draws.uniform(0, setup))
            elif child.saved(120):
                time.sleep(draws.uniform(0, 1.2 * stepping / kills))
            os.kill(child.pid, signal.SIGKILL)
        statuses.append(child.ended())
        if statuses[-1] != -signal.SIGKILL:
            break
        newest = checkpoints.latest(parts)
        killed_at.append(newest and int(newest.rpartition("-")[2]))
    one, two = values(whole), values(parts)
    different = [n for n in one.keys() | two.keys() if not np.array_equal(one.get(n), two.get(n))]
    found = {"statuses": statuses, "killed_at": killed_at, "different": different}
    print(json.dumps(found | {"step": int(two["global_step"]), "names": sorted(one)}))


if __name__ == "__main__":
    main()
