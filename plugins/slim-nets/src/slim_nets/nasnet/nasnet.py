"""NASNet-A, in three sizes: normal cells, with reduction cells between them.

Paper: Zoph et al., "Learning Transferable Architectures for Scalable Image Recognition", 2017,
arXiv:1707.07012: figure 2 is `_stages`, appendix A the stems, table 2 the sizes.

`build_nasnet_cifar`, `_mobile` and `_large` are the networks; `cifar_config` and so on their
numbers, to be changed and passed as `config`; `nasnet_cifar_arg_scope` and so on their scopes. The
stem, the heads and the scope are PNASNet's too.
"""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf
from slim_layers import (
    avg_pool2d,
    batch_norm,
    conv2d,
    dropout,
    flatten,
    fully_connected,
    l2_regularizer,
    max_pool2d,
    separable_conv2d,
    variance_scaling_initializer,
)

from slim_nets._checks import check_classes, check_endpoint, check_size
from slim_nets._network import network
from slim_nets.nasnet import nasnet_utils
from slim_nets.nasnet.nasnet_utils import Config
from slimcore import Scope, arg_scope

Ends = dict[str, tf.Tensor]
Layer = Callable[..., Any]


def cifar_config() -> Config:
    """Returns the numbers of NASNet-A for CIFAR-10."""
    return Config(
        num_conv_filters=32,
        num_cells=18,
        stem_multiplier=3.0,
        drop_path_keep_prob=0.6,
        dense_dropout_keep_prob=1.0,
        total_training_steps=937500,
    )


def large_imagenet_config() -> Config:
    """Returns the numbers of NASNet-A 6 @ 4032."""
    return Config(
        num_conv_filters=168,
        num_cells=18,
        stem_multiplier=3.0,
        drop_path_keep_prob=0.7,
        skip_reduction_layer_input=1,
    )


def mobile_imagenet_config() -> Config:
    """Returns the numbers of NASNet-A 4 @ 1056."""
    return Config(num_conv_filters=44, num_cells=12)


def nasnet_arg_scope(
    weight_decay: float, batch_norm_decay: float, batch_norm_epsilon: float
) -> Scope:
    """Returns the scope that NASNet and PNASNet are built in.

    Args:
        weight_decay: Factor of the L2 regularization loss of the weights.
        batch_norm_decay: Decay of the moving averages.
        batch_norm_epsilon: Added to the variance.
    """
    with (
        arg_scope(
            [fully_connected, conv2d, separable_conv2d],
            weights_regularizer=l2_regularizer(weight_decay),
            weights_initializer=variance_scaling_initializer(mode="FAN_OUT"),
        ),
        arg_scope([fully_connected], activation_fn=None, scope="FC"),
        arg_scope([conv2d, separable_conv2d], activation_fn=None, biases_initializer=None),
        arg_scope(
            [batch_norm],
            decay=batch_norm_decay,
            epsilon=batch_norm_epsilon,
            scale=True,
            fused=True,
        ) as scope,
    ):
        return scope


def nasnet_cifar_arg_scope(
    weight_decay: float = 5e-4, batch_norm_decay: float = 0.9, batch_norm_epsilon: float = 1e-5
) -> Scope:
    """Returns the scope of `build_nasnet_cifar`. See `nasnet_arg_scope`."""
    return nasnet_arg_scope(weight_decay, batch_norm_decay, batch_norm_epsilon)


def nasnet_mobile_arg_scope(
    weight_decay: float = 4e-5, batch_norm_decay: float = 0.9997, batch_norm_epsilon: float = 1e-3
) -> Scope:
    """Returns the scope of `build_nasnet_mobile`. See `nasnet_arg_scope`."""
    return nasnet_arg_scope(weight_decay, batch_norm_decay, batch_norm_epsilon)


def nasnet_large_arg_scope(
    weight_decay: float = 5e-5, batch_norm_decay: float = 0.9997, batch_norm_epsilon: float = 1e-3
) -> Scope:
    """Returns the scope of `build_nasnet_large`. See `nasnet_arg_scope`."""
    return nasnet_arg_scope(weight_decay, batch_norm_decay, batch_norm_epsilon)


@network(image_size=32, arg_scope=nasnet_cifar_arg_scope)
def build_nasnet_cifar(
    images: tf.Tensor,
    num_classes: int | None,
    is_training: bool = True,
    config: Config | None = None,
    current_step: Any = None,
) -> tuple[tf.Tensor, Ends]:
    """Turns images of 32x32 into logits. Arguments and results are those of `build_nasnet_mobile`.

    The first convolution keeps the size, and the images may be as small as 9x9.
    """
    config = config or cifar_config()
    return _build("nasnet_cifar", images, num_classes, is_training, config, None, current_step)


