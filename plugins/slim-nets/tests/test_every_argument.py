"""Arguments of research/slim's networks, against formulas and the recorded networks."""

import functools

import numpy as np
import pytest
import tensorflow as tf

import slimcore as slim

v1 = tf.compat.v1


def images(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def assert_same(actual, expected, name=""):
    """Compares by the largest value: sums cancel."""
    atol = 2e-5 * np.abs(expected).max()
    np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=atol, err_msg=name)


@pytest.fixture
def evaluated(recorded_weights):
    """Returns a function that makes a Module of a function and gives it the recorded weights.

    The Module is built on `inputs`, with batch normalization by moving averages.
    """

    def make(function, *inputs, **kwargs):
        def build(*inputs, **kwargs):
            with slim.arg_scope([slim.batch_norm, slim.dropout], is_training=False):
                return function(*inputs, **kwargs)

        model = slim.Module(build)
        specs = [tf.TensorSpec(np.shape(x)) for x in inputs]
        tf.function(functools.partial(model, **kwargs)).get_concrete_function(*specs)
        for name, variable in model.named_variables.items():
            variable.assign(recorded_weights(name, variable.shape.as_list()))
        return model

    return make


# What many networks have.

BASES = {
    "inception_v4": ("inception_v4.inception_v4_base", {}),
    "inception_resnet_v2": ("inception_resnet_v2.inception_resnet_v2_base", {}),
    "mobilenet_v1": ("mobilenet_v1.mobilenet_v1_base", {}),
    "mobilenet_v2": ("mobilenet.mobilenet_v2.mobilenet_base", {"is_training": False}),
    "mobilenet_v3_small": (
        "mobilenet.mobilenet_v3.small",
        {"is_training": False, "base_only": True},
    ),
    "mobilenet_edgetpu": (
        "mobilenet.mobilenet_v3.edge_tpu",
        {"is_training": False, "base_only": True},
    ),
    "i3d": ("i3d.i3d_base", {}),
    "s3dg": ("s3dg.s3dg_base", {}),
    "nasnet_mobile": (
        "nasnet.nasnet.build_nasnet_mobile",
        {"num_classes": 3, "is_training": False},
    ),
    "pnasnet_mobile": (
        "nasnet.pnasnet.build_pnasnet_mobile",
        {"num_classes": 3, "is_training": False},
    ),
}


@pytest.mark.parametrize(
    "name, final_endpoint",
    [
        *(("inception_v4", end) for end in ("Conv2d_2b_3x3", "Mixed_4a")),
        *(("inception_resnet_v2", end) for end in ("Conv2d_4a_3x3", "Mixed_5b")),
        *(("mobilenet_v1", end) for end in ("Conv2d_2_depthwise", "Conv2d_4_pointwise")),
        *(("mobilenet_v2", end) for end in ("layer_3", "layer_6")),
        *(("mobilenet_v3_small", end) for end in ("layer_2", "layer_5")),
        *(("mobilenet_edgetpu", end) for end in ("layer_2", "layer_4")),
        *(("i3d", end) for end in ("MaxPool_2a_3x3", "Conv2d_2c_3x3")),
        *(("s3dg", end) for end in ("MaxPool_2a_3x3", "Conv2d_2c_3x3")),
        *(
            pytest.param(name, end, marks=pytest.mark.slow if end == "Cell_0" else [])
            for name in ("nasnet_mobile", "pnasnet_mobile")
            for end in ("Stem", "Cell_0")
        ),
    ],
)
def test_stopped_early_the_numbers_are_the_recorded_ones(
    name, final_endpoint, reference, importer, recorded_weights, run, graph
):
    network, (path, kwargs) = reference(name), BASES[name]
    inputs = v1.placeholder(tf.float32, network.shape)
    with network.scope(), slim.arg_scope([slim.batch_norm], is_training=False):
        net, ends = importer(path)(inputs, final_endpoint=final_endpoint, **kwargs)
    assert net is ends[final_endpoint]
    later = [n for n, *_ in network.facts["variables"]][len(v1.global_variables()) :]
    assert not set(later) & {v.op.name for v in v1.global_variables()}
    got, value = run([dict(ends), net], recorded_weights, {inputs: network.inputs()})
    network.check_tensor(final_endpoint, value, network.end_points[final_endpoint])
    for end, tensor in got.items():
        network.check_tensor(end, tensor, network.end_points[end])


