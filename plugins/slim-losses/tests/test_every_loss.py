"""What every loss must do: the table in conftest.py drives it, and must have every loss."""

import numpy as np
import pytest
import slim_losses
import tensorflow as tf

import slimcore as slim
from slimcore.errors import InputError, ShapeError

# Tested in the same ways in files of their own: the labels of one are a list of sparse tensors, and
# the truth of the other is an algorithm.
ELSEWHERE = {"cluster_loss", "npairs_loss_multilabel"}

BAD_VALUE = (InputError, tf.errors.InvalidArgumentError)


def inputs_of(case, seed=0):
    return case.inputs(np.random.default_rng(seed))


def gradient_of(loss, tensors, argument):
    """Returns the loss and its gradient with respect to one of the tensors."""
    tensors = [tf.constant(x) for x in tensors]
    with tf.GradientTape() as tape:
        tape.watch(tensors[argument])
        value = loss(*tensors)
    return value, tape.gradient(value, tensors[argument])


def test_no_offered_loss_is_missing_from_the_table(cases):
    offered = {c.name for c in slim.components("loss") if c.distribution == "slim-losses"}
    assert offered == {*cases, *ELSEWHERE}


def test_the_package_offers_the_functions_of_the_namespace():
    assert {*slim_losses.__all__} == {*dir(slim.losses), "collection"}
    for name in dir(slim.losses):
        assert getattr(slim_losses, name) is getattr(slim.losses, name)


def test_it_agrees_with_numpy(case, run):
    inputs = inputs_of(case)
    np.testing.assert_allclose(run(case, *inputs), case.expected(inputs), rtol=1e-6, atol=1e-9)


def test_it_agrees_with_numpy_on_float32(case, run_both):
    inputs = inputs_of(case, 2)
    single = [x.astype(np.float32) if x.dtype == np.float64 else x for x in inputs]
    result = run_both(case, *single)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, case.expected(inputs), rtol=1e-4, atol=1e-5)


def test_bfloat16_is_computed_in_float32(case):
    half = [tf.constant(x) for x in inputs_of(case, 2)]
    half = [tf.cast(x, tf.bfloat16) if x.dtype == tf.float64 else x for x in half]
    full = [tf.cast(x, tf.float32) if x.dtype == tf.bfloat16 else x for x in half]
    result = case(*half)
    assert result.dtype == tf.float32
    np.testing.assert_allclose(result, case(*full), rtol=1e-5, atol=1e-6)


def test_it_is_right_at_the_edges(case, run_both):
    for inputs, value in case.edges:
        result = run_both(case, *inputs)
        np.testing.assert_allclose(result.max(), value, rtol=1e-6, atol=1e-6)


