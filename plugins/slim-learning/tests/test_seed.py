"""The snippets of tf-slim's documentation on training and evaluation, as they are written there.

Changed are the imports, the inputs, which are small, and what stands there as `...`; where a
snippet names something that never was in tf-slim, a comment says what is used in its place.
"""

import math

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import slimcore as slim

vgg = slim.nets.vgg

CLASSES = 3


@pytest.fixture(autouse=True)
def graph():
    with tf.Graph().as_default() as graph:
        tf.set_random_seed(1)
        yield graph


def load_data(batch_size=8, size=8, classes=CLASSES, count=None):
    """Returns images whose brightness tells their class, and the classes; `count` batches."""
    random = np.random.RandomState(0)
    labels = random.randint(0, classes, batch_size)
    images = random.rand(batch_size, size, size, 3) + labels[:, None, None, None]
    data = tf.data.Dataset.from_tensors((images.astype("float32"), labels)).repeat(count)
    return tf.data.make_one_shot_iterator(data).get_next()


def my_model(images, num_classes=CLASSES):
    net = slim.conv2d(images, 4, [3, 3], scope="conv1")
    net = slim.flatten(slim.max_pool2d(net, [4, 4], scope="pool1"))
    return slim.fully_connected(net, num_classes, activation_fn=None, scope="fc2")


def accuracy_of(logdir, num_classes=CLASSES):
    """Returns the accuracy of the newest checkpoint of `my_model` on the data."""
    with tf.Graph().as_default():
        images, labels = load_data(classes=num_classes)
        correct = tf.equal(tf.argmax(my_model(images, num_classes), 1), labels)
        with tf.Session() as sess:
            tf.train.Saver().restore(sess, tf.train.latest_checkpoint(logdir))
            return sess.run(tf.reduce_mean(tf.cast(correct, tf.float32)))


def test_training_loop(tmp_path):
    logdir, learning_rate = str(tmp_path), 0.1

    g = tf.Graph()
    with g.as_default():
        # Create the model and specify the losses...
        images, labels = load_data()
        slim.losses.softmax_cross_entropy(my_model(images), slim.one_hot_encoding(labels, CLASSES))

        total_loss = slim.losses.get_total_loss()
        optimizer = tf.train.GradientDescentOptimizer(learning_rate)

        # create_train_op ensures that each time we ask for the loss, the update_ops
        # are run and the gradients being computed are applied too.
        train_op = slim.learning.create_train_op(total_loss, optimizer)

        loss = slim.learning.train(
            train_op,
            logdir,
            number_of_steps=1000,
            save_summaries_secs=300,
            save_interval_secs=600,
        )
    assert loss < 0.1
    assert accuracy_of(logdir) == 1.0
    assert tf.train.latest_checkpoint(logdir).endswith("model.ckpt-1000")


