"""Softmax over the last axis."""

import tensorflow as tf

from slimcore import add_arg_scope


@add_arg_scope
def softmax(logits: tf.Tensor, scope: str | None = None) -> tf.Tensor:
    """Turns the logits on the last axis into probabilities.

    Args:
        logits: Floats of any rank of 1 or more.
        scope: Name of the ops, `softmax` by default.

    Returns:
        Tensor like `logits`; each row on the last axis is positive and sums to 1.
    """
    with tf.name_scope(scope or "softmax"):
        return tf.nn.softmax(logits)
