"""Each preprocessing gives what its family says."""

import inspect

import numpy as np
import pytest
import tensorflow as tf
from slim_data.preprocessing import inception, vgg

import slimcore as slim

FAMILIES = ["cifarnet", "inception", "lenet", "vgg"]
SEED = tf.constant([1, 2])


@pytest.mark.parametrize("is_training", [False, True])
@pytest.mark.parametrize("size", [(32, 32), (24, 40)])
@pytest.mark.parametrize("shape", [(37, 50, 3), (8, 8, 1)])
@pytest.mark.parametrize("name", FAMILIES)
def test_an_image_of_any_size_gets_the_size_wanted(name, shape, size, is_training, noise):
    preprocess = slim.lookup("preprocessing", name)
    image = preprocess(tf.constant(noise(*shape)), *size, is_training, SEED)
    channels = 3 if name in ("inception", "vgg") else shape[-1]
    assert image.shape == (*size, channels)
    assert image.dtype == tf.float32
    assert np.isfinite(image).all()


@pytest.mark.parametrize("name", ["cifarnet", "inception", "vgg"])
def test_only_the_seed_decides_what_training_does(name, noise):
    preprocess = slim.lookup("preprocessing", name)
    image = tf.constant(noise(40, 50, 3))

    def made(seed):
        return preprocess(image, 32, 32, True, tf.constant(seed)).numpy()

    np.testing.assert_array_equal(made([1, 2]), made([1, 2]))
    assert (made([1, 2]) != made([1, 3])).any()


@pytest.mark.parametrize("name", FAMILIES)
def test_evaluation_leaves_nothing_to_chance(name, noise):
    preprocess = slim.lookup("preprocessing", name)
    image = tf.constant(noise(40, 50, 3))
    np.testing.assert_array_equal(
        preprocess(image, 32, 32, False), preprocess(image, 32, 32, False)
    )


def test_lenet_is_exact_on_mnists_size(noise):
    pixels = noise(28, 28, 1)
    image = slim.lookup("preprocessing", "lenet")(tf.constant(pixels), 28, 28, False)
    np.testing.assert_array_equal(image, (pixels.astype(np.float32) - 128) / 128)


def test_cifarnet_standardizes(noise):
    pixels = noise(32, 32, 3).astype(np.float64)
    image = slim.lookup("preprocessing", "cifarnet")(tf.constant(pixels, tf.uint8), 32, 32, False)
    np.testing.assert_allclose(image, (pixels - pixels.mean()) / pixels.std(), atol=1e-5)


def test_vgg_cuts_the_middle_out_and_subtracts_the_means():
    pixels = np.zeros([256, 300, 3], np.uint8)
    pixels[16:240, 38:262] = 200
    image = slim.lookup("preprocessing", "vgg")(tf.constant(pixels), 224, 224, False)
    expected = np.broadcast_to(np.subtract(200, [123.68, 116.78, 103.94]), [224, 224, 3])
    np.testing.assert_allclose(image, expected, atol=1e-4)


def test_inception_cuts_the_central_part_out_and_scales():
    pixels = np.zeros([80, 160, 3], np.uint8)
    pixels[5:75, 10:150] = 255
    image = slim.lookup("preprocessing", "inception")(tf.constant(pixels), 70, 140, False)
    np.testing.assert_array_equal(image, np.ones([70, 140, 3]))


def windows(family, shape=(375, 500, 3), size=224, count=200):
    drawn = [
        family.window(tf.constant(shape), size, size, True, tf.constant([0, n])).numpy()
        for n in range(count)
    ]
    return np.array(drawn)


def test_vgg_draws_the_shorter_side_between_256_and_512():
    y, x, height, width = windows(vgg).T
    shorter = 375 * 224 / width
    assert (height == width).all()
    assert shorter.min() >= 255.9
    assert shorter.max() <= 516
    assert shorter.min() < 270
    assert shorter.max() > 495
    assert (y >= 0).all()
    assert (y + height <= 375).all()
    assert (x + width <= 500).all()


def test_inception_draws_boxes_of_the_area_and_aspect_stated():
    y, x, height, width = windows(inception).T
    area, aspect = height * width / (375 * 500), width / height
    assert area.min() >= 0.05 - 0.01
    assert 0.8 < area.max() <= 1
    assert aspect.min() >= 0.75 - 0.02
    assert aspect.max() <= 1.33 + 0.02
    assert (y + height <= 375).all()
    assert (x + width <= 500).all()


@pytest.mark.parametrize("name", ["cifarnet", "inception", "vgg"])
def test_training_flips_about_half_of_the_images(name):
    preprocess = slim.lookup("preprocessing", name)
    ramp = np.zeros([32, 32, 3], np.uint8) + np.arange(0, 256, 8, np.uint8)[None, :, None]
    rising = [
        bool(image[16, 24, 0] > image[16, 8, 0])
        for image in (
            preprocess(tf.constant(ramp), 32, 32, True, tf.constant([0, n])) for n in range(60)
        )
    ]
    assert 15 < sum(rising) < 45


@pytest.mark.parametrize("name", FAMILIES)
def test_a_preprocessing_is_called_as_the_hook_says(name):
    parameters = list(inspect.signature(slim.lookup("preprocessing", name)).parameters)
    assert parameters == ["image", "height", "width", "is_training", "seed"]
