import contextlib

import numpy as np
import pytest
import scipy.special
import tensorflow as tf

import slimcore as slim
from slimcore.errors import InputError, ShapeError

metric_learning = slim.losses.metric_learning

CLASSES = 4
SETS = [[0, 1], [1], [2, 3], [0], [2], [1, 3]]
ROWS = np.array([[c in s for c in range(CLASSES)] for s in SETS], float)


def sparse(rows, two_dimensional=False):
    rows = [row[None] if two_dimensional else row for row in np.asarray(rows, np.float32)]
    return [tf.sparse.from_dense(row) for row in rows]


def pairs(seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(6, 3)), rng.normal(size=(6, 3))


def multilabel_truth(rows, anchor, positive):
    shared = rows @ rows.T
    targets = shared / shared.sum(1, keepdims=True)
    entropy = -(targets * scipy.special.log_softmax(anchor @ positive.T, 1)).sum(1).mean()
    return entropy + 0.002 / 4 * ((anchor**2).sum(1) + (positive**2).sum(1)).mean()


@pytest.mark.parametrize("two_dimensional", [False, True])
def test_npairs_shares_targets_by_the_labels_in_common(two_dimensional, run):
    anchor, positive = pairs()
    result = run(
        lambda a, p: slim.losses.npairs_loss_multilabel(sparse(ROWS, two_dimensional), a, p),
        anchor,
        positive,
    )
    np.testing.assert_allclose(result, multilabel_truth(ROWS, anchor, positive), rtol=1e-6)


def test_npairs_multilabel_with_one_label_each_is_npairs():
    anchor, positive = pairs()
    labels = np.array([0, 1, 0, 2, 1, 2])
    np.testing.assert_allclose(
        slim.losses.npairs_loss_multilabel(sparse(np.eye(4)[labels]), anchor, positive),
        slim.losses.npairs_loss(labels, anchor, positive),
        rtol=1e-6,
    )


def test_npairs_multilabel_has_the_gradient_of_finite_differences():
    anchor, positive = map(tf.constant, pairs())
    labels = sparse(ROWS)
    theory, numeric = tf.test.compute_gradient(
        lambda a, p: slim.losses.npairs_loss_multilabel(labels, a, p),
        [anchor, positive],
        delta=1e-5,
    )
    for one, other in zip(theory, numeric, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-8)


def test_npairs_multilabel_names_what_does_not_fit():
    anchor, positive = pairs()
    with pytest.raises(ShapeError, match=r"npairs_loss_multilabel .*labels of shape \(5,\)"):
        slim.losses.npairs_loss_multilabel(sparse(ROWS[:5]), anchor, positive)
    with pytest.raises(ShapeError, match=r"\(6, 3\), and got \(6, 2\)"):
        slim.losses.npairs_loss_multilabel(sparse(ROWS), anchor, positive[:, :2])
    labels = [*sparse(ROWS[:5]), *sparse([[1, 0, 0]])]
    with pytest.raises(ShapeError, match="one number of classes, and got 3, 4"):
        slim.losses.npairs_loss_multilabel(labels, anchor, positive)
    with pytest.raises(InputError, match="needs sparse_labels, and got None"):
        slim.losses.npairs_loss_multilabel(None, anchor, positive)
    with slim.debug_checks(), pytest.raises(InputError, match="embeddings_anchor must be finite"):
        slim.losses.npairs_loss_multilabel(sparse(ROWS), anchor * np.nan, positive)


@pytest.mark.parametrize("world", ["eager", "graph"])
def test_print_losses_prints_both_terms(world, capfd):
    anchor, positive = pairs()
    labels = np.arange(6)
    if world == "eager":
        slim.losses.npairs_loss(labels, anchor, positive, print_losses=True)
    else:
        with tf.Graph().as_default(), tf.compat.v1.Session() as session:
            session.run(slim.losses.npairs_loss(labels, anchor, positive, print_losses=True))
    assert "cross entropy: " in (printed := capfd.readouterr().err)
    assert "l2loss: " in printed


@pytest.mark.parametrize("name", ["triplet_semihard_loss", "lifted_struct_loss"])
@pytest.mark.parametrize("labels", [np.zeros(4, int), np.arange(4), np.array([0, 0, 1, 1])])
def test_equal_embeddings_and_missing_pairs_give_finite_gradients(name, labels):
    for embeddings in (tf.zeros([4, 2]), tf.random.stateless_normal([4, 2], [1, 2])):
        with tf.GradientTape() as tape:
            tape.watch(embeddings)
            value = getattr(slim.losses, name)(labels, embeddings)
        assert np.isfinite(value)
        assert np.all(np.isfinite(tape.gradient(value, embeddings)))


def test_equal_embeddings_give_a_finite_contrastive_gradient():
    embeddings = tf.ones([2, 3])
    with tf.GradientTape() as tape:
        tape.watch(embeddings)
        value = slim.losses.contrastive_loss([0, 1], embeddings, tf.ones([2, 3]))
    assert np.all(np.isfinite(tape.gradient(value, embeddings)))


def test_semihard_takes_the_nearest_unlike_beyond_the_like_else_the_furthest():
    # On a line: the anchor 0 and its like 2; unlike at 1, 3 and 4. Beyond 2 the nearest is 3. Seen
    # from 2, at a distance of 2 and more: nothing lies beyond but 4 at 2, which is not further.
    embeddings = tf.constant([[0.0], [2.0], [1.0], [3.0], [4.0]])
    labels = tf.constant([0, 0, 1, 2, 3])
    expected = np.mean([max(0, 1 + 4 - 9), 1 + 4 - 4])
    np.testing.assert_allclose(
        slim.losses.triplet_semihard_loss(labels, embeddings), expected, rtol=1e-6
    )


def test_labels_may_have_a_dimension_of_one_more():
    embeddings, _ = pairs()
    labels = np.array([0, 1, 0, 2, 1, 2])
    np.testing.assert_array_equal(
        slim.losses.triplet_semihard_loss(labels[:, None], embeddings),
        slim.losses.triplet_semihard_loss(labels, embeddings),
    )


@pytest.mark.parametrize("world", ["eager", "graph"])
def test_masked_extremes_fall_back_on_all_where_nothing_counts(world):
    data, mask = [[1.0, 5.0, 3.0], [2.0, -1.0, -4.0]], [[1.0, 0.0, 1.0], [0.0, 0.0, 0.0]]
    with tf.Graph().as_default() if world == "graph" else contextlib.nullcontext():
        highest = metric_learning.masked_maximum(tf.constant(data), tf.constant(mask))
        lowest = metric_learning.masked_minimum(tf.constant(data), tf.constant(mask), dim=0)
        if world == "graph":
            with tf.compat.v1.Session() as session:
                highest, lowest = session.run([highest, lowest])
    np.testing.assert_array_equal(highest, [[3.0], [-4.0]])
    np.testing.assert_array_equal(lowest, [[1.0, 5.0, 3.0]])


def test_the_namespace_has_what_it_says_and_the_losses_are_those_of_slim_losses():
    assert all(hasattr(metric_learning, name) for name in metric_learning.__all__)
    assert slim.losses.triplet_semihard_loss is metric_learning.triplet_semihard_loss
