"""What the Inception networks share: their scope, and the heads on top of their tables."""

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

import slimcore as slim


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
) -> slim.Scope:
    """Returns the scope that the Inception networks are built in.

    Args:
        weight_decay: Factor of the L2 regularization loss of the weights.
        use_batch_norm: Whether convolutions are normalized; they have biases otherwise.
        batch_norm_decay: Decay of the moving averages.
        batch_norm_epsilon: Added to the variance.
        activation_fn: Of the convolutions.
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
            "normalizer_fn": slim.batch_norm,
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
        slim.arg_scope(
            [slim.conv2d, slim.fully_connected],
            weights_regularizer=slim.l2_regularizer(weight_decay),
        ),
        slim.arg_scope(
            [slim.conv2d],
            weights_initializer=slim.variance_scaling_initializer(),
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
        num_classes: Classes to tell apart; 0 or None stops after the pool.
        dropout_keep_prob: The share of features that dropout keeps.
        pool_scope: Scope of the pool.

    Returns:
        The logits [batch, num_classes], or the features [batch, 1, 1, channels].
    """
    with tf.compat.v1.variable_scope("Logits"):
        net = ends["global_pool"] = _averaged(net, pool_scope)
        if not num_classes:
            return net
        net = slim.dropout(net, dropout_keep_prob, scope="Dropout_1b")
        net = ends["PreLogitsFlatten"] = slim.flatten(net, scope="PreLogitsFlatten")
        logits = ends["Logits"] = slim.fully_connected(
            net, num_classes, activation_fn=None, scope="Logits"
        )
        ends["Predictions"] = tf.nn.softmax(logits, name="Predictions")
    return logits


def _averaged(net: tf.Tensor, scope: str) -> tf.Tensor:
    kernel = net.shape[1:3]
    if kernel.is_fully_defined():
        return slim.avg_pool2d(net, kernel, padding="VALID", scope=scope)
    return tf.reduce_mean(net, [1, 2], keepdims=True, name="global_pool")


def flat_aux_head(
    net: tf.Tensor, num_classes: int, scopes: Sequence[str], depth: int = 768
) -> tf.Tensor:
    """Adds the auxiliary head of Inception v4 and Inception-ResNet v2.

    Args:
        net: The map in the middle of the network, of static size.
        num_classes: Classes to tell apart.
        scopes: Of the pool, the two convolutions and the dense layer.
        depth: Outputs of the second convolution.

    Returns:
        The auxiliary logits [batch, num_classes].
    """
    pool, reduce, cover, dense = scopes
    with tf.compat.v1.variable_scope("AuxLogits"):
        net = slim.avg_pool2d(net, [5, 5], stride=3, padding="VALID", scope=pool)
        net = slim.conv2d(net, 128, [1, 1], scope=reduce)
        net = slim.conv2d(net, depth, net.shape[1:3], padding="VALID", scope=cover)
        return slim.fully_connected(slim.flatten(net), num_classes, activation_fn=None, scope=dense)
