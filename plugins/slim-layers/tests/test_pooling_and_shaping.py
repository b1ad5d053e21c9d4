"""Pooling, dropout, flatten, and layers in a row, with values worked out by hand."""

import numpy as np
import pytest
import tensorflow as tf

import slimcore as slim

IMAGE = np.arange(16, dtype="f").reshape(1, 4, 4, 1)


def test_max_pooling_keeps_the_largest_of_each_window(run):
    outputs = run(lambda x: slim.max_pool2d(x, 2), IMAGE)
    np.testing.assert_array_equal(outputs[0, :, :, 0], [[5, 7], [13, 15]])


def test_average_pooling_does_not_count_padding(run):
    outputs = run(lambda x: slim.avg_pool2d(x, 3, 2, padding="SAME"), IMAGE)
    # The window at the end has two rows and two columns of the image.
    np.testing.assert_array_equal(outputs[0, :, :, 0], [[5, 6.5], [11, 12.5]])


@pytest.mark.parametrize("layer", ["max_pool2d", "avg_pool2d"])
def test_pooling_takes_channels_first_and_has_a_gradient(run, layer):
    images = np.random.default_rng(0).standard_normal([2, 4, 6, 3]).astype("f")

    def pooled(images, data_format):
        with tf.GradientTape() as tape:
            tape.watch(images)
            outputs = getattr(slim, layer)(images, [2, 3], 2, data_format=data_format)
            loss = tf.reduce_sum(outputs * outputs)
        return outputs, tape.gradient(loss, images)

    last = run(lambda x: pooled(x, "NHWC"), images)
    first = run(lambda x: pooled(x, "NCHW"), np.moveaxis(images, -1, 1))
    for a, b in zip(last, first, strict=True):
        np.testing.assert_allclose(np.moveaxis(b, 1, -1), a, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("data_format", ["NDHWC", "NCDHW"])
def test_volumes_are_pooled(run, data_format):
    volume = np.arange(64, dtype="f").reshape(1, 4, 4, 4, 1)
    volume = volume if data_format == "NDHWC" else np.moveaxis(volume, -1, 1)
    largest = run(lambda x: slim.max_pool3d(x, 2, data_format=data_format), volume)
    mean = run(lambda x: slim.avg_pool3d(x, 2, data_format=data_format), volume)
    np.testing.assert_array_equal(largest.ravel(), [21, 23, 29, 31, 53, 55, 61, 63])
    np.testing.assert_array_equal(mean.ravel(), largest.ravel() - 10.5)


def test_pool_takes_dilated_windows(run):
    outputs = run(lambda x: slim.pool(x, 2, "MAX", dilation_rate=2), IMAGE)
    np.testing.assert_array_equal(outputs[0, :, :, 0], [[10, 11], [14, 15]])
    outputs = run(lambda x: slim.pool(x, [4], "avg", stride=1), IMAGE[:, :, :, 0])
    np.testing.assert_array_equal(outputs[0, 0], [6, 7, 8, 9])


@pytest.mark.parametrize(
    "call, alias",
    [
        (lambda x: slim.max_pool2d(x, 2, outputs_collections="ends"), "MaxPool2D"),
        (lambda x: slim.avg_pool2d(x, 2, outputs_collections="ends"), "AvgPool2D"),
        (lambda x: slim.pool(x, 2, "AVG", outputs_collections="ends"), "avg_pool"),
        (lambda x: slim.dropout(x, outputs_collections="ends"), "Dropout"),
        (lambda x: slim.flatten(x, outputs_collections="ends"), "Flatten"),
    ],
)
def test_outputs_are_gathered_under_the_name_of_the_scope(run, call, alias):
    names = []

    def net(x):
        with tf.compat.v1.variable_scope("net"):
            outputs = [call(x), call(x)]
            names[:] = slim.utils.convert_collection_to_dict("ends", clear_collection=True)
            assert not slim.get_collection("ends")
        return outputs

    run(net, IMAGE)
    assert names == [f"net/{alias}", f"net/{alias}_1"]


def test_dropout_keeps_the_mean_and_about_as_many_as_asked(run):
    outputs = run(lambda x: slim.dropout(x, 0.25, seed=3), np.ones([100, 100], "f"))
    assert set(np.unique(outputs)) == {0.0, 4.0}
    assert abs(outputs.mean() - 1) < 0.1


def test_dropout_can_choose_for_whole_rows(run):
    outputs = run(lambda x: slim.dropout(x, noise_shape=[64, 1]), np.ones([64, 5], "f"))
    assert np.all(outputs == outputs[:, :1])
    assert len(np.unique(outputs)) == 2


@pytest.mark.parametrize("as_tensor", [False, True])
def test_dropout_does_nothing_in_evaluation(run, as_tensor):
    def net(x, training):
        return slim.dropout(x, is_training=training if as_tensor else False)

    inputs = np.ones([50, 50], "f")
    np.testing.assert_array_equal(run(net, inputs, np.array(False)), inputs)
    if as_tensor:
        assert np.sum(run(net, inputs, np.array(True)) == 0) > 1000


@pytest.mark.parametrize("shape, flat", [((3,), (3, 1)), ((3, 2), (3, 2)), ((3, 2, 4, 5), (3, 40))])
def test_flatten_joins_all_axes_but_the_first(run, shape, flat):
    inputs = np.arange(np.prod(shape), dtype="f").reshape(shape)
    np.testing.assert_array_equal(run(slim.flatten, inputs), inputs.reshape(flat))


def test_flatten_takes_sizes_known_at_run_time():
    spec = tf.TensorSpec([None, None, 3])
    flat = tf.function(slim.flatten, input_signature=[spec])(tf.zeros([2, 5, 3]))
    assert flat.shape == (2, 15)
    with tf.Graph().as_default():
        known = slim.flatten(tf.compat.v1.placeholder(tf.float32, [None, 4, 3]))
        assert known.shape.as_list() == [None, 12]


def names_of(model):
    return [v.name.removesuffix(":0") for v in model.get_variables(suffix="weights")]


def test_repeat_numbers_scopes_and_chains_layers():
    model = slim.Module(lambda x: slim.repeat(x, 3, slim.conv2d, 4, [3, 3], scope="conv1"))
    assert model(tf.zeros([1, 5, 5, 2])).shape == (1, 5, 5, 4)
    assert names_of(model) == [f"conv1/conv1_{i}/weights" for i in (1, 2, 3)]
    assert model.variables[2].shape == (3, 3, 4, 4)


def test_stack_gives_each_layer_arguments_of_its_own():
    def net(x):
        x = slim.stack(x, slim.conv2d, [(4, [3, 3]), (5, 1)], padding="VALID", scope="c")
        return slim.stack(slim.flatten(x), slim.fully_connected, [6, 7], scope="fc")

    model = slim.Module(net)
    assert model(tf.zeros([1, 5, 5, 2])).shape == (1, 7)
    assert names_of(model) == [f"{s}/{s}_{i}/weights" for s in ("c", "fc") for i in (1, 2)]


def test_repeat_and_stack_take_their_default_names_from_the_layer():
    def net(x):
        x = slim.repeat(x, 1, slim.relu, 3)
        return slim.stack(x, slim.conv2d, [(2, 1)])

    model = slim.Module(net)
    model(tf.zeros([1, 2, 2, 3]))
    assert names_of(model) == ["Repeat/fully_connected_1/weights", "Stack/convolution2d_1/weights"]


def test_repeat_and_stack_refuse_what_they_cannot_count():
    with pytest.raises(slim.errors.InputError, match="repetitions=0"):
        slim.repeat(tf.zeros([1, 2]), 0, slim.flatten)
    with pytest.raises(slim.errors.InputError, match="stack_args=3"):
        slim.stack(tf.zeros([1, 2]), slim.flatten, 3)
