"""Moving averages of weights, under the names that `tf.train.ExponentialMovingAverage` gives."""

import contextlib
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import tensorflow as tf

from slimcore.errors import InputError

SUFFIX = "/ExponentialMovingAverage"


@contextlib.contextmanager
def swapped_in(averages: Mapping[str, Any], variables: Mapping[str, Any]) -> Iterator[None]:
    """Puts averages in the place of weights, which come back when the block ends.

    Args:
        averages: Variables or arrays, by the name of the weights or by that of the average.
        variables: The weights, by name; those without an average stay as they are.
    """
    chosen = {name.removesuffix(SUFFIX): average for name, average in averages.items()}
    before = {name: variables[name].numpy() for name in chosen}
    try:
        for name, average in chosen.items():
            variables[name].assign(average)
        yield
    finally:
        for name, value in before.items():
            variables[name].assign(value)


class MovingAverages:
    """Keeps an exponential moving average beside each trained variable.

    After each update `average = decay * average + (1 - decay) * variable`, with the decay limited
    to `(1 + step) / (10 + step)`, so that the first values are soon forgotten.
    """

    def __init__(self, decay: float) -> None:
        """Keeps the decay, between 0 and 1; no variable is made yet.

        Raises:
            InputError: The decay is not between 0 and 1.
        """
        if not 0 < decay < 1:
            raise InputError(
                f"moving_average_decay is {decay}, and must be between 0 and 1, such as 0.999"
            )
        self._decay = decay
        self._averages: dict[str, Any] = {}
        self._trained: dict[str, Any] = {}

    @property
    def named_variables(self) -> dict[str, Any]:
        """The averages, by their names in a checkpoint."""
        return {name + SUFFIX: v for name, v in self._averages.items()}

    def build(self, trained: Mapping[str, Any]) -> None:
        """Makes the averages of these variables, which begin at their present values."""
        self._trained = dict(trained)
        with tf.init_scope(), tf.compat.v1.name_scope(None):
            for name, v in self._trained.items():
                if name not in self._averages:
                    self._averages[name] = tf.Variable(
                        tf.convert_to_tensor(v),
                        trainable=False,
                        name=name + SUFFIX,
                        aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
                    )

    def begin(self, but: Collection[str] = ()) -> None:
        """Sets the averages to the present values of the variables.

        Args:
            but: Names, in a checkpoint, of those that stay as they are.
        """
        for name, average in self._averages.items():
            if name + SUFFIX not in but:
                average.assign(self._trained[name])

    def update(self, step: Any, strategy: tf.distribute.Strategy) -> None:
        """Moves each average towards its variable.

        Args:
            step: Integer scalar, the number of updates before this one.
            strategy: The strategy whose replicas hold the variables.
        """
        step = tf.cast(step, tf.float32)
        rest = 1 - tf.minimum(tf.constant(self._decay, tf.float32), (1 + step) / (10 + step))

        def move(average: Any, v: Any, rest: tf.Tensor) -> None:
            average.assign_sub((average - v) * tf.cast(rest, average.dtype))

        for name, average in self._averages.items():
            strategy.extended.update(average, move, args=(self._trained[name], rest))
