"""Options of the networks of research/slim, against formulas and the recorded networks."""

import json
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

import slimcore as slim
from slimcore.errors import InputError, ShapeError

v1 = tf.compat.v1


def images(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


# Heads.


@pytest.mark.parametrize("size, positions", [(224, 1), (288, 2), (352, 3)])
def test_the_pool_of_a_map_of_logits_takes_every_second_window(size, positions, graph):
    inputs = v1.placeholder(tf.float32, [1, size, size, 3])
    logits, ends = slim.nets.mobilenet_v1_025(inputs, 3, is_training=False, spatial_squeeze=False)
    assert logits.shape.as_list() == [1, positions, positions, 3]
    assert (size // 32 - 7) // 2 + 1 == positions
    assert ends["AvgPool_1a"].op.get_attr("strides") == [1, 2, 2, 1]


def test_a_map_that_is_not_square_is_averaged_over_windows(importer):
    reduce = importer("mobilenet.mobilenet_v3.reduce_to_1x1")
    net = images(1, 9, 8, 2)
    pooled = reduce(net, default_size=7, stride=1, padding="VALID")
    windows = [[net[0, y : y + 7, x : x + 7].mean((0, 1)) for x in range(2)] for y in range(3)]
    np.testing.assert_allclose(pooled[0], windows, atol=1e-5)
    whole = reduce(net[:, :8], default_size=7, stride=1, padding="VALID")
    np.testing.assert_allclose(whole[0, 0, 0], net[0, :8].mean((0, 1)), atol=1e-5)
    assert reduce(net[:, :3], stride=1, padding="VALID").shape == (1, 1, 2, 2)


def test_a_global_pool_of_another_kind_needs_a_map_of_known_size(importer, graph):
    pool = importer("mobilenet.mobilenet.global_pool")
    known = pool(tf.constant(images(1, 4, 5, 2)), pool_op=tf.nn.max_pool2d)
    assert known.op.type == "MaxPool"
    assert known.shape.as_list() == [1, 1, 1, 2]
    with pytest.raises(ShapeError, match="height and width are known"):
        pool(v1.placeholder(tf.float32, [1, None, 5, 2]), pool_op=tf.nn.max_pool2d)


# MobileNets.


def test_explicit_padding_of_mobilenet_v3_comes_before_each_block(graph, importer):
    net = importer("mobilenet.mobilenet_v3.small_minimalistic")
    _, ends = net(
        v1.placeholder(tf.float32, [1, 64, 64, 3]),
        use_explicit_padding=True,
        base_only=True,
        final_endpoint="layer_6",
    )
    sizes, size = [32], 32
    for stride in (2, 2, 1, 2, 1):
        size = -(-(size + 2) // stride)  # two more by the padding, then as with "SAME"
        sizes.append(size)
    assert [ends[f"layer_{n}"].shape[1] for n in range(1, 7)] == sizes


@pytest.mark.parametrize("groups", [4, None])
def test_groups_reach_the_normalization(groups, importer):
    wanted = {} if groups is None else {"groups": groups}

    def v2(net):
        base = importer("mobilenet.mobilenet_v2.mobilenet_base_group_norm")
        return base(net, final_endpoint="layer_1", **wanted)[0]

    def v3(net):
        edge_tpu = importer("mobilenet.mobilenet_v3.edge_tpu")
        return edge_tpu(
            net, use_groupnorm=True, base_only=True, final_endpoint="layer_1", **wanted
        )[0]

    net = images(2, 8, 8, 3)
    for function, most in ((v2, 6), (v3, np.inf)):
        model = slim.Module(function)
        got = model(net)
        (weights,) = (v for v in model.variables if v.name.endswith("Conv/weights:0"))
        maps = tf.nn.conv2d(net, weights, 2, "SAME").numpy()
        parts = maps.reshape(2, 4, 4, groups or 8, -1)
        mean = parts.mean((1, 2, 4), keepdims=True)
        variance = parts.var((1, 2, 4), keepdims=True)
        expected = ((parts - mean) / np.sqrt(variance + 1e-6)).reshape(maps.shape)
        np.testing.assert_allclose(got, np.clip(expected, 0, most), atol=1e-3)


@pytest.mark.parametrize(
    "channels, ways, expected", [(72, 4, [24, 16, 16, 16]), (40, 3, [16, 16, 8]), (64, 2, [32, 32])]
)
def test_channels_are_split_evenly_into_multiples(channels, ways, expected, importer, graph):
    split = importer("mobilenet.conv_blocks.split_conv")
    out = split(v1.placeholder(tf.float32, [1, 2, 2, channels]), 64, ways, scope="expand")
    shapes = [v.shape.as_list() for v in v1.global_variables() if "weights" in v.name]
    assert [shape[2] for shape in shapes] == expected
    assert out.shape[-1] == 64


@pytest.mark.parametrize(
    "scope, expected",
    [("Conv2d_3", ("Conv2d_3_depthwise", "Conv2d_3_pointwise")), (None, ("separable/depthwise",))],
)
def test_split_separable_convolutions_have_the_names_of_mobilenet_v1(
    scope, expected, importer, graph
):
    conv = importer("mobilenet.conv_blocks.split_separable_conv2d")
    conv(v1.placeholder(tf.float32, [1, 8, 8, 4]), 6, scope=scope)
    names = {v.op.name.rpartition("/")[0] for v in v1.global_variables()}
    assert set(expected) <= names


def test_local_squeeze_and_excite_spreads_the_gates_of_windows_over_the_map(importer):
    excite = importer("mobilenet.conv_blocks.squeeze_excite")
    net = np.abs(images(1, 6, 6, 8)) + 0.1
    model = slim.Module(lambda x: excite(x, pool=3))
    gates = model(net) / net
    values = {n: v.numpy() for n, v in model.named_variables.items()}
    pooled = net.reshape(2, 3, 2, 3, 8).mean((1, 3))
    inner = np.maximum(pooled @ values["squeeze_excite/Conv/weights"][0, 0], 0)
    logits = inner @ values["squeeze_excite/Conv_1/weights"][0, 0]
    corners = 1 / (1 + np.exp(-logits))
    np.testing.assert_allclose(gates[0, ::5, ::5], corners, rtol=1e-4)
    # Between the corners, evenly: a fifth of the way at each step.
    between = 0.8 * corners[0, 0] + 0.2 * corners[0, 1]
    np.testing.assert_allclose(gates[0, 0, 1], between, rtol=1e-4)


def test_a_fused_expansion_keeps_the_stride_that_is_left_to_it(importer, graph):
    net = importer("mobilenet.mobilenet_v3.edge_tpu")
    inputs = v1.placeholder(tf.float32, [1, 32, 32, 3])
    for stride, size in ((None, 4), (4, 8)):
        out, _ = net(
            inputs,
            base_only=True,
            final_endpoint="layer_7",
            output_stride=stride,
            scope=f"net{stride}",
        )
        assert out.shape[1] == size


def test_mobilenet_v3_takes_the_multiplier_by_its_own_name(graph):
    with pytest.raises(InputError, match="depth_multiplier, not multiplier"):
        slim.nets.mobilenet_v3_small(v1.placeholder(tf.float32, [1, 32, 32, 3]), multiplier=0.5)


@pytest.mark.parametrize(
    "table, outputs, last",
    [
        (
            "V3_LARGE_DETECTION",
            [16, 16, 24, 24, 40, 40, 40, 80, 80, 80, 80, 112, 112, 80, 80, 80],
            [480, None, 1280],
        ),
        ("V3_SMALL_DETECTION", [16, 16, 24, 24, 40, 40, 40, 48, 48, 48, 48, 48], [288, None, 1024]),
    ],
)
def test_the_tables_for_detection_are_half_as_wide_at_the_end(
    table, outputs, last, importer, graph
):
    conv_defs = importer(f"mobilenet.mobilenet_v3.{table}")
    assert [row.params.get("num_outputs") for row in conv_defs["spec"]] == outputs + last
    net, ends = importer("mobilenet.mobilenet_v3.mobilenet")(
        v1.placeholder(tf.float32, [1, 64, 64, 3]), base_only=True, conv_defs=conv_defs
    )
    assert ends[f"layer_{len(outputs)}"].shape.as_list() == [1, 2, 2, outputs[-1]]
    assert net.shape.as_list() == [1, 1, 1, last[-1]]


def test_an_activation_can_be_set_by_a_scope(importer):
    apply = importer("mobilenet.mobilenet.apply_activation")
    net = tf.constant([-1.0, 2.0])
    assert apply(net) is net
    with slim.arg_scope([apply], activation_fn=tf.nn.relu):
        np.testing.assert_array_equal(apply(net), [0, 2])


# Inception v4.


@pytest.mark.parametrize(
    "block, there, shape, size",
    [
        ("block_inception_a", "Mixed_5b", [1, 9, 9, 384], 9),
        ("block_reduction_a", "Mixed_6a", [1, 9, 9, 384], 4),
        ("block_inception_b", "Mixed_6b", [1, 9, 9, 1024], 9),
        ("block_reduction_b", "Mixed_7a", [1, 9, 9, 1024], 4),
        ("block_inception_c", "Mixed_7b", [1, 5, 5, 1536], 5),
    ],
)
def test_a_block_of_inception_v4_has_the_variables_of_the_recorded_network(
    block, there, shape, size, importer, graph
):
    net = importer(f"inception_v4.{block}")(v1.placeholder(tf.float32, shape), scope="block")
    recorded = json.loads(
        Path(__file__).with_name("reference").joinpath("inception_v4.json").read_text("utf-8")
    )["variables"]
    prefix = f"InceptionV4/{there}/"
    expected = {
        n.replace(prefix, "block/"): s
        for n, s, *_ in recorded
        if n.startswith(prefix) and n.endswith("weights")
    }
    made = {v.op.name: v.shape.as_list() for v in v1.global_variables()}
    assert {n: s for n, s in made.items() if n.endswith("weights")} == expected
    wider = {"block_inception_a": 384, "block_reduction_a": 1024, "block_inception_b": 1024}
    assert net.shape.as_list() == [1, size, size, wider.get(block, 1536)]


# NASNets.


@pytest.fixture
def cell(importer):
    """Applies one operation of a bounded cell to a map."""
    utils = "nasnet.nasnet_utils"
    made = importer(f"{utils}.NasNetANormalCell")(
        4, 1.0, 2, total_training_steps=1, use_bounded_activation=True
    )

    def apply(net, operation, stride=1):
        axes = [importer(f"{utils}.{name}") for name in ("get_channel_index", "get_channel_dim")]
        with slim.arg_scope(axes, data_format="NHWC"):
            return made._apply(net, operation, stride, net.shape[-1])

    return lambda net, *args: slim.Module(apply)(net, *args)


def test_a_bounded_cell_bounds_what_it_passes_on_and_what_it_pools(cell):
    net = tf.constant(5 * images(1, 4, 4, 3))
    bounded = np.clip(net, 0, 6)
    np.testing.assert_array_equal(cell(net, "none"), bounded)
    pooled = tf.nn.max_pool2d(bounded, 3, 1, "SAME")
    np.testing.assert_array_equal(cell(net, "max_pool_3x3"), pooled)
    averaged = tf.nn.avg_pool2d(bounded, 3, 2, "SAME")
    np.testing.assert_allclose(cell(net, "avg_pool_3x3", 2), averaged, rtol=1e-5)


def test_a_nasnet_without_a_data_format_says_so(importer):
    with pytest.raises(InputError, match="data_format='null'; pass 'NHWC' or 'NCHW'"):
        importer("nasnet.nasnet_utils.global_avg_pool")(images(1, 2, 2, 3))


# Translators.


def test_the_generator_of_pix2pix_drops_features_whatever_the_scope_around_says(importer):
    block = importer("pix2pix.Block")

    def build(net):
        with slim.arg_scope([slim.dropout], is_training=False):
            return slim.nets.pix2pix_generator(net, 2, blocks=[block(4, 0.5)] * 2)[0]

    model = slim.Module(build)
    net = images(1, 8, 8, 3)
    assert not np.array_equal(model(net), model(net))


def test_the_only_block_of_a_generator_is_activated(importer):
    block = importer("pix2pix.Block")
    model = slim.Module(slim.nets.pix2pix_generator, num_outputs=2, blocks=[block(64, 0)])
    _, ends = model(images(1, 8, 8, 3))
    # A leaky ReLU keeps a fifth of what is negative.
    value = ends["encoder0"].numpy()
    assert -value[value < 0].mean() < 0.4 * value[value > 0].mean()


@pytest.mark.parametrize("kernel", [5, [3, 5], [4, 3]])
def test_cyclegan_takes_kernels_of_any_size(kernel):
    model = slim.Module(
        slim.nets.cyclegan_generator_resnet,
        kernel_size=kernel,
        num_resnet_blocks=1,
        num_filters=4,
    )
    net = images(1, 16, 24, 3)
    assert model(net)[0].shape == net.shape
    height, width = [kernel] * 2 if isinstance(kernel, int) else kernel
    shapes = {n: v.shape for n, v in model.named_variables.items()}
    assert shapes["encoder/Conv/weights"] == (height, width, 4, 8)
