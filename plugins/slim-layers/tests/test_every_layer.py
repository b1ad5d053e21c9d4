"""What holds for every layer that has variables, driven by one table of them."""

import functools
import inspect
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import slimcore as slim
from slimcore.errors import InputError

v1 = tf.compat.v1


@dataclass
class Case:
    """A layer, what it is called with, and what it makes of it."""

    layer: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    variables: dict[str, tuple[int, ...]]
    arguments: dict[str, Any]

    def __call__(self, inputs: Any, **more: Any) -> Any:
        return getattr(slim, self.layer)(inputs, **{**self.arguments, **more})


def case(layer, inputs, outputs, variables, **arguments):
    return Case(layer, inputs, outputs, variables, arguments)


def variables(scope, **shapes):
    return {f"{scope}/{name}": shape for name, shape in shapes.items()}


MAPS, FILTERS = (2, 6, 6, 4), {"num_outputs": 5, "kernel_size": 3}
CONV = variables("Conv", weights=(3, 3, 4, 5), biases=(5,))
MOVING = {"moving_mean": (4,), "moving_variance": (4,)}
NORMED = variables("BatchNorm", beta=(4,), **MOVING)
FULL = variables("fully_connected", weights=(4, 5), biases=(5,))
LEGACY = variables("fully_connected", weights=(4, 5), bias=(5,))
BETA_GAMMA = {"beta": (4,), "gamma": (4,)}

