"""How many steps a second `slim.learning.train` takes, beside tf-slim's and Keras' `fit`.

    python benchmarks/training_loop.py [--tf-slim-python ENVIRONMENT/bin/python] [--part lenet]

Each library trains the same network with its own loop, in a process of its own, on images in
memory. The loops take turns of some steps each: between its turns a loop waits where it would log.
Prints the median steps a second, and slim's as a multiple of each. tf-slim 1.1.0 needs TensorFlow
2.12 or older. The part resnet50 adds slim with `precision="mixed_bfloat16"`.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Part:
    """A network, its input, and how long a turn is."""

    size: int
    channels: int
    classes: int
    batch: int
    steps: int
    rounds: int
    libraries: tuple[str, ...]


PARTS = {
    "lenet": Part(28, 1, 10, 32, 50, 12, ("slim", "tf-slim", "keras")),
    "resnet50": Part(224, 3, 1000, 8, 1, 8, ("slim", "tf-slim", "keras", "slim bfloat16")),
}
RATE, MOMENTUM = 0.001, 0.9


# What the libraries have in common.


def batches(part):
    """Returns the batches, repeated without end."""
    import numpy as np
    import tensorflow as tf

    draws = np.random.default_rng(0)
    shape = (8 * part.batch, part.size, part.size, part.channels)
    images = draws.standard_normal(shape).astype(np.float32)
    labels = draws.integers(0, part.classes, len(images))
    data = tf.data.Dataset.from_tensor_slices((images, labels))
    data = data.shuffle(len(images)).repeat().batch(part.batch, drop_remainder=True)
    return data.prefetch(tf.data.AUTOTUNE)


class Turns:
    """Lets a loop go on for a turn, and waits for the next."""

    def __init__(self):
        self.began = None

    def over(self):
        """Prints how long the turn took, waits, and returns False where there is no other."""
        now = time.perf_counter()
        print("ready" if self.began is None else now - self.began, flush=True)
        more = sys.stdin.readline()
        self.began = time.perf_counter()
        return bool(more)


# The loops. Each calls `over` after every turn.


def slim(name, part, turns, precision=None):
    import tensorflow as tf

    import slimcore as slim

    network = {"lenet": "lenet", "resnet50": "resnet_v1_50"}[name]
    function = slim.nets.get_network_fn(network, part.classes, weight_decay=1e-4)
    model = slim.Module(function, precision=precision)

    def loss_fn(batch):
        logits, _ = model(batch[0], is_training=True)
        slim.losses.sparse_softmax_cross_entropy(logits, batch[1])
        return slim.losses.get_total_loss()

    class Wait:
        @slim.hookimpl
        def slim_scalars_logged(self, step):
            if step % part.steps == 0 and step > warm_up(part) and not turns.over():
                os._exit(0)

    optimizer = tf.keras.optimizers.SGD(RATE, momentum=MOMENTUM)
    train_op = slim.learning.create_train_op(loss_fn, optimizer)
    with tempfile.TemporaryDirectory() as logdir:
        slim.learning.train(
            train_op,
            logdir,
            dataset=batches(part),
            number_of_steps=10**6,
            log_every_n_steps=part.steps,
            followers=[Wait()],
        )


def tf_slim(name, part, turns):
    import tensorflow as tf
    import tf_slim as slim
    from tf_slim.nets import resnet_v1

    v1 = tf.compat.v1
    v1.disable_eager_execution()
    images, labels = v1.data.make_one_shot_iterator(batches(part)).get_next()
    decay = slim.l2_regularizer(1e-4)
    if name == "resnet50":
        with slim.arg_scope(resnet_v1.resnet_arg_scope()):
            logits, _ = resnet_v1.resnet_v1_50(images, part.classes, is_training=True)
        logits = tf.reshape(logits, [part.batch, part.classes])
    else:
        layers = [slim.conv2d, slim.fully_connected]
        with slim.arg_scope(layers, weights_regularizer=decay):
            net = slim.max_pool2d(slim.conv2d(images, 32, [5, 5]), [2, 2], 2)
            net = slim.max_pool2d(slim.conv2d(net, 64, [5, 5]), [2, 2], 2)
            net = slim.fully_connected(slim.flatten(net), 1024)
            net = slim.dropout(net, 0.5, is_training=True)
            logits = slim.fully_connected(net, part.classes, activation_fn=None)
    v1.losses.sparse_softmax_cross_entropy(labels, logits)
    optimizer = v1.train.MomentumOptimizer(RATE, MOMENTUM)
    train_op = slim.learning.create_train_op(v1.losses.get_total_loss(), optimizer)
    taken = 0

    def step(session, *args):
        nonlocal taken
        outcome = slim.learning.train_step(session, *args)
        taken += 1
        if taken % part.steps == 0 and taken > warm_up(part) and not turns.over():
            os._exit(0)
        return outcome

    with tempfile.TemporaryDirectory() as logdir:
        slim.learning.train(train_op, logdir, train_step_fn=step, log_every_n_steps=part.steps)


def keras(name, part, turns):
    import tensorflow as tf

    layers, decay = tf.keras.layers, tf.keras.regularizers.L2(5e-5)
    if name == "resnet50":
        model = tf.keras.applications.ResNet50(weights=None, classifier_activation=None)
    else:
        model = tf.keras.Sequential(
            [
                layers.Input([part.size, part.size, part.channels]),
                layers.Conv2D(32, 5, padding="same", activation="relu", kernel_regularizer=decay),
                layers.MaxPooling2D(2),
                layers.Conv2D(64, 5, padding="same", activation="relu", kernel_regularizer=decay),
                layers.MaxPooling2D(2),
                layers.Flatten(),
                layers.Dense(1024, activation="relu", kernel_regularizer=decay),
                layers.Dropout(0.5),
                layers.Dense(part.classes, kernel_regularizer=decay),
            ]
        )
    loss = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(tf.keras.optimizers.SGD(RATE, momentum=MOMENTUM), loss)

    class Wait(tf.keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if (epoch + 1) * part.steps > warm_up(part) and not turns.over():
                os._exit(0)

    options = {"epochs": 10**6, "steps_per_epoch": part.steps, "verbose": 0}
    model.fit(batches(part), callbacks=[Wait()], **options)


def warm_up(part):
    """Returns how many steps do not count."""
    return max(3, part.steps)


def work(library, name):
    part, turns = PARTS[name], Turns()
    precision = {"slim": None, "slim bfloat16": "mixed_bfloat16"}
    if library in precision:
        slim(name, part, turns, precision[library])
    else:
        {"tf-slim": tf_slim, "keras": keras}[library](name, part, turns)


# The process that lets the others take turns.


def compare(name, pythons, rounds):
    part, workers = PARTS[name], {}
    for library in part.libraries:
        if library in pythons:
            workers[library] = subprocess.Popen(
                [pythons[library], __file__, "--work", library, name],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
            )
            # One after the other, so that none warms up while another is measured.
            if answer(workers[library]) != "ready":
                sys.exit(f"{library} failed; run: {' '.join(workers[library].args)}")
    seconds = {library: [] for library in workers}
    for _ in range(rounds or part.rounds):
        for library, worker in workers.items():
            worker.stdin.write("turn\n")
            worker.stdin.flush()
            seconds[library].append(float(answer(worker)))
    for worker in workers.values():
        worker.stdin.close()
        worker.wait()
    medians = {library: statistics.median(times) for library, times in seconds.items()}
    for library, median in medians.items():
        ratio = medians["slim"] / median if "bfloat16" in library else median / medians["slim"]
        note = "times slim's float32" if "bfloat16" in library else "times as fast is slim"
        print(f"{name:<9} {library:<14} {part.steps / median:9.2f} steps/s  {ratio:5.2f} {note}")


def answer(worker):
    """Returns the next line of a worker that is one of ours; libraries print lines, too."""
    for line in worker.stdout:
        if line.strip() == "ready" or line[0].isdigit():
            return line.strip()
    return ""


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tf-slim-python", help="interpreter of an environment with tf-slim")
    parser.add_argument("--part", choices=list(PARTS), help="one network")
    parser.add_argument("--rounds", type=int, help="turns of each library")
    parser.add_argument("--work", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.work:
        work(*args.work)
        return
    pythons = dict.fromkeys(("slim", "keras", "slim bfloat16"), sys.executable)
    if args.tf_slim_python:
        pythons["tf-slim"] = args.tf_slim_python
    for name in PARTS:
        if args.part in (None, name):
            compare(name, pythons, args.rounds)


if __name__ == "__main__":
    main()
