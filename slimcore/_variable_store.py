"""The variables of one `slim.Module`: made on first use, found again by name."""

import re
import threading
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from typing import Any

import tensorflow as tf

from slimcore.collections import innermost
from slimcore.errors import InputError, ShapeError

GraphKeys = tf.compat.v1.GraphKeys

# One for all stores: the first value of a variable may need one of another store, and two threads
# that take two locks in turn could wait for each other.
_lock = threading.RLock()


class VariableStore:
    """Variables by name, with their collections, regularizers and first values."""

    def __init__(self, variables: MutableMapping[str, tf.Variable]) -> None:
        """Keeps the variables in a dict of the caller's, which TensorFlow may track."""
        self._variables = variables
        self._collections: dict[str, dict[str, tf.Variable]] = {}
        self._regularizers: dict[str, Callable[[Any], tf.Tensor]] = {}
        self._initial_values: dict[str, Callable[[], tf.Tensor]] = {}

    @property
    def variables(self) -> Mapping[str, tf.Variable]:
        """All variables, by name, in the order in which they were made."""
        return self._variables

    def find(self, name: str) -> tf.Variable | None:
        """Returns the variable of this name, if there is one."""
        return self._variables.get(name)

    def name_of(self, variable: Any) -> str:
        """Returns the name of a variable here, or its own if it was made elsewhere."""
        own = str(variable.name).partition(":")[0]
        if self._variables.get(own) is variable:
            return own
        with _lock:
            return next((name for name, v in self._variables.items() if v is variable), own)

    def get(
        self,
        name: str,
        shape: Any = None,
        dtype: Any = None,
        initializer: Any = None,
        regularizer: Callable[[Any], tf.Tensor] | None = None,
        reuse: Any = None,
        trainable: bool | None = None,
        collections: Sequence[str] | None = None,
        validate_shape: bool = True,
        constraint: Callable[[Any], Any] | None = None,
        synchronization: Any = tf.VariableSynchronization.AUTO,
        aggregation: Any = tf.VariableAggregation.NONE,
        **in_graphs_only: Any,
    ) -> tf.Variable:
        """Finds a variable or makes it; the arguments are those of `get_variable`.

        Raises:
            InputError: It does not exist, and `reuse=True` forbids creating it; or its first value
                is not known yet.
            ShapeError: It exists with another shape, or its shape is not fully defined.
        """
        del in_graphs_only
        with _lock:
            variable = self.find(name)
            if variable is None:
                if reuse is True:
                    raise InputError(
                        f"variable {name} does not exist, and reuse=True forbids creating it; "
                        "leave reuse out for the first use"
                    )
                if trainable is None:
                    trainable = synchronization != tf.VariableSynchronization.ON_READ
                initial, dtype = _initial_value(name, initializer, shape, dtype)
                # Out of any tf.function: the variable outlives the trace that asks for it. And out
                # of the name scope, which would come before the name, whose scopes it has already.
                with tf.init_scope(), tf.compat.v1.name_scope(None):
                    variable = tf.Variable(
                        initial,
                        trainable=trainable,
                        name=name,
                        dtype=dtype,
                        shape=None if validate_shape else tf.TensorShape(None),
                        constraint=constraint,
                        synchronization=synchronization,
                        aggregation=aggregation,
                    )
                self._variables[name] = variable
                self._initial_values[name] = initial
                if regularizer is not None:
                    self._regularizers[name] = regularizer
                self.add_to_collections(collections or [GraphKeys.GLOBAL_VARIABLES], variable)
                if trainable:
                    self.add_to_collections([GraphKeys.TRAINABLE_VARIABLES], variable)
        if shape is not None and not variable.shape.is_compatible_with(shape):
            raise ShapeError.of_two_uses(name, variable.shape, tf.TensorShape(shape))
        self._gather_penalty(name, variable)
        return variable

    def _gather_penalty(self, name: str, variable: tf.Variable) -> None:
        penalty, gathered = self._regularizers.get(name), innermost()
        if penalty is not None and gathered is not None:
            gathered.add_penalty(variable, lambda: penalty(variable), name)

    def add_to_collections(self, collections: Sequence[str], variable: tf.Variable) -> None:
        """Adds a variable to collections, to each once."""
        name = self.name_of(variable)
        with _lock:
            for collection in collections:
                self._collections.setdefault(collection, {}).setdefault(name, variable)

    def get_collection(self, collection: str, scope: str | None = None) -> dict[str, tf.Variable]:
        """Returns the variables of a collection, by name, that begin with the pattern `scope`."""
        with _lock:
            named = dict(self._collections.get(collection, {}))
        return {name: v for name, v in named.items() if not scope or re.match(scope, name)}

    def reset(self, collection: str) -> None:
        """Puts the variables of a collection back to their first values."""
        for name, variable in self.get_collection(collection).items():
            if name in self._initial_values:
                variable.assign(self._initial_values[name]())


def _initial_value(
    name: str, initializer: Any, shape: Any, dtype: Any
) -> tuple[Callable[[], tf.Tensor], tf.DType | None]:
    """Returns a function that makes the first value, and its type, as `get_variable` would."""
    if initializer is not None and not callable(initializer):
        # A value brings its own type. In a tf.function it must be known while tracing.
        value = tf.get_static_value(initializer) if tf.is_tensor(initializer) else initializer
        if value is None:
            raise InputError(
                f"variable {name} cannot begin with {initializer!r}, whose value is not known yet; "
                "give an array, or a function that makes it"
            )
        return lambda: tf.convert_to_tensor(value), None
    if initializer is not None and shape is None:
        return lambda: tf.cast(initializer(), dtype) if dtype else initializer(), dtype
    dtype = tf.as_dtype(dtype or tf.float32)
    if initializer is None:
        v1 = tf.compat.v1
        floating = dtype.is_floating or dtype.is_complex
        initializer = v1.glorot_uniform_initializer() if floating else v1.zeros_initializer()
    elif isinstance(initializer, type):
        initializer = initializer()
    static = tf.TensorShape(shape)
    if not static.is_fully_defined():
        raise ShapeError(f"variable {name} needs a fully defined shape, and this one is {static}")
    return lambda: initializer(static.as_list(), dtype=dtype), dtype
