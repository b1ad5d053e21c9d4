"""A convolution with batch normalization on two logical CPU devices."""

import numpy as np
import pytest
import tensorflow as tf

import slimcore as slim

IMAGES = np.random.default_rng(0).standard_normal([8, 6, 6, 2]).astype("f")
LABELS = np.arange(8) % 2


def net(images):
    norm = {"decay": 0.5}
    x = slim.conv2d(images, 4, 3, normalizer_fn=slim.batch_norm, normalizer_params=norm)
    return slim.fully_connected(slim.flatten(x), 2, activation_fn=None)


@pytest.fixture
def strategy():
    return tf.distribute.MirroredStrategy(["cpu:0", "cpu:1"], tf.distribute.ReductionToOneDevice())


def stepper(model, optimizer):
    def step(images, labels):
        with tf.GradientTape() as tape:
            logits = model(images)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
            loss = tf.reduce_sum(losses) / len(LABELS)
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))

    return step


def started(model, weights):
    """Makes the variables, and gives them the weights."""
    model(IMAGES[:2])
    for name, value in weights.items():
        model.named_variables[name].assign(value)
    optimizer = tf.keras.optimizers.SGD(0.1)
    optimizer.build(model.trainable_variables)
    return optimizer


def statistics_of(images, weights):
    """Returns the mean of the convolution's outputs, by channel."""
    outputs = tf.nn.conv2d(images, weights["Conv/weights"], 1, "SAME")
    return tf.reduce_mean(outputs, [0, 1, 2]).numpy()


def test_a_step_on_two_devices_is_a_step_on_one_with_the_joined_batch(strategy):
    first = slim.Module(net)
    first(IMAGES[:2])
    weights = {name: v.numpy() for name, v in first.named_variables.items()}

    # Each device sees the same examples, so that the batch's statistics are the same too.
    half = IMAGES[:4], LABELS[:4]
    single = slim.Module(net)
    stepper(single, started(single, weights))(*(np.concatenate([h, h]) for h in half))

    mirrored = slim.Module(net)
    with strategy.scope():
        optimizer = started(mirrored, weights)
    step = stepper(mirrored, optimizer)
    tf.function(lambda: strategy.run(step, tuple(map(tf.constant, half))))()
    for name, variable in single.named_variables.items():
        found = tf.convert_to_tensor(mirrored.named_variables[name])
        # The averages' variance counts one example less in each half.
        tolerance = 1e-2 if "moving_variance" in name else 1e-5
        np.testing.assert_allclose(found, variable, rtol=tolerance, atol=1e-5, err_msg=name)


def test_each_device_moves_its_own_average_and_all_see_the_mean(strategy, tmp_path):
    model = slim.Module(net)
    with strategy.scope():
        model(IMAGES[:2])
        for v in model.get_variables(suffix="moving_mean"):
            v.assign(tf.zeros_like(v))
    weights = {name: tf.convert_to_tensor(v).numpy() for name, v in model.named_variables.items()}
    halves = IMAGES[:4], 3 * IMAGES[4:]

    @tf.function
    def step():
        def here():
            at = tf.distribute.get_replica_context().replica_id_in_sync_group
            return model(tf.where(at == 0, *halves))

        return strategy.run(here)

    step()
    each = [0.5 * statistics_of(half, weights) for half in halves]
    average = model.named_variables["Conv/BatchNorm/moving_mean"]
    for local, expected in zip(strategy.experimental_local_results(average), each, strict=True):
        np.testing.assert_allclose(local, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(
        tf.convert_to_tensor(average), np.mean(each, 0), rtol=1e-4, atol=1e-5
    )

    path = model.save(str(tmp_path / "model"))
    kept = tf.train.load_checkpoint(path).get_tensor("Conv/BatchNorm/moving_mean")
    np.testing.assert_allclose(kept, np.mean(each, 0), rtol=1e-4, atol=1e-5)
