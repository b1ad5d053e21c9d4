"""What the options of the networks do, beyond the recorded calls."""

import numpy as np
import pytest
import tensorflow as tf

import slimcore as slim

v1 = tf.compat.v1


def images(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def built(net, *args, **kwargs):
    with slim.arg_scope(net.arg_scope()):
        return net(*args, **kwargs)


def module(net, **defaults):
    return slim.Module(lambda *args, **kwargs: built(net, *args, **{**defaults, **kwargs}))


def assert_same(actual, expected, name):
    """Checks that two ways to compute a tensor agree, by its largest value: sums cancel."""
    atol = 1e-5 * np.abs(expected).max()
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=atol, err_msg=name)


def variable_names():
    return {v.op.name for v in v1.global_variables()}


# ResNets.


@pytest.fixture
def small_blocks(importer):
    """Three blocks of two units each, with strides 2, 2 and 1."""
    block = importer("resnet_v1.resnet_v1_block")
    return [block("block1", 4, 2, 2), block("block2", 8, 2, 2), block("block3", 8, 2, 1)]


def test_subsample_keeps_every_nth_position(importer):
    net = images(1, 4, 5, 2)
    np.testing.assert_array_equal(importer("resnet_utils.subsample")(net, 2), net[:, ::2, ::2])
    assert importer("resnet_utils.subsample")(net, 1) is net


@pytest.mark.parametrize("size", [6, 7])
def test_conv2d_same_is_a_dense_convolution_subsampled(size, importer):
    def both(net):
        with v1.variable_scope("", reuse=v1.AUTO_REUSE):
            strided = importer("resnet_utils.conv2d_same")(net, 3, 3, stride=2, scope="conv")
            dense = importer("resnet_utils.conv2d_same")(net, 3, 3, stride=1, scope="conv")
        return strided, dense

    strided, dense = slim.Module(both)(images(2, size, size, 2))
    np.testing.assert_allclose(strided, dense[:, ::2, ::2], atol=1e-5)


@pytest.mark.parametrize("version", ["resnet_v1", "resnet_v2"])
@pytest.mark.parametrize("squeeze", [True, False])
def test_resnets_can_put_channels_first(version, squeeze, small_blocks, importer):
    net = importer(f"{version}.{version}")
    layers = [slim.conv2d, slim.batch_norm, slim.max_pool2d]

    def resnet(inputs, data_format):
        with slim.arg_scope(net.arg_scope()), slim.arg_scope(layers, data_format=data_format):
            return net(inputs, small_blocks, 5, is_training=False, spatial_squeeze=squeeze)

    last, first = slim.Module(resnet), slim.Module(resnet)
    inputs = images(2, 33, 47, 3)
    expected, ends = last(inputs, "NHWC")
    inputs = inputs.transpose(0, 3, 1, 2)
    first(inputs, "NCHW")
    for name, variable in first.named_variables.items():
        variable.assign(last.named_variables[name])
    logits, first_ends = first(inputs, "NCHW")
    assert first_ends.keys() == ends.keys()
    for name, end in ends.items():
        end = end if end.shape.rank == 2 else tf.transpose(end, [0, 3, 1, 2])
        assert_same(first_ends[name], end, name)
    expected = expected if squeeze else tf.transpose(expected, [0, 3, 1, 2])
    assert_same(logits, expected, "logits")


@pytest.mark.parametrize("version", ["resnet_v1", "resnet_v2"])
@pytest.mark.parametrize("output_stride", [4, 8])
def test_with_holes_a_larger_map_holds_the_smaller_one(version, output_stride, importer):
    # DeepLab's point: dense features, subsampled, are those of the network at its own stride.
    block = importer(f"{version}.{version}_block")
    blocks = [block("block1", 4, 2, 2), block("block2", 8, 3, 2), block("block3", 8, 2, 1)]
    net = importer(f"{version}.{version}")
    model = module(net, blocks=blocks, global_pool=False, is_training=False)
    picture = images(1, 65, 65, 3)
    own, _ = model(picture)
    dense, _ = model(picture, output_stride=output_stride)
    step = 16 // output_stride
    assert dense.shape[1] == 64 // output_stride + 1
    np.testing.assert_allclose(dense[:, ::step, ::step], own, rtol=1e-4, atol=1e-4)


