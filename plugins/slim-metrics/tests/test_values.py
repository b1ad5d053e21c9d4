"""Values on and beyond the edges: ties with thresholds, infinity, ranks, arguments."""

import numpy as np
import pytest
import tensorflow as tf

import slimcore as slim
from slimcore.errors import InputError, ShapeError

NAN, INF = float("nan"), float("inf")


def value(metric, *args, **options):
    function = getattr(slim.metrics, metric)
    return slim.Module(lambda: function(*args, **options)[0])()


@pytest.mark.parametrize(
    "thresholds",
    [
        list(np.linspace(0, 1, 200, dtype=np.float32)),
        list(np.linspace(-3, 7, 33, dtype=np.float32)),
        list(np.random.default_rng(1).random(50, np.float32)),
        [0.5],
        [0.5, 0.5],
    ],
    ids=["even", "even from -3 to 7", "uneven", "one", "twice the same"],
)
def test_only_what_is_above_a_threshold_is_positive_to_the_last_bit(thresholds):
    at = np.float32(thresholds)
    scores = np.concatenate([at, np.nextafter(at, -INF), np.nextafter(at, INF), [-INF, INF, NAN]])
    scores = scores.astype(np.float32)
    # TensorFlow takes subnormal numbers for 0.
    scores = scores[(scores == 0) | ~(np.abs(scores) < np.finfo(np.float32).tiny)]
    scores = scores[~np.isnan(scores)]
    if at.min() >= 0 and at.max() <= 1:  # then scores are probabilities
        scores = scores[(scores >= 0) & (scores <= 1)]
    labels = np.ones(scores.shape, bool)
    positives = value("streaming_true_positives_at_thresholds", scores, labels, thresholds)
    np.testing.assert_array_equal(positives, (scores > at[:, None]).sum(1))
    missed = value("streaming_false_negatives_at_thresholds", scores, labels, thresholds)
    np.testing.assert_array_equal(missed, (~(scores > at[:, None])).sum(1))


def test_labels_out_of_range_are_labels_that_are_not_found():
    scores, labels = [[0.1, 0.9], [0.8, 0.2]], [[1, 7], [-1, 0]]
    assert float(value("streaming_sparse_recall_at_k", scores, labels, 1)) == 0.5
    assert float(value("streaming_sparse_precision_at_k", scores, labels, 1)) == 1.0


def test_labels_may_be_sparse_or_one_for_each_example():
    scores = [[0.1, 0.5, 0.4], [0.6, 0.3, 0.1]]
    labels = tf.SparseTensor([[0, 0], [0, 1], [1, 0]], tf.constant([1, 2, 2], tf.int64), [2, 2])
    assert float(value("streaming_sparse_recall_at_k", scores, labels, 2)) == pytest.approx(2 / 3)
    assert float(value("streaming_sparse_average_precision_at_k", scores, labels, 2)) == 0.5
    assert float(value("streaming_sparse_precision_at_k", scores, [1, 2], 1)) == 0.5


def test_an_example_without_labels_has_average_precision_zero():
    labels = tf.SparseTensor([[0, 0]], tf.constant([1], tf.int64), [2, 1])
    scores = [[0.1, 0.9], [0.9, 0.1]]
    assert float(value("streaming_sparse_average_precision_at_k", scores, labels, 1)) == 0.5


def test_calibration_takes_probabilities_of_the_positive_class():
    error = value("streaming_expected_calibration_error", [0.8, 0.8, 0.2, 0.2], [1, 0, 0, 0])
    assert float(error) == pytest.approx(0.5 * 0.3 + 0.5 * 0.2)


def test_covariance_keeps_its_digits_far_from_zero():
    x = np.float32(4096 + np.arange(64) / 64)
    assert float(value("streaming_covariance", x, x)) == pytest.approx(np.cov(x.astype(float)))
    assert float(value("streaming_pearson_correlation", x, -x)) == pytest.approx(-1)


def test_the_update_of_mean_iou_in_a_graph_is_the_confusion_matrix():
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        _, update = slim.metrics.streaming_mean_iou(tf.constant([0, 1]), tf.constant([0, 0]), 2)
        session.run(tf.compat.v1.local_variables_initializer())
        np.testing.assert_array_equal(session.run(update), [[1, 1], [0, 0]])


