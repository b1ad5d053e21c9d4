"""A step of training as an object: `create_train_op` on a function of a batch."""

import contextvars
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from slim_learning.optim.adapters import adapted
from slim_learning.optim.ema import MovingAverages
from slim_learning.optim.gradients import clip_gradient_norms, multiply_gradients, scaled
from slim_learning.optim.variable_filter import chosen
from slim_learning.training_loop.step_errors import NOT_FINITE
from slimcore.collections import collecting
from slimcore.errors import InputError
from slimcore.global_step import counting
from slimcore.module import MODULES
from slimcore.randomness import seeded
from slimcore.replicas import sharing
from slimcore.variables import variable_name

LossFn = Callable[[Any], tf.Tensor]
# The loss of a batch, its number of examples, and the gradients.
Found = tuple[tf.Tensor, tf.Tensor, list[Any]]
_SAME = tf.VariableAggregation.ONLY_FIRST_REPLICA
_PART = tf.TensorSpec([], tf.int32)


@dataclass(frozen=True)
class Trace:
    """The variables that the loss function was found to use when it was traced.

    Attributes:
        kept: Those of its networks, by name, which a checkpoint keeps.
        trained: Those of them that are trained.
        with_gradient: Those of them that the loss depends on, in the order of the gradients.
    """

    kept: Mapping[str, Any]
    trained: Mapping[str, Any]
    with_gradient: Sequence[Any]

    @property
    def statistics(self) -> dict[str, Any]:
        """What a step changes beside the trained weights, such as moving averages, by name."""
        return {
            name: v
            for name, v in self.kept.items()
            if name not in self.trained and not v.trainable and v.dtype.is_floating
        }