CASES = {
    "conv1d": case(
        "conv1d",
        (2, 6, 4),
        (2, 3, 5),
        variables("Conv", weights=(3, 4, 5), biases=(5,)),
        stride=2,
        **FILTERS,
    ),
    "conv2d": case("conv2d", MAPS, (2, 6, 6, 5), CONV, **FILTERS),
    "conv2d without biases": case(
        "conv2d",
        MAPS,
        (2, 6, 6, 5),
        variables("Conv", weights=(3, 3, 4, 5)),
        biases_initializer=None,
        **FILTERS,
    ),
    "conv2d with batch_norm": case(
        "conv2d",
        MAPS,
        (2, 6, 6, 4),
        {
            "Conv/weights": (3, 3, 4, 4),
            **variables("Conv/BatchNorm", gamma=(4,), beta=(4,), **MOVING),
        },
        num_outputs=4,
        kernel_size=3,
        normalizer_fn=slim.batch_norm,
        normalizer_params={"scale": True},
    ),
    "conv2d dilated": case("conv2d", MAPS, (2, 2, 2, 5), CONV, rate=2, padding="VALID", **FILTERS),
    "conv2d NCHW": case("conv2d", (2, 4, 6, 6), (2, 5, 6, 6), CONV, data_format="NCHW", **FILTERS),
    "conv3d": case(
        "conv3d",
        (1, 4, 4, 4, 2),
        (1, 2, 2, 2, 5),
        variables("Conv", weights=(3, 3, 3, 2, 5), biases=(5,)),
        stride=2,
        **FILTERS,
    ),
    "convolution": case("convolution", MAPS, (2, 6, 6, 5), CONV, **FILTERS),
    "conv2d_transpose": case(
        "conv2d_transpose",
        MAPS,
        (2, 12, 12, 5),
        variables("Conv2d_transpose", weights=(3, 3, 5, 4), biases=(5,)),
        stride=2,
        **FILTERS,
    ),
    "conv2d_transpose NCHW": case(
        "conv2d_transpose",
        (2, 4, 3, 3),
        (2, 5, 7, 7),
        variables("Conv2d_transpose", weights=(3, 3, 5, 4), biases=(5,)),
        stride=2,
        padding="VALID",
        data_format="NCHW",
        **FILTERS,
    ),
    "conv3d_transpose": case(
        "conv3d_transpose",
        (1, 2, 2, 2, 3),
        (1, 4, 4, 4, 5),
        variables("Conv3d_transpose", weights=(3, 3, 3, 5, 3), biases=(5,)),
        stride=2,
        **FILTERS,
    ),
    "separable_conv2d": case(
        "separable_conv2d",
        MAPS,
        (2, 3, 3, 5),
        variables(
            "SeparableConv2d",
            depthwise_weights=(3, 3, 4, 2),
            pointwise_weights=(1, 1, 8, 5),
            biases=(5,),
        ),
        depth_multiplier=2,
        stride=2,
        **FILTERS,
    ),
    "separable_conv2d in depth only": case(
        "separable_conv2d",
        MAPS,
        (2, 6, 6, 4),
        variables("SeparableConv2d", depthwise_weights=(3, 3, 4, 1), biases=(4,)),
        num_outputs=None,
        kernel_size=3,
        rate=2,
    ),
    "conv2d_in_plane": case(
        "conv2d_in_plane",
        MAPS,
        (2, 6, 6, 4),
        variables("ConvInPlane", weights=(1, 2, 1, 1), biases=(4,)),
        kernel_size=[1, 2],
    ),
    "fully_connected": case("fully_connected", (3, 4), (3, 5), FULL, num_outputs=5),
    "fully_connected of maps": case("fully_connected", MAPS, (2, 6, 6, 5), FULL, num_outputs=5),
    "linear": case("linear", (3, 4), (3, 5), FULL, num_outputs=5),
    "relu": case("relu", (3, 4), (3, 5), FULL, num_outputs=5),
    "relu6": case("relu6", (3, 4), (3, 5), FULL, num_outputs=5),
    "elu": case("elu", (3, 4), (3, 5), FULL, num_outputs=5),
    "bias_add": case("bias_add", MAPS, MAPS, variables("BiasAdd", biases=(4,))),
    "bias_add NCHW": case(
        "bias_add",
        (2, 4, 3, 3),
        (2, 4, 3, 3),
        variables("BiasAdd", biases=(4,)),
        data_format="NCHW",
    ),
    "batch_norm": case("batch_norm", MAPS, MAPS, NORMED),
    "batch_norm in evaluation": case("batch_norm", MAPS, MAPS, NORMED, is_training=False),
    "batch_norm unfused": case("batch_norm", MAPS, MAPS, NORMED, fused=False),
    "batch_norm of vectors": case("batch_norm", (6, 4), (6, 4), NORMED),
    "batch_norm of sequences": case("batch_norm", (3, 5, 4), (3, 5, 4), NORMED),
    "batch_norm of volumes": case("batch_norm", (2, 3, 3, 3, 4), (2, 3, 3, 3, 4), NORMED),
    "batch_norm NCHW": case("batch_norm", (2, 4, 3, 3), (2, 4, 3, 3), NORMED, data_format="NCHW"),
    "batch_norm debiased": case(
        "batch_norm",
        MAPS,
        MAPS,
        {
            **NORMED,
            "BatchNorm/BatchNorm/moving_mean/biased": (4,),
            "BatchNorm/BatchNorm/moving_mean/local_step": (),
        },
        zero_debias_moving_mean=True,
    ),
    "batch_norm renormalized": case(
        "batch_norm",
        MAPS,
        MAPS,
        {
            **NORMED,
            **variables("BatchNorm", moving_stddev=(4,), renorm_mean=(4,), renorm_stddev=(4,)),
        },
        renorm=True,
    ),
    "layer_norm": case("layer_norm", MAPS, MAPS, variables("LayerNorm", **BETA_GAMMA)),
    "instance_norm": case("instance_norm", MAPS, MAPS, variables("InstanceNorm", **BETA_GAMMA)),
    "instance_norm NCHW": case(
        "instance_norm",
        (2, 4, 3, 3),
        (2, 4, 3, 3),
        variables("InstanceNorm", **BETA_GAMMA),
        data_format="NCHW",
    ),
    "group_norm": case("group_norm", MAPS, MAPS, variables("GroupNorm", **BETA_GAMMA), groups=2),
    "group_norm NCHW": case(
        "group_norm",
        (2, 4, 3, 3),
        (2, 4, 3, 3),
        variables("GroupNorm", **BETA_GAMMA),
        groups=2,
        channels_axis=-3,
        reduction_axes=(-2, -1),
    ),
    "gdn": case("gdn", MAPS, MAPS, variables("gdn", reparam_beta=(4,), reparam_gamma=(4, 4))),
    "legacy_fully_connected": case(
        "legacy_fully_connected", (3, 4), (3, 5), LEGACY, num_output_units=5
    ),
    "legacy_linear": case("legacy_linear", (3, 4), (3, 5), LEGACY, num_output_units=5),
    "legacy_relu": case("legacy_relu", (3, 4), (3, 5), LEGACY, num_output_units=5),
    "spatial_softmax": case("spatial_softmax", MAPS, (2, 8), {"spatial_softmax/temperature": ()}),
}

# Those of this package's own mechanism, whose options are the same.
SHARED = {
    name: c
    for name, c in CASES.items()
    if {"variables_collections", "outputs_collections", "reuse", "scope"}
    <= set(inspect.signature(getattr(slim, c.layer)).parameters)
}

