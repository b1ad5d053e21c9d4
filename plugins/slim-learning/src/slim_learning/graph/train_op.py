"""A step of training in a graph as one tensor: the loss, whose evaluation takes the step."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import tensorflow as tf

from slim_learning.optim.adapters import shown
from slim_learning.optim.gradients import (
    GradientAndVariable,
    clip_gradient_norms,
    multiply_gradients,
)
from slim_learning.optim.variable_filter import chosen
from slim_learning.training_loop.step_errors import NOT_FINITE
from slimcore.errors import ArgumentTypeError, InputError, close
from slimcore.global_step import assert_global_step, get_or_create_global_step
from slimcore.variables import variable_name

v1 = tf.compat.v1

USE_GLOBAL_STEP = 0
GATE_OP = v1.train.Optimizer.GATE_OP

Transform = Callable[[Sequence[GradientAndVariable]], Sequence[GradientAndVariable]]


def create_train_op(
    total_loss: tf.Tensor,
    optimizer: Any,
    global_step: Any = USE_GLOBAL_STEP,
    update_ops: Sequence[Any] | None = None,
    variables_to_train: Sequence[Any] | None = None,
    clip_gradient_norm: float = 0,
    summarize_gradients: bool = False,
    gate_gradients: int = GATE_OP,
    aggregation_method: int | None = None,
    colocate_gradients_with_ops: bool = False,
    gradient_multipliers: Mapping[Any, Any] | None = None,
    check_numerics: bool = True,
) -> tf.Tensor:
    """Builds one step; gradients are multiplied first, and then clipped.

    Args:
        total_loss: Scalar tensor.
        optimizer: A `tf.compat.v1.train` optimizer.
        global_step: See `create_transformed_train_op`, also for what is not listed here.
        update_ops: See there.
        variables_to_train: See there.
        clip_gradient_norm: The largest L2 norm of each gradient; 0 leaves them as they are.
        summarize_gradients: See there.
        gate_gradients: See there.
        aggregation_method: See there.
        colocate_gradients_with_ops: See there.
        gradient_multipliers: Factors of gradients, by variable or by name of a variable.
        check_numerics: See there.

    Returns:
        The loss, a scalar; evaluating it takes the step.

    Raises:
        InputError: An argument of a kind or value that is not allowed.
    """

    def transform(grads_and_vars: Sequence[GradientAndVariable]) -> Sequence[GradientAndVariable]:
        if gradient_multipliers:
            with tf.name_scope("multiply_grads"):
                grads_and_vars = multiply_gradients(grads_and_vars, gradient_multipliers)
        if clip_gradient_norm > 0:
            with tf.name_scope("clip_grads"):
                grads_and_vars = clip_gradient_norms(grads_and_vars, clip_gradient_norm)
        return grads_and_vars

    return create_transformed_train_op(
        total_loss,
        optimizer,
        global_step=global_step,
        update_ops=update_ops,
        variables_to_train=variables_to_train,
        transform_grads_fn=transform,
        summarize_gradients=summarize_gradients,
        gate_gradients=gate_gradients,
        aggregation_method=aggregation_method,
        colocate_gradients_with_ops=colocate_gradients_with_ops,
        check_numerics=check_numerics,
    )


def create_transformed_train_op(
    total_loss: tf.Tensor,
    optimizer: Any,
    global_step: Any = USE_GLOBAL_STEP,
    update_ops: Sequence[Any] | None = None,
    variables_to_train: Sequence[Any] | None = None,
    transform_grads_fn: Transform | None = None,
    summarize_gradients: bool = False,
    gate_gradients: int = GATE_OP,
    aggregation_method: int | None = None,
    colocate_gradients_with_ops: bool = False,
    check_numerics: bool = True,
) -> tf.Tensor:
    """Builds one step: update ops, gradients, their transformation, the optimizer's update.

    The result is added to `GraphKeys.TRAIN_OP`.

    Args:
        total_loss: Scalar tensor.
        optimizer: A `tf.compat.v1.train` optimizer.
        global_step: Variable to increment; the graph's own, made if need be, by default. None
            counts nothing.
        update_ops: Ops to run before the step; `GraphKeys.UPDATE_OPS` by default.
        variables_to_train: Variables, or names of variables or scopes; all trainable ones by
            default.
        transform_grads_fn: From pairs of gradient and variable to such pairs.
        summarize_gradients: Whether to summarize each gradient and its norm.
        gate_gradients: `GATE_NONE`, `GATE_OP` or `GATE_GRAPH` of `tf.compat.v1.train.Optimizer`.
        aggregation_method: How to combine gradients, of `tf.AggregationMethod`.
        colocate_gradients_with_ops: Whether gradients are computed where their ops are.
        check_numerics: Whether an infinite or NaN loss is an error. Such a step
            changes no trained variable.

    Returns:
        The loss, a scalar; evaluating it takes the step.

    Raises:
        InputError: An argument of a kind or value that is not allowed.
    """
    _check(total_loss, optimizer)
    with total_loss.graph.as_default():
        step = _global_step(global_step)
        updates = _update_ops(update_ops)
        variables = _variables(variables_to_train)
        loss = total_loss
        with tf.control_dependencies(updates):
            if check_numerics:
                loss = tf.debugging.check_numerics(loss, NOT_FINITE)
            elif updates:
                loss = tf.identity(loss)
        grads_and_vars = optimizer.compute_gradients(
            loss,
            variables,
            gate_gradients=gate_gradients,
            aggregation_method=aggregation_method,
            colocate_gradients_with_ops=colocate_gradients_with_ops,
        )
        if all(gradient is None for gradient, _ in grads_and_vars):
            raise InputError("the loss depends on no variable that is trained; nothing would learn")
        if transform_grads_fn is not None:
            grads_and_vars = transform_grads_fn(grads_and_vars)
        if summarize_gradients:
            with tf.name_scope("summarize_grads"):
                add_gradients_summaries(grads_and_vars)
        if check_numerics:
            grads_and_vars = [(_after(loss, gradient), v) for gradient, v in grads_and_vars]
        updated = optimizer.apply_gradients(grads_and_vars, global_step=step)
        with tf.name_scope("train_op"), tf.control_dependencies([updated]):
            train_op = tf.identity(loss)
        v1.add_to_collection(v1.GraphKeys.TRAIN_OP, train_op)
    return train_op


def add_gradients_summaries(grads_and_vars: Sequence[GradientAndVariable]) -> list[tf.Tensor]:
    """Adds a histogram of each gradient and a scalar of its norm to the summaries of the graph.

    Args:
        grads_and_vars: Pairs of gradient and variable. A gradient of None is passed over.

    Returns:
        The summaries: `<variable>_gradient` and `<variable>_gradient_norm` in turn.
    """
    summaries = []
    for gradient, variable in grads_and_vars:
        if gradient is None:
            continue
        values = gradient.values if isinstance(gradient, tf.IndexedSlices) else gradient
        name = variable_name(variable)
        norm = tf.linalg.global_norm([values])
        summaries.append(v1.summary.histogram(f"{name}_gradient", values))
        summaries.append(v1.summary.scalar(f"{name}_gradient_norm", norm))
    return summaries


def _check(total_loss: Any, optimizer: Any) -> None:
    if total_loss is None:
        raise InputError("total_loss is None; get one from slim.losses.get_total_loss()")
    if not tf.is_tensor(total_loss) or not hasattr(total_loss, "graph"):
        raise ArgumentTypeError(
            "total_loss is a scalar tensor of a tf.Graph, or elsewhere a function of a batch that "
            f"returns the loss; not {total_loss!r}"
        )
    if total_loss.shape.rank not in (0, None):
        raise InputError(
            f"total_loss must be a scalar, and has shape {total_loss.shape}; take its mean with "
            "tf.reduce_mean"
        )
    if not hasattr(optimizer, "compute_gradients"):
        raise InputError(
            f"optimizer is {shown(optimizer)}, which cannot train in a graph; use an optimizer of "
            "tf.compat.v1.train, or pass a function of a batch as the loss, outside of a graph"
        )


def _global_step(given: Any) -> Any:
    if given is None:
        return None
    if isinstance(given, int) and given == USE_GLOBAL_STEP:
        return get_or_create_global_step()
    assert_global_step(given)
    return given


def _update_ops(given: Sequence[Any] | None) -> list[Any]:
    """Returns the ops to run with each step, and warns of those that a given list leaves out."""
    gathered = v1.get_collection(v1.GraphKeys.UPDATE_OPS)
    if given is None:
        return gathered
    names = {_op_name(op) for op in given}
    left_out = [_op_name(op) for op in gathered if _op_name(op) not in names]
    if left_out:
        shown = ", ".join(left_out[:3]) + (", …" if left_out[3:] else "")
        warnings.warn(
            f"update_ops leaves out {len(left_out)} of the graph's {len(gathered)} UPDATE_OPS "
            f"({shown}); what they update, such as moving averages, will not move. Leave "
            "update_ops out to run all",
            RuntimeWarning,
            stacklevel=4,
        )
    return list(given)


def _op_name(op: Any) -> str:
    return str(getattr(op, "op", op).name)


def _variables(given: Sequence[Any] | None) -> list[Any]:
    trainable = {variable_name(v): v for v in v1.trainable_variables()}
    ids = {id(v) for v in trainable.values()}
    for variable in given or ():
        if not isinstance(variable, str) and id(variable) not in ids:
            name = variable_name(variable)
            raise InputError(
                f"variables_to_train has {name!r}, which is no trainable variable of this graph"
                f"{close(name, trainable)}"
            )
    return list(chosen(trainable, given).values())


def _after(loss: tf.Tensor, gradient: Any) -> Any:
    """Returns the gradient, to be had only once the loss has been found to be a number."""
    if gradient is None:
        return None
    with tf.control_dependencies([loss]):
        return tf.identity(gradient)
