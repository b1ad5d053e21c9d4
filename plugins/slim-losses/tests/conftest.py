"""The table of losses that drives the tests, and the ways to run a function of arrays."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import scipy.special
import tensorflow as tf

import slimcore as slim

CPU = tf.config.list_physical_devices("CPU")[0]
# Two devices, for the tests of `tf.distribute`; another distribution's tests may have made them.
if not tf.config.get_logical_device_configuration(CPU):
    tf.config.set_logical_device_configuration(CPU, [tf.config.LogicalDeviceConfiguration()] * 2)


def _eager(function, *arrays):
    return np.asarray(function(*map(tf.constant, arrays)))


def _traced(function, *arrays):
    return np.asarray(tf.function(function)(*map(tf.constant, arrays)))


def _shapeless(function, *arrays):
    """Traces with nothing known of the shapes but how many dimensions there are."""
    signature = [tf.TensorSpec([None] * np.ndim(a), np.asarray(a).dtype) for a in arrays]
    return np.asarray(tf.function(function, signature)(*map(tf.constant, arrays)))


def _graph(function, *arrays):
    with tf.Graph().as_default():
        result = function(*map(tf.constant, arrays))
        with tf.compat.v1.Session() as session:
            return session.run(result)


_MODES = {"eager": _eager, "function": _traced, "shapeless": _shapeless, "graph": _graph}


@pytest.fixture(params=_MODES)
def run(request):
    """Runs `function(*tensors)` on arrays in each mode, and returns an array."""
    return _MODES[request.param]


@pytest.fixture(params=["eager", "graph"])
def run_both(request):
    """Runs in eager mode and in a graph only."""
    return _MODES[request.param]


@pytest.fixture(scope="session")
def strategy():
    """A MirroredStrategy over two logical CPU devices."""
    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"], tf.distribute.ReductionToOneDevice())


LABELS = np.array([0, 1, 0, 2, 1, 2], np.int32)
ONE_HOT = np.eye(3)[LABELS]


@dataclass(eq=False)
class Case:
    """What one loss does, in NumPy.

    Attributes:
        inputs: From a random generator to the tensors, in the order of the arguments.
        losses: From these tensors to the losses before weighting; or to the one loss.
        edges: Tensors, and the loss they must have.
        wrong: Shapes to give instead, of which it must complain, naming the second item.
        options: Arguments besides.
        reduce: "mean" over those of weight other than zero, "sum", or "none".
        gathered: Whether it adds itself to the losses.
        weights: Shapes that weights may have besides a scalar.
        slopes: The arguments that it has a gradient for.
        name: Its name in `slim.losses`.
    """

    inputs: Callable[[Any], tuple]
    losses: Callable[..., Any]
    edges: list[tuple[tuple, float]]
    wrong: list[tuple[tuple, str]]
    options: dict[str, Any] = field(default_factory=dict)
    reduce: str = "mean"
    gathered: bool = True
    weights: tuple[tuple[int, ...], ...] = ()
    slopes: tuple[int, ...] = (0,)
    name: str = ""

    def __call__(self, *tensors, **options):
        """Calls the loss itself."""
        return getattr(slim.losses, self.name)(*tensors, **{**self.options, **options})

    def expected(self, inputs, weights=1.0):
        """Returns what NumPy says of some inputs."""
        losses, weights = np.asarray(self.losses(*inputs)), np.asarray(weights, float)
        if self.reduce == "none":
            return losses
        weights = weights.reshape(weights.shape[: losses.ndim])
        weights = weights.reshape(weights.shape + (1,) * (losses.ndim - weights.ndim))
        weights = np.broadcast_to(weights, losses.shape)
        total = (losses * weights).sum()
        return total if self.reduce == "sum" else total / max(np.count_nonzero(weights), 1)


def binary(rng, shape):
    return rng.integers(0, 2, shape).astype(np.float64)


def log_softmax(logits):
    return scipy.special.log_softmax(logits, -1)


def softplus(x):
    return np.logaddexp(0, x)


def sigmoid_entropy(logits, labels):
    return labels * softplus(-logits) + (1 - labels) * softplus(logits)


def focal(logits, labels):
    p = scipy.special.expit(logits)
    p = np.where(labels == 1, p, 1 - p)
    return -np.where(labels == 1, 0.25, 0.75) * (1 - p) ** 2 * np.log(p)


def huber(predictions, labels):
    d = np.abs(predictions - labels)
    return np.where(d <= 0.5, d**2 / 2, 0.5 * d - 0.125)


def dice(predictions, labels):
    return 1 - (2 * (predictions * labels).sum((1, 2)) + 1) / (
        (predictions**2).sum((1, 2)) + (labels**2).sum((1, 2)) + 1
    )


def pairwise(predictions, labels):
    d = (predictions - labels).reshape(len(labels), -1)
    return ((d[:, :, None] - d[:, None, :]) ** 2).mean((1, 2))


def distances(embeddings):
    return np.sqrt(((embeddings[:, None] - embeddings) ** 2).sum(-1))


def contrastive(labels, anchor, positive):
    d = np.sqrt(((anchor - positive) ** 2).sum(-1))
    return np.mean(labels * d**2 + (1 - labels) * np.maximum(0, 1 - d) ** 2)


def triplet(labels, embeddings):
    d = distances(embeddings) ** 2
    losses = []
    for i, j in np.argwhere(labels[:, None] == labels):
        unlike = d[i, labels != labels[i]]
        if i != j and unlike.size:
            further = unlike[unlike > d[i, j]]
            losses.append(max(0, 1 + d[i, j] - (further.min() if further.size else unlike.max())))
    return np.mean(losses)


def npairs(labels, anchor, positive):
    like = (labels[:, None] == labels).astype(float)
    entropy = -(like / like.sum(1, keepdims=True) * log_softmax(anchor @ positive.T)).sum(1)
    return entropy.mean() + 0.002 / 4 * ((anchor**2).sum(1) + (positive**2).sum(1)).mean()


def lifted(labels, embeddings):
    d = distances(embeddings)
    losses = []
    for i, j in np.argwhere(labels[:, None] == labels):
        if i != j:
            far = [d[k, labels != labels[k]] for k in (i, j)]
            losses.append(max(0, np.log(np.exp(1 - np.concatenate(far)).sum()) + d[i, j]) ** 2)
    return np.mean(losses) / 2


def labeled_embeddings(rng):
    return LABELS, rng.normal(size=(6, 3))


def embedding_pairs(rng):
    return LABELS, rng.normal(size=(6, 3)), rng.normal(size=(6, 3))


def regression(losses, **kwargs):
    return Case(
        lambda rng: (rng.normal(size=(4, 3, 2)), rng.normal(size=(4, 3, 2))),
        losses,
        edges=[((np.ones([2, 2]), np.ones([2, 2])), 0.0)],
        wrong=[(((2, 3), (3, 2)), r"\(2, 3\) and \(3, 2\)"), (((2, 3), (2,)), r"and \(2,\)")],
        **{
            "weights": ((4,), (4, 1), (1,), (4, 3), (1, 1, 2), (4, 3, 2)),
            "slopes": (0, 1),
            **kwargs,
        },
    )


def per_logit(losses, perfect, worst, **kwargs):
    return Case(
        lambda rng: (rng.normal(size=(5, 4)), binary(rng, (5, 4))),
        losses,
        edges=[
            ((np.array([[50.0, -50.0]]), np.array([[1.0, 0.0]])), perfect),
            ((np.array([[50.0, -50.0]]), np.array([[0.0, 1.0]])), worst),
        ],
        wrong=[(((2, 3), (3, 2)), r"\(2, 3\) and \(3, 2\)"), (((2, 3), (2,)), r"and \(2,\)")],
        **{"weights": ((5,), (5, 1), (1, 4), (5, 4)), **kwargs},
    )


EMBEDDINGS_WRONG = [
    (((6,), (6,)), r"\(6,\)"),
    (((5,), (6, 3)), r"labels of shape \(5,\)"),
    (((6, 2), (6, 3)), r"labels of shape \(6, 2\)"),
]
PAIRS_WRONG = [
    (((6,), (6, 3), (6, 4)), r"\(6, 3\), and got \(6, 4\)"),
    (((5,), (6, 3), (6, 3)), r"labels of shape \(5,\)"),
]

CASES = {
    "absolute_difference": regression(lambda p, t: np.abs(p - t)),
    "mean_squared_error": regression(lambda p, t: (p - t) ** 2),
    "sum_of_squares": regression(lambda p, t: (p - t) ** 2),
    "huber_loss": regression(huber, options={"delta": 0.5}),
    "mean_pairwise_squared_error": regression(
        pairwise, reduce="sum", weights=((4,), (4, 1), (4, 1, 1), (1,))
    ),
    "cosine_distance": Case(
        lambda rng: (rng.normal(size=(4, 3, 2)), rng.normal(size=(4, 3, 2))),
        lambda p, t: 1 - (p * t).sum(1, keepdims=True),
        edges=[
            ((np.array([[0.6, 0.8]]), np.array([[0.6, 0.8]])), 0.0),
            ((np.array([[0.6, 0.8]]), np.array([[-0.6, -0.8]])), 2.0),
        ],
        wrong=[(((2, 3), (3, 2)), r"\(2, 3\) and \(3, 2\)"), (((2,), (2,)), "axis 1 .*\\(2,\\)")],
        options={"axis": 1},
        weights=((4,), (4, 1), (4, 1, 2)),
        slopes=(0, 1),
    ),
    "compute_weighted_loss": Case(
        lambda rng: (rng.normal(size=(4, 3, 2)),),
        lambda losses: losses,
        edges=[((np.full([2, 2], 3.0),), 3.0)],
        wrong=[],
        weights=((4,), (4, 1), (4, 3), (4, 1, 2), (4, 3, 2), (4, 3, 2, 1)),
    ),
    "softmax_cross_entropy": Case(
        lambda rng: (rng.normal(size=(2, 3, 4)), rng.dirichlet(np.ones(4), (2, 3))),
        lambda logits, labels: -(labels * log_softmax(logits)).sum(-1),
        edges=[
            ((np.array([[50.0, -50.0]]), np.array([[1.0, 0.0]])), 0.0),
            ((np.array([[50.0, -50.0]]), np.array([[0.0, 1.0]])), 100.0),
        ],
        wrong=[(((2, 3), (2, 4)), r"logits and onehot_labels .*\(2, 3\) and \(2, 4\)")],
        weights=((2,), (2, 1), (1, 3), (2, 3)),
    ),
    "sparse_softmax_cross_entropy": Case(
        lambda rng: (rng.normal(size=(2, 3, 4)), rng.integers(0, 4, (2, 3))),
        lambda logits, labels: (
            -np.take_along_axis(log_softmax(logits), labels[..., None], -1)[..., 0]
        ),
        edges=[
            ((np.array([[50.0, -50.0]]), np.array([0])), 0.0),
            ((np.array([[50.0, -50.0]]), np.array([1])), 100.0),
            ((np.zeros([1, 2]), np.array([[1]])), np.log(2)),
        ],
        wrong=[
            (((2, 3), (3,)), r"labels of shape \(3,\) for logits of shape \(2, 3\)"),
            (((2, 3), (2, 2)), r"labels of shape \(2, 2\)"),
            (((2, 3, 4), (2,)), r"labels of shape \(2,\)"),
        ],
        weights=((2,), (2, 1), (1, 3), (2, 3), (2, 3, 1)),
    ),
    "sigmoid_cross_entropy": per_logit(sigmoid_entropy, 0.0, 50.0),
    "focal_loss": per_logit(focal, 0.0, 25.0),
    "hinge_loss": per_logit(
        lambda logits, labels: np.maximum(0, 1 - (2 * labels - 1) * logits),
        0.0,
        51.0,
        reduce="none",
        gathered=False,
        weights=(),
    ),
    "log_loss": Case(
        lambda rng: (rng.uniform(0.01, 0.99, (5, 4)), binary(rng, (5, 4))),
        lambda p, t: -t * np.log(p + 1e-7) - (1 - t) * np.log(1 - p + 1e-7),
        edges=[
            ((np.array([[1.0, 0.0]]), np.array([[1.0, 0.0]])), 0.0),
            ((np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]])), -np.log(1e-7)),
        ],
        wrong=[(((2, 3), (3, 2)), r"\(2, 3\) and \(3, 2\)")],
        weights=((5,), (5, 1), (1, 4), (5, 4)),
        slopes=(0, 1),
    ),
    "dice_loss": Case(
        lambda rng: (rng.uniform(0, 1, (2, 3, 4, 2)), binary(rng, (2, 3, 4, 2))),
        dice,
        edges=[
            ((np.ones([1, 2, 2, 1]), np.ones([1, 2, 2, 1])), 0.0),
            ((np.zeros([1, 2, 2, 1]), np.zeros([1, 2, 2, 1])), 0.0),
            ((np.zeros([1, 3, 3, 1]), np.ones([1, 3, 3, 1])), 0.9),
        ],
        wrong=[
            (((2, 3, 3, 1), (2, 3, 3, 2)), r"\(2, 3, 3, 2\)"),
            (((2, 3), (2, 3)), r"a dimension between, and got the shape \(2, 3\)"),
        ],
        weights=((2,), (2, 1), (2, 2)),
        slopes=(0, 1),
    ),
    "contrastive_loss": Case(
        lambda rng: (binary(rng, 6), rng.normal(size=(6, 2)) / 2, rng.normal(size=(6, 2)) / 2),
        contrastive,
        edges=[
            ((np.ones(2), np.ones([2, 2]), np.ones([2, 2])), 0.0),
            ((np.zeros(2), np.ones([2, 2]), np.ones([2, 2])), 1.0),
            ((np.zeros(0), np.ones([0, 2]), np.ones([0, 2])), 0.0),
        ],
        wrong=PAIRS_WRONG,
        gathered=False,
        slopes=(1, 2),
    ),
    "triplet_semihard_loss": Case(
        labeled_embeddings,
        triplet,
        edges=[
            ((LABELS, 9.0 * ONE_HOT), 0.0),
            ((LABELS, np.zeros([6, 2])), 1.0),
            ((np.arange(3), np.ones([3, 2])), 0.0),
            ((np.zeros(3, int), np.eye(3)), 0.0),
            ((np.zeros(0, int), np.ones([0, 2])), 0.0),
        ],
        wrong=EMBEDDINGS_WRONG,
        gathered=False,
        slopes=(1,),
    ),
    "npairs_loss": Case(
        embedding_pairs,
        npairs,
        edges=[
            ((np.arange(2), np.zeros([2, 2]), np.zeros([2, 2])), np.log(2)),
            ((np.zeros(0, int), np.ones([0, 2]), np.ones([0, 2])), 0.0),
        ],
        wrong=PAIRS_WRONG,
        gathered=False,
        slopes=(1, 2),
    ),
    "lifted_struct_loss": Case(
        labeled_embeddings,
        lifted,
        edges=[
            ((LABELS, 9.0 * ONE_HOT), 0.0),
            ((LABELS, np.zeros([6, 2])), (1 + np.log(8)) ** 2 / 2),
            ((np.arange(3), np.ones([3, 2])), 0.0),
            ((np.zeros(3, int), np.eye(3)), 0.0),
        ],
        wrong=EMBEDDINGS_WRONG,
        gathered=False,
        slopes=(1,),
    ),
}

for _name, _case in CASES.items():
    _case.name = _name


def pytest_generate_tests(metafunc):
    """Runs a test of `case` on every loss, one of `weighted_case` on those that take weights."""
    if "case" in metafunc.fixturenames:
        metafunc.parametrize("case", CASES.values(), ids=list(CASES))
    if "weighted_case" in metafunc.fixturenames:
        cases = [case for case in CASES.values() if case.weights]
        metafunc.parametrize("weighted_case", cases, ids=[case.name for case in cases])


@pytest.fixture
def cases():
    """The table."""
    return CASES
