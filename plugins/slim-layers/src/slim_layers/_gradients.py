"""Layers that change only gradients, or when what they need is computed."""

import contextlib
import contextvars
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from slimcore.collections import discarding
from slimcore.errors import InputError
from slimcore.randomness import next_seed, seeded


def scale_gradient(inputs: tf.Tensor, gradient_multiplier: Any) -> tf.Tensor:
    """Returns the inputs, and multiplies their gradient.

    Args:
        inputs: Tensor of any shape.
        gradient_multiplier: A number or a scalar tensor, negative to reverse the gradient.

    Returns:
        Tensor equal to `inputs`.

    Paper: Ganin & Lempitsky, "Unsupervised Domain Adaptation by Backpropagation", 2014,
    arXiv:1409.7495, section 3.
    """

    @tf.custom_gradient
    def scaled(x: tf.Tensor) -> Any:
        return tf.identity(x), lambda upstream: upstream * tf.cast(gradient_multiplier, x.dtype)

    return scaled(tf.convert_to_tensor(inputs))


def recompute_grad(
    fn: Callable[..., Any],
    use_data_dep: bool | str = "__rev_block_lib_default",
    tupleize_grads: bool = False,
) -> Callable[..., Any]:
    """Returns a function like `fn` whose inner values are computed again for its gradients.

    Nothing between the inputs and the outputs of `fn` is kept in memory. `fn` may use slim layers,
    whose variables are found again, and dropout, which drops the same units again. What it updates,
    such as the moving averages of `slim.batch_norm`, is updated in the first computation only where
    the updates are gathered (`updates_collections`), and twice otherwise.

    Args:
        fn: Function of tensors that returns a tensor or several.
        use_data_dep: Whether values depend on the gradients that arrive, so that XLA, too, computes
            them no sooner; by default not. Other schedulers obey without.
        tupleize_grads: Whether no gradient is handed on before all are computed.

    Paper: Chen et al., "Training Deep Nets with Sublinear Memory Cost", 2016, arXiv:1604.06174.
    """

    def recomputed(*args: Any) -> Any:
        function = Replayed(fn)
        structure: list[Any] = []

        @tf.custom_gradient
        def call(*inputs: tf.Tensor) -> Any:
            outputs = tf.nest.map_structure(tf.convert_to_tensor, function(*inputs))
            # The outputs themselves would keep alive, by the tapes around, what they came from.
            structure[:] = [tf.nest.map_structure(lambda _: None, outputs)]

            def gradient(*upstream: Any, variables: Sequence[Any] | None = None) -> Any:
                given = list(variables or ())
                waiting = _after(inputs, upstream, use_data_dep is True)
                with tf.GradientTape() as tape:
                    tape.watch(waiting)
                    outputs = tf.nest.flatten(function.again(*waiting))
                    again = [tf.convert_to_tensor(output) for output in outputs]
                pairs = [(y, g) for y, g in zip(again, upstream, strict=True) if g is not None]
                gradients = tape.gradient(
                    [y for y, _ in pairs], [*waiting, *given], [g for _, g in pairs]
                )
                if tupleize_grads:
                    gradients = together(gradients)
                to_inputs, to_variables = gradients[: len(inputs)], gradients[len(inputs) :]
                return (to_inputs, to_variables) if variables is not None else to_inputs

            return tf.nest.flatten(outputs), gradient

        flat = call(*[tf.convert_to_tensor(arg) for arg in args])
        return tf.nest.pack_sequence_as(structure[0], tf.nest.flatten(flat))

    return recomputed


class Replayed:
    """A function that can be called again, where and when gradients are computed.

    The second call uses the same variables, in the order in which the first asked for them, the
    same `arg_scope` and the same random numbers, and leaves nothing in the collections.
    """

    def __init__(self, fn: Callable[..., Any]) -> None:
        self._fn = fn
        self._variables: list[Any] = []
        self._scope: Any = None
        self._context: contextvars.Context | None = None
        self._seed: Any = None

    def __call__(self, *args: Any) -> Any:
        """Calls the function and takes note of what it uses."""

        def note(getter: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
            self._variables.append(getter(*args, **kwargs))
            return self._variables[-1]

        self._scope = tf.compat.v1.get_variable_scope()
        self._context = contextvars.copy_context()
        self._seed = next_seed()
        if self._seed is None:
            self._seed = tf.random.uniform([2], maxval=tf.int32.max, dtype=tf.int32)
        # Eagerly this pauses the tapes around, which would keep all values inside.
        with tf.init_scope() if tf.executing_eagerly() else contextlib.nullcontext():
            outputs = self._run(note, args)
        self._count_scopes()
        return outputs

    def again(self, *args: Any) -> Any:
        """Calls the function once more, with the same variables."""
        if self._context is None:
            raise InputError("a function cannot be called again before it was called")
        variables = iter(self._variables)

        def replay(getter: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
            return next(variables)

        def discarded() -> Any:
            with discarding():
                return self._run(replay, args)

        return self._context.copy().run(discarded)

    def _count_scopes(self) -> None:
        """Marks the scopes used as used, so that the next layer with a default name gets another.

        Leaving a scope that was entered again, as `_run` does, forgets what was opened inside.
        """
        outer = self._scope.name + "/" if self._scope.name else ""
        names = [str(v.name).removeprefix(outer) for v in self._variables]
        for scope in dict.fromkeys(n.partition("/")[0] for n in names if "/" in n):
            with tf.compat.v1.variable_scope(scope, auxiliary_name_scope=False):
                pass

    def _run(self, getter: Callable[..., Any], args: Sequence[Any]) -> Any:
        with (
            seeded(self._seed),
            tf.compat.v1.variable_scope(
                self._scope, custom_getter=getter, auxiliary_name_scope=False
            ),
        ):
            return self._fn(*args)


def together(tensors: Sequence[Any]) -> list[Any]:
    """Returns tensors, some of which may be None, none of which is there before all are."""
    present = iter(tf.tuple([t for t in tensors if t is not None]))
    return [None if t is None else next(present) for t in tensors]


def _after(inputs: Sequence[tf.Tensor], upstream: Sequence[Any], by_data: bool) -> list[tf.Tensor]:
    """Returns the inputs, there only once the gradients are."""
    arrived = [g for g in upstream if g is not None]
    with tf.control_dependencies(arrived):
        waiting = [tf.identity(x) for x in inputs]
    if not (by_data and arrived):
        return waiting
    # A zero that no compiler knows to be one.
    zero = tf.minimum(tf.abs(tf.reshape(arrived[0], [-1])[:1]), 0)
    zero = tf.reduce_sum(zero)
    return [x + tf.cast(zero, x.dtype) if x.dtype.is_floating else x for x in waiting]
