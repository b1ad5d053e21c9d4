"""A batch of no examples, such as that of an empty replica, changes no moving statistics."""

import numpy as np
import pytest
import tensorflow as tf

import slimcore as slim

OPTIONS = {
    "fused": {},
    "composed": {"fused": False},
    "renorm": {"renorm": True},
    "without the first value": {"zero_debias_moving_mean": True},
    "while a tensor says so": {"is_training": "tensor"},
}


def values(model):
    return {name: v.numpy() for name, v in model.named_variables.items()}


@pytest.mark.parametrize("batch", [[8, 3], [8, 2, 2, 3]], ids=["rank 2", "rank 4"])
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_an_empty_batch_changes_no_statistics_and_others_still_do(options, batch):
    def network(inputs, training):
        chosen = {"decay": 0.5, "is_training": True, **options}
        if chosen["is_training"] == "tensor":
            chosen["is_training"] = training
        return slim.batch_norm(inputs, **chosen)

    model = slim.Module(network)
    step = tf.function(
        model, input_signature=[tf.TensorSpec([None, *batch[1:]]), tf.TensorSpec([], tf.bool)]
    )
    batches = [np.random.RandomState(i).normal(3, 2, batch).astype("f") for i in (0, 1)]
    yes = tf.constant(True)
    for full in map(tf.constant, batches):
        before = values(model)
        assert step(full[:0], yes).shape[0] == 0
        for name, value in before.items():
            np.testing.assert_array_equal(values(model)[name], value, err_msg=name)
        step(full, yes)
        after = values(model)
        for name in ("BatchNorm/moving_mean", "BatchNorm/moving_variance"):
            assert np.isfinite(after[name]).all()
            assert not before or (after[name] != before[name]).all()


def test_statistics_of_batches_of_unknown_size_are_those_of_known_size():
    batches = [np.random.RandomState(i).normal(3, 2, [4, 5]).astype("f") for i in range(3)]
    found = []
    for spec in (tf.TensorSpec([4, 5]), tf.TensorSpec([None, 5])):
        model = slim.Module(lambda x: slim.batch_norm(x, decay=0.9, is_training=True))
        step = tf.function(model, input_signature=[spec])
        for batch in batches:
            step(batch)
        found.append(values(model))
    for name, value in found[0].items():
        np.testing.assert_allclose(found[1][name], value, rtol=1e-6, err_msg=name)


def test_an_empty_batch_in_a_graph_changes_no_statistics():
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        inputs = v1.placeholder(tf.float32, [None, 3])
        slim.batch_norm(inputs, decay=0.5, is_training=True)
        updates = v1.get_collection(v1.GraphKeys.UPDATE_OPS)
        statistics = slim.get_variables_by_name("moving_mean") + slim.get_variables_by_name(
            "moving_variance"
        )
        session.run(v1.global_variables_initializer())
        session.run(updates, {inputs: np.zeros([0, 3], "f")})
        mean, variance = session.run(statistics)
        np.testing.assert_array_equal(mean, np.zeros(3))
        np.testing.assert_array_equal(variance, np.ones(3))
