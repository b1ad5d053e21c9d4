"""Inputs that a metric cannot count raise when its value is read, unless their weight is 0."""

import numpy as np
import pytest
import tensorflow as tf

import slimcore as slim
from slimcore.errors import InputError

v1 = tf.compat.v1
NAN, INF = float("nan"), float("inf")

SCORES = {  # metrics of scores from 0 to 1: the arguments after the scores and labels
    "streaming_auc": {},
    "streaming_curve_points": {},
    "precision_recall_at_equal_thresholds": {},
    "f1_score": {},
    "precision_at_recall": {"target_recall": 0.5},
    "recall_at_precision": {"precision": 0.5},
    "streaming_sensitivity_at_specificity": {"specificity": 0.5},
    "streaming_specificity_at_sensitivity": {"sensitivity": 0.5},
    "streaming_precision_at_thresholds": {"thresholds": [0.25, 0.5, 0.75]},
    "streaming_recall_at_thresholds": {"thresholds": [0.0, 0.5, 1.0]},
    "streaming_true_positives_at_thresholds": {"thresholds": [0.1, 0.3, 0.9]},
    "streaming_false_negative_rate_at_thresholds": {"thresholds": [0.5]},
    "streaming_expected_calibration_error": {},
}
CLASSES = ("streaming_mean_iou", "streaming_confusion_matrix", "streaming_f1_score", "cohen_kappa")


def called(name, scores, labels, **options):
    options = {**SCORES.get(name, {}), **options}
    return getattr(slim.metrics, name)(predictions=scores, labels=labels, **options)[0]


def classified(name, predictions, labels, **options):
    first = "predictions_idx" if name == "cohen_kappa" else "predictions"
    given = {first: predictions, "labels": labels, "num_classes": 3, **options}
    return getattr(slim.metrics, name)(**given)[0]


def refuses(call, *arrays, number, said):
    """Checks that reading the value raises, in eager mode, a tf.function, a graph, and again."""
    message = rf"has no value: .*{said}.* number.* {number}"
    module = slim.Module(call)
    for _ in range(2):
        module.reset_metrics()
        with pytest.raises(InputError, match=message):
            module(*arrays)
    with pytest.raises(InputError, match=message):
        slim.metrics.current_values(module)
    with pytest.raises(tf.errors.InvalidArgumentError, match="has no value"):
        tf.function(slim.Module(call))(*map(tf.constant, arrays))
    with tf.Graph().as_default(), v1.Session() as session:
        value, update = graph_pair(call, *map(tf.constant, arrays))
        session.run(v1.local_variables_initializer())
        session.run(value)
        session.run(update)
        with pytest.raises(tf.errors.InvalidArgumentError, match="has no value"):
            session.run(value)


def graph_pair(call, *tensors):
    """Returns the value, and what runs all assignments to the state."""
    value = call(*tensors)
    graph = tf.compat.v1.get_default_graph()
    assigned = [op for op in graph.get_operations() if op.type == "AssignAddVariableOp"]
    return value, assigned


@pytest.mark.parametrize("name", SCORES)
@pytest.mark.parametrize(
    "scores, number",
    [
        ([3.0, -2.0, 0.5], 2),
        ([NAN, 0.2, 0.5], 1),
        ([1.001, 0.2, -0.001], 2),
        ([INF, -INF, NAN], 3),
    ],
    ids=["logits", "NaN", "just beyond", "infinite"],
)
def test_scores_that_are_not_from_0_to_1_are_refused(name, scores, number):
    labels = [1, 0, 1]
    refuses(
        lambda s, t: called(name, s, t),
        np.float32(scores),
        labels,
        number=number,
        said="from 0 to 1",
    )


