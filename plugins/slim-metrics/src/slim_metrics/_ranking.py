"""Metrics of the best k classes: precision, recall and average precision of them, and accuracy."""

from typing import Any

import tensorflow as tf

from slim_metrics._mean import mean_of
from slim_metrics._state import Metric, Names, ValueAndUpdate, metric, ratio
from slim_metrics._top_k import hits, in_top_k, top_k, weighted_sum


def streaming_top_k_accuracy(
    predictions: Any,
    labels: Any,
    k: int = 5,
    weights: Any = None,
    metrics_collections: Names = None,
    updates_collections: Names = None,
    name: str | None = None,
) -> ValueAndUpdate:
    """Computes how often the label is among the k classes of the highest scores.

    Args:
        predictions: Scores, [..., num_classes]. A class whose score equals the k-th is among them.
        labels: Class indices, [...].
        k: How many classes count.
        weights: Non-negative, a scalar or of the rank of `labels` with each dimension 1 or equal.
        metrics_collections: Collections that the value is added to.
        updates_collections: Collections that the update is added to.
        name: Scope of the state, "accuracy_at_<k>" by default.

    Returns:
        The value and the update, float32 scalars; 0 while the weights sum to 0.

    Raises:
        InputError: `k` is less than 1.
        ShapeError: The shapes do not fit.
    """
    function, default = "streaming_top_k_accuracy", f"accuracy_at_{k}"
    with metric(function, name, default, metrics_collections, updates_collections) as m:
        return mean_of(m, [in_top_k(m, predictions, labels, k)], weights)


def streaming_recall_at_k(
    predictions: Any,
    labels: Any,
    k: int,
    weights: Any = None,
    metrics_collections: Names = None,
    updates_collections: Names = None,
    name: str | None = None,
) -> ValueAndUpdate:
    """Computes how often the one label of an example is among its k highest scores.

    The same as `streaming_top_k_accuracy`, under the original's name.

    Args:
        predictions: Scores, [batch, num_classes].
        labels: Class indices, [batch].
        k: How many classes count.
        weights: Non-negative, a scalar or [batch].
        metrics_collections: Collections that the value is added to.
        updates_collections: Collections that the update is added to.
        name: Scope of the state, "recall_at_<k>" by default.

    Returns:
        The value and the update, float32 scalars; 0 while the weights sum to 0.

    Raises:
        InputError: `k` is less than 1.
        ShapeError: The shapes do not fit.
    """
    function, default = "streaming_recall_at_k", f"recall_at_{k}"
    with metric(function, name, default, metrics_collections, updates_collections) as m:
        return mean_of(m, [in_top_k(m, predictions, labels, k)], weights)


def streaming_sparse_recall_at_k(
    predictions: Any,
    labels: Any,
    k: int,
    class_id: int | None = None,
    weights: Any = None,
    metrics_collections: Names = None,
    updates_collections: Names = None,
    name: str | None = None,
) -> ValueAndUpdate:
    """Computes the fraction of labels so far that are among the k highest scores of its example.

    Args:
        predictions: Scores, [..., num_classes].
        labels: Class indices, [..., num_labels], [...], or a `tf.SparseTensor` of the first shape.
            Each class counts once in an example; one out of range is a label that is not found.
        k: How many classes count.
        class_id: The one class to look at; all by default.
        weights: Non-negative, a scalar or of the rank of `predictions` less 1, with each dimension
            1 or equal.
        metrics_collections: Collections that the value is added to.
        updates_collections: Collections that the update is added to.
        name: Scope of the state, "recall_at_<k>" by default, or "recall_at_<k>_class<class_id>".

    Returns:
        The value and the update, float64 scalars; NaN while there is no label to find.

    Raises:
        InputError: `k` is less than 1.
        ShapeError: The shapes do not fit.
    """
    function, default = "streaming_sparse_recall_at_k", _scope("recall", k, class_id)
    with metric(function, name, default, metrics_collections, updates_collections) as m:
        return _recall(m, top_k(m, predictions, k), labels, class_id, weights)


