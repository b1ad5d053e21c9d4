"""The table of metrics that drives the tests, and the ways to run a metric over batches."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import slimcore as slim

CPU = tf.config.list_physical_devices("CPU")[0]
# Two devices, for the tests of `tf.distribute`; another distribution's tests may have made them.
if not tf.config.get_logical_device_configuration(CPU):
    tf.config.set_logical_device_configuration(CPU, [tf.config.LogicalDeviceConfiguration()] * 2)

K = 4  # classes


@dataclass(eq=False)
class Case:
    """What one metric does, in NumPy.

    Attributes:
        data: From a random generator, a scenario and a number of examples to the tensors, in the
            order of the arguments; its attribute `scenarios` names those that it knows.
        truth: From these tensors, of all batches, and the weights, one for each example, to the
            value.
        wrong: Shapes to give instead, of which it must complain, and what it must say.
        options: Arguments besides.
        weighted: Whether it takes weights.
        static: Whether the shape must be known, and each batch be of 6 examples.
        name: Its name in `slim.metrics`.
    """

    data: Callable[..., tuple[np.ndarray, ...]]
    truth: Callable[..., Any]
    options: dict[str, Any] = field(default_factory=dict)
    wrong: list[tuple[tuple, str]] = field(default_factory=list)
    weighted: bool = True
    static: bool = False
    name: str = ""

    @property
    def label(self):
        return "-".join([self.name, *(f"{v}" for v in self.options.values())])

    def __call__(self, *tensors, **options):
        """Calls the metric itself."""
        return getattr(slim.metrics, self.name)(*tensors, **{**self.options, **options})

    def batches(self, scenario, weights, seed=0):
        """Returns batches of tensors and weights, one of them empty."""
        rng = np.random.default_rng(seed)
        sizes = [6, 6, 6] if self.static else [7, 0, 5, 9]
        batches = []
        for size in sizes:
            tensors = self.data(rng, scenario, size)
            if weights == "random":
                weight = np.round(rng.uniform(0, 2, size), 2).astype(np.float32)
            else:
                weight = np.full(size, {"none": 1, "zero": 0}[weights], np.float32)
            batches.append((tensors, weight))
        return batches

    def expected(self, batches):
        """Returns what NumPy says of all batches."""
        columns = zip(*(tensors for tensors, _ in batches), strict=True)
        arrays = [np.concatenate(column) for column in columns]
        weights = np.concatenate([weight for _, weight in batches])
        with np.errstate(divide="ignore", invalid="ignore"):
            return self.truth(*arrays, weights.astype(float))


class Function:
    """Calls a metric in a Module, in a `tf.function` of batches of unknown size."""

    def __init__(self, case, weighted, example):
        size = 6 if case.static else None
        shapes = [tf.TensorSpec([size, *a.shape[1:]], a.dtype) for a in example]
        self._module = slim.Module(case)

        @tf.function(input_signature=[*shapes, tf.TensorSpec([size], tf.float32)])
        def update(*tensors):
            options = {"weights": tensors[-1]} if weighted else {}
            value, update = self._module(*tensors[:-1], **options)
            assert value is update
            return value

        self._update = update

    def value(self, batches):
        self._module.reset_metrics()
        for tensors, weights in batches:
            value = self._update(*map(tf.constant, tensors), weights)
        return tf.nest.map_structure(np.asarray, value)


class Graph:
    """Builds a metric once, with batches of unknown size, and runs it in a Session."""

    def __init__(self, case, weighted, example):
        v1 = tf.compat.v1
        with tf.Graph().as_default():
            size = 6 if case.static else None
            self._tensors = [v1.placeholder(a.dtype, [size, *a.shape[1:]]) for a in example]
            self._weights = v1.placeholder(np.float32, [size])
            options = {"weights": self._weights} if weighted else {}
            self._value, self._update = case(*self._tensors, **options)
            self._initialize = v1.local_variables_initializer()
            self._session = v1.Session()

    def value(self, batches):
        self._session.run(self._initialize)
        for tensors, weights in batches:
            feeds = dict(zip(self._tensors, tensors, strict=True)) | {self._weights: weights}
            self._session.run(self._update, feeds)
        return self._session.run(self._value)


@pytest.fixture(params=[Function, Graph], ids=["tf2", "graph"])
def mode(request):
    """From a case, whether it is weighted and an example of its tensors, to what runs it."""
    return request.param


@pytest.fixture(scope="session")
def strategy():
    """A MirroredStrategy over two logical CPU devices."""
    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"], tf.distribute.ReductionToOneDevice())


# What the examples look like.


def scenarios(*names):
    """Says which scenarios a function knows besides "random"."""

    def named(data):
        data.scenarios = ("random", *names)
        return data

    return named


def first(data):
    return scenarios(*data.scenarios[1:])(lambda *args: (data(*args)[0],))


def swapped(data):
    return scenarios(*data.scenarios[1:])(lambda *args: data(*args)[::-1])


@scenarios("all positive", "all negative", "perfect", "worst")
def decisions(rng, scenario, size):
    labels = _labels(rng, scenario, size)
    if scenario in ("perfect", "worst"):
        return labels ^ (scenario == "worst"), labels
    return rng.random(size) < 0.5, labels


@scenarios("all positive", "all negative", "ties", "perfect", "worst")
def scores(rng, scenario, size):
    labels = _labels(rng, scenario, size)
    if scenario in ("perfect", "worst"):
        high = labels ^ (scenario == "worst")
        return (rng.uniform(0.0, 0.4, size) + 0.5 * high).astype(np.float32), labels
    if scenario == "ties":
        return np.full(size, 0.5, np.float32), labels
    # Some are equal to each other and to thresholds.
    return np.round(rng.random(size), 1 + size % 2).astype(np.float32), labels


def _labels(rng, scenario, size):
    if scenario in ("all positive", "all negative"):
        return np.full(size, scenario == "all positive")
    return np.resize([True, False, False], size) ^ (rng.random(size) < 0.2)


@scenarios("absent class", "perfect", "worst")
def classes(rng, scenario, size):
    labels = rng.integers(0, K - (scenario == "absent class"), size)
    if scenario in ("perfect", "worst"):
        return (labels + (scenario == "worst")) % K, labels
    return rng.integers(0, K - (scenario == "absent class"), size), labels


@scenarios("perfect", "worst")
def numbers(rng, scenario, size):
    labels = rng.normal(1, 2, size).astype(np.float32)
    if scenario in ("perfect", "worst"):
        return labels * (1 if scenario == "perfect" else -1), labels
    return (labels + rng.normal(0, 1, size)).astype(np.float32), labels


@scenarios()
def with_normalizer(rng, scenario, size):
    predictions, labels = numbers(rng, scenario, size)
    return predictions, labels, np.abs(labels).round()


@scenarios("perfect", "worst")
def directions(rng, scenario, size):
    labels = rng.normal(size=(size, 3)).astype(np.float32)
    labels /= np.linalg.norm(labels, axis=1, keepdims=True)
    if scenario in ("perfect", "worst"):
        return labels * (1 if scenario == "perfect" else -1), labels
    return rng.permutation(labels), labels


@scenarios("perfect", "worst")
def rankings(rng, scenario, size):
    """Scores of classes without ties, and two different labels of each example."""
    order = np.argsort(rng.random([size, K]), 1)
    ranked = np.argsort(order, 1).astype(np.float32)  # the score of a class is its rank
    if scenario == "perfect":
        return ranked, order[:, :-3:-1]
    if scenario == "worst":
        return ranked, order[:, :2]
    return ranked, np.argsort(rng.random([size, K]), 1)[:, :2]


@scenarios("perfect", "worst")
def chosen(rng, scenario, size):
    """The two best classes of each example, and two labels."""
    ranked, labels = rankings(rng, scenario, size)
    return np.argsort(-ranked, 1)[:, :2], labels


@scenarios("perfect", "worst")
def single_label(rng, scenario, size):
    ranked, labels = rankings(rng, scenario, size)
    return ranked, labels[:, 0]


@scenarios("perfect", "worst")
def probabilities(rng, scenario, size):
    labels = rng.integers(0, K, size)
    if scenario in ("perfect", "worst"):
        return np.eye(K, dtype=np.float32)[(labels + (scenario == "worst")) % K], labels
    return rng.dirichlet(np.ones(K), size).astype(np.float32), labels


# What the metrics say of them. Each takes the weights last.


def divide(a, b):
    return np.where(b > 0, a / b, 0.0)


def counts(p, t, w):
    """True and false positives, true and false negatives."""
    return [(w * hits).sum() for hits in (p & t, p & ~t, ~p & ~t, ~p & t)]


def at_each(thresholds, value, reached=False):
    """From a function of the four counts to one of scores, for each threshold."""

    def values(s, t, w):
        above = (lambda x: s >= x) if reached else (lambda x: s > x)
        counted = np.array([counts(above(x), t, w) for x in np.float32(thresholds)])
        return value(*counted.T)

    return values


def even(count):
    return [-1e-7, *(np.arange(1, count - 1) / (count - 1)), 1 + 1e-7]


def precision(tp, fp, tn, fn):
    return divide(tp, tp + fp)


def recall(tp, fp, tn, fn):
    return divide(tp, tp + fn)


def fpr(tp, fp, tn, fn):
    return divide(fp, fp + tn)


def fnr(tp, fp, tn, fn):
    return divide(fn, fn + tp)


def points(curve):
    def value(tp, fp, tn, fn):
        found = np.where(tp + fn > 0, recall(tp, fp, tn, fn), 1.0)
        right = np.where(tp + fp > 0, precision(tp, fp, tn, fn), 1.0)
        return np.stack([fpr(tp, fp, tn, fn), found] if curve == "ROC" else [found, right], 1)

    return value


def area(curve):
    def value(*counted):
        x, y = points(curve)(*counted).T
        return ((x[:-1] - x[1:]) * (y[:-1] + y[1:]) / 2).sum()

    return value


def exact_area(curve):
    def value(t, s, w):
        if not (w * t).sum() * (w * ~t).sum():
            return 0.0
        thresholds = [-1.0, *np.unique(s)]
        return at_each(thresholds, area(curve))(s, t, w)

    return value


def auc_interval(t, s, w):
    """The area as the chance that a positive ranks higher, and DeLong's interval of its logit."""
    p, n = w * t, w * ~t
    if not p.sum() * n.sum():
        return (0.0, 0.0, 0.0)
    order = (s[:, None] > s) + 0.5 * (s[:, None] == s)
    of_positive, of_negative = order @ n / n.sum(), p @ order / p.sum()
    auc = p @ of_positive / p.sum()
    variance = (p * (of_positive - auc) ** 2).sum() / p.sum() / (p.sum() - 1)
    variance += (n * (of_negative - auc) ** 2).sum() / n.sum() / (n.sum() - 1)
    if auc in (0, 1):
        return (auc, auc, auc)
    logit, half = np.log(auc / (1 - auc)), 1.959964 * np.sqrt(variance) / auc / (1 - auc)
    return (auc, *(1 / (1 + np.exp(-logit - end)) for end in (-half, half)))


