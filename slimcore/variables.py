"""Makes variables and finds them again, in a graph and in the `slim.Module` being called."""

import contextlib
import re
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from slimcore._arg_scope import add_arg_scope
from slimcore.collections import in_graph, innermost
from slimcore.errors import InputError, ScopeError, ShapeError, close
from slimcore.module import current_module, get_from_graph

GraphKeys = tf.compat.v1.GraphKeys

# In the collections of a call of a Module: the names that `unused_name` has given there.
_NAMES_USED = "slim_names_used"


@add_arg_scope
def variable(
    name: str,
    shape: Any = None,
    dtype: Any = None,
    initializer: Any = None,
    regularizer: Callable[[Any], tf.Tensor] | None = None,
    trainable: bool = True,
    collections: Sequence[str] | None = None,
    caching_device: Any = None,
    device: Any = None,
    partitioner: Any = None,
    custom_getter: Any = None,
    use_resource: bool | None = None,
    synchronization: Any = tf.VariableSynchronization.AUTO,
    aggregation: Any = tf.VariableAggregation.NONE,
) -> tf.Variable:
    """Returns the variable of this name in the current `variable_scope`, made on first use.

    Args:
        name: Its name, within the scope.
        shape: Its shape, fully defined; may be left out where `initializer` is a tensor.
        dtype: float32 by default.
        initializer: A function of shape and dtype, or a value. By default the scope's, else
            Glorot's uniform one for floats and zeros for integers.
        regularizer: A function from the variable to a scalar loss, gathered among the
            regularization losses.
        trainable: Whether it is gathered among the trainable variables.
        collections: Collections to add it to; `GraphKeys.GLOBAL_VARIABLES` by default.
        caching_device: In a graph, where reads are cached.
        device: Where it is placed: a device string, or in a graph a function of an op.
        partitioner: In a graph, a function that says how to cut it into shards.
        custom_getter: In a graph, wraps how it is made.
        use_resource: Accepted for older code; variables are always resource variables.
        synchronization: When `tf.distribute` brings the replicas' copies together.
        aggregation: How it does that.

    Raises:
        NoModuleError: Eagerly, or in a `tf.function`, outside of a `slim.Module`.
        ScopeError: It exists in the graph, or was used in this call of the module, and its scope
            does not say that it is shared.
    """
    scope = tf.compat.v1.get_variable_scope()
    current_module(f"variable {name!r} (scope {scope.name!r})")
    collections = list(collections) if collections is not None else [GraphKeys.GLOBAL_VARIABLES]
    # A device of None would clear the one around.
    with tf.compat.v1.device(device) if device else contextlib.nullcontext():
        # In a graph, `get_variable` would build each regularization loss twice and use one.
        ours = regularizer is not None and collections and not partitioner and _is_plain(scope)
        members = tf.compat.v1.get_collection_ref(collections[0]) if ours else []
        before = len(members)
        try:
            made = tf.compat.v1.get_variable(
                name,
                shape=shape,
                dtype=dtype,
                initializer=initializer,
                regularizer=None if ours else regularizer,
                trainable=trainable,
                collections=collections,
                caching_device=caching_device,
                partitioner=partitioner,
                custom_getter=custom_getter,
                use_resource=True,
                synchronization=synchronization,
                aggregation=aggregation,
            )
        except ValueError as error:
            full_name = f"{scope.name}/{name}" if scope.name else name
            if "already exists, disallowed" in str(error):
                raise ScopeError.of(full_name) from error
            # TensorFlow tells of the shapes alone.
            shapes = re.search(r"specified shape (\(.*?\)) and found shape (\(.*?\))", str(error))
            if shapes:
                raise ShapeError.of_two_uses(full_name, shapes[2], shapes[1]) from error
            raise
        if len(members) > before:
            _add_penalty(made, regularizer)
        return made


def _is_plain(scope: Any) -> bool:
    """Returns whether this is a graph whose scope has no part in how a variable is made."""
    plain = scope.custom_getter in (None, get_from_graph)
    return in_graph() and plain and not (scope.regularizer or scope.partitioner)


