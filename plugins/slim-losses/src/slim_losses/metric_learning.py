"""Losses of metric learning: embeddings near each other where labels agree, and apart elsewhere.

As in the original, these losses are returned and not gathered: add them with
`slim.losses.add_loss`.
"""

import importlib.util
from collections.abc import Sequence

import tensorflow as tf

from slim_losses._agreement import compute_clustering_score
from slim_losses._clustering import (
    cluster_loss,
    compute_augmented_facility_locations,
    compute_augmented_facility_locations_pam,
    compute_facility_energy,
    compute_gt_cluster_score,
    get_cluster_assignment,
    update_1d_tensor,
    update_all_medoids,
    update_medoid_per_cluster,
)
from slim_losses._distances import (
    labeled,
    masked_maximum,
    masked_minimum,
    pairwise_distance,
    safe_sqrt,
)
from slim_losses._inputs import here, printed, require
from slimcore.debugging import check_range
from slimcore.errors import ShapeError

__all__ = [
    "HAS_SKLEARN",
    "cluster_loss",
    "compute_augmented_facility_locations",
    "compute_augmented_facility_locations_pam",
    "compute_clustering_score",
    "compute_facility_energy",
    "compute_gt_cluster_score",
    "contrastive_loss",
    "get_cluster_assignment",
    "lifted_struct_loss",
    "masked_maximum",
    "masked_minimum",
    "npairs_loss",
    "npairs_loss_multilabel",
    "pairwise_distance",
    "triplet_semihard_loss",
    "update_1d_tensor",
    "update_all_medoids",
    "update_medoid_per_cluster",
]

HAS_SKLEARN = importlib.util.find_spec("sklearn") is not None
"""Whether scikit-learn is installed. Nothing here needs it; the original's `cluster_loss` does."""


def contrastive_loss(
    labels: tf.Tensor,
    embeddings_anchor: tf.Tensor,
    embeddings_positive: tf.Tensor,
    margin: float = 1.0,
) -> tf.Tensor:
    """Averages, over pairs, squared distances of the like and squared nearness of the unlike.

    Args:
        labels: Tensor [batch], 1 where the two embeddings of a pair belong together, 0 elsewhere.
        embeddings_anchor: Float tensor [batch, size], of length 1 or so.
        embeddings_positive: Tensor of that shape: the other one of each pair.
        margin: The distance from which unlike embeddings cost nothing.

    Returns:
        A scalar: the mean of `labels * d² + (1 - labels) * max(0, margin - d)²`, 0 for an empty
        batch.

    Raises:
        ShapeError: The shapes do not fit each other.

    Paper: Hadsell et al., "Dimensionality Reduction by Learning an Invariant Mapping", 2006.
    """
    loss = "contrastive_loss"
    with tf.name_scope("contrastive_loss"):
        labels, anchor, positive = labeled(
            loss,
            labels,
            embeddings_anchor=embeddings_anchor,
            embeddings_positive=embeddings_positive,
        )
        labels = check_range(tf.cast(labels, anchor.dtype), 0, 1, f"{loss}: labels")
        squares = tf.reduce_sum(tf.math.squared_difference(anchor, positive), 1)
        nearness = tf.maximum(margin - safe_sqrt(squares), 0)
        losses = labels * squares + (1 - labels) * tf.square(nearness)
        count = tf.cast(tf.size(losses), losses.dtype)
        return tf.math.divide_no_nan(tf.reduce_sum(losses), count)