def histogram_area(t, s, w):
    bins = np.minimum((s * 16).astype(int), 15)
    order = (bins[:, None] > bins) + 0.5 * (bins[:, None] == bins)
    return t @ order @ ~t / (t.sum() * (~t).sum())


def sensitivity_at(target):
    def value(tp, fp, tn, fn):
        return recall(tp, fp, tn, fn)[np.argmin(np.float32(abs(divide(tn, tn + fp) - target)))]

    return value


def specificity_at(target):
    def value(tp, fp, tn, fn):
        distance = np.float32(abs(recall(tp, fp, tn, fn) - target))
        return divide(tn, tn + fp)[np.flatnonzero(distance == distance.min())[-1]]

    return value


def precision_at(target):
    def value(tp, fp, tn, fn):
        right, found = points("PR")(tp, fp, tn, fn).T[::-1]
        return right[np.flatnonzero(found >= target)[-1]]

    return value


def recall_at(target, strict=False):
    def value(*counted):
        right, found = precision(*counted), recall(*counted)
        if strict:
            return np.where(right >= target, found, 0).max()
        return found[np.argmin(np.float32(abs(right - target)))]

    return value


def matrix(p, t, w):
    total = np.zeros([K, K])
    np.add.at(total, (t, p), w)
    return total


def mean_iou(p, t, w):
    cells = matrix(p, t, w)
    union = cells.sum(0) + cells.sum(1) - np.diag(cells)
    return (np.diag(cells)[union > 0] / union[union > 0]).mean() if union.any() else 0.0


