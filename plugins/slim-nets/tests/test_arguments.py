"""Bad arguments: one line that lists the valid choices."""

import pytest
import tensorflow as tf

import slimcore as slim
from slimcore.errors import InputError, ShapeError

CLASSIFIERS = [
    c.name for c in slim.components("net") if c.details.get("classes") and c.name[-1] != "5"
]


def images(*shape):
    return tf.compat.v1.placeholder(tf.float32, shape or (1, 224, 224, 3))


def check_message(error):
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_a_negative_number_of_classes_is_refused(name, graph):
    shape = (1, *slim.component("net", name).details["input"])
    with pytest.raises(InputError, match=r"num_classes=-3.*0 or None") as error:
        slim.lookup("net", name)(images(*shape), num_classes=-3)
    check_message(error)


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_inputs_that_are_no_images_are_refused(name, graph):
    with pytest.raises(
        ShapeError, match=r"takes inputs \[batch.*channels\].*got \(2, 10\)"
    ) as error:
        slim.lookup("net", name)(images(2, 10), num_classes=10)
    check_message(error)


@pytest.mark.parametrize(
    "name, size, least",
    [
        ("lenet", 3, 4),
        ("cifarnet", 2, 4),
        ("alexnet_v2", 194, 195),
        ("overfeat", 230, 231),
        ("vgg_16", 223, 224),
        ("inception_v3", 106, 107),
        ("inception_v4", 106, 107),
        ("inception_resnet_v2", 106, 107),
        ("nasnet_cifar", 8, 9),
        ("nasnet_mobile", 66, 67),
        ("pnasnet_mobile", 66, 67),
    ],
)
def test_too_small_an_input_is_refused_and_the_least_size_named(name, size, least, graph):
    with pytest.raises(ShapeError, match=f"at least {least}") as error:
        slim.lookup("net", name)(images(1, size, size, 3), num_classes=10, is_training=True)
    check_message(error)


@pytest.mark.parametrize("size", [75, 107])
@pytest.mark.parametrize("name", ["inception_v3", "inception_v4", "inception_resnet_v2"])
@pytest.mark.slow
def test_the_least_size_is_enough_with_and_without_the_second_classifier(name, size, graph):
    net = slim.lookup("net", name)
    with slim.arg_scope(net.arg_scope()):
        logits, _ = net(images(1, size, size, 3), num_classes=7, create_aux_logits=size == 107)
    assert logits.shape == (1, 7)


@pytest.mark.parametrize(
    "base",
    [
        "inception_v1.inception_v1_base",
        "inception_v2.inception_v2_base",
        "inception_v3.inception_v3_base",
        "inception_v4.inception_v4_base",
        "inception_resnet_v2.inception_resnet_v2_base",
        "mobilenet_v1.mobilenet_v1_base",
        "mobilenet.mobilenet_v2.mobilenet_base",
        "mobilenet.mobilenet_v3.mobilenet_base",
    ],
)
def test_an_unknown_final_endpoint_is_refused_and_the_known_ones_listed(base, graph, importer):
    with pytest.raises(InputError, match=r"no end point 'Mixed_9z'.*Valid: .*, ") as error:
        importer(base)(images(1, 299, 299, 3), final_endpoint="Mixed_9z")
    check_message(error)


@pytest.mark.parametrize("name", ["nasnet_mobile", "nasnet_large", "pnasnet_mobile"])
def test_nasnets_refuse_an_unknown_final_endpoint_too(name, graph):
    with pytest.raises(InputError, match="no end point 'Cell_99'.*Close: .*Cell_"):
        slim.lookup("net", name)(images(), 10, final_endpoint="Cell_99")


@pytest.mark.parametrize("base", ["i3d.i3d_base", "s3dg.s3dg_base"])
def test_video_networks_refuse_an_unknown_final_endpoint(base, graph, importer):
    with pytest.raises(InputError, match="no end point 'Mixed_9z'.*Mixed_5c"):
        importer(base)(images(1, 4, 32, 32, 3), final_endpoint="Mixed_9z")


@pytest.mark.parametrize("multiplier", [0, -0.5])
@pytest.mark.parametrize(
    "name",
    [
        "inception_v2",
        "inception_v3",
        "mobilenet_v1",
        "mobilenet_v2",
        "mobilenet_v3_large",
        "resnet_v1_50",
        "s3dg",
    ],
)
def test_a_depth_multiplier_that_is_not_positive_is_refused(name, multiplier, graph):
    shape = (1, *slim.component("net", name).details["input"])
    with pytest.raises(InputError, match=r"multiplier=.*positive factor") as error:
        slim.lookup("net", name)(images(*shape), num_classes=3, depth_multiplier=multiplier)
    check_message(error)