def triplet_semihard_loss(
    labels: tf.Tensor, embeddings: tf.Tensor, margin: float = 1.0
) -> tf.Tensor:
    """Averages how much nearer than a like embedding a well chosen unlike one is.

    For each pair of an anchor and an embedding of its label, the unlike embedding is the nearest
    to the anchor among those further away than its like, else the furthest of all.

    Args:
        labels: Tensor [batch], of integers.
        embeddings: Float tensor [batch, size], of length 1.
        margin: By how much the squared distance of the unlike should be greater.

    Returns:
        A scalar: the mean, over pairs, of `max(0, margin + d²(like) - d²(unlike))`; 0 where all
        labels differ, or where all are the same.

    Raises:
        ShapeError: The shapes do not fit each other.

    Paper: Schroff et al., "FaceNet: A Unified Embedding for Face Recognition and Clustering", 2015,
    arXiv:1503.03832, section 3.2.
    """
    with tf.name_scope("triplet_semihard_loss"):
        labels, embeddings = labeled("triplet_semihard_loss", labels, embeddings=embeddings)
        distances = pairwise_distance(embeddings, squared=True)
        like = tf.equal(labels[:, tf.newaxis], labels)
        # Each row's unlike embeddings from near to far, and then the others, infinitely far.
        far = tf.fill(tf.shape(distances), tf.constant(float("inf"), distances.dtype))
        unlike = tf.where(like, far, tf.stop_gradient(distances))
        order = tf.argsort(unlike)
        unlike = tf.gather(unlike, order, batch_dims=1)
        # The first one further away than the like; the last of them if none is.
        index = tf.searchsorted(unlike, tf.stop_gradient(distances), side="right")
        count = tf.reduce_sum(tf.cast(~like, tf.int32), 1, keepdims=True)
        index = tf.maximum(tf.minimum(index, count - 1), 0)
        chosen = tf.gather(order, index, batch_dims=1)
        losses = tf.nn.relu(margin + distances - tf.gather(distances, chosen, batch_dims=1))
        pairs = tf.linalg.set_diag(like, tf.zeros_like(labels, tf.bool))
        triplets = tf.cast(pairs & (count > 0), losses.dtype)
        return tf.math.divide_no_nan(tf.reduce_sum(losses * triplets), tf.reduce_sum(triplets))


def npairs_loss(
    labels: tf.Tensor,
    embeddings_anchor: tf.Tensor,
    embeddings_positive: tf.Tensor,
    reg_lambda: float = 0.002,
    print_losses: bool = False,
) -> tf.Tensor:
    """Averages, over anchors, the cross-entropy of their products with all the positive embeddings.

    Args:
        labels: Tensor [batch]. A target is shared by the positive embeddings of the anchor's label.
        embeddings_anchor: Float tensor [batch, size], not normalized.
        embeddings_positive: Tensor of that shape, one of each anchor's label.
        reg_lambda: Factor of the second term, a quarter of the mean squared length of both.
        print_losses: Whether to print both terms.

    Returns:
        A scalar.

    Raises:
        ShapeError: The shapes do not fit each other.

    Paper: Sohn, "Improved Deep Metric Learning with Multi-class N-pair Loss Objective", 2016.
    """
    with tf.name_scope("npairs_loss"):
        labels, anchor, positive = labeled(
            "npairs_loss",
            labels,
            embeddings_anchor=embeddings_anchor,
            embeddings_positive=embeddings_positive,
        )
        shared = tf.cast(tf.equal(labels[:, tf.newaxis], labels), anchor.dtype)
        return _npairs(shared, anchor, positive, reg_lambda, print_losses)


