"""The cell of NASNet and PNASNet, and what it is made of.

Papers: Zoph et al., "Learning Transferable Architectures for Scalable Image Recognition", 2017,
arXiv:1707.07012: figure 4 has the two cells, section 4 the scheduled drop path; Liu et al.,
"Progressive Neural Architecture Search", 2017, arXiv:1712.00559, figure 1.

A cell takes two maps, its input and that of the cell before it. It makes five more, each the sum of
two operations on earlier ones, and concatenates those that no other uses. `NasNetABaseCell` builds
any such cell from lists of operations.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf
from slim_layers import avg_pool2d, batch_norm, conv2d, max_pool2d, separable_conv2d

from slimcore import add_arg_scope, get_or_create_global_step
from slimcore.errors import InputError

DATA_FORMAT_NCHW = "NCHW"
DATA_FORMAT_NHWC = "NHWC"
INVALID = "null"
CLIP_BY_VALUE_CAP = 6


@dataclass
class Config:
    """The numbers of one network.

    Attributes:
        num_conv_filters: Channels of an operation in the first cells.
        num_cells: Normal cells.
        stem_multiplier: Factor on the channels of the first convolution.
        filter_scaling_rate: Factor on the channels at each reduction.
        drop_path_keep_prob: The share of operations that drop path keeps at the end of training.
        dense_dropout_keep_prob: The share of features that dropout keeps.
        num_reduction_layers: How often the map is halved after the stem.
        use_aux_head: Whether there is a second classifier while training.
        skip_reduction_layer_input: Whether the cell after a reduction takes the map before it, in
            NASNet; in PNASNet, whether a cell that halves the map takes, beside its input, that of
            the cell before, rather than the one before that.
        total_training_steps: Steps until drop path reaches its share.
        data_format: "NHWC" or "NCHW".
        use_bounded_activation: Whether activations are kept within 6, for quantized arithmetic.
    """

    num_conv_filters: int
    num_cells: int
    stem_multiplier: float = 1.0
    filter_scaling_rate: float = 2.0
    drop_path_keep_prob: float = 1.0
    dense_dropout_keep_prob: float = 0.5
    num_reduction_layers: int = 2
    use_aux_head: int = 1
    skip_reduction_layer_input: int = 0
    total_training_steps: int = 250000
    data_format: str = DATA_FORMAT_NHWC
    use_bounded_activation: bool = False

    def set_hparam(self, name: str, value: Any) -> None:
        """Sets one of the numbers.

        Raises:
            InputError: There is none of this name.
        """
        if name not in vars(self):
            raise InputError(f"a NASNet has no {name!r}; it has {', '.join(vars(self))}")
        setattr(self, name, value)


def calc_reduction_layers(num_cells: int, num_reduction_layers: int) -> list[int]:
    """Returns the cells before which the map is halved, evenly spaced."""
    return [
        int(number / (num_reduction_layers + 1) * num_cells)
        for number in range(1, num_reduction_layers + 1)
    ]


@add_arg_scope
def get_channel_index(data_format: str = INVALID) -> int:
    """Returns the axis of the channels.

    Raises:
        InputError: No data format is set, neither here nor by a scope.
    """
    if data_format not in (DATA_FORMAT_NHWC, DATA_FORMAT_NCHW):
        raise InputError(
            f"a NASNet got data_format={data_format!r}; pass 'NHWC' or 'NCHW', or set it with "
            "arg_scope"
        )
    return 3 if data_format == DATA_FORMAT_NHWC else 1


def spatial_axes(**data_format: str) -> tuple[int, int]:
    """Returns the axes of height and width. Takes the argument of `get_channel_index`."""
    return (1, 2) if get_channel_index(**data_format) == 3 else (2, 3)


@add_arg_scope
def get_channel_dim(shape: tf.TensorShape, data_format: str = INVALID) -> int:
    """Returns the number of channels of a shape."""
    return shape[get_channel_index(data_format=data_format)]


@add_arg_scope
def global_avg_pool(x: tf.Tensor, data_format: str = INVALID) -> tf.Tensor:
    """Averages a map over its positions: [batch, channels]."""
    return tf.reduce_mean(x, spatial_axes(data_format=data_format))


@add_arg_scope
def factorized_reduction(
    net: tf.Tensor, output_filters: int, stride: int, data_format: str = INVALID
) -> tf.Tensor:
    """Halves a map without losing what lies between the positions kept.

    Args:
        net: The map.
        output_filters: Channels of the output: half from the even, half from the odd positions.
        stride: 2; or 1, for one 1x1 convolution of all positions.
        data_format: "NHWC" or "NCHW".
    """
    if stride == 1:
        net = conv2d(net, output_filters, 1, scope="path_conv")
        return batch_norm(net, scope="path_bn")
    half = output_filters // 2
    even = avg_pool2d(net, [1, 1], stride=stride, padding="VALID")
    even = conv2d(even, half, 1, scope="path1_conv")
    begin = [int(axis in spatial_axes(data_format=data_format)) for axis in range(4)]
    odd = tf.pad(net, [[0, after] for after in begin])
    odd = odd[:, begin[1] :, begin[2] :, begin[3] :]
    odd = avg_pool2d(odd, [1, 1], stride=stride, padding="VALID")
    odd = conv2d(odd, output_filters - half, 1, scope="path2_conv")
    net = tf.concat([even, odd], get_channel_index(data_format=data_format))
    return batch_norm(net, scope="final_path_bn")


@add_arg_scope
def drop_path(net: tf.Tensor, keep_prob: Any, is_training: bool = True) -> tf.Tensor:
    """Drops a map of whole examples at random, and scales up those that it keeps.

    Args:
        net: The map [batch, ...].
        keep_prob: The share of examples kept, a number or a scalar.
        is_training: Otherwise all are kept as they are.
    """
    if not is_training:
        return net
    keep_prob = tf.cast(keep_prob, net.dtype)
    draws = tf.random.uniform([tf.shape(net)[0], 1, 1, 1], dtype=net.dtype)
    return net / keep_prob * tf.floor(draws + keep_prob)


class NasNetABaseCell:
    """A cell, to be called for each place in the network where it stands."""

    def __init__(
        self,
        num_conv_filters: int,
        operations: Sequence[str],
        used_hiddenstates: Sequence[int],
        hiddenstate_indices: Sequence[int],
        drop_path_keep_prob: float,
        total_num_cells: int,
        total_training_steps: int,
        use_bounded_activation: bool = False,
    ) -> None:
        """Keeps the design.

        Args:
            num_conv_filters: Channels of an operation, before scaling.
            operations: Two for each of the five sums: "separable_5x5_2" (a separable convolution,
                twice), "avg_pool_3x3", "max_pool_3x3", or "none".
            used_hiddenstates: Whether each of the seven maps is used in another one, and hence not
                in the output.
            hiddenstate_indices: The map that each operation takes: 0 is the cell's input, 1 that
                of the cell before, 2 the first sum, and so on.
            drop_path_keep_prob: The share of operations that drop path keeps at the end.
            total_num_cells: All cells of the network; drop path grows with the cell's number.
            total_training_steps: Steps until drop path reaches its share.
            use_bounded_activation: Whether activations are kept within 6.
        """
        self._num_conv_filters = num_conv_filters
        self._operations = operations
        self._used_hiddenstates = used_hiddenstates
        self._hiddenstate_indices = hiddenstate_indices
        self._drop_path_keep_prob = drop_path_keep_prob
        self._total_num_cells = total_num_cells
        self._total_training_steps = total_training_steps
        self._bounded = use_bounded_activation
        self._activation = tf.nn.relu6 if use_bounded_activation else tf.nn.relu

    def __call__(
        self,
        net: tf.Tensor,
        scope: str | None = None,
        filter_scaling: float = 1,
        stride: int = 1,
        prev_layer: tf.Tensor | None = None,
        cell_num: int = -1,
        current_step: Any = None,
    ) -> tf.Tensor:
        """Builds the cell.

        Args:
            net: Its input.
            scope: Name of the variables' scope.
            filter_scaling: Factor on the channels of an operation.
            stride: 2 for a cell that halves the map.
            prev_layer: The input of the cell before; `net` where there is none.
            cell_num: Its number, for drop path.
            current_step: The step of training, for drop path; the global step by default.

        Returns:
            The concatenation of the maps that no other uses.
        """
        filters = int(self._num_conv_filters * filter_scaling)
        with tf.compat.v1.variable_scope(scope):
            maps = self._beginning(net, prev_layer, filters)
            operands = zip(self._operations, self._hiddenstate_indices, strict=True)
            for number, (left, right) in enumerate(zip(operands, operands, strict=True)):
                with tf.compat.v1.variable_scope(f"comb_iter_{number}"):
                    terms = []
                    for side, (operation, index) in (("left", left), ("right", right)):
                        with tf.compat.v1.variable_scope(side):
                            # Only the cell's two inputs are still as large as before.
                            term = self._apply(
                                maps[index], operation, stride if index < 2 else 1, filters
                            )
                            if operation != "none":
                                term = self._drop(term, cell_num, current_step)
                            terms.append(term)
                    with tf.name_scope("combine"):
                        total = terms[0] + terms[1]
                        maps.append(tf.nn.relu6(total) if self._bounded else total)
            with tf.compat.v1.variable_scope("cell_output"):
                return self._output(maps)

    def _beginning(
        self, net: tf.Tensor, prev_layer: tf.Tensor | None, filters: int
    ) -> list[tf.Tensor]:
        """Returns the two inputs with equal size and channels."""
        previous = net if prev_layer is None else prev_layer
        if previous.shape[2] != net.shape[2]:
            previous = factorized_reduction(self._activation(previous), filters, stride=2)
        elif prev_layer is not None and get_channel_dim(previous.shape) != filters:
            previous = conv2d(self._activation(previous), filters, 1, scope="prev_1x1")
            previous = batch_norm(previous, scope="prev_bn")
        net = conv2d(self._activation(net), filters, 1, scope="1x1")
        return [batch_norm(net, scope="beginning_bn"), previous]

    def _apply(self, net: tf.Tensor, operation: str, stride: int, filters: int) -> tf.Tensor:
        if operation.startswith("separable"):
            return self._clipped(self._separable(net, operation, stride, filters))
        projects = get_channel_dim(net.shape) != filters
        if operation == "none":
            if projects or stride > 1:
                return self._clipped(self._projected(self._activation(net), filters, stride))
            return self._activation(net) if self._bounded else net
        window = [int(size) for size in operation[-3:].split("x")]
        pool = avg_pool2d if operation.startswith("avg") else max_pool2d
        net = self._activation(net) if self._bounded else net
        net = pool(net, window, stride=stride, padding="SAME")
        return self._clipped(self._projected(net, filters, 1) if projects else net)

    def _clipped(self, net: tf.Tensor) -> tf.Tensor:
        if not self._bounded:
            return net
        return tf.clip_by_value(net, -CLIP_BY_VALUE_CAP, CLIP_BY_VALUE_CAP)

    def _projected(self, net: tf.Tensor, filters: int, stride: int) -> tf.Tensor:
        net = conv2d(net, filters, 1, stride=stride, scope="1x1")
        return batch_norm(net, scope="bn_1")

    def _separable(self, net: tf.Tensor, operation: str, stride: int, filters: int) -> tf.Tensor:
        size, times = map(int, re.findall(r"\d+", operation)[1:])
        for number in range(1, times + 1):
            net = separable_conv2d(
                self._activation(net),
                filters,
                size,
                depth_multiplier=1,
                stride=stride,
                scope=f"separable_{size}x{size}_{number}",
            )
            net = batch_norm(net, scope=f"bn_sep_{size}x{size}_{number}")
            stride = 1
        return net

    def _drop(self, net: tf.Tensor, cell_num: int, current_step: Any) -> tf.Tensor:
        """Drops paths: more in later cells, and more as training goes on."""
        if self._drop_path_keep_prob >= 1.0:
            return net
        dropped = 1 - self._drop_path_keep_prob
        dropped *= (cell_num + 1) / self._total_num_cells
        step = get_or_create_global_step() if current_step is None else current_step
        progress = tf.cast(step, tf.float32) / self._total_training_steps
        return drop_path(net, 1 - tf.minimum(1.0, progress) * dropped)

    def _output(self, maps: list[tf.Tensor]) -> tf.Tensor:
        """Concatenates the maps that no other uses, each as large as the last."""
        last = maps[-1]
        filters, outputs = get_channel_dim(last.shape), []
        for index, (used, net) in enumerate(zip(self._used_hiddenstates, maps, strict=True)):
            if used:
                continue
            smaller = net.shape[2] != last.shape[2]
            if smaller or get_channel_dim(net.shape) != filters:
                with tf.compat.v1.variable_scope(f"reduction_{index}"):
                    net = factorized_reduction(net, filters, 2 if smaller else 1)
            outputs.append(net)
        return tf.concat(outputs, get_channel_index())


class NasNetANormalCell(NasNetABaseCell):
    """The normal cell of NASNet-A (figure 4, left)."""

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
                *("separable_5x5_2", "separable_3x3_2"),
                *("separable_5x5_2", "separable_3x3_2"),
                *("avg_pool_3x3", "none"),
                *("avg_pool_3x3", "avg_pool_3x3"),
                *("separable_3x3_2", "none"),
            ],
            used_hiddenstates=[1, 0, 0, 0, 0, 0, 0],
            hiddenstate_indices=[0, 1, 1, 1, 0, 1, 1, 1, 0, 0],
            drop_path_keep_prob=drop_path_keep_prob,
            total_num_cells=total_num_cells,
            total_training_steps=total_training_steps,
            use_bounded_activation=use_bounded_activation,
        )


class NasNetAReductionCell(NasNetABaseCell):
    """The reduction cell of NASNet-A (figure 4, right)."""

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
                *("separable_5x5_2", "separable_7x7_2"),
                *("max_pool_3x3", "separable_7x7_2"),
                *("avg_pool_3x3", "separable_5x5_2"),
                *("none", "avg_pool_3x3"),
                *("separable_3x3_2", "max_pool_3x3"),
            ],
            used_hiddenstates=[1, 1, 1, 0, 0, 0, 0],
            hiddenstate_indices=[0, 1, 0, 1, 0, 1, 3, 2, 2, 0],
            drop_path_keep_prob=drop_path_keep_prob,
            total_num_cells=total_num_cells,
            total_training_steps=total_training_steps,
            use_bounded_activation=use_bounded_activation,
        )
