"""The cells and numbers of NASNet and PNASNet, against formulas."""

import numpy as np
import pytest
import tensorflow as tf

import slimcore as slim

v1 = tf.compat.v1

# As recorded of the original: the operations and maps of each sum, and the maps used in none.
CELLS = {
    "nasnet_utils.NasNetANormalCell": (
        [
            *("sep5 0", "sep3 1", "sep5 1", "sep3 1", "avg 0"),
            *("none 1", "avg 1", "avg 1", "sep3 0", "none 0"),
        ],
        [1, 2, 3, 4, 5, 6],
    ),
    "nasnet_utils.NasNetAReductionCell": (
        [
            *("sep5 0", "sep7 1", "max 0", "sep7 1", "avg 0"),
            *("sep5 1", "none 3", "avg 2", "sep3 2", "max 0"),
        ],
        [3, 4, 5, 6],
    ),
    "pnasnet.PNasNetNormalCell": (
        [
            *("sep5 1", "max 1", "sep7 0", "max 0", "sep5 0"),
            *("sep3 0", "sep3 4", "max 0", "sep3 1", "none 0"),
        ],
        [2, 3, 4, 5, 6],
    ),
}
FILTERS = 4


def images(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def assert_same(actual, expected, name=""):
    """Compares by the largest value: sums cancel."""
    atol = 2e-5 * np.abs(expected).max()
    np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=atol, err_msg=name)


class Formula:
    """A cell, with the variables of ours."""

    def __init__(self, values, bounded):
        self.values, self.bounded = values, bounded

    def activated(self, net):
        return tf.nn.relu6(net) if self.bounded else tf.nn.relu(net)

    def clipped(self, net):
        return tf.clip_by_value(net, -6, 6) if self.bounded else net

    def normalized(self, net, scope):
        mean, variance, beta, gamma = (
            self.values[f"{scope}/{n}"] for n in ("moving_mean", "moving_variance", "beta", "gamma")
        )
        return (net - mean) / tf.sqrt(variance + 1e-3) * gamma + beta

    def projected(self, net, scope, norm, stride=1):
        net = tf.nn.conv2d(net, self.values[f"{scope}/weights"], stride, "SAME")
        return self.normalized(net, norm)

    def halved(self, net):
        """Factorizes a reduction: the even positions, and those one further."""
        shifted = tf.pad(net, [[0, 0], [0, 1], [0, 1], [0, 0]])[:, 1:, 1:]
        paths = [
            tf.nn.conv2d(part[:, ::2, ::2], self.values[f"path{n}_conv/weights"], 1, "SAME")
            for n, part in ((1, net), (2, shifted))
        ]
        return self.normalized(tf.concat(paths, -1), "final_path_bn")

    def applied(self, operation, net, scope, stride):
        if operation.startswith("sep"):
            size = operation[-1]
            for number in (1, 2):
                layer = f"{scope}/separable_{size}x{size}_{number}"
                kernels = (self.values[f"{layer}/{n}_weights"] for n in ("depthwise", "pointwise"))
                strides = [1, stride, stride, 1]
                net = tf.nn.separable_conv2d(self.activated(net), *kernels, strides, "SAME")
                net = self.normalized(net, f"{scope}/bn_sep_{size}x{size}_{number}")
                stride = 1
            return self.clipped(net)
        given = self.activated(net) if self.bounded else net
        if operation == "none":
            if stride == 1:
                return given
            net = self.projected(self.activated(net), f"{scope}/1x1", f"{scope}/bn_1", stride)
            return self.clipped(net)
        pool = {"avg": tf.nn.avg_pool2d, "max": tf.nn.max_pool2d}[operation]
        return pool(given, 3, stride, "SAME")

    def __call__(self, name, net, previous, stride):
        if previous.shape[1] != net.shape[1]:
            second = self.halved(self.activated(previous))
        else:
            second = self.projected(self.activated(previous), "prev_1x1", "prev_bn")
        maps = [self.projected(self.activated(net), "1x1", "beginning_bn"), second]
        operations, outputs = CELLS[name]
        for number in range(5):
            total = 0
            for side, operation in zip(
                ("left", "right"), operations[2 * number : 2 * number + 2], strict=True
            ):
                kind, index = operation.split()
                step = stride if int(index) < 2 else 1
                scope = f"comb_iter_{number}/{side}"
                total += self.applied(kind, maps[int(index)], scope, step)
            maps.append(tf.nn.relu6(total) if self.bounded else total)
        return tf.concat([maps[n] for n in outputs], -1)


