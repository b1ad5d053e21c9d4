"""The task `classification`: one label an image."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import slim_metrics as metrics
import tensorflow as tf
from slim_learning import Task, require
from slim_losses import sparse_softmax_cross_entropy

from slim_classification._tables import print_table, share
from slimcore.errors import InputError
from slimcore.files import replacing
from slimcore.text import shown

# Weight of the loss of the second classifier that some networks have in training.
AUXILIARY_WEIGHT = 0.4


@dataclass(frozen=True)
class Classification(Task):
    """One of several classes for each image.

    Attributes:
        num_classes: Number of classes.
        labels: Their names; empty where they have none.
        labels_offset: What is subtracted from each label of the dataset, without whose first
            classes the task is learnt.
        label_smoothing: Share of a label that is spread over all classes, from 0 to 1.
    """

    num_classes: int
    labels: Sequence[str] = ()
    labels_offset: int = 0
    label_smoothing: float = 0.0

    best: ClassVar[Mapping[str, str]] = {"accuracy": "max", "loss": "min"}

    @classmethod
    def for_dataset(
        cls, dataset: Any, *, labels_offset: int = 0, label_smoothing: float = 0.0
    ) -> "Classification":
        """Makes the task for the classes of a dataset.

        Args:
            dataset: Has `num_classes` and perhaps `labels_to_names`, names by label.
            labels_offset: Which first classes to leave out.
            label_smoothing: Share of a label that is spread over all classes.

        Raises:
            InputError: The dataset does not tell its classes, or all are left out.
        """
        name, classes, names = classes_of(dataset)
        if labels_offset >= classes:
            raise InputError(
                f"--labels-offset {labels_offset} leaves none of the {classes} classes of {name}"
            )
        return cls(classes - labels_offset, names[labels_offset:], labels_offset, label_smoothing)

    @property
    def num_outputs(self) -> int:
        """One logit for each class."""
        return self.num_classes

    @property
    def prepare(self) -> Callable[[Mapping[str, Any]], Mapping[str, Any]] | None:
        """Subtracts the offset from the labels; None where there is none."""
        return self._without_offset if self.labels_offset else None

    def _without_offset(self, batch: Mapping[str, Any]) -> Mapping[str, Any]:
        # That the labels are among the dataset's classes, slim.data has checked.
        check = require(
            tf.reduce_all(batch["label"] >= self.labels_offset),
            f"the dataset has labels below --labels-offset {self.labels_offset}; leave these "
            "examples out, or lower it",
        )
        with tf.control_dependencies([check]):
            return {**batch, "label": batch["label"] - self.labels_offset}

    def loss(
        self, batch: Mapping[str, Any], outputs: tf.Tensor, end_points: Mapping[str, Any]
    ) -> tf.Tensor:
        """Returns the cross-entropy, with that of a second classifier where there is one."""
        labels, smoothing = batch["label"], self.label_smoothing
        loss = sparse_softmax_cross_entropy(outputs, labels, label_smoothing=smoothing)
        if "AuxLogits" in end_points:
            loss += sparse_softmax_cross_entropy(
                end_points["AuxLogits"],
                labels,
                weights=AUXILIARY_WEIGHT,
                label_smoothing=smoothing,
            )
        return loss

    def metrics(self, batch: Mapping[str, Any], outputs: tf.Tensor) -> Mapping[str, Any]:
        """Returns `accuracy`, `loss`, the cross-entropy alone, and `confusion`, labels as rows."""
        predicted, labels = tf.argmax(outputs, axis=-1), batch["label"]
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, outputs)
        return {
            "accuracy": metrics.streaming_accuracy(predicted, labels),
            "loss": metrics.streaming_mean(losses),
            "confusion": metrics.streaming_confusion_matrix(predicted, labels, self.num_classes),
        }

    def predict(self, outputs: tf.Tensor) -> dict[str, tf.Tensor]:
        """Returns logits and probabilities, float32 [batch, classes], and the likeliest class.

        That is `classes`, int64 [batch], and `labels`, string [batch], their names.
        """
        classes = tf.argmax(outputs, axis=-1)
        return {
            "logits": outputs,
            "probabilities": tf.nn.softmax(outputs),
            "classes": classes,
            "labels": tf.gather(tf.constant(self._names()), classes),
        }

    def describe(self, prediction: Mapping[str, np.ndarray], top: int) -> str:
        """Returns the likeliest classes with their probabilities."""
        probabilities, names = prediction["probabilities"], self._names()
        best = np.argsort(-probabilities)[:top]
        return "  ".join(f"{names[i]} {probabilities[i]:.1%}" for i in best)

    def report(self, results: Mapping[str, Any]) -> dict[str, Any]:
        """Returns accuracy, loss, examples, the numbers of each class, and the confusion matrix.

        Precision is None for a class that was never predicted, recall for one that never occurred.
        """
        confusion = np.asarray(results["confusion"])
        right, actual, predicted = confusion.diagonal(), confusion.sum(1), confusion.sum(0)
        classes = [
            {
                "class": name,
                "examples": int(actual[i]),
                "precision": float(right[i] / predicted[i]) if predicted[i] else None,
                "recall": float(right[i] / actual[i]) if actual[i] else None,
            }
            for i, name in enumerate(self._names())
        ]
        return {
            "accuracy": results["accuracy"],
            "loss": results["loss"],
            "examples": int(confusion.sum()),
            "classes": classes,
            "confusion": confusion.astype(int).tolist(),
        }

    def show(self, report: Mapping[str, Any]) -> None:
        """Prints precision and recall of each class, and the accuracy."""
        reports = [report, *([report["averaged"]] if "averaged" in report else [])]
        columns = [
            column + kind
            for kind in ("", " (averaged)")[: len(reports)]
            for column in ("precision", "recall")
        ]
        rows = []
        for of_class in zip(*(each["classes"] for each in reports), strict=True):
            shares = [share(row[column]) for row in of_class for column in ("precision", "recall")]
            rows.append([of_class[0]["class"], f"{of_class[0]['examples']:,}", *shares])
        print_table(["class", "examples", *columns], rows)
        beside = f", averaged weights {reports[1]['accuracy']:.4f}" if reports[1:] else ""
        print(
            f"accuracy {report['accuracy']:.4f}{beside} on {report['examples']:,} examples "
            f"({shown(report['split'])}), step {report['step']:,}"
        )

    def write(self, report: Mapping[str, Any], folder: str) -> list[str]:
        """Draws the confusion matrix in `confusion.png`."""
        path = os.path.join(folder, "confusion.png")
        with replacing(path) as beside:
            draw(np.array(report["confusion"]), [row["class"] for row in report["classes"]], beside)
        return [path]

    def _names(self) -> Sequence[str]:
        return self.labels or [str(i) for i in range(self.num_classes)]


def classes_of(dataset: Any) -> tuple[str, int, tuple[str, ...]]:
    """Returns the name of a dataset, its number of classes, and their names, if it has any.

    Raises:
        InputError: It does not tell how many there are.
    """
    name = str(getattr(dataset, "name", "given"))
    count = getattr(dataset, "num_classes", None)
    if not count:
        raise InputError(f"dataset {name} does not state its number of classes")
    names = getattr(dataset, "labels_to_names", None) or {}
    if not names:
        return name, int(count), ()
    return name, int(count), tuple(str(names.get(i, i)) for i in range(int(count)))


def draw(confusion: np.ndarray, names: Sequence[str], path: Path) -> None:
    """Draws a confusion matrix as a PNG.

    Args:
        confusion: Counts [classes, classes], labels as rows.
        names: Names of the classes, drawn as they are: nothing in them is markup.
        path: The file to write.
    """
    from matplotlib.figure import Figure

    count = len(names)
    side = min(4 + 0.35 * count, 30)
    figure = Figure(figsize=(side, side), layout="constrained")
    axes = figure.subplots()
    # Shares of each label's examples, so that rare classes are seen as well as frequent ones.
    shares = confusion / np.maximum(confusion.sum(1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set(xlabel="predicted", ylabel="label")
    if count <= 100:
        # A name between dollar signs would be taken for a formula.
        plain = [shown(name) for name in names]
        axes.set_xticks(range(count), plain, rotation=90, parse_math=False)
        axes.set_yticks(range(count), plain, parse_math=False)
    if count <= 30:
        for (row, column), number in np.ndenumerate(confusion):
            if number:
                colour = "white" if shares[row, column] > 0.5 else "black"
                axes.text(column, row, str(number), ha="center", va="center", color=colour)
    figure.savefig(path, format="png", dpi=100)
