"""I3D: Inception v1 whose kernels have been inflated in time, for videos.

Paper: Carreira and Zisserman, "Quo Vadis, Action Recognition? A New Model and the Kinetics
Dataset", 2017, arXiv:1705.07750, figure 3.

`i3d_base` is the table of layers, `i3d` adds the classifier, `i3d_arg_scope` is their scope. Blocks
and widths are in `i3d_utils` and `inception_v1`.
"""

from collections.abc import Callable

import tensorflow as tf
from slim_layers import batch_norm, conv3d, dropout, max_pool3d, softmax

from slim_nets._checks import check_classes, check_size
from slim_nets._network import network
from slim_nets._steps import run
from slim_nets.i3d_utils import conv3d_spatiotemporal, video_arg_scope, video_head, video_steps
from slim_nets.inception_utils import truncated_normal
from slimcore import Scope, arg_scope


def i3d_arg_scope(
    weight_decay: float = 1e-7,
    batch_norm_decay: float = 0.999,
    batch_norm_epsilon: float = 0.001,
    use_renorm: bool = False,
    separable_conv3d: bool = False,
) -> Scope:
    """Returns the scope that `i3d` is built in.

    Args:
        weight_decay: Factor of the L2 regularization loss of the weights.
        batch_norm_decay: Decay of the moving averages.
        batch_norm_epsilon: Added to the variance.
        use_renorm: Whether batch normalization is corrected by the moving averages.
        separable_conv3d: Whether kernels are separated into space and time.
    """
    scope = video_arg_scope(weight_decay, batch_norm_decay, batch_norm_epsilon, renorm=use_renorm)
    with (
        arg_scope(scope),
        arg_scope([conv3d_spatiotemporal], separable=separable_conv3d) as scope,
    ):
        return scope


def i3d_base(
    inputs: tf.Tensor, final_endpoint: str = "Mixed_5c", scope: str = "InceptionV1"
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """Turns videos into a map of features.

    Args:
        inputs: Videos [batch, frames, height, width, channels].
        final_endpoint: Where to stop: `Conv2d_1a_7x7`, `MaxPool_2a_3x3`, ..., `Mixed_5c`.
        scope: Name of the variables' scope.

    Returns:
        The last map, [batch, frames / 8, height / 32, width / 32, 1024] for `Mixed_5c`, and the
        end points.

    Raises:
        InputError: There is no end point of this name.
    """
    with (
        tf.compat.v1.variable_scope(scope, "InceptionV1", [inputs]),
        arg_scope([conv3d], weights_initializer=truncated_normal(0.01)),
        arg_scope([conv3d, max_pool3d], stride=1, padding="SAME"),
    ):
        steps = video_steps(conv3d_spatiotemporal, first_temporal_kernel_size=7)
        return run("i3d", inputs, steps, final_endpoint)


@network(image_size=224, arg_scope=i3d_arg_scope)
def i3d(
    inputs: tf.Tensor,
    num_classes: int | None = 1000,
    dropout_keep_prob: float = 0.8,
    is_training: bool = True,
    prediction_fn: Callable[..., tf.Tensor] = softmax,
    spatial_squeeze: bool = True,
    reuse: bool | None = None,
    scope: str = "InceptionV1",
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """Turns videos into logits.

    Args:
        inputs: Videos [batch, frames, height, width, channels]; 64 frames of 224x224 in the paper.
        num_classes: Number of classes; 0 or None returns the pooled features instead.
        dropout_keep_prob: The share of features that dropout keeps.
        is_training: Whether dropout is on and batch normalization uses the batch.
        prediction_fn: Makes predictions of the logits.
        spatial_squeeze: Whether logits [batch, 1, 1, classes] become [batch, classes].
        reuse: Whether the variables exist already.
        scope: Name of the variables' scope.

    Returns:
        The logits [batch, num_classes], and the end points: those of `i3d_base`, `Logits` and
        `Predictions`.

    Raises:
        InputError: `num_classes` is negative.
        ShapeError: The inputs are not videos; or too large to squeeze.
    """
    check_classes("i3d", num_classes)
    check_size("i3d", inputs, smallest=1, frames=True)
    with (
        tf.compat.v1.variable_scope(scope, "InceptionV1", [inputs], reuse=reuse) as scope,
        arg_scope([batch_norm, dropout], is_training=is_training),
    ):
        net, ends = i3d_base(inputs, scope=scope)
        net = video_head(net, ends, num_classes, dropout_keep_prob, prediction_fn, spatial_squeeze)
    return net, ends
