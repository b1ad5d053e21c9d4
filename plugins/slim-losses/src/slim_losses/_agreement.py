"""How far two clusterings agree: mutual information and the Rand index, as in scikit-learn."""

from collections.abc import Callable

import tensorflow as tf

from slimcore.errors import InputError, close


def compute_clustering_score(
    labels: tf.Tensor, predictions: tf.Tensor, margin_type: str
) -> tf.Tensor:
    """Measures how far predicted clusters agree with the labels.

    Args:
        labels: Integer tensor [n].
        predictions: Integer tensor [..., n], one or more clusterings.
        margin_type: "nmi", normalized mutual information; "ami", adjusted mutual information;
            "ari", adjusted Rand index; "vmeasure", which equals "nmi"; "const" for 0.

    Returns:
        Float32 tensor [...], from 0 to 1: a score below chance counts as 0.

    Raises:
        InputError: `margin_type` has an unsupported value.
    """
    if margin_type not in _SCORES:
        raise InputError(
            f"compute_clustering_score has no margin_type {margin_type!r}"
            f"{close(margin_type, _SCORES)}. All of them: {', '.join(_SCORES)}"
        )
    labels, predictions = tf.convert_to_tensor(labels), tf.convert_to_tensor(predictions)
    known = tf.one_hot(_numbered(labels), _count(labels), dtype=tf.float64)
    found = tf.one_hot(_numbered(predictions), _count(predictions), dtype=tf.float64)
    # How many elements have label i and are in cluster j.
    table = tf.matmul(known, found, transpose_a=True)
    return tf.cast(tf.maximum(_SCORES[margin_type](table), 0), tf.float32)


def _numbered(values: tf.Tensor) -> tf.Tensor:
    return tf.reshape(tf.unique(tf.reshape(values, [-1])).idx, tf.shape(values))


def _count(values: tf.Tensor) -> tf.Tensor:
    return tf.size(tf.unique(tf.reshape(values, [-1])).y)


def _entropies(table: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Returns the entropies of the labels and of the clusters, and the mutual information."""
    joint = table / tf.reduce_sum(table, [-2, -1], keepdims=True)
    rows, columns = tf.reduce_sum(joint, -1), tf.reduce_sum(joint, -2)
    of_rows = -tf.reduce_sum(tf.math.xlogy(rows, rows), -1)
    of_columns = -tf.reduce_sum(tf.math.xlogy(columns, columns), -1)
    of_both = -tf.reduce_sum(tf.math.xlogy(joint, joint), [-2, -1])
    return of_rows, of_columns, of_rows + of_columns - of_both


def _normalized_mutual_information(table: tf.Tensor) -> tf.Tensor:
    of_rows, of_columns, mutual = _entropies(table)
    mean = (of_rows + of_columns) / 2
    # Two clusterings that put everything together agree.
    return tf.where(mean > 0, tf.math.divide_no_nan(mutual, mean), tf.ones_like(mean))


def _adjusted_mutual_information(table: tf.Tensor) -> tf.Tensor:
    of_rows, of_columns, mutual = _entropies(table)
    expected = _expected_mutual_information(table)
    mean = (of_rows + of_columns) / 2
    room = mean - expected
    # Where chance alone reaches the mean entropy, only equal clusterings are left.
    adjusted = tf.math.divide_no_nan(mutual - expected, room)
    return tf.where(tf.abs(room) > 1e-12, adjusted, tf.ones_like(mean))


def _expected_mutual_information(table: tf.Tensor) -> tf.Tensor:
    """Returns what two random clusterings of these sizes share, on average.

    Paper: Vinh et al., "Information Theoretic Measures for Clusterings Comparison", 2010, JMLR 11,
    equation 24a.
    """
    sizes = tf.reduce_sum(table, -2)
    flat = tf.reshape(table, tf.concat([[-1], tf.shape(table)[-2:]], 0))
    a = tf.reduce_sum(flat[0], -1)[:, tf.newaxis, tf.newaxis]  # the labels are always the same
    n = tf.reduce_sum(a)
    b = tf.range(n + 1)[:, tf.newaxis]  # every size that a cluster may have
    k = tf.range(1, n + 1)  # every number of elements that it may share with a label
    possible = (k <= a) & (k <= b) & (k >= a + b - n)

    def log_factorial(value: tf.Tensor) -> tf.Tensor:
        return tf.math.lgamma(tf.maximum(value, 0) + 1)

    log_probability = (
        log_factorial(a)
        + log_factorial(b)
        + log_factorial(n - a)
        + log_factorial(n - b)
        - log_factorial(n)
        - log_factorial(k)
        - log_factorial(a - k)
        - log_factorial(b - k)
        - log_factorial(n - a - b + k)
    )
    information = k / n * (tf.math.log(n * k) - tf.math.log(a) - tf.math.log(tf.maximum(b, 1)))
    terms = tf.where(possible, information * tf.exp(log_probability), tf.zeros_like(information))
    of_size = tf.reduce_sum(terms, [0, 2])
    return tf.reduce_sum(tf.gather(of_size, tf.cast(tf.round(sizes), tf.int32)), -1)


def _adjusted_rand_index(table: tf.Tensor) -> tf.Tensor:
    n = tf.reduce_sum(table, [-2, -1])
    squares = tf.reduce_sum(tf.square(table), [-2, -1])
    of_rows = tf.reduce_sum(tf.square(tf.reduce_sum(table, -1)), -1)
    of_columns = tf.reduce_sum(tf.square(tf.reduce_sum(table, -2)), -1)
    # Pairs together in both, in the labels only, in the clusters only, and in neither.
    both, first, second = squares - n, of_rows - squares, of_columns - squares
    neither = n * n - of_rows - of_columns + squares
    room = (both + first) * (first + neither) + (both + second) * (second + neither)
    index = 2 * tf.math.divide_no_nan(both * neither - first * second, room)
    return tf.where((first > 0) | (second > 0), index, tf.ones_like(index))


_SCORES: dict[str, Callable[[tf.Tensor], tf.Tensor]] = {
    "nmi": _normalized_mutual_information,
    "ami": _adjusted_mutual_information,
    "ari": _adjusted_rand_index,
    "vmeasure": _normalized_mutual_information,
    "const": lambda table: tf.zeros_like(table[..., 0, 0]),
}
