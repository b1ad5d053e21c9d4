"""Makes variables and finds them again, in a graph and in the `slim.Module` being called."""

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from slimcore.module import current_module
from slimcore.scoping import add_arg_scope

GraphKeys = tf.compat.v1.GraphKeys


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
    """
    scope = tf.compat.v1.get_variable_scope()
    current_module(f"variable {name!r} (scope {scope.name!r})")
    collections = list(collections) if collections is not None else [GraphKeys.GLOBAL_VARIABLES]
    # A device of None would clear the one around.
    with tf.device(device) if device else contextlib.nullcontext():
        return tf.compat.v1.get_variable(
            name,
            shape=shape,
            dtype=dtype,
            initializer=initializer,
            regularizer=regularizer,
            trainable=trainable,
            collections=collections,
            caching_device=caching_device,
            partitioner=partitioner,
            custom_getter=custom_getter,
            use_resource=True,
            synchronization=synchronization,
            aggregation=aggregation,
        )


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


def add_model_variable(var: tf.Variable) -> None:
    """Gathers a variable that was made elsewhere among the model variables, once."""
    module = current_module(f"variable {var.name}")
    if module is not None:
        module.add_to_collection(GraphKeys.MODEL_VARIABLES, var)
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
    """
    scope = getattr(scope, "name", scope)
    module = current_module("get_variables()")
    if module is None:
        found = tf.compat.v1.get_collection(collection, scope)
    else:
        found = module.get_collection(collection, scope)
    if suffix is not None:
        found = [v for v in found if variable_name(v).endswith(suffix)]
    return list(found)


def get_model_variables(scope: Any = None, suffix: str | None = None) -> list[tf.Variable]:
    """Returns the model variables. See `get_variables`."""
    return get_variables(scope, suffix, GraphKeys.MODEL_VARIABLES)


def get_local_variables(scope: Any = None, suffix: str | None = None) -> list[tf.Variable]:
    """Returns the local variables, which no checkpoint keeps. See `get_variables`."""
    return get_variables(scope, suffix, GraphKeys.LOCAL_VARIABLES)


def get_trainable_variables(scope: Any = None, suffix: str | None = None) -> list[tf.Variable]:
    """Returns the variables to train. See `get_variables`."""
    return get_variables(scope, suffix, GraphKeys.TRAINABLE_VARIABLES)


def variable_name(var: tf.Variable) -> str:
    """Returns the name of a variable in a checkpoint: without the `:0` of its tensor."""
    return str(var.name).partition(":")[0]