def kappa(t, p, w):
    cells = matrix(p, t, w)
    total, chance = cells.sum(), cells.sum(0) @ cells.sum(1)
    return divide(np.trace(cells) * total - chance, total**2 - chance)


def f1(average):
    def value(p, t, w):
        cells = matrix(p, t, w)
        twice, ends = 2 * np.diag(cells), cells.sum(0) + cells.sum(1)
        if average == "micro":
            return divide(twice.sum(), ends.sum())
        share = cells.sum(1) if average == "weighted" else ends > 0
        return divide((divide(twice, ends) * share).sum(), share.sum())

    return value


def mean_of(values):
    return lambda *args: divide((args[-1] * values(*args[:-1])).sum(), args[-1].sum())


def covariance(x, y, w):
    mean = [w @ a / w.sum() for a in (x, y)]
    return (w * (x - mean[0]) * (y - mean[1])).sum() / (w.sum() - 1) if w.sum() > 1 else np.nan


def correlation(x, y, w):
    return covariance(x, y, w) / np.sqrt(covariance(x, x, w) * covariance(y, y, w))


def found(best, labels, class_id=None):
    """How many of the best classes are labels, are counted, and how many labels there are."""
    best, labels = [
        [set(row) if class_id is None else set(row) & {class_id} for row in rows]
        for rows in (best, labels)
    ]
    pairs = list(zip(best, labels, strict=True))
    return np.array([[len(b & t), len(b), len(t)] for b, t in pairs]).reshape(-1, 3).T


