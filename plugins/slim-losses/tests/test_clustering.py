"""`cluster_loss` beside the same algorithm in NumPy, with the scores of scikit-learn."""

import numpy as np
import pytest
import tensorflow as tf
from sklearn import metrics

import slimcore as slim
from slimcore.errors import InputError, ShapeError

metric_learning = slim.losses.metric_learning

SCORES = {
    "nmi": metrics.normalized_mutual_info_score,
    "ami": metrics.adjusted_mutual_info_score,
    "ari": metrics.adjusted_rand_score,
    "vmeasure": metrics.v_measure_score,
    "const": lambda labels, predictions: 0.0,
}
LABELS = np.array([0, 1, 0, 2, 1, 2, 0])


def embeddings(seed=0, n=7):
    return np.random.default_rng(seed).normal(size=(n, 2))


def distances(x):
    return np.sqrt(((x[:, None] - x) ** 2).sum(-1))


def assigned(d, medoids):
    result = d[medoids].argmin(0)
    result[medoids] = np.arange(len(medoids))
    return result


def gain(d, labels, medoids, margin, score):
    return margin * (1 - max(0.0, SCORES[score](labels, assigned(d, medoids))))


def energy(d, medoids):
    return -d[medoids].min(0).sum()


def chosen_one_by_one(d, labels, margin, score):
    medoids = []
    for _ in np.unique(labels):
        left = [i for i in range(len(d)) if i not in medoids]
        sets = [[*medoids, i] for i in left]
        values = [energy(d, s) + gain(d, labels, s, margin, score) for s in sets]
        medoids = sets[int(np.argmax(np.round(values, 9)))]
    return medoids


def improved(d, labels, margin, score, medoids):
    for _ in range(5):
        clusters = assigned(d, medoids)
        for k in np.unique(clusters):
            members = np.flatnonzero(clusters == k)
            sets = [[*medoids[:k], i, *medoids[k + 1 :]] for i in members]
            values = [
                gain(d, labels, s, margin, score) - d[i, members].sum()
                for i, s in zip(members, sets, strict=True)
            ]
            medoids = sets[int(np.argmax(np.round(values, 9)))]
    return medoids


def truth(labels, x, margin, finetuning, score):
    d = distances(x)
    medoids = chosen_one_by_one(d, labels, margin, score)
    if finetuning:
        medoids = improved(d, labels, margin, score, medoids)
    members = [np.flatnonzero(labels == k) for k in np.unique(labels)]
    labeled = -sum(d[np.ix_(m, m)].sum(1).min() for m in members)
    return max(0, energy(d, medoids) + gain(d, labels, medoids, margin, score) - labeled)


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("finetuning", [True, False])
def test_it_agrees_with_numpy_and_scikit_learn(score, finetuning):
    x = embeddings()
    result = slim.losses.cluster_loss(LABELS, x, 0.7, finetuning, score)
    np.testing.assert_allclose(result, truth(LABELS, x, 0.7, finetuning, score), rtol=1e-6)


def test_it_works_in_every_world(run):
    x = embeddings(1)
    result = run(lambda y, x: slim.losses.cluster_loss(y, x, 1.0), LABELS, x)
    np.testing.assert_allclose(result, truth(LABELS, x, 1.0, True, "nmi"), rtol=1e-6)


def test_its_gradient_agrees_with_finite_differences():
    loss = tf.function(lambda x: slim.losses.cluster_loss(LABELS, x, 1.0))
    (theory,), (numeric,) = tf.test.compute_gradient(loss, [tf.constant(embeddings(2))], delta=1e-5)
    np.testing.assert_allclose(theory, numeric, rtol=1e-5, atol=1e-8)
    assert np.any(theory)


def test_embeddings_grouped_as_labeled_cost_nothing(run_both):
    x = 9.0 * np.eye(3)[LABELS]
    assert run_both(lambda y, x: slim.losses.cluster_loss(y, x, 1.0), LABELS, x) == 0


def test_labels_all_alike_or_all_different_leave_no_other_clustering():
    for labels in (np.zeros(4, int), np.arange(4)):
        result = slim.losses.cluster_loss(labels, embeddings(3, 4), 1.0)
        np.testing.assert_allclose(result, 0, atol=1e-12)


def test_it_is_not_gathered():
    with slim.collecting():
        slim.losses.cluster_loss(LABELS, embeddings(), 1.0)
        assert slim.losses.get_losses() == []


def test_it_names_what_does_not_fit(run_both):
    with pytest.raises(ShapeError, match=r"cluster_loss .*labels of shape \(7,\) .*\(6, 2\)"):
        run_both(lambda y, x: slim.losses.cluster_loss(y, x, 1.0), LABELS, embeddings(n=6))
    with pytest.raises(InputError, match="no margin_type 'nmii'. Close: nmi.* All of them"):
        slim.losses.cluster_loss(LABELS, embeddings(), 1.0, margin_type="nmii")
    bad = (InputError, tf.errors.InvalidArgumentError)
    with slim.debug_checks(), pytest.raises(bad, match="cluster_loss: embeddings must be finite"):
        run_both(lambda y, x: slim.losses.cluster_loss(y, x, 1.0), LABELS, embeddings() * np.nan)


CLUSTERINGS = {
    "random": np.random.default_rng(0).integers(0, 4, (5, 12)),
    "all together": np.zeros([1, 12], int),
    "all apart": np.arange(12)[None],
    "numbers with gaps": np.array([[7, -3, 7, 100, 5, 5, 5, -3, 7, 7, 100, 5]]),
}


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("labels", CLUSTERINGS.values(), ids=list(CLUSTERINGS))
def test_scores_agree_with_scikit_learn(score, labels, run_both):
    predictions = np.concatenate(list(CLUSTERINGS.values()))
    result = run_both(
        lambda y, p: metric_learning.compute_clustering_score(y, p, score), labels[0], predictions
    )
    expected = [max(0.0, SCORES[score](labels[0], p)) for p in predictions]
    np.testing.assert_allclose(result, expected, atol=1e-6)


def test_the_best_member_of_a_cluster_becomes_its_medoid():
    x = np.array([[0.0], [1.0], [2.0], [9.0]])
    chosen = metric_learning.update_all_medoids(
        distances(x), np.array([0, 0, 0, 1]), np.array([0, 0, 0, 1]), np.array([0, 3]), 0.0, "nmi"
    )
    np.testing.assert_array_equal(chosen, [1, 3])
