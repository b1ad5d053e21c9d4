"""What a run in a graph is made of: its ops, its saver and its writer, with their defaults."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import tensorflow as tf

from slimcore.errors import ArgumentTypeError, InputError
from slimcore.global_step import get_or_create_global_step

v1 = tf.compat.v1

# Stands for the default where None means that there should be none.
USE_DEFAULT = 0


@dataclass
class RunScaffold:
    """The ops, the saver and the summaries of one run. None stands for what the run goes without.

    An op may be `USE_DEFAULT` until `complete` is called.

    Attributes:
        graph: Where the train op is.
        global_step: Counts the steps.
        init_op: Sets first values, where no checkpoint is found.
        init_feed_dict: What to feed it.
        init_fn: Called with the session after it.
        local_init_op: Sets what no checkpoint keeps.
        ready_op: Names the variables that have no value.
        saved: The variables that the saver saves, where that is known.
        ready_for_local_init_op: The same, before `local_init_op`.
        saver: Writes the checkpoints.
        summary_op: The summaries, as one string.
        synchronizers: What each `SyncReplicasOptimizer` wants the chief to run at the start: an op
            and a queue runner.
    """

    graph: tf.Graph
    global_step: Any
    init_op: Any
    init_feed_dict: Mapping[Any, Any] | None
    init_fn: Callable[[Any], Any] | None
    local_init_op: Any
    ready_op: Any
    saver: Any
    summary_op: Any
    saved: list[Any] | None = None
    ready_for_local_init_op: Any = None
    synchronizers: list[tuple[Any, Any]] = field(default_factory=list)

    def complete(self, saves: bool) -> None:
        """Puts defaults in place of `USE_DEFAULT`, and of a global step or saver that is None.

        Args:
            saves: Whether the run writes checkpoints and summaries.
        """
        with self.graph.as_default():
            if self.global_step is None:
                self.global_step = get_or_create_global_step()
            if is_default(self.init_op):
                self.init_op = v1.global_variables_initializer()
            if is_default(self.local_init_op):
                ops = v1.local_variables_initializer(), v1.tables_initializer()
                self.local_init_op = tf.group(*ops)
            if is_default(self.ready_op):
                self.ready_op = v1.report_uninitialized_variables()
            if is_default(self.summary_op):
                self.summary_op = v1.summary.merge_all() if saves else None
            if self.saver is None and saves and v1.global_variables():
                self.saver = v1.train.Saver(save_relative_paths=True)
                self.saved = v1.global_variables()

    def synchronize(self, optimizers: Any, is_chief: bool) -> None:
        """Makes the run one of several that wait for each other's gradients.

        Args:
            optimizers: A `tf.compat.v1.train.SyncReplicasOptimizer`, or a list of them.
            is_chief: Whether this is the worker that sets the first values.
        """
        chosen = optimizers if isinstance(optimizers, list | tuple) else [optimizers]
        for optimizer in chosen:
            if not isinstance(optimizer, v1.train.SyncReplicasOptimizer):
                raise ArgumentTypeError(
                    "sync_optimizer is a tf.compat.v1.train.SyncReplicasOptimizer or a list of "
                    f"them, not {optimizer!r}"
                )
        with self.graph.as_default():
            ops = [o.chief_init_op if is_chief else o.local_step_init_op for o in chosen]
            self.local_init_op = tf.group(*ops, *[op for op in [self.local_init_op] if op])
            ready = [o.ready_for_local_init_op for o in chosen]
            if is_chief:
                self.synchronizers = [
                    (o.get_init_tokens_op(), o.get_chief_queue_runner()) for o in chosen
                ]
            self.ready_for_local_init_op = ready[0] if len(ready) == 1 else tf.concat(ready, 0)


def graph_of(train_op: Any, graph: tf.Graph | None) -> tf.Graph:
    """Returns the graph of a train op, which must be the graph given, if one is.

    Raises:
        InputError: It is none, not in a graph, or in another graph.
    """
    if train_op is None:
        raise InputError("train_op is None; make one with slim.learning.create_train_op")
    found = getattr(train_op, "graph", None)
    if found is None:
        raise ArgumentTypeError(
            "train_op is what slim.learning.create_train_op returned: a tensor of a tf.Graph, or, "
            f"for a function of a batch, a TrainOp; not {train_op!r}"
        )
    if graph is not None and graph is not found:
        raise InputError(f"the train op {train_op.name} is in another graph than the one given")
    return found


def is_default(value: Any) -> bool:
    """Returns whether an argument was left at `USE_DEFAULT`."""
    return isinstance(value, int) and not isinstance(value, bool) and value == USE_DEFAULT
