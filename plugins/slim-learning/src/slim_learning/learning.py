"""`slim.learning`: train ops and the training loop, in a graph and on functions of a batch."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, overload

import tensorflow as tf

import slim_learning.graph.loop as graph_loop
import slim_learning.graph.train_op as graph_train_ops
import slim_learning.training_loop.loop as loop
from slim_learning.dispatch import GraphDefault, in_a_graph, names_checked, on_functions
from slim_learning.graph.loop import TrainStep
from slim_learning.graph.scaffold import USE_DEFAULT
from slim_learning.graph.train_op import GATE_OP, USE_GLOBAL_STEP, add_gradients_summaries
from slim_learning.graph.train_step import train_step
from slim_learning.optim.gradients import clip_gradient_norms, multiply_gradients
from slim_learning.optim.warm_up import warm_up
from slim_learning.training_loop.train_op import TrainOp

__all__ = [
    "add_gradients_summaries",
    "clip_gradient_norms",
    "create_train_op",
    "multiply_gradients",
    "train",
    "train_step",
    "warm_up",
]

GLOBAL_STEP = GraphDefault(USE_GLOBAL_STEP, on_functions=None)
LOG_EVERY = GraphDefault(1, on_functions=100)


@overload
def create_train_op(
    total_loss: Callable[[Any], Any],
    optimizer: Any,
    global_step: Any = ...,
    *,
    variables_to_train: Sequence[Any] | None = ...,
    clip_gradient_norm: float = ...,
    gradient_multipliers: Mapping[Any, Any] | None = ...,
    check_numerics: bool = ...,
    jit_compile: bool = ...,
    accumulate_steps: int = ...,
    moving_average_decay: float | None = ...,
    non_finite: str = ...,
) -> TrainOp: ...
@overload
def create_train_op(
    total_loss: tf.Tensor,
    optimizer: Any,
    global_step: Any = ...,
    update_ops: Sequence[Any] | None = ...,
    variables_to_train: Sequence[Any] | None = ...,
    clip_gradient_norm: float = ...,
    summarize_gradients: bool = ...,
    gate_gradients: int = ...,
    aggregation_method: int | None = ...,
    colocate_gradients_with_ops: bool = ...,
    gradient_multipliers: Mapping[Any, Any] | None = ...,
    check_numerics: bool = ...,
) -> tf.Tensor: ...
@names_checked
def create_train_op(
    total_loss: Any,
    optimizer: Any,
    global_step: Any = GLOBAL_STEP,
    update_ops: Sequence[Any] | None = None,
    variables_to_train: Sequence[Any] | None = None,
    clip_gradient_norm: float = 0,
    summarize_gradients: bool = False,
    gate_gradients: int = GATE_OP,
    aggregation_method: int | None = None,
    colocate_gradients_with_ops: bool = False,
    gradient_multipliers: Mapping[Any, Any] | None = None,
    check_numerics: bool = True,
    *,
    jit_compile: bool = False,
    accumulate_steps: int = 1,
    moving_average_decay: float | None = None,
    non_finite: str = "stop",
) -> Any:
    """Makes one step of training of a loss and an optimizer: update ops, gradients, the update.

    In a graph the loss is a scalar tensor, and so is the result, whose evaluation takes the step;
    it is added to `GraphKeys.TRAIN_OP`. Elsewhere the loss is a function of a batch, and the
    result is a `TrainOp`, an object to call with batches. Gradients are multiplied first, and then
    clipped.

    Args:
        total_loss: A scalar tensor of a graph, or a function from a batch to a scalar loss.
        optimizer: An optimizer of `tf.compat.v1.train`; on a function also one of
            `tf.keras.optimizers`. There its learning rate may be a schedule of Keras or, of the
            former kind, a function that reads `slim.get_global_step()`.
        global_step: Integer variable that counts the steps; by default the graph's own, made if
            need be, or on a function a new one. None counts nothing in a graph.
        update_ops: In a graph only: ops to run before the step; `GraphKeys.UPDATE_OPS` by default.
        variables_to_train: Variables, or names of variables or scopes; all trainable ones by
            default.
        clip_gradient_norm: The largest L2 norm that each gradient keeps; 0 leaves them.
        summarize_gradients: In a graph only: whether to summarize each gradient and its norm.
        gate_gradients: In a graph only: `GATE_NONE`, `GATE_OP` or `GATE_GRAPH` of
            `tf.compat.v1.train.Optimizer`.
        aggregation_method: In a graph only: how to combine gradients, of `tf.AggregationMethod`.
        colocate_gradients_with_ops: In a graph only: whether gradients are computed where their
            ops are.
        gradient_multipliers: Factors of gradients, by variable, by its name, or by a scope for all
            in it, so that layers learn at rates of their own.
        check_numerics: Whether an infinite or NaN loss is an error. Such a step changes no trained
            variable.
        jit_compile: On functions only: whether XLA compiles the step.
        accumulate_steps: On functions only: the number of batches to one update, whose gradients
            are averaged. The global step counts updates.
        moving_average_decay: On functions only: the decay of moving averages of the trained
            weights, between 0 and 1; checkpoints keep them as `<name>/ExponentialMovingAverage`.
            None keeps none.
        non_finite: On functions only: what happens at an infinite or NaN loss. "stop" ends the
            run; "skip" leaves out the update, for such a gradient too, counts it in `skipped` and
            puts moving statistics back; "roll_back" lets `slim.learning.train` return to the last
            checkpoint and go on in the data.

    Returns:
        In a graph, the loss, a scalar tensor; evaluating it takes the step. On a function, a
        `TrainOp`.

    Raises:
        InputError: An argument has an unsupported value, or belongs to the other mode.
        ArgumentTypeError: The loss is neither a tensor of a graph nor a function, or an argument
            is unknown.
    """
    given = locals()
    if callable(total_loss):
        return TrainOp(total_loss, **on_functions(create_train_op, TrainOp, given))
    return graph_train_ops.create_train_op(
        total_loss, **in_a_graph(create_train_op, graph_train_ops.create_train_op, given)
    )


@overload
def train(
    train_op: TrainOp,
    logdir: str,
    *,
    dataset: tf.data.Dataset,
    number_of_steps: int | None = ...,
    log_every_n_steps: int = ...,
    save_interval_secs: float | None = ...,
    init_fn: Callable[[], Any] | None = ...,
    save_interval_steps: int | None = ...,
    keep_checkpoints: int | None = ...,
    keep_checkpoint_every_n_hours: float | None = ...,
    evaluate_fn: Callable[[], Mapping[str, Any]] | None = ...,
    evaluate_every_n_steps: int | None = ...,
    keep_best: str | None = ...,
    keep_best_of: str = ...,
    early_stopping: int | None = ...,
    on_disk_full: str = ...,
    followers: Sequence[Any] | None = ...,
    config: dict[str, Any] | None = ...,
) -> float | None: ...
@overload
def train(
    train_op: tf.Tensor,
    logdir: str | None,
    train_step_fn: TrainStep = ...,
    train_step_kwargs: Any = ...,
    log_every_n_steps: int = ...,
    graph: tf.Graph | None = ...,
    master: str = ...,
    is_chief: bool = ...,
    global_step: Any = ...,
    number_of_steps: int | None = ...,
    init_op: Any = ...,
    init_feed_dict: Mapping[Any, Any] | None = ...,
    local_init_op: Any = ...,
    init_fn: Callable[[Any], Any] | None = ...,
    ready_op: Any = ...,
    summary_op: Any = ...,
    save_summaries_secs: float | None = ...,
    summary_writer: Any = ...,
    startup_delay_steps: int = ...,
    saver: Any = ...,
    save_interval_secs: float | None = ...,
    sync_optimizer: Any = ...,
    session_config: Any = ...,
    session_wrapper: Callable[[Any], Any] | None = ...,
    trace_every_n_steps: int | None = ...,
    ignore_live_threads: bool = ...,
) -> Any: ...
@names_checked
def train(
    train_op: Any,
    logdir: str | None,
    train_step_fn: TrainStep = train_step,
    train_step_kwargs: Any = USE_DEFAULT,
    log_every_n_steps: int = LOG_EVERY,
    graph: tf.Graph | None = None,
    master: str = "",
    is_chief: bool = True,
    global_step: Any = None,
    number_of_steps: int | None = None,
    init_op: Any = USE_DEFAULT,
    init_feed_dict: Mapping[Any, Any] | None = None,
    local_init_op: Any = USE_DEFAULT,
    init_fn: Callable[..., Any] | None = None,
    ready_op: Any = USE_DEFAULT,
    summary_op: Any = USE_DEFAULT,
    save_summaries_secs: float | None = 600,
    summary_writer: Any = USE_DEFAULT,
    startup_delay_steps: int = 0,
    saver: Any = None,
    save_interval_secs: float | None = 600,
    sync_optimizer: Any = None,
    session_config: Any = None,
    session_wrapper: Callable[[Any], Any] | None = None,
    trace_every_n_steps: int | None = None,
    ignore_live_threads: bool = False,
    *,
    dataset: Any = None,
    save_interval_steps: int | None = None,
    keep_checkpoints: int | None = 5,
    keep_checkpoint_every_n_hours: float | None = None,
    evaluate_fn: Callable[[], Mapping[str, Any]] | None = None,
    evaluate_every_n_steps: int | None = None,
    keep_best: str | None = None,
    keep_best_of: str = "max",
    early_stopping: int | None = None,
    on_disk_full: str = "stop",
    followers: Sequence[Any] | None = None,
    config: dict[str, Any] | None = None,
) -> Any:
    """Trains until a step is reached, and goes on from the newest checkpoint if there is one.

    In a graph the train op is a tensor, and a session evaluates it. Elsewhere it is a `TrainOp`,
    and takes the batches of `dataset`. Ctrl-C and SIGTERM save a checkpoint before the program ends
    (exit status 130 and 143). On functions checkpoints keep networks, optimizer, step, random seed
    and the position in the dataset.

    Args:
        train_op: What `create_train_op` returned.
        logdir: The folder for checkpoints, TensorBoard events and `run.json`, in a graph also
            `graph.pbtxt`. There, None writes nothing.
        train_step_fn: In a graph only: called with the session, `train_op`, the global step and
            `train_step_kwargs` for each step; returns the loss, and whether to end.
        train_step_kwargs: In a graph only: what `train_step_fn` gets; by default what `train_step`
            wants.
        log_every_n_steps: Steps between logs of the loss. In a graph 1 by default, and 0 logs none;
            on functions 100 by default, and every 5 seconds at least.
        graph: In a graph only: the graph that the train op must belong to.
        master: In a graph only: the address of a TensorFlow master; "" or "local" is this process.
        is_chief: In a graph only: whether this worker sets first values and saves; the others wait
            for it.
        global_step: In a graph only: counts the steps; the graph's own, made if need be, by
            default.
        number_of_steps: The global step to reach. None goes on until the input ends, which on
            functions is one pass over the dataset; with a number, the dataset is repeated.
        init_op: In a graph only: sets first values in a new run; all global variables by default.
        init_feed_dict: In a graph only: what to feed to it.
        local_init_op: In a graph only: sets what no checkpoint keeps, at each start; local
            variables and tables by default.
        init_fn: Called once, before the first step of a new run, to change first values: in a graph
            with the session, after `init_op`; on functions without arguments.
        ready_op: In a graph only: tensor of the names of variables without a value.
        summary_op: In a graph only: summaries as one string; all of the graph by default, None for
            none.
        save_summaries_secs: In a graph only: seconds between summaries; 0 or None for none. They
            are evaluated by a step of their own, which takes a batch of the input.
        summary_writer: In a graph only: a `tf.compat.v1.summary.FileWriter`; one in `logdir` by
            default.
        startup_delay_steps: In a graph only: the global step at which a worker that is not the
            chief begins.
        saver: In a graph only: saves and restores; a `tf.compat.v1.train.Saver` of all variables by
            default.
        save_interval_secs: Seconds between checkpoints. In a graph 0 or None saves at the end
            alone; on functions None saves by steps alone. The last step is always saved.
        sync_optimizer: In a graph only: `tf.compat.v1.train.SyncReplicasOptimizer`s whose workers
            wait for each other.
        session_config: In a graph only: a `tf.compat.v1.ConfigProto`.
        session_wrapper: In a graph only: from the session to the one to take steps with, such as a
            debugger's.
        trace_every_n_steps: In a graph only: steps between traces `tf_trace-STEP.json`; None for
            none.
        ignore_live_threads: In a graph only: whether threads that fill queues may outlive the run
            without an error.
        dataset: On functions only, and needed there: the batches, a `tf.data.Dataset`. The position
            in it is exact at each restart if it is deterministic: seed its shuffling.
        save_interval_steps: On functions only: steps between checkpoints; None saves by seconds
            alone.
        keep_checkpoints: On functions only: how many of the newest checkpoints to keep; None keeps
            all.
        keep_checkpoint_every_n_hours: On functions only: of the older ones, one in so many hours is
            kept; None keeps none of them.
        evaluate_fn: On functions only: called without arguments during training, returns results by
            name, such as `{"accuracy": 0.9}`; they go to the followers and to `evaluations.jsonl`.
        evaluate_every_n_steps: On functions only: steps between its calls; it is called at the end
            in any case.
        keep_best: On functions only: the result by which to find the best checkpoint, which is
            kept, and named in `best.json`.
        keep_best_of: On functions only: "max" where more is better, "min" where less is.
        early_stopping: On functions only: how many evaluations without a better result end the run.
        on_disk_full: On functions only: "stop" ends the run where a checkpoint does not fit on the
            disk; "go_on" warns and tries again when the next is due. Those before it stay.
        followers: On functions only: objects with event hooks that follow this run; by default a
            progress line, TensorBoard events, and the record `run.json`.
        config: On functions only: what the record says of the run.

    Returns:
        The loss of the last step; None where the run had already reached its end.

    Raises:
        InputError: An argument has an unsupported value, or belongs to the other mode.
        ArgumentTypeError: An argument is unknown; the nearest names are given.
        RunError: The folder cannot be written, or the loss became infinite or NaN.
        DataError: The input gave no batch, cannot be read, or holds a label beyond the classes.
        CheckpointError: The checkpoint in the folder does not fit, or one cannot be written.
    """
    given = locals()
    if isinstance(train_op, TrainOp):
        return loop.train(train_op, **on_functions(train, loop.train, given))
    return graph_loop.train(train_op, **in_a_graph(train, graph_loop.train, given))
