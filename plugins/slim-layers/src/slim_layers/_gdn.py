"""Generalized divisive normalization, for learned image compression."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from slim_layers._layer import Layer
from slim_layers.utils import channels_first
from slimcore.collections import REGULARIZATION_LOSSES, add_to_collections
from slimcore.errors import InputError


class GDN:
    """A generalized divisive normalization to call on tensors, which then share its variables.

    See `gdn` for the arguments and the variables. `slim.gdn(...)` is a layer of its own each time.
    """

    def __init__(
        self,
        inverse: bool = False,
        beta_min: float = 1e-6,
        gamma_init: float = 0.1,
        reparam_offset: float = 2**-18,
        data_format: str = "channels_last",
        activity_regularizer: Callable[[Any], tf.Tensor] | None = None,
        trainable: bool = True,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        """Keeps the arguments; the variables are made by the first call.

        Raises:
            InputError: Unknown arguments.
        """
        if kwargs:
            raise InputError(f"GDN takes no argument {', '.join(map(repr, sorted(kwargs)))}")
        self.inverse = inverse
        self.beta_min = beta_min
        self.gamma_init = gamma_init
        self.reparam_offset = reparam_offset
        self.data_format = data_format
        self.activity_regularizer = activity_regularizer
        self.trainable = trainable
        self.name = name
        self._scope: str | None = None

    def __call__(self, inputs: tf.Tensor) -> tf.Tensor:
        """Normalizes a tensor."""
        return self.call(inputs)

    def build(self, input_shape: Any) -> None:
        """Does nothing: the first call makes the variables."""

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Normalizes a tensor."""
        reuse = tf.compat.v1.AUTO_REUSE if self._scope else None
        return self._call(inputs, reuse)

    def compute_output_shape(self, input_shape: Any) -> tf.TensorShape:
        """Returns the shape of the outputs, which is that of the inputs."""
        return tf.TensorShape(input_shape)

    def _call(self, inputs: tf.Tensor, reuse: Any) -> tf.Tensor:
        # A default scope is numbered where the layer is first used, and then kept.
        name = self.name or self._scope
        with Layer("gdn", "gdn", inputs, name, reuse, self.trainable) as layer:
            self._scope = layer.scope.name.rpartition("/")[2]
            return self._normalized(layer)

    def _normalized(self, layer: Layer) -> tf.Tensor:
        formats = ("channels_last", "channels_first")
        layer.check_choice("data_format", self.data_format, formats)
        rank = layer.inputs.shape.rank
        if rank is None or rank < 3:
            layer.fail("takes inputs of rank 3 or more")
        axis = 1 if channels_first(self.data_format) else rank - 1
        channels = layer.static_dim(axis)
        pedestal = self.reparam_offset**2
        beta = layer.variable(
            "reparam_beta",
            [channels],
            lambda shape, dtype=None: tf.fill(shape, tf.cast((1 + pedestal) ** 0.5, dtype)),
        )
        gamma = layer.variable(
            "reparam_gamma",
            [channels, channels],
            lambda shape, dtype=None: tf.sqrt(
                self.gamma_init * tf.eye(shape[0], dtype=dtype) + pedestal
            ),
        )
        beta = _at_least(beta, (self.beta_min + pedestal) ** 0.5) ** 2 - pedestal
        gamma = _at_least(gamma, self.reparam_offset) ** 2 - pedestal
        # Energies need the precision of the variables, whatever the inputs come in.
        inputs = layer.compute()
        energies = tf.square(tf.cast(inputs, gamma.dtype))
        pooled = tf.tensordot(energies, gamma, [[axis], [0]]) + beta
        if axis != rank - 1:
            pooled = tf.transpose(pooled, [0, rank - 1, *range(1, rank - 1)])
        scale = tf.sqrt(pooled) if self.inverse else tf.math.rsqrt(pooled)
        outputs = inputs * tf.cast(scale, inputs.dtype)
        if self.activity_regularizer is not None:
            batch = tf.cast(tf.shape(outputs)[0], outputs.dtype)
            add_to_collections(REGULARIZATION_LOSSES, self.activity_regularizer(outputs) / batch)
        return layer.finish(outputs)


def gdn(
    inputs: tf.Tensor,
    inverse: bool = False,
    beta_min: float = 1e-6,
    gamma_init: float = 0.1,
    reparam_offset: float = 2**-18,
    data_format: str = "channels_last",
    activity_regularizer: Callable[[Any], tf.Tensor] | None = None,
    trainable: bool = True,
    name: str | None = None,
    reuse: bool | None = None,
) -> tf.Tensor:
    """Divides each channel by a learned mixture of the energies of all channels there.

    y[i] = x[i] / sqrt(beta[i] + sum over j of gamma[j, i] x[j]^2).

    Variables, under `name`: `reparam_beta` [C] and `reparam_gamma` [C, C], the square roots of
    beta and gamma, both plus `reparam_offset` squared.

    Args:
        inputs: Tensor of rank 3 or more with C channels.
        inverse: Whether to multiply by the root instead.
        beta_min: Smallest value of beta.
        gamma_init: What the diagonal of gamma begins with; the rest begins with 0.
        reparam_offset: Keeps the gradients of the roots away from 0.
        data_format: "channels_last" or "channels_first".
        activity_regularizer: Function from the outputs to a scalar loss, which is divided by the
            batch size and gathered among the regularization losses.
        trainable: Whether the variables are trained.
        name: Variable scope, `gdn` by default.
        reuse: Whether the variables must exist already.

    Returns:
        Tensor like `inputs`.

    Raises:
        ShapeError: The rank is below 3, or C is unknown.
        InputError: Another data format.

    Paper: Ballé, Laparra & Simoncelli, "Density Modeling of Images Using a Generalized
    Normalization Transformation", 2015, arXiv:1511.06281.
    """
    layer = GDN(
        inverse,
        beta_min,
        gamma_init,
        reparam_offset,
        data_format,
        activity_regularizer,
        trainable,
        name,
    )
    return layer._call(inputs, reuse)


def _at_least(variable: Any, bound: float) -> tf.Tensor:
    """Returns the larger of both; a gradient that would raise a value below the bound passes."""

    @tf.custom_gradient
    def larger(inputs: tf.Tensor) -> Any:
        def gradient(upstream: tf.Tensor) -> tf.Tensor:
            passes = tf.logical_or(inputs >= bound, upstream < 0)
            return tf.where(passes, upstream, tf.zeros_like(upstream))

        return tf.maximum(inputs, bound), gradient

    return larger(tf.convert_to_tensor(variable))
