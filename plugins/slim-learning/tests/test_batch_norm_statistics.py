"""Moving statistics computed anew, measured, and found at their initial values."""

import numpy as np
import pytest
import tensorflow as tf
from slim_learning.training_loop import batch_norm_statistics as statistics

import slimcore as slim

RANDOM = np.random.RandomState(0)
BATCHES = [RANDOM.normal(3, 2, [8, 5]).astype("f") * k for k in (1, 2, 5)]


def network(fused=None, decay=0.99, trainable=True):
    def build(inputs, is_training=True):
        with slim.arg_scope([slim.batch_norm], decay=decay):
            first = slim.batch_norm(
                inputs, is_training=is_training, fused=fused, trainable=trainable, scope="first"
            )
            return slim.batch_norm(first, decay=0.9, is_training=is_training, scope="second")

    model = slim.Module(build)
    model(tf.constant(BATCHES[0]), is_training=False)
    return model


@pytest.mark.parametrize("fused, ddof", [(None, 1), (False, 0)])
def test_statistics_become_the_averages_over_the_batches(fused, ddof):
    model = network(fused)
    averages = statistics.recalibrate(model, model.named_variables, map(tf.constant, BATCHES), 3)
    found = {v.name[:-2]: v.numpy() for v in model.variables}
    means = np.mean([b.mean(0) for b in BATCHES], 0)
    variances = np.mean([b.var(0, ddof=ddof) for b in BATCHES], 0)
    np.testing.assert_allclose(found["first/moving_mean"], means, rtol=1e-5)
    np.testing.assert_allclose(found["first/moving_variance"], variances, rtol=1e-5)
    np.testing.assert_array_equal(averages["first/moving_mean"], found["first/moving_mean"])
    # What the second sees has mean 0 and variance 1.
    np.testing.assert_allclose(found["second/moving_mean"], np.zeros(5), atol=1e-5)
    np.testing.assert_allclose(found["second/moving_variance"], np.full(5, 8 / 7), rtol=1e-3)


def test_statistics_of_a_frozen_layer_and_other_variables_stay():
    model = network(trainable=False)
    before = {v.name: v.numpy() for v in model.variables}
    statistics.recalibrate(model, model.named_variables, map(tf.constant, BATCHES), 2)
    for v in model.variables:
        if not v.name.startswith("second/moving"):
            np.testing.assert_array_equal(v.numpy(), before[v.name], err_msg=v.name)


def test_too_few_batches_and_a_network_without_statistics_are_errors():
    model = network()
    with pytest.raises(slim.errors.DataError, match="gave 3 batches, and 4 are"):
        statistics.recalibrate(model, model.named_variables, map(tf.constant, BATCHES), 4)
    plain = slim.Module(slim.fully_connected, num_outputs=2)
    plain(tf.constant(BATCHES[0]))
    with pytest.raises(slim.errors.InputError, match="no batch normalization"):
        statistics.recalibrate(plain, plain.named_variables, BATCHES, 1)


@pytest.mark.parametrize("fused", [None, False])
def test_decays_are_measured_and_nothing_is_changed(fused):
    model = network(fused, decay=0.997)
    before = {v.name: v.numpy() for v in model.variables}
    found = statistics.decays(model, model.named_variables, tf.constant(BATCHES[0]))
    assert found == pytest.approx(
        {
            "first/moving_mean": 0.997,
            "first/moving_variance": 0.997,
            "second/moving_mean": 0.9,
            "second/moving_variance": 0.9,
        },
        abs=1e-6,
    )
    for v in model.variables:
        np.testing.assert_array_equal(v.numpy(), before[v.name])


def test_statistics_at_their_initial_values_are_found_in_a_checkpoint(tmp_path):
    model = network(trainable=False)
    model(tf.constant(BATCHES[0]), is_training=True)
    path = model.save(str(tmp_path / "model.ckpt-1"))
    assert statistics.at_initial_values(path) == (["first"], 2)


def test_a_checkpoint_is_written_again_with_other_values_and_all_else_kept(tmp_path):
    iterator = iter(tf.data.Dataset.range(3))
    resource = tf.nest.flatten(iterator, expand_composites=True)[0]
    state = tf.raw_ops.SerializeIterator(resource_handle=resource)
    values = {"a/moving_mean": np.zeros(2, "f"), "step": np.int64(7), "data/iterator": state}
    path = slim.checkpoints.save(str(tmp_path / "model.ckpt-7"), values)
    statistics.rewrite(path, {"a/moving_mean": np.ones(2, "f")})
    reader = slim.checkpoints.load(path)
    np.testing.assert_array_equal(reader.get_tensor("a/moving_mean"), [1, 1])
    assert reader.get_tensor("step") == 7
    assert reader.has_tensor("data/iterator")