def npairs_loss_multilabel(
    sparse_labels: Sequence[tf.SparseTensor],
    embeddings_anchor: tf.Tensor,
    embeddings_positive: tf.Tensor,
    reg_lambda: float = 0.002,
    print_losses: bool = False,
) -> tf.Tensor:
    """Does what `npairs_loss` does, where an example may have several labels.

    A target is shared by the positive embeddings in proportion to the labels that they have in
    common with the anchor.

    Args:
        sparse_labels: One `tf.SparseTensor` [classes] or [1, classes] for each example, with 1
            where it has a label.
        embeddings_anchor: Float tensor [batch, size], not normalized.
        embeddings_positive: Tensor of that shape, one of each anchor's labels.
        reg_lambda: Factor of the second term, a quarter of the mean squared length of both.
        print_losses: Whether to print both terms.

    Returns:
        A scalar.

    Raises:
        ShapeError: The shapes do not fit each other.

    Paper: Sohn, "Improved Deep Metric Learning with Multi-class N-pair Loss Objective", 2016.
    """
    loss = "npairs_loss_multilabel"
    with tf.name_scope("npairs_loss_multilabel"):
        require(loss, sparse_labels=sparse_labels)
        _, anchor, positive = labeled(
            loss,
            tf.zeros([len(sparse_labels)]),
            embeddings_anchor=embeddings_anchor,
            embeddings_positive=embeddings_positive,
        )
        dense = [tf.reshape(tf.sparse.to_dense(s), [-1]) for s in sparse_labels]
        sizes = {d.shape[0] for d in dense if d.shape[0] is not None}
        if len(sizes) > 1:
            raise ShapeError(
                f"{here(loss)} needs sparse_labels of one number of classes, and got "
                f"{', '.join(map(str, sorted(sizes)))}"
            )
        stacked = tf.cast(tf.stack(dense), anchor.dtype)
        shared = tf.matmul(stacked, stacked, transpose_b=True)
        return _npairs(shared, anchor, positive, reg_lambda, print_losses)


def _npairs(
    shared: tf.Tensor,
    anchor: tf.Tensor,
    positive: tf.Tensor,
    reg_lambda: float,
    print_losses: bool,
) -> tf.Tensor:
    count = tf.cast(tf.shape(anchor)[0], anchor.dtype)
    targets = tf.math.divide_no_nan(shared, tf.reduce_sum(shared, 1, keepdims=True))
    products = tf.matmul(anchor, positive, transpose_b=True)
    # The softmax ops of TensorFlow refuse a batch of none, which has no classes here.
    log_shares = products - tf.reduce_logsumexp(products, 1, keepdims=True)
    entropy = -tf.math.divide_no_nan(tf.reduce_sum(targets * log_shares), count)
    squares = tf.reduce_sum(tf.square(anchor)) + tf.reduce_sum(tf.square(positive))
    lengths = reg_lambda * 0.25 * tf.math.divide_no_nan(squares, count)
    if print_losses:
        entropy = printed(entropy, "cross entropy:", entropy, "l2loss:", lengths)
    return entropy + lengths


def lifted_struct_loss(labels: tf.Tensor, embeddings: tf.Tensor, margin: float = 1.0) -> tf.Tensor:
    """Compares, for each pair of one label, its distance with those of all unlike embeddings.

    Args:
        labels: Tensor [batch], of integers.
        embeddings: Float tensor [batch, size], not normalized.
        margin: The distance within which unlike embeddings cost most.

    Returns:
        A scalar: half the mean, over like pairs (i, j), of `max(0, J)²`, where `J = d(i, j) + log
        sum exp(margin - d)` and the sum is over the distances d of i and of j from the unlike; 0
        where all labels differ, or where all are the same.

    Raises:
        ShapeError: The shapes do not fit each other.

    Paper: Song et al., "Deep Metric Learning via Lifted Structured Feature Embedding", 2016,
    arXiv:1511.06452, equation 4.
    """
    with tf.name_scope("lifted_struct_loss"):
        labels, embeddings = labeled("lifted_struct_loss", labels, embeddings=embeddings)
        distances = pairwise_distance(embeddings)
        like = tf.equal(labels[:, tf.newaxis], labels)
        # Far below any distance, and yet finite, so that gradients are.
        never = tf.fill(tf.shape(distances), tf.constant(-1e30, distances.dtype))
        nearness = tf.reduce_logsumexp(tf.where(like, never, margin - distances), 1)
        both = tf.stack(tf.meshgrid(nearness, nearness))
        losses = tf.square(tf.nn.relu(tf.reduce_logsumexp(both, 0) + distances))
        pairs = tf.linalg.set_diag(like, tf.zeros_like(labels, tf.bool))
        pairs = tf.cast(pairs, losses.dtype)
        return 0.5 * tf.math.divide_no_nan(tf.reduce_sum(losses * pairs), tf.reduce_sum(pairs))