def test_weights_of_every_shape_agree_with_numpy(weighted_case, run):
    case, rng = weighted_case, np.random.default_rng(3)
    inputs = case.inputs(rng)
    weights = [rng.integers(0, 3, shape).astype(np.float64) for shape in ((), *case.weights)]
    count = len(weights)

    def losses(*tensors):
        return tf.stack([case(*tensors[count:], weights=w) for w in tensors[:count]])

    truth = [case.expected(inputs, w) for w in weights]
    np.testing.assert_allclose(run(losses, *weights, *inputs), truth, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("weights", [0.0, 0, 2, 0.5, True])
def test_weights_may_be_python_numbers(weighted_case, weights):
    inputs = inputs_of(weighted_case)
    np.testing.assert_allclose(
        weighted_case(*inputs, weights=weights), weighted_case.expected(inputs, weights)
    )


def test_weights_that_are_all_zero_give_zero_and_no_gradient(weighted_case):
    case, weights = weighted_case, tf.zeros(weighted_case.weights[0], tf.float64)
    value, gradient = gradient_of(
        lambda *tensors: case(*tensors, weights=weights), inputs_of(case), case.slopes[0]
    )
    assert float(value) == 0
    assert not np.any(gradient)


def test_an_empty_batch_gives_zero_and_no_nan_in_the_gradient(weighted_case, run_both):
    case = weighted_case
    empty = [x[:0] for x in inputs_of(case)]
    assert run_both(case, *empty) == 0
    assert run_both(lambda *tensors: case(*tensors, weights=np.zeros([0])), *empty) == 0
    _, gradient = gradient_of(case, empty, case.slopes[0])
    assert np.all(np.isfinite(gradient))


def test_weights_that_do_not_fit_are_named(weighted_case, run_both):
    case, inputs = weighted_case, inputs_of(weighted_case)
    with pytest.raises(ShapeError, match=rf"{case.name} .*weights of shape \(7, 7\)"):
        run_both(lambda *tensors: case(*tensors, weights=np.ones([7, 7])), *inputs)
    with pytest.raises(InputError, match=f"{case.name} .*needs weights, and got None"):
        run_both(lambda *tensors: case(*tensors, weights=None), *inputs)


def test_shapes_that_do_not_fit_are_named(case, run_both):
    for shapes, message in case.wrong:
        pairs = zip(shapes, inputs_of(case), strict=True)
        inputs = [np.zeros(shape, x.dtype) for shape, x in pairs]
        with pytest.raises(ShapeError, match=f"{case.name} .*{message}"):
            run_both(case, *inputs)


def test_missing_inputs_are_named(case):
    inputs = inputs_of(case)
    for i in range(len(inputs)):
        with pytest.raises(InputError, match=f"{case.name} .*needs .*and got None"):
            case(*inputs[:i], None, *inputs[i + 1 :])


def test_gradients_agree_with_finite_differences(case):
    inputs = [tf.constant(x) for x in inputs_of(case, 4)]
    for i in case.slopes:
        (theory,), (numeric,) = tf.test.compute_gradient(
            lambda x, i=i: case(*inputs[:i], x, *inputs[i + 1 :]), [inputs[i]], delta=1e-5
        )
        np.testing.assert_allclose(theory, numeric, rtol=1e-5, atol=1e-8)
        assert np.any(theory)


def test_gradients_are_the_same_in_a_graph(case):
    inputs, i = inputs_of(case, 4), case.slopes[0]
    _, eager = gradient_of(case, inputs, i)
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        tensors = [tf.constant(x) for x in inputs]
        gradient = session.run(tf.gradients(case(*tensors), tensors[i])[0])
    np.testing.assert_allclose(gradient, eager, rtol=1e-9, atol=1e-12)


def test_it_is_gathered_where_the_original_gathers_it(case):
    with slim.collecting():
        value = case(*inputs_of(case))
        gathered = slim.losses.get_losses()
    assert [x is value for x in gathered] == [True] * case.gathered
    with tf.Graph().as_default():
        value = case(*inputs_of(case))
        gathered = slim.losses.get_losses()
    assert [x is value for x in gathered] == [True] * case.gathered


def test_debug_checks_name_the_loss_that_got_nan(case, run_both):
    inputs, i = list(inputs_of(case)), case.slopes[0]
    inputs[i] = inputs[i] * np.nan
    with slim.debug_checks(), pytest.raises(BAD_VALUE, match=f"{case.name}: .*must be finite"):
        run_both(case, *inputs)


def test_debug_checks_name_the_loss_that_got_negative_weights(weighted_case, run_both):
    case, message = weighted_case, f"{weighted_case.name}: weights must not be negative.*-2"
    with slim.debug_checks(), pytest.raises(BAD_VALUE, match=message):
        run_both(lambda *tensors: case(*tensors, weights=np.array(-2.0)), *inputs_of(case))


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
def test_debug_checks_name_the_range_of_labels(name, cases, run):
    with slim.debug_checks(), pytest.raises(BAD_VALUE, match=f"{name}: .*must lie in"):
        run(cases[name], *map(np.array, OUT_OF_RANGE[name]))


def test_good_inputs_pass_the_debug_checks(case, run_both):
    plain = run_both(case, *inputs_of(case))
    with slim.debug_checks():
        np.testing.assert_array_equal(run_both(case, *inputs_of(case)), plain)


def test_the_losses_of_replicas_average_to_that_of_the_whole_batch(case, strategy):
    inputs = inputs_of(case, 5)
    even = [x[: len(x) // 2 * 2] for x in inputs]
    halves = [np.split(x, 2) for x in even]

    def step():
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        with slim.collecting():
            value = case(*(tf.gather(tf.stack(half), replica) for half in halves))
            return slim.losses.get_total_loss() if case.gathered else tf.reduce_mean(value)

    reduce = "sum" if case.reduce == "sum" else "mean"
    result = strategy.reduce(reduce, tf.function(lambda: strategy.run(step))(), axis=None)
    if case.gathered or case.reduce == "none":
        np.testing.assert_allclose(result, np.mean(case.expected(even)), rtol=1e-6)
    else:  # of embeddings, each half is a batch of its own
        parts = [case.expected([half[i] for half in halves]) for i in range(2)]
        np.testing.assert_allclose(result, np.mean(parts), rtol=1e-6)