CLASSES = 11
LIGHT = {"lenet", "cifarnet", "mobilenet_v1_025"}
SMALLEST = {
    "alexnet_v2": [2, 195, 195, 3],
    "inception_v3": [2, 107, 107, 3],
    "inception_v4": [2, 107, 107, 3],
    "inception_resnet_v2": [2, 107, 107, 3],
    "overfeat": [2, 231, 231, 3],
    "i3d": [2, 4, 32, 32, 3],
    "s3dg": [2, 4, 32, 32, 3],
}


def classifiers(*names):
    return [pytest.param(n, marks=[] if n in LIGHT else pytest.mark.slow) for n in names]


@pytest.mark.parametrize(
    "name",
    classifiers(
        *("lenet", "cifarnet", "alexnet_v2", "overfeat", "vgg_a", "inception_v1", "inception_v2"),
        *("inception_v3", "inception_v4", "inception_resnet_v2", "mobilenet_v1_025"),
        *("mobilenet_v2_035", "mobilenet_v3_small", "nasnet_cifar", "i3d", "s3dg"),
    ),
)
def test_dropout_keeps_the_share_asked_for_and_scales_it_up(name, importer, graph):
    net, keep = slim.lookup("net", name), v1.placeholder_with_default(0.25, [])
    scope, kwargs = {}, {"dropout_keep_prob": keep}
    if name.startswith(("mobilenet_v2", "mobilenet_v3")):
        scope, kwargs = kwargs, {}
    elif name == "nasnet_cifar":
        config = importer("nasnet.nasnet.cifar_config")()
        config.num_cells, config.drop_path_keep_prob = 3, 1.0
        config.dense_dropout_keep_prob = keep
        kwargs = {"config": config}
    elif name == "vgg_a":
        kwargs["fc_conv_padding"] = "SAME"
    v1.set_random_seed(0)
    inputs = tf.constant(images(*SMALLEST.get(name, [2, 32, 32, 3])))
    with slim.arg_scope(net.arg_scope(**scope)):
        net(inputs, num_classes=CLASSES, is_training=True, **kwargs)
    # The layer after the first dropout.
    after = {"cifarnet": "fc4/", "alexnet_v2": "fc7/", "overfeat": "fc7/", "vgg_a": "fc7/"}
    (dropped,) = (
        op.inputs[0]
        for op in graph.get_operations()
        if op.type in ("Conv2D", "MatMul", "Conv3D")
        and (after[name] in op.name if name in after else op.outputs[0].shape[-1] == CLASSES)
        and "AuxLogits" not in op.name
        and "aux_logits" not in op.name
    )
    with v1.Session() as session:
        session.run(v1.global_variables_initializer())
        whole = session.run(dropped, {keep: 1.0}).ravel()
        for share in (0.25, 0.8):
            got = session.run(dropped, {keep: share}).ravel()
            kept = got[whole != 0] != 0
            np.testing.assert_allclose(
                got[got != 0], whole[got != 0] / share, rtol=1e-3, atol=1e-3 * whole.max()
            )
            spread = np.sqrt(share * (1 - share) / kept.size)
            np.testing.assert_allclose(kept.mean(), share, 0, 5 * spread)


