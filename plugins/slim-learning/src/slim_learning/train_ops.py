"""A step of training as an object: `create_train_op` on a function of a batch."""

import contextvars
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import tensorflow as tf

from slim_learning.gradients import clip_gradient_norms, multiply_gradients, scaled
from slim_learning.optimizers import adapted
from slimcore.collections import collecting
from slimcore.errors import InputError, nearest
from slimcore.module import MODULES
from slimcore.randomness import seeded
from slimcore.variables import variable_name

LossFn = Callable[[Any], tf.Tensor]
NOT_FINITE = "the loss is inf or nan"
_SAME = tf.VariableAggregation.ONLY_FIRST_REPLICA


class TrainOp:
    """One step: the loss of a batch, its gradients, and the update of the variables.

    Called with a batch, it takes one step and returns the loss. `slim.learning.train` runs many.
    The loss function is traced as it is written, as a `slim.Module` is: conditions on tensors need
    `tf.cond`, or `@tf.function` on the function that has them.

    Attributes:
        global_step: int64 variable, the number of steps taken.
        optimizer: The optimizer given.
        loss: float32 variable, the loss of the last step.
        examples: int64 variable, the number of examples that all steps saw.
    """

    def __init__(
        self,
        loss_fn: LossFn,
        optimizer: Any,
        global_step: tf.Variable | None = None,
        variables_to_train: Sequence[Any] | None = None,
        clip_gradient_norm: float = 0,
        gradient_multipliers: Mapping[Any, Any] | None = None,
        check_numerics: bool = True,
        jit_compile: bool = False,
    ) -> None:
        self.optimizer = optimizer
        self._adapted = adapted(optimizer)
        self._loss_fn = loss_fn
        self._to_train = variables_to_train
        self._max_norm = clip_gradient_norm
        self._multipliers = gradient_multipliers
        self._check_numerics = check_numerics
        self._strategy = tf.distribute.get_strategy()
        with self._strategy.scope():
            self.global_step = _counter("global_step", 0) if global_step is None else global_step
            # Follows from `tf.random.set_seed`. With the step, it seeds each step's random draws.
            seed = tf.random.uniform([], maxval=tf.int64.max, dtype=tf.int64)
            self._seed = _counter("random_seed", seed)
            # Of this process alone: what the last step and all steps saw, to be read at leisure.
            self.loss = tf.Variable(0.0, trainable=False, aggregation=_SAME)
            self.examples = _counter("examples", 0)
        self._function = tf.function(self._step, autograph=False, jit_compile=jit_compile or None)
        self._many = tf.function(self._steps)
        self._first_trace: Any = None
        self._kept: dict[str, Any] = {}
        self._trained: dict[str, Any] = {}
        self._made: list[Any] = []

    @property
    def strategy(self) -> tf.distribute.Strategy:
        """The `tf.distribute` strategy that was in force when this was made."""
        return self._strategy

    @property
    def trained_variables(self) -> dict[str, Any]:
        """The variables that the optimizer updates, by name; known once it is built."""
        return dict(self._trained)

    @property
    def model_variables(self) -> dict[str, Any]:
        """The variables of the networks called by the loss function, by name, once it is built."""
        return dict(self._kept)

    @property
    def named_variables(self) -> dict[str, Any]:
        """All that a checkpoint keeps: networks, optimizer, global step and random seed."""
        return {
            **self._kept,
            **self._adapted.state(self._trained, self._made),
            "global_step": self.global_step,
            "random_seed": self._seed,
        }

    def learning_rate(self) -> float | None:
        """Returns the present learning rate, where the optimizer tells it."""
        rate = self._adapted.learning_rate()
        return None if rate is None else float(tf.convert_to_tensor(rate).numpy())

    def __call__(self, batch: Any) -> tf.Tensor:
        """Takes one step on a batch, and returns its loss."""
        self.build(tf.nest.map_structure(tf.type_spec_from_value, batch))
        return self._function(batch)

    def build(self, element_spec: Any) -> None:
        """Traces the step, which makes all variables with their first values, and runs nothing.

        Args:
            element_spec: What a batch looks like; a dataset has it as `element_spec`.

        Raises:
            InputError: The loss is no scalar, or depends on no variable.
        """
        if self._first_trace is not None:
            return

        def note(next_creator: Callable[..., Any], **kwargs: Any) -> Any:
            self._made.append(next_creator(**kwargs))
            return self._made[-1]

        with self._strategy.scope(), tf.variable_creator_scope(note):
            self._first_trace = self._function.get_concrete_function(element_spec)
        known = {id(v) for v in self._kept.values()}
        self._made = [v for v in self._made if id(v) not in known]

    def run(self, iterator: Any, steps: int) -> None:
        """Takes steps without coming back to Python in between.

        Args:
            iterator: Of the batches.
            steps: How many to take.
        """
        self._many(iterator, tf.constant(steps))

    def _steps(self, iterator: Any, steps: tf.Tensor) -> None:
        for _ in tf.range(steps):
            self._first_trace(next(iterator))

    def _step(self, batch: Any) -> tf.Tensor:
        strategy, context = self._strategy, contextvars.copy_context()
        # The context is a mapping, which strategy.run would take apart were it an argument.
        losses, counts = strategy.run(lambda b: self._in_replica(b, context), args=(batch,))
        loss = strategy.reduce(tf.distribute.ReduceOp.MEAN, losses, axis=None)
        # A step whose batch or loss failed is not counted.
        with tf.control_dependencies([loss]):
            self.loss.assign(loss)
            self.examples.assign_add(strategy.reduce(tf.distribute.ReduceOp.SUM, counts, axis=None))
            self.global_step.assign_add(1)
        return loss

    def _in_replica(self, batch: Any, context: contextvars.Context) -> tuple[tf.Tensor, tf.Tensor]:
        # A replica runs in a thread of its own, which would not see the arg_scopes in force.
        for variable, value in context.items():
            variable.set(value)
        replica = tf.distribute.get_replica_context()
        seed = tf.stack([self._seed, self.global_step])
        seed = tf.random.experimental.stateless_fold_in(seed, replica.replica_id_in_sync_group)
        with collecting() as gathered, seeded(seed), tf.GradientTape() as tape:
            loss = _checked_loss(self._loss_fn(batch))
            if self._check_numerics:
                loss = tf.debugging.check_numerics(loss, NOT_FINITE)
        self._keep(gathered.get(MODULES), tape.watched_variables())
        # Optimizers count their steps; they too shall not count one that failed.
        with tf.control_dependencies([loss]):
            self._update(tape, loss, replica)
        return tf.cast(loss, tf.float32), _count(batch)

    def _update(
        self, tape: tf.GradientTape, loss: tf.Tensor, replica: tf.distribute.ReplicaContext
    ) -> None:
        variables = list(self._trained.values())
        pairs = zip(tape.gradient(loss, variables), variables, strict=True)
        pairs = [(gradient, v) for gradient, v in pairs if gradient is not None]
        if not pairs:
            raise InputError("the loss depends on no variable that is trained; nothing would learn")
        variables = [v for _, v in pairs]
        build = tf.autograph.experimental.do_not_convert(self._adapted.build)
        replica.merge_call(lambda _: build(variables))
        replicas = self._strategy.num_replicas_in_sync
        if replicas > 1:
            # Clipping needs the gradient of the whole batch. The optimizers sum over replicas,
            # hence a share each.
            means = replica.all_reduce(tf.distribute.ReduceOp.MEAN, [g for g, _ in pairs])
            pairs = list(zip(means, variables, strict=True))
        if self._multipliers:
            pairs = multiply_gradients(pairs, self._multipliers)
        if self._max_norm:
            pairs = clip_gradient_norms(pairs, self._max_norm)
        if replicas > 1:
            pairs = [(scaled(gradient, 1 / replicas), v) for gradient, v in pairs]
        self._adapted.apply(pairs)

    def _keep(self, modules: Sequence[Any], watched: Sequence[Any]) -> None:
        """Notes the variables of one trace: what a checkpoint keeps, and what is trained."""
        kept = {name: v for module in modules for name, v in module.named_variables.items()}
        known = {id(v) for v in kept.values()}
        others = [v for v in watched if id(v) not in known]
        kept |= {variable_name(v): v for v in others}
        trainable = {name: v for name, v in kept.items() if v.trainable}
        self._kept, self._trained = kept, _chosen(trainable, self._to_train)