@pytest.mark.slow
def test_training_the_vgg16_model_and_fine_tuning_it(tmp_path):
    train_log_dir = str(tmp_path / "imagenet" / "vgg")
    if not tf.gfile.Exists(train_log_dir):
        tf.gfile.MakeDirs(train_log_dir)

    with tf.Graph().as_default():
        # Set up the data loading: two batches to learn from, and one for the summaries.
        images, labels = load_data(2, 32, 1000, count=3)
        labels = slim.one_hot_encoding(labels, 1000)

        # Define the model: for pictures of less than 224, vgg_16 wants its padding said.
        predictions, _ = vgg.vgg_16(images, is_training=True, fc_conv_padding="SAME")

        # Specify the loss function:
        slim.losses.softmax_cross_entropy(predictions, labels)

        total_loss = slim.losses.get_total_loss()
        tf.summary.scalar("losses/total_loss", total_loss)

        # Specify the optimization scheme:
        optimizer = tf.train.GradientDescentOptimizer(learning_rate=0.001)

        # create_train_op that ensures that when we evaluate it to get the loss,
        # the update_ops are done and the gradient updates are computed.
        train_tensor = slim.learning.create_train_op(total_loss, optimizer)

        # Actually runs training.
        loss = slim.learning.train(train_tensor, train_log_dir)
    assert np.isfinite(loss)
    model_path = f"{train_log_dir}/model.ckpt-2"
    assert tf.train.latest_checkpoint(train_log_dir) == model_path

    with tf.Graph().as_default():
        # Load the Pascal VOC data
        images, labels = load_data(2, 32, 20, count=1)

        # Create the model
        predictions, _ = vgg.vgg_16(images, num_classes=20, fc_conv_padding="SAME")
        slim.losses.softmax_cross_entropy(predictions, slim.one_hot_encoding(labels, 20))
        train_op = slim.learning.create_train_op(
            slim.losses.get_total_loss(), tf.train.GradientDescentOptimizer(0.0)
        )

        # Specify where the new model will live:
        log_dir = str(tmp_path / "pascal")

        # Restore only the convolutional layers; their names begin with that of the network.
        variables_to_restore = slim.get_variables_to_restore(
            exclude=["vgg_16/fc6", "vgg_16/fc7", "vgg_16/fc8", "global_step"]
        )
        init_fn = slim.assign_from_checkpoint_fn(model_path, variables_to_restore)

        # Start training.
        slim.learning.train(train_op, log_dir, init_fn=init_fn)
    before, after = tf.train.load_checkpoint(model_path), tf.train.load_checkpoint(log_dir)
    for name, is_kept in [("vgg_16/conv3/conv3_1/weights", True), ("vgg_16/fc7/weights", False)]:
        assert np.array_equal(before.get_tensor(name), after.get_tensor(name)) == is_kept


def test_partially_restoring_models(tmp_path):
    checkpoint = str(tmp_path / "model.ckpt")

    # Create some variables.
    v1 = slim.variable(name="v1", shape=[2], initializer=tf.ones_initializer())
    v2 = slim.variable(name="nested/v2", shape=[2], initializer=tf.ones_initializer())
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        tf.train.Saver().save(sess, checkpoint)

    # Get list of variables to restore (which contains only 'v2'). These are all
    # equivalent methods:
    for variables_to_restore in [
        slim.get_variables_by_name("v2"),
        slim.get_variables_by_suffix("2"),
        slim.get_variables(scope="nested"),
        slim.get_variables_to_restore(include=["nested"]),
        slim.get_variables_to_restore(exclude=["v1"]),
    ]:
        assert variables_to_restore == [v2]

        # Create the saver which will be used to restore the variables.
        restorer = tf.train.Saver(variables_to_restore)

        with tf.Session() as sess:
            # Restore variables from disk.
            restorer.restore(sess, checkpoint)
            # Do some work with the model
            assert sess.run(tf.report_uninitialized_variables()).tolist() == [b"v1"]
            np.testing.assert_array_equal(sess.run(v2), [1.0, 1.0])
    del v1


def under_a_scope(var):
    return "vgg16/" + var.op.name


def with_other_ends(var):
    if "weights" in var.op.name:
        return var.op.name.replace("weights", "params1")
    if "bias" in var.op.name:
        return var.op.name.replace("bias", "params2")
    return None


@pytest.mark.parametrize("name_in_checkpoint", [under_a_scope, with_other_ends])
def test_restoring_models_with_different_variable_names(tmp_path, name_in_checkpoint):
    checkpoint = str(tmp_path / "model.ckpt")
    value = np.float32([[1.0, 2.0], [3.0, 4.0]])
    with tf.variable_scope("conv1"):
        slim.model_variable("weights", [2, 2])
        slim.model_variable("bias", [2, 2])
    names = [name_in_checkpoint(var) for var in slim.get_model_variables()]
    with tf.Graph().as_default(), tf.Session() as sess:
        for i, name in enumerate(names):
            tf.get_variable(name, initializer=value * i)
        sess.run(tf.global_variables_initializer())
        tf.train.Saver().save(sess, checkpoint)

    variables_to_restore = slim.get_model_variables()
    variables_to_restore = {name_in_checkpoint(var): var for var in variables_to_restore}
    restorer = tf.train.Saver(variables_to_restore)

    with tf.Session() as sess:
        # Restore variables from disk.
        restorer.restore(sess, checkpoint)
        weights, bias = sess.run(slim.get_model_variables())
    np.testing.assert_array_equal(weights, value * 0)
    np.testing.assert_array_equal(bias, value)