# Arguments by which a layer shows that it makes variables.
SIGNS = {"variables_collections", "weight_collections", "gamma_init", "trainable"}


def test_every_layer_with_variables_is_in_the_table():
    tested = {slim.arg_scope_func_key(getattr(slim, c.layer)) for c in CASES.values()}
    for component in slim.components("layer"):
        layer = component.load()
        if component.distribution != "slim-layers" or inspect.isclass(layer):
            continue
        if SIGNS & set(inspect.signature(layer).parameters):
            assert slim.arg_scope_func_key(layer) in tested, f"add {component.name} to CASES"


def values_of(names_and_shapes):
    """Returns weights that differ from each other and from the first values."""
    rng = np.random.default_rng(1)
    return {
        name: (0.5 + 0.5 * rng.random(shape)).astype("f")
        for name, shape in names_and_shapes.items()
    }


def inputs_of(c):
    return np.random.default_rng(0).standard_normal(c.inputs).astype("f")


def in_a_graph(c, **more):
    """Returns outputs, gradients by name and variables by name, from the weights of `values_of`."""
    with tf.Graph().as_default(), v1.Session() as session:
        inputs = tf.constant(inputs_of(c))
        outputs = c(inputs, **more)
        found = {v.op.name: v for v in v1.global_variables()}
        loss = tf.reduce_sum(tf.square(outputs))
        trained = {v.op.name: v for v in v1.trainable_variables()}
        gradients = dict(zip(trained, v1.gradients(loss, list(trained.values())), strict=True))
        session.run(v1.global_variables_initializer())
        for name, value in values_of({n: v.shape for n, v in found.items()}).items():
            found[name].load(value, session)
        updates = v1.get_collection(v1.GraphKeys.UPDATE_OPS)
        results = session.run((outputs, gradients))
        session.run(updates)
        return *results, session.run(found)


def in_a_module(c, wrap, **more):
    model = slim.Module(lambda inputs: c(inputs, **more))
    inputs = tf.constant(inputs_of(c))
    model(inputs)
    for name, value in values_of({n: v.shape for n, v in model.named_variables.items()}).items():
        model.named_variables[name].assign(value)

    def step(inputs):
        with tf.GradientTape() as tape:
            outputs = model(inputs)
            loss = tf.reduce_sum(tf.square(outputs))
        names = {model.store.name_of(v): v for v in model.trainable_variables}
        return outputs, tape.gradient(loss, names)

    outputs, gradients = wrap(step)(inputs)
    found = {name: v.numpy() for name, v in model.named_variables.items()}
    return outputs.numpy(), {name: g.numpy() for name, g in gradients.items()}, found


@pytest.mark.parametrize("name", CASES)
def test_graph_module_and_function_agree(name):
    c = CASES[name]
    outputs, gradients, variables = in_a_graph(c)
    assert outputs.shape == c.outputs
    assert {n: v.shape for n, v in variables.items()} == c.variables
    for wrap in (lambda step: step, tf.function):
        others = in_a_module(c, wrap)
        np.testing.assert_allclose(others[0], outputs, rtol=1e-5, atol=1e-5)
        for mine, other in ((gradients, others[1]), (variables, others[2])):
            assert list(mine) == list(other)
            for key, value in mine.items():
                scale = max(1.0, float(np.abs(value).max()))
                np.testing.assert_allclose(other[key], value, rtol=1e-5, atol=1e-5 * scale)


@pytest.mark.parametrize("name", SHARED)
def test_variables_and_outputs_are_in_the_collections_asked_for(name):
    c = SHARED[name]
    own = {n for n in c.variables if "moving_mean/" not in n}
    with tf.Graph().as_default():
        outputs = c(
            tf.constant(inputs_of(c)),
            variables_collections=["a", "b"],
            outputs_collections="ends",
            scope="here",
        )
        here = {n.replace(n.partition("/")[0], "here", 1) for n in own}
        direct = {n for n in here if "BatchNorm" not in n}
        for collection in ("a", "b"):
            assert {v.op.name for v in v1.get_collection(collection)} == direct
        assert here <= {v.op.name for v in v1.get_collection(v1.GraphKeys.MODEL_VARIABLES)}
        assert v1.get_collection("ends") == [outputs]
        assert list(slim.utils.convert_collection_to_dict("ends")) == ["here"]


@pytest.mark.parametrize("name", SHARED)
def test_a_dict_of_collections_is_by_the_name_of_the_variable(name):
    c = SHARED[name]
    last = next(n for n in c.variables if "BatchNorm" not in n or c.layer == "batch_norm")
    key = last.rpartition("/")[2]
    with tf.Graph().as_default():
        c(tf.constant(inputs_of(c)), variables_collections={key: ["chosen"]})
        assert [v.op.name for v in v1.get_collection("chosen")] == [last]