@pytest.mark.parametrize(
    "name",
    classifiers(
        *("inception_v1", "inception_v2", "inception_v3", "inception_v4", "inception_resnet_v2"),
        *("mobilenet_v1_025", "mobilenet_v2_035", "mobilenet_v3_small", "resnet_v1_50"),
        *("resnet_v2_50", "vgg_a", "i3d", "s3dg"),
    ),
)
def test_a_network_is_reused_under_its_own_scope(name, graph):
    net = slim.lookup("net", name)
    shape = SMALLEST.get(name, [1, 32, 32, 3])
    kwargs = {"fc_conv_padding": "SAME"} if name == "vgg_a" else {}
    kwargs |= {"num_classes": 3, "is_training": False, "scope": "mine"}
    inputs = v1.placeholder(tf.float32, shape)
    with slim.arg_scope(net.arg_scope()):
        with pytest.raises(ValueError, match="does not exist"):
            net(inputs, reuse=True, **kwargs)
        net(inputs, **kwargs)
        made = [v.name for v in v1.global_variables()]
        assert all(n.startswith("mine/") for n in made)
        net(inputs, reuse=True, **kwargs)
    assert [v.name for v in v1.global_variables()] == made


@pytest.mark.parametrize("name", ["lenet", "cifarnet", "alexnet_v2"])
def test_a_network_without_reuse_has_its_own_scope_too(name, graph):
    net = slim.lookup("net", name)
    inputs = v1.placeholder(tf.float32, SMALLEST.get(name, [1, 32, 32, 3]))
    net(inputs, num_classes=3, scope="mine")
    assert all(v.name.startswith("mine/") for v in v1.global_variables())


@pytest.mark.parametrize(
    "name, shape, last, layer",
    [
        ("inception_v1", [1, 70, 64, 3], "Mixed_5c", "InceptionV1/Logits/Conv2d_0c_1x1"),
        pytest.param(
            *("inception_v2", [1, 70, 64, 3], "Mixed_5c", "InceptionV2/Logits/Conv2d_1c_1x1"),
            marks=pytest.mark.slow,
        ),
        pytest.param(
            *("inception_v3", [1, 107, 140, 3], "Mixed_7c", "InceptionV3/Logits/Conv2d_1c_1x1"),
            marks=pytest.mark.slow,
        ),
        (
            *("mobilenet_v1_025", [1, 70, 64, 3]),
            *("Conv2d_13_pointwise", "MobilenetV1/Logits/Conv2d_1c_1x1"),
        ),
        pytest.param(
            *("alexnet_v2", [1, 260, 195, 3], "alexnet_v2/fc7", "alexnet_v2/fc8"),
            marks=pytest.mark.slow,
        ),
    ],
)
def test_a_global_pool_is_the_mean_of_all_positions(name, shape, last, layer, evaluated):
    net = slim.lookup("net", name)
    narrow = {"depth_multiplier": 0.1} if name in ("inception_v2", "inception_v3") else {}
    picture = images(*shape)
    model = evaluated(net, picture, num_classes=4, is_training=False, global_pool=True, **narrow)
    logits, ends = model(picture, num_classes=4, is_training=False, global_pool=True, **narrow)
    pooled = ends[last].numpy().mean((1, 2))
    assert_same(ends["global_pool"][:, 0, 0], pooled)
    values = model.named_variables
    expected = pooled @ values[f"{layer}/weights"].numpy()[0, 0] + values[f"{layer}/biases"].numpy()
    assert_same(logits, expected)


@pytest.mark.parametrize(
    "name, squeeze",
    [
        *((n, {"spatial_squeeze": False}) for n in ("mobilenet_v1_025", "i3d", "s3dg")),
        *((n, {}) for n in ("lenet", "cifarnet", "mobilenet_v2_035", "mobilenet_v3_small")),
    ],
)
@pytest.mark.parametrize("prediction", [tf.sigmoid, tf.nn.log_softmax])
def test_predictions_are_what_a_function_makes_of_the_logits(name, squeeze, prediction):
    net, scopes = slim.lookup("net", name), []

    def prediction_fn(logits, scope):
        scopes.append(scope)
        return prediction(logits)

    shape = [1, 4, 32, 32, 3] if name in ("i3d", "s3dg") else [2, 32, 32, 3]
    model = slim.Module(
        net, num_classes=3, is_training=False, prediction_fn=prediction_fn, **squeeze
    )
    logits, ends = model(images(*shape))
    assert logits.shape == ((shape[0], 1, 1, 3) if squeeze else (shape[0], 3))
    np.testing.assert_allclose(ends["Predictions"], prediction(logits), rtol=1e-5)
    assert scopes[-1] == "Predictions"