def test_without_a_root_block_the_input_is_a_map(small_blocks, importer):
    net = importer("resnet_v1.resnet_v1")
    model = module(net, blocks=small_blocks, include_root_block=False, global_pool=False)
    features, _ = model(images(1, 8, 8, 3))
    assert features.shape == (1, 2, 2, 32)
    assert not any("conv1/" in n and "unit" not in n for n in model.named_variables)
    assert model(images(1, 8, 8, 3), output_stride=2)[0].shape == (1, 4, 4, 32)


def test_end_points_of_blocks_can_be_those_before_the_stride(small_blocks, importer):
    net = importer("resnet_v1.resnet_v1")
    model = module(net, blocks=small_blocks, scope="net")
    picture = images(1, 33, 33, 3)
    _, ends = model(picture)
    _, dense = model(picture, store_non_strided_activations=True)
    assert ends["net/block1"].shape[1:3] == (5, 5)
    assert dense["net/block1"].shape[1:3] == (9, 9)
    assert dense["net/block3"].shape == ends["net/block3"].shape


def test_a_resnet_for_dense_prediction_keeps_a_map_of_logits(small_blocks, importer, graph):
    net = importer("resnet_v2.resnet_v2")
    inputs = v1.placeholder(tf.float32, [None, None, None, 3])
    logits, ends = built(
        net, inputs, small_blocks, 7, global_pool=False, output_stride=8, spatial_squeeze=False
    )
    assert logits.shape.as_list() == [None, None, None, 7]
    assert "global_pool" not in ends
    with v1.Session() as session:
        session.run(v1.global_variables_initializer())
        assert session.run(logits, {inputs: images(1, 41, 33, 3)}).shape == (1, 6, 5, 7)


def test_a_depth_multiplier_narrows_every_block_down_to_the_least_depth(graph):
    inputs = v1.placeholder(tf.float32, [1, 32, 32, 3])
    features, _ = built(slim.nets.resnet_v1_50, inputs, depth_multiplier=0.05, min_base_depth=8)
    shapes = {v.op.name: v.shape.as_list() for v in v1.trainable_variables()}
    unit = "resnet_v1_50/block{}/unit_1/bottleneck_v1/conv1/weights"
    assert shapes[unit.format(1)][-1] == 8
    assert shapes[unit.format(4)][-1] == int(512 * 0.05)
    assert features.shape[-1] == 4 * 25


def test_bounded_activations_stay_within_6(importer):
    bottleneck = importer("resnet_v1.bottleneck")
    model = slim.Module(lambda x: bottleneck(x, 8, 2, stride=1, use_bounded_activations=True))
    output = model(1000 * images(1, 4, 4, 3))
    assert np.max(output) == 6
    assert np.min(output) >= 0


@pytest.mark.parametrize(
    "options, missing",
    [({"use_batch_norm": False}, "BatchNorm"), ({"batch_norm_scale": False}, "gamma")],
)
def test_the_scope_of_resnets_leaves_out_what_is_not_wanted(
    options, missing, small_blocks, importer, graph
):
    with slim.arg_scope(importer("resnet_utils.resnet_arg_scope")(**options)):
        importer("resnet_v1.resnet_v1")(v1.placeholder(tf.float32, [1, 32, 32, 3]), small_blocks)
    assert not any(missing in name for name in variable_names())


def test_updates_can_be_part_of_the_forward_pass(small_blocks, importer, graph):
    scope = importer("resnet_utils.resnet_arg_scope")(batch_norm_updates_collections=None)
    with slim.arg_scope(scope):
        features, _ = importer("resnet_v1.resnet_v1")(
            tf.constant(images(2, 32, 32, 3)), small_blocks
        )
    assert not v1.get_collection("update_ops")
    mean = next(
        v for v in v1.global_variables() if v.op.name.endswith("conv1/BatchNorm/moving_mean")
    )
    with v1.Session() as session:
        session.run(v1.global_variables_initializer())
        session.run(features)
        assert np.any(session.run(mean) != 0)


# Networks of dense heads.


def test_vgg_takes_small_images_with_same_padding_and_larger_ones_with_a_pool(graph):
    vgg = slim.nets.vgg_a
    small, _ = built(
        vgg,
        v1.placeholder(tf.float32, [1, 64, 64, 3]),
        5,
        fc_conv_padding="SAME",
        spatial_squeeze=False,
    )
    assert small.shape == (1, 2, 2, 5)
    pooled, ends = built(
        vgg, v1.placeholder(tf.float32, [1, 256, 256, 3]), 5, global_pool=True, reuse=True
    )
    assert pooled.shape == (1, 5)
    assert ends["global_pool"].shape == (1, 1, 1, 4096)