@pytest.mark.parametrize("name", SHARED)
def test_reuse_finds_the_same_variables_and_forbids_to_make_them(name):
    c = SHARED[name]
    inputs = inputs_of(c)

    def twice(inputs):
        return c(inputs, scope="one"), c(inputs, scope="one", reuse=True)

    with tf.Graph().as_default():
        twice(tf.constant(inputs))
        assert len(v1.global_variables()) == len(c.variables)
        with pytest.raises(ValueError, match="two"):
            c(tf.constant(inputs), scope="two", reuse=True)
        if c.layer != "convolution":
            with pytest.raises(ValueError, match="have the scope 'one'"):
                c(tf.constant(inputs), scope="one")
    model = slim.Module(twice)
    model(inputs)
    assert len(model.variables) == len(c.variables)


@pytest.mark.parametrize("name", SHARED)
def test_variables_that_are_not_to_be_trained_are_not(name):
    c = SHARED[name]
    model = slim.Module(lambda inputs: c(inputs, trainable=False))
    model(inputs_of(c))
    trained = {v.name for v in model.trainable_variables}
    # A normalizer has its own argument.
    assert all("/BatchNorm/" in name for name in trained)


# The first call of a renormalization moves what the second corrects towards.
ACTIVATED = [n for n in SHARED if not any(w in n for w in ("relu", "elu", "renormalized"))]


@pytest.mark.parametrize("name", ACTIVATED)
def test_the_activation_comes_last(name):
    c = SHARED[name]

    def both(inputs):
        plain = c(inputs, activation_fn=None, scope="x")
        return plain, c(inputs, activation_fn=tf.nn.sigmoid, scope="x", reuse=True)

    plain, activated = slim.Module(both)(inputs_of(c))
    np.testing.assert_allclose(activated, 1 / (1 + np.exp(-plain.numpy())), rtol=1e-5, atol=1e-6)


REGULARIZED = {
    n: c
    for n, c in SHARED.items()
    if "weights_regularizer" in inspect.signature(getattr(slim, c.layer)).parameters
}


@pytest.mark.parametrize("name", REGULARIZED)
def test_the_regularization_loss_of_the_weights_is_gathered_once(name):
    c = REGULARIZED[name]
    weights = [n for n in c.variables if n.endswith("weights")]

    def halves(inputs, reuse=None):
        return c(inputs, weights_regularizer=slim.l2_regularizer(0.5), scope="s", reuse=reuse)

    model = slim.Module(lambda inputs: [halves(inputs), halves(inputs, True)])
    model(inputs_of(c))
    expected = [0.25 * np.sum(np.square(v)) for v in model.get_variables(suffix="weights")]
    assert len(expected) == len(weights)
    np.testing.assert_allclose(sorted(model.regularization_losses), sorted(expected), rtol=1e-5)

    with tf.Graph().as_default(), v1.Session() as session:
        halves(tf.constant(inputs_of(c)))
        halves(tf.constant(inputs_of(c)), True)
        losses = v1.get_collection(v1.GraphKeys.REGULARIZATION_LOSSES, scope="s")
        session.run(v1.global_variables_initializer())
        found = session.run([v for v in v1.global_variables() if v.op.name.endswith("weights")])
        expected = [0.25 * np.sum(np.square(v)) for v in found]
        np.testing.assert_allclose(sorted(session.run(losses)), sorted(expected), rtol=1e-5)


@pytest.mark.parametrize("name", SHARED)
def test_a_layer_outside_of_a_module_names_itself_its_scope_and_the_remedy(name):
    c = SHARED[name]
    with pytest.raises(ValueError, match=r"\w+ \(scope there\) .*slim.Module"):
        c(tf.constant(inputs_of(c)), scope="there")


@pytest.mark.parametrize("name", SHARED)
def test_an_unknown_argument_is_a_type_error_that_names_layer_scope_and_argument(name):
    c = SHARED[name]
    function = getattr(slim, c.layer)
    named = getattr(function, "func", function).__name__
    message = rf"{named} \(scope a/b\) has no argument 'colour', given as 'red'"
    with tf.Graph().as_default(), v1.variable_scope("a"), pytest.raises(TypeError, match=message):
        c(tf.constant(inputs_of(c)), colour="red", scope="b")


