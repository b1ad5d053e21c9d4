"""The state of a metric: sums that grow with each batch, in a graph and in a `slim.Module`.

A metric here is two functions: from a batch to increments, and from the sums of all increments to
the value. Since the state is nothing but sums, the states of several replicas add up.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
import tensorflow as tf

from slimcore.collections import Collections, add_to_collections, in_graph, innermost
from slimcore.debugging import checked
from slimcore.errors import InputError, ShapeError
from slimcore.module import current_module
from slimcore.variables import unused_name

GraphKeys = tf.compat.v1.GraphKeys

# In this collection of a call of a Module: the values to read.
_VALUES = "metric_values"

Names = str | list[str] | tuple[str, ...] | None
Sums = Mapping[str, tf.Tensor]
ValueAndUpdate = tuple[Any, Any]


@dataclass(frozen=True)
class CurrentValue:
    """What one metric returned, and how to compute it again from its state."""

    name: str
    returned: Any
    read: Callable[[], Any]
    mapped: bool = False  # whether the name is from `aggregate_metric_map`


@dataclass(frozen=True)
class Refused:
    """Inputs that a metric cannot count. Its state keeps how many there were.

    Finding them costs an update little, since it sorts every input into some cell anyway; reading
    the value raises if there were any.

    Attributes:
        among: The name of the sum that they are in.
        number: Takes that sum, and returns how many there are, each counted by its weight.
        message: What they are, what is allowed, and what to do.
    """

    among: str
    number: Callable[[tf.Tensor], tf.Tensor]
    message: str


@dataclass(frozen=True)
class Metric:
    """One metric while it is built: its scope, and where its results are gathered.

    Attributes:
        function: The public function, for errors.
        scope: The variable scope of its state.
        metrics_collections: Collections that the value is added to.
        updates_collections: Collections that the update is added to.
    """

    function: str
    scope: str
    metrics_collections: Names
    updates_collections: Names

    def __str__(self) -> str:
        return f"{self.function} (scope {self.scope})"

    @property
    def count_dtype(self) -> tf.DType:
        """The type of a count: one that holds it, or in a graph the original's, float32."""
        return tf.float32 if in_graph() else tf.float64

    def refuse_shape(self, what: str, shape: Any, allowed: str) -> NoReturn:
        """Raises a ShapeError: what has which shape, and what is allowed."""
        raise ShapeError(f"{self} {allowed}; the shape of {what} is {shape}")

    def add_up(
        self,
        increments: Mapping[str, tf.Tensor],
        value_of: Callable[[Sums], Any],
        update_of: Callable[[Sums], Any] | None = None,
        dtype: tf.DType = tf.float32,
        collections: Names = None,
        refused: Refused | None = None,
    ) -> ValueAndUpdate:
        """Adds one batch to the state, and returns the value and the update.

        Sums are kept in float64, in which counts are exact up to 2^53; float32 stops at 2^24.

        Args:
            increments: What the batch adds, by name of the sum; of known shapes.
            value_of: Computes the value from the sums, and from nothing else that is a tensor.
            update_of: In a graph, what the update returns instead of the value.
            dtype: Type of the value.
            collections: More collections for the state.
            refused: Inputs that leave no value to read. The update in a graph passes them by.
        """
        state = {
            name: sum_variable(name, value.shape, collections=collections)
            for name, value in increments.items()
        }

        def grow() -> Sums:
            # In a graph the input may end within a batch, which then adds to no sum: neither
            # to a count, which is known beforehand, nor to anything else.
            whole_batch = list(increments.values()) if in_graph() else []
            with tf.control_dependencies(whole_batch):
                grown = {
                    name: state[name].assign_add(tf.cast(value, tf.float64))
                    for name, value in increments.items()
                }
            return grown if in_graph() else read()

        def read() -> Sums:
            # `value` is one op where `read_value` is two.
            return {name: var.value() for name, var in state.items()}

        def value_if_right(sums: Sums) -> Any:
            if refused is None:
                return value_of(sums)
            among = sums[refused.among]
            number = refused.number(among)
            data = [f"{self} has no value: {refused.message} They number", number, "by weight."]
            right = checked(among, tf.equal(number, 0), data)
            if not in_graph():
                return value_of(sums)
            with tf.control_dependencies([right]):
                return value_of({name: tf.identity(value) for name, value in sums.items()})

        def value_if_read(sums: Sums) -> Any:
            # The update in a graph is not the place to read the value.
            return value_of(sums) if in_graph() else value_if_right(sums)

        return self.deliver(grow, lambda: value_if_right(read()), value_if_read, update_of, dtype)

    def deliver(
        self,
        grow: Callable[[], Any],
        read: Callable[[], Any],
        value_of: Callable[[Any], Any],
        update_of: Callable[[Any], Any] | None = None,
        dtype: tf.DType | None = None,
    ) -> ValueAndUpdate:
        """Returns the value and the update, and adds them to the collections.

        Args:
            grow: Takes the batch into the state, and returns the state after it.
            read: Returns the value of the present state.
            value_of: Returns the value of what `grow` returned.
            update_of: In a graph, what the update returns instead of the value.
            dtype: Type of the value; as computed by default.
        """
        if in_graph():
            value = _finished(read(), dtype, "value")
            if update_of is None:
                update = _finished(value_of(grow()), dtype, "update_op")
            else:
                update = _finished(update_of(grow()), None, "update_op")
        else:

            def read_again() -> Any:
                return _finished(read(), dtype)

            try:
                value = update = _finished(value_of(grow()), dtype)
            except InputError:  # which reading the value again raises again
                gather_value(CurrentValue(self.scope, None, read_again))
                raise
            gather_value(CurrentValue(self.scope, value, read_again))
        add_to_collections(self.metrics_collections, value)
        add_to_collections(self.updates_collections, update)
        return value, update