@pytest.mark.parametrize("larger", [False, True])
@pytest.mark.parametrize("bounded", [False, True])
@pytest.mark.parametrize(
    "name, stride",
    [
        ("nasnet_utils.NasNetANormalCell", 1),
        ("nasnet_utils.NasNetAReductionCell", 2),
        ("pnasnet.PNasNetNormalCell", 1),
        ("pnasnet.PNasNetNormalCell", 2),
    ],
)
def test_a_cell_is_the_sums_of_its_table(name, stride, bounded, larger, importer, recorded_weights):
    cell = importer(f"nasnet.{name}")(
        *(FILTERS, 1.0, 1), total_training_steps=1, use_bounded_activation=bounded
    )
    axes = [
        importer(f"nasnet.nasnet_utils.{n}")
        for n in ("get_channel_index", "get_channel_dim", "factorized_reduction")
    ]

    def build(net, previous):
        with (
            slim.arg_scope(importer("nasnet.nasnet.nasnet_mobile_arg_scope")()),
            slim.arg_scope(axes, data_format="NHWC"),
            slim.arg_scope([slim.batch_norm], is_training=False),
        ):
            return cell(net, "cell", stride=stride, prev_layer=previous)

    net = 8 * images(1, 7, 6, 5)
    previous = 8 * images(1, *((13, 12) if larger else (7, 6)), 3, seed=1)
    model = slim.Module(build)
    model(net, previous)
    for key, variable in model.named_variables.items():
        variable.assign(recorded_weights(key, variable.shape.as_list()))
    values = {n.removeprefix("cell/"): v for n, v in model.named_variables.items()}
    output = model(net, previous)
    assert_same(output, Formula(values, bounded)(name, tf.constant(net), previous, stride))
    if bounded and stride == 2:
        assert np.max(output) == 6


def sources(graph, scope, ends):
    """Returns the end points that the layers in a scope take."""
    names = {tensor.name: end for end, tensor in ends.items()}
    return {
        names[tensor.name]
        for op in graph.get_operations()
        if op.name.startswith(f"{scope}/")
        for tensor in op.inputs
        if tensor.name in names
    }


@pytest.mark.parametrize("skip", [0, 1])
def test_a_cell_beside_a_reduction_takes_the_maps_that_the_config_says(skip, importer, graph):
    inputs = v1.placeholder(tf.float32, [1, 16, 16, 3])
    config = importer("nasnet.nasnet.cifar_config")()
    config.num_cells, config.num_conv_filters = 6, 4
    config.skip_reduction_layer_input = skip
    _, ends = slim.nets.nasnet_cifar(inputs, 3, is_training=False, config=config)
    before = "Cell_0" if skip else "Cell_1"
    assert sources(graph, "cell_2", ends) == {"Reduction_Cell_0", before}
    assert sources(graph, "reduction_cell_0", ends) == {"Cell_1", "Cell_0"}


@pytest.mark.parametrize("skip", [0, 1])
def test_a_reduction_of_pnasnet_takes_the_maps_that_the_config_says(skip, importer, graph):
    inputs = v1.placeholder(tf.float32, [1, 32, 32, 3])
    config = importer("nasnet.pnasnet.mobile_imagenet_config")()
    config.num_cells, config.num_conv_filters = 6, 8
    config.skip_reduction_layer_input = skip
    _, ends = slim.nets.pnasnet_mobile(
        inputs, 3, is_training=False, config=config, final_endpoint="Cell_3"
    )
    assert sources(graph, "cell_2", ends) == {"Cell_1", "Cell_0" if skip else "Stem"}
    assert sources(graph, "cell_3", ends) == {"Cell_2", "Cell_1"}


