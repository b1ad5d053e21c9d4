"""Counts beyond what float32 holds, and sums beyond what it reaches, beside NumPy in float64."""

import numpy as np
import pytest
import tensorflow as tf

import slimcore as slim

v1 = tf.compat.v1
FULL = 2.0**24
HUGE = np.float32(3e38)

COUNTS = {
    "count": lambda: slim.metrics.count([1.0]),
    "streaming_true_positives": lambda: slim.metrics.streaming_true_positives([1], [1]),
    "streaming_false_positives": lambda: slim.metrics.streaming_false_positives([1], [0]),
    "streaming_true_negatives": lambda: slim.metrics.streaming_true_negatives([0], [0]),
    "streaming_false_negatives": lambda: slim.metrics.streaming_false_negatives([0], [1]),
}


@pytest.mark.parametrize("name", COUNTS)
def test_the_count_after_16777216_is_the_next_one(name):
    module = slim.Module(lambda: COUNTS[name]()[0])
    module()
    module.variables[0].assign(FULL)
    assert module().numpy() == FULL + 1
    assert next(iter(slim.metrics.current_values(module).values())).numpy() == FULL + 1
    with tf.Graph().as_default():
        assert COUNTS[name]()[0].dtype == tf.float32  # as in the original


def test_counts_at_thresholds_go_on_after_16777216():
    def positives():
        return slim.metrics.streaming_true_positives_at_thresholds([0.5], [1], [0.25, 0.75])[0]

    module = slim.Module(positives)
    module()
    (buckets,) = module.variables
    buckets.assign(buckets * FULL)
    np.testing.assert_array_equal(module(), [FULL + 1, 0])

    equal = slim.Module(
        lambda: slim.metrics.precision_recall_at_equal_thresholds([True], [0.5], num_thresholds=3)
    )
    equal()
    equal.variables[0].assign(equal.variables[0] * FULL)
    assert equal()[0].tp.numpy().tolist() == [FULL + 1, FULL + 1, 0]


@pytest.mark.slow
@pytest.mark.parametrize("weights", [None, 1.0])
def test_one_batch_of_more_than_16777216_is_counted_to_the_last_one(weights):
    many = 2**24 + 3
    yes = np.ones(many, bool)
    positives, _ = slim.Module(slim.metrics.streaming_true_positives)(yes, yes, weights=weights)
    assert positives.numpy() == many
    number, _ = slim.Module(slim.metrics.count)(yes, weights=weights)
    assert number.numpy() == many


def regression(name, draw):
    predictions, labels = draw
    truth = {
        "streaming_mean_absolute_error": lambda d: np.abs(d).mean(),
        "streaming_mean_squared_error": lambda d: np.square(d).mean(),
        "streaming_root_mean_squared_error": lambda d: np.sqrt(np.square(d).mean()),
    }[name]
    return truth(predictions.astype(np.float64) - labels.astype(np.float64))


@pytest.mark.parametrize("size", [1000, 70_000], ids=["few", "many"])
@pytest.mark.parametrize(
    "name, largest",
    [
        ("streaming_mean_absolute_error", 1.5e38),
        ("streaming_mean_squared_error", 5e18),
        ("streaming_root_mean_squared_error", 1.5e38),
    ],
)
def test_errors_of_a_batch_average_without_overflow(name, largest, size):
    draw = np.random.default_rng(0).uniform(-largest, largest, [2, size]).astype(np.float32)
    truth = regression(name, draw)
    function = getattr(slim.metrics, name)
    value, _ = slim.Module(function)(*map(tf.constant, draw))
    np.testing.assert_allclose(value, truth, rtol=1e-6)
    value, _ = tf.function(slim.Module(function))(*map(tf.constant, draw))
    np.testing.assert_allclose(value, truth, rtol=1e-6)
    with tf.Graph().as_default(), v1.Session() as session:
        _, update = function(*map(tf.constant, draw))
        session.run(v1.local_variables_initializer())
        np.testing.assert_allclose(session.run(update), truth, rtol=1e-6)


@pytest.mark.parametrize("size", [1000, 70_000], ids=["few", "many"])
def test_values_near_the_largest_float_average_to_it(size):
    values = tf.fill([size], HUGE)
    for weights in (None, 1.0, tf.linspace(1.0, 2.0, size)):
        mean, _ = slim.Module(slim.metrics.streaming_mean)(values, weights=weights)
        np.testing.assert_allclose(mean, HUGE, rtol=1e-6)
        each, _ = slim.Module(slim.metrics.streaming_mean_tensor)(values, weights=weights)
        np.testing.assert_allclose(each, values, rtol=1e-6)
    relative, _ = slim.Module(slim.metrics.streaming_mean_relative_error)(values, -values, values)
    assert relative.numpy() == 2.0


def test_weights_may_be_large_too():
    values = tf.constant([1.0, 3.0] * 40_000)
    mean, _ = slim.Module(slim.metrics.streaming_mean)(values, weights=HUGE)
    assert mean.numpy() == 2.0


def test_a_batch_of_unknown_size_does_not_overflow():
    module = slim.Module(lambda x: slim.metrics.streaming_mean(x)[0])
    mean = tf.function(module, input_signature=[tf.TensorSpec([None])])
    np.testing.assert_allclose(mean(tf.fill([1000], HUGE)), HUGE, rtol=1e-6)


def test_infinite_values_have_an_infinite_mean_as_in_numpy():
    for values in ([1.0, np.inf], [-np.inf] * 70_000):
        mean, _ = slim.Module(slim.metrics.streaming_mean)(tf.constant(values))
        assert mean.numpy() == np.mean(values)
