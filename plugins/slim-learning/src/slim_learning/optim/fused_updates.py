"""The updates of Keras' SGD and Adam in one operation a variable.

Keras computes them in several, each of which reads and writes all weights again. The results are
the same but for rounding.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import tensorflow as tf

from slim_learning.optim.gradients import GradientAndVariable

# Whatever else Keras does on the way to an update; with any of it, Keras does the whole.
_OTHERS = (
    "amsgrad",
    "clipnorm",
    "clipvalue",
    "global_clipnorm",
    "gradient_accumulation_steps",
    "loss_scale_factor",
    "use_ema",
    "weight_decay",
)


def fused_update(
    optimizer: Any, grads_and_vars: Sequence[GradientAndVariable], slots: Mapping[str, Any]
) -> bool:
    """Updates the variables and counts the step, where that is all that the optimizer does.

    Args:
        optimizer: A Keras optimizer that is built.
        grads_and_vars: What it would be given.
        slots: Its variables by the names `<variable>/momentum` and `<variable>/velocity`.

    Returns:
        Whether it did; otherwise nothing was changed.
    """
    kinds: dict[Any, tuple[Callable[..., None], tuple[str, ...]]] = {
        tf.keras.optimizers.SGD: (_momentum, ("momentum",)),
        tf.keras.optimizers.Adam: (_adam, ("momentum", "velocity")),
    }
    apply, names = kinds.get(type(optimizer), (None, ()))
    if apply is None or any(getattr(optimizer, name, None) for name in _OTHERS):
        return False
    if tf.distribute.has_strategy() or not all(_is_plain(g, v) for g, v in grads_and_vars):
        return False
    states: list[list[Any]] = [
        [slots.get(f"{v.name.partition(':')[0]}/{name}") for name in names]
        for _, v in grads_and_vars
    ]
    if any(slot is None for state in states for slot in state):
        return False
    rate = tf.cast(tf.convert_to_tensor(optimizer.learning_rate), tf.float32)
    step = tf.cast(tf.convert_to_tensor(optimizer.iterations), tf.float32) + 1
    for (gradient, v), state in zip(grads_and_vars, states, strict=True):
        handles = [slot.value.handle for slot in state]
        apply(optimizer, v.handle, handles, gradient, rate, step)
    optimizer.iterations.assign_add(1)
    return True


def _is_plain(gradient: Any, variable: Any) -> bool:
    return (
        isinstance(gradient, tf.Tensor)
        and gradient.dtype == variable.dtype == tf.float32
        and getattr(variable, "constraint", None) is None
        and hasattr(variable, "handle")
    )


def _momentum(optimizer: Any, var: Any, slots: Any, grad: Any, rate: Any, step: Any) -> None:
    tf.raw_ops.ResourceApplyKerasMomentum(
        var=var,
        accum=slots[0],
        lr=rate,
        grad=grad,
        momentum=tf.constant(optimizer.momentum, tf.float32),
        use_nesterov=bool(optimizer.nesterov),
    )


def _adam(optimizer: Any, var: Any, slots: Any, grad: Any, rate: Any, step: Any) -> None:
    beta_1 = tf.constant(optimizer.beta_1, tf.float32)
    beta_2 = tf.constant(optimizer.beta_2, tf.float32)
    tf.raw_ops.ResourceApplyAdam(
        var=var,
        m=slots[0],
        v=slots[1],
        beta1_power=beta_1**step,
        beta2_power=beta_2**step,
        lr=rate,
        beta1=beta_1,
        beta2=beta_2,
        epsilon=tf.constant(optimizer.epsilon, tf.float32),
        grad=grad,
    )
