"""The values of scikit-learn, on random examples."""

import numpy as np
import pytest
import sklearn.metrics as sk

import slimcore as slim

DRAW = np.random.default_rng(3)
SCORES = np.round(DRAW.random(300), 2).astype(np.float32)
POSITIVE = DRAW.random(300) < SCORES
CLASSES, GUESSES = DRAW.integers(0, 5, 300), DRAW.integers(0, 5, 300)
GUESSES = np.where(DRAW.random(300) < 0.5, CLASSES, GUESSES)
LOGITS = DRAW.random([300, 5]).astype(np.float32)
X = DRAW.normal(size=300).astype(np.float32)
Y = (X + DRAW.normal(size=300)).astype(np.float32)
WEIGHTS = DRAW.random(300).astype(np.float32)

PAIRS = {
    "accuracy": ("streaming_accuracy", (GUESSES, CLASSES), sk.accuracy_score),
    "precision": ("precision", (SCORES > 0.5, POSITIVE), sk.precision_score),
    "recall": ("recall", (SCORES > 0.5, POSITIVE), sk.recall_score),
    "area under ROC": ("streaming_dynamic_auc", (POSITIVE, SCORES), sk.roc_auc_score),
    "its interval": ("auc_with_confidence_intervals", (POSITIVE, SCORES), sk.roc_auc_score),
    "confusion matrix": ("streaming_confusion_matrix", (GUESSES, CLASSES, 5), sk.confusion_matrix),
    "mean IoU": (
        "streaming_mean_iou",
        (GUESSES, CLASSES, 5),
        sk.jaccard_score,
        {"average": "macro"},
    ),
    "kappa": ("cohen_kappa", (CLASSES, GUESSES, 5), sk.cohen_kappa_score),
    **{
        f"{average} F1": (
            "streaming_f1_score",
            (GUESSES, CLASSES, 5, average),
            sk.f1_score,
            {"average": average},
        )
        for average in ("macro", "weighted", "micro")
    },
    "top 2": ("streaming_top_k_accuracy", (LOGITS, CLASSES, 2), sk.top_k_accuracy_score, {"k": 2}),
    "MAE": ("streaming_mean_absolute_error", (X, Y), sk.mean_absolute_error),
    "MSE": ("streaming_mean_squared_error", (X, Y), sk.mean_squared_error),
}
LABELS_FIRST = ("streaming_dynamic_auc", "auc_with_confidence_intervals", "cohen_kappa")


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["unweighted", "weighted"])
@pytest.mark.parametrize("name", PAIRS)
def test_a_metric_equals_that_of_scikit_learn(name, weights):
    metric, args, theirs, *options = PAIRS[name]
    module = slim.Module(getattr(slim.metrics, metric))
    value, _ = module(*args, weights=weights)
    labels, guesses = args[:2] if metric in LABELS_FIRST else args[1::-1]
    expected = theirs(labels, guesses, sample_weight=weights, **(options[0] if options else {}))
    value = value.auc if name == "its interval" else value
    np.testing.assert_allclose(value, expected, rtol=1e-5)


def test_the_area_of_200_thresholds_is_near_the_exact_one():
    value, _ = slim.Module(slim.metrics.streaming_auc)(SCORES, POSITIVE)
    assert float(value) == pytest.approx(sk.roc_auc_score(POSITIVE, SCORES), abs=1e-3)
