"""What slim-nets offers. Read on discovery: names and places, nothing heavy.

The figures of a network are those of `slim_nets.analysis`: trainable parameters, and multiply-adds
of one example as large as `input` says.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from slimcore import Component, Offer, hookimpl
from slimcore.hooks import Table

BATCH_NORM = "Ioffe and Szegedy, 2015, arXiv:1502.03167"
DCGAN = "Radford et al., 2015, arXiv:1511.06434"
GOOGLENET = "Szegedy et al., 2014, arXiv:1409.4842"
I3D = "Carreira and Zisserman, 2017, arXiv:1705.07750"
INCEPTION_V3 = "Szegedy et al., 2015, arXiv:1512.00567"
INCEPTION_V4 = "Szegedy et al., 2016, arXiv:1602.07261"
MOBILENET_V1 = "Howard et al., 2017, arXiv:1704.04861"
MOBILENET_V2 = "Sandler et al., 2018, arXiv:1801.04381"
MOBILENET_V3 = "Howard et al., 2019, arXiv:1905.02244"
NASNET = "Zoph et al., 2017, arXiv:1707.07012"
PIX2PIX = "Isola et al., 2016, arXiv:1611.07004"
PNASNET = "Liu et al., 2017, arXiv:1712.00559"

# Inputs of the networks that do not classify images.
IMAGE = {"image_size": 256, "input": (256, 256, 3)}
VIDEO = {"image_size": 224, "classes": 1000, "input": (16, 224, 224, 3)}


class Family(NamedTuple):
    """What networks of one module and paper share."""

    module: str
    image_size: int
    channels: int
    classes: int
    preprocessing: str
    paper: str


class Classifier(NamedTuple):
    """A network that classifies images: `function` is its name where that is another one."""

    family: str
    parameters: int
    multiply_adds: int
    summary: str
    function: str = ""


class Other(NamedTuple):
    """A network of another kind; `details` are further facts for listings."""

    target: str
    parameters: int
    multiply_adds: int
    summary: str
    paper: str
    details: Mapping[str, Any]


FAMILIES = {
    "lenet": Family("lenet", 28, 1, 10, "lenet", "LeCun et al., 1998"),
    "cifarnet": Family("cifarnet", 32, 3, 10, "cifarnet", "Krizhevsky, 2011"),
    "alexnet": Family("alexnet", 224, 3, 1000, "vgg", "Krizhevsky, 2014, arXiv:1404.5997"),
    "overfeat": Family("overfeat", 231, 3, 1000, "vgg", "Sermanet et al., 2013, arXiv:1312.6229"),
    "vgg": Family("vgg", 224, 3, 1000, "vgg", "Simonyan and Zisserman, 2014, arXiv:1409.1556"),
    "inception_v1": Family("inception_v1", 224, 3, 1000, "inception", GOOGLENET),
    "inception_v2": Family("inception_v2", 224, 3, 1000, "inception", BATCH_NORM),
    "inception_v3": Family("inception_v3", 299, 3, 1000, "inception", INCEPTION_V3),
    "inception_v4": Family("inception_v4", 299, 3, 1001, "inception", INCEPTION_V4),
    "inception_resnet_v2": Family("inception_resnet_v2", 299, 3, 1001, "inception", INCEPTION_V4),
    "resnet_v1": Family("resnet_v1", 224, 3, 1000, "vgg", "He et al., 2015, arXiv:1512.03385"),
    "resnet_v2": Family("resnet_v2", 224, 3, 1000, "vgg", "He et al., 2016, arXiv:1603.05027"),
    "mobilenet_v1": Family("mobilenet_v1", 224, 3, 1000, "inception", MOBILENET_V1),
    "mobilenet_v2": Family("mobilenet.mobilenet_v2", 224, 3, 1001, "inception", MOBILENET_V2),
    "mobilenet_v3": Family("mobilenet.mobilenet_v3", 224, 3, 1001, "inception", MOBILENET_V3),
    "nasnet_cifar": Family("nasnet.nasnet", 32, 3, 10, "cifarnet", NASNET),
    "nasnet_mobile": Family("nasnet.nasnet", 224, 3, 1001, "inception", NASNET),
    "nasnet_large": Family("nasnet.nasnet", 331, 3, 1001, "inception", NASNET),
    "pnasnet_mobile": Family("nasnet.pnasnet", 224, 3, 1001, "inception", PNASNET),
    "pnasnet_large": Family("nasnet.pnasnet", 331, 3, 1001, "inception", PNASNET),
}

CLASSIFIERS = {
    "lenet": Classifier("lenet", 3_274_634, 13_883_904, "LeNet with ReLU activations."),
    "cifarnet": Classifier(
        "cifarnet", 1_756_426, 32_778_112, "Two convolutions and two hidden dense layers."
    ),
    "alexnet_v2": Classifier("alexnet", 50_303_912, 736_555_776, "AlexNet with a single tower."),
    "overfeat": Classifier("overfeat", 145_704_424, 2_647_011_328, "OverFeat, the fast model."),
    "vgg_a": Classifier("vgg", 132_863_336, 7_609_090_048, "VGG with 11 layers."),
    "vgg_16": Classifier("vgg", 138_357_544, 15_470_264_320, "VGG with 16 layers."),
    "vgg_19": Classifier("vgg", 143_667_240, 19_632_062_464, "VGG with 19 layers."),
    "inception_v1": Classifier(
        "inception_v1",
        6_617_624,
        1_498_376_192,
        "GoogLeNet with batch normalization.",
    ),
    "inception_v2": Classifier(
        "inception_v2", 11_178_336, 1_934_857_216, "BN-Inception: 3x3 convolutions in place of 5x5."
    ),
    "inception_v3": Classifier(
        "inception_v3", 27_143_152, 5_718_899_296, "Inception with factorized convolutions."
    ),
    "inception_v4": Classifier(
        "inception_v4", 46_009_106, 12_260_479_328, "Inception with uniform blocks."
    ),
    "inception_resnet_v2": Classifier(
        "inception_resnet_v2",
        59_182_258,
        13_162_503_520,
        "Inception blocks with residual connections.",
    ),
    "resnet_v1_50": Classifier("resnet_v1", 25_557_032, 3_482_255_360, "ResNet with 50 layers."),
    "resnet_v1_101": Classifier("resnet_v1", 44_549_160, 7_194_476_544, "ResNet with 101 layers."),
    "resnet_v1_152": Classifier("resnet_v1", 60_192_808, 10_906_697_728, "ResNet with 152 layers."),
    "resnet_v1_200": Classifier("resnet_v1", 64_673_832, 14_400_552_960, "ResNet with 200 layers."),
    "resnet_v2_50": Classifier("resnet_v2", 25_568_360, 3_482_255_360, "ResNet v2 with 50 layers."),
    "resnet_v2_101": Classifier(
        "resnet_v2", 44_577_896, 7_194_476_544, "ResNet v2 with 101 layers."
    ),
    "resnet_v2_152": Classifier(
        "resnet_v2", 60_236_904, 10_906_697_728, "ResNet v2 with 152 layers."
    ),
    "resnet_v2_200": Classifier(
        "resnet_v2", 64_726_120, 14_400_552_960, "ResNet v2 with 200 layers."
    ),
    "mobilenet_v1": Classifier(
        "mobilenet_v1", 4_231_976, 568_740_352, "MobileNet v1: depthwise separable convolutions."
    ),
    "mobilenet_v1_075": Classifier(
        "mobilenet_v1", 2_585_560, 325_400_448, "MobileNet at 0.75 times the width."
    ),
    "mobilenet_v1_050": Classifier(
        "mobilenet_v1", 1_331_592, 149_497_088, "MobileNet at half the width."
    ),
    "mobilenet_v1_025": Classifier(
        "mobilenet_v1", 470_072, 41_030_272, "MobileNet v1 at a quarter of the width."
    ),
    "mobilenet_v2": Classifier(
        "mobilenet_v2", 3_506_153, 300_775_552, "MobileNet v2: inverted residuals.", "mobilenet"
    ),
    "mobilenet_v2_140": Classifier(
        "mobilenet_v2", 6_110_569, 582_197_616, "MobileNet v2 at 1.4 times the width."
    ),
    "mobilenet_v2_050": Classifier(
        "mobilenet_v2", 1_969_961, 97_133_120, "MobileNet at half the width."
    ),
    "mobilenet_v2_035": Classifier(
        "mobilenet_v2", 1_678_409, 59_287_088, "MobileNet v2 at 0.35 times the width."
    ),
    "mobilenet_v3_large": Classifier(
        "mobilenet_v3", 5_484_313, 216_591_040, "MobileNet v3, the large model.", "large"
    ),
    "mobilenet_v3_small": Classifier(
        "mobilenet_v3", 2_543_881, 56_511_424, "MobileNet v3, the small model.", "small"
    ),
    "mobilenet_v3_large_minimalistic": Classifier(
        "mobilenet_v3",
        3_925_569,
        209_137_984,
        "MobileNet v3 large, built of plain layers only.",
        "large_minimalistic",
    ),
    "mobilenet_v3_small_minimalistic": Classifier(
        "mobilenet_v3",
        2_045_761,
        52_289_472,
        "MobileNet v3 small, built of plain layers only.",
        "small_minimalistic",
    ),
    "mobilenet_edgetpu": Classifier(
        "mobilenet_v3", 4_092_713, 990_670_464, "MobileNet for the Edge TPU.", "edge_tpu"
    ),
    "mobilenet_edgetpu_075": Classifier(
        "mobilenet_v3",
        2_989_441,
        624_487_584,
        "MobileNet at 0.75 times the width.",
        "edge_tpu_075",
    ),
    "nasnet_cifar": Classifier(
        "nasnet_cifar",
        3_346_538,
        544_333_312,
        "NASNet-A for CIFAR-10.",
        "build_nasnet_cifar",
    ),
    "nasnet_mobile": Classifier(
        "nasnet_mobile",
        5_291_035,
        563_639_872,
        "NASNet-A, the mobile model.",
        "build_nasnet_mobile",
    ),
    "nasnet_large": Classifier(
        "nasnet_large",
        88_757_183,
        23_783_418_690,
        "NASNet-A, the large model.",
        "build_nasnet_large",
    ),
    "pnasnet_mobile": Classifier(
        "pnasnet_mobile",
        5_065_568,
        587_294_280,
        "PNASNet-5, the mobile model.",
        "build_pnasnet_mobile",
    ),
    "pnasnet_large": Classifier(
        "pnasnet_large",
        86_061_989,
        24_937_400_112,
        "PNASNet-5, the large model.",
        "build_pnasnet_large",
    ),
}

OTHERS = {
    "i3d": Other(
        "i3d:i3d",
        13_304_984,
        27_788_593_152,
        "Video: Inception v1 inflated in time.",
        I3D,
        VIDEO,
    ),
    "s3dg": Other(
        "s3dg:s3dg",
        10_133_848,
        16_047_424_256,
        "Video: separate kernels for space and time, with gating.",
        "Xie et al., 2017, arXiv:1712.04851",
        VIDEO,
    ),
    "dcgan_generator": Other(
        "dcgan:generator",
        3_277_955,
        101_384_192,
        "Generates images from noise.",
        DCGAN,
        {"input": (64,)},
    ),
    "dcgan_discriminator": Other(
        "dcgan:discriminator",
        11_147_201,
        34_341_888,
        "Predicts whether an image is real.",
        DCGAN,
        {"image_size": 32, "input": (32, 32, 3)},
    ),
    "pix2pix_generator": Other(
        "pix2pix:pix2pix_generator",
        48_839_875,
        52_210_696_192,
        "Translates images.",
        PIX2PIX,
        {**IMAGE, "arguments": {"num_outputs": 3}},
    ),
    "pix2pix_discriminator": Other(
        "pix2pix:pix2pix_discriminator",
        2_765_633,
        3_610_192_896,
        "Predicts whether each patch of an image is real.",
        PIX2PIX,
        {**IMAGE, "arguments": {"num_filters": (64, 128, 256, 512)}},
    ),
    "cyclegan_generator_resnet": Other(
        "cyclegan:cyclegan_generator_resnet",
        7_841_219,
        35_055_992_832,
        "Translates images to another domain.",
        "Zhu et al., 2017, arXiv:1703.10593",
        IMAGE,
    ),
}


def _classifier(name: str, row: Classifier) -> Offer:
    family = FAMILIES[row.family]
    details = {
        "parameters": row.parameters,
        "multiply_adds": row.multiply_adds,
        "image_size": family.image_size,
        "preprocessing": family.preprocessing,
        "paper": family.paper,
        "classes": family.classes,
        "input": (family.image_size, family.image_size, family.channels),
    }
    return Offer(f"slim_nets.{family.module}:{row.function or name}", row.summary, details)


def _other(row: Other) -> Offer:
    figures = {
        "parameters": row.parameters,
        "multiply_adds": row.multiply_adds,
        "paper": row.paper,
    }
    return Offer(f"slim_nets.{row.target}", row.summary, {**figures, **row.details})


@hookimpl
def slim_nets() -> dict[str, Offer]:
    return {
        **{name: _classifier(name, row) for name, row in CLASSIFIERS.items()},
        **{name: _other(row) for name, row in OTHERS.items()},
    }


@hookimpl
def slim_namespaces() -> dict[str, str]:
    modules = [
        "alexnet",
        "analysis",
        "cyclegan",
        "dcgan",
        "i3d_utils",
        "inception",
        "inception_utils",
        "mobilenet.conv_blocks",
        "mobilenet.mobilenet",
        "mobilenet.mobilenet_v2",
        "mobilenet.mobilenet_v3",
        "nasnet.nasnet",
        "nasnet.nasnet_utils",
        "nasnet.pnasnet",
        "pix2pix",
        "resnet_utils",
        "resnet_v1",
        "resnet_v2",
        "vgg",
    ]
    return {
        "nets": "slim_nets.factory",
        **{f"nets.{name}": f"slim_nets.{name}" for name in modules},
    }


@hookimpl
def slim_commands() -> dict[str, Offer]:
    return {
        "plan": Offer("slim_nets._plan_command:plan", "Compare a checkpoint with a network."),
    }


@hookimpl
def slim_component_tables(component: Component, image_size: int | None) -> list[Table]:
    if component.kind != "net":
        return []
    from slim_nets.analysis import describe, input_shape

    if not input_shape(component, image_size):
        return []  # nothing to build it on, and whoever asks has made no mistake
    analysis = describe(component.qualified, image_size=image_size)
    return [Table(analysis.columns, analysis.rows)]
