"""Every network against the recorded facts: variables, end points, numbers, training, export."""

import re
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

import slimcore as slim

v1 = tf.compat.v1

# These are checked on every run; all others take more than a few seconds each.
QUICK = {"lenet", "cifarnet", "mobilenet_v1_025", "dcgan_generator", "dcgan_discriminator"}
# A small input for training, and what else it needs: 64x64, two images, by default.
SMALL = {
    "alexnet_v2": [2, 195, 195, 3],
    "cifarnet": [2, 16, 16, 3],
    "cyclegan_generator_resnet": [1, 16, 16, 3],
    "dcgan_discriminator": [2, 32, 32, 3],
    "dcgan_generator": [2, 8],
    "i3d": [2, 4, 32, 32, 3],
    "inception_resnet_v2": [2, 107, 107, 3],
    "inception_v3": [1, 299, 299, 3],  # smaller ones have a smaller second classifier
    "inception_v4": [2, 107, 107, 3],
    "lenet": [2, 28, 28, 1],
    "nasnet_cifar": [2, 16, 16, 3],
    "nasnet_large": [2, 67, 67, 3],
    "nasnet_mobile": [2, 67, 67, 3],
    "overfeat": [2, 231, 231, 3],
    "pix2pix_discriminator": [2, 16, 16, 3],
    "pix2pix_generator": [2, 128, 128, 3],
    "pix2pix_generator_keep_all": [2, 128, 128, 3],
    "pnasnet_large": [2, 67, 67, 3],
    "pnasnet_mobile": [2, 67, 67, 3],
    "s3dg": [2, 4, 32, 32, 3],
    "vgg_16": [2, 32, 32, 3],
    "vgg_19": [2, 32, 32, 3],
    "vgg_a": [2, 32, 32, 3],
}
SAME_PADDED = {"vgg_a", "vgg_16", "vgg_19"}
# Deeper, wider or narrower networks of the same code.
VARIANTS = {"vgg_16", "vgg_19", "nasnet_large", "pnasnet_large", "pix2pix_generator_keep_all"}


def networks(variants=True):
    names = sorted(p.stem for p in Path(__file__).with_name("reference").glob("[a-z]*.json"))
    if not variants:
        sizes = r"resnet_v._(101|152|200)|mobilenet_v1.*_0[57].|mobilenet_v2_..0|.*minimal.*|.*_075"
        names = [n for n in names if n not in VARIANTS and not re.fullmatch(sizes, n)]
    return [pytest.param(n, marks=[] if n in QUICK else pytest.mark.slow) for n in names]


@pytest.mark.parametrize("name", networks())
def test_in_a_graph_variables_end_points_and_numbers_are_the_recorded_ones(
    name, reference, recorded_weights, run, graph
):
    network = reference(name)
    inputs = v1.placeholder(tf.float32, network.shape)
    outputs, ends = network.build(inputs)

    made = [[v.op.name, v.shape.as_list(), v.trainable] for v in v1.global_variables()]
    assert made == [[n, shape, bool(t)] for n, shape, t, *_ in network.facts["variables"]]
    assert set(ends) == set(network.end_points)
    assert len(v1.get_collection("update_ops")) == network.facts["update_ops"]

    losses = v1.get_collection("regularization_losses")
    penalty = tf.add_n(losses) if losses else tf.constant(0.0)
    got, got_ends, loss = run(
        [outputs, dict(ends), penalty], recorded_weights, {inputs: network.inputs()}
    )
    network.check_outputs(got)
    for end, facts in network.end_points.items():
        network.check_tensor(end, got_ends[end], facts)
    np.testing.assert_allclose(loss, network.facts["regularization_loss"], rtol=1e-4, atol=1e-9)


@pytest.mark.parametrize("name", networks())
def test_in_a_function_and_after_export_the_outputs_are_the_recorded_ones(
    name, reference, recorded_weights, tmp_path
):
    network = reference(name)
    model = slim.Module(lambda images: network.build(images)[0])
    call = tf.function(model, input_signature=[tf.TensorSpec(network.shape)])
    call.get_concrete_function()
    for variable_name, variable in model.named_variables.items():
        variable.assign(recorded_weights(variable_name, variable.shape.as_list()))
    images = tf.constant(network.inputs())
    network.check_outputs(call(images))

    if name in VARIANTS:  # their exports hold what those of the networks beside them do
        return
    tf.saved_model.save(model, str(tmp_path), signatures=call)
    del model, call
    exported = tf.saved_model.load(str(tmp_path)).signatures["serving_default"]
    (reloaded,) = exported(images).values()
    network.check_outputs(reloaded)