def test_fine_tuning_a_model_on_a_different_task(tmp_path):
    with tf.Graph().as_default():
        images, labels = load_data()
        slim.losses.softmax_cross_entropy(my_model(images), slim.one_hot_encoding(labels, CLASSES))
        train_op = slim.learning.create_train_op(
            slim.losses.get_total_loss(), tf.train.GradientDescentOptimizer(0.1)
        )
        slim.learning.train(train_op, str(tmp_path / "first"), number_of_steps=50)

    # Load the Pascal VOC data
    image, label = (tensor[0] for tensor in load_data(classes=5))
    images, labels = tf.train.batch([image, label], batch_size=32)

    # Create the model
    predictions = my_model(images, num_classes=5)
    slim.losses.softmax_cross_entropy(predictions, slim.one_hot_encoding(labels, 5))

    train_op = slim.learning.create_train_op(
        slim.losses.get_total_loss(), tf.train.GradientDescentOptimizer(0.0)
    )

    # Specify where the Model, trained on ImageNet, was saved.
    model_path = f"{tmp_path}/first/model.ckpt-50"

    # Specify where the new model will live:
    log_dir = str(tmp_path / "second")

    # Restore only the convolutional layers:
    variables_to_restore = slim.get_variables_to_restore(exclude=["fc2", "global_step"])
    init_fn = slim.assign_from_checkpoint_fn(model_path, variables_to_restore)

    # Start training.
    slim.learning.train(train_op, log_dir, number_of_steps=2, init_fn=init_fn)

    first, second = tf.train.load_checkpoint(model_path), tf.train.load_checkpoint(log_dir)
    kept = "conv1/weights"
    np.testing.assert_array_equal(second.get_tensor(kept), first.get_tensor(kept))
    assert second.get_tensor("fc2/biases").shape == (5,)


def test_metrics():
    labels = tf.constant([[1.0], [2.0], [4.0]])
    predictions = tf.constant([[1.0], [3.0], [2.0]])
    mean_relative_errors = tf.constant([0.0, 0.5, 0.5])

    mae_value_op, mae_update_op = slim.metrics.streaming_mean_absolute_error(predictions, labels)
    mre_value_op, mre_update_op = slim.metrics.streaming_mean_relative_error(
        predictions, labels, normalizer=labels
    )
    pl_value_op, pl_update_op = slim.metrics.percentage_less(mean_relative_errors, 0.3)

    # Aggregates the value and update ops in two lists:
    value_ops, update_ops = slim.metrics.aggregate_metrics(
        slim.metrics.streaming_mean_absolute_error(predictions, labels),
        slim.metrics.streaming_mean_squared_error(predictions, labels),
    )

    # Aggregates the value and update ops in two dictionaries:
    names_to_values, names_to_updates = slim.metrics.aggregate_metric_map(
        {
            "eval/mean_absolute_error": slim.metrics.streaming_mean_absolute_error(
                predictions, labels
            ),
            "eval/mean_squared_error": slim.metrics.streaming_mean_squared_error(
                predictions, labels
            ),
        }
    )
    with tf.Session() as sess:
        sess.run(tf.local_variables_initializer())
        for _ in range(2):
            sess.run([mae_update_op, mre_update_op, pl_update_op, update_ops, names_to_updates])
        found = sess.run([mae_value_op, mre_value_op, pl_value_op])
        np.testing.assert_allclose(found, [1.0, 1 / 3, 1 / 3], rtol=1e-6)
        np.testing.assert_allclose(sess.run(value_ops), [1.0, 5 / 3], rtol=1e-6)
        by_name = sess.run(names_to_values)
    np.testing.assert_allclose(by_name["eval/mean_squared_error"], 5 / 3, rtol=1e-6)


