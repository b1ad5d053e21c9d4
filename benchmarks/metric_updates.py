"""Measures what one update of a metric costs, beside Keras 3 and `tf.compat.v1.metrics`.

    python benchmarks/metric_updates.py [--seconds 2]

Slim and Keras update in a `tf.function`; Slim and `tf.compat.v1.metrics` update in a graph with a
Session. The two of each pair take turns in one process. A time is the tenth percentile, which other
work on the machine hardly touches; a ratio of 2.0 means that Slim is twice as fast.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf

import slimcore as slim

v1 = tf.compat.v1
Update = Callable[[], Any]


@dataclass
class Case:
    """One metric in its three forms; each takes predictions and labels."""

    name: str
    predictions: np.ndarray
    labels: np.ndarray
    ours: Callable[[Any, Any], Any]
    keras: Callable[[], Any]
    v1: Callable[[Any, Any], Any]


def cases() -> list[Case]:
    draw = np.random.default_rng(0)
    scores = draw.random(1_000_000, np.float32)
    positive = (draw.random(1_000_000) < scores).astype(np.int32)
    answers = draw.integers(0, 1000, 1_000_000, np.int32)
    guesses = np.where(draw.random(1_000_000) < 0.7, answers, 0).astype(np.int32)
    small = 256
    maps = draw.integers(0, 150, [2, 1, 512, 512], np.int32)
    at = list(np.linspace(0, 1, 200, dtype=np.float32)[1:-1])
    uneven = list(np.sort(draw.random(200, np.float32)))
    m, k, old = slim.metrics, tf.keras.metrics, v1.metrics

    def accuracy(p: np.ndarray, y: np.ndarray, what: str) -> Case:
        return Case(what, p, y, m.streaming_accuracy, k.Accuracy, lambda p, y: old.accuracy(y, p))

    return [
        accuracy(guesses[:small], answers[:small], "accuracy, batch of 256"),
        accuracy(guesses, answers, "accuracy, 1 M predictions"),
        Case(
            "AUC, 200 thresholds, batch of 256",
            scores[:small],
            positive[:small],
            m.streaming_auc,
            lambda: k.AUC(200),
            lambda p, y: old.auc(y, p, num_thresholds=200),
        ),
        Case(
            "AUC, 200 thresholds, 1 M predictions",
            scores,
            positive,
            m.streaming_auc,
            lambda: k.AUC(200),
            lambda p, y: old.auc(y, p, num_thresholds=200),
        ),
        Case(
            "mean IoU, 150 classes, one 512x512 map",
            maps[0],
            maps[1],
            lambda p, y: m.streaming_mean_iou(p, y, 150),
            lambda: k.MeanIoU(150),
            lambda p, y: old.mean_iou(y, p, 150),
        ),
        *(
            Case(
                f"{what}, {kind} thresholds, 1 M predictions",
                scores,
                positive,
                lambda p, y, ours=ours, t=t: ours(p, y, t),
                lambda keras=keras, t=t: keras(thresholds=t),
                lambda p, y, ours=ours, older=older, t=t: older(y, p, t),
            )
            for kind, t in (("198 even", at), ("200 uneven", uneven))
            for what, ours, keras, older in (
                (
                    "precision",
                    m.streaming_precision_at_thresholds,
                    k.Precision,
                    old.precision_at_thresholds,
                ),
                ("recall", m.streaming_recall_at_thresholds, k.Recall, old.recall_at_thresholds),
            )
        ),
    ]


def in_tf2(case: Case) -> tuple[Update, Update]:
    """Returns one update of ours and one of Keras', both of which return the value too."""
    predictions, labels = tf.constant(case.predictions), tf.constant(case.labels)
    module, metric = slim.Module(lambda p, y: case.ours(p, y)[0]), case.keras()

    @tf.function
    def ours(p: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
        return module(p, y)

    @tf.function
    def keras(p: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
        metric.update_state(y, p)
        return metric.result()

    return lambda: ours(predictions, labels).numpy(), lambda: keras(predictions, labels).numpy()


def in_graph(build: Callable[[Any, Any], Any], case: Case) -> Update:
    """Returns one run of the update in a Session; inputs stay in variables, not fed."""
    with tf.Graph().as_default():
        inputs = [
            v1.get_variable(name, initializer=value, trainable=False, use_resource=True)
            for name, value in (("predictions", case.predictions), ("labels", case.labels))
        ]
        _, update = build(*inputs)
        session = v1.Session()
        session.run([v1.global_variables_initializer(), v1.local_variables_initializer()])
    return session.make_callable(update)


def undisturbed(updates: tuple[Update, ...], seconds: float) -> list[float]:
    """Returns the tenth percentile of the time of each in ms, taken in turns."""
    for update in updates:
        update(), update()
    times: list[list[float]] = [[] for _ in updates]
    turns = list(zip(updates, times, strict=True))
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times[0]) < 6:
        for update, spent in turns:
            start = time.perf_counter()
            update()
            spent.append(time.perf_counter() - start)
        turns.reverse()  # the one after the other finds its caches warmer
    return [1000 * statistics.quantiles(spent, n=10)[0] for spent in times]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=2.0, help="for each pair")
    seconds = parser.parse_args().seconds
    print(f"TensorFlow {tf.__version__}, Keras {tf.keras.__version__}, {os.cpu_count()} cores")
    print(f"{'':44}{'tf.function':^27}{'graph and Session':^27}")
    print(f"{'ms':44}{'slim':>8}{'keras':>10}{'ratio':>8} {'slim':>9}{'v1':>10}{'ratio':>8}")
    for case in cases():
        ours, keras = undisturbed(in_tf2(case), seconds)
        graph = in_graph(case.ours, case), in_graph(case.v1, case)
        ours_graph, older = undisturbed(graph, seconds)
        print(
            f"{case.name:44}{ours:8.3f}{keras:10.3f}{keras / ours:8.2f} "
            f"{ours_graph:9.3f}{older:10.3f}{older / ours_graph:8.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