@pytest.mark.parametrize("name", SCORES)
def test_scores_from_0_to_1_pass_with_both_ends_and_so_do_others_of_weight_zero(name):
    module = slim.Module(lambda s, t, w: called(name, s, t, weights=w))
    scores, labels = np.float32([0.0, 1.0, 0.25, 0.75, -4.0, NAN]), [0, 1, 1, 0, 1, 0]
    plain = module(scores[:4], labels[:4], np.ones(4))
    module.reset_metrics()
    weighted = module(scores, labels, np.float32([1, 1, 1, 1, 0, 0]))
    for a, b in zip(tf.nest.flatten(plain), tf.nest.flatten(weighted), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.parametrize(
    "predictions, labels, number",
    [
        ([0, 1, 2], [0, 255, 2], 1),
        ([0, 3, -1], [0, 1, 2], 2),
        (np.int64([0, 1, 2]), np.int64([2**32, 2**32 + 1, 2]), 2),
        (np.float32([NAN, 1, 1e20]), np.float32([0, 1, 2]), 2),
        (np.int64([0, 1]), np.int32([0, 77]), 1),
    ],
    ids=["void label", "predictions", "beyond int32", "floats", "two types"],
)
def test_classes_out_of_range_are_refused(name, predictions, labels, number):
    refuses(
        lambda p, t: classified(name, p, t),
        np.asarray(predictions),
        np.asarray(labels),
        number=number,
        said="from 0 to 2",
    )


@pytest.mark.parametrize("name", CLASSES)
def test_classes_out_of_range_of_weight_zero_are_left_out(name):
    plain = slim.Module(classified)(name, [0, 1, 2], [0, 2, 2])
    weights = [1.0, 0.0, 1.0, 1.0]
    weighted = slim.Module(classified)(name, [0, 1, 1, 2], [0, 255, 2, 2], weights=weights)
    np.testing.assert_array_equal(plain, weighted)


def test_scores_may_be_any_number_where_a_threshold_is_and_nan_is_refused():
    def positives(scores, labels):
        return called("streaming_true_positives_at_thresholds", scores, labels, thresholds=[-2, 2])

    assert slim.Module(positives)([-INF, -2.0, 0.0, INF], [1] * 4).numpy().tolist() == [2, 1]
    refuses(positives, np.float32([NAN, 9.0]), [1, 1], number=1, said="NaN")


@pytest.mark.parametrize("name", ["streaming_dynamic_auc", "auc_with_confidence_intervals"])
def test_an_exact_area_refuses_nan(name):
    function = getattr(slim.metrics, name)
    with pytest.raises(InputError, match=f"{name} .*NaN.* number 1.0"):
        slim.Module(function)([1, 0, 1], [NAN, 0.2, 9.0])
    value, _ = slim.Module(function)([1, 0, 1], [NAN, 0.2, 9.0], weights=[0.0, 1.0, 1.0])
    assert float(tf.nest.flatten(value)[0]) == 1.0
    with tf.Graph().as_default(), v1.Session() as session:
        value, update = function(tf.constant([1, 0]), tf.constant([NAN, 0.2]))
        session.run(v1.local_variables_initializer())
        session.run(update)
        with pytest.raises(tf.errors.InvalidArgumentError, match="NaN"):
            session.run(value)


def test_histograms_refuse_nan_and_take_in_what_is_beyond_their_range():
    def area(scores, labels):
        return slim.metrics.auc_using_histogram(labels, scores, [0.0, 1.0])[0]

    assert float(slim.Module(area)([5.0, -5.0], [True, False])) == 1.0
    refuses(area, np.float32([NAN, 0.5]), [True, False], number=1, said="NaN")


def test_labels_that_are_no_classes_are_refused_by_the_calibration_error():
    probabilities = np.float32([[0.5, 0.5], [0.9, 0.1]])
    refuses(
        lambda p, t: slim.metrics.streaming_expected_calibration_error(p, t)[0],
        probabilities,
        np.array([1, 255]),
        number=1,
        said="labels are not classes",
    )


def test_what_is_out_of_range_on_any_replica_is_counted(strategy):
    with strategy.scope():
        module = slim.Module(lambda p, t: slim.metrics.streaming_mean_iou(p, t, 3)[1])

    def update(labels):
        def call():
            replica = tf.distribute.get_replica_context().replica_id_in_sync_group
            module(labels[replica], labels[replica])

        strategy.run(call)

    update(tf.constant([[0, 1], [2, 1]]))
    assert float(slim.metrics.current_values(module)["mean_iou"]) == 1.0
    with pytest.raises(InputError, match="has no value"):
        update(tf.constant([[0, 1], [-1, 7]]))
    with pytest.raises(InputError, match=r"number 2.0 by weight"):
        slim.metrics.current_values(module)
    (number,) = [v for v in module.variables if "out_of_range" in v.name]
    module.reset_metrics()
    strategy.run(lambda: number.assign_add(1.0))
    with pytest.raises(InputError, match=r"number 2.0 by weight"):
        slim.metrics.current_values(module)