@contextlib.contextmanager
def metric(
    function: str,
    name: str | None,
    default_name: str,
    metrics_collections: Names = None,
    updates_collections: Names = None,
) -> Iterator[Metric]:
    """Opens the scope of a metric."""
    with tf.compat.v1.variable_scope(name, default_name) as scope:
        yield Metric(function, scope.name, metrics_collections, updates_collections)


def sum_variable(
    name: str, shape: Any, dtype: tf.DType = tf.float64, collections: Names = None
) -> tf.Variable:
    """Returns a local variable that starts at zero and adds up over replicas."""
    zeros = np.zeros(tf.TensorShape(shape), dtype.as_numpy_dtype)
    return local_variable(name, zeros, tf.VariableAggregation.SUM, collections=collections)


def local_variable(
    name: str,
    initial: Any,
    aggregation: tf.VariableAggregation,
    validate_shape: bool = True,
    collections: Names = None,
) -> tf.Variable:
    """Returns a variable of which each replica has its own, and which no checkpoint keeps.

    Args:
        name: Its name within the scope.
        initial: NumPy array that it starts with.
        aggregation: What a read outside of the replicas returns.
        validate_shape: Whether it keeps the shape that it starts with.
        collections: Collections to add it to, besides those of local and metric variables.
    """
    more = [collections] if isinstance(collections, str) else collections or ()
    kind = {
        "trainable": False,
        "collections": [GraphKeys.LOCAL_VARIABLES, GraphKeys.METRIC_VARIABLES, *more],
        "validate_shape": validate_shape,
        "use_resource": True,
        "synchronization": tf.VariableSynchronization.ON_READ,
        "aggregation": aggregation,
    }
    if in_graph() and tf.compat.v1.get_variable_scope().reuse is not tf.compat.v1.AUTO_REUSE:
        # In a graph each call is a metric of its own, under `reuse=True` or in a scope that is
        # entered again, too.
        return tf.compat.v1.Variable(lambda: tf.constant(initial), name=name, **kind)
    current_module(f"variable {name!r} (scope {tf.compat.v1.get_variable_scope().name!r})")
    return tf.compat.v1.get_variable(unused_name(name), initializer=initial, **kind)


def ratio(numerator: tf.Tensor, denominator: tf.Tensor) -> tf.Tensor:
    """Returns the quotient, and 0 where the denominator is 0."""
    return tf.math.divide_no_nan(numerator, denominator)


def _finished(value: Any, dtype: tf.DType | None, name: str | None = None) -> Any:
    """Returns the tensor, or each tensor of the structure, in a type and under a name."""

    def finished(tensor: tf.Tensor) -> tf.Tensor:
        if dtype is not None and tensor.dtype != dtype:
            return tf.cast(tensor, dtype, name)
        return tf.identity(tensor, name) if name else tensor

    return tf.nest.map_structure(finished, value)


def gathered_values(collections: Collections | None) -> list[CurrentValue]:
    """Returns what the metrics of one call of a Module returned so far."""
    return [] if collections is None else collections.get(_VALUES)


def gather_value(current: CurrentValue) -> None:
    """Adds a value to those of this call of the Module."""
    gathered = innermost()
    if gathered is not None:
        gathered.add(_VALUES, current)
