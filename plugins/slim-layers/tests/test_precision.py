"""Layers that compute in low precision, and what stays in float32."""

import numpy as np
import pytest
import tensorflow as tf

import slimcore as slim

IMAGES = np.random.default_rng(0).standard_normal([4, 8, 8, 3]).astype("f")
LOW = {"mixed_bfloat16": tf.bfloat16, "mixed_float16": tf.float16}


def net(images, seen=None):
    seen = {} if seen is None else seen
    with slim.arg_scope(
        [slim.conv2d, slim.separable_conv2d, slim.conv2d_transpose],
        normalizer_fn=slim.batch_norm,
        weights_regularizer=slim.l2_regularizer(0.1),
    ):
        seen["conv"] = x = slim.conv2d(images, 4, 3)
        seen["separable"] = x = slim.separable_conv2d(x, 4, 3)
        seen["transposed"] = x = slim.conv2d_transpose(x, 4, 3)
    seen["pooled"] = x = slim.max_pool2d(x, 2)
    seen["grouped"] = x = slim.group_norm(x, 2)
    seen["logits"] = x = slim.fully_connected(slim.flatten(x), 2, activation_fn=None)
    return x, {"pooled": seen["pooled"], "count": 3, "none": None}


@pytest.mark.parametrize("name", LOW)
def test_layers_compute_low_and_all_else_is_float32(name):
    seen = {}
    model = slim.Module(net, precision=name)
    logits, ends = model(IMAGES, seen)
    assert {t.dtype for t in seen.values()} == {LOW[name]}
    assert {v.dtype for v in model.variables} == {tf.float32}
    assert {t.dtype for t in (logits, ends["pooled"], *model.regularization_losses)} == {tf.float32}
    assert (ends["count"], ends["none"]) == (3, None)


@pytest.mark.parametrize("wrap", [lambda f: f, tf.function])
def test_the_results_are_about_those_of_float32(wrap):
    low = slim.Module(net, precision="mixed_bfloat16")
    wrap(low)(IMAGES)
    plain = slim.Module(net)
    plain(IMAGES)
    for name, variable in plain.named_variables.items():
        variable.assign(low.named_variables[name])
    exact = plain(IMAGES)[0]
    np.testing.assert_allclose(wrap(low)(IMAGES)[0], exact, atol=0.05 * np.abs(exact).max())


def test_a_block_sets_the_precision_of_the_modules_called_in_it():
    seen, model = {}, slim.Module(net)
    with slim.precision("mixed_bfloat16"):
        assert model(IMAGES, seen)[0].dtype == tf.float32
        with slim.precision("float32"):
            model(IMAGES, inner := {})
    assert (seen["conv"].dtype, inner["conv"].dtype) == (tf.bfloat16, tf.float32)
    model(IMAGES, seen)
    assert seen["conv"].dtype == tf.float32


def test_gradients_reach_float32_variables():
    model = slim.Module(net, precision="mixed_bfloat16")
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(model(IMAGES)[0] ** 2)
    gradients = tape.gradient(loss, model.trainable_variables)
    assert {g.dtype for g in gradients} == {tf.float32}
    assert all(np.all(np.isfinite(g)) for g in gradients)


def test_a_graph_computes_low_as_well():
    with tf.Graph().as_default(), slim.precision("mixed_bfloat16"):
        logits, _ = net(tf.constant(IMAGES), seen := {})
        assert {t.dtype for t in seen.values()} == {tf.bfloat16}
        assert {v.dtype.base_dtype for v in slim.get_variables()} == {tf.float32}
        with tf.compat.v1.Session() as session:
            session.run(tf.compat.v1.global_variables_initializer())
            assert session.run(tf.cast(logits, tf.float32)).shape == (4, 2)


def test_integers_and_doubles_stay_as_they_are():
    with slim.precision("mixed_bfloat16"):
        model = slim.Module(lambda x: slim.fully_connected(x, 2))
        assert model(tf.zeros([1, 3], tf.float64)).dtype == tf.float64


def test_an_unknown_precision_lists_all():
    with pytest.raises(slim.errors.InputError, match="'bfloat16'.*mixed_bfloat16"):
        slim.Module(net, precision="bfloat16")
    with pytest.raises(slim.errors.InputError, match="'half'"), slim.precision("half"):
        pass


@pytest.mark.parametrize("wrap", [lambda f: f, tf.function])
@pytest.mark.parametrize("layer", ["conv2d", "fully_connected"])
@pytest.mark.parametrize("name", LOW)
def test_the_gradients_of_biases_are_sums_that_do_not_stop_growing(name, layer, wrap):
    # In bfloat16 itself a sum of tenths ends at 32, where a tenth is less than half its last digit.
    shape = [1, 50, 60, 2]
    model = slim.Module(
        lambda x: getattr(slim, layer)(x, 3, *[1] * (layer == "conv2d"), activation_fn=None),
        precision=name,
    )
    model(tf.zeros(shape))

    def gradient(images):
        with tf.GradientTape() as tape:
            loss = 0.1 * tf.reduce_sum(model(images))
        return tape.gradient(loss, model.get_variables(suffix="biases"))[0]

    np.testing.assert_allclose(wrap(gradient)(tf.zeros(shape)), [300] * 3, rtol=0.01)
