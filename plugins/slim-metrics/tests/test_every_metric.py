"""What holds for every metric of the table in conftest.py, beside NumPy, in a graph and in TF2."""

import numpy as np
import pytest
import slim_metrics
import tensorflow as tf

import slimcore as slim
from slimcore.errors import ShapeError


def same(actual, expected, what):
    actual, expected = (tf.nest.flatten(x) for x in (actual, expected))
    for a, e in zip(actual, expected, strict=True):
        np.testing.assert_allclose(a, e, rtol=2e-5, atol=2e-6, err_msg=what)


def test_every_metric_on_offer_is_in_the_table(table):
    offered = {c.name for c in slim.components("metric") if c.distribution == "slim-metrics"}
    assert offered == {*table, "accuracy"}  # which keeps no state


def test_the_package_offers_the_functions_of_the_namespace():
    for_authors = {"aggregation", "metric"}
    functions = {name for name in slim_metrics.__all__ if name not in for_authors}
    former = {"percentage_less", "precision", "recall"}
    assert functions == {*dir(slim.metrics)} - former
    for name in functions:
        assert getattr(slim_metrics, name) is getattr(slim.metrics, name)


def test_each_metric_equals_its_formula_over_batches(case, mode):
    metric = mode(case, False, case.batches("random", "none")[0][0])
    for scenario in case.data.scenarios:
        batches = case.batches(scenario, "none")
        same(metric.value(batches), case.expected(batches), scenario)


def test_each_metric_equals_its_formula_with_weights(weighted_case, mode):
    case = weighted_case
    metric = mode(case, True, case.batches("random", "none")[0][0])
    for scenario, weights in (("random", "random"), ("perfect", "random"), ("random", "zero")):
        if scenario in case.data.scenarios:
            batches = case.batches(scenario, weights)
            same(metric.value(batches), case.expected(batches), f"{scenario}, {weights}")


def test_the_value_before_the_first_batch_is_that_of_no_examples(case):
    example, _ = case.batches("random", "none")[0]
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        value, _ = case(*map(tf.constant, example))
        session.run(tf.compat.v1.local_variables_initializer())
        same(session.run(value), of_nothing(case), "before the first batch")


def of_nothing(case):
    if case.static:
        return np.zeros(6)
    example, _ = case.batches("random", "none")[0]
    return case.expected([(tuple(a[:0] for a in example), np.zeros(0))])


def test_replicas_together_give_the_value_of_one_device(case, strategy):
    batches = case.batches("random", "random")
    if case.static:
        rounds = [(batches[0], batches[1]), (batches[2], batches[0])]
    else:
        rounds = [
            [(tuple(a[i::2] for a in tensors), weights[i::2]) for i in range(2)]
            for tensors, weights in batches
        ]
    with strategy.scope():
        module = slim.Module(case)
    for of_replica in rounds:

        def call(of_replica=of_replica):
            replica = tf.distribute.get_replica_context().replica_id_in_sync_group
            tensors, weights = of_replica[replica]
            module(*tensors, **({"weights": weights} if case.weighted else {}))

        strategy.run(call)
    joined = slim.metrics.current_values(module)
    by_replica = [of_replica[i] for i in range(2) for of_replica in rounds]
    same(list(joined.values()), case.expected(by_replica), "both replicas")
    module.reset_metrics()
    same(list(slim.metrics.current_values(module).values()), of_nothing(case), "after a reset")


def test_wrong_shapes_are_named_with_the_metric(wrong_case):
    function = getattr(slim.metrics, wrong_case.name).__name__
    for shapes, said in wrong_case.wrong:
        given = wrong_case.batches("random", "none")[0][0]
        tensors = [tf.zeros(s, a.dtype) for s, a in zip(shapes, given, strict=True)]
        module = slim.Module(lambda *args: wrong_case(*args))
        with pytest.raises(ShapeError, match=rf"^{function} .*{said}"):
            module(*tensors)


def test_weights_of_a_wrong_shape_are_named_with_the_metric(weighted_case):
    case = weighted_case
    tensors, _ = case.batches("random", "none")[0]
    module = slim.Module(lambda *args: case(*args, weights=tf.ones([3, 5])))
    with pytest.raises(ShapeError, match=r"weights of shape \(3, 5\)"):
        module(*map(tf.constant, tensors))
