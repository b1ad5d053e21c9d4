"""`slim.Module`: a slim function with the variables that it makes."""

import contextlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from typing import Any

import tensorflow as tf

import slimcore.checkpoints as checkpoints
from slimcore.collections import REGULARIZATION_LOSSES, Collections, collecting, in_graph, innermost
from slimcore.errors import CheckpointError, NoModuleError

GraphKeys = tf.compat.v1.GraphKeys
MODULES = "slim_modules"
"""The collection of the modules called, which tells a training step whose variables to keep."""

_innermost: ContextVar["Module | None"] = ContextVar("module", default=None)


class Module(tf.Module):
    """Turns a slim function into an object that keeps its variables.

        model = slim.Module(slim.nets.lenet, num_classes=10)
        logits, end_points = model(images, is_training=True)

    The first call makes the variables, later calls find them again by name. It can be called in
    eager mode, in a `tf.function`, and in the replicas of a `tf.distribute` strategy; inside the
    function, `tf.compat.v1.variable_scope` and `get_variable` work as they do in a graph. Names
    are those of a graph (`LeNet/conv1/weights`), without the module's own.

    In a `tf.Graph` the graph keeps the variables and the collections, and the second call reuses
    the variables of the first.
    """

    def __init__(self, fn: Callable[..., Any], name: str | None = None, **defaults: Any) -> None:
        """Keeps the function; no variable is made yet.

        Args:
            fn: A function of tensors, built from slim layers.
            name: A name for the object alone. Variables do not carry it.
            **defaults: Arguments of `fn` for every call that does not give them.
        """
        super().__init__(re.sub(r"\W", "_", name) if name else None)
        self._fn = fn
        self._defaults = defaults
        self._store: dict[str, tf.Variable] = {}
        self._own = _Own()

    @tf.autograph.experimental.do_not_convert
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Calls the function with this module's variables, and returns what it returns.

        In a `tf.function` the function is traced as it is written, as in a graph: conditions on
        tensors need `tf.cond`.
        """
        with self._entered():
            return self._fn(*args, **{**self._defaults, **kwargs})

    @contextlib.contextmanager
    def _entered(self) -> Iterator[None]:
        getter = None if in_graph() else self._get_variable
        token = _innermost.set(self)
        try:
            # Entering the current scope again leaves its name as it is, and puts the counts that
            # make default names (Conv, Conv_1) back on leaving, so that each call starts afresh.
            with (
                collecting() as gathered,
                tf.compat.v1.variable_scope(
                    tf.compat.v1.get_variable_scope(),
                    custom_getter=getter,
                    reuse=tf.compat.v1.AUTO_REUSE,
                    auxiliary_name_scope=False,
                ),
            ):
                self._own.last_call = gathered
                gathered.add(MODULES, self)
                yield
        finally:
            _innermost.reset(token)

    def _get_variable(
        self,
        getter: Callable[..., Any],
        name: str,
        shape: Any = None,
        dtype: Any = tf.float32,
        initializer: Any = None,
        regularizer: Callable[[Any], tf.Tensor] | None = None,
        reuse: Any = None,
        trainable: bool | None = None,
        collections: Sequence[str] | None = None,
        constraint: Callable[[Any], Any] | None = None,
        synchronization: Any = tf.VariableSynchronization.AUTO,
        aggregation: Any = tf.VariableAggregation.NONE,
        **in_graphs_only: Any,
    ) -> tf.Variable:
        """Finds a variable or makes it; `variable_scope` calls this in place of its own store."""
        del getter, in_graphs_only
        variable = self._store.get(name)
        if variable is None:
            if reuse is True:
                raise ValueError(
                    f"variable {name} does not exist, and reuse=True forbids to make it; leave "
                    "reuse out for the first use"
                )
            if trainable is None:
                trainable = synchronization != tf.VariableSynchronization.ON_READ
            dtype = tf.as_dtype(dtype or tf.float32)
            initial = _initial_value(initializer, shape, dtype)
            # Out of any tf.function: the variable outlives the trace that asks for it.
            with tf.init_scope():
                variable = tf.Variable(
                    initial,
                    trainable=trainable,
                    name=name,
                    dtype=dtype,
                    constraint=constraint,
                    synchronization=synchronization,
                    aggregation=aggregation,
                )
            self._store[name] = variable
            self._own.initial_values[name] = initial
            self._own.add(variable, name, collections or [GraphKeys.GLOBAL_VARIABLES])
            if trainable:
                self._own.add(variable, name, [GraphKeys.TRAINABLE_VARIABLES])
            if regularizer is not None:
                self._own.regularizers[name] = regularizer
        elif shape is not None and not variable.shape.is_compatible_with(shape):
            raise ValueError(
                f"variable {name} has shape {variable.shape} and is asked for as "
                f"{tf.TensorShape(shape)}; give the two uses different scopes"
            )
        self._gather_penalty(name, variable)
        return variable

    def _gather_penalty(self, name: str, variable: tf.Variable) -> None:
        penalty, gathered = self._own.regularizers.get(name), innermost()
        if penalty is not None and gathered is not None:
            gathered.add_penalty(variable, lambda: penalty(variable), name)

    # What it holds.

    def get_collection(self, collection: str, scope: str | None = None) -> list[tf.Variable]:
        """Returns the variables of a collection whose names begin with the pattern `scope`."""
        named = self._own.collections.get(collection, [])
        return [variable for name, variable in named if not scope or re.match(scope, name)]

    def add_to_collection(self, collection: str, variable: tf.Variable) -> None:
        """Adds a variable of this module to one more collection."""
        name = next((n for n, v in self._store.items() if v is variable), variable.name)
        self._own.add(variable, name, [collection])

    @property
    def variables(self) -> tuple[tf.Variable, ...]:
        """All variables, in the order in which they were made."""
        return tuple(self._store.values())

    @property
    def trainable_variables(self) -> tuple[tf.Variable, ...]:
        """The variables to train, in the order in which they were made."""
        return tuple(v for v in self._store.values() if v.trainable)

    @property
    def named_variables(self) -> dict[str, tf.Variable]:
        """The variables that a checkpoint keeps, by name."""
        keep = {id(v) for v in self.get_collection(GraphKeys.GLOBAL_VARIABLES)}
        return {name: v for name, v in self._store.items() if id(v) in keep}

    @property
    def collections(self) -> Collections:
        """What the last call gathered. Of a call in a `tf.function`, valid in that function."""
        return self._own.last_call

    @property
    def losses(self) -> list[tf.Tensor]:
        """The losses that the last call gathered."""
        return self.collections.get(GraphKeys.LOSSES)

    @property
    def regularization_losses(self) -> list[tf.Tensor]:
        """The regularization losses of the variables that the last call used."""
        return self.collections.get(REGULARIZATION_LOSSES)

    def reset_metrics(self) -> None:
        """Puts the local variables, in which metrics keep their state, back to the start."""
        local = {id(v) for v in self.get_collection(GraphKeys.LOCAL_VARIABLES)}
        for name, variable in self._store.items():
            if id(variable) in local:
                variable.assign(self._own.initial_values[name]())

    # Checkpoints.

    def save(self, path: str) -> str:
        """Writes the variables to a name-based checkpoint; see `checkpoints.save`."""
        self._check_called("save")
        return checkpoints.save(path, self.named_variables)

    def restore(
        self,
        path: str,
        include: Sequence[str] | None = None,
        exclude: Sequence[str] | None = None,
        rename: Mapping[str, str] | Callable[[str], str] | None = None,
        ignore_missing: bool = False,
    ) -> checkpoints.Plan:
        """Reads variables from a checkpoint, by name.

        Args:
            path: The checkpoint's prefix, or a folder, for the newest in it.
            include: Scopes to restore; all by default.
            exclude: Scopes to leave as they are.
            rename: From a variable's name to its name in the checkpoint: a dict of prefixes, or a
                function.
            ignore_missing: Whether variables that the checkpoint lacks stay as they are.

        Returns:
            The plan that was carried out.

        Raises:
            CheckpointError: The checkpoint cannot be read, or does not fit; nothing is changed.
        """
        self._check_called("restore")
        variables = self.named_variables
        plan = checkpoints.plan(path, variables, include, exclude, rename, ignore_missing)
        plan.assign(variables)
        return plan

    def _check_called(self, verb: str) -> None:
        if not self._store:
            raise CheckpointError(
                f"cannot {verb} {self.name}: it has no variables before its first call. Call it "
                "once, for instance on tf.zeros of the input's shape"
            )


class _Own:
    """What a Module knows of its variables, out of sight of TensorFlow's attribute tracking."""

    def __init__(self) -> None:
        self.collections: dict[str, list[tuple[str, tf.Variable]]] = {}
        self.regularizers: dict[str, Callable[[Any], tf.Tensor]] = {}
        self.initial_values: dict[str, Callable[[], tf.Tensor]] = {}
        self.last_call = Collections()

    def add(self, variable: tf.Variable, name: str, collections: Sequence[str]) -> None:
        for collection in dict.fromkeys(collections):
            members = self.collections.setdefault(collection, [])
            if not any(v is variable for _, v in members):
                members.append((name, variable))