def _counter(name: str, value: Any) -> tf.Variable:
    return tf.Variable(
        tf.cast(value, tf.int64),
        trainable=False,
        name=name,
        aggregation=_SAME,
    )


def _checked_loss(loss: Any) -> tf.Tensor:
    if loss is None:
        raise InputError(
            "the loss function returned None; end it with: return slim.losses.get_total_loss()"
        )
    loss = tf.convert_to_tensor(loss)
    if loss.shape.rank != 0:
        raise InputError(
            f"the loss function must return a scalar, and returned shape {loss.shape}; take its "
            "mean with tf.reduce_mean"
        )
    return loss


def _count(batch: Any) -> tf.Tensor:
    """Returns the number of examples in a batch, the size of its first tensor."""
    tensors = [t for t in tf.nest.flatten(batch) if getattr(t, "shape", ())]
    return tf.shape(tensors[0], tf.int64)[0] if tensors else tf.constant(1, tf.int64)


def _chosen(trainable: Mapping[str, Any], wanted: Sequence[Any] | None) -> dict[str, Any]:
    """Returns the variables to train: all, those given, or those in the scopes given."""
    if wanted is None:
        return dict(trainable)
    scopes = [w.rstrip("/") for w in wanted if isinstance(w, str)]
    ids = {id(w) for w in wanted if not isinstance(w, str)}
    for scope in scopes:
        if not any(_within(name, scope) for name in trainable):
            known = {"/".join(n.split("/")[:d]) for n in trainable for d in range(1, 9)}
            raise InputError(
                f"no trainable variable is in the scope {scope!r}. Close: {nearest(scope, known)}"
            )
    return {
        name: v
        for name, v in trainable.items()
        if id(v) in ids or any(_within(name, scope) for scope in scopes)
    }


def _within(name: str, scope: str) -> bool:
    return name == scope or name.startswith(scope + "/")