class TrainOp:
    """One step: the loss of a batch, its gradients, and the update of the variables.

    Called with a batch, it takes one step and returns the loss. `slim.learning.train` runs many.
    The loss function is traced as it is written, as a `slim.Module` is: conditions on tensors need
    `tf.cond`, or `@tf.function` on the function that has them.

    On several replicas, loss and gradients are the averages over the replicas, each weighed by its
    share of the examples; one without examples counts nothing. So a mean over examples, such as
    `tf.reduce_mean`, equals that of one device with the whole batch, also where the replicas'
    batches differ in size. The losses of `slim.losses` that take weights divide by how many weights
    of all replicas are not zero (`slimcore.replicas.normalizer`), and equal one device, too, as do
    regularization losses. What compares examples with each other, such as batch normalization and
    the losses of metric learning, sees only those of its replica.

    Attributes:
        global_step: int64 variable, the number of steps taken.
        optimizer: The optimizer given.
        loss: float32 variable, the loss of the last step.
        examples: int64 variable, the number of examples that all steps saw.
        skipped: int64 variable, the number of steps whose update was left out, in this process.
        batches_a_step: How many batches a step takes.
        non_finite: What happens at an infinite or NaN loss: "stop", "skip" or "roll_back".
        checks: Whether such a loss ends the step with an error.
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
        accumulate_steps: int = 1,
        moving_average_decay: float | None = None,
        non_finite: str = "stop",
    ) -> None:
        """Keeps what a step is made of; its first use traces it and makes the variables.

        Args:
            loss_fn: From a batch to a scalar loss.
            optimizer: One of `tf.keras.optimizers` or `tf.compat.v1.train`. Its learning rate may
                be a schedule of Keras, or, of the latter, a function that reads
                `slim.get_global_step()`.
            global_step: int64 variable to count the steps in; one is made by default.
            variables_to_train: Variables, or names of variables or scopes; all by default.
            clip_gradient_norm: The largest L2 norm that each gradient keeps; 0 leaves them.
            gradient_multipliers: Factors by variable, by its name, or by a scope for all in it, so
                that layers learn at rates of their own.
            check_numerics: Whether an infinite or NaN loss is an error.
            jit_compile: Whether XLA compiles the step.
            accumulate_steps: The number of batches to one update, whose gradients are averaged.
                The global step counts updates.
            moving_average_decay: Decay for moving averages of trained weights, between 0 and 1;
                checkpoints keep them as `<name>/ExponentialMovingAverage`. None keeps none.
            non_finite: What happens at an infinite or NaN loss. "stop" ends the run;
                "skip" leaves out the update, of a gradient of that kind too, counts it in
                `skipped` and puts moving statistics back; "roll_back" lets
                `slim.learning.train` return to the last checkpoint and go on in the data.

        Raises:
            InputError: An option is out of its range, or the optimizer is none.
        """
        if non_finite not in ("stop", "skip", "roll_back"):
            raise InputError(f'non_finite is "stop", "skip" or "roll_back", not {non_finite!r}')
        if accumulate_steps < 1:
            raise InputError(f"accumulate_steps is {accumulate_steps}, and must be at least 1")
        self.optimizer = optimizer
        self.batches_a_step = accumulate_steps
        self.non_finite = non_finite
        self.checks = check_numerics and non_finite != "skip"
        self._adapted = adapted(optimizer)
        self._loss_fn = loss_fn
        self._to_train = variables_to_train
        self._max_norm = clip_gradient_norm
        self._multipliers = gradient_multipliers
        self._averages = MovingAverages(moving_average_decay) if moving_average_decay else None
        self._strategy = tf.distribute.get_strategy()
        with self._strategy.scope():
            self.global_step = _counter("global_step", 0) if global_step is None else global_step
            # Follows from `tf.random.set_seed`. With the step, it seeds each step's random draws.
            seed = tf.random.uniform([], maxval=tf.int64.max, dtype=tf.int64)
            self._seed = _counter("random_seed", seed)
            # Of this process alone: what the last step and all steps saw, to be read at leisure.
            self.loss = tf.Variable(0.0, trainable=False, aggregation=_SAME)
            self.examples = _counter("examples", 0)
            self.skipped = _counter("skipped", 0)
        self._jit = jit_compile or None
        self._many = tf.function(self._steps)
        self._built = False
        self._trace: Trace | None = None
        self._made: list[Any] = []

    @property
    def strategy(self) -> tf.distribute.Strategy:
        """The `tf.distribute` strategy that was in force when this was made."""
        return self._strategy

    @property
    def trained_variables(self) -> dict[str, Any]:
        """The variables that the optimizer updates, by name; known once it is built."""
        return dict(self._trace.trained) if self._trace else {}

    @property
    def statistics(self) -> dict[str, Any]:
        """The variables that a step changes beside those, such as moving averages, by name."""
        return self._trace.statistics if self._trace else {}

    @property
    def model_variables(self) -> dict[str, Any]:
        """The variables of the networks called by the loss function, by name, once it is built."""
        return dict(self._trace.kept) if self._trace else {}

    @property
    def named_variables(self) -> dict[str, Any]:
        """All that a checkpoint keeps: networks, averages, optimizer, step and random seed."""
        return {
            **self.model_variables,
            **self.moving_averages,
            **self._adapted.state(self.trained_variables, self._made),
            "global_step": self.global_step,
            "random_seed": self._seed,
        }

    @property
    def moving_averages(self) -> dict[str, Any]:
        """The moving averages of the trained variables, by their names in a checkpoint."""
        return self._averages.named_variables if self._averages else {}

    def begin_averages(self, but: Collection[str] = ()) -> None:
        """Sets the moving averages, less those named, to the present values of the weights."""
        if self._averages:
            self._averages.begin(but)

    def learning_rate(self) -> float | None:
        """Returns the present learning rate, where the optimizer tells it."""
        rate = self._adapted.learning_rate()
        return None if rate is None else float(tf.convert_to_tensor(rate).numpy())

    def __call__(self, *batches: Any) -> tf.Tensor:
        """Takes one step on a batch, or on as many as `accumulate_steps` says; returns the loss."""
        if len(batches) != self.batches_a_step:
            raise InputError(
                f"a step of this train op takes {self.batches_a_step} batches "
                f"(accumulate_steps), and got {len(batches)}"
            )
        self.build(tf.nest.map_structure(tf.type_spec_from_value, batches[0]))
        if self.batches_a_step == 1:
            return self._whole_step(batches[0])
        return self._update_from(self._sums(iter(batches).__next__, range(1, len(batches))))

    def build(self, element_spec: Any) -> None:
        """Traces the step, which makes all variables with their first values, and runs nothing.

        Args:
            element_spec: What a batch looks like; a dataset has it as `element_spec`.

        Raises:
            InputError: The loss is no scalar, or depends on no variable.
        """
        if self._built:
            return
        self._trace = None  # of a build that failed

        def note(next_creator: Callable[..., Any], **kwargs: Any) -> Any:
            if tf.executing_eagerly():
                # Made outside of the function being traced. Otherwise TensorFlow would take it for
                # one to be lifted out of it, and trace the function once more without it.
                kwargs["experimental_enable_variable_lifting"] = False
            self._made.append(next_creator(**kwargs))
            return self._made[-1]

        skips, several = self.non_finite == "skip", self.batches_a_step > 1
        with self._strategy.scope(), tf.variable_creator_scope(note):
            if skips or several:
                jit = None if skips else self._jit  # what is called by a compiled function is, too
                gradients = self._traced(self._gradients, element_spec, _PART, jit_compile=jit)
                if skips:
                    # Which statistics to put back is known only now that the loss was traced.
                    inner = gradients

                    def guarded(batch: Any, part: tf.Tensor) -> Found:
                        return self._with_finite_statistics(inner, batch, part)

                    gradients = self._traced(guarded, element_spec, _PART)
                self._gradients_of = gradients
            if several:
                specs = tf.nest.map_structure(
                    tf.type_spec_from_value, self._gradients_of.structured_outputs
                )
                self._update_from = self._traced(self._update, specs)
            else:
                gradients = self._gradients_of if skips else self._gradients
                self._whole_step = self._traced(
                    lambda batch: self._update(gradients(batch, tf.constant(0))), element_spec
                )
        known = [*self.model_variables.values(), *self.moving_averages.values()]
        ids = {id(v) for v in known}
        self._made = [v for v in self._made if id(v) not in ids]
        self._built = True

    def _traced(self, function: Callable[..., Any], *specs: Any, **options: Any) -> Any:
        options = {"jit_compile": self._jit, **options}
        return tf.function(function, autograph=False, **options).get_concrete_function(*specs)

    def run(self, iterator: Any, steps: int) -> None:
        """Takes steps without coming back to Python in between.

        Args:
            iterator: Iterator over the batches.
            steps: How many to take.
        """
        self._many(iterator, tf.constant(steps))

    def _steps(self, iterator: Any, steps: tf.Tensor) -> None:
        for _ in tf.range(steps):
            if self.batches_a_step == 1:
                self._whole_step(next(iterator))
            else:
                parts = tf.range(1, self.batches_a_step)
                self._update_from(self._sums(lambda: next(iterator), parts))

    def _sums(self, next_batch: Callable[[], Any], parts: Any) -> Any:
        """Returns what the batches of a step add up to."""
        sums = self._gradients_of(next_batch(), tf.constant(0))
        for part in parts:
            more = self._gradients_of(next_batch(), tf.cast(part, tf.int32))
            sums = tf.nest.map_structure(tf.add, sums, more)
        return sums

    def _gradients(self, batch: Any, part: tf.Tensor) -> Found:
        """Returns loss and gradients, means over the batch, and its number of examples.

        What the first trace found out of the variables is kept in `_trace`.

        Args:
            batch: The batch of one replica or of all.
            part: The number of the batch among those of its step.
        """
        strategy, context = self._strategy, contextvars.copy_context()
        # The context is a mapping, which strategy.run would take apart were it an argument.
        losses, counts, gradients, traces = strategy.run(
            lambda b: self._in_replica(b, part, context), args=(batch,)
        )
        self._trace = self._trace or strategy.experimental_local_results(traces)[0]
        loss = strategy.reduce(tf.distribute.ReduceOp.MEAN, losses, axis=None)
        count = strategy.reduce(tf.distribute.ReduceOp.SUM, counts, axis=None)
        # The replicas have averaged them, so that all hold the same.
        gradients = [strategy.experimental_local_results(g)[0] for g in gradients]
        if self.batches_a_step > 1:
            gradients = [tf.convert_to_tensor(g) for g in gradients]
        return loss, count, gradients

    def _with_finite_statistics(
        self, gradients: Callable[..., Found], batch: Any, part: tf.Tensor
    ) -> Found:
        """Returns what `gradients` returns; statistics stay as they were where it is not finite."""
        before = [(v, tf.identity(v)) for v in self.statistics.values()]
        loss, count, found = gradients(batch, part)
        finite = _all_finite([loss, *found, *(v for v, _ in before)])
        for v, value in before:
            v.assign(tf.where(finite, v, value))
        return loss, count, found

    def _in_replica(
        self, batch: Any, part: tf.Tensor, context: contextvars.Context
    ) -> tuple[tf.Tensor, tf.Tensor, list[Any], Trace]:
        # A replica runs in a thread of its own, which would not see the arg_scopes in force.
        for variable, value in context.items():
            variable.set(value)
        replica = tf.distribute.get_replica_context()
        seed = tf.stack([self._seed, self.global_step])
        seed = tf.random.experimental.stateless_fold_in(seed, replica.replica_id_in_sync_group)
        if self.batches_a_step > 1:
            seed = tf.random.experimental.stateless_fold_in(seed, part)
        count = _count(batch)
        share = self._share(replica, count)
        with (
            counting(self.global_step),
            collecting() as gathered,
            seeded(seed),
            sharing(share),
            tf.GradientTape() as tape,
        ):
            loss = _checked_loss(self._loss_fn(batch))
        kept = _variables_used(gathered.get(MODULES), tape.watched_variables())
        trained = chosen({name: v for name, v in kept.items() if v.trainable}, self._to_train)
        every = zip(tape.gradient(loss, list(trained.values())), trained.values(), strict=True)
        pairs = [(gradient, v) for gradient, v in every if gradient is not None]
        if not pairs:
            raise InputError("the loss depends on no variable that is trained; nothing would learn")
        gradients, with_gradient = (list(each) for each in zip(*pairs, strict=True))
        loss = tf.cast(loss, tf.float32)
        if share is not None:
            weight = share * self._strategy.num_replicas_in_sync
            loss = _weighted(loss, weight)
            # Clipping needs the gradient of the whole batch.
            gradients = replica.all_reduce(
                tf.distribute.ReduceOp.MEAN, [_weighted(g, weight) for g in gradients]
            )
        return loss, count, gradients, Trace(kept, trained, with_gradient)

    def _share(self, replica: Any, count: tf.Tensor) -> tf.Tensor | None:
        """Returns which part of the examples of all replicas is here; None with one replica."""
        if self._strategy.num_replicas_in_sync == 1:
            return None
        count = tf.cast(count, tf.float32)
        total = replica.all_reduce(tf.distribute.ReduceOp.SUM, count)
        return tf.math.divide_no_nan(count, total)

    def _update(self, found: Found) -> tf.Tensor:
        """Updates the variables by what `_gradients` found in the batches of a step."""
        assert self._trace is not None
        loss, count, gradients = found
        if self.batches_a_step > 1:
            loss = loss / self.batches_a_step
            gradients = [scaled(g, 1 / self.batches_a_step) for g in gradients]
        build = tf.autograph.experimental.do_not_convert(self._adapted.build)
        build(self._trace.with_gradient)
        if self._averages:
            self._averages.build(self._trace.trained)
        if self.checks:
            loss = tf.debugging.check_numerics(loss, NOT_FINITE)
        # A step whose batch or loss failed is not counted, by the optimizer neither.
        with tf.control_dependencies([loss]):
            if self.non_finite == "skip":
                finite = _all_finite([loss, *gradients])
                tf.cond(finite, lambda: self._apply(loss, _in_branch(gradients)), lambda: None)
                self.skipped.assign_add(tf.cast(tf.logical_not(finite), tf.int64))
            else:
                self._apply(loss, gradients)
            self.loss.assign(loss)
            self.examples.assign_add(count)
            self.global_step.assign_add(1)
        return loss

    def _apply(self, loss: tf.Tensor, gradients: Sequence[Any]) -> None:
        context = contextvars.copy_context()
        self._strategy.run(lambda: self._apply_in_replica(loss, gradients, context))
        if self._averages:
            self._averages.update(self.global_step, self._strategy)

    def _apply_in_replica(
        self, loss: tf.Tensor, gradients: Sequence[Any], context: contextvars.Context
    ) -> None:
        for variable, value in context.items():
            variable.set(value)
        assert self._trace is not None
        pairs = list(zip(gradients, self._trace.with_gradient, strict=True))
        if self._multipliers:
            pairs = multiply_gradients(pairs, self._multipliers)
        if self._max_norm:
            pairs = clip_gradient_norms(pairs, self._max_norm)
        replicas = self._strategy.num_replicas_in_sync
        if replicas > 1:
            # The optimizers sum over replicas, hence a share each.
            pairs = [(scaled(gradient, 1 / replicas), v) for gradient, v in pairs]
        with counting(self.global_step), tf.control_dependencies([loss]):
            self._adapted.apply(pairs)


def _variables_used(modules: Sequence[Any], watched: Sequence[Any]) -> dict[str, Any]:
    """Returns the variables of the networks called, and those that the gradients' tape saw."""
    kept = {name: v for module in modules for name, v in module.named_variables.items()}
    known = {id(v) for v in kept.values()}
    return kept | {variable_name(v): v for v in watched if id(v) not in known}