@pytest.mark.parametrize("name", ["alexnet_v2", "overfeat", "vgg_a"])
def test_dense_heads_give_features_without_classes(name, graph):
    net = slim.lookup("net", name)
    size = net.default_image_size
    features, ends = built(net, v1.placeholder(tf.float32, [1, size, size, 3]), num_classes=None)
    assert features.shape == (1, 1, 1, 4096)
    assert f"{name}/fc8" not in ends


# Inception.


def test_inception_stops_at_the_final_endpoint_and_begins_after_the_root(importer, graph):
    base = importer("inception_v1.inception_v1_base")
    net, ends = base(v1.placeholder(tf.float32, [1, 64, 64, 3]), final_endpoint="Mixed_3b")
    assert list(ends)[-1] == "Mixed_3b"
    assert net.shape == (1, 8, 8, 256)
    net, ends = base(
        v1.placeholder(tf.float32, [1, 8, 8, 192]),
        final_endpoint="Mixed_3c",
        include_root_block=False,
        scope="rootless",
    )
    assert list(ends) == ["Mixed_3b", "Mixed_3c"]
    net, ends = importer("inception_v2.inception_v2_base")(
        v1.placeholder(tf.float32, [1, 8, 8, 192]),
        final_endpoint="Mixed_4a",
        include_root_block=False,
        depth_multiplier=0.25,
    )
    assert net.shape == (1, 4, 4, 40 + 24 + 80)


@pytest.mark.parametrize("name", ["inception_v1", "mobilenet_v1_025"])
def test_a_global_pool_takes_images_of_any_size(name, graph):
    net = slim.lookup("net", name)
    inputs = v1.placeholder(tf.float32, [None, None, None, 3])
    logits, ends = built(net, inputs, num_classes=5, global_pool=True)
    assert logits.shape.as_list() == [None, 5]
    assert "global_pool" in ends


@pytest.mark.parametrize("name", ["inception_v2", "mobilenet_v1_025"])
def test_small_images_shrink_the_window_of_the_last_pool(name, graph):
    net = slim.lookup("net", name)
    features, _ = built(net, v1.placeholder(tf.float32, [2, 64, 64, 3]), num_classes=0)
    assert features.shape[:3] == (2, 1, 1)


def test_inception_v2_can_put_channels_first(importer, graph):
    net, _ = importer("inception_v2.inception_v2_base")(
        v1.placeholder(tf.float32, [1, 3, 64, 64]),
        use_separable_conv=False,
        data_format="NCHW",
        final_endpoint="Mixed_4b",
    )
    assert net.shape == (1, 576, 4, 4)


def test_inception_resnet_v2_can_have_holes_or_lined_up_maps(importer, graph):
    base = importer("inception_resnet_v2.inception_resnet_v2_base")
    inputs = v1.placeholder(tf.float32, [1, 128, 128, 3])
    dense, _ = base(
        inputs,
        final_endpoint="Mixed_6a",
        output_stride=8,
        align_feature_maps=True,
    )
    assert dense.shape == (1, 16, 16, 1088)
    aligned, _ = base(inputs, "Mixed_6a", align_feature_maps=True, scope="aligned")
    assert aligned.shape == (1, 8, 8, 1088)


def test_residual_inception_blocks_scale_what_they_add(importer):
    block = importer("inception_resnet_v2.block35")
    net = np.abs(images(1, 4, 4, 16))

    def add(net, scale):
        return block(net, scale=scale, activation_fn=None, scope="block")

    model = slim.Module(add)
    full = model(net, 1.0) - net
    np.testing.assert_allclose(model(net, 0.25) - net, 0.25 * full, atol=1e-5)
    np.testing.assert_array_equal(model(net, 0.0), net)


# MobileNets.


@pytest.mark.parametrize(
    "base, kwargs, size",
    [
        ("mobilenet_v1.mobilenet_v1_base", {"output_stride": 16}, 4),
        (
            "mobilenet.mobilenet_v2.mobilenet_base",
            {"output_stride": 8, "final_endpoint": "layer_9"},
            8,
        ),
    ],
)
@pytest.mark.parametrize("explicit", [False, True])
def test_mobilenets_keep_a_larger_map_with_holes(base, kwargs, size, explicit, importer, graph):
    net, _ = importer(base)(
        v1.placeholder(tf.float32, [1, 64, 64, 3]),
        depth_multiplier=0.25,
        use_explicit_padding=explicit,
        **kwargs,
    )
    assert net.shape[1:3] == (size, size)