def top(k, value):
    return lambda s, t, w: value(np.argsort(-s, 1)[:, :k], t, w)


def label_recall(class_id=None):
    def value(best, labels, w):
        hits, _, all_labels = found(best, labels, class_id)
        return w @ hits / (w @ all_labels)

    return value


def label_precision(class_id=None):
    def value(best, labels, w):
        hits, counted, _ = found(best, labels, class_id)
        return w @ hits / (w @ counted)

    return value


def average_precision(best, labels, w):
    hits = np.any(best[:, :, None] == labels[:, None, :], 2).astype(float)
    ranks = np.arange(1, best.shape[1] + 1)
    each = (hits * hits.cumsum(1) / ranks).sum(1) / np.minimum(best.shape[1], labels.shape[1])
    return divide(w @ each, w.sum())


def hits_at(k):
    return mean_of(lambda s, t: (np.argsort(-s, 1)[:, :k] == t[:, None]).any(1))


def calibration(p, t, w):
    confidence, right = p.max(1), p.argmax(1) == t
    total = 0.0
    for low in np.arange(10) / 10:
        members = (confidence > low) & (confidence <= low + 0.1)
        total += abs((w * (right - confidence))[members].sum())
    return divide(total, w.sum())


SHAPES = [(((3,), (4,)), r"\([34],\) .*\([34],\)"), (((3, 2), (3,)), r"\(3, 2\)")]
MATRIX_SHAPES = [(((3, 4), (2, 1)), r"\(2, 1\)")]
T = [0.35, 0.0, 0.5, 0.9, 1.0]
NINE = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]


def answers(truth):
    return [Case(decisions, lambda p, t, w: truth(*counts(p, t, w)), wrong=SHAPES)]


def thresholds(truth):
    return [Case(scores, at_each(x, truth), {"thresholds": x}, SHAPES) for x in (T, NINE, [0.5])]


def curve(truth, data=scores, **options):
    at = even(options.get("num_thresholds", 200))
    if data is not scores:
        return Case(data, lambda t, s, w: at_each(at, truth)(s, t, w), options, SHAPES)
    return Case(data, at_each(at, truth), options, SHAPES)


labels_first = swapped(scores)


def equal_thresholds(t, s, w):
    def value(*counted):
        return (*counted, precision(*counted), recall(*counted), np.linspace(0, 1, 11))

    return at_each(np.linspace(0, 1, 11), value, reached=True)(s, t, w)