def _weighted(value: Any, weight: tf.Tensor) -> Any:
    """Returns a loss or gradient times a weight; of weight 0, an empty replica's, it is 0."""
    if isinstance(value, tf.IndexedSlices):
        return tf.IndexedSlices(_weighted(value.values, weight), value.indices, value.dense_shape)
    return tf.math.multiply_no_nan(value, tf.cast(weight, value.dtype))


def _in_branch(gradients: Sequence[Any]) -> Any:
    """Returns gradients as tensors of the branch being traced, where only some may be scaled."""
    return tf.nest.map_structure(tf.identity, list(gradients), expand_composites=True)


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
    if isinstance(loss, tuple | list | dict):
        raise InputError(
            f"the loss function must return a scalar alone, and returned a {type(loss).__name__}; "
            "keep what else it computes, such as logits, out of what it returns"
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
    tensors = [t for t in tf.nest.flatten(batch) if t.shape.rank != 0]
    return tf.shape(tensors[0], tf.int64)[0] if tensors else tf.constant(1, tf.int64)


def _all_finite(tensors: Sequence[Any]) -> tf.Tensor:
    values = [t.values if isinstance(t, tf.IndexedSlices) else t for t in tensors]
    return tf.reduce_all([tf.reduce_all(tf.math.is_finite(v)) for v in values])
