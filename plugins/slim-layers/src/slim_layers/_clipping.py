"""Clips gradients by a norm that follows the norms seen so far."""

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from slim_layers.summaries import write_scalar
from slimcore.variables import variable

GradsAndVars = Sequence[tuple[Any, Any]]


def adaptive_clipping_fn(
    std_factor: float = 2.0,
    decay: float = 0.95,
    static_max_norm: float | None = None,
    global_step: Any = None,
    report_summary: bool = False,
    epsilon: float = 1e-8,
    name: str | None = None,
) -> Callable[[GradsAndVars], list[tuple[Any, Any]]]:
    """Returns a function that scales gradients down whose joint norm is unusually large.

    The logarithms of the norms are taken to be normal, with moving averages that include the
    present norm. Gradients whose norm is above exp(mean + std_factor * std) are scaled to the norm
    exp(mean).

    Variables, under `name`: `mean` and `sq_mean`, scalars, not trained.

    Args:
        std_factor: How many standard deviations above the mean are allowed.
        decay: Decay of the moving averages.
        static_max_norm: A limit that holds in any case.
        global_step: Steps taken, a variable or tensor; with it the averages of the first steps
            weigh all of them alike.
        report_summary: Whether to add a summary of the limit.
        epsilon: Keeps the logarithm and the root away from 0.
        name: Variable scope, `AdaptiveMaxNorm` by default.

    Returns:
        A function of pairs of gradient and variable, for `clip_gradients` of `optimize_loss`.

    Paper: Chorowski et al., "End-to-end Continuous Speech Recognition using Attention-based
    Recurrent NN: First Results", 2014, arXiv:1412.1602, section 3.2.1.
    """

    def clip(grads_and_vars: GradsAndVars) -> list[tuple[Any, Any]]:
        gradients = [gradient for gradient, _ in grads_and_vars]
        norm = tf.linalg.global_norm([g for g in gradients if g is not None])
        with tf.compat.v1.variable_scope(name, "AdaptiveMaxNorm", auxiliary_name_scope=False):
            limit, usual = _limit(norm, std_factor, decay, global_step, epsilon)
        if report_summary:
            write_scalar("global_norm/adaptive_max_gradient_norm", limit)
        factor = tf.where(norm < limit, tf.ones_like(norm), usual / norm)
        if static_max_norm is not None:
            factor = tf.minimum(factor, static_max_norm / norm)
        return [(_scaled(g, factor), v) for g, v in grads_and_vars]

    return clip


def _limit(
    norm: tf.Tensor, std_factor: float, decay: float, global_step: Any, epsilon: float
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the largest norm that is allowed, and the one that larger ones are scaled to."""
    log_norm = tf.math.log(norm + epsilon)
    if global_step is not None:
        steps = tf.cast(global_step, tf.float32)
        decay = tf.minimum(decay, steps / (steps + 1.0))
    mean = _moved("mean", log_norm, decay)
    variance = _moved("sq_mean", tf.square(log_norm), decay) - tf.square(mean)
    limit = tf.exp(mean + std_factor * tf.sqrt(tf.maximum(epsilon, variance)))
    return limit, tf.exp(mean)


def _moved(name: str, value: tf.Tensor, decay: Any) -> tf.Tensor:
    """Moves an average towards a value, and returns it."""
    average = variable(name, [], value.dtype, tf.compat.v1.zeros_initializer(), trainable=False)
    moved = decay * average + (1.0 - decay) * value
    with tf.control_dependencies([average.assign(moved)]):
        return tf.identity(moved)


def _scaled(gradient: Any, factor: tf.Tensor) -> Any:
    if isinstance(gradient, tf.IndexedSlices):
        return tf.IndexedSlices(gradient.values * factor, gradient.indices, gradient.dense_shape)
    return None if gradient is None else gradient * factor
