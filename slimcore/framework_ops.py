"""Questions to the graph: the scope in force, and the graph that tensors belong to."""

from collections.abc import Iterable
from typing import Any

import tensorflow as tf

from slimcore.errors import InputError


def get_name_scope() -> str:
    """Returns the name scope in force, without a final slash; "" outside of all."""
    return tf.get_current_name_scope()


def get_graph_from_inputs(op_input_list: Iterable[Any], graph: tf.Graph | None = None) -> tf.Graph:
    """Returns the one graph that tensors and ops belong to.

    Args:
        op_input_list: Tensors, ops or variables; what has no graph is passed over.
        graph: The graph that they must belong to; by default that of the first one.

    Raises:
        InputError: Two of them belong to different graphs, or one to another than `graph`.
    """
    first = None
    for item in op_input_list:
        # Eager tensors have the attribute, and raise when asked for it.
        is_eager = tf.is_tensor(item) and not tf.is_symbolic_tensor(item)
        own = None if is_eager else getattr(item, "graph", None)
        if not isinstance(own, tf.Graph):
            continue
        first = item if first is None else first
        graph = own if graph is None else graph
        if own is not graph:
            of = "the graph given" if first is item else f"that of {first.name}"
            raise InputError(f"{item.name} belongs to another graph than {of}; build them in one")
    return tf.compat.v1.get_default_graph() if graph is None else graph
