"""What is done to gradients between their computation and the optimizer, in both modes."""

from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf

from slimcore.errors import InputError, close
from slimcore.scopes import prefixes, within
from slimcore.variables import variable_name

Gradient = Any  # a tensor, `tf.IndexedSlices`, or None
GradientAndVariable = tuple[Gradient, Any]


def clip_gradient_norms(
    gradients_to_variables: Sequence[GradientAndVariable], max_norm: float
) -> list[GradientAndVariable]:
    """Scales each gradient down to a norm, each by itself.

    Args:
        gradients_to_variables: Pairs of gradient and variable; a gradient may be None.
        max_norm: The largest L2 norm a gradient keeps.

    Returns:
        The pairs, in the order given.
    """
    return [(_clipped(gradient, max_norm), v) for gradient, v in gradients_to_variables]


def clip_gradient_norms_fn(max_norm: float) -> Any:
    """Returns `clip_gradient_norms` for one norm, a function of the pairs alone."""
    return lambda gradients_to_variables: clip_gradient_norms(gradients_to_variables, max_norm)


def _clipped(gradient: Gradient, max_norm: float) -> Gradient:
    if isinstance(gradient, tf.IndexedSlices):
        values = tf.clip_by_norm(gradient.values, max_norm)
        return tf.IndexedSlices(values, gradient.indices, gradient.dense_shape)
    return gradient if gradient is None else tf.clip_by_norm(gradient, max_norm)


def multiply_gradients(
    grads_and_vars: Sequence[GradientAndVariable], gradient_multipliers: Mapping[Any, Any]
) -> list[GradientAndVariable]:
    """Multiplies the gradients of some variables, so that each learns at a rate of its own.

    Args:
        grads_and_vars: Pairs of gradient and variable.
        gradient_multipliers: Factors by variable, by its name, such as `LeNet/fc3/weights`, or by
            a scope, such as `LeNet/fc3`, for all variables in it; the longest name that fits a
            variable counts. A number or a scalar tensor each.

    Returns:
        The pairs, in the order given.

    Raises:
        InputError: It is no dict or an empty one, names a variable or scope that is not there, or
            one that has no gradient.
    """
    if not isinstance(gradient_multipliers, Mapping) or not gradient_multipliers:
        raise InputError(
            "gradient_multipliers must be a dict from variables, their names or scopes to factors, "
            f"and not empty; got {gradient_multipliers!r}"
        )
    factors = {_name(key): factor for key, factor in gradient_multipliers.items()}
    gradients = {variable_name(v): gradient for gradient, v in grads_and_vars}
    for key in factors:
        found = [gradient for name, gradient in gradients.items() if within(name, key)]
        if not found:
            raise InputError(
                f"gradient_multipliers names {key!r}, which is not trained here"
                f"{close(key, prefixes(gradients))}"
            )
        if all(gradient is None for gradient in found):
            raise InputError(
                f"gradient_multipliers names {key!r}, and the loss has no gradient for it; remove "
                "it, or use the variable in the loss"
            )
    return [
        (scaled(gradient, _factor(variable_name(v), factors)), v) for gradient, v in grads_and_vars
    ]


def _factor(name: str, factors: Mapping[str, Any]) -> Any:
    fitting = [key for key in factors if within(name, key)]
    return factors[max(fitting, key=len)] if fitting else 1


def _name(key: Any) -> str:
    return key.partition(":")[0].rstrip("/") if isinstance(key, str) else variable_name(key)


def scaled(gradient: Gradient, factor: Any) -> Gradient:
    """Returns a gradient times a number or a scalar tensor."""
    if gradient is None or (isinstance(factor, int) and factor == 1):
        return gradient
    if isinstance(gradient, tf.IndexedSlices):
        values = gradient.values * tf.cast(factor, gradient.values.dtype)
        return tf.IndexedSlices(values, gradient.indices, gradient.dense_shape)
    return gradient * tf.cast(factor, gradient.dtype)
