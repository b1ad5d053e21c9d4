"""Moving averages of a layer's statistics, and when they move."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from contextvars import ContextVar
from typing import Any

import tensorflow as tf

from slim_layers._layer import ZEROS, Collections, Layer
from slimcore.collections import add_to_collections, in_graph
from slimcore.errors import InputError
from slimcore.variables import variable

_decay: ContextVar[float | None] = ContextVar("decay", default=None)


@contextlib.contextmanager
def moving_with(decay: float) -> Iterator[None]:
    """Lets the moving averages of layers called inside keep this part of themselves.

    It wins over the layers' own `decay`, wherever that is set. With 0 the averages become the
    statistics of the batch, which is how these are read to compute other averages of them.
    """
    token = _decay.set(decay)
    try:
        yield
    finally:
        _decay.reset(token)


def decay_in_force(decay: Any) -> Any:
    """Returns a layer's own decay, or the one that `moving_with` sets."""
    wanted = _decay.get()
    return decay if wanted is None else wanted


class MovingAverages:
    """The moving averages of one call of a layer, and the updates of that call.

    Attributes:
        training: Whether they move, a bool or a scalar bool tensor.
    """

    def __init__(
        self,
        layer: Layer,
        shape: Sequence[int],
        dtype: tf.DType,
        initializers: Mapping[str, Any],
        training: Any,
    ) -> None:
        self.training = training
        self._layer = layer
        self._shape = shape
        self._dtype = dtype
        self._initializers = initializers
        # Under a `tf.distribute` strategy each replica moves its own copy; evaluation and
        # checkpoints see the mean of the copies.
        self._options = {
            "dtype": dtype,
            "trainable": False,
            "synchronization": tf.VariableSynchronization.ON_READ,
            "aggregation": tf.VariableAggregation.MEAN,
        }
        self._updates: list[Any] = []
        # A batch of no examples, such as an empty replica's, has no statistics: nothing moves.
        size = layer.inputs.shape.num_elements()
        self._some = None if size else tf.size(layer.inputs) > 0

    def variable(self, name: str, initializer: Any) -> Any:
        """Returns the variable of an average.

        Raises:
            InputError: It is to move, and a constant is in its place.
        """
        made = self._layer.variable(
            name, self._shape, self._initializers.get(name, initializer), **self._options
        )
        if self.training is not False and isinstance(made, tf.Tensor):
            raise InputError(
                f"{self._layer}: {name} is a constant here, as in Module.frozen, and cannot move; "
                "call the network with is_training=False"
            )
        return made

    def unless_empty(self, average: Any, value: tf.Tensor) -> tf.Tensor:
        """Returns a value computed from the batch, and the average where the batch is empty."""
        if self._some is None or self.training is False:
            return value
        return tf.where(self._some, value, average)

    def moved(self, average: Any, value: tf.Tensor, decay: float) -> tf.Tensor:
        """Returns what becomes of an average that keeps `decay` of itself."""
        return average - (average - value) * self._rate(1.0 - decay)

    def move(self, average: Any, value: tf.Tensor, decay: float) -> None:
        """Moves an average towards a value: it keeps `decay` of itself."""
        self.move_by(average, (average - value) * self._rate(1.0 - decay))

    def move_by(self, average: Any, step: tf.Tensor) -> None:
        """Takes a step off an average; the steps of two uses add up."""
        self._updates.append(average.assign_sub(step, read_value=False))

    def move_from_zero(self, name: str, average: Any, value: tf.Tensor, decay: float) -> None:
        """Moves an average towards a value, and takes the weight of its first value, 0, out.

        Args:
            name: The average's name in the scope.
            average: The variable.
            value: What to move to.
            decay: The part of itself that it keeps.

        Paper: Kingma and Ba, "Adam", 2015, arXiv:1412.6980, section 3.
        """
        # The scope's name is in it twice, as in the original's checkpoints.
        prefix = f"{self._layer.scope.name}/{name}"
        biased = self._state(f"{prefix}/biased", self._shape)
        steps = self._state(f"{prefix}/local_step", [])
        moved = self.moved(biased, value, decay)
        counted = steps + self._rate(1.0)
        weight = 1.0 - tf.pow(tf.constant(decay, self._dtype), tf.maximum(counted, 1.0))
        unbiased = self.unless_empty(average, self.choose(moved / weight, average))
        with tf.control_dependencies([unbiased]):
            changes = ((biased, moved), (steps, counted), (average, unbiased))
            assigned = [changed.assign(to, read_value=False) for changed, to in changes]
        if in_graph():  # one update in the collection, as of any other average
            self._updates.append(tf.group(assigned))

    def set(self, variable: Any, value: tf.Tensor) -> None:
        """Gives a variable a value that already depends on `training`."""
        self._updates.append(variable.assign(value, read_value=False))

    def choose(self, in_training: Any, otherwise: Any) -> tf.Tensor:
        """Returns the one value in training and the other otherwise."""
        if isinstance(self.training, bool):
            return in_training if self.training else tf.convert_to_tensor(otherwise)
        return tf.where(self.training, in_training, otherwise)

    def apply(self, outputs: tf.Tensor, collections: Collections) -> tf.Tensor:
        """Returns the outputs, once it is settled how the averages move.

        Outside of a graph they have moved already. In a graph the updates join the collections,
        or, where there are none, happen before the outputs are there.
        """
        if not in_graph() or not self._updates:
            return outputs
        if collections is None:
            with tf.control_dependencies(self._updates):
                return tf.identity(outputs)
        for update in self._updates:
            add_to_collections(collections, update)
        return outputs

    def _rate(self, rate: float) -> Any:
        if isinstance(self.training, bool) and self._some is None:
            return rate
        moves = tf.constant(True) if self._some is None else self._some
        moves = tf.logical_and(moves, self.training)
        return tf.where(moves, tf.constant(rate, self._dtype), tf.zeros([], self._dtype))

    def _state(self, name: str, shape: Sequence[int]) -> Any:
        return variable(name, shape=shape, initializer=ZEROS, **self._options)