BAD = [
    ("streaming_mean", ([1.0, NAN],), {}, "values must be finite"),
    ("streaming_mean", ([1.0],), {"weights": [-2.0]}, "weights must not be negative.* -2"),
    ("streaming_mean_squared_error", ([NAN], [1.0]), {}, "predictions must be finite"),
    ("streaming_auc", ([1.5], [1]), {}, "predictions must lie in 0.0 to 1.0 .*1.5"),
    ("streaming_auc", ([NAN], [1]), {}, "predictions must be finite"),
    ("streaming_auc", ([0.5], [3]), {}, "labels must lie in 0 to 1 .*3"),
    ("streaming_recall_at_thresholds", ([NAN], [1], [0.5]), {}, "predictions must be finite"),
    ("streaming_mean_iou", ([0], [7], 3), {}, "labels must lie in 0 to 2 .*7"),
    ("streaming_confusion_matrix", ([-1], [0], 3), {}, "predictions must lie in 0 to 2 .*-1"),
    ("streaming_top_k_accuracy", ([[0.1, 0.9]], [2], 1), {}, "labels must lie in 0 to 1 .*2"),
]


@pytest.mark.parametrize("metric, args, options, said", BAD)
def test_bad_values_are_named_while_checks_are_on(metric, args, options, said):
    with slim.debug_checks(), pytest.raises(InputError, match=rf"^{metric} .*{said}"):
        value(metric, *args, **options)
    with slim.debug_checks(), tf.Graph().as_default(), tf.compat.v1.Session() as session:
        tensors = [tf.constant(a) if isinstance(a, list) else a for a in args]
        _, update = getattr(slim.metrics, metric)(*tensors, **options)
        session.run(tf.compat.v1.local_variables_initializer())
        with pytest.raises(tf.errors.InvalidArgumentError):
            session.run(update)


def test_labels_of_weight_zero_may_be_out_of_range_while_checks_are_on():
    with slim.debug_checks():
        assert float(value("streaming_mean_iou", [0, 1], [0, 255], 2, weights=[1.0, 0.0])) == 1.0


@pytest.mark.parametrize(
    "metric, args, options, said",
    [
        ("streaming_auc", ([0.5], [1]), {"curve": "DET"}, "curve='DET'"),
        ("streaming_auc", ([0.5], [1]), {"num_thresholds": 1}, "num_thresholds=1"),
        ("streaming_recall_at_thresholds", ([0.5], [1], []), {}, r"thresholds=\[\]"),
        ("streaming_sensitivity_at_specificity", ([0.5], [1], 1.5), {}, "specificity=1.5"),
        ("auc_with_confidence_intervals", ([1], [0.5]), {"alpha": 1.0}, "alpha=1.0"),
        ("streaming_confusion_matrix", ([0], [0], 0), {}, "num_classes=0"),
        ("streaming_f1_score", ([0], [0], 2), {"average": "samples"}, "'samples'"),
        ("streaming_top_k_accuracy", ([[0.5]], [0], 0), {}, "k=0"),
        ("streaming_expected_calibration_error", ([0.5], [1], 0), {}, "num_bins=0"),
        ("streaming_concat", ([0.5],), {"max_size": -1}, "max_size=-1"),
    ],
)
def test_arguments_out_of_range_are_named(metric, args, options, said):
    with pytest.raises(InputError, match=rf"^{metric} .*{said}"):
        value(metric, *args, **options)


def test_shapes_that_only_some_metrics_refuse_are_named():
    with pytest.raises(ShapeError, match=r"best 3 .*\(1, 2\)"):
        value("streaming_sparse_recall_at_k", [[0.1, 0.2]], [[1]], 3)
    with pytest.raises(ShapeError, match=r"axis 1.* \(2,\)"):
        value("streaming_concat", [1.0, 2.0], axis=1)
    with pytest.raises(ShapeError, match=r"dim=2 .*\(1, 2\)"):
        value("streaming_mean_cosine_distance", [[1.0, 2.0]], [[1.0, 2.0]], 2)
    unknown = tf.function(lambda x: slim.Module(slim.metrics.streaming_mean_tensor)(x)[0])
    with pytest.raises(ShapeError, match=r"fully defined.*\(None,\)"):
        unknown.get_concrete_function(tf.TensorSpec([None]))