@pytest.mark.parametrize("reductions, rate", [(1, 3.0), (3, 1.5)])
def test_numbers_of_a_nasnet_set_its_widths(reductions, rate, importer, graph):
    config = importer("nasnet.nasnet.mobile_imagenet_config")()
    config.num_cells, config.num_conv_filters = 4, 18
    config.num_reduction_layers, config.filter_scaling_rate = reductions, rate
    config.stem_multiplier = 0.5
    inputs = v1.placeholder(tf.float32, [1, 64, 64, 3])
    _, ends = slim.nets.nasnet_mobile(inputs, 3, is_training=False, config=config)
    (stem,) = (v for v in v1.global_variables() if v.op.name == "conv0/weights")
    assert stem.shape == (3, 3, 3, 16)
    assert ends["Stem"].shape == (1, 8, 8, 4 * int(18 / rate))
    scaling, size, done = 1.0, 8, 0
    for number in range(4):
        if number in [int(4 * n / (reductions + 1)) for n in range(1, reductions + 1)]:
            scaling, size = scaling * rate, -(-size // 2)
            reduced = ends[f"Reduction_Cell_{done}"]
            assert reduced.shape == (1, size, size, 4 * int(18 * scaling))
            done += 1
        assert ends[f"Cell_{number}"].shape == (1, size, size, 6 * int(18 * scaling))
    assert done == reductions


@pytest.mark.parametrize("multiplier", [0.5, 2.0])
def test_the_stem_of_a_small_nasnet_is_a_multiple(multiplier, importer, graph):
    config = importer("nasnet.nasnet.cifar_config")()
    config.num_cells, config.num_conv_filters, config.stem_multiplier = 1, 6, multiplier
    inputs = v1.placeholder(tf.float32, [1, 9, 9, 3])
    _, ends = slim.nets.nasnet_cifar(inputs, 3, is_training=False, config=config)
    assert ends["Stem"].shape == (1, 9, 9, int(6 * multiplier))


@pytest.mark.parametrize("use_aux_head", [0, 1])
def test_the_second_classifier_of_a_nasnet_can_be_left_out(use_aux_head, importer, graph):
    config = importer("nasnet.nasnet.cifar_config")()
    config.num_cells, config.num_conv_filters, config.use_aux_head = 3, 4, use_aux_head
    _, ends = slim.nets.nasnet_cifar(v1.placeholder(tf.float32, [2, 16, 16, 3]), 5, config=config)
    assert ("AuxLogits" in ends) == bool(use_aux_head)


@pytest.mark.parametrize("name", ["nasnet_cifar", "pnasnet_mobile"])
@pytest.mark.parametrize("bounded", [False, True])
def test_a_nasnet_gives_the_same_in_either_format(name, bounded, importer, recorded_weights):
    place = "nasnet.nasnet.cifar" if name == "nasnet_cifar" else "nasnet.pnasnet.mobile_imagenet"
    net, results = slim.lookup("net", name), []
    picture = 5 * images(1, 20, 17, 3)
    for data_format in ("NHWC", "NCHW"):
        config = importer(f"{place}_config")()
        config.num_cells, config.num_conv_filters = 3, 8
        config.data_format, config.use_bounded_activation = data_format, bounded
        model = slim.Module(net, num_classes=3, is_training=False, config=config)
        run = tf.function(lambda x, model=model: model(x))
        run.get_concrete_function(tf.TensorSpec(picture.shape))
        for key, variable in model.named_variables.items():
            variable.assign(recorded_weights(key, variable.shape.as_list()))
        results.append(run(tf.constant(picture)))
    (expected, ends), (logits, first) = results
    assert_same(logits, expected)
    assert_same(tf.transpose(first["Cell_2"], [0, 2, 3, 1]), ends["Cell_2"])