@network(image_size=224, arg_scope=nasnet_mobile_arg_scope)
def build_nasnet_mobile(
    images: tf.Tensor,
    num_classes: int | None,
    is_training: bool = True,
    final_endpoint: str | None = None,
    config: Config | None = None,
    current_step: Any = None,
) -> tuple[tf.Tensor, Ends]:
    """Turns images into logits, with 5 million parameters.

    Args:
        images: Images [batch, height, width, channels]; 224x224 in the paper. For training with
            the second classifier at least 67x67.
        num_classes: Number of classes; 0 or None returns the pooled features instead.
        is_training: Whether dropout and drop path are on, batch normalization uses the batch, and
            there is a second classifier.
        final_endpoint: Where to stop: `Stem`, `Cell_0`, `Reduction_Cell_0`, and so on; at the
            logits by default.
        config: The numbers, `mobile_imagenet_config()` by default.
        current_step: The step of training, for drop path; the global step by default.

    Returns:
        The logits [batch, num_classes], and the end points: `Stem`, `Cell_0` and so on,
        `Reduction_Cell_0` and so on, `AuxLogits` while training, `global_pool`, `Logits` and
        `Predictions`.

    Raises:
        InputError: `num_classes` is negative, or there is no end point of this name.
        ShapeError: The images are too small.
    """
    config = config or mobile_imagenet_config()
    return _build(
        "nasnet_mobile", images, num_classes, is_training, config, final_endpoint, current_step
    )


@network(image_size=331, arg_scope=nasnet_large_arg_scope)
def build_nasnet_large(
    images: tf.Tensor,
    num_classes: int | None,
    is_training: bool = True,
    final_endpoint: str | None = None,
    config: Config | None = None,
    current_step: Any = None,
) -> tuple[tf.Tensor, Ends]:
    """Turns images of 331x331 into logits, with 89 million parameters.

    Arguments and results are those of `build_nasnet_mobile`.
    """
    config = config or large_imagenet_config()
    return _build(
        "nasnet_large", images, num_classes, is_training, config, final_endpoint, current_step
    )


def _build(
    name: str,
    images: tf.Tensor,
    num_classes: int | None,
    is_training: bool,
    config: Config,
    final_endpoint: str | None,
    current_step: Any,
) -> tuple[tf.Tensor, Ends]:
    imagenet = name != "nasnet_cifar"
    check_network(name, images, num_classes, is_training, config, smallest=67 if imagenet else 9)
    if final_endpoint is not None:
        known = ["Stem", *(f"Cell_{n}" for n in range(config.num_cells))]
        known += [f"Reduction_Cell_{n}" for n in range(config.num_reduction_layers)]
        check_endpoint(name, final_endpoint, known)
    with building(images, is_training, config) as images:
        stages = _stages(images, is_training, config, imagenet, current_step)
        return with_heads(stages, num_classes, is_training, config, final_endpoint)


def _stages(
    images: tf.Tensor, is_training: bool, config: Config, imagenet: bool, current_step: Any
) -> Iterator[tuple[str, tf.Tensor]]:
    """Builds stem and cells, and yields the end point and the map of each as it is built."""
    reductions = nasnet_utils.calc_reduction_layers(config.num_cells, config.num_reduction_layers)
    design: dict[str, Any] = {
        "drop_path_keep_prob": config.drop_path_keep_prob if is_training else 1.0,
        # The stem and the reductions count as cells for drop path.
        "total_num_cells": config.num_cells + len(reductions) + (2 if imagenet else 0),
        "total_training_steps": config.total_training_steps,
        "use_bounded_activation": config.use_bounded_activation,
    }
    normal = nasnet_utils.NasNetANormalCell(config.num_conv_filters, **design)
    reduction = nasnet_utils.NasNetAReductionCell(config.num_conv_filters, **design)
    if imagenet:
        outputs = imagenet_stem(images, config, reduction, current_step)
    else:
        outputs = _cifar_stem(images, config)
    net = outputs[-1]
    yield "Stem", net
    scaling, cell_num = 1.0, len(outputs) - 2
    for number in range(config.num_cells):
        previous = outputs[-2]
        if number in reductions:
            which = reductions.index(number)
            scaling *= config.filter_scaling_rate
            net = reduction(
                net,
                scope=f"reduction_cell_{which}",
                filter_scaling=scaling,
                stride=2,
                prev_layer=previous,
                cell_num=cell_num,
                current_step=current_step,
            )
            yield f"Reduction_Cell_{which}", net
            cell_num += 1
            outputs.append(net)
            if not config.skip_reduction_layer_input:
                previous = outputs[-2]
        net = normal(
            net,
            scope=f"cell_{number}",
            filter_scaling=scaling,
            stride=1,
            prev_layer=previous,
            cell_num=cell_num,
            current_step=current_step,
        )
        yield f"Cell_{number}", net
        cell_num += 1
        outputs.append(net)


