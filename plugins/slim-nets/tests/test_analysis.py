"""`slim_nets.analysis`: layers, parameters, multiply-adds and receptive fields."""

import pytest
import tensorflow as tf

import slimcore as slim
from slimcore.errors import InputError, UnknownComponentError

describe = slim.lookup("namespace", "nets.analysis").describe

QUICK = {"lenet", "cifarnet", "alexnet_v2", "vgg_16", "dcgan_generator", "dcgan_discriminator"}


def test_lenet_layer_by_layer_as_worked_out_by_hand():
    analysis = describe("lenet")
    assert analysis.input_shape == (28, 28, 1)
    table = {layer.name: layer for layer in analysis.layers}
    assert list(table) == ["LeNet/conv1", "LeNet/conv2", "LeNet/fc3", "LeNet/fc4"]
    conv1, conv2, fc3, fc4 = table.values()
    assert (conv1.output_shape, conv1.parameters) == ((28, 28, 32), 5 * 5 * 32 + 32)
    assert conv1.multiply_adds == 28 * 28 * 32 * 5 * 5
    assert conv1.receptive_field == (5, 5)
    assert (conv2.output_shape, conv2.parameters) == ((14, 14, 64), 5 * 5 * 32 * 64 + 64)
    assert conv2.multiply_adds == 14 * 14 * 64 * 5 * 5 * 32
    # 5x5, then a 2x2 pool, then four steps of 2.
    assert conv2.receptive_field == (5 + 1 + 4 * 2,) * 2
    assert (fc3.output_shape, fc3.multiply_adds) == ((1024,), 7 * 7 * 64 * 1024)
    # All 7x7 positions, 4 apart, of what the second pool sees.
    assert fc3.receptive_field == (14 + 2 + 6 * 4,) * 2
    assert (fc4.parameters, fc4.multiply_adds) == (1024 * 10 + 10, 1024 * 10)
    assert analysis.parameters == sum(layer.parameters for layer in table.values())
    assert analysis.rows[-1] == ("total", "", "3,274,634", "13,883,904", "40x40")
    assert len(analysis.columns) == len(analysis.rows[0])


# Araujo, Norris and Sim, "Computing Receptive Fields of Convolutional Neural Networks", Distill,
# 2019: receptive fields of the last maps of tf-slim's networks.
FIELDS = [
    ("alexnet_v2", "alexnet_v2/conv5", 163),
    ("vgg_16", "vgg_16/conv5/conv5_3", 196),
    ("mobilenet_v1_025", "MobilenetV1/Conv2d_13_pointwise", 315),
    pytest.param(
        *("resnet_v1_50", "resnet_v1_50/block4/unit_3/bottleneck_v1/conv3", 483),
        marks=pytest.mark.slow,
    ),
    pytest.param(
        *("inception_v3", "InceptionV3/Mixed_7c/Branch_2/Conv2d_0d_3x1", 1311),
        marks=pytest.mark.slow,
    ),
]


@pytest.mark.parametrize("name, layer, size", FIELDS)
def test_receptive_fields_are_those_published(name, layer, size):
    fields = {x.name: x.receptive_field for x in describe(name).layers}
    assert max(fields[layer]) == size


def test_the_discriminator_of_pix2pix_sees_patches_of_70x70():
    assert describe("pix2pix_discriminator").receptive_field == (70, 70)


def test_normalization_counts_with_its_layer_and_auxiliary_layers_are_there():
    analysis = describe("inception_v1", image_size=64)
    first = analysis.layers[0]
    assert first.name == "InceptionV1/Conv2d_1a_7x7"
    assert first.parameters == 7 * 7 * 3 * 64 + 64
    assert first.output_shape == (32, 32, 64)


def test_a_depthwise_convolution_has_one_product_for_each_weight_and_position():
    analysis = describe("mobilenet_v1_025", image_size=32)
    layer = next(x for x in analysis.layers if x.name.endswith("Conv2d_1_depthwise"))
    assert layer.multiply_adds == 16 * 16 * 8 * 3 * 3
    assert layer.parameters == 8 * 3 * 3 + 2 * 8


def test_a_transposed_convolution_has_one_product_for_each_weight_and_input():
    layer = describe("dcgan_generator").layers[1]
    assert layer.name == "Generator/deconv2"
    assert layer.multiply_adds == 4 * 4 * 512 * 4 * 4 * 256
    assert layer.receptive_field is None


def test_gates_and_statistics_do_not_widen_what_a_layer_sees():
    plain = describe("mobilenet_v3_small_minimalistic", image_size=64).layers[2]
    gated = describe("mobilenet_v3_small", image_size=64)
    project = next(x for x in gated.layers if x.name.endswith("expanded_conv/project"))
    assert project.receptive_field == plain.receptive_field == (7, 7)


def test_size_classes_and_further_arguments_change_the_figures():
    small = describe("lenet", image_size=32, num_classes=3)
    assert small.input_shape == (32, 32, 1)
    assert small.layers[-1].output_shape == (3,)
    dilated = describe("resnet_v1_50", image_size=64, output_stride=16)
    assert dilated.layers[-2].output_shape == (4, 4, 2048)


def test_a_third_party_network_is_described_too():
    @slim.register_net("my_described_net")
    def tiny(images, num_classes, is_training):
        net = slim.conv2d(images, 4, [3, 3], stride=2, rate=1, scope="conv")
        return slim.fully_connected(slim.flatten(net), num_classes, scope="fc"), {}

    with pytest.raises(InputError, match="my_described_net does not say .* pass image_size"):
        describe("my_described_net")
    analysis = describe("my_described_net", image_size=8, num_classes=2)
    assert [x.multiply_adds for x in analysis.layers] == [4 * 4 * 4 * 27, 64 * 2]
    with pytest.raises(UnknownComponentError, match="my_described_net"):
        describe("my_describe_net")


def test_holes_widen_what_a_layer_sees(graph):
    fields = slim.lookup("namespace", "nets.analysis").receptive_fields
    images = tf.compat.v1.placeholder(tf.float32, [1, 32, 32, 3])
    net = slim.conv2d(images, 4, [3, 3], rate=4)
    assert fields(graph, images)[net.name] == (9, 9)
    net = slim.conv2d(slim.conv2d_transpose(net, 4, [4, 4], stride=2), 4, [3, 3])
    # The transposed convolution sees two neighbours and halves their distance.
    assert fields(graph, images)[net.name] == (9 + 1 + 1,) * 2


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(c.name, marks=[] if c.name in QUICK else pytest.mark.slow)
        for c in slim.components("net")
        if c.distribution == "slim-nets"
    ],
)
def test_the_figures_stored_with_each_network_are_true(name):
    details = slim.component("net", name).details
    analysis = describe(name)
    assert analysis.parameters == details["parameters"]
    assert analysis.multiply_adds == details["multiply_adds"]