@pytest.mark.parametrize("name", ["mobilenet_v2_035", "mobilenet_v3_small"])
def test_a_mobilenet_takes_a_function_of_tensorflow_for_its_predictions(name):
    model = slim.Module(slim.lookup("net", name), num_classes=3, prediction_fn=tf.sigmoid)
    logits, ends = model(images(1, 32, 32, 3))
    np.testing.assert_allclose(ends["Predictions"], tf.sigmoid(logits), rtol=1e-5)


# Inception.


def test_the_scope_of_inception_sets_activation_gamma_and_collections(importer, graph):
    inputs = v1.placeholder(tf.float32, [1, 32, 32, 3])
    scope = importer("inception_utils.inception_arg_scope")(
        activation_fn=tf.nn.elu, batch_norm_scale=True, batch_norm_updates_collections="updates"
    )
    with slim.arg_scope(scope):
        importer("inception_v1.inception_v1_base")(inputs, final_endpoint="Conv2d_2c_3x3")
    assert sum(v.op.name.endswith("gamma") for v in v1.global_variables()) == 3
    assert len(v1.get_collection("updates")) == 6
    assert not v1.get_collection("update_ops")
    types = [op.type for op in graph.get_operations()]
    assert (types.count("Elu"), types.count("Relu")) == (3, 0)


def test_inception_v2_with_a_full_first_convolution_is_the_same_in_either_format(
    importer, evaluated
):
    def build(inputs, data_format):
        with slim.arg_scope(importer("inception_v2.inception_v2_arg_scope")()):
            return importer("inception_v2.inception_v2_base")(
                inputs,
                use_separable_conv=False,
                data_format=data_format,
                depth_multiplier=0.2,
                final_endpoint="Mixed_4b",
            )

    picture = images(2, 50, 41, 3)
    last = evaluated(build, picture, data_format="NHWC")
    first = evaluated(build, picture.transpose(0, 3, 1, 2), data_format="NCHW")
    assert last.named_variables["InceptionV2/Conv2d_1a_7x7/weights"].shape == (7, 7, 3, 16)
    _, expected = last(picture, "NHWC")
    _, ends = first(picture.transpose(0, 3, 1, 2), "NCHW")
    assert ends.keys() == expected.keys()
    for name, end in ends.items():
        assert_same(tf.transpose(end, [0, 2, 3, 1]), expected[name], name)


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_inception_without_its_root_is_what_follows_the_root(version, importer, evaluated):
    base = importer(f"inception_{version}.inception_{version}_base")
    kwargs = {"final_endpoint": "Mixed_3c"}
    picture = images(1, 40, 33, 3)
    _, ends = evaluated(base, picture, **kwargs)(picture, **kwargs)
    kwargs["include_root_block"] = False
    root = ends["MaxPool_3a_3x3"].numpy()
    net, rest = evaluated(base, root, **kwargs)(root, **kwargs)
    assert list(rest) == ["Mixed_3b", "Mixed_3c"]
    assert_same(net, ends["Mixed_3c"])


@pytest.mark.slow
def test_with_holes_a_map_of_inception_resnet_v2_holds_the_smaller_one(importer, evaluated):
    base = importer("inception_resnet_v2.inception_resnet_v2_base")
    kwargs = {"final_endpoint": "PreAuxLogits", "align_feature_maps": True}
    picture = images(1, 65, 49, 3)
    model = evaluated(base, picture, **kwargs)
    own, _ = model(picture, **kwargs)
    dense, _ = model(picture, output_stride=8, **kwargs)
    assert (own.shape[1:3], dense.shape[1:3]) == ((5, 4), (9, 7))
    assert_same(dense[:, ::2, ::2], own)