def sparse_recall_at_top_k(
    labels: Any,
    top_k_predictions: Any,
    class_id: int | None = None,
    weights: Any = None,
    metrics_collections: Names = None,
    updates_collections: Names = None,
    name: str | None = None,
) -> ValueAndUpdate:
    """Computes the fraction of labels so far that are among the k classes chosen for its example.

    Args:
        labels: Class indices, as in `streaming_sparse_recall_at_k`.
        top_k_predictions: Class indices, [..., k].
        class_id: The one class to look at; all by default.
        weights: Non-negative, a scalar or of the rank of `top_k_predictions` less 1, with each
            dimension 1 or equal.
        metrics_collections: Collections that the value is added to.
        updates_collections: Collections that the update is added to.
        name: Scope of the state, "recall_at_k" by default, or "recall_at_k_class<class_id>".

    Returns:
        The value and the update, float64 scalars; NaN while there is no label to find.

    Raises:
        ShapeError: The shapes do not fit.
    """
    function, default = "sparse_recall_at_top_k", _scope("recall", "k", class_id)
    with metric(function, name, default, metrics_collections, updates_collections) as m:
        return _recall(m, tf.cast(top_k_predictions, tf.int64), labels, class_id, weights)


def streaming_sparse_precision_at_k(
    predictions: Any,
    labels: Any,
    k: int,
    class_id: int | None = None,
    weights: Any = None,
    metrics_collections: Names = None,
    updates_collections: Names = None,
    name: str | None = None,
) -> ValueAndUpdate:
    """Computes the fraction of each example's k highest scores so far that are its labels.

    Args:
        predictions: Scores, [..., num_classes].
        labels: Class indices, [..., num_labels], [...], or a `tf.SparseTensor` of the first shape.
            One out of range is left out.
        k: How many classes count.
        class_id: The one class to look at; all by default.
        weights: Non-negative, a scalar or of the rank of `predictions` less 1, with each dimension
            1 or equal.
        metrics_collections: Collections that the value is added to.
        updates_collections: Collections that the update is added to.
        name: Scope of the state, "precision_at_<k>" by default, or
            "precision_at_<k>_class<class_id>".

    Returns:
        The value and the update, float64 scalars; NaN while nothing is predicted.

    Raises:
        InputError: `k` is less than 1.
        ShapeError: The shapes do not fit.
    """
    function, default = "streaming_sparse_precision_at_k", _scope("precision", k, class_id)
    with metric(function, name, default, metrics_collections, updates_collections) as m:
        return _precision(m, top_k(m, predictions, k), labels, class_id, weights)


def streaming_sparse_precision_at_top_k(
    top_k_predictions: Any,
    labels: Any,
    class_id: int | None = None,
    weights: Any = None,
    metrics_collections: Names = None,
    updates_collections: Names = None,
    name: str | None = None,
) -> ValueAndUpdate:
    """Computes the fraction of the k classes chosen for each example that are its labels.

    Args:
        top_k_predictions: Class indices, [..., k].
        labels: Class indices, as in `streaming_sparse_precision_at_k`.
        class_id: The one class to look at; all by default.
        weights: Non-negative, a scalar or of the rank of `top_k_predictions` less 1, with each
            dimension 1 or equal.
        metrics_collections: Collections that the value is added to.
        updates_collections: Collections that the update is added to.
        name: Scope of the state, "precision_at_k" by default, or "precision_at_k_class<class_id>".

    Returns:
        The value and the update, float64 scalars; NaN while nothing is predicted.

    Raises:
        ShapeError: The shapes do not fit.
    """
    function, default = "streaming_sparse_precision_at_top_k", _scope("precision", "k", class_id)
    with metric(function, name, default, metrics_collections, updates_collections) as m:
        return _precision(m, tf.cast(top_k_predictions, tf.int64), labels, class_id, weights)