def _add_penalty(variable: tf.Variable, regularizer: Any) -> None:
    """Adds the loss of a new variable to the graph's regularization losses."""
    with tf.init_scope(), tf.compat.v1.name_scope(f"{variable.op.name}/Regularizer/"):
        loss = regularizer(variable)
    if loss is not None:
        tf.compat.v1.add_to_collection(GraphKeys.REGULARIZATION_LOSSES, loss)


@add_arg_scope
def model_variable(
    name: str,
    shape: Any = None,
    dtype: Any = tf.float32,
    initializer: Any = None,
    regularizer: Callable[[Any], tf.Tensor] | None = None,
    trainable: bool = True,
    collections: Sequence[str] | None = None,
    caching_device: Any = None,
    device: Any = None,
    partitioner: Any = None,
    custom_getter: Any = None,
    use_resource: bool | None = None,
    synchronization: Any = tf.VariableSynchronization.AUTO,
    aggregation: Any = tf.VariableAggregation.NONE,
) -> tf.Variable:
    """Returns a variable that is a parameter of the model: what inference needs and transfer keeps.

    It is gathered in `GraphKeys.MODEL_VARIABLES` too; everything else is as in `variable`.
    """
    collections = [*(collections or ()), GraphKeys.GLOBAL_VARIABLES, GraphKeys.MODEL_VARIABLES]
    return variable(
        name,
        shape=shape,
        dtype=dtype,
        initializer=initializer,
        regularizer=regularizer,
        trainable=trainable,
        collections=list(dict.fromkeys(collections)),
        caching_device=caching_device,
        device=device,
        partitioner=partitioner,
        custom_getter=custom_getter,
        use_resource=use_resource,
        synchronization=synchronization,
        aggregation=aggregation,
    )


def local_variable(
    initial_value: Any,
    validate_shape: bool = True,
    name: str | None = None,
    use_resource: bool | None = None,
) -> tf.Variable:
    """Makes a variable that no checkpoint keeps, such as a count of what was seen.

    In a graph each call makes one; `tf.compat.v1.local_variables_initializer` sets its first value.
    In a `slim.Module` the first call of the module makes it, and `reset_metrics` puts it back.

    Args:
        initial_value: An array, a tensor, or a function that makes one. In a `tf.function` the
            value of a tensor must be known while tracing.
        validate_shape: Whether the variable keeps the shape of its first value.
        name: Its name, within the scope; "Variable" by default. A name in use gets a number.
        use_resource: Accepted for older code; variables are always resource variables.

    Raises:
        NoModuleError: Eagerly, or in a `tf.function`, outside of a `slim.Module`.
    """
    return _untrained(initial_value, validate_shape, name, GraphKeys.LOCAL_VARIABLES)


def global_variable(
    initial_value: Any,
    validate_shape: bool = True,
    name: str | None = None,
    use_resource: bool | None = None,
) -> tf.Variable:
    """Makes a variable that is not trained, and that checkpoints keep. See `local_variable`."""
    return _untrained(initial_value, validate_shape, name, GraphKeys.GLOBAL_VARIABLES)


def _untrained(
    initial_value: Any, validate_shape: bool, name: str | None, collection: str
) -> tf.Variable:
    module = current_module(f"variable {name!r}")
    if module is None:
        return tf.compat.v1.Variable(
            initial_value,
            trainable=False,
            collections=[collection],
            validate_shape=validate_shape,
            shape=None if validate_shape else tf.TensorShape(None),
            name=name,
            use_resource=True,
        )
    scope, name = tf.compat.v1.get_variable_scope().name, unused_name(name or "Variable")
    return module.store.get(
        f"{scope}/{name}" if scope else name,
        initializer=initial_value,
        trainable=False,
        collections=[collection],
        validate_shape=validate_shape,
    )


def unused_name(name: str) -> str:
    """Returns a name that this call of the Module has not used in this variable scope.

    Two metrics of one name would share their state and count each batch twice.

    Args:
        name: The name wanted. It gets a number where it is in use: `total`, `total_1`.
    """
    gathered = innermost()
    if gathered is None:
        return name
    full_name = f"{tf.compat.v1.get_variable_scope().name}/{name}"
    count = gathered.get(_NAMES_USED).count(full_name)
    gathered.add(_NAMES_USED, full_name)
    return f"{name}_{count}" if count else name