@pytest.mark.parametrize("block", ["block35", "block17", "block8"])
@pytest.mark.parametrize(
    "activation, most", [(tf.nn.relu6, 6), (tf.nn.relu, np.inf), (None, np.inf)]
)
def test_a_residual_inception_block_with_relu6_bounds_what_it_adds(
    block, activation, most, importer, evaluated
):
    def build(net, scale, activation_fn):
        return importer(f"inception_resnet_v2.{block}")(net, scale, activation_fn, scope="block")

    net = 4 * images(1, 5, 5, 16)
    model = evaluated(build, net, scale=1.0, activation_fn=None)
    up = model(net, 1.0, None) - net
    expected = net + np.clip(5 * up, -most, most)
    assert np.abs(5 * up).max() > 6
    if activation:
        expected = np.clip(expected, 0, most)
    assert_same(model(net, 5.0, activation), expected)


@pytest.mark.parametrize("name", ["inception_v4", "inception_resnet_v2"])
@pytest.mark.slow
def test_the_second_classifier_of_later_inceptions_can_be_left_out(name, graph):
    inputs = v1.placeholder(tf.float32, [1, 107, 107, 3])
    _, ends = slim.lookup("net", name)(inputs, 3, is_training=False, create_aux_logits=False)
    assert "AuxLogits" not in ends
    assert not any("AuxLogits" in v.op.name for v in v1.global_variables())


# ResNets.


@pytest.mark.parametrize("version", ["resnet_v1", "resnet_v2"])
@pytest.mark.parametrize("training", [True, False])
def test_a_resnet_that_is_not_told_trains_as_the_scope_around_says(
    version, training, importer, graph
):
    net = importer(f"{version}.{version}")
    blocks = [importer(f"{version}.{version}_block")("block1", 4, 2, 2)]
    inputs = tf.constant(images(4, 16, 16, 3))
    with slim.arg_scope(importer("resnet_utils.resnet_arg_scope")()):
        with slim.arg_scope([slim.batch_norm], is_training=training):
            told, _ = net(inputs, blocks, is_training=None, scope="net")
        moves = bool(v1.get_collection("update_ops"))
        expected, _ = net(inputs, blocks, is_training=training, scope="net", reuse=True)
    with v1.Session() as session:
        session.run(v1.global_variables_initializer())
        np.testing.assert_allclose(*session.run([told, expected]), rtol=1e-5, atol=1e-5)
    assert moves == training


# MobileNets.

MOBILENETS = {
    "v1": ("mobilenet_v1.mobilenet_v1_base", {"depth_multiplier": 0.25}),
    "v2": (
        "mobilenet.mobilenet_v2.mobilenet_base",
        {"depth_multiplier": 0.35, "is_training": False},
    ),
    "v3": (
        "mobilenet.mobilenet_v3.small",
        {"base_only": True, "final_endpoint": "layer_12", "is_training": False},
    ),
}


