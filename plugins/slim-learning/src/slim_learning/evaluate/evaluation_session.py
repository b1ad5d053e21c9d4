"""One evaluation in a graph: a session restored from a checkpoint, batches, and a result."""

from collections.abc import Mapping, Sequence, ValuesView
from typing import Any

import tensorflow as tf

import slimcore.checkpoints as checkpoints
from slim_learning.evaluate.hooks import StopAfterNEvalsHook, get_or_create_eval_step
from slim_learning.graph.sessions import explain_restore, target
from slimcore.collections import in_graph
from slimcore.errors import CheckpointError, DataError, InputError
from slimcore.global_step import get_global_step
from slimcore.variables import variable_name

v1 = tf.compat.v1


class Evaluation:
    """Ops of the current graph that are evaluated with the values of one checkpoint or another."""

    def __init__(
        self,
        master: str = "",
        scaffold: Any = None,
        eval_ops: Any = None,
        feed_dict: Mapping[Any, Any] | None = None,
        final_ops: Any = None,
        final_ops_feed_dict: Mapping[Any, Any] | None = None,
        hooks: Sequence[Any] | None = None,
        config: Any = None,
        restored: Any = None,
    ) -> None:
        """Adds the count of batches to the graph, and runs nothing.

        Args:
            master: The address of a TensorFlow master; "" or "local" is this process.
            scaffold: A `tf.compat.v1.train.Scaffold`.
            eval_ops: Ops or tensors, or a list or dict of them, run for each batch until a hook
                asks to stop or the input ends.
            feed_dict: What to feed them.
            final_ops: Tensors, or a list or dict of them, evaluated at the end.
            final_ops_feed_dict: What to feed them.
            hooks: Session hooks.
            config: A `tf.compat.v1.ConfigProto`.
            restored: The variables that the scaffold's saver restores, where that is known.

        Raises:
            InputError: No graph is being built.
        """
        require_graph()
        self._master = master
        self._scaffold = scaffold or v1.train.Scaffold()
        self._restored = restored
        self._saver, self._local_init_op, self._ready_op = None, None, None
        self._saver_without_step: Any = None
        self._hooks = list(hooks or [])
        self._ops: Any = None
        self._feed_dict = feed_dict
        if eval_ops is not None:
            counted = get_or_create_eval_step().assign_add(1, read_value=True)
            self._ops = {"eval_ops": fetchable(eval_ops), "evals_completed": counted}
            for hook in self._hooks:
                if isinstance(hook, StopAfterNEvalsHook):
                    hook.count_by(counted)
        self._config = config
        self._final = v1.train.FinalOpsHook(fetchable(final_ops), final_ops_feed_dict)

    def run(self, checkpoint_path: str) -> Any:
        """Evaluates a checkpoint, and returns the values of the final ops.

        Args:
            checkpoint_path: The checkpoint.

        Raises:
            CheckpointError: It cannot be read, does not fit, or leaves a variable without a value.
            DataError: The input gave no batch.
        """
        sessions = _RestoredSessions(self, checkpoint_path)
        hooks, batches = [*self._hooks, self._final], 0
        with v1.train.MonitoredSession(sessions, hooks) as session:
            while self._ops is not None and not session.should_stop():
                try:
                    session.run(self._ops, self._feed_dict)
                    batches += 1
                except tf.errors.OutOfRangeError as error:
                    if not batches:
                        raise DataError("the input to evaluate on gave no batch") from error
                    raise  # ends the block in good order
        return self._final.final_ops_values

    def open(self, checkpoint_path: str) -> Any:
        """Opens a session with the values of a checkpoint.

        First values come before it: the local ones, and those that the scaffold sets, if it does.
        Thus an `init_op` that initializes everything does not undo the restore.
        """
        scaffold = self._scaffold
        if self._saver is None:
            self._complete()
        session = v1.Session(target(self._master), v1.get_default_graph(), self._config)
        try:
            session.run(self._local_init_op)
            if scaffold.init_op is not None:
                session.run(scaffold.init_op, scaffold.init_feed_dict)
            if scaffold.init_fn is not None:
                scaffold.init_fn(session)
            self._restore(session, checkpoint_path)
        except BaseException:
            session.close()
            raise
        return session

    def _complete(self) -> None:
        """Adds the ops that the scaffold lacks.

        `Scaffold.finalize` would add an init_op too, which would hide a variable without a value,
        and close the graph to all that the caller does after an error.
        """
        scaffold = self._scaffold
        self._local_init_op = scaffold.local_init_op
        if self._local_init_op is None:
            self._local_init_op = v1.train.Scaffold.default_local_init_op()
        self._ready_op = scaffold.ready_op
        if self._ready_op is None:
            self._ready_op = v1.report_uninitialized_variables()
        self._saver = scaffold.saver
        if self._saver is None:
            self._restored = v1.global_variables()
            self._saver = v1.train.Saver()

    def _restore(self, session: Any, path: str) -> None:
        try:
            self._saver_for(path).restore(session, path)
        except (tf.errors.OpError, ValueError) as error:
            explain_restore(error, path, self._restored)
        names = [name.decode() for name in session.run(self._ready_op)]
        step = get_global_step()
        if step is not None and step.op.name in names:
            session.run(step.initializer)  # who restores weights alone has no step
            names.remove(step.op.name)
        if names:
            raise CheckpointError(
                f"{len(names)} variables have no value after {path} was restored: "
                f"{', '.join(names[:3])}{', …' if names[3:] else ''}; restore them too, or set "
                "them in initial_op"
            )

    def _saver_for(self, path: str) -> Any:
        """Returns what restores a checkpoint, which need not have a global step."""
        step = get_global_step()
        if step is None or self._restored is None or isinstance(self._restored, Mapping):
            return self._saver
        others = [v for v in self._restored if v is not step]
        there = checkpoints.load(path).get_variable_to_shape_map()
        if len(others) == len(self._restored) or variable_name(step) in there:
            return self._saver
        if self._saver_without_step is None:
            self._saver_without_step = v1.train.Saver(others)
        return self._saver_without_step


class _RestoredSessions(v1.train.SessionCreator):  # type: ignore[name-defined]
    """Opens the sessions of one evaluation."""

    def __init__(self, evaluation: Evaluation, checkpoint_path: str) -> None:
        self._evaluation = evaluation
        self._path = checkpoint_path

    def create_session(self) -> Any:
        return self._evaluation.open(self._path)


def require_graph() -> None:
    """Refuses to go on where no graph is being built."""
    if not in_graph():
        raise InputError(
            "this evaluates ops of a graph, and none is being built: call it inside "
            "`with graph.as_default():`; on a function of a batch, use "
            "slim.evaluation.evaluate_once(metric_fn, checkpoint_path, dataset)"
        )


def fetchable(ops: Any) -> Any:
    """Returns what a session can fetch: a list in place of the values of a dict."""
    return list(ops) if isinstance(ops, ValuesView) else ops
