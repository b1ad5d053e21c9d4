"""Batch normalization."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any

import tensorflow as tf

from slim_layers._layer import ONES, ZEROS, Collections, Function, Layer, VariablesCollections
from slim_layers._moving import MovingAverages, decay_in_force
from slim_layers._renorm import Renorm
from slim_layers.utils import channels_first, constant_value, smart_cond
from slimcore import add_arg_scope

Adjustment = Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]


@add_arg_scope
def batch_norm(
    inputs: tf.Tensor,
    decay: float = 0.999,
    center: bool = True,
    scale: bool = False,
    epsilon: float = 0.001,
    activation_fn: Function = None,
    param_initializers: Mapping[str, Any] | None = None,
    param_regularizers: Mapping[str, Any] | None = None,
    updates_collections: Collections = tf.compat.v1.GraphKeys.UPDATE_OPS,
    is_training: Any = True,
    reuse: bool | None = None,
    variables_collections: VariablesCollections = None,
    outputs_collections: Collections = None,
    trainable: bool = True,
    batch_weights: tf.Tensor | None = None,
    fused: bool | None = None,
    data_format: str = "NHWC",
    zero_debias_moving_mean: bool = False,
    scope: Any = None,
    renorm: bool = False,
    renorm_clipping: Mapping[str, Any] | None = None,
    renorm_decay: float = 0.99,
    adjustment: Adjustment | None = None,
) -> tf.Tensor:
    """Makes mean 0 and variance 1 of each channel, then scales and shifts by learned parameters.

    In training, mean and variance are those of the batch, and moving averages of them, kept for
    evaluation, move towards them: in a graph by the ops added to `updates_collections`, elsewhere
    at once.

    Variables, under `scope`, all [C] and float32 also for inputs of lower precision: `beta` and
    `gamma`; `moving_mean` and `moving_variance`, not trained. With `zero_debias_moving_mean` also
    `<scope>/moving_mean/biased` [C] and `.../local_step` []; with `renorm` also `moving_stddev`,
    `renorm_mean` and `renorm_stddev` [C].

    Args:
        inputs: Tensor of rank 2 or more with C channels, known: on the last axis, or on axis 1 with
            data_format="NCHW".
        decay: Decay of the moving averages; each step keeps this part. Use 0.9 when training is
            short or evaluation lags behind it.
        center: Whether to add `beta`.
        scale: Whether to multiply by `gamma`. Not needed before a ReLU and a linear layer.
        epsilon: Added to the variance.
        activation_fn: Function of the outputs, or None.
        param_initializers: Initializers by the names of the variables.
        param_regularizers: Regularizers for "beta" and "gamma".
        updates_collections: In a graph, collections for the updates, to be run with each training
            step; None for updates that happen whenever the outputs are computed.
        is_training: Whether to use the batch's statistics, a bool or a scalar bool tensor.
        reuse: Whether the variables must exist already.
        variables_collections: Collections for all variables, or a dict from their names to lists.
        outputs_collections: Collections for the outputs.
        trainable: Whether `beta` and `gamma` are trained. Without it, statistics do not move.
        batch_weights: Tensor [N] of weights of the examples in the batch's statistics.
        fused: Whether to use one op for all; by default where the rank is 2, 4 or 5. Weights,
            `renorm` and `adjustment` are computed without it.
        data_format: "NHWC" or "NCHW".
        zero_debias_moving_mean: Whether `moving_mean` is freed from the weight of its first
            value, 0 (Adam's correction).
        scope: Variable scope, `BatchNorm` by default.
        renorm: Whether the batch's statistics are corrected towards moving ones in training.
        renorm_clipping: Limits of that correction, scalars by "rmin", "rmax" and "dmax".
        renorm_decay: Decay of the moving statistics that `renorm` corrects towards.
        adjustment: Function from the inputs' shape to factors and summands for the normalized
            values, before `gamma` and `beta`, in training only.

    Returns:
        Tensor like `inputs`.

    Raises:
        ShapeError: The rank is below 2, or C is unknown.
        InputError: An argument has an unsupported value.

    Papers: Ioffe and Szegedy, "Batch Normalization", 2015, arXiv:1502.03167, algorithms 1 and 2;
    Ioffe, "Batch Renormalization", 2017, arXiv:1702.03275, algorithm 1.
    """
    decay = decay_in_force(decay)
    with Layer(
        "batch_norm", "BatchNorm", inputs, scope, reuse, trainable, variables_collections
    ) as layer:
        axis = _channel_axis(layer, data_format)
        shape, dtype = [layer.static_dim(axis)], _parameter_dtype(layer.inputs)
        known = constant_value(is_training)
        training = is_training if known is None else bool(known)
        initializers, regularizers = param_initializers or {}, param_regularizers or {}
        averages = MovingAverages(layer, shape, dtype, initializers, training)

        def parameter(name: str, initializer: Any) -> Any:
            initializer = initializers.get(name, initializer)
            return layer.variable(name, shape, initializer, regularizers.get(name), dtype=dtype)

        inputs, rank = layer.inputs, layer.inputs.shape.rank
        if rank in (3, 4, 5) and adjustment is None:
            # The op of its own that there is for channels first would stand between transposes of
            # convolutions. An adjustment depends on the shape.
            inputs, first = layer.arrange(inputs, axis == 1, "convolution")
            axis = 1 if first else rank - 1
        gamma = parameter("gamma", ONES) if scale else None
        beta = parameter("beta", ZEROS) if center else None
        moving_mean = averages.variable("moving_mean", ZEROS)
        moving_variance = averages.variable("moving_variance", ONES)
        batch = _Batch(
            inputs, axis, epsilon, gamma, beta, moving_mean, moving_variance, averages=averages
        )
        correction = Renorm(layer, averages, renorm_clipping) if renorm else None
        plain = batch_weights is None and correction is None and adjustment is None
        moving = trainable and training is not False
        if plain and fused is not False and batch.fusible:
            itself = moving and not zero_debias_moving_mean and _is_attribute(decay)
            if itself:
                # Read once: another use may move them between two reads, and its move be undone.
                batch.mean = tf.convert_to_tensor(moving_mean)
                batch.variance = tf.convert_to_tensor(moving_variance)
            outputs, mean, variance = batch.fused(decay if itself else 0.0)
        else:
            itself = False
            outputs, mean, variance = batch.composed(batch_weights, correction, adjustment)

        if moving:
            mean = averages.unless_empty(batch.mean, mean)
            variance = averages.unless_empty(batch.variance, variance)
        if itself:
            averages.move_by(moving_mean, batch.mean - mean)
            averages.move_by(moving_variance, batch.variance - variance)
        elif moving:
            if zero_debias_moving_mean:
                averages.move_from_zero("moving_mean", moving_mean, mean, decay)
            else:
                averages.move(moving_mean, mean, decay)
            if correction is None:
                averages.move(moving_variance, variance, decay)
            else:
                stddev = tf.sqrt(variance + epsilon)
                correction.move(moving_variance, mean, stddev, epsilon, decay, renorm_decay)
        outputs = averages.apply(outputs, updates_collections)
        return layer.finish(outputs, activation_fn, outputs_collections)


def _channel_axis(layer: Layer, data_format: str) -> int:
    layer.check_choice("data_format", data_format, ("NHWC", "NCHW"))
    rank = layer.inputs.shape.rank
    if rank is None or rank < 2:
        layer.fail("takes inputs of rank 2 or more")
    return 1 if channels_first(data_format) else rank - 1


def _is_attribute(decay: Any) -> bool:
    """Returns whether the fused op can take this decay: a number that is known, and not 0."""
    return isinstance(decay, Real) and float(decay) > 0


def _parameter_dtype(inputs: tf.Tensor) -> tf.DType:
    return tf.float32 if inputs.dtype in (tf.float16, tf.bfloat16) else inputs.dtype


@dataclass
class _Batch:
    """A batch to normalize, and what to normalize it with; all variables are [C]."""

    inputs: tf.Tensor
    axis: int
    epsilon: float
    gamma: Any
    beta: Any
    mean: Any
    variance: Any
    averages: MovingAverages

    @property
    def fusible(self) -> bool:
        """Whether the fused op takes the inputs."""
        return self.inputs.shape.rank in (2, 4, 5) and self.inputs.dtype != tf.float64

    def fused(self, decay: float) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Returns the outputs, and the averages [C] moved, of which the part `decay` is kept.

        The variance moves towards that of the population estimated from the batch, n / (n - 1)
        times the batch's own. With a decay of 0, the results are the batch's.
        """
        inputs, rank, first = self.inputs, self.inputs.shape.rank, self.axis == 1
        if rank == 2:
            # With one row and one column, channels are first and last.
            inputs, first = tf.reshape(inputs, [-1, 1, 1, inputs.shape[1]]), False
        forms = ("NCHW", "NCDHW") if first else ("NHWC", "NDHWC")
        gamma, beta = self._scale_and_offset()

        def normalize(training: bool, mean: Any, variance: Any) -> Any:
            return tf.raw_ops.FusedBatchNormV3(
                x=inputs,
                scale=gamma,
                offset=beta,
                mean=mean,
                variance=variance,
                epsilon=self.epsilon,
                exponential_avg_factor=1.0 - decay,
                data_format=forms[rank == 5],
                is_training=training,
            )[:3]

        def by_batch() -> Any:
            if decay:
                return normalize(True, self.mean, self.variance)
            # Where the op keeps nothing of them, it wants no averages.
            none = tf.constant([], self.mean.dtype)
            return normalize(True, none, none)

        def by_averages() -> Any:
            return normalize(False, self.mean, self.variance)

        outputs, mean, variance = smart_cond(self.averages.training, by_batch, by_averages)
        return tf.reshape(outputs, [-1, outputs.shape[3]]) if rank == 2 else outputs, mean, variance

    def composed(
        self, weights: Any, correction: Renorm | None, adjustment: Adjustment | None
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Returns what `fused` does, with the batch's own variance, from several ops."""
        inputs = tf.cast(self.inputs, self.mean.dtype)
        mean, variance = smart_cond(
            self.averages.training,
            lambda: self._moments(inputs, weights),
            lambda: (tf.convert_to_tensor(self.mean), tf.convert_to_tensor(self.variance)),
        )
        gamma, beta = self._broadcast(self.gamma), self._broadcast(self.beta)
        if adjustment is not None and self.averages.training is not False:
            choose = self.averages.choose
            factor, summand = adjustment(tf.shape(inputs))
            factor = choose(factor, tf.ones_like(factor))
            summand = choose(summand, tf.zeros_like(summand))
            gamma, beta = _composed_affine(gamma, beta, factor, summand)
        if correction is not None:
            r, d = correction.factors(mean, tf.sqrt(variance + self.epsilon))
            gamma, beta = _composed_affine(gamma, beta, self._broadcast(r), self._broadcast(d))
        outputs = tf.nn.batch_normalization(
            inputs,
            self._broadcast(mean),
            self._broadcast(variance),
            beta,
            gamma,
            self.epsilon,
        )
        return tf.cast(outputs, self.inputs.dtype), mean, variance

    def _moments(self, inputs: tf.Tensor, weights: Any) -> tuple[tf.Tensor, tf.Tensor]:
        axes = [axis for axis in range(inputs.shape.rank) if axis != self.axis]
        if weights is None:
            return tf.nn.moments(inputs, axes)
        # One weight for all places of an example.
        weights = tf.reshape(weights, [-1] + [1] * (inputs.shape.rank - 1))
        return tf.nn.weighted_moments(inputs, axes, tf.cast(weights, inputs.dtype))

    def _scale_and_offset(self) -> tuple[Any, Any]:
        shape, dtype = self.mean.shape, self.mean.dtype
        gamma = tf.ones(shape, dtype) if self.gamma is None else self.gamma
        return gamma, tf.zeros(shape, dtype) if self.beta is None else self.beta

    def _broadcast(self, value: Any) -> Any:
        """Returns a tensor [C] in a shape that broadcasts to the inputs."""
        if value is None or self.axis == self.inputs.shape.rank - 1:
            return value
        return tf.reshape(value, [-1] + [1] * (self.inputs.shape.rank - 2))


def _composed_affine(gamma: Any, beta: Any, factor: Any, summand: Any) -> tuple[Any, Any]:
    """Returns the factor and summand of first `factor` and `summand`, then `gamma` and `beta`."""
    if gamma is not None:
        factor, summand = gamma * factor, gamma * summand
    return factor, summand if beta is None else summand + beta