TABLE: dict[str, list[Case]] = {
    "count": [Case(first(numbers), lambda x, w: w.sum())],
    "streaming_mean": [Case(first(numbers), mean_of(lambda x: x))],
    "streaming_mean_tensor": [
        Case(
            first(numbers),
            lambda x, w: divide((x * w).reshape(-1, 6).sum(0), w.reshape(-1, 6).sum(0)),
            static=True,
        )
    ],
    "streaming_percentage_less": [
        Case(first(numbers), mean_of(lambda x: x < 0.5), {"threshold": 0.5})
    ],
    "streaming_concat": [
        Case(first(numbers), lambda x, w: x, weighted=False),
        Case(first(numbers), lambda x, w: x[:9], {"max_size": 9}, weighted=False),
        Case(first(directions), lambda x, w: x, {"axis": -2}, weighted=False),
    ],
    "streaming_accuracy": [Case(classes, mean_of(lambda p, t: p == t), wrong=SHAPES)],
    "streaming_true_positives": answers(lambda tp, fp, tn, fn: tp),
    "streaming_false_positives": answers(lambda tp, fp, tn, fn: fp),
    "streaming_true_negatives": answers(lambda tp, fp, tn, fn: tn),
    "streaming_false_negatives": answers(lambda tp, fp, tn, fn: fn),
    "streaming_precision": answers(precision),
    "streaming_recall": answers(recall),
    "streaming_false_positive_rate": answers(fpr),
    "streaming_false_negative_rate": answers(fnr),
    "streaming_true_positives_at_thresholds": thresholds(lambda tp, fp, tn, fn: tp),
    "streaming_false_positives_at_thresholds": thresholds(lambda tp, fp, tn, fn: fp),
    "streaming_true_negatives_at_thresholds": thresholds(lambda tp, fp, tn, fn: tn),
    "streaming_false_negatives_at_thresholds": thresholds(lambda tp, fp, tn, fn: fn),
    "streaming_precision_at_thresholds": thresholds(precision),
    "streaming_recall_at_thresholds": thresholds(recall),
    "streaming_false_positive_rate_at_thresholds": thresholds(fpr),
    "streaming_false_negative_rate_at_thresholds": thresholds(fnr),
    "streaming_auc": [
        curve(area("ROC")),
        curve(area("PR"), curve="PR"),
        curve(area("ROC"), num_thresholds=11),
    ],
    "streaming_curve_points": [
        curve(points("ROC"), labels_first, num_thresholds=11),
        curve(points("PR"), labels_first, curve="PR"),
    ],
    "precision_recall_at_equal_thresholds": [
        Case(labels_first, equal_thresholds, {"num_thresholds": 11}, SHAPES)
    ],
    "auc_using_histogram": [
        Case(
            labels_first,
            histogram_area,
            {"score_range": [0.0, 1.0], "nbins": 16},
            SHAPES,
            weighted=False,
        )
    ],
    "streaming_dynamic_auc": [
        Case(labels_first, exact_area(c), {"curve": c}, SHAPES) for c in ("ROC", "PR")
    ],
    "auc_with_confidence_intervals": [Case(labels_first, auc_interval, {}, SHAPES)],
    "f1_score": [curve(lambda *c: divide(2 * c[0], 2 * c[0] + c[1] + c[3]).max(), labels_first)],
    "streaming_sensitivity_at_specificity": [
        curve(sensitivity_at(0.7), specificity=0.7, num_thresholds=21)
    ],
    "streaming_specificity_at_sensitivity": [
        curve(specificity_at(0.7), sensitivity=0.7, num_thresholds=21)
    ],
    "precision_at_recall": [
        curve(precision_at(0.7), labels_first, target_recall=0.7, num_thresholds=21)
    ],
    "recall_at_precision": [
        curve(recall_at(0.6), labels_first, precision=0.6, num_thresholds=21),
        curve(recall_at(0.6, True), labels_first, precision=0.6, strict_mode=True),
    ],
    "streaming_confusion_matrix": [Case(classes, matrix, {"num_classes": K}, SHAPES)],
    "streaming_mean_iou": [Case(classes, mean_iou, {"num_classes": K}, SHAPES)],
    "cohen_kappa": [Case(swapped(classes), kappa, {"num_classes": K}, SHAPES)],
    "streaming_f1_score": [
        Case(classes, f1(average), {"num_classes": K, "average": average}, SHAPES)
        for average in ("macro", "weighted", "micro")
    ],
    "streaming_covariance": [Case(numbers, covariance, wrong=SHAPES)],
    "streaming_pearson_correlation": [Case(numbers, correlation, wrong=SHAPES)],
    "streaming_mean_absolute_error": [Case(numbers, mean_of(lambda p, t: abs(p - t)), {}, SHAPES)],
    "streaming_mean_squared_error": [Case(numbers, mean_of(lambda p, t: (p - t) ** 2), {}, SHAPES)],
    "streaming_root_mean_squared_error": [
        Case(numbers, lambda p, t, w: np.sqrt(mean_of(lambda p, t: (p - t) ** 2)(p, t, w)))
    ],
    "streaming_mean_relative_error": [
        Case(
            with_normalizer,
            mean_of(lambda p, t, n: divide(abs(p - t), n)),
            wrong=[(((3,), (4,), (3,)), r"\(4,\)"), (((3,), (3,), (4,)), r"\(4,\)")],
        )
    ],
    "streaming_mean_cosine_distance": [
        Case(
            directions,
            lambda p, t, w: 1 - mean_of(lambda p, t: (p * t).sum(1))(p, t, w),
            {"dim": 1},
            [(((3, 2), (3, 4)), r"\(3, 4\)")],
        )
    ],
    "streaming_recall_at_k": [
        Case(single_label, hits_at(2), {"k": 2}, [(((3, 4), (2,)), r"\(2,\)")])
    ],
    "streaming_top_k_accuracy": [
        Case(single_label, hits_at(3), {"k": 3}, [(((3, 4), (2,)), r"\(2,\)")])
    ],
    "streaming_sparse_recall_at_k": [
        Case(rankings, top(2, label_recall()), {"k": 2}, MATRIX_SHAPES),
        Case(rankings, top(3, label_recall(1)), {"k": 3, "class_id": 1}, MATRIX_SHAPES),
    ],
    "sparse_recall_at_top_k": [
        Case(
            swapped(chosen),
            lambda t, b, w: label_recall()(b, t, w),
            wrong=[(((2, 1), (3, 4)), r"\(2, 1\)")],
        )
    ],
    "streaming_sparse_precision_at_k": [
        Case(rankings, top(3, label_precision()), {"k": 3}, MATRIX_SHAPES),
        Case(rankings, top(2, label_precision(1)), {"k": 2, "class_id": 1}, MATRIX_SHAPES),
    ],
    "streaming_sparse_precision_at_top_k": [Case(chosen, label_precision(), {}, MATRIX_SHAPES)],
    "streaming_sparse_average_precision_at_k": [
        Case(rankings, top(3, average_precision), {"k": 3}, MATRIX_SHAPES)
    ],
    "streaming_sparse_average_precision_at_top_k": [
        Case(chosen, average_precision, {}, MATRIX_SHAPES)
    ],
    "streaming_expected_calibration_error": [
        Case(probabilities, calibration, {"num_bins": 10}, [(((3, 4), (2,)), r"\(3, 4\)")])
    ],
}
TABLE["percentage_less"] = TABLE["streaming_percentage_less"]
TABLE["precision"] = answers(precision)
TABLE["recall"] = answers(recall)

for _name, _cases in TABLE.items():
    TABLE[_name] = [replace(case, name=_name) for case in _cases]


def pytest_generate_tests(metafunc):
    """Runs a test of `case` on every metric, others on those that take weights or check shapes."""
    every = [case for cases in TABLE.values() for case in cases]
    chosen = {
        "case": every,
        "weighted_case": [c for c in every if c.weighted],
        "wrong_case": [c for c in every if c.wrong],
    }
    for argument, cases in chosen.items():
        if argument in metafunc.fixturenames:
            metafunc.parametrize(argument, cases, ids=[c.label for c in cases])


@pytest.fixture
def table():
    """The cases of each metric, by its name in `slim.metrics`."""
    return TABLE
