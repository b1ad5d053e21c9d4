"""Two replicas do what one device does with the whole batch, whatever each of them gets of it."""

import numpy as np
import pytest
import tensorflow as tf

import slimcore as slim
from slimcore.errors import RunError

v1 = tf.compat.v1
CLASS_WEIGHTS = np.float32([0, 2, 0.5])


@pytest.fixture(scope="module")
def both():
    assert len(tf.config.list_logical_devices("CPU")) == 2
    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"], tf.distribute.ReductionToOneDevice())


def network(x):
    return slim.fully_connected(
        x,
        3,
        activation_fn=None,
        weights_initializer=v1.ones_initializer(),
        weights_regularizer=slim.l2_regularizer(0.1),
    )


def unweighted(logits, labels):
    slim.losses.sparse_softmax_cross_entropy(logits, labels)
    return slim.losses.get_total_loss()


def weighted(logits, labels):
    weights = tf.gather(CLASS_WEIGHTS, labels)
    slim.losses.sparse_softmax_cross_entropy(logits, labels, weights=weights)
    return slim.losses.get_total_loss()


def of_two_losses(logits, labels):
    slim.losses.mean_squared_error(logits, tf.one_hot(labels, 3), weights=CLASS_WEIGHTS[None])
    return weighted(logits, labels)


def plain_mean(logits, labels):
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))


def run_on(strategy, logdir, followed, loss, examples, batch_size, **options):
    """Returns the loss of each step and the weights at the end."""
    draws = np.random.RandomState(0)
    x, y = draws.randn(examples, 4).astype("f"), draws.randint(0, 3, examples)
    with strategy.scope():
        model = slim.Module(network)
        train_op = slim.learning.create_train_op(
            lambda batch: loss(model(batch[0]), batch[1]), tf.keras.optimizers.SGD(0.05), **options
        )
        slim.learning.train(
            train_op,
            str(logdir),
            dataset=tf.data.Dataset.from_tensor_slices((x, y)).batch(batch_size),
            log_every_n_steps=1,
            followers=[followed],
        )
    losses = [scalars["loss"] for _, scalars in followed.of("scalars")]
    return losses, {n: np.asarray(v) for n, v in model.named_variables.items()}


@pytest.mark.parametrize("examples, batch_size", [(25, 25), (30, 25), (5, 4), (10, 3)])
@pytest.mark.parametrize("loss", [unweighted, weighted, of_two_losses, plain_mean])
def test_losses_and_weights_equal_those_of_one_device(tmp_path, both, loss, examples, batch_size):
    one_device, found = tf.distribute.get_strategy(), []
    for strategy, name in ((one_device, "one"), (both, "two")):
        followed = Losses()
        found.append(run_on(strategy, tmp_path / name, followed, loss, examples, batch_size))
    (one, weights), (two, mirrored) = found
    assert len(one) >= -(-examples // batch_size)
    np.testing.assert_allclose(two, one, atol=1e-6, rtol=0)
    for name, value in weights.items():
        np.testing.assert_allclose(mirrored[name], value, atol=1e-6, rtol=0, err_msg=name)


class Losses:
    def __init__(self):
        self.scalars = []

    @slim.hookimpl
    def slim_scalars_logged(self, step, scalars):
        self.scalars.append((step, scalars))

    def of(self, kind):
        return self.scalars


@pytest.mark.parametrize("options", [{}, {"clip_gradient_norm": 0.1}, {"non_finite": "skip"}])
def test_an_empty_replica_leaves_statistics_finite_and_the_weights_those_of_the_others(
    tmp_path, both, options
):
    x = np.random.RandomState(0).normal(3, 2, [5, 4]).astype("f")

    def normalized(inputs):
        net = slim.batch_norm(inputs, decay=0.5, is_training=True)
        return slim.fully_connected(net, 1, activation_fn=None)

    with both.scope():
        model = slim.Module(normalized)
        train_op = slim.learning.create_train_op(
            lambda batch: tf.reduce_mean((model(batch) - 1) ** 2),
            tf.keras.optimizers.SGD(0.1),
            **options,
        )
        slim.learning.train(
            train_op,
            str(tmp_path),
            dataset=tf.data.Dataset.from_tensor_slices(x).batch(4),
            followers=[],
        )
    assert int(train_op.global_step.numpy()) == 2
    assert int(train_op.examples.numpy()) == 5
    assert int(train_op.skipped.numpy()) == 0
    reader = tf.train.load_checkpoint(str(tmp_path / "model.ckpt-2"))
    names = reader.get_variable_to_shape_map()
    assert "BatchNorm/moving_variance" in names
    for name in model.named_variables:
        assert np.isfinite(reader.get_tensor(name)).all(), name
    # The second batch has one example: one replica's mean moves twice, the other's once.
    first, second = (x[:2].mean(0) * 0.5, x[2:4].mean(0) * 0.5)
    if options.get("non_finite") == "skip":
        first = second = (first + second) / 2  # what may be put back is read as one
    first = first * 0.5 + x[4] * 0.5
    np.testing.assert_allclose(
        reader.get_tensor("BatchNorm/moving_mean"), (first + second) / 2, rtol=1e-5
    )


@pytest.mark.parametrize("bad", [np.inf, -np.inf, np.nan])
def test_statistics_that_are_not_finite_are_caught_before_they_are_saved(tmp_path, bad):
    def network(x):
        mean = slim.model_variable("layer/mean", [2], trainable=False)
        mean.assign(tf.reduce_mean(x, 0))
        weights = slim.model_variable("layer/w", [2], initializer=v1.ones_initializer())
        return tf.reduce_sum(tf.where(tf.math.is_finite(x), x, 0) * weights)

    rows = np.ones([6, 4, 2], "f")
    rows[4, 0, 1] = bad
    train_op = slim.learning.create_train_op(slim.Module(network), tf.keras.optimizers.SGD(0.1))
    with pytest.raises(RunError, match=r"layer/mean became infinite or NaN at step 5; .*ckpt-4\."):
        slim.learning.train(
            train_op,
            str(tmp_path),
            dataset=tf.data.Dataset.from_tensor_slices(rows),
            save_interval_steps=1,
            followers=[],
        )
    assert not (tmp_path / "model.ckpt-5.index").exists()