@pytest.mark.parametrize("name", sorted(QUICK))  # of others, the constants fill the memory
def test_frozen_the_outputs_are_the_recorded_ones(name, reference, recorded_weights):
    network = reference(name)
    model = slim.Module(lambda images: network.build(images)[0])
    tf.function(model, input_signature=[tf.TensorSpec(network.shape)]).get_concrete_function()
    for variable_name, variable in model.named_variables.items():
        variable.assign(recorded_weights(variable_name, variable.shape.as_list()))
    network.check_outputs(tf.function(model.frozen)(tf.constant(network.inputs())))


@pytest.mark.parametrize("name", networks())
def test_one_step_of_training_reaches_every_trainable_variable(name, reference, graph):
    network = reference(name)
    v1.set_random_seed(0)
    kwargs = {"fc_conv_padding": "SAME"} if name in SAME_PADDED else {}
    inputs = tf.random.normal(SMALL.get(name, [2, 64, 64, 3]), seed=0)
    outputs, ends = network.build(inputs, is_training=True, **kwargs)

    facts = network.facts
    updates = v1.get_collection("update_ops")
    assert len(updates) == facts["update_ops_training"]
    made = {v.op.name for v in v1.global_variables()} - {"global_step"}
    assert made == {v[0] for v in facts["variables"] + facts.get("training_only_variables", [])}

    losses = [tf.reduce_mean(tf.square(outputs)), *v1.get_collection("regularization_losses")]
    if "AuxLogits" in ends:
        losses.append(tf.reduce_mean(tf.square(ends["AuxLogits"])))
    loss = tf.add_n(losses)
    variables = v1.trainable_variables()
    gradients = tf.gradients(loss, variables)
    assert all(g is not None for g in gradients)

    averages = [v for v in v1.global_variables() if v.op.name.endswith("moving_mean")]
    with v1.Session() as session:
        session.run(v1.global_variables_initializer())
        value, norms, _ = session.run([loss, [tf.norm(g) for g in gradients], updates])
        assert np.isfinite(value)
        assert np.all(np.isfinite(norms))
        moved = [np.any(mean != 0) for mean in session.run(averages)]
        assert all(moved)
        if facts["update_ops_training"]:
            assert moved


@pytest.mark.parametrize("name", networks(variants=False))
def test_variables_start_as_recorded(name, reference, graph):
    network = reference(name)
    network.build(v1.placeholder(tf.float32, network.shape))
    v1.set_random_seed(1)
    large = {n: how for n, shape, *_, how in network.facts["variables"] if np.prod(shape) < 3e6}
    variables = [v for v in v1.global_variables() if v.op.name in large]
    with v1.Session() as session:
        values = session.run([v.initializer.inputs[1] for v in variables])
    for variable, value in zip(variables, values, strict=True):
        check_start(variable.op.name, value, large[variable.op.name].split())


def check_start(name, value, how):
    kind, numbers = how[0], [float(x) for x in how[1:]]
    # Six standard errors of what a sample of this size may differ by.
    spread = 6 / np.sqrt(value.size)
    if kind in ("zeros", "ones", "const"):
        assert np.all(value == np.float32({"zeros": 0, "ones": 1}.get(kind, *numbers))), name
    elif kind == "center_identity":
        middle = len(value) // 2
        np.testing.assert_array_equal(value[middle, 0, 0], np.eye(value.shape[-1]), name)
        assert np.count_nonzero(value) == value.shape[-1], name
    elif kind == "uniform":
        low, high = numbers
        assert low * 1.0001 <= value.min() <= value.max() <= high * 1.0001, name
        np.testing.assert_allclose(value.std(), high / np.sqrt(3), rtol=spread, err_msg=name)
    elif kind == "truncated_normal":
        # Beyond two deviations it is drawn again, which leaves 0.8796 of the deviation.
        (stddev,) = numbers
        assert np.abs(value).max() <= 2.0001 * stddev, name
        np.testing.assert_allclose(value.std(), 0.8796 * stddev, rtol=spread, err_msg=name)
    else:
        assert kind == "normal", how
        np.testing.assert_allclose(value.std(), numbers[0], rtol=spread, err_msg=name)
