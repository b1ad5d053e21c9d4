"""PNASNet-5, in two sizes: one cell, used for everything.

Paper: Liu et al., "Progressive Neural Architecture Search", 2017, arXiv:1712.00559: figure 1 is
`PNasNetNormalCell`, table 5 the sizes.

`build_pnasnet_mobile` and `build_pnasnet_large` are the networks, `mobile_imagenet_config` and
`large_imagenet_config` their numbers, `pnasnet_mobile_arg_scope` and `pnasnet_large_arg_scope`
their scopes. Stem and heads are those of NASNet.
"""

from collections.abc import Iterator

import tensorflow as tf

from slim_nets._checks import check_endpoint
from slim_nets._network import network
from slim_nets.nasnet import nasnet, nasnet_utils
from slim_nets.nasnet.nasnet_utils import Config
from slimcore import Scope


def large_imagenet_config() -> Config:
    """Returns the numbers of PNASNet-5 (N=4, F=216)."""
    return Config(
        num_conv_filters=216,
        num_cells=12,
        stem_multiplier=3.0,
        drop_path_keep_prob=0.6,
        skip_reduction_layer_input=1,
    )


def mobile_imagenet_config() -> Config:
    """Returns the numbers of PNASNet-5 (N=3, F=54)."""
    return Config(num_conv_filters=54, num_cells=9, skip_reduction_layer_input=1)


def pnasnet_large_arg_scope(
    weight_decay: float = 4e-5, batch_norm_decay: float = 0.9997, batch_norm_epsilon: float = 1e-3
) -> Scope:
    """Returns the scope of `build_pnasnet_large`. See `nasnet.nasnet_arg_scope`."""
    return nasnet.nasnet_arg_scope(weight_decay, batch_norm_decay, batch_norm_epsilon)


def pnasnet_mobile_arg_scope(
    weight_decay: float = 4e-5, batch_norm_decay: float = 0.9997, batch_norm_epsilon: float = 1e-3
) -> Scope:
    """Returns the scope of `build_pnasnet_mobile`. See `nasnet.nasnet_arg_scope`."""
    return nasnet.nasnet_arg_scope(weight_decay, batch_norm_decay, batch_norm_epsilon)


class PNasNetNormalCell(nasnet_utils.NasNetABaseCell):
    """The cell of PNASNet-5 (figure 1, left)."""

    def __init__(
        self,
        num_conv_filters: int,
        drop_path_keep_prob: float,
        total_num_cells: int,
        total_training_steps: int,
        use_bounded_activation: bool = False,
    ) -> None:
        super().__init__(
            num_conv_filters,
            operations=[
                *("separable_5x5_2", "max_pool_3x3"),
                *("separable_7x7_2", "max_pool_3x3"),
                *("separable_5x5_2", "separable_3x3_2"),
                *("separable_3x3_2", "max_pool_3x3"),
                *("separable_3x3_2", "none"),
            ],
            used_hiddenstates=[1, 1, 0, 0, 0, 0, 0],
            hiddenstate_indices=[1, 1, 0, 0, 0, 0, 4, 0, 1, 0],
            drop_path_keep_prob=drop_path_keep_prob,
            total_num_cells=total_num_cells,
            total_training_steps=total_training_steps,
            use_bounded_activation=use_bounded_activation,
        )


@network(image_size=331, arg_scope=pnasnet_large_arg_scope)
def build_pnasnet_large(
    images: tf.Tensor,
    num_classes: int | None,
    is_training: bool = True,
    final_endpoint: str | None = None,
    config: Config | None = None,
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """Turns images of 331x331 into logits, with 86 million parameters.

    Arguments and results are those of `build_pnasnet_mobile`.
    """
    config = config or large_imagenet_config()
    return _build("pnasnet_large", images, num_classes, is_training, final_endpoint, config)


@network(image_size=224, arg_scope=pnasnet_mobile_arg_scope)
def build_pnasnet_mobile(
    images: tf.Tensor,
    num_classes: int | None,
    is_training: bool = True,
    final_endpoint: str | None = None,
    config: Config | None = None,
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """Turns images into logits, with 5 million parameters.

    Args:
        images: Images [batch, height, width, channels]; 224x224 in the paper. For training with
            the second classifier at least 67x67.
        num_classes: Number of classes; 0 or None returns the pooled features instead.
        is_training: Whether dropout and drop path are on, batch normalization uses the batch, and
            there is a second classifier.
        final_endpoint: Where to stop: `Stem`, `Cell_0`, and so on; at the logits by default.
        config: The numbers, `mobile_imagenet_config()` by default.

    Returns:
        The logits [batch, num_classes], and the end points: `Stem`, `Cell_0` and so on,
        `AuxLogits` while training, `global_pool`, `Logits` and `Predictions`.

    Raises:
        InputError: `num_classes` is negative, or there is no end point of this name.
        ShapeError: The images are too small.
    """
    config = config or mobile_imagenet_config()
    return _build("pnasnet_mobile", images, num_classes, is_training, final_endpoint, config)


def _build(
    name: str,
    images: tf.Tensor,
    num_classes: int | None,
    is_training: bool,
    final_endpoint: str | None,
    config: Config,
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    nasnet.check_network(name, images, num_classes, is_training, config, smallest=67)
    if final_endpoint is not None:
        known = ["Stem", *(f"Cell_{n}" for n in range(config.num_cells))]
        check_endpoint(name, final_endpoint, known)
    with nasnet.building(images, is_training, config) as images:
        stages = _stages(images, is_training, config)
        return nasnet.with_heads(stages, num_classes, is_training, config, final_endpoint)


def _stages(
    images: tf.Tensor, is_training: bool, config: Config
) -> Iterator[tuple[str, tf.Tensor]]:
    """Builds stem and cells, and yields the end point and the map of each as it is built."""
    cell = PNasNetNormalCell(
        config.num_conv_filters,
        config.drop_path_keep_prob if is_training else 1.0,
        # The two cells of the stem count for drop path.
        config.num_cells + 2,
        config.total_training_steps,
        config.use_bounded_activation,
    )
    reductions = nasnet_utils.calc_reduction_layers(config.num_cells, config.num_reduction_layers)
    outputs = nasnet.imagenet_stem(images, config, cell)
    net = outputs[-1]
    yield "Stem", net
    scaling, previous = 1.0, outputs[-2]
    for number in range(config.num_cells):
        halves = number in reductions
        if halves:
            scaling *= config.filter_scaling_rate
        if config.skip_reduction_layer_input or not halves:
            previous = outputs[-2]
        net = cell(
            net,
            scope=f"cell_{number}",
            filter_scaling=scaling,
            stride=2 if halves else 1,
            prev_layer=previous,
            cell_num=number + 2,
        )
        yield f"Cell_{number}", net
        outputs.append(net)