def _initial_value(initializer: Any, shape: Any, dtype: tf.DType) -> Callable[[], tf.Tensor]:
    """Returns a function that makes the first value, as `get_variable` would."""
    if initializer is None:
        v1 = tf.compat.v1
        floating = dtype.is_floating or dtype.is_complex
        initializer = v1.glorot_uniform_initializer() if floating else v1.zeros_initializer()
    if isinstance(initializer, type):
        initializer = initializer()
    if not callable(initializer):
        return lambda: tf.cast(initializer, dtype)
    if shape is None:
        return lambda: tf.cast(initializer(), dtype)
    static = tf.TensorShape(shape)
    if not static.is_fully_defined():
        raise ValueError(f"a variable needs a fully defined shape, and this one is {static}")
    return lambda: initializer(static.as_list(), dtype=dtype)


def current_module(what: str = "this") -> "Module | None":
    """Returns the innermost module being called, or None in a graph, which needs none.

    Args:
        what: What needs it, for the error: "conv2d (scope Conv)".

    Raises:
        NoModuleError: Neither a graph nor a module is there.
    """
    if in_graph():
        return None
    module = _innermost.get()
    if module is None:
        raise NoModuleError(
            f"{what} makes variables, and outside of a graph those belong to a slim.Module. Put "
            "the calls into a function of their inputs, and wrap it: "
            "model = slim.Module(function); outputs = model(inputs)"
        )
    return module
