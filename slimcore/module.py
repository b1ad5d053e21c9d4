"""`slim.Module`: a slim function with the variables that it makes."""

import asyncio
import contextlib
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from typing import Any
from weakref import WeakKeyDictionary

import tensorflow as tf

import slimcore.checkpoints as checkpoints
import slimcore.precisions as precisions
from slimcore._variable_store import VariableStore
from slimcore.collections import (
    REGULARIZATION_LOSSES,
    Collections,
    collecting,
    discarding,
    in_graph,
)
from slimcore.errors import CheckpointError, InputError, NoModuleError, ScopeError

GraphKeys = tf.compat.v1.GraphKeys
MODULES = "slim_modules"
"""The collection of the modules called, which tells a training step whose variables to keep."""

_NO_KERNEL = 2**24  # elements, from which weights are a matrix; overfeat's conv5 has 0.9e7

_innermost: ContextVar["Module | None"] = ContextVar("module", default=None)


class Module(tf.Module):
    """Turns a slim function into an object that keeps its variables.

        model = slim.Module(slim.nets.lenet, num_classes=10)
        logits, end_points = model(images, is_training=True)

    The first call makes the variables, later calls find them again by name. It can be called in
    eager mode, in a `tf.function`, and in the replicas of a `tf.distribute` strategy; inside the
    function, `tf.compat.v1.variable_scope` and `get_variable` work as they do in a graph. Names
    are those of a graph (`LeNet/conv1/weights`), without the module's own.

    Two layers of one call have different scopes, or share their variables by `reuse=True` or
    `tf.compat.v1.AUTO_REUSE`; otherwise a ScopeError is raised. In eager mode TensorFlow does not
    tell which, so the function is traced once more when a call has used a variable twice.

    In a `tf.Graph` the graph keeps the variables and the collections, and the second call reuses
    the variables of the first.
    """

    def __init__(
        self,
        fn: Callable[..., Any],
        name: str | None = None,
        precision: str | None = None,
        **defaults: Any,
    ) -> None:
        """Keeps the function; no variable is made yet.

        Args:
            fn: A function of tensors, built from slim layers.
            name: A name for the object alone. Variables do not carry it.
            precision: The number type in which layers compute, as `slim.precision` takes it; by
                default that in force where the module is called. What a call returns is float32.
            **defaults: Arguments of `fn` for every call that does not give them.
        """
        super().__init__(re.sub(r"\W", "_", name) if name else None)
        self._precision = precisions.check(precision) if precision is not None else None
        self._fn = fn
        self._defaults = defaults
        # An attribute of its own, for TensorFlow to track: a SavedModel needs that.
        self._variables: dict[str, tf.Variable] = {}
        self.store = VariableStore(self._variables)
        self._last_calls = _LastCalls()
        self._sharing_is_said = False

    @tf.autograph.experimental.do_not_convert
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Calls the function with this module's variables, and returns what it returns.

        In a `tf.function` the function is traced as it is written, as in a graph: conditions on
        tensors need `tf.cond`.
        """
        getter = get_from_graph if in_graph() else self._get_variable
        return self._called(getter, args, kwargs)

    @tf.autograph.experimental.do_not_convert
    def frozen(self, *args: Any, **kwargs: Any) -> Any:
        """Calls the function with the variables' present values as constants, for inference.

            predict = tf.function(lambda images: model.frozen(images, is_training=False)[0])

        In a `tf.function`, values are captured when it is traced; later training or restoring has
        no effect on it. On a CPU, convolutions pre-pack constant weights once instead of on every
        call, which matters for small batches: `benchmarks/networks.py`. The first call takes
        seconds longer. A SavedModel of the function holds no variables, and up to
        2 GiB of constants.

        Args:
            *args: Arguments of the function.
            **kwargs: More of them; whatever moves averages, such as `is_training=True`, is refused.

        Raises:
            InputError: In a graph, which keeps its values in sessions; or a variable does not exist
                yet.
        """
        if in_graph():
            raise InputError(
                f"cannot freeze {self.name}: the graph keeps its variables, and a session their "
                "values. Use tf.compat.v1.graph_util.convert_variables_to_constants"
            )
        return self._called(self._get_constant, args, kwargs)

    def _called(self, getter: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        used = _Used()
        with self._entered(getter, used) as gathered, precisions.precision(self._precision):
            self._last_calls.current = call = _Call(gathered)
            outputs = self._fn(*args, **{**self._defaults, **kwargs})
            call.end_points = _end_points(outputs)
            outputs = precisions.in_float32(outputs)
        self._last_calls.current = call  # of this module called in itself, the outer call
        if used.twice and not self._sharing_is_said and not tf.distribute.has_strategy():
            self._check_sharing(getter, args, kwargs)
        return outputs

    def _check_sharing(self, getter: Callable[..., Any], args: Any, kwargs: Any) -> None:
        """Traces the function once, since it is only then that scopes tell whether they share."""

        @tf.autograph.experimental.do_not_convert
        def traced() -> None:
            with self._entered(getter, _Used()), precisions.precision(self._precision):
                self._fn(*args, **{**self._defaults, **kwargs})

        last = self._last_calls.current
        try:
            with discarding():
                tf.function(traced).get_concrete_function()
        except ScopeError:
            raise
        except Exception:  # a function that works in eager mode alone has the benefit of the doubt
            pass
        finally:
            self._last_calls.current = last
        self._sharing_is_said = True

    @contextlib.contextmanager
    def _entered(self, getter: Callable[..., Any], used: "_Used") -> Iterator[Collections]:
        token, token_used = _innermost.set(self), _used.set(used)
        try:
            # Entering the current scope again leaves its name as it is, and puts the counts that
            # make default names (Conv, Conv_1) back on leaving, so that each call starts afresh.
            with (
                collecting() as gathered,
                tf.compat.v1.variable_scope(
                    _current_scope(), custom_getter=getter, auxiliary_name_scope=False
                ),
            ):
                gathered.add(MODULES, self)
                yield gathered
        finally:
            _used.reset(token_used)
            _innermost.reset(token)

    def _get_variable(
        self, getter: Callable[..., Any], name: str, *args: Any, **kwargs: Any
    ) -> tf.Variable:
        """Finds a variable or makes it; `variable_scope` calls this in place of its own store."""
        del getter
        used = _used.get()
        if used is not None:
            used.note(name, kwargs.get("reuse"))
        return self.store.get(name, *args, **kwargs)

    def _get_constant(
        self, getter: Callable[..., Any], name: str, *args: Any, **kwargs: Any
    ) -> tf.Tensor:
        if self.store.find(name) is None:
            raise InputError(
                f"variable {name} has no value to freeze yet; call the module itself once, with "
                "the arguments of the frozen call"
            )
        variable = self._get_variable(getter, name, *args, **kwargs)
        with tf.init_scope():
            value = tf.convert_to_tensor(variable)
        # Only what is arranged becomes a part of the graph. Matrices are not; nor is a kernel as
        # large as vgg_16's fc6, which covers its input and is a matrix too: with it, to prepare the
        # graph takes 40 s. Captured, they are as constant.
        if value.shape.rank < 3 or value.shape.num_elements() >= _NO_KERNEL:
            return value
        return tf.constant(value.numpy(), name=name.rpartition("/")[2])

    # What it holds.

    def get_variables(
        self,
        scope: str | None = None,
        suffix: str | None = None,
        include: Sequence[str] | None = None,
        exclude: Sequence[str] | None = None,
        collection: str = GraphKeys.GLOBAL_VARIABLES,
    ) -> list[tf.Variable]:
        """Returns variables, in the order in which they were made.

        Args:
            scope: A pattern that the beginning of the name must match.
            suffix: What the name must end with, such as "weights".
            include: Scopes to keep, as in `restore`; all by default.
            exclude: Scopes to leave out.
            collection: Where to look: all variables but the local ones by default.

        Raises:
            CheckpointError: A scope of `include` or `exclude` holds no variable.
        """
        found = self.store.get_collection(collection, scope)
        kept = checkpoints.selected(found, include, exclude)
        return [found[name] for name in kept if not suffix or name.endswith(suffix)]

    @property
    def variables(self) -> tuple[tf.Variable, ...]:
        """All variables, in the order in which they were made."""
        return tuple(self.store.variables.values())

    @property
    def trainable_variables(self) -> tuple[tf.Variable, ...]:
        """The variables to train, in the order in which they were made."""
        return tuple(v for v in self.variables if v.trainable)

    @property
    def non_trainable_variables(self) -> tuple[tf.Variable, ...]:
        """The other variables, in the order in which they were made."""
        return tuple(v for v in self.variables if not v.trainable)

    @property
    def named_variables(self) -> dict[str, tf.Variable]:
        """The variables that a checkpoint keeps, by name."""
        return self.store.get_collection(GraphKeys.GLOBAL_VARIABLES)

    @property
    def collections(self) -> Collections:
        """What the last call of this thread or async task gathered, or else of any.

        Of a call in a `tf.function`, valid in that function.
        """
        return self._last_calls.current.collections

    @property
    def losses(self) -> list[tf.Tensor]:
        """The losses that the last call gathered."""
        return self.collections.get(GraphKeys.LOSSES)

    @property
    def regularization_losses(self) -> list[tf.Tensor]:
        """The regularization losses of the variables that the last call used."""
        return self.collections.get(REGULARIZATION_LOSSES)

    @property
    def end_points(self) -> Mapping[str, Any]:
        """The end points of the last call: the dict that the function returned with its outputs.

        Empty where it returned none. Of a call in a `tf.function`, valid in that function.
        """
        return self._last_calls.current.end_points

    def reset_metrics(self) -> None:
        """Puts the local variables, in which metrics keep their state, back to the start."""
        self.store.reset(GraphKeys.LOCAL_VARIABLES)

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
        if in_graph():
            other = (
                "tf.compat.v1.train.Saver" if verb == "save" else "slim.assign_from_checkpoint_fn"
            )
            raise CheckpointError(
                f"cannot {verb} {self.name}: the graph keeps its variables, and a session their "
                f"values. Use {other}"
            )
        if not self._variables:
            raise CheckpointError(
                f"cannot {verb} {self.name}: it has no variables before its first call. Call it "
                "once, for instance on tf.zeros of the input's shape"
            )


class _Call:
    """What a call left."""

    def __init__(self, collections: Collections) -> None:
        self.collections = collections
        self.end_points: Mapping[str, Any] = {}


def _end_points(outputs: Any) -> Mapping[str, Any]:
    beside = outputs[1:] if isinstance(outputs, tuple) else [outputs]
    return next((o for o in beside if isinstance(o, Mapping)), {})


class _LastCalls:
    """The last call of each thread and async task, out of sight of TensorFlow's tracking."""

    def __init__(self) -> None:
        self._calls: WeakKeyDictionary[Any, _Call] = WeakKeyDictionary()
        self._last = _Call(Collections())

    @property
    def current(self) -> _Call:
        """The last call of this thread or task; of one that made none, the last of any."""
        return self._calls.get(_thread_or_task(), self._last)

    @current.setter
    def current(self, call: _Call) -> None:
        self._calls[_thread_or_task()] = self._last = call


