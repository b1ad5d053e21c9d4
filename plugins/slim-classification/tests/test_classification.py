"""The task `classification`, beside scikit-learn and formulas, and with names of any kind."""

import json

import numpy as np
import pytest
import sklearn.metrics as truth
import tensorflow as tf
from slim_classification import Classification

import slimcore as slim
from slimcore.errors import InputError

NAMES = ["$\\frac$", "[/x]", "[red]x[/red]", "\x1b[2J", "a\nb", "$x_1$", "caf\u00e9", "%d{}"]


def batches(count=3, size=20, classes=4, seed=0):
    """Returns logits and labels of some batches."""
    random = np.random.RandomState(seed)
    return [
        (random.randn(size, classes).astype("f"), random.randint(classes, size=size))
        for _ in range(count)
    ]


def evaluated(task, data, item="label"):
    """Returns the report over batches of outputs and labels."""
    module = slim.Module(
        lambda outputs, labels: slim.metrics.aggregate_metric_map(
            task.metrics({item: labels}, outputs)
        )
    )
    for outputs, labels in data:
        module(tf.constant(outputs), tf.constant(labels))
    values = slim.metrics.current_values(module)
    return task.report({name: value.numpy() for name, value in values.items()})


def test_a_report_is_that_of_scikit_learn():
    data = batches()
    report = evaluated(Classification(4, ["a", "b", "c", "d"]), data)
    logits, labels = (np.concatenate(each) for each in zip(*data, strict=True))
    found = logits.argmax(1)
    assert report["accuracy"] == pytest.approx(truth.accuracy_score(labels, found))
    exponentials = np.exp(logits.astype("d"))
    shares = exponentials / exponentials.sum(1, keepdims=True)
    assert report["loss"] == pytest.approx(truth.log_loss(labels, shares), rel=1e-5)
    assert report["confusion"] == truth.confusion_matrix(labels, found).tolist()
    assert report["examples"] == 60
    precision, recall, _, count = truth.precision_recall_fscore_support(labels, found)
    for i, row in enumerate(report["classes"]):
        assert row == {
            "class": "abcd"[i],
            "examples": count[i],
            "precision": pytest.approx(precision[i]),
            "recall": pytest.approx(recall[i]),
        }


def test_a_class_that_never_occurs_has_no_share():
    report = evaluated(Classification(3), [(np.eye(3, dtype="f")[[0, 0]], np.array([0, 1]))])
    assert [row["precision"] for row in report["classes"]] == [0.5, None, None]
    assert [row["recall"] for row in report["classes"]] == [1.0, 0.0, None]


def test_the_loss_is_the_smoothed_cross_entropy_with_that_of_a_second_classifier():
    ((logits, labels),) = batches(1)
    task = Classification(4, label_smoothing=0.2)
    with slim.collecting():
        loss = task.loss({"label": labels}, tf.constant(logits), {})
        both = task.loss({"label": labels}, tf.constant(logits), {"AuxLogits": tf.constant(logits)})
    smooth = np.eye(4)[labels] * 0.8 + 0.2 / 4
    log_shares = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    expected = -(smooth * log_shares).sum(1).mean()
    assert float(loss) == pytest.approx(expected, rel=1e-5)
    assert float(both) == pytest.approx(1.4 * expected, rel=1e-5)


def test_a_task_is_the_same_after_its_way_through_json():
    task = Classification.for_dataset(
        slim.data.get_dataset("digits"), labels_offset=2, label_smoothing=0.1
    )
    assert (task.num_outputs, list(task.labels)) == (8, list("23456789"))
    again = Classification(**json.loads(json.dumps(task.config())))
    assert again.config() == json.loads(json.dumps(task.config()))


@pytest.mark.parametrize("classes", [None, 0])
def test_a_dataset_that_does_not_tell_its_classes_is_refused(classes):
    dataset = type("Dataset", (), {"name": "odd", "num_classes": classes})
    with pytest.raises(InputError, match="dataset odd does not state its number of classes"):
        Classification.for_dataset(dataset)


def test_names_of_classes_are_drawn_and_printed_as_they_are(tmp_path, capsys):
    count = len(NAMES)
    task = Classification(count, NAMES)
    logits = tf.eye(count)
    report = {**evaluated(task, [(logits, np.arange(count))]), "split": "test", "step": 1}
    (path,) = task.write(report, str(tmp_path))
    assert tf.io.decode_png(tf.io.read_file(path)).shape[0] > 100
    task.show(report)
    said = capsys.readouterr().out
    for name in ("$\\frac$", "[/x]", "[red]x[/red]", "\\x1b[2J", "a\\nb", "caf\u00e9", "%d{}"):
        assert name in said
    assert "\x1b" not in said
    prediction = {name: value[1].numpy() for name, value in task.predict(logits).items()}
    assert task.describe(prediction, 1).startswith("[/x] ")
    assert prediction["labels"] == b"[/x]"


def test_a_confusion_matrix_of_many_classes_is_drawn_without_names(tmp_path):
    from slim_classification._classification import draw

    draw(np.eye(101), [str(i) for i in range(101)], tmp_path / "confusion.png")
    assert (tmp_path / "confusion.png").read_bytes().startswith(b"\x89PNG")
