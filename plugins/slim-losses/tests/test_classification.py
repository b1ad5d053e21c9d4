import numpy as np
import pytest
import scipy.special
import tensorflow as tf

import slimcore as slim
from slimcore.errors import InputError

LOGITS = np.array([[1.0, -2.0, 0.5], [0.0, 3.0, 1.0]])
LABELS = np.array([2, 0])
ONE_HOT = np.eye(3)[LABELS]


def smooth(s):
    return ONE_HOT * (1 - s) + s / 3


@pytest.mark.parametrize("s", [0.0, 0.1, 1.0])
def test_smoothing_shares_a_part_of_the_target_among_all_classes(s, run_both):
    truth = -(smooth(s) * scipy.special.log_softmax(LOGITS, 1)).sum(1).mean()
    dense = run_both(
        lambda x, y: slim.losses.softmax_cross_entropy(x, y, label_smoothing=s), LOGITS, ONE_HOT
    )
    sparse = run_both(
        lambda x, y: slim.losses.sparse_softmax_cross_entropy(x, y, label_smoothing=s),
        LOGITS,
        LABELS,
    )
    np.testing.assert_allclose([dense, sparse], truth)


def test_sparse_smoothing_has_the_gradient_of_the_dense_form():
    def gradient(loss, labels):
        logits = tf.constant(LOGITS)
        with tf.GradientTape() as tape:
            tape.watch(logits)
            value = loss(logits, labels, label_smoothing=0.2)
        return tape.gradient(value, logits)

    np.testing.assert_allclose(
        gradient(slim.losses.sparse_softmax_cross_entropy, LABELS),
        gradient(slim.losses.softmax_cross_entropy, ONE_HOT),
        rtol=1e-12,
    )


def test_sigmoid_smoothing_draws_labels_to_one_half():
    smoothed = slim.losses.sigmoid_cross_entropy(LOGITS, ONE_HOT, label_smoothing=0.2)
    by_hand = slim.losses.sigmoid_cross_entropy(LOGITS, ONE_HOT * 0.8 + 0.1)
    np.testing.assert_allclose(smoothed, by_hand)


@pytest.mark.parametrize(
    "name,labels",
    [
        ("softmax_cross_entropy", ONE_HOT),
        ("sparse_softmax_cross_entropy", LABELS),
        ("sigmoid_cross_entropy", ONE_HOT),
    ],
)
def test_smoothing_out_of_range_is_named(name, labels):
    with pytest.raises(InputError, match=f"{name} .*label_smoothing from 0 to 1, and got 1.5"):
        getattr(slim.losses, name)(LOGITS, labels, label_smoothing=1.5)


def test_sparse_labels_must_be_integers():
    with pytest.raises(InputError, match="integer labels, and got float64.* one-hot"):
        slim.losses.sparse_softmax_cross_entropy(LOGITS, ONE_HOT[:, 0])


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int32, np.int64])
def test_sparse_labels_may_be_any_integers(dtype):
    value = slim.losses.sparse_softmax_cross_entropy(LOGITS, LABELS.astype(dtype))
    np.testing.assert_allclose(value, slim.losses.softmax_cross_entropy(LOGITS, ONE_HOT))


def test_no_gradient_flows_into_one_hot_labels():
    labels = tf.constant(ONE_HOT)
    with tf.GradientTape() as tape:
        tape.watch(labels)
        value = slim.losses.softmax_cross_entropy(LOGITS, labels)
    assert tape.gradient(value, labels) is None


def test_debug_checks_name_the_range_of_sparse_labels():
    with (
        slim.debug_checks(),
        pytest.raises(InputError, match="labels must lie in 0 to 2 and range from -1 to 7"),
    ):
        slim.losses.sparse_softmax_cross_entropy(np.zeros([2, 3]), np.array([-1, 7]))


@pytest.mark.parametrize("gamma", [0.5, 2.0, 5.0])
def test_focal_loss_has_a_finite_gradient_where_all_is_certain(gamma):
    logits = tf.constant([-1e4, -30.0, 0.0, 30.0, 1e4])
    for label in (0.0, 1.0):
        with tf.GradientTape() as tape:
            tape.watch(logits)
            value = slim.losses.focal_loss(logits, tf.fill([5], label), gamma=gamma)
        assert np.all(np.isfinite(tape.gradient(value, logits)))


def test_focal_loss_without_focus_or_balance_is_the_sigmoid_entropy():
    np.testing.assert_allclose(
        slim.losses.focal_loss(LOGITS, ONE_HOT, alpha=None, gamma=0.0),
        slim.losses.sigmoid_cross_entropy(LOGITS, ONE_HOT),
    )
