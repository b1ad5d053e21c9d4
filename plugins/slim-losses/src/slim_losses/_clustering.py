"""The facility location loss: embeddings whose best clustering is that of the labels.

The search for medoids runs in plain TensorFlow, in graphs as in `tf.function`; gradients flow
through the distances of what it finds.

Paper: Song et al., "Deep Metric Learning via Facility Location", 2017, arXiv:1612.01213.
"""

import tensorflow as tf

from slim_losses._agreement import compute_clustering_score
from slim_losses._distances import labeled, pairwise_distance
from slim_losses._inputs import printed


def cluster_loss(
    labels: tf.Tensor,
    embeddings: tf.Tensor,
    margin_multiplier: float,
    enable_pam_finetuning: bool = True,
    margin_type: str = "nmi",
    print_losses: bool = False,
) -> tf.Tensor:
    """Measures by how much a wrong clustering of the embeddings beats that of the labels.

    Args:
        labels: Integer tensor [batch].
        embeddings: Float tensor [batch, size], of length 1.
        margin_multiplier: How much a clustering gains by disagreeing with the labels.
        enable_pam_finetuning: Whether the medoids, chosen one by one, are then improved in turn.
        margin_type: How agreement is measured; see `compute_clustering_score`.
        print_losses: Whether to print the loss.

    Returns:
        A scalar: `max(0, found + margin_multiplier * (1 - agreement) - labeled)`, where `found` and
        `labeled` are minus the sums of distances to the medoid, in the clustering found and in
        that of the labels.

    Raises:
        ShapeError: The shapes do not fit each other.
        InputError: `margin_type` has an unsupported value.

    Paper: Song et al., "Deep Metric Learning via Facility Location", 2017, arXiv:1612.01213,
    equations 5 and 7, algorithms 1 and 2.
    """
    with tf.name_scope("cluster_loss"):
        labels, embeddings = labeled("cluster_loss", labels, embeddings=embeddings)
        distances = pairwise_distance(embeddings)
        fixed = tf.stop_gradient(distances)
        everyone = tf.range(tf.shape(labels)[0])
        chosen = compute_augmented_facility_locations(
            fixed, labels, everyone, margin_multiplier, margin_type
        )
        if enable_pam_finetuning:
            chosen = compute_augmented_facility_locations_pam(
                fixed, labels, margin_multiplier, margin_type, chosen
            )
        found = compute_facility_energy(distances, chosen)
        gain = _gain(fixed, labels, chosen, margin_multiplier, margin_type)
        loss = tf.maximum(found + gain - compute_gt_cluster_score(distances, labels), 0)
        return printed(loss, "clustering_loss:", loss) if print_losses else loss


def get_cluster_assignment(pairwise_distances: tf.Tensor, centroid_ids: tf.Tensor) -> tf.Tensor:
    """Assigns every element to its nearest centroid, and a centroid to itself.

    Args:
        pairwise_distances: Float tensor [n, n].
        centroid_ids: Integer tensor [..., clusters], elements that are centroids.

    Returns:
        int64 tensor [..., n], from 0 to clusters - 1.
    """
    near = tf.argmin(tf.gather(pairwise_distances, centroid_ids), -2)
    everyone = tf.range(tf.shape(pairwise_distances)[0], dtype=centroid_ids.dtype)
    own = tf.cast(tf.equal(centroid_ids[..., tf.newaxis], everyone), tf.int32)
    return tf.where(tf.reduce_max(own, -2) > 0, tf.argmax(own, -2), near)


def compute_facility_energy(pairwise_distances: tf.Tensor, centroid_ids: tf.Tensor) -> tf.Tensor:
    """Returns minus the sum of all elements' distances to their nearest centroid.

    Args:
        pairwise_distances: Float tensor [n, n].
        centroid_ids: Integer tensor [..., clusters], elements that are centroids.

    Returns:
        Tensor [...].
    """
    near = tf.reduce_min(tf.gather(pairwise_distances, centroid_ids), -2)
    return -tf.reduce_sum(near, -1)