def _thread_or_task() -> Any:
    try:
        task = asyncio.current_task()
    except RuntimeError:  # no event loop runs in this thread
        task = None
    return task or threading.current_thread()


def _current_scope() -> Any:
    """Returns the variable scope in force; in a `tf.function`, as one that does not reuse.

    There it may come from eager mode, where TensorFlow has every scope reuse.
    """
    scope = tf.compat.v1.get_variable_scope()
    if in_graph() or tf.executing_eagerly():
        return scope
    return tf.compat.v1.VariableScope(
        reuse=False,
        name=scope.name,
        initializer=scope.initializer,
        regularizer=scope.regularizer,
        caching_device=scope.caching_device,
        partitioner=scope.partitioner,
        custom_getter=scope.custom_getter,
        name_scope=scope.original_name_scope,
        dtype=scope.dtype,
        use_resource=scope.use_resource,
        constraint=scope.constraint,
    )


class _Used:
    """The variables that one call has asked for, in each graph: the bodies of loops have their own.

    Attributes:
        twice: Whether one was used twice in eager mode, where TensorFlow does not tell whether the
            scope says so.
    """

    def __init__(self) -> None:
        self.twice = False
        self._names: dict[Any, set[str]] = {}

    def note(self, name: str, reuse: Any) -> None:
        """Notes the use of a variable.

        Raises:
            ScopeError: It is the second, and the scope does not say that it shares.
        """
        eager = tf.executing_eagerly()
        names = self._names.setdefault(None if eager else tf.compat.v1.get_default_graph(), set())
        if name in names:
            self.twice |= eager
            if not eager and not reuse:
                raise ScopeError.of(name)
        names.add(name)


_used: ContextVar[_Used | None] = ContextVar("used", default=None)


def get_from_graph(getter: Callable[..., Any], name: str, *args: Any, **kwargs: Any) -> tf.Variable:
    """Finds a variable in the graph or makes it; reuse is what the function says, within a call."""
    used = _used.get()
    if used is not None:
        used.note(name, kwargs.get("reuse"))
    variable: tf.Variable = getter(
        name, *args, **{**kwargs, "reuse": kwargs.get("reuse") or tf.compat.v1.AUTO_REUSE}
    )
    return variable


def active_module() -> "Module | None":
    """Returns the innermost module being called, or None where there is none, or in a graph."""
    return None if in_graph() else _innermost.get()


def current_module(what: object = "this") -> "Module | None":
    """Returns the innermost module being called, or None in a graph, which needs none.

    Args:
        what: What needs it; the error says its `str`, such as "conv2d (scope Conv)".

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