def with_heads(
    stages: Iterator[tuple[str, tf.Tensor]],
    num_classes: int | None,
    is_training: bool,
    config: Config,
    final_endpoint: str | None,
) -> tuple[tf.Tensor, Ends]:
    """Builds stages up to the final end point; or all of them, and the classifiers.

    Args:
        stages: The end point and the map of each stage, built as it is asked for.
        num_classes: Number of classes; 0 or None for no classifier.
        is_training: Whether there is a second classifier, after the last cell before the second
            reduction.
        config: The numbers.
        final_endpoint: Where to stop; None for the classifier.

    Returns:
        The last map, the features or the logits; and the end points.
    """
    reductions = nasnet_utils.calc_reduction_layers(config.num_cells, config.num_reduction_layers)
    has_aux_head = config.use_aux_head and is_training and len(reductions) >= 2
    ends: Ends = {}
    for name, net in stages:
        ends[name] = net
        if name == final_endpoint:
            return net, ends
        if num_classes and has_aux_head and name == f"Cell_{reductions[1] - 1}":
            aux_head(net, ends, num_classes, config, scope=f"aux_{reductions[1] - 1}")
    return head(net, ends, num_classes, config), ends


def check_network(
    name: str,
    images: tf.Tensor,
    num_classes: int | None,
    is_training: bool,
    config: Config,
    smallest: int,
) -> None:
    """Checks the arguments of a network: `smallest` is the size that its second classifier needs.

    Raises:
        InputError: `num_classes` is negative.
        ShapeError: The images are too small.
    """
    check_classes(name, num_classes)
    with_aux = config.use_aux_head and num_classes and is_training
    check_size(name, images, smallest if with_aux else 3)


@contextlib.contextmanager
def building(images: tf.Tensor, is_training: bool, config: Config) -> Iterator[tf.Tensor]:
    """Enters the scopes of training and of the data format, and yields the images in that."""
    if config.data_format == nasnet_utils.DATA_FORMAT_NCHW:
        images = tf.transpose(images, [0, 3, 1, 2])
    in_training: list[Layer] = [dropout, nasnet_utils.drop_path, batch_norm]
    formatted: list[Layer] = [
        avg_pool2d,
        max_pool2d,
        conv2d,
        batch_norm,
        separable_conv2d,
        nasnet_utils.factorized_reduction,
        nasnet_utils.global_avg_pool,
        nasnet_utils.get_channel_index,
        nasnet_utils.get_channel_dim,
    ]
    with (
        arg_scope(in_training, is_training=is_training),
        arg_scope(formatted, data_format=config.data_format),
    ):
        yield images


def imagenet_stem(
    inputs: tf.Tensor, config: Config, cell: nasnet_utils.NasNetABaseCell, current_step: Any = None
) -> list[tf.Tensor | None]:
    """Makes images eight times smaller, with a convolution and two cells of fewer channels.

    Returns:
        The inputs of the cells to come: nothing, the convolution's output, and the two cells'.
    """
    filters = int(32 * config.stem_multiplier)
    net = conv2d(inputs, filters, [3, 3], stride=2, padding="VALID", scope="conv0")
    net = batch_norm(net, scope="conv0_bn")
    outputs = [None, net]
    for number in range(2):
        net = cell(
            net,
            scope=f"cell_stem_{number}",
            filter_scaling=config.filter_scaling_rate ** (number - 2),
            stride=2,
            prev_layer=outputs[-2],
            cell_num=number,
            current_step=current_step,
        )
        outputs.append(net)
    return outputs


def _cifar_stem(inputs: tf.Tensor, config: Config) -> list[tf.Tensor | None]:
    filters = int(config.num_conv_filters * config.stem_multiplier)
    net = conv2d(inputs, filters, 3, scope="l1_stem_3x3")
    return [None, batch_norm(net, scope="l1_stem_bn")]


def aux_head(net: tf.Tensor, ends: Ends, num_classes: int, config: Config, scope: str) -> None:
    """Adds the second classifier, `AuxLogits` among the end points."""
    activation = tf.nn.relu6 if config.use_bounded_activation else tf.nn.relu
    with (
        tf.compat.v1.variable_scope(scope),
        tf.compat.v1.variable_scope("aux_logits"),
    ):
        net = avg_pool2d(activation(net), [5, 5], stride=3, padding="VALID")
        net = conv2d(net, 128, [1, 1], scope="proj")
        net = activation(batch_norm(net, scope="aux_bn0"))
        first, second = nasnet_utils.spatial_axes()
        kernel = [net.shape[first], net.shape[second]]
        net = conv2d(net, 768, kernel, padding="VALID")
        net = activation(batch_norm(net, scope="aux_bn1"))
        ends["AuxLogits"] = fully_connected(flatten(net), num_classes)


def head(net: tf.Tensor, ends: Ends, num_classes: int | None, config: Config) -> tf.Tensor:
    """Averages over positions, and classifies."""
    activation = tf.nn.relu6 if config.use_bounded_activation else tf.nn.relu
    with tf.compat.v1.variable_scope("final_layer"):
        net = ends["global_pool"] = nasnet_utils.global_avg_pool(activation(net))
        if not num_classes:
            return net
        net = dropout(net, config.dense_dropout_keep_prob, scope="dropout")
        logits = ends["Logits"] = fully_connected(net, num_classes)
        ends["Predictions"] = tf.nn.softmax(logits, name="predictions")
    return logits