def streaming_sparse_average_precision_at_k(
    predictions: Any,
    labels: Any,
    k: int,
    weights: Any = None,
    metrics_collections: Names = None,
    updates_collections: Names = None,
    name: str | None = None,
) -> ValueAndUpdate:
    """Averages, over all examples so far, the average precision of their k highest scores.

    Of one example it is the sum, over each i from 1 to k whose class is a label, of the precision
    of the best i classes, divided by the smaller of k and the number of labels; 0 without labels.

    Args:
        predictions: Scores, [..., num_classes].
        labels: Class indices, [..., num_labels], [...], or a `tf.SparseTensor` of the first shape.
            One out of range is a label that is not found.
        k: How many classes count.
        weights: Non-negative, a scalar or of the rank of `predictions` less 1, with each dimension
            1 or equal.
        metrics_collections: Collections that the value is added to.
        updates_collections: Collections that the update is added to.
        name: Scope of the state, "average_precision_at_<k>" by default.

    Returns:
        The value and the update, float64 scalars from 0 to 1; 0 while the weights sum to 0.

    Raises:
        InputError: `k` is less than 1.
        ShapeError: The shapes do not fit.
    """
    function, default = "streaming_sparse_average_precision_at_k", f"average_precision_at_{k}"
    with metric(function, name, default, metrics_collections, updates_collections) as m:
        return _average_precision(m, top_k(m, predictions, k), labels, weights)


def streaming_sparse_average_precision_at_top_k(
    top_k_predictions: Any,
    labels: Any,
    weights: Any = None,
    metrics_collections: Names = None,
    updates_collections: Names = None,
    name: str | None = None,
) -> ValueAndUpdate:
    """Averages, over all examples so far, the average precision of the k classes chosen for it.

    Args:
        top_k_predictions: Class indices, [..., k], the best first.
        labels: Class indices, as in `streaming_sparse_average_precision_at_k`.
        weights: Non-negative, a scalar or of the rank of `top_k_predictions` less 1, with each
            dimension 1 or equal.
        metrics_collections: Collections that the value is added to.
        updates_collections: Collections that the update is added to.
        name: Scope of the state, "average_precision_at_top_k" by default.

    Returns:
        The value and the update, float64 scalars from 0 to 1; 0 while the weights sum to 0.

    Raises:
        ShapeError: The shapes do not fit.
    """
    function = "streaming_sparse_average_precision_at_top_k"
    default = "average_precision_at_top_k"
    with metric(function, name, default, metrics_collections, updates_collections) as m:
        return _average_precision(m, tf.cast(top_k_predictions, tf.int64), labels, weights)


def _scope(what: str, k: int | str, class_id: int | None) -> str:
    return f"{what}_at_{k}" if class_id is None else f"{what}_at_{k}_class{class_id}"


def _recall(
    m: Metric, chosen: tf.Tensor, labels: Any, class_id: int | None, weights: Any
) -> ValueAndUpdate:
    hit = hits(m, chosen, labels, class_id)
    found = tf.reduce_sum(hit.found, -1)
    sums = {"true_positive": found, "false_negative": hit.labels - found}
    return m.add_up(
        {name: weighted_sum(m, value, weights) for name, value in sums.items()},
        lambda s: s["true_positive"] / (s["true_positive"] + s["false_negative"]),
        dtype=tf.float64,
    )


def _precision(
    m: Metric, chosen: tf.Tensor, labels: Any, class_id: int | None, weights: Any
) -> ValueAndUpdate:
    hit = hits(m, chosen, labels, class_id)
    found = tf.reduce_sum(hit.found, -1)
    sums = {"true_positive": found, "false_positive": tf.reduce_sum(hit.chosen, -1) - found}
    return m.add_up(
        {name: weighted_sum(m, value, weights) for name, value in sums.items()},
        lambda s: s["true_positive"] / (s["true_positive"] + s["false_positive"]),
        dtype=tf.float64,
    )


def _average_precision(m: Metric, chosen: tf.Tensor, labels: Any, weights: Any) -> ValueAndUpdate:
    hit = hits(m, chosen, labels)
    k = tf.shape(chosen)[-1]
    precision = tf.cumsum(hit.found, -1) / tf.cast(tf.range(1, k + 1), tf.float64)
    most = tf.minimum(hit.labels, tf.cast(k, tf.float64))
    average = tf.math.divide_no_nan(tf.reduce_sum(precision * hit.found, -1), most)
    total, count = (weighted_sum(m, x, weights) for x in (average, tf.ones_like(average)))
    return m.add_up(
        {"total": total, "max": count}, lambda s: ratio(s["total"], s["max"]), dtype=tf.float64
    )
