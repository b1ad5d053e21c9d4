"""Where metrics keep their state, and how their values are collected and read."""

import numpy as np
import pytest
import tensorflow as tf

import slimcore as slim
from slimcore.errors import InputError, NoModuleError

v1 = tf.compat.v1


def test_the_update_in_a_graph_returns_the_new_value_and_the_value_stays_as_it_is():
    with tf.Graph().as_default(), v1.Session() as session:
        value, update = slim.metrics.streaming_mean(tf.constant([1.0, 3.0]))
        session.run(v1.local_variables_initializer())
        assert session.run(update) == 2.0
        assert session.run([value, value]) == [2.0, 2.0]


def test_the_state_is_in_the_local_and_the_metric_variables_and_in_no_others():
    with tf.Graph().as_default():
        slim.metrics.streaming_mean(tf.constant(1.0), name="loss")
        names = [v.op.name for v in v1.local_variables()]
        assert names == ["loss/total", "loss/count"]
        assert v1.get_collection(v1.GraphKeys.METRIC_VARIABLES) == v1.local_variables()
        assert v1.global_variables() == []
    module = slim.Module(lambda: slim.metrics.streaming_mean(1.0, name="loss"))
    module()
    assert list(module.store.get_collection(v1.GraphKeys.LOCAL_VARIABLES)) == names
    assert module.named_variables == {}  # so that no checkpoint keeps them


def test_values_and_updates_go_into_the_collections_given():
    with tf.Graph().as_default():
        result = slim.metrics.streaming_mean(
            tf.constant(1.0), metrics_collections=["values"], updates_collections="updates"
        )
        assert (*v1.get_collection("values"), *v1.get_collection("updates")) == result
        assert [t.op.name for t in result] == ["mean/value", "mean/update_op"]
    module = slim.Module(
        lambda: slim.metrics.streaming_mean(1.0, metrics_collections="v", updates_collections="u")
    )
    value, update = module()
    assert module.collections.get("v") == [value]
    assert module.collections.get("u") == [update]


def two_in_one_scope(values):
    means = []
    for _ in range(2):
        with v1.variable_scope("again"):
            means.append(slim.metrics.streaming_mean(values, name="mean"))
    return slim.metrics.aggregate_metrics(*means)


def test_two_metrics_of_one_name_do_not_share_their_state():
    module = slim.Module(two_in_one_scope)
    module(tf.constant([1.0]))
    values, _ = module(tf.constant([2.0]))
    assert [float(v) for v in values] == [1.5, 1.5]
    assert [float(v) for v in module.variables] == [3.0, 2.0, 3.0, 2.0]
    with tf.Graph().as_default(), v1.Session() as session:
        values, updates = two_in_one_scope(tf.constant([1.0]))
        session.run(v1.local_variables_initializer())
        session.run(updates)
        assert session.run(v1.local_variables()) == [1.0, 1.0, 1.0, 1.0]


def test_metrics_can_be_made_in_a_scope_that_reuses_variables():
    with tf.Graph().as_default(), v1.variable_scope("model", reuse=True):
        slim.metrics.streaming_mean(tf.constant(1.0))
        assert len(v1.local_variables()) == 2


def test_a_module_called_twice_in_another_adds_up():
    mean = slim.Module(lambda x: slim.metrics.streaming_mean(x)[0])
    outer = slim.Module(lambda: [mean(1.0), mean(3.0)])
    assert [float(v) for v in outer()] == [1.0, 2.0]


def test_without_a_graph_or_a_module_the_error_shows_how_to_make_one():
    with pytest.raises(NoModuleError, match=r"'mean'.*slim\.Module"):
        slim.metrics.streaming_mean(1.0)


def test_counts_stay_exact_beyond_what_float32_can_count():
    module = slim.Module(lambda values: slim.metrics.streaming_mean(values))
    module(tf.constant([0.0]))
    total, count = module.variables
    total.assign(2.0**24)
    count.assign(2.0**24)
    module(tf.constant([1.0]))
    assert total.numpy() == count.numpy() == 2.0**24 + 1


def test_a_map_of_metrics_gives_dicts_of_values_and_updates_in_order():
    with tf.Graph().as_default():
        pairs = {
            "b/accuracy": slim.metrics.streaming_accuracy(tf.constant([1]), tf.constant([1])),
            "a/mean": slim.metrics.streaming_mean(tf.constant(1.0)),
        }
        values, updates = slim.metrics.aggregate_metric_map(pairs)
        assert list(values.items()) == [(name, value) for name, (value, _) in pairs.items()]
        assert list(updates.items()) == [(name, update) for name, (_, update) in pairs.items()]


def test_a_single_tensor_in_a_map_is_averaged_over_batches():
    module = slim.Module(
        lambda p: slim.metrics.aggregate_metric_map({"a": slim.metrics.accuracy(p, [1, 1])})[0]
    )
    module(tf.constant([1, 1]))
    assert float(module(tf.constant([0, 1]))["a"]) == 0.75
    assert {n: float(v) for n, v in slim.metrics.current_values(module).items()} == {"a": 0.75}


@pytest.mark.parametrize("given", [(), (1.0,)])
def test_what_is_no_metric_is_refused(given):
    with pytest.raises(InputError, match="aggregate_metrics"):
        slim.metrics.aggregate_metrics(*given)
    with pytest.raises(InputError, match="'x' is str"):
        slim.metrics.aggregate_metric_map({"x": "mean"})


def test_current_values_are_read_without_an_update_under_the_names_of_the_map():
    def metrics(values):
        slim.metrics.count(values)
        return slim.metrics.aggregate_metric_map({"m": slim.metrics.streaming_mean(values)})[0]

    module = slim.Module(metrics)
    tf.function(module)(tf.constant([1.0, 2.0]))
    for _ in range(2):
        current = slim.metrics.current_values(module)
        assert {name: float(v) for name, v in current.items()} == {"count": 2.0, "m": 1.5}


def test_accuracy_of_one_batch_keeps_no_state():
    predictions, labels = tf.constant([1, 2, 3, 4]), tf.constant([1, 2, 3, 0])
    assert float(slim.metrics.accuracy(predictions, labels)) == 0.75
    assert float(slim.metrics.accuracy(predictions, labels, weights=[0.0, 0.0, 1.0, 3.0])) == 0.25
    assert np.isnan(slim.metrics.accuracy(predictions, labels, weights=0.0))
    assert float(slim.metrics.accuracy(tf.constant(["a", "b"]), tf.constant(["a", "c"]))) == 0.5


def test_a_last_dimension_of_one_and_ranks_known_only_later_are_matched():
    signature = [tf.TensorSpec(None, tf.int32)] * 2
    module = slim.Module(lambda p, t: slim.metrics.streaming_accuracy(p, t)[0])
    call = tf.function(module, input_signature=signature)
    assert float(call(tf.constant([[1], [2]]), tf.constant([1, 3]))) == 0.5
    assert float(call(tf.constant([1, 2]), tf.constant([[1], [2]]))) == 0.75


def test_an_input_that_ends_adds_nothing_to_any_sum():
    with tf.Graph().as_default(), v1.Session() as session:
        data = tf.data.Dataset.from_tensor_slices([4.0, 6.0])
        batch = v1.data.make_one_shot_iterator(data).get_next()
        value, update = slim.metrics.streaming_mean(batch)
        session.run(v1.local_variables_initializer())
        for _ in range(2):
            session.run(update)
        with pytest.raises(tf.errors.OutOfRangeError):
            session.run(update)
        assert session.run(value) == 5.0
