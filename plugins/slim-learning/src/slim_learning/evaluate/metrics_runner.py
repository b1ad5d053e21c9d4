"""Evaluation on functions: metrics over the batches of a dataset, each time from zero."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

import slimcore as slim
from slimcore.data_errors import BAD_DATA, explained
from slimcore.errors import DataError, InputError
from slimcore.module import MODULES

MetricFn = Callable[[Any], Any]


class MetricEvaluation:
    """The metrics that a function of a batch computes, with the state that they keep.

    Attributes:
        module: Holds the metrics' state.
    """

    def __init__(self, metric_fn: MetricFn) -> None:
        self.module = slim.Module(metric_fn)
        self._update = tf.function(self._updated, autograph=False)
        self._built = False

    @property
    def model_variables(self) -> dict[str, Any]:
        """The variables in use that a checkpoint keeps, by name; known once it is built."""
        modules = self.module.collections.get(MODULES)
        return {name: v for module in modules for name, v in module.named_variables.items()}

    def build(self, element_spec: Any) -> None:
        """Traces the function, which makes all variables, and runs nothing."""
        if not self._built:
            self._first_trace = self._update.get_concrete_function(element_spec)
            self._built = True

    def run(self, dataset: tf.data.Dataset, num_evals: int | None = None) -> dict[str, Any]:
        """Computes the metrics over a dataset.

        Args:
            dataset: Dataset of batches.
            num_evals: How many batches to take; None takes all.

        Returns:
            Numbers, or arrays where a metric has several, by name.

        Raises:
            DataError: There is no batch, or one cannot be read.
            InputError: The function computes no slim metric.
        """
        self.build(dataset.element_spec)
        self.module.reset_metrics()
        batches = 0
        for batch in _batches(dataset, num_evals):
            self._first_trace(batch)
            batches += 1
        if not batches:
            raise DataError("the dataset to evaluate on gave no batch: it is empty")
        values = slim.metrics.current_values(self.module)
        if not values:
            raise InputError(
                "the metric function computes no metric of slim.metrics; for instance: "
                'slim.metrics.aggregate_metric_map({"accuracy": slim.metrics.streaming_accuracy('
                "predictions, labels)})"
            )
        return {name: _plain(value) for name, value in values.items()}

    def _updated(self, batch: Any) -> None:
        self.module(batch)


def _batches(dataset: tf.data.Dataset, num_evals: int | None) -> Iterator[Any]:
    """Yields batches; raises what the dataset knows of one that cannot be read."""
    batches = iter(dataset if num_evals is None else dataset.take(num_evals))
    while True:
        try:
            batch = next(batches, None)
        except BAD_DATA as error:
            known = explained(dataset, error)
            if known is error:
                raise
            raise known from error
        if batch is None:
            return
        yield batch


def _plain(value: Any) -> Any:
    array = np.asarray(value)
    return array.item() if array.ndim == 0 else array
