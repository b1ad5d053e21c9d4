"""What the Inception networks share: their scope, and the heads on top of their tables."""

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf
from slim_layers import (
    avg_pool2d,
    batch_norm,
    conv2d,
    dropout,
    flatten,
    fully_connected,
    l2_regularizer,
    variance_scaling_initializer,
)

from slimcore import Scope, arg_scope


def inception_arg_scope(
    weight_decay: float = 0.00004,
    use_batch_norm: bool = True,
    batch_norm_decay: float = 0.9997,
    batch_norm_epsilon: float = 0.001,
    activation_fn: Callable[..., tf.Tensor] | None = tf.nn.relu,
    batch_norm_updates_collections: str | None = tf.compat.v1.GraphKeys.UPDATE_OPS,
    batch_norm_scale: bool = False,
    *,
    batch_norm_var_collection: str | None = "moving_vars",
    updates_collections: str | None = tf.compat.v1.GraphKeys.UPDATE_OPS,
    use_fused_batchnorm: bool | None = None,
) -> Scope:
    """Returns the scope that the Inception networks are built in.

    Args:
        weight_decay: Factor of the L2 regularization loss of the weights.
        use_batch_norm: Whether convolutions are normalized; they have biases otherwise.
        batch_norm_decay: Decay of the moving averages.
        batch_norm_epsilon: Added to the variance.
        activation_fn: Activation of the convolutions.
        batch_norm_updates_collections: Collects the updates of the moving averages; None makes
            them part of the forward pass.
        batch_norm_scale: Whether batch normalization has a gamma.
        batch_norm_var_collection: Collects the moving averages.
        updates_collections: Another name of `batch_norm_updates_collections`; either can be set.
        use_fused_batchnorm: Whether batch normalization is one fused op; where possible, by
            default.
    """
    if updates_collections == tf.compat.v1.GraphKeys.UPDATE_OPS:
        updates_collections = batch_norm_updates_collections
    averages = [batch_norm_var_collection] if batch_norm_var_collection else None
    normalizer: dict[str, Any] = {}
    if use_batch_norm:
        normalizer = {
            "normalizer_fn": batch_norm,
            "normalizer_params": {
                "decay": batch_norm_decay,
                "epsilon": batch_norm_epsilon,
                "updates_collections": updates_collections,
                "fused": use_fused_batchnorm,
                "scale": batch_norm_scale,
                "variables_collections": {
                    "beta": None,
                    "gamma": None,
                    "moving_mean": averages,
                    "moving_variance": averages,
                },
            },
        }
    with (
        arg_scope(
            [conv2d, fully_connected],
            weights_regularizer=l2_regularizer(weight_decay),
        ),
        arg_scope(
            [conv2d],
            weights_initializer=variance_scaling_initializer(),
            activation_fn=activation_fn,
            **normalizer,
        ) as scope,
    ):
        return scope


def truncated_normal(stddev: float) -> Any:
    """Returns the initializer that the networks before version 3 give by its deviation."""
    return tf.compat.v1.truncated_normal_initializer(0.0, stddev)


def flat_head(
    net: tf.Tensor,
    ends: dict[str, tf.Tensor],
    num_classes: int | None,
    dropout_keep_prob: float,
    pool_scope: str,
) -> tf.Tensor:
    """Adds the head of Inception v4 and Inception-ResNet v2: pool, dropout, a dense layer.

    Args:
        net: The last map.
        ends: The end points, which gain `global_pool`, `PreLogitsFlatten`, `Logits` and
            `Predictions`.
        num_classes: Number of classes; 0 or None stops after the pool.
        dropout_keep_prob: The share of features that dropout keeps.
        pool_scope: Scope of the pool.

    Returns:
        The logits [batch, num_classes], or the features [batch, 1, 1, channels].
    """
    with tf.compat.v1.variable_scope("Logits"):
        net = ends["global_pool"] = _averaged(net, pool_scope)
        if not num_classes:
            return net
        net = dropout(net, dropout_keep_prob, scope="Dropout_1b")
        net = ends["PreLogitsFlatten"] = flatten(net, scope="PreLogitsFlatten")
        logits = ends["Logits"] = fully_connected(
            net, num_classes, activation_fn=None, scope="Logits"
        )
        ends["Predictions"] = tf.nn.softmax(logits, name="Predictions")
    return logits


def _averaged(net: tf.Tensor, scope: str) -> tf.Tensor:
    kernel = net.shape[1:3]
    if kernel.is_fully_defined():
        return avg_pool2d(net, kernel, padding="VALID", scope=scope)
    return tf.reduce_mean(net, [1, 2], keepdims=True, name="global_pool")


def flat_aux_head(
    net: tf.Tensor, num_classes: int, scopes: Sequence[str], depth: int = 768
) -> tf.Tensor:
    """Adds the auxiliary head of Inception v4 and Inception-ResNet v2.

    Args:
        net: The map in the middle of the network, of static size.
        num_classes: Number of classes.
        scopes: Scopes of the pool, the two convolutions and the dense layer.
        depth: Outputs of the second convolution.

    Returns:
        The auxiliary logits [batch, num_classes].
    """
    pool, reduce, cover, dense = scopes
    with tf.compat.v1.variable_scope("AuxLogits"):
        net = avg_pool2d(net, [5, 5], stride=3, padding="VALID", scope=pool)
        net = conv2d(net, 128, [1, 1], scope=reduce)
        net = conv2d(net, depth, net.shape[1:3], padding="VALID", scope=cover)
        return fully_connected(flatten(net), num_classes, activation_fn=None, scope=dense)