def test_explicit_padding_lines_up_what_same_padding_shifts(importer):
    pad = importer("mobilenet._padding.fixed_padding")
    assert pad(images(1, 4, 4, 1), [3, 3]).shape == (1, 6, 6, 1)
    assert pad(images(1, 4, 4, 1), [3, 5], rate=2).shape == (1, 8, 12, 1)
    even = pad(np.ones([1, 1, 1, 1], np.float32), [2, 2])[0, :, :, 0]
    np.testing.assert_array_equal(even, [[1, 0], [0, 0]])


def test_group_normalization_replaces_batch_normalization(importer, graph):
    inputs = v1.placeholder(tf.float32, [1, 32, 32, 3])
    importer("mobilenet.mobilenet_v2.mobilenet_base_group_norm")(
        inputs, min_depth=32, divisible_by=32, final_endpoint="layer_2"
    )
    names = variable_names()
    assert any("GroupNorm/gamma" in n for n in names)
    assert not any("BatchNorm" in n for n in names)


@pytest.mark.parametrize("name", ["mobilenet_v2", "mobilenet_v3_small"])
def test_the_base_of_a_mobilenet_ends_before_pool_and_classifier(name, graph):
    net, ends = built(
        slim.lookup("net", name),
        v1.placeholder(tf.float32, [1, 32, 32, 3]),
        base_only=True,
        final_endpoint="layer_3",
    )
    assert net is ends["layer_3"]
    assert "global_pool" not in ends
    assert not any("layer_4" in end for end in ends)


def test_finegrained_mobilenets_keep_their_last_layer_wide(importer, graph):
    inputs = v1.placeholder(tf.float32, [1, 32, 32, 3])
    table = importer("mobilenet.mobilenet_v2.V2_DEF")
    ends = {**table, "spec": [table["spec"][0], table["spec"][-1]]}
    narrow, _ = built(slim.nets.mobilenet_v2, inputs, 0, depth_multiplier=0.5, conv_defs=ends)
    assert narrow.shape[-1] == 640
    wide, _ = built(slim.nets.mobilenet_v2_050, inputs, 0, conv_defs=ends, scope="wide")
    assert wide.shape[-1] == 1280


def test_an_activation_replaces_that_of_the_table(graph):
    inputs = v1.placeholder(tf.float32, [1, 32, 32, 3])
    built(slim.nets.mobilenet_v2, inputs, 3, final_endpoint="layer_3", activation_fn=tf.nn.elu)
    types = {op.type for op in graph.get_operations()}
    assert "Elu" in types
    assert "Relu6" not in types


@pytest.mark.parametrize(
    "value, divisor, expected", [(24, 8, 24), (25, 8, 24), (28, 8, 32), (11.2, 8, 16), (3, 8, 8)]
)
def test_channels_become_multiples_and_never_lose_a_tenth(value, divisor, expected, importer):
    assert importer("mobilenet.conv_blocks.make_divisible")(value, divisor) == expected


def test_an_expanded_convolution_splits_places_and_adds(importer, graph):
    expanded = importer("mobilenet.conv_blocks.expanded_conv")
    net = tf.constant(images(1, 8, 8, 16))
    ends = {}
    same = expanded(net, 16, split_expansion=2, split_projection=2, endpoints=ends)
    assert same.shape == net.shape
    assert list(ends) == [
        *("expansion_output", "depthwise_output", "expansion_transform", "projection_output")
    ]
    assert "expanded_conv/expand_part_0/weights" in variable_names()
    halved = expanded(net, 24, stride=2, depthwise_location="input", use_explicit_padding=True)
    assert halved.shape == (1, 4, 4, 24)
    assert expanded(net, 24, stride=2, depthwise_location="output").shape == (1, 4, 4, 24)
    added = expanded(
        net, 16, residual=lambda input_tensor, output_tensor: input_tensor - output_tensor
    )
    assert added.op.inputs[0].op.type == "Sub"


def test_squeeze_and_excite_scales_each_channel(importer):
    excite = importer("mobilenet.conv_blocks.squeeze_excite")
    net = tf.constant(images(2, 6, 6, 8))
    scales = slim.Module(excite)(net) / net
    assert np.all((scales > 0) & (scales < 1))
    np.testing.assert_allclose(scales, np.broadcast_to(scales[:, :1, :1], net.shape), rtol=1e-4)
    local = slim.Module(lambda x: excite(x, pool=3))(net) / net
    assert np.ptp(local[0, :, :, 0]) > 0


