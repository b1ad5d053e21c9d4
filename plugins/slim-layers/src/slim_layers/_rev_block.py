"""Reversible residual layers, whose inputs are computed again from their outputs."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import tensorflow as tf

from slim_layers._gradients import Replayed
from slimcore.errors import InputError

Pair = tuple[tf.Tensor, tf.Tensor]
Functions = Callable[..., tf.Tensor] | Sequence[Callable[..., tf.Tensor]]


class RevBlock:
    """Reversible layers to call on pairs of tensors, which then share their variables.

    Each layer computes y1 = x1 + f(x2) and y2 = x2 + g(y1). Its inputs follow from its outputs,
    so that training keeps only those of the last layer, at the cost of computing f and g twice.

    Variables: those that f and g make, under `<name>/revlayer_<i>/f` and `<name>/revlayer_<i>/g`.

    Paper: Gomez et al., "The Reversible Residual Network", 2017, arXiv:1707.04585.
    """

    def __init__(
        self,
        f: Functions,
        g: Functions,
        num_layers: int = 1,
        f_side_input: Sequence[tf.Tensor] | None = None,
        g_side_input: Sequence[tf.Tensor] | None = None,
        use_efficient_backprop: bool = True,
        name: str = "revblock",
        **kwargs: Any,
    ) -> None:
        """Keeps the functions; variables are made by the first call.

        Args:
            f: Function of a tensor, and of the list of side inputs where there are any, that
                returns a tensor of the same shape; or a list of one for each layer.
            g: The same, for the other half.
            num_layers: How many layers.
            f_side_input: Tensors for `f`, which get gradients too.
            g_side_input: Tensors for `g`.
            use_efficient_backprop: Whether to compute the inputs again; if not, they are kept.
            name: Default variable scope.

        Raises:
            InputError: A list of functions has another length than `num_layers`; or unknown
                arguments.
        """
        if kwargs:
            raise InputError(f"RevBlock takes no argument {', '.join(map(repr, sorted(kwargs)))}")
        self.f = _for_each_layer("f", f, num_layers)
        self.g = _for_each_layer("g", g, num_layers)
        self.num_layers = num_layers
        self.f_side_input = list(f_side_input or ())
        self.g_side_input = list(g_side_input or ())
        self.use_efficient_backprop = use_efficient_backprop
        self.name = name
        self._scope: str | None = None

    def __call__(self, inputs: Pair, forward: bool = True) -> Pair:
        """Computes outputs from inputs, or the inputs from the outputs."""
        return self.call(inputs, forward)

    def call(self, inputs: Pair, forward: bool = True) -> Pair:
        """Computes outputs from inputs, or the inputs from the outputs."""
        first, second = inputs
        return self.forward(first, second) if forward else self.backward(first, second)

    def build(self, _: Any) -> None:
        """Does nothing: the first call makes the variables."""

    def forward(self, x1: tf.Tensor, x2: tf.Tensor) -> Pair:
        """Computes the outputs.

        Args:
            x1: Float tensor.
            x2: Float tensor of the same shape.

        Returns:
            Two tensors of the same shape.
        """
        x1, x2 = tf.convert_to_tensor(x1), tf.convert_to_tensor(x2)
        with self._entered():
            if self.use_efficient_backprop:
                return self._efficiently(x1, x2)
            for i in range(self.num_layers):
                x1 = x1 + self._half("f", i, x2, self.f_side_input)
                x2 = x2 + self._half("g", i, x1, self.g_side_input)
            return x1, x2

    def backward(self, y1: tf.Tensor, y2: tf.Tensor) -> Pair:
        """Computes the inputs from the outputs."""
        y1, y2 = tf.convert_to_tensor(y1), tf.convert_to_tensor(y2)
        with self._entered():
            for i in reversed(range(self.num_layers)):
                y2 = y2 - self._half("g", i, y1, self.g_side_input)
                y1 = y1 - self._half("f", i, y2, self.f_side_input)
            return y1, y2

    @contextlib.contextmanager
    def _entered(self) -> Iterator[None]:
        # A default scope is numbered where the layers are first used, and then kept.
        if self._scope is None:
            entering = tf.compat.v1.variable_scope(None, self.name)
        else:
            entering = tf.compat.v1.variable_scope(self._scope, reuse=tf.compat.v1.AUTO_REUSE)
        with entering as scope:
            self._scope = scope.name.rpartition("/")[2]
            yield

    def _half(
        self, name: str, i: int, x: tf.Tensor, side: list[tf.Tensor], call: Any = None
    ) -> tf.Tensor:
        """Applies f or g of layer `i`, or what stands for it, in its scope."""
        call = call or getattr(self, name)[i]
        with tf.compat.v1.variable_scope(f"revlayer_{i}"), tf.compat.v1.variable_scope(name):
            return call(x, side) if side else call(x)

    def _efficiently(self, x1: tf.Tensor, x2: tf.Tensor) -> Pair:
        counts = len(self.f_side_input), len(self.g_side_input)

        @tf.custom_gradient
        def call(x1: tf.Tensor, x2: tf.Tensor, *side: tf.Tensor) -> Any:
            f_side, g_side = list(side[: counts[0]]), list(side[counts[0] :])
            fs = [Replayed(f) for f in self.f]
            gs = [Replayed(g) for g in self.g]
            for i in range(self.num_layers):
                x1 = x1 + self._half("f", i, x2, f_side, fs[i])
                x2 = x2 + self._half("g", i, x1, g_side, gs[i])

            def gradient(*upstream: tf.Tensor, variables: Sequence[Any] | None = None) -> Any:
                walk = _Backward((x1, x2), upstream, f_side, g_side, list(variables or ()))
                for f, g in zip(reversed(fs), reversed(gs), strict=True):
                    walk.through(f, g)
                to_inputs = [*walk.gradients, *walk.to_f_side, *walk.to_g_side]
                return (to_inputs, walk.to_variables) if variables is not None else to_inputs

            return (x1, x2), gradient

        return call(x1, x2, *self.f_side_input, *self.g_side_input)


class _Backward:
    """The way back through the layers: the pair of values, and the gradients found so far."""

    def __init__(
        self,
        outputs: Pair,
        upstream: Sequence[tf.Tensor],
        f_side: list[tf.Tensor],
        g_side: list[tf.Tensor],
        variables: list[Any],
    ) -> None:
        self.values = outputs
        self.gradients = tuple(upstream)
        self.variables = variables
        self.f_side, self.g_side = f_side, g_side
        self.to_f_side: list[Any] = [None] * len(f_side)
        self.to_g_side: list[Any] = [None] * len(g_side)
        self.to_variables: list[Any] = [None] * len(variables)

    def through(self, f: Replayed, g: Replayed) -> None:
        """Steps from the outputs of a layer to its inputs."""
        (y1, y2), (d1, d2) = self.values, self.gradients
        # One layer at a time, or the values of all would be in memory at once after all.
        with tf.control_dependencies([y1, y2, d1, d2]):
            y1, y2 = tf.identity(y1), tf.identity(y2)
        g_of_y1, to_y1, self.to_g_side = self._half(g, y1, self.g_side, d2, self.to_g_side)
        x2, d1 = y2 - g_of_y1, _sum(d1, to_y1)
        f_of_x2, to_x2, self.to_f_side = self._half(f, x2, self.f_side, d1, self.to_f_side)
        x1, d2 = y1 - f_of_x2, _sum(d2, to_x2)
        self.values, self.gradients = (x1, x2), (d1, d2)

    def _half(
        self, call: Replayed, x: tf.Tensor, side: list[tf.Tensor], upstream: Any, to_side: list[Any]
    ) -> tuple[tf.Tensor, Any, list[Any]]:
        """Computes f or g again. Returns its value, and the gradients of `x` and of `side`."""
        with tf.GradientTape() as tape:
            tape.watch([x, *side])
            y = call.again(x, side) if side else call.again(x)
        found = tape.gradient(y, [x, *side, *self.variables], upstream)
        n = 1 + len(side)
        self.to_variables = [_sum(a, b) for a, b in zip(self.to_variables, found[n:], strict=True)]
        return y, found[0], [_sum(a, b) for a, b in zip(to_side, found[1:n], strict=True)]


def _sum(first: Any, second: Any) -> Any:
    """Returns the sum of two gradients, of which None stands for 0."""
    if first is None or second is None:
        return second if first is None else first
    return tf.convert_to_tensor(first) + tf.convert_to_tensor(second)


def _for_each_layer(name: str, given: Functions, num_layers: int) -> list[Callable[..., Any]]:
    if callable(given):
        return [given] * num_layers
    if len(given) != num_layers:
        raise InputError(
            f"RevBlock got {len(given)} functions {name} for num_layers={num_layers}; pass one for "
            "all, or one for each"
        )
    return list(given)


def rev_block(
    x1: tf.Tensor,
    x2: tf.Tensor,
    f: Functions,
    g: Functions,
    num_layers: int = 1,
    f_side_input: Sequence[tf.Tensor] | None = None,
    g_side_input: Sequence[tf.Tensor] | None = None,
    is_training: bool = True,
) -> Pair:
    """Applies reversible layers: y1 = x1 + f(x2), y2 = x2 + g(y1), and so on with y1 and y2.

    Training keeps the last outputs only; see `slim.RevBlock`, also for the variables.

    Args:
        x1: Float tensor.
        x2: Float tensor of the same shape.
        f: Function of a tensor, and of the list of side inputs where there are any, that returns
            a tensor of the same shape; or a list of one for each layer.
        g: The same, for the other half.
        num_layers: How many layers.
        f_side_input: Tensors for `f`, which get gradients too.
        g_side_input: Tensors for `g`.
        is_training: Whether gradients will be asked for; without, the plain computation is built.

    Returns:
        Two tensors of the same shape.

    Raises:
        InputError: A list of functions has another length than `num_layers`.
    """
    block = RevBlock(
        f, g, num_layers, f_side_input, g_side_input, use_efficient_backprop=is_training
    )
    return block.forward(x1, x2)