@pytest.mark.parametrize("output_stride", [8, 16])
@pytest.mark.parametrize("explicit", [False, True])
@pytest.mark.parametrize("version", ["v1", pytest.param("v2", marks=pytest.mark.slow)])
def test_with_holes_a_map_of_a_mobilenet_holds_the_smaller_one(
    version, explicit, output_stride, importer, evaluated
):
    path, kwargs = MOBILENETS[version]
    kwargs = {**kwargs, "use_explicit_padding": explicit}
    picture = images(1, 65, 97, 3)
    model = evaluated(importer(path), picture, **kwargs)
    own, _ = model(picture, **kwargs)
    dense, _ = model(picture, output_stride=output_stride, **kwargs)
    step = 32 // output_stride
    assert dense.shape[1:3] == (64 // output_stride + 1, 96 // output_stride + 1)
    assert_same(dense[:, ::step, ::step], own)


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_explicit_padding_is_that_of_odd_maps(version, importer, evaluated):
    path, kwargs = MOBILENETS[version]
    odd, even = images(1, 65, 33, 3), images(1, 64, 32, 3)
    model = evaluated(importer(path), odd, **kwargs)
    same, _ = model(odd, **kwargs)
    explicit, _ = model(odd, use_explicit_padding=True, **kwargs)
    assert_same(explicit, same)
    # An even map is padded above and left of it, not only below and right.
    end = {"v1": "Conv2d_0", "v2": "layer_1"}[version]
    _, ends = model(even, use_explicit_padding=True, **kwargs)
    _, padded = model(np.pad(even, [[0, 0], [0, 1], [0, 1], [0, 0]]), **kwargs)
    assert_same(ends[end], padded[end][:, :-1, :-1])


def test_a_block_of_mobilenet_v3_is_applied_to_the_padded_map(importer, evaluated):
    small = importer("mobilenet.mobilenet_v3.small")
    row = importer("mobilenet.mobilenet_v3.V3_SMALL")["spec"][1]
    kwargs = {"base_only": True, "final_endpoint": "layer_2", "is_training": False}
    picture = images(1, 20, 17, 3)
    model = evaluated(small, picture, use_explicit_padding=True, **kwargs)
    net, ends = model(picture, use_explicit_padding=True, **kwargs)

    def block(net):
        defaults = importer("mobilenet.mobilenet_v3.DEFAULTS").items()
        with v1.variable_scope("MobilenetV3"):
            scopes = [slim.arg_scope(list(layers), **given) for layers, given in defaults]
            with scopes[0], scopes[1], scopes[2]:
                return row.op(net, **row.params)

    padded = np.pad(ends["layer_1"], [[0, 0], [1, 1], [1, 1], [0, 0]])
    assert_same(net, evaluated(block, padded)(padded))


@pytest.mark.parametrize(
    "multiplier, min_depth, divisible_by", [(0.3, None, None), (0.3, 24, None), (1.7, 4, 4)]
)
def test_the_widths_of_mobilenet_v2_are_multiples(
    multiplier, min_depth, divisible_by, importer, graph
):
    base = importer("mobilenet.mobilenet_v2.mobilenet_base")
    given = {"min_depth": min_depth, "divisible_by": divisible_by}
    _, ends = base(v1.placeholder(tf.float32, [1, 32, 32, 3]), multiplier, **given)
    widths = [32, 16, 24, 24, 32, 32, 32, *[64] * 4, *[96] * 3, *[160] * 3, 320, 1280]
    step, least = divisible_by or 8, min_depth or 8
    for number, width in enumerate(widths, start=1):
        wanted = width * multiplier
        nearest = max(least, step * int(wanted / step + 0.5))
        expected = nearest + step * (nearest < 0.9 * wanted)
        assert ends[f"layer_{number}"].shape[-1] == expected


@pytest.mark.parametrize("multiplier, min_depth", [(0.1, 8), (0.1, 20), (1.3, 8)])
def test_the_widths_of_mobilenet_v1_are_cut_off(multiplier, min_depth, importer, graph):
    base = importer("mobilenet_v1.mobilenet_v1_base")
    _, ends = base(
        v1.placeholder(tf.float32, [1, 32, 32, 3]),
        depth_multiplier=multiplier,
        min_depth=min_depth,
    )
    widths = [64, 128, 128, 256, 256, *[512] * 6, 1024, 1024]
    for number, width in enumerate(widths, start=1):
        expected = max(min_depth, int(width * multiplier))
        assert ends[f"Conv2d_{number}_pointwise"].shape[-1] == expected


def test_a_table_of_mobilenet_v1_is_what_its_rows_say(importer, evaluated):
    conv, separable = (importer(f"mobilenet_v1.{n}") for n in ("Conv", "DepthSepConv"))
    base = importer("mobilenet_v1.mobilenet_v1_base")
    rows = [conv([5, 3], 1, 8), separable([3, 5], 3, 10)]
    kwargs = {"conv_defs": rows, "final_endpoint": "Conv2d_1_pointwise"}
    picture = images(1, 12, 11, 3)
    model = evaluated(base, picture, **kwargs)
    values = {n.removeprefix("MobilenetV1/"): v for n, v in model.named_variables.items()}
    net = tf.nn.conv2d(picture, values["Conv2d_0/weights"], 1, "SAME")
    net = tf.nn.relu(net + values["Conv2d_0/biases"])
    kernel = values["Conv2d_1_depthwise/depthwise_weights"]
    assert kernel.shape == (3, 5, 8, 1)
    net = tf.nn.depthwise_conv2d(net, kernel, [1, 3, 3, 1], "SAME")
    net = tf.nn.relu(net + values["Conv2d_1_depthwise/biases"])
    net = tf.nn.conv2d(net, values["Conv2d_1_pointwise/weights"], 1, "SAME")
    expected = tf.nn.relu(net + values["Conv2d_1_pointwise/biases"])
    assert_same(model(picture, **kwargs)[0], expected)


@pytest.mark.parametrize(
    "options, losses, missing",
    [
        ({}, 2, "biases"),
        ({"regularize_depthwise": True}, 3, "biases"),
        ({"normalizer_fn": None}, 2, "BatchNorm"),
    ],
)
def test_the_scope_of_mobilenet_v1_decays_and_normalizes(options, losses, missing, importer, graph):
    with slim.arg_scope(importer("mobilenet_v1.mobilenet_v1_arg_scope")(**options)):
        importer("mobilenet_v1.mobilenet_v1_base")(
            v1.placeholder(tf.float32, [1, 8, 8, 3]), "Conv2d_1_pointwise"
        )
    assert len(v1.get_collection("regularization_losses")) == losses
    assert not any(missing in v.op.name for v in v1.global_variables())


@pytest.mark.parametrize("stddev", [0.01, 0.3, -1])
def test_weights_of_a_mobilenet_start_as_the_scope_says(stddev, importer):
    net = importer("mobilenet.mobilenet_v2.mobilenet_base")

    def build(inputs):
        with slim.arg_scope(importer("mobilenet.mobilenet_v2.training_scope")(stddev=stddev)):
            return net(inputs, final_endpoint="layer_1")

    model = slim.Module(build)
    model(images(1, 8, 8, 3))
    (value,) = (v.numpy() for n, v in model.named_variables.items() if n.endswith("weights"))
    # Xavier's weights are uniform; others are drawn again beyond two deviations.
    limit = np.sqrt(6 / (9 * 3 + 9 * 32)) if stddev < 0 else 2 * stddev
    expected = limit / np.sqrt(3) if stddev < 0 else 0.8796 * stddev
    assert np.abs(value).max() <= limit
    np.testing.assert_allclose(value.std(), expected, rtol=0.1)


def test_overrides_of_a_table_win_over_its_defaults(importer, graph):
    table = dict(importer("mobilenet.mobilenet_v2.V2_DEF"))
    table["overrides"] = {(slim.conv2d,): {"activation_fn": tf.nn.elu}}
    importer("mobilenet.mobilenet_v2.mobilenet_base")(
        v1.placeholder(tf.float32, [1, 16, 16, 3]), conv_defs=table, final_endpoint="layer_3"
    )
    types = [op.type for op in graph.get_operations()]
    # The first convolution and one expansion; two depthwise ones have the table's.
    assert (types.count("Elu"), types.count("Relu6")) == (2, 2)


@pytest.mark.parametrize("mean", [True, False])
def test_the_pool_of_a_mobilenet_can_be_a_mean(mean, evaluated):
    kwargs = {"num_classes": 0, "is_training": False, "use_reduce_mean_for_pooling": mean}
    net, picture = slim.nets.mobilenet_v2_035, images(1, 70, 40, 3)
    features, ends = evaluated(net, picture, **kwargs)(picture, **kwargs)
    assert_same(features[:, 0, 0], ends["layer_19"].numpy().mean((1, 2)))


def test_activations_of_an_expanded_convolution(importer, evaluated):
    expanded = importer("mobilenet.conv_blocks.expanded_conv")

    def expand(net, num_outputs, scope, normalizer_fn):
        return slim.conv2d(net, num_outputs, [1, 1], normalizer_fn=normalizer_fn, scope=scope)

    def build(net):
        return expanded(
            net,
            4,
            expansion_size=8,
            kernel_size=(3, 5),
            rate=2,
            depthwise_channel_multiplier=2,
            inner_activation_fn=tf.nn.elu,
            depthwise_activation_fn=tf.tanh,
            project_activation_fn=tf.nn.relu6,
            expansion_fn=expand,
        )

    net = images(1, 6, 7, 4)
    model = evaluated(build, net)
    values = {n.removeprefix("expanded_conv/"): v for n, v in model.named_variables.items()}
    inner = tf.nn.conv2d(net, values["expand/weights"], 1, "SAME") + values["expand/biases"]
    kernel = values["depthwise/depthwise_weights"]
    inner = tf.nn.depthwise_conv2d(tf.nn.elu(inner), kernel, [1] * 4, "SAME", dilations=[2, 2])
    inner = tf.tanh(inner + values["depthwise/biases"])
    projected = tf.nn.conv2d(inner, values["project/weights"], 1, "SAME")
    assert_same(model(net), net + tf.nn.relu6(projected + values["project/biases"]))


# Videos.


@pytest.mark.slow
def test_s3dg_gives_the_same_in_either_format(evaluated):
    kwargs = {"num_classes": 3, "depth_multiplier": 0.2, "min_depth": 8, "is_training": False}
    video = images(1, 5, 40, 33, 3)
    net = slim.nets.s3dg
    logits, ends = evaluated(net, video, **kwargs)(video, **kwargs)
    kwargs["data_format"] = "NCDHW"
    first, first_ends = evaluated(net, video, **kwargs)(video, **kwargs)
    assert_same(first, logits)
    assert_same(tf.transpose(first_ends["Mixed_3b"], [0, 2, 3, 4, 1]), ends["Mixed_3b"])
    widths = (64, 128, 32, 32)
    assert ends["Mixed_3b"].shape[-1] == sum(max(8, int(0.2 * width)) for width in widths)


@pytest.mark.parametrize("frames", [1, 5])
def test_the_first_kernel_of_s3dg_sees_so_many_frames(frames, importer, evaluated):
    base = importer("s3dg.s3dg_base")
    kwargs = {"first_temporal_kernel_size": frames, "final_endpoint": "Conv2d_1a_7x7"}
    video = images(1, 6, 9, 8, 3)
    model = evaluated(base, video, **kwargs)
    values = model.named_variables
    kernel = values["InceptionV1/Conv2d_1a_7x7/weights"]
    assert kernel.shape == (frames, 7, 7, 3, 64)
    expected = tf.nn.conv3d(video, kernel, [1, 2, 2, 2, 1], "SAME")
    expected = tf.nn.relu(expected + values["InceptionV1/Conv2d_1a_7x7/biases"])
    assert_same(model(video, **kwargs)[0], expected)


@pytest.mark.parametrize("separable, renorm", [(True, False), (False, True)])
def test_the_scope_of_i3d_separates_kernels_and_corrects_norms(separable, renorm, importer, graph):
    scope = importer("i3d.i3d_arg_scope")(separable_conv3d=separable, use_renorm=renorm)
    with slim.arg_scope(scope):
        importer("i3d.i3d_base")(
            v1.placeholder(tf.float32, [1, 4, 16, 16, 3]), final_endpoint="Mixed_3b"
        )
    names = [v.op.name for v in v1.global_variables()]
    apart = ["Conv2d_1a_7x7", "Conv2d_2c_3x3"]
    apart += [f"Mixed_3b/Branch_{n}/Conv2d_0b_3x3" for n in (1, 2)]
    expected = {f"InceptionV1/{n}/temporal/weights" for n in apart} if separable else set()
    assert {n for n in names if "temporal/weights" in n} == expected
    assert any("renorm_mean" in n for n in names) == renorm