def add_model_variable(var: tf.Variable) -> None:
    """Gathers a variable that was made elsewhere among the model variables, once."""
    module = current_module(f"variable {var.name}")
    if module is not None:
        module.store.add_to_collections([GraphKeys.MODEL_VARIABLES], var)
    elif not any(v is var for v in get_model_variables()):
        tf.compat.v1.add_to_collection(GraphKeys.MODEL_VARIABLES, var)


def get_variables(
    scope: Any = None, suffix: str | None = None, collection: str = GraphKeys.GLOBAL_VARIABLES
) -> list[tf.Variable]:
    """Returns variables, of the graph or of the module being called, in the order of making.

    Args:
        scope: A pattern that the beginning of the name must match, or a variable scope.
        suffix: What the name must end with, such as "weights".
        collection: Where to look.

    Raises:
        NoModuleError: Eagerly, or in a `tf.function`, outside of a `slim.Module`; ask the module
            itself there, as in `model.get_variables(suffix="weights")`.
    """
    return [v for name, v in _named(scope, collection) if not suffix or name.endswith(suffix)]


def get_model_variables(scope: Any = None, suffix: str | None = None) -> list[tf.Variable]:
    """Returns the model variables. See `get_variables`."""
    return get_variables(scope, suffix, GraphKeys.MODEL_VARIABLES)


def get_local_variables(scope: Any = None, suffix: str | None = None) -> list[tf.Variable]:
    """Returns the local variables, which no checkpoint keeps. See `get_variables`."""
    return get_variables(scope, suffix, GraphKeys.LOCAL_VARIABLES)


def get_trainable_variables(scope: Any = None, suffix: str | None = None) -> list[tf.Variable]:
    """Returns the variables to train. See `get_variables`."""
    return get_variables(scope, suffix, GraphKeys.TRAINABLE_VARIABLES)


def get_variables_by_suffix(suffix: str, scope: Any = None) -> list[tf.Variable]:
    """Returns the variables whose names end with `suffix`. See `get_variables`."""
    return get_variables(scope, suffix)


def get_variables_by_name(given_name: str, scope: Any = None) -> list[tf.Variable]:
    """Returns the variables whose names end with the whole path `given_name`.

    "weights" finds `conv1/weights` and not `conv1/depthwise_weights`. See `get_variables`.
    """
    named = _named(scope, GraphKeys.GLOBAL_VARIABLES)
    return [v for name, v in named if f"/{name}".endswith(f"/{given_name}")]


def get_unique_variable(var_op_name: str) -> tf.Variable:
    """Returns the variable of this name, or the only one whose name begins with it.

    Raises:
        InputError: There is none, or there are several and none has just this name.
    """
    candidates = _named(re.escape(var_op_name), GraphKeys.GLOBAL_VARIABLES)
    exact = [v for name, v in candidates if name == var_op_name]
    if exact or len(candidates) == 1:
        return exact[0] if exact else candidates[0][1]
    if candidates:
        names = ", ".join(name for name, _ in candidates[:3])
        raise InputError(
            f"{len(candidates)} variables have names that begin with {var_op_name!r}: {names}"
            f"{', …' if candidates[3:] else ''}; give one in full"
        )
    known = [name for name, _ in _named(None, GraphKeys.GLOBAL_VARIABLES)]
    raise InputError(f"no variable is named {var_op_name!r}{close(var_op_name, known)}")


def get_variable_full_name(var: tf.Variable) -> str:
    """Returns the name of a variable; of a shard, the name of the variable that it is a part of."""
    name = variable_name(var)
    if in_graph() and hasattr(var, "to_proto"):
        return var.to_proto().save_slice_info_def.full_name or name
    return name


def variable_name(var: tf.Variable) -> str:
    """Returns the name of a variable in a checkpoint: without the `:0` of its tensor."""
    return str(var.name).partition(":")[0]


def _named(scope: Any, collection: str) -> list[tuple[str, tf.Variable]]:
    scope = getattr(scope, "name", scope)
    module = current_module("get_variables()")
    if module is not None:
        return list(module.store.get_collection(collection, scope).items())
    return [(variable_name(v), v) for v in tf.compat.v1.get_collection(collection, scope)]
