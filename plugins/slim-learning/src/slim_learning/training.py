"""`slim.training`: train ops and a training loop by hooks. Its evaluation is beside it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, overload

import tensorflow as tf

import slim_learning.graph.train_op as graph_train_ops
from slim_learning.dispatch import GraphDefault, in_a_graph, names_checked, on_functions
from slim_learning.graph.monitored_session import train
from slim_learning.graph.train_op import (
    GATE_OP,
    USE_GLOBAL_STEP,
    Transform,
    add_gradients_summaries,
)
from slim_learning.optim.gradients import (
    clip_gradient_norms,
    clip_gradient_norms_fn,
    multiply_gradients,
)
from slim_learning.training_loop.train_op import TrainOp

__all__ = [
    "add_gradients_summaries",
    "clip_gradient_norms",
    "clip_gradient_norms_fn",
    "create_train_op",
    "multiply_gradients",
    "train",
]

GLOBAL_STEP = GraphDefault(USE_GLOBAL_STEP, on_functions=None)


@overload
def create_train_op(
    total_loss: Callable[[Any], Any],
    optimizer: Any,
    global_step: Any = ...,
    *,
    variables_to_train: Sequence[Any] | None = ...,
    clip_gradient_norm: float = ...,
    gradient_multipliers: Mapping[Any, Any] | None = ...,
    check_numerics: bool = ...,
    jit_compile: bool = ...,
    accumulate_steps: int = ...,
    moving_average_decay: float | None = ...,
    non_finite: str = ...,
) -> TrainOp: ...
@overload
def create_train_op(
    total_loss: tf.Tensor,
    optimizer: Any,
    global_step: Any = ...,
    update_ops: Sequence[Any] | None = ...,
    variables_to_train: Sequence[Any] | None = ...,
    transform_grads_fn: Transform | None = ...,
    summarize_gradients: bool = ...,
    gate_gradients: int = ...,
    aggregation_method: int | None = ...,
    colocate_gradients_with_ops: bool = ...,
    check_numerics: bool = ...,
) -> tf.Tensor: ...
@names_checked
def create_train_op(
    total_loss: Any,
    optimizer: Any,
    global_step: Any = GLOBAL_STEP,
    update_ops: Sequence[Any] | None = None,
    variables_to_train: Sequence[Any] | None = None,
    transform_grads_fn: Transform | None = None,
    summarize_gradients: bool = False,
    gate_gradients: int = GATE_OP,
    aggregation_method: int | None = None,
    colocate_gradients_with_ops: bool = False,
    check_numerics: bool = True,
    *,
    clip_gradient_norm: float = 0,
    gradient_multipliers: Mapping[Any, Any] | None = None,
    jit_compile: bool = False,
    accumulate_steps: int = 1,
    moving_average_decay: float | None = None,
    non_finite: str = "stop",
) -> Any:
    """Makes one step of training of a loss and an optimizer: update ops, gradients, the update.

    In a graph the loss is a scalar tensor, and so is the result, whose evaluation takes the step;
    it is added to `GraphKeys.TRAIN_OP`. Elsewhere the loss is a function of a batch, and the
    result is a `TrainOp`, an object to call with batches.

    Args:
        total_loss: A scalar tensor of a graph, or a function from a batch to a scalar loss.
        optimizer: An optimizer of `tf.compat.v1.train`; on a function also one of
            `tf.keras.optimizers`. There its learning rate may be a schedule of Keras or, of the
            former kind, a function that reads `slim.get_global_step()`.
        global_step: Integer variable that counts the steps; by default the graph's own, made if
            need be, or on a function a new one. None counts nothing in a graph.
        update_ops: In a graph only: ops to run before the step; `GraphKeys.UPDATE_OPS` by default.
        variables_to_train: Variables, or names of variables or scopes; all trainable ones by
            default.
        transform_grads_fn: In a graph only: a function from pairs of gradient and variable to such
            pairs.
        summarize_gradients: In a graph only: whether to summarize each gradient and its norm.
        gate_gradients: In a graph only: `GATE_NONE`, `GATE_OP` or `GATE_GRAPH` of
            `tf.compat.v1.train.Optimizer`.
        aggregation_method: In a graph only: how to combine gradients, of `tf.AggregationMethod`.
        colocate_gradients_with_ops: In a graph only: whether gradients are computed where their
            ops are.
        check_numerics: Whether an infinite or NaN loss is an error. Such a step changes no trained
            variable.
        clip_gradient_norm: On functions only: the largest L2 norm that each gradient keeps; 0
            leaves them.
        gradient_multipliers: On functions only: factors of gradients, by variable, by its name, or
            by a scope for all in it, so that layers learn at rates of their own.
        jit_compile: On functions only: whether XLA compiles the step.
        accumulate_steps: On functions only: the number of batches to one update, whose gradients
            are averaged. The global step counts updates.
        moving_average_decay: On functions only: the decay of moving averages of the trained
            weights, between 0 and 1; checkpoints keep them as `<name>/ExponentialMovingAverage`.
            None keeps none.
        non_finite: On functions only: what happens at an infinite or NaN loss. "stop" ends the
            run; "skip" leaves out the update, for such a gradient too, counts it in `skipped` and
            puts moving statistics back; "roll_back" lets `slim.learning.train` return to the last
            checkpoint and go on in the data.

    Returns:
        In a graph, the loss, a scalar tensor; evaluating it takes the step. On a function, a
        `TrainOp`.

    Raises:
        InputError: An argument has an unsupported value, or belongs to the other mode.
        ArgumentTypeError: The loss is neither a tensor of a graph nor a function, or an argument
            is unknown.
    """
    given = locals()
    if callable(total_loss):
        return TrainOp(total_loss, **on_functions(create_train_op, TrainOp, given))
    return graph_train_ops.create_transformed_train_op(
        total_loss,
        **in_a_graph(create_train_op, graph_train_ops.create_transformed_train_op, given),
    )