@pytest.mark.parametrize("name", SHARED)
def test_images_as_bytes_are_refused_with_the_remedy(name):
    c = SHARED[name]
    remedy = r"\(scope s\) got inputs of uint8; .* tf.image.convert_image_dtype"
    with pytest.raises(InputError, match=remedy):
        slim.Module(c)(np.zeros(c.inputs, np.uint8), scope="s")
    with tf.Graph().as_default(), pytest.raises(InputError, match=remedy):
        c(tf.zeros(c.inputs, tf.uint8), scope="s")


@pytest.mark.parametrize(
    "layer",
    [
        lambda x: slim.avg_pool2d(x, 2),
        lambda x: slim.pool(x, 2, "AVG"),
        lambda x: slim.unit_norm(x, 3),
        slim.dropout,
    ],
)
def test_layers_without_variables_refuse_bytes_where_they_compute_with_them(layer):
    with pytest.raises(InputError, match="got inputs of uint8; it takes floating-point numbers"):
        layer(tf.zeros(MAPS, tf.uint8))


@pytest.mark.parametrize(("value", "dtype"), [(1, "int32"), (True, "bool"), ("a", "string")])
def test_what_is_not_a_number_to_compute_with_is_named(value, dtype):
    with pytest.raises(InputError, match=f"got inputs of {dtype}; .* else tf.cast"):
        slim.Module(slim.fully_connected)(tf.constant([[value]]), 2)


@pytest.mark.parametrize("name", ACTIVATED)
@pytest.mark.parametrize("given", ["relu", 1, [tf.nn.relu]])
def test_an_activation_that_is_not_a_function_is_named(name, given):
    c = SHARED[name]
    with pytest.raises(InputError, match=r"\(scope s\) got .* as activation_fn; it takes a funct"):
        slim.Module(c)(inputs_of(c), activation_fn=given, scope="s")


@pytest.mark.parametrize("name", REGULARIZED)
@pytest.mark.parametrize("given", ["l2", 1e-4])
def test_a_regularizer_that_is_not_a_function_is_named(name, given):
    c = REGULARIZED[name]
    with pytest.raises(InputError, match=r"as the regularizer of \w*weights; .*l2_regularizer\("):
        slim.Module(c)(inputs_of(c), weights_regularizer=given)


@pytest.mark.parametrize("given", ["zeros", 5, 0.1])
def test_an_initializer_that_is_not_a_function_is_named(given):
    with pytest.raises(InputError, match=r"got .* as the initializer of weights; it takes a funct"):
        slim.Module(slim.conv2d)(np.zeros(MAPS, "f"), 2, 3, weights_initializer=given)


@pytest.mark.parametrize("name", SHARED)
def test_inputs_of_a_wrong_rank_are_named_with_layer_scope_and_shape(name):
    c = SHARED[name]
    with tf.Graph().as_default(), pytest.raises(ValueError, match=r"\(scope a/b\).*\(3,\)"):
        c(tf.zeros([3]), scope="a/b")


@pytest.mark.parametrize("name", SHARED)
def test_channels_must_be_known(name):
    c = SHARED[name]
    first = c.arguments.get("data_format", "").startswith("NC") or "channels_axis" in c.arguments
    shape = list(c.inputs)
    shape[1 if first else -1] = None
    with tf.Graph().as_default(), pytest.raises(ValueError, match=r"\(scope \w+\).* known"):
        c(v1.placeholder(tf.float32, shape))


@pytest.mark.parametrize("name", SHARED)
def test_the_batch_and_the_places_may_be_unknown_until_run_time(name):
    c = SHARED[name]
    first = c.arguments.get("data_format", "").startswith("NC") or "channels_axis" in c.arguments
    channels = 1 if first else len(c.inputs) - 1
    shape = [n if i == channels else None for i, n in enumerate(c.inputs)]
    static = in_a_graph(c)[0]
    model = slim.Module(c)
    call = tf.function(model, input_signature=[tf.TensorSpec(shape)])
    model(inputs_of(c))
    found = model.named_variables
    for name, value in values_of({n: v.shape for n, v in found.items()}).items():
        found[name].assign(value)
    np.testing.assert_allclose(call(inputs_of(c)), static, rtol=1e-5, atol=1e-5)


def test_aliases_are_partials_that_an_arg_scope_reaches():
    assert isinstance(slim.relu6, functools.partial)
    with slim.arg_scope([slim.fully_connected], biases_initializer=None):
        model = slim.Module(lambda x: slim.linear(x, 2))
        model(tf.zeros([1, 3]))
    assert [v.name for v in model.variables] == ["fully_connected/weights:0"]
