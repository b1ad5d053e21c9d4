"""`slim.optimizers`: one call from a loss in a graph to a training op."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import tensorflow as tf

from slim_layers._clipping import adaptive_clipping_fn
from slim_layers.summaries import write_histogram, write_scalar
from slimcore.collections import in_graph
from slimcore.errors import InputError, close
from slimcore.global_step import assert_or_get_global_step
from slimcore.variables import variable, variable_name

__all__ = ["OPTIMIZER_CLS_NAMES", "OPTIMIZER_SUMMARIES", "adaptive_clipping_fn", "optimize_loss"]

v1 = tf.compat.v1

OPTIMIZER_CLS_NAMES = {
    "Adagrad": v1.train.AdagradOptimizer,
    "Adam": v1.train.AdamOptimizer,
    "Ftrl": v1.train.FtrlOptimizer,
    "Momentum": lambda learning_rate: v1.train.MomentumOptimizer(learning_rate, momentum=0.9),
    "RMSProp": v1.train.RMSPropOptimizer,
    "SGD": v1.train.GradientDescentOptimizer,
}

OPTIMIZER_SUMMARIES = [
    "learning_rate",
    "loss",
    "gradients",
    "gradient_norm",
    "global_gradient_norm",
]

GradsAndVars = Sequence[tuple[Any, Any]]


def optimize_loss(
    loss: tf.Tensor,
    global_step: Any,
    learning_rate: float | tf.Tensor | None,
    optimizer: Any,
    gradient_noise_scale: float | None = None,
    gradient_multipliers: Mapping[Any, Any] | None = None,
    clip_gradients: float | Callable[[GradsAndVars], GradsAndVars] | None = None,
    learning_rate_decay_fn: Callable[[Any, Any], Any] | None = None,
    update_ops: Sequence[Any] | None = None,
    variables: Sequence[Any] | None = None,
    name: str | None = None,
    summaries: Sequence[str] | None = None,
    colocate_gradients_with_ops: bool = False,
    increment_global_step: bool = True,
) -> tf.Tensor:
    """Builds one step of training in a graph: updates, gradients, clipping, the optimizer.

    Outside of a graph use `slim.learning.create_train_op`.

    Variable, where there is a `learning_rate`, under `name`: `learning_rate`, a scalar.

    Args:
        loss: Scalar tensor.
        global_step: Counts the steps; None for the graph's own, if it has one.
        learning_rate: Scalar that the variable begins with, or None where the optimizer has one.
        optimizer: A name in `OPTIMIZER_CLS_NAMES`; or a `tf.compat.v1.train` optimizer, its class,
            or a function of the learning rate (of nothing, where there is none) that makes one.
        gradient_noise_scale: Scale of normal noise added to the gradients, if any.
        gradient_multipliers: Factors of gradients by variable or name of a variable.
        clip_gradients: A limit for the joint norm of the gradients; or a function from pairs of
            gradient and variable to such pairs, as from `adaptive_clipping_fn`.
        learning_rate_decay_fn: Function of the learning rate and the global step that returns the
            rate to use.
        update_ops: Ops to run before the loss is computed; `GraphKeys.UPDATE_OPS` by default.
        variables: What to train; all trainable variables by default.
        name: Variable scope, `OptimizeLoss` by default.
        summaries: Names in `OPTIMIZER_SUMMARIES`; by default learning rate, loss and global
            gradient norm.
        colocate_gradients_with_ops: Whether gradients are computed where their ops are.
        increment_global_step: Whether each step counts.

    Returns:
        The loss, a scalar; running it takes the step.

    Raises:
        InputError: An argument of a kind or value that is not allowed; or no graph is built.
        ValueError: The loss depends on none of the variables.
    """
    if not in_graph():
        raise InputError(
            "optimize_loss builds a step in a graph; here use "
            "slim.learning.create_train_op(loss_fn, optimizer)"
        )
    chosen = _checked_summaries(summaries)
    loss = tf.convert_to_tensor(loss)
    with v1.variable_scope(name, "OptimizeLoss", [loss]):
        step = assert_or_get_global_step(global_step_tensor=global_step)
        if update_ops is None:
            update_ops = v1.get_collection(v1.GraphKeys.UPDATE_OPS)
        if update_ops:
            with tf.control_dependencies(list(update_ops)):
                loss = tf.identity(loss)
        rate = _rate(learning_rate, learning_rate_decay_fn, step)
        opt = _optimizer(optimizer, rate)
        grads_and_vars = opt.compute_gradients(
            loss,
            v1.trainable_variables() if variables is None else list(variables),
            colocate_gradients_with_ops=colocate_gradients_with_ops,
        )
        if gradient_noise_scale is not None:
            grads_and_vars = _noisy(grads_and_vars, gradient_noise_scale)
        if gradient_multipliers is not None:
            grads_and_vars = _multiplied(grads_and_vars, gradient_multipliers)
        if "global_gradient_norm" in chosen or "gradient_norm" in chosen:
            write_scalar("global_norm/gradient_norm", _norm(grads_and_vars))
        if clip_gradients is not None:
            grads_and_vars = _clipped(grads_and_vars, clip_gradients)
        if "learning_rate" in chosen and rate is not None:
            write_scalar("learning_rate", rate)
        if "loss" in chosen:
            write_scalar("loss", loss)
        _summarize_gradients(grads_and_vars, chosen, clip_gradients is not None)
        counted = step if increment_global_step else None
        taken = opt.apply_gradients(grads_and_vars, global_step=counted, name="train")
        with tf.control_dependencies([taken]):
            return tf.identity(loss)


def _checked_summaries(summaries: Sequence[str] | None) -> Sequence[str]:
    if summaries is None:
        return ["loss", "learning_rate", "global_gradient_norm"]
    for summary in summaries:
        if summary not in OPTIMIZER_SUMMARIES:
            raise InputError(
                f"optimize_loss has no summary {summary!r}"
                f"{close(summary, OPTIMIZER_SUMMARIES)}. All of them: "
                f"{', '.join(OPTIMIZER_SUMMARIES)}"
            )
    return summaries


def _rate(learning_rate: Any, decay_fn: Callable[[Any, Any], Any] | None, step: Any) -> Any:
    """Returns the learning rate to use: a variable, after its decay if there is any."""
    if learning_rate is None:
        return None
    if tf.is_tensor(learning_rate) and learning_rate.shape.rank == 0:
        first = learning_rate
    elif isinstance(learning_rate, int | float) and learning_rate >= 0:
        first = float(learning_rate)
    else:
        raise InputError(
            f"optimize_loss got learning_rate={learning_rate!r}; it takes a number from 0 on or a "
            "scalar tensor"
        )
    rate = variable("learning_rate", initializer=first, trainable=False)
    if decay_fn is None:
        return rate
    if step is None:
        raise InputError(
            "learning_rate_decay_fn needs a global step, and there is none: call "
            "slim.get_or_create_global_step() first"
        )
    return decay_fn(rate, step)


def _optimizer(given: Any, rate: Any) -> Any:
    if isinstance(given, str):
        if given not in OPTIMIZER_CLS_NAMES:
            raise InputError(
                f"no optimizer is named {given!r}{close(given, OPTIMIZER_CLS_NAMES)}. "
                f"All of them: {', '.join(OPTIMIZER_CLS_NAMES)}"
            )
        if rate is None:
            raise InputError(f"the optimizer {given!r} needs a learning_rate")
        given = OPTIMIZER_CLS_NAMES[given]
    if not isinstance(given, v1.train.Optimizer) and callable(given):
        given = given() if rate is None else given(rate)
    if not isinstance(given, v1.train.Optimizer):
        raise InputError(
            "optimize_loss takes a tf.compat.v1.train optimizer, its class, its name or a function "
            f"that makes one, not {given!r}"
        )
    return given


def _noisy(grads_and_vars: GradsAndVars, scale: float) -> GradsAndVars:
    def noisy(gradient: Any) -> Any:
        if gradient is None:
            return None
        dense = tf.convert_to_tensor(gradient)
        return dense + scale * tf.random.truncated_normal(tf.shape(dense), dtype=dense.dtype)

    return [(noisy(g), v) for g, v in grads_and_vars]


def _multiplied(
    grads_and_vars: GradsAndVars, multipliers: Mapping[Any, Any]
) -> list[tuple[Any, Any]]:
    by_name = {
        key.partition(":")[0] if isinstance(key, str) else variable_name(key): factor
        for key, factor in multipliers.items()
    }
    known = [variable_name(v) for _, v in grads_and_vars]
    for name in by_name:
        if name not in known:
            raise InputError(
                f"gradient_multipliers names {name!r}, which is not trained here"
                f"{close(name, known)}"
            )

    def scaled(gradient: Any, factor: Any) -> Any:
        if isinstance(gradient, tf.IndexedSlices):
            values = gradient.values * tf.cast(factor, gradient.dtype)
            return tf.IndexedSlices(values, gradient.indices, gradient.dense_shape)
        return gradient * tf.cast(factor, gradient.dtype)

    return [
        (g if g is None else scaled(g, by_name.get(variable_name(v), 1.0)), v)
        for g, v in grads_and_vars
    ]


def _clipped(grads_and_vars: GradsAndVars, clip: Any) -> GradsAndVars:
    if callable(clip):
        return clip(grads_and_vars)
    if not isinstance(clip, int | float):
        raise InputError(f"clip_gradients takes a number or a function, not {clip!r}")
    gradients, variables = zip(*grads_and_vars, strict=True)
    clipped, _ = tf.clip_by_global_norm(gradients, clip)
    return list(zip(clipped, variables, strict=True))


def _norm(grads_and_vars: GradsAndVars) -> tf.Tensor:
    return tf.linalg.global_norm([g for g, _ in grads_and_vars if g is not None])


def _summarize_gradients(
    grads_and_vars: GradsAndVars, chosen: Sequence[str], clipped: bool
) -> None:
    for gradient, var in grads_and_vars:
        if gradient is None:
            continue
        values = gradient.values if isinstance(gradient, tf.IndexedSlices) else gradient
        name = var.name.replace(":", "_")
        if "gradients" in chosen:
            write_histogram(f"gradients/{name}", values)
        if "gradient_norm" in chosen:
            write_scalar(f"gradient_norm/{name}", tf.linalg.global_norm([values]))
    if clipped and ("global_gradient_norm" in chosen or "gradient_norm" in chosen):
        write_scalar("global_norm/clipped_gradient_norm", _norm(grads_and_vars))