def several_metrics(predictions, labels, capsys, num_batches):
    # Choose the metrics to compute:
    names_to_values, names_to_updates = slim.metrics.aggregate_metric_map(
        {
            "eval/mean_absolute_error": slim.metrics.streaming_mean_absolute_error(
                predictions, labels
            ),
            "eval/mean_squared_error": slim.metrics.streaming_mean_squared_error(
                predictions, labels
            ),
        }
    )

    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        sess.run(tf.local_variables_initializer())

        for _ in range(num_batches):
            # Python 3 has no list of a dict's values.
            sess.run(list(names_to_updates.values()))

        metric_values = sess.run(list(names_to_values.values()))
        for metric, value in zip(names_to_values.keys(), metric_values, strict=True):
            print("Metric %s has value: %f" % (metric, value))  # noqa: UP031
        errors = sess.run(predictions - labels)
    printed = [line.split(" has value: ") for line in capsys.readouterr().out.splitlines()]
    # The metrics and NumPy add up in different orders.
    assert {name: float(value) for name, value in printed} == {
        "Metric eval/mean_absolute_error": pytest.approx(np.abs(errors).mean(), rel=1e-5),
        "Metric eval/mean_squared_error": pytest.approx(np.square(errors).mean(), rel=1e-5),
    }


def test_tracking_multiple_metrics(capsys):
    images, labels = load_data()
    predictions = my_model(images)
    several_metrics(predictions, slim.one_hot_encoding(labels, CLASSES), capsys, num_batches=1000)


@pytest.mark.slow
def test_tracking_multiple_metrics_of_vgg16(capsys):
    images, labels = load_data(2, 32)
    # Define the network
    predictions, _ = vgg.vgg_16(
        images, num_classes=CLASSES, is_training=False, fc_conv_padding="SAME"
    )
    several_metrics(predictions, slim.one_hot_encoding(labels, CLASSES), capsys, num_batches=2)


def test_evaluation_loop(tmp_path, capfd):
    checkpoint_dir, log_dir = str(tmp_path / "run"), str(tmp_path / "eval")
    with tf.Graph().as_default():
        images, labels = load_data()
        slim.losses.softmax_cross_entropy(my_model(images), slim.one_hot_encoding(labels, CLASSES))
        train_op = slim.learning.create_train_op(
            slim.losses.get_total_loss(), tf.train.GradientDescentOptimizer(0.1)
        )
        slim.learning.train(train_op, checkpoint_dir, number_of_steps=200)

    # Load the data
    images, labels = load_data()

    # Define the network
    predictions = tf.argmax(my_model(images), 1)
    mean_relative_errors = tf.constant([0.1, 0.6])

    # Choose the metrics to compute; the third is a share of what is below a threshold.
    names_to_values, names_to_updates = slim.metrics.aggregate_metric_map(
        {
            "accuracy": slim.metrics.accuracy(predictions, labels),
            "precision": slim.metrics.precision(tf.equal(predictions, 1), tf.equal(labels, 1)),
            "recall": slim.metrics.percentage_less(mean_relative_errors, 0.3),
        }
    )

    # Create the summary ops such that they also print out to std output:
    summary_ops = []
    for metric_name, metric_value in names_to_values.items():
        op = tf.summary.scalar(metric_name, metric_value)
        op = tf.Print(op, [metric_value], metric_name)
        summary_ops.append(op)

    num_examples = 100
    batch_size = 8
    num_batches = math.ceil(num_examples / float(batch_size))

    # Setup the global step.
    slim.get_or_create_global_step()

    eval_interval_secs = 1  # How often to run the evaluation.
    slim.evaluation.evaluation_loop(
        "local",
        checkpoint_dir,
        log_dir,
        num_evals=num_batches,
        eval_op=names_to_updates.values(),
        summary_op=tf.summary.merge(summary_ops),
        eval_interval_secs=eval_interval_secs,
    )

    # TensorFlow numbers a summary that has the name of a metric: accuracy_1.
    found = {
        (event.step, value.tag.partition("_")[0]): value.simple_value
        for path in (tmp_path / "eval").glob("events*")
        for event in tf.train.summary_iterator(str(path))
        for value in event.summary.value
    }
    assert {step for step, _ in found} == {0, 200}
    assert found[200, "accuracy"] == found[200, "precision"] == 1.0
    assert found[200, "recall"] == 0.5
    assert "accuracy[1]" in capfd.readouterr().err