# NASNets.


def test_a_nasnet_with_other_numbers_stops_where_it_is_told(importer, graph):
    config = importer("nasnet.nasnet.mobile_imagenet_config")()
    config.set_hparam("num_conv_filters", 8)
    config.num_cells = 6
    inputs = v1.placeholder(tf.float32, [1, 64, 64, 3])
    net, ends = built(
        slim.nets.nasnet_mobile,
        inputs,
        10,
        is_training=False,
        config=config,
        final_endpoint="Reduction_Cell_0",
    )
    assert list(ends) == ["Stem", "Cell_0", "Cell_1", "Reduction_Cell_0"]
    assert net.shape == (1, 4, 4, 64)


@pytest.mark.parametrize("name, expected", [("pnasnet_mobile", [4, 8]), ("nasnet_large", [6, 12])])
def test_reductions_are_evenly_spaced(name, expected, importer):
    cells = {"pnasnet_mobile": 12, "nasnet_large": 18}[name]
    assert importer("nasnet.nasnet_utils.calc_reduction_layers")(cells, 2) == expected


def test_drop_path_drops_whole_examples_and_keeps_the_mean(importer):
    drop_path = importer("nasnet.nasnet_utils.drop_path")
    tf.random.set_seed(0)
    net = np.ones([1000, 2, 2, 3], np.float32)
    dropped = drop_path(net, 0.8).numpy()
    each = dropped.reshape(1000, -1)
    assert np.all(each == each[:, :1])
    np.testing.assert_allclose(np.unique(each), [0, 1.25])
    np.testing.assert_allclose(each.mean(), 1, atol=0.06)
    np.testing.assert_array_equal(drop_path(net, 0.8, is_training=False), net)


def test_drop_path_grows_with_the_step_of_training(importer):
    cell = importer("nasnet.nasnet_utils.NasNetANormalCell")(4, 0.5, 2, total_training_steps=100)
    tf.random.set_seed(0)

    def zeros(step):
        model = slim.Module(lambda x: cell._drop(x, cell_num=1, current_step=step))
        return float(np.mean(model(np.ones([1000, 1, 1, 1], np.float32)) == 0))

    assert zeros(0) == 0
    np.testing.assert_allclose([zeros(50), zeros(100), zeros(1000)], [0.25, 0.5, 0.5], atol=0.06)


