"""One table drives what every loss must do; a loss that is missing from it fails a test."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import scipy.special
import tensorflow as tf

import slimcore as slim
from slimcore.errors import InputError, ShapeError

LABELS = np.array([0, 1, 0, 2, 1, 2], np.int32)
ONE_HOT = np.eye(3)[LABELS]


@dataclass
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

# Tested in the same ways in files of their own: the labels of one are a list of sparse tensors, and
# the truth of the other is an algorithm.
ELSEWHERE = {"cluster_loss", "npairs_loss_multilabel"}

BAD_VALUE = (InputError, tf.errors.InvalidArgumentError)

every_loss = pytest.mark.parametrize("name", CASES)
weighted = [name for name, case in CASES.items() if case.weights]


def loss_of(name, **options):
    loss, case = getattr(slim.losses, name), CASES[name]
    return lambda *tensors: loss(*tensors, **{**case.options, **options})


def expected(case, losses, weights=1.0):
    if case.reduce == "none":
        return losses
    losses, weights = np.asarray(losses), np.asarray(weights)
    weights = weights.reshape(weights.shape[: losses.ndim])
    weights = weights.reshape(weights.shape + (1,) * (losses.ndim - weights.ndim))
    weights = np.broadcast_to(weights, losses.shape)
    if case.reduce == "sum":
        return (losses * weights).sum()
    return (losses * weights).sum() / max(np.count_nonzero(weights), 1)


def gradient_of(loss, tensors, argument):
    """Returns the loss and its gradient with respect to one of the tensors."""
    with tf.GradientTape() as tape:
        tape.watch(tensors[argument])
        value = loss(*tensors)
    return value, tape.gradient(value, tensors[argument])


def test_no_offered_loss_is_missing_from_the_table():
    offered = {c.name for c in slim.components("loss") if c.distribution == "slim-losses"}
    assert offered == {*CASES, *ELSEWHERE}


@every_loss
def test_it_agrees_with_numpy(name, run):
    case = CASES[name]
    inputs = case.inputs(np.random.default_rng(0))
    np.testing.assert_allclose(
        run(loss_of(name), *inputs), expected(case, case.losses(*inputs)), rtol=1e-6, atol=1e-9
    )


@every_loss
def test_it_agrees_with_numpy_on_float32(name, run_both):
    case = CASES[name]
    inputs = case.inputs(np.random.default_rng(2))
    single = [x.astype(np.float32) if x.dtype == np.float64 else x for x in inputs]
    result = run_both(loss_of(name), *single)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, expected(case, case.losses(*inputs)), rtol=1e-4, atol=1e-5)


@every_loss
def test_bfloat16_is_computed_in_float32(name):
    case = CASES[name]
    inputs = map(tf.constant, case.inputs(np.random.default_rng(2)))
    half = [tf.cast(x, tf.bfloat16) if x.dtype == tf.float64 else x for x in inputs]
    full = [tf.cast(x, tf.float32) if x.dtype == tf.bfloat16 else x for x in half]
    result = loss_of(name)(*half)
    assert result.dtype == tf.float32
    np.testing.assert_allclose(result, loss_of(name)(*full), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "name,inputs,value", [(n, i, v) for n, case in CASES.items() for i, v in case.edges]
)
def test_it_is_right_at_the_edges(name, inputs, value, run_both):
    result = run_both(loss_of(name), *inputs)
    if CASES[name].reduce == "none":
        result = result.max()
    np.testing.assert_allclose(result, value, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", weighted)
def test_weights_of_every_shape_agree_with_numpy(name, run):
    case, rng = CASES[name], np.random.default_rng(3)
    inputs = case.inputs(rng)
    weights = [rng.integers(0, 3, shape).astype(np.float64) for shape in ((), *case.weights)]
    count = len(weights)

    def losses(*tensors):
        return tf.stack([loss_of(name, weights=w)(*tensors[count:]) for w in tensors[:count]])

    truth = [expected(case, case.losses(*inputs), w) for w in weights]
    np.testing.assert_allclose(run(losses, *weights, *inputs), truth, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("name", weighted)
@pytest.mark.parametrize("weights", [0.0, 0, 2, 0.5, True])
def test_weights_may_be_python_numbers(name, weights):
    case = CASES[name]
    inputs = case.inputs(np.random.default_rng(3))
    np.testing.assert_allclose(
        loss_of(name, weights=weights)(*map(tf.constant, inputs)),
        expected(case, case.losses(*inputs), float(weights)),
    )


@pytest.mark.parametrize("name", weighted)
def test_weights_that_are_all_zero_give_zero_and_no_gradient(name):
    case = CASES[name]
    inputs = [tf.constant(x) for x in case.inputs(np.random.default_rng(3))]
    weights = tf.zeros(case.weights[0], tf.float64)
    value, gradient = gradient_of(loss_of(name, weights=weights), inputs, case.slopes[0])
    assert float(value) == 0
    assert not np.any(gradient)


@pytest.mark.parametrize("name", weighted)
def test_an_empty_batch_gives_zero_and_no_nan_in_the_gradient(name, run_both):
    inputs = [x[:0] for x in CASES[name].inputs(np.random.default_rng(3))]
    assert run_both(loss_of(name), *inputs) == 0
    assert run_both(loss_of(name, weights=np.zeros([0])), *inputs) == 0
    _, gradient = gradient_of(loss_of(name), list(map(tf.constant, inputs)), CASES[name].slopes[0])
    assert np.all(np.isfinite(gradient))


@pytest.mark.parametrize("name", weighted)
def test_weights_that_do_not_fit_are_named(name, run_both):
    inputs = CASES[name].inputs(np.random.default_rng(3))
    with pytest.raises(ShapeError, match=rf"{name}.* weights of shape \(7, 7\)"):
        run_both(loss_of(name, weights=np.ones([7, 7])), *inputs)
    with pytest.raises(InputError, match=f"{name}.* needs weights, and got None"):
        run_both(loss_of(name, weights=None), *inputs)


@pytest.mark.parametrize(
    "name,shapes,message", [(n, s, m) for n, case in CASES.items() for s, m in case.wrong]
)
def test_shapes_that_do_not_fit_are_named(name, shapes, message, run_both):
    good = CASES[name].inputs(np.random.default_rng(0))
    inputs = [np.zeros(shape, x.dtype) for shape, x in zip(shapes, good, strict=True)]
    with pytest.raises(ShapeError, match=f"{name} .*{message}"):
        run_both(loss_of(name), *inputs)


@every_loss
def test_missing_inputs_are_named(name):
    inputs = CASES[name].inputs(np.random.default_rng(0))
    for i in range(len(inputs)):
        with pytest.raises(InputError, match=f"{name} .*needs .*and got None"):
            loss_of(name)(*inputs[:i], None, *inputs[i + 1 :])


@pytest.mark.parametrize(
    "name,argument", [(n, a) for n, case in CASES.items() for a in case.slopes]
)
def test_gradients_agree_with_finite_differences(name, argument):
    inputs = [tf.constant(x) for x in CASES[name].inputs(np.random.default_rng(4))]

    def of_one(x):
        return loss_of(name)(*inputs[:argument], x, *inputs[argument + 1 :])

    (theory,), (numeric,) = tf.test.compute_gradient(of_one, [inputs[argument]], delta=1e-5)
    np.testing.assert_allclose(theory, numeric, rtol=1e-5, atol=1e-8)


@every_loss
def test_gradients_are_the_same_in_a_graph(name):
    inputs = CASES[name].inputs(np.random.default_rng(4))
    argument = CASES[name].slopes[0]
    _, eager = gradient_of(loss_of(name), [tf.constant(x) for x in inputs], argument)
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        tensors = [tf.constant(x) for x in inputs]
        gradient = session.run(tf.gradients(loss_of(name)(*tensors), tensors[argument])[0])
    np.testing.assert_allclose(gradient, eager, rtol=1e-9, atol=1e-12)


@every_loss
def test_it_is_gathered_where_the_original_gathers_it(name):
    inputs = [tf.constant(x) for x in CASES[name].inputs(np.random.default_rng(0))]
    with slim.collecting():
        value = loss_of(name)(*inputs)
        gathered = slim.losses.get_losses()
    assert gathered == [value] if CASES[name].gathered else gathered == []
    with tf.Graph().as_default():
        value = loss_of(name)(*CASES[name].inputs(np.random.default_rng(0)))
        gathered = slim.losses.get_losses()
    assert [t.name for t in gathered] == ([value.name] if CASES[name].gathered else [])


@every_loss
def test_debug_checks_name_the_loss_that_got_nan(name, run_both):
    case = CASES[name]
    inputs = list(case.inputs(np.random.default_rng(0)))
    inputs[case.slopes[0]] = inputs[case.slopes[0]] * np.nan
    with slim.debug_checks(), pytest.raises(BAD_VALUE, match=f"{name}: .*must be finite"):
        run_both(loss_of(name), *inputs)


@pytest.mark.parametrize("name", weighted)
def test_debug_checks_name_the_loss_that_got_negative_weights(name, run_both):
    inputs = CASES[name].inputs(np.random.default_rng(0))
    with (
        slim.debug_checks(),
        pytest.raises(BAD_VALUE, match=f"{name}: weights must not be negative.*-2"),
    ):
        run_both(loss_of(name, weights=np.array(-2.0)), *inputs)


OUT_OF_RANGE = {
    "softmax_cross_entropy": ([[0.0, 0.0]], [[3.0, -1.0]]),
    "sparse_softmax_cross_entropy": ([[0.0, 0.0]], [2]),
    "sigmoid_cross_entropy": ([[0.0, 0.0]], [[3.0, -1.0]]),
    "focal_loss": ([[0.0, 0.0]], [[3.0, -1.0]]),
    "hinge_loss": ([[0.0, 0.0]], [[3.0, -1.0]]),
    "log_loss": ([[0.0, 0.0]], [[3.0, -1.0]]),
    "dice_loss": ([[[0.0, 0.0]]], [[[3.0, -1.0]]]),
    "contrastive_loss": ([2.0], [[0.0]], [[0.0]]),
}


@pytest.mark.parametrize("name", OUT_OF_RANGE)
def test_debug_checks_name_the_range_of_labels(name, run):
    with slim.debug_checks(), pytest.raises(BAD_VALUE, match=f"{name}: .*must lie in"):
        run(loss_of(name), *map(np.array, OUT_OF_RANGE[name]))


@pytest.mark.parametrize("name", CASES)
def test_good_inputs_pass_the_debug_checks(name, run_both):
    inputs = CASES[name].inputs(np.random.default_rng(0))
    plain = run_both(loss_of(name), *inputs)
    with slim.debug_checks():
        np.testing.assert_array_equal(run_both(loss_of(name), *inputs), plain)


@pytest.mark.parametrize("name", [n for n, case in CASES.items() if case.gathered])
def test_replicas_of_a_strategy_average_to_the_loss_of_the_whole_batch(name, strategy):
    case = CASES[name]
    inputs = case.inputs(np.random.default_rng(5))
    even = len(inputs[0]) // 2 * 2
    halves = [np.split(x[:even], 2) for x in inputs]

    def step():
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        with slim.collecting():
            loss_of(name)(*(tf.gather(tf.stack(half), replica) for half in halves))
            return slim.losses.get_total_loss()

    reduce = "sum" if case.reduce == "sum" else "mean"
    result = strategy.reduce(reduce, tf.function(lambda: strategy.run(step))(), axis=None)
    whole = expected(case, case.losses(*(x[:even] for x in inputs)))
    np.testing.assert_allclose(result, whole, rtol=1e-6)
