"""`slim.nets.get_network_fn`."""

import inspect

import numpy as np
import pytest
import tensorflow as tf

import slimcore as slim
from slimcore.errors import InputError, UnknownComponentError

IMAGES = np.random.default_rng(0).standard_normal((2, 28, 28, 1)).astype(np.float32)


def test_a_network_by_name_is_built_in_its_own_scope_with_the_weight_decay(graph):
    function = slim.nets.get_network_fn("lenet", num_classes=5, weight_decay=0.5)
    logits, ends = function(tf.constant(IMAGES))
    assert logits.shape == (2, 5)
    assert ends["Predictions"].shape == (2, 5)
    weights = [v for v in tf.compat.v1.trainable_variables() if v.name.endswith("weights:0")]
    losses = tf.compat.v1.get_collection("regularization_losses")
    with tf.compat.v1.Session() as session:
        session.run(tf.compat.v1.global_variables_initializer())
        got, values = session.run([losses, weights])
    np.testing.assert_allclose(got, [0.25 * np.sum(v.astype(float) ** 2) for v in values], 1e-4)


def test_a_call_says_whether_it_is_training_where_the_maker_did_not():
    function = slim.nets.get_network_fn("lenet", num_classes=5)
    model = slim.Module(function)
    first = model(IMAGES)[0]
    assert np.array_equal(first, model(IMAGES)[0])
    tf.random.set_seed(0)
    assert not np.array_equal(first, model(IMAGES, is_training=True)[0])
    training = slim.nets.get_network_fn("lenet", num_classes=5, is_training=True)
    assert not np.array_equal(slim.Module(training)(IMAGES)[0], slim.Module(training)(IMAGES)[0])


def test_batch_normalization_follows_the_call_even_inside_a_training_scope():
    function = slim.nets.get_network_fn("mobilenet_v2_035", num_classes=3)
    model = slim.Module(function)
    images = tf.random.stateless_normal([2, 32, 32, 3], [1, 2])
    model(images)
    mean = next(
        v for v in model.variables if v.name.startswith("MobilenetV2/Conv/BatchNorm/moving")
    )
    before = mean.numpy()
    model(images, is_training=False)
    np.testing.assert_array_equal(mean, before)
    model(images, is_training=True)
    assert np.any(mean.numpy() != before)


@pytest.mark.parametrize("num_classes", [0, None])
def test_without_classes_the_features_come_back(num_classes):
    features, ends = slim.Module(slim.nets.get_network_fn("lenet", num_classes))(IMAGES)
    assert features.shape == (2, 1024)
    assert "Logits" not in ends


def test_a_third_party_network_is_found_too():
    @slim.register_net("my_tiny_net")
    def tiny(images, num_classes, is_training):
        return slim.fully_connected(slim.flatten(images), num_classes), {"training": is_training}

    tiny.default_image_size = 7
    function = slim.nets.get_network_fn("my_tiny_net", num_classes=3, is_training=True)
    assert (function.__name__, function.default_image_size) == ("my_tiny_net", 7)
    logits, ends = slim.Module(function)(IMAGES)
    assert logits.shape == (2, 3)
    assert ends["training"] is True


def test_the_function_shows_its_own_arguments():
    function = slim.nets.get_network_fn("vgg_16", num_classes=3)
    assert list(inspect.signature(function).parameters) == ["images", "is_training", "kwargs"]


def test_an_unknown_name_gets_the_nearest_ones():
    with pytest.raises(UnknownComponentError, match="resnet_v1_50"):
        slim.nets.get_network_fn("resnet_v1_5", num_classes=3)


def test_a_network_that_classifies_nothing_is_refused():
    with pytest.raises(InputError, match="pix2pix_generator classifies nothing"):
        slim.nets.get_network_fn("pix2pix_generator", num_classes=3)