@pytest.mark.parametrize("size", [8, 9])
def test_a_factorized_reduction_halves_any_size(size, importer):
    reduction = importer("nasnet.nasnet_utils.factorized_reduction")
    model = slim.Module(lambda x: reduction(x, 5, 2, data_format="NHWC"))
    with slim.arg_scope([importer("nasnet.nasnet_utils.get_channel_index")], data_format="NHWC"):
        assert model(images(1, size, size, 3)).shape == (1, (size + 1) // 2, (size + 1) // 2, 5)


@pytest.mark.slow
def test_bounded_nasnets_clip_and_channels_can_be_first(importer, graph):
    config = importer("nasnet.nasnet.cifar_config")()
    config.num_cells, config.num_conv_filters = 3, 8
    config.use_bounded_activation, config.data_format = True, "NCHW"
    logits, ends = built(
        slim.nets.nasnet_cifar, v1.placeholder(tf.float32, [1, 16, 16, 3]), 4, config=config
    )
    assert logits.shape == (1, 4)
    assert ends["Cell_0"].shape == (1, 48, 16, 16)
    assert {"Relu6", "ClipByValue"} & {op.type for op in graph.get_operations()}


# Videos.


def test_kernels_separated_in_time_begin_by_leaving_frames_as_they_are(importer):
    conv = importer("i3d_utils.conv3d_spatiotemporal")

    def both(video):
        with v1.variable_scope("", reuse=v1.AUTO_REUSE):
            apart = conv(video, 4, [3, 3, 3], separable=True, scope="conv")
            space = conv(video, 4, [1, 3, 3], scope="conv")
        return apart, space

    apart, space = slim.Module(both)(images(1, 5, 6, 6, 2))
    np.testing.assert_allclose(apart, space, atol=1e-5)


def test_s3dg_sees_time_and_gates_from_the_blocks_named(importer, graph):
    importer("s3dg.s3dg_base")(
        v1.placeholder(tf.float32, [1, 8, 32, 32, 3]),
        temporal_conv_startat="Mixed_3c",
        gating_startat="Mixed_3c",
        final_endpoint="Mixed_3c",
        depth_multiplier=0.25,
    )
    with_time = {n.split("/")[1] for n in variable_names() if "temporal" in n}
    gated = {n.split("/")[1] for n in variable_names() if "self_gating" in n}
    assert with_time == gated == {"Mixed_3c"}


def test_video_networks_give_features_and_take_channels_first(importer, graph):
    video = v1.placeholder(tf.float32, [1, 8, 32, 32, 3])
    features, _ = built(slim.nets.i3d, video, num_classes=None)
    assert features.shape == (1, 1, 1, 1, 1024)
    net, _ = importer("s3dg.s3dg_base")(
        v1.placeholder(tf.float32, [1, 3, 8, 32, 32]),
        data_format="NCDHW",
        final_endpoint="Mixed_3b",
        scope="first",
    )
    assert net.shape == (1, 256, 4, 4, 4)


# Generators.


@pytest.mark.parametrize(
    "method", ["nn_upsample_conv", "bilinear_upsample_conv", "conv2d_transpose"]
)
def test_cyclegan_doubles_a_map_by_each_method(method, importer):
    upsample = importer("cyclegan.cyclegan_upsample")
    assert slim.Module(upsample)(images(1, 4, 6, 3), 5, [2, 2], method=method).shape == (
        1,
        8,
        12,
        5,
    )


@pytest.mark.parametrize("method", ["nn_upsample_conv", "conv2d_transpose"])
def test_pix2pix_gives_an_image_of_the_size_that_it_got(method, importer):
    block = importer("pix2pix.Block")
    model = module(
        slim.nets.pix2pix_generator,
        num_outputs=2,
        blocks=[block(4, 0.5), block(8, 0)],
        upsample_method=method,
    )
    logits, ends = model(images(1, 8, 12, 3))
    assert logits.shape == (1, 8, 12, 2)
    assert np.max(np.abs(ends["predictions"])) <= 1


def test_pix2pix_drops_features_even_in_use(importer):
    block = importer("pix2pix.Block")
    for keep, same in ((0.5, False), (0, True)):
        model = module(slim.nets.pix2pix_generator, num_outputs=2, blocks=[block(8, keep)] * 2)
        picture = images(1, 8, 8, 3)
        assert np.array_equal(model(picture)[0], model(picture)[0]) == same


def test_cyclegan_keeps_a_slope_where_it_saturates():
    flat, steep = (
        slim.Module(
            slim.nets.cyclegan_generator_resnet,
            num_resnet_blocks=1,
            num_filters=4,
            tanh_linear_slope=slope,
        )
        for slope in (0.0, 0.1)
    )
    picture = images(1, 8, 8, 3)
    output, ends = steep(picture)
    np.testing.assert_allclose(output, np.tanh(ends["logits"]) + 0.1 * ends["logits"], atol=1e-6)
    assert flat(picture)[0].shape == picture.shape


def test_dcgan_makes_images_of_any_power_of_2():
    generator = slim.Module(slim.nets.dcgan_generator, depth=4)
    for size in (8, 16):
        made, ends = slim.Module(slim.nets.dcgan_generator, depth=4, final_size=size)(images(2, 6))
        assert made.shape == (2, size, size, 3)
        assert len(ends) == size.bit_length() - 1
    assert generator(images(2, 6))[0].shape == (2, 32, 32, 3)


# All worlds.


@pytest.mark.parametrize("name", ["lenet", "resnet_v1_50"])
@pytest.mark.slow
def test_a_step_with_a_tape_moves_weights_and_averages(name):
    function = slim.nets.get_network_fn(name, 3, weight_decay=1e-4, is_training=True)
    model = slim.Module(function)
    picture = images(2, 32, 32, 1 if name == "lenet" else 3)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            logits, _ = model(picture)
            loss = tf.reduce_mean(logits**2) + tf.add_n(model.regularization_losses)
        gradients = tape.gradient(loss, model.trainable_variables)
        for variable, gradient in zip(model.trainable_variables, gradients, strict=True):
            variable.assign_sub(1e-4 * gradient)
        return loss

    model(picture)
    before = {v.name: v.numpy() for v in model.variables}
    assert np.isfinite(step())
    moved = {v.name for v in model.variables if np.any(v.numpy() != before[v.name])}
    assert {n for n in before if "moving" in n or n.endswith("weights:0")} <= moved