@pytest.mark.parametrize(
    "name, stride, choices",
    [
        ("resnet_v1_50", 6, "4, 8, 16, 32"),
        ("resnet_v2_50", 64, "4, 8, 16, 32"),
        ("mobilenet_v2", 3, "1, 2, 4, 8, 16, 32"),
    ],
)
def test_an_output_stride_that_cannot_be_is_refused(name, stride, choices, graph):
    with pytest.raises(InputError, match=f"output_stride={stride}.*{choices}") as error:
        slim.lookup("net", name)(images(), num_classes=3, output_stride=stride)
    check_message(error)


def test_bases_refuse_an_output_stride_that_cannot_be(graph, importer):
    with pytest.raises(InputError, match="output_stride=12.*8, 16, 32"):
        importer("mobilenet_v1.mobilenet_v1_base")(images(), output_stride=12)
    base = importer("inception_resnet_v2.inception_resnet_v2_base")
    with pytest.raises(InputError, match="output_stride=32.*8, 16"):
        base(images(), output_stride=32)
    with pytest.raises(InputError, match="no Mixed_7a at output_stride=8.*PreAuxLogits"):
        base(images(), output_stride=8, final_endpoint="Mixed_7a")


def test_a_map_of_logits_is_not_squeezed(graph):
    with pytest.raises(ShapeError, match=r"map of logits.*global_pool=True.*spatial_squeeze=False"):
        slim.nets.vgg_16(images(1, 256, 256, 3), num_classes=3)


@pytest.mark.parametrize(
    "build, message",
    [
        (lambda dcgan: dcgan.discriminator(images(1, 24, 24, 3)), "power of 2.*got .1, 24, 24"),
        (lambda dcgan: dcgan.discriminator(images(1, 32, 16, 3)), "power of 2.*got .1, 32, 16"),
        (lambda dcgan: dcgan.generator(images(1, 8), final_size=4), "final_size=4.*8, 16, 32"),
        (lambda dcgan: dcgan.generator(images(1, 8, 8)), "noise .batch, features.; got"),
    ],
)
def test_dcgan_refuses_sizes_that_are_no_powers_of_2(build, message, graph):
    with pytest.raises(InputError, match=message) as error:
        build(slim.nets.dcgan)
    check_message(error)


def test_translators_refuse_sizes_that_do_not_divide(graph):
    with pytest.raises(ShapeError, match="7 blocks.*multiples of 128"):
        slim.nets.pix2pix_generator(images(1, 100, 128, 3), 3)
    with pytest.raises(ShapeError, match="multiples of 4"):
        slim.nets.cyclegan_generator_resnet(images(1, 30, 32, 3))
    with pytest.raises(InputError, match="'bicubic'.*nn_upsample_conv.*conv2d_transpose"):
        slim.nets.pix2pix.upsample(images(1, 4, 4, 3), 3, [2, 2], "bicubic")
    with pytest.raises(InputError, match="'bicubic'.*bilinear_upsample_conv"):
        slim.nets.cyclegan.cyclegan_upsample(images(1, 4, 4, 3), 3, [2, 2], "bicubic")


def test_other_arguments_are_checked_too(graph, importer):
    with pytest.raises(InputError, match="data_format='NWHC'.*'NHWC' or 'NCHW'"):
        importer("inception_v2.inception_v2_base")(images(), data_format="NWHC")
    with pytest.raises(InputError, match="separable.*use_separable_conv=False"):
        importer("inception_v2.inception_v2_base")(images(), data_format="NCHW")
    with pytest.raises(InputError, match="gating_startat='Mixed_2a'.*Conv2d_2c_3x3"):
        importer("s3dg.s3dg_base")(images(1, 4, 32, 32, 3), gating_startat="Mixed_2a")
    with pytest.raises(InputError, match="depth_multiplier, not multiplier"):
        slim.nets.mobilenet_v2(images(), multiplier=0.5)
    with pytest.raises(InputError, match="depthwise_location='middle'.*'expansion'"):
        importer("mobilenet.conv_blocks.expanded_conv")(images(), 8, depthwise_location="middle")
    with pytest.raises(InputError, match="use_explicit_padding=True.*padding='VALID'"):
        importer("mobilenet.conv_blocks.expanded_conv")(
            images(), 8, use_explicit_padding=True, padding="VALID"
        )
    with pytest.raises(InputError, match="no 'num_cell'; it has num_conv_filters, num_cells"):
        slim.nets.nasnet.nasnet.cifar_config().set_hparam("num_cell", 3)
