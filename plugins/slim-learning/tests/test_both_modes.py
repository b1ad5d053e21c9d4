"""The same network, data and optimizer, trained in a graph and on a function of a batch."""

import numpy as np
import pytest
import tensorflow as tf

import slimcore as slim

v1 = tf.compat.v1

STEPS = 200
RATES = {"momentum": 0.05, "adam": 0.003}


def network(images, is_training=True):
    normalizer = {"decay": 0.9, "is_training": is_training}
    with slim.arg_scope(
        [slim.conv2d, slim.fully_connected],
        weights_regularizer=slim.l2_regularizer(1e-3),
        normalizer_fn=slim.batch_norm,
        normalizer_params=normalizer,
    ):
        net = slim.conv2d(images, 4, [3, 3], scope="conv1")
        net = slim.max_pool2d(net, [2, 2], scope="pool1")
        net = slim.fully_connected(slim.flatten(net), 16, scope="fc1")
    return slim.fully_connected(net, 10, activation_fn=None, scope="logits")


def loss_of(logits, labels):
    slim.losses.softmax_cross_entropy(logits, slim.one_hot_encoding(labels, 10))
    return slim.losses.get_total_loss()


def batches():
    random = np.random.RandomState(0)
    labels = random.randint(0, 10, 320)
    images = random.randn(320, 8, 8, 1) * 0.5 + labels[:, None, None, None] / 5.0
    data = tf.data.Dataset.from_tensor_slices((images.astype("float32"), labels))
    return data.batch(16, drop_remainder=True).repeat()


def optimizer(kind):
    if kind == "adam":
        return v1.train.AdamOptimizer(RATES[kind])
    return v1.train.MomentumOptimizer(RATES[kind], 0.9)


def in_a_graph(logdir, kind, **options):
    """Trains in a graph; returns the loss of each step."""
    losses = []

    def step(*arguments):
        loss, ends = slim.learning.train_step(*arguments)
        losses.append(loss)
        return loss, ends

    with tf.Graph().as_default():
        v1.set_random_seed(3)
        images, labels = v1.data.make_one_shot_iterator(batches()).get_next()
        train_op = slim.learning.create_train_op(
            loss_of(network(images), labels), optimizer(kind), **options
        )
        slim.learning.train(train_op, logdir, train_step_fn=step, number_of_steps=STEPS)
    return losses


def on_a_function(logdir, kind, first_values, followed, **options):
    """Trains a function from the first values of a checkpoint; returns the loss of each step."""
    model = slim.Module(network)
    train_op = slim.learning.create_train_op(
        lambda batch: loss_of(model(batch[0]), batch[1]), optimizer(kind), **options
    )
    slim.learning.train(
        train_op,
        logdir,
        dataset=batches(),
        number_of_steps=STEPS,
        log_every_n_steps=1,
        init_fn=lambda: model.restore(first_values),
        followers=[followed],
    )
    return [scalars["loss"] for _, scalars in followed.of("scalars")], model


@pytest.mark.parametrize("kind", ["momentum", pytest.param("adam", marks=pytest.mark.slow)])
def test_losses_agree_at_every_step_and_weights_and_averages_at_the_end(tmp_path, followed, kind):
    options = {"clip_gradient_norm": 0.5, "gradient_multipliers": {"logits/weights": 2.0}}
    graph_dir = str(tmp_path / "graph")
    there = in_a_graph(graph_dir, kind, **options)
    first_values = f"{graph_dir}/model.ckpt-0"
    here, model = on_a_function(str(tmp_path / "run"), kind, first_values, followed, **options)
    assert len(there) == len(here) == STEPS
    assert there[-1] < 0.5 * there[0]  # so that there was something to agree on
    np.testing.assert_allclose(here, there, atol=1e-4, rtol=0)
    reader = tf.train.load_checkpoint(graph_dir)
    assert {"conv1/BatchNorm/moving_mean", "fc1/BatchNorm/moving_variance"} <= set(
        model.named_variables
    )
    for name, variable in model.named_variables.items():
        np.testing.assert_allclose(variable, reader.get_tensor(name), atol=1e-3, err_msg=name)


def test_a_run_begun_in_a_graph_is_evaluated_by_a_function(tmp_path):
    logdir = str(tmp_path)
    in_a_graph(logdir, "momentum")
    model = slim.Module(network)

    def metrics(batch):
        predictions = tf.argmax(model(batch[0], is_training=False), 1)
        return slim.metrics.aggregate_metric_map(
            {"accuracy": slim.metrics.streaming_accuracy(predictions, batch[1])}
        )

    data = batches().take(20)
    there = slim.evaluation.evaluate_once(metrics, logdir, dataset=data)
    with tf.Graph().as_default():
        images, labels = v1.data.make_one_shot_iterator(batches()).get_next()
        predictions = tf.argmax(network(images, is_training=False), 1)
        value, update = slim.metrics.streaming_accuracy(predictions, labels)
        here = slim.evaluation.evaluate_once(
            "", logdir, None, num_evals=20, eval_op=update, final_op=value
        )
    assert here > 0.5
    np.testing.assert_allclose(there["accuracy"], here, atol=1e-6)