def compute_gt_cluster_score(pairwise_distances: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Returns minus the sum of all elements' distances to the best medoid of their own label.

    Args:
        pairwise_distances: Float tensor [n, n].
        labels: Integer tensor [n].

    Returns:
        A scalar.
    """
    values, index = tf.unique(labels)
    like = tf.cast(tf.equal(index[:, tf.newaxis], index), pairwise_distances.dtype)
    to_like = tf.reduce_sum(pairwise_distances * like, 1)
    return -tf.reduce_sum(tf.math.unsorted_segment_min(to_like, index, tf.size(values)))


def compute_augmented_facility_locations(
    pairwise_distances: tf.Tensor,
    labels: tf.Tensor,
    all_ids: tf.Tensor,
    margin_multiplier: float,
    margin_type: str,
) -> tf.Tensor:
    """Chooses as many medoids as there are labels, each the best beside those chosen before.

    Args:
        pairwise_distances: Float tensor [n, n].
        labels: Integer tensor [n].
        all_ids: Integer tensor [m], the elements to choose from.
        margin_multiplier: How much a clustering gains by disagreeing with the labels.
        margin_type: How agreement is measured; see `compute_clustering_score`.

    Returns:
        Integer tensor [clusters], of the type of `all_ids`, in the order of choice.
    """
    all_ids = tf.convert_to_tensor(all_ids)
    clusters = tf.size(tf.unique(labels).y)

    def choose(chosen: tf.Tensor) -> tuple[tf.Tensor]:
        taken = tf.reduce_any(tf.equal(all_ids[:, tf.newaxis], chosen), 1)
        left = tf.boolean_mask(all_ids, ~taken)[:, tf.newaxis]
        before = tf.tile(chosen[tf.newaxis], [tf.shape(left)[0], 1])
        sets = tf.concat([before, left], 1)
        gain = _gain(pairwise_distances, labels, sets, margin_multiplier, margin_type)
        best = tf.argmax(compute_facility_energy(pairwise_distances, sets) + gain)
        return (tf.concat([chosen, left[best]], 0),)

    (chosen,) = tf.while_loop(
        lambda chosen: tf.size(chosen) < clusters,
        choose,
        (tf.zeros([0], all_ids.dtype),),
        shape_invariants=(tf.TensorShape([None]),),
    )
    return chosen


def compute_augmented_facility_locations_pam(
    pairwise_distances: tf.Tensor,
    labels: tf.Tensor,
    margin_multiplier: float,
    margin_type: str,
    chosen_ids: tf.Tensor,
    pam_max_iter: int = 5,
) -> tf.Tensor:
    """Improves medoids: assigns all elements and updates every cluster's medoid, several times.

    Args:
        pairwise_distances: Float tensor [n, n].
        labels: Integer tensor [n].
        margin_multiplier: How much a clustering gains by disagreeing with the labels.
        margin_type: How agreement is measured; see `compute_clustering_score`.
        chosen_ids: Integer tensor [clusters], the medoids so far.
        pam_max_iter: How many times.

    Returns:
        Integer tensor [clusters].
    """

    def improve(i: tf.Tensor, chosen: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        predictions = get_cluster_assignment(pairwise_distances, chosen)
        chosen = update_all_medoids(
            pairwise_distances, predictions, labels, chosen, margin_multiplier, margin_type
        )
        return i + 1, chosen

    start = (0, tf.convert_to_tensor(chosen_ids))
    return tf.while_loop(lambda i, _: i < pam_max_iter, improve, start)[1]


def update_all_medoids(
    pairwise_distances: tf.Tensor,
    predictions: tf.Tensor,
    labels: tf.Tensor,
    chosen_ids: tf.Tensor,
    margin_multiplier: float,
    margin_type: str,
) -> tf.Tensor:
    """Updates the medoid of every cluster in turn; see `update_medoid_per_cluster`.

    Args:
        pairwise_distances: Float tensor [n, n].
        predictions: Integer tensor [n], the clusters, from 0.
        labels: Integer tensor [n].
        chosen_ids: Integer tensor [clusters], the medoids so far.
        margin_multiplier: How much a clustering gains by disagreeing with the labels.
        margin_type: How agreement is measured; see `compute_clustering_score`.

    Returns:
        Integer tensor [clusters].
    """
    present = tf.cast(tf.unique(predictions).y, predictions.dtype)

    def update(i: tf.Tensor, chosen: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        cluster = present[i]
        members = tf.where(tf.equal(predictions, cluster))[:, 0]
        subset = tf.gather(tf.gather(pairwise_distances, members), members, axis=1)
        chosen = update_medoid_per_cluster(
            pairwise_distances,
            subset,
            labels,
            chosen,
            members,
            cluster,
            margin_multiplier,
            margin_type,
        )
        return i + 1, chosen

    start = (0, tf.convert_to_tensor(chosen_ids))
    return tf.while_loop(lambda i, _: i < tf.size(present), update, start)[1]


def update_medoid_per_cluster(
    pairwise_distances: tf.Tensor,
    pairwise_distances_subset: tf.Tensor,
    labels: tf.Tensor,
    chosen_ids: tf.Tensor,
    cluster_member_ids: tf.Tensor,
    cluster_idx: tf.Tensor,
    margin_multiplier: float,
    margin_type: str,
) -> tf.Tensor:
    """Makes that member of a cluster its medoid which is near the others and disagrees most.

    Args:
        pairwise_distances: Float tensor [n, n].
        pairwise_distances_subset: Float tensor [m, m], of the cluster's members; dimensions of 1
            between are allowed.
        labels: Integer tensor [n].
        chosen_ids: Integer tensor [clusters], the medoids so far.
        cluster_member_ids: Integer tensor [m] or [m, 1], the cluster's members.
        cluster_idx: Which of `chosen_ids` is the cluster's.
        margin_multiplier: How much a clustering gains by disagreeing with the labels.
        margin_type: How agreement is measured; see `compute_clustering_score`.

    Returns:
        Integer tensor [clusters]: `chosen_ids` with one of them replaced.
    """
    members = tf.cast(tf.reshape(cluster_member_ids, [-1]), chosen_ids.dtype)
    count = tf.size(members)
    near = -tf.reduce_sum(tf.reshape(pairwise_distances_subset, tf.stack([count, count])), 1)
    one_of = tf.equal(tf.range(tf.size(chosen_ids)), tf.cast(cluster_idx, tf.int32))
    sets = tf.where(one_of, members[:, tf.newaxis], chosen_ids)
    gain = _gain(pairwise_distances, labels, sets, margin_multiplier, margin_type)
    best = tf.argmax(near + gain)
    return update_1d_tensor(chosen_ids, cluster_idx, members[best])


def update_1d_tensor(y: tf.Tensor, index: tf.Tensor, value: tf.Tensor) -> tf.Tensor:
    """Returns `y`, a tensor [n], with `value` in the place `index`."""
    y = tf.convert_to_tensor(y)
    index = tf.reshape(tf.convert_to_tensor(index), [1, 1])
    return tf.tensor_scatter_nd_update(y, index, tf.reshape(tf.cast(value, y.dtype), [1]))


def _gain(
    pairwise_distances: tf.Tensor,
    labels: tf.Tensor,
    centroid_ids: tf.Tensor,
    margin_multiplier: float,
    margin_type: str,
) -> tf.Tensor:
    """Returns what clusterings gain by disagreeing with the labels."""
    predictions = get_cluster_assignment(pairwise_distances, centroid_ids)
    agreement = compute_clustering_score(labels, predictions, margin_type)
    return tf.cast(margin_multiplier * (1 - agreement), pairwise_distances.dtype)
