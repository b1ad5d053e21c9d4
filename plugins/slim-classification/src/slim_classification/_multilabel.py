"""The task `multilabel`: any number of labels an image."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import slim_metrics as metrics
import tensorflow as tf
from slim_learning import Task, require
from slim_losses import sigmoid_cross_entropy

from slim_classification._average_precision import average_precision, counts_at
from slim_classification._classification import classes_of
from slim_classification._tables import print_table, share
from slimcore.errors import InputError
from slimcore.text import shown


@dataclass(frozen=True)
class Multilabel(Task):
    """Each class for itself: it applies to an image, or does not.

    The item of the labels is either a vector [num_classes] of 0 and 1, or a `tf.SparseTensor` or
    `tf.RaggedTensor` of the numbers of the classes that apply.

    Attributes:
        num_classes: Number of classes.
        labels: Their names; empty where they have none.
        threshold: A class is predicted where its probability is above it, from 0 to 1.
        item: The item of an example that holds the labels.
        label_smoothing: How far labels are moved from 0 and 1 to 0.5, from 0 to 1.
    """

    num_classes: int
    labels: Sequence[str] = ()
    threshold: float = 0.5
    item: str = "label"
    label_smoothing: float = 0.0

    best: ClassVar[Mapping[str, str]] = {
        "mean_average_precision": "max",
        "f1": "max",
        "macro_f1": "max",
        "loss": "min",
    }

    @classmethod
    def for_dataset(
        cls,
        dataset: Any,
        *,
        threshold: float = 0.5,
        item: str = "label",
        label_smoothing: float = 0.0,
    ) -> "Multilabel":
        """Makes the task for the classes of a dataset; the options are the attributes above.

        Raises:
            InputError: The dataset does not tell its classes, or the threshold is out of range.
        """
        if not 0 < threshold < 1:
            raise InputError(f"the task option threshold is {threshold}; give one between 0 and 1")
        _, classes, names = classes_of(dataset)
        return cls(classes, names, threshold, item, label_smoothing)

    @property
    def items(self) -> Sequence[str]:
        """The item with the labels."""
        return (self.item,)

    @property
    def prepare(self) -> Callable[[Mapping[str, Any]], Mapping[str, Any]]:
        """Turns the labels into float32 [batch, num_classes] of 0 and 1."""
        return lambda batch: {**batch, self.item: self._vectors(batch[self.item])}

    @property
    def num_outputs(self) -> int:
        """One logit for each class."""
        return self.num_classes

    def loss(
        self, batch: Mapping[str, Any], outputs: tf.Tensor, end_points: Mapping[str, Any]
    ) -> tf.Tensor:
        """Returns the mean of the sigmoid cross-entropies of all classes."""
        labels = batch[self.item]
        return sigmoid_cross_entropy(outputs, labels, label_smoothing=self.label_smoothing)

    def metrics(self, batch: Mapping[str, Any], outputs: tf.Tensor) -> Mapping[str, Any]:
        """Returns the loss, the average precision of each class, and counts at the threshold."""
        labels = batch[self.item]
        losses = tf.nn.sigmoid_cross_entropy_with_logits(labels=labels, logits=outputs)
        return {
            "loss": metrics.streaming_mean(losses),
            "average_precision": average_precision(outputs, labels),
            "counts": counts_at(self.threshold, outputs, labels),
            "examples": metrics.count(outputs[:, 0]),
        }

    def predict(self, outputs: tf.Tensor) -> dict[str, tf.Tensor]:
        """Returns logits and probabilities, float32, and `predicted`, bool, [batch, classes]."""
        probabilities = tf.sigmoid(outputs)
        predicted = probabilities > self.threshold
        return {"logits": outputs, "probabilities": probabilities, "predicted": predicted}

    def describe(self, prediction: Mapping[str, np.ndarray], top: int) -> str:
        """Returns the classes that are predicted, likeliest first, with their probabilities."""
        probabilities, names = prediction["probabilities"], self._names()
        best = [i for i in np.argsort(-probabilities)[:top] if prediction["predicted"][i]]
        return "  ".join(f"{names[i]} {probabilities[i]:.1%}" for i in best) or "none"

    def report(self, results: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the means over classes, F1 of all decisions together, and each class's numbers.

        A class without a positive label has no average precision and no recall, and is left out of
        the mean average precision.
        """
        true, false, missed = np.asarray(results["counts"])
        precisions = np.asarray(results["average_precision"])
        f1 = 2 * true / np.maximum(2 * true + false + missed, 1)
        known = precisions[~np.isnan(precisions)]
        classes = [
            {
                "class": name,
                "positives": int(true[i] + missed[i]),
                "average_precision": None if np.isnan(precisions[i]) else float(precisions[i]),
                "precision": float(true[i] / (true[i] + false[i])) if true[i] + false[i] else None,
                "recall": float(true[i] / (true[i] + missed[i])) if true[i] + missed[i] else None,
                "f1": float(f1[i]),
            }
            for i, name in enumerate(self._names())
        ]
        total = 2 * true.sum() + false.sum() + missed.sum()
        return {
            "mean_average_precision": float(known.mean()) if known.size else float("nan"),
            "f1": float(2 * true.sum() / total) if total else 0.0,
            "macro_f1": float(f1.mean()),
            "loss": float(results["loss"]),
            "threshold": self.threshold,
            "examples": int(results["examples"]),
            "classes": classes,
        }

    def show(self, report: Mapping[str, Any]) -> None:
        """Prints the numbers of each class, and the means."""
        for title, each in (("", report), ("averaged weights: ", report.get("averaged"))):
            if not each:
                continue
            shares = ("average_precision", "precision", "recall", "f1")
            print_table(
                ["class", "positives", "average precision", "precision", "recall", "F1"],
                [
                    [row["class"], f"{row['positives']:,}", *(share(row[name]) for name in shares)]
                    for row in each["classes"]
                ],
            )
            print(
                f"{title}mean average precision {each['mean_average_precision']:.4f}, F1 "
                f"{each['f1']:.4f} at {each['threshold']:g} on {each['examples']:,} examples "
                f"({shown(report['split'])}), step {report['step']:,}"
            )

    def _names(self) -> Sequence[str]:
        return self.labels or [str(i) for i in range(self.num_classes)]

    def _vectors(self, labels: Any) -> tf.Tensor:
        if isinstance(labels, tf.RaggedTensor):
            labels = labels.to_sparse()
        if isinstance(labels, tf.SparseTensor):
            numbers = tf.cast(labels.values, tf.int32)
            check = require(
                tf.reduce_all((numbers >= 0) & (numbers < self.num_classes)),
                f"a number in the item {self.item!r} is not one of the classes, 0 to "
                f"{self.num_classes - 1}; mend the labels",
            )
            with tf.control_dependencies([check]):
                rows = tf.stack([tf.cast(labels.indices[:, 0], tf.int32), numbers], 1)
            shape = [labels.dense_shape[0], self.num_classes]
            ones = tf.ones_like(numbers, tf.float32)
            summed = tf.scatter_nd(rows, ones, tf.cast(shape, tf.int32))
            return tf.ensure_shape(tf.minimum(summed, 1.0), [None, self.num_classes])
        if labels.shape.rank != 2 or labels.shape[-1] not in (None, self.num_classes):
            raise InputError(
                f"item {self.item!r} has the shape {labels.shape[1:]} for one example, and task "
                f"multilabel takes a vector of {self.num_classes} zeros and ones, or the numbers "
                "of classes as a sparse tensor; name another with --task-option item=NAME"
            )
        return tf.ensure_shape(tf.cast(labels, tf.float32), [None, self.num_classes])
