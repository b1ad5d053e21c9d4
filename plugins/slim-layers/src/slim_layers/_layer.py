"""What all layers share: a scope, variables in it, and what happens to the outputs."""

from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, NoReturn

import tensorflow as tf

from slim_layers import _layouts as layouts
from slim_layers import utils
from slim_layers.initializers import xavier_initializer
from slimcore.errors import InputError, ShapeError, SlimError, first_line
from slimcore.module import current_module
from slimcore.precisions import computing, variable_dtype
from slimcore.variables import model_variable

Collections = str | Sequence[str] | None
VariablesCollections = Sequence[str] | Mapping[str, Sequence[str]] | None
Function = Callable[..., Any] | None

RELU: Any = tf.nn.relu
XAVIER: Any = xavier_initializer()
ZEROS = tf.compat.v1.zeros_initializer()
ONES = tf.compat.v1.ones_initializer()


class Layer:
    """One call of a layer, in its variable scope.

        with Layer("conv2d", "Conv", inputs, scope, reuse) as layer:
            weights = layer.variable("weights", shape, initializer)
            outputs = tf.nn.conv2d(layer.inputs, layer.read(weights), 1, "SAME")
            return layer.finish(outputs, activation_fn, outputs_collections)

    Attributes:
        inputs: The inputs, a tensor.
        scope: The variable scope, within the block.
    """

    def __init__(
        self,
        name: str,
        default_scope: str,
        inputs: Any,
        scope: Any = None,
        reuse: bool | None = None,
        trainable: bool = True,
        variables_collections: VariablesCollections = None,
    ) -> None:
        self.inputs = inputs if tf.is_tensor(inputs) else tf.convert_to_tensor(inputs)
        self._name = name
        self._trainable = trainable
        self._collections = variables_collections
        self._finishing = False
        self._moved = False
        self._entering = tf.compat.v1.variable_scope(
            scope, default_scope, [self.inputs], reuse=reuse
        )

    def __enter__(self) -> "Layer":
        self.scope = self._entering.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._entering.__exit__(kind, error, traceback)
        # What TensorFlow says of an op does not tell which layer it belongs to.
        own = isinstance(error, ValueError | tf.errors.InvalidArgumentError)
        if error and own and not isinstance(error, SlimError) and not self._finishing:
            raise ShapeError(
                f"{self} cannot take inputs of shape {self.inputs.shape} and type "
                f"{self.inputs.dtype.name}: {first_line(error)}"
            ) from error

    def __str__(self) -> str:
        return f"{self._name} (scope {self.scope.name})"

    def fail(self, what: str) -> NoReturn:
        """Raises a ShapeError that names this layer, its scope and its inputs."""
        raise ShapeError(f"{self} {what}; its inputs have shape {self.inputs.shape}")

    def refuse(self, what: str) -> NoReturn:
        """Raises an InputError that names this layer and its scope."""
        raise InputError(f"{self} {what}")

    def check_floating(self, dtype: tf.DType | None = None) -> None:
        """Raises an InputError unless the inputs, or what is made for them, are floating-point."""
        dtype = dtype or self.inputs.dtype
        if not (dtype.is_floating or dtype.is_complex):
            self.refuse(
                f"got inputs of {dtype.name}; it takes floating-point numbers: for images, "
                "tf.image.convert_image_dtype(images, tf.float32), and else tf.cast"
            )

    def check_function(self, what: str, value: Any, example: str) -> None:
        """Raises an InputError unless `value` is None or a function."""
        if value is not None and not callable(value):
            self.refuse(f"got {value!r} as {what}; it takes a function, such as {example}, or None")

    def check_choice(self, argument: str, value: Any, choices: Sequence[Any]) -> None:
        """Raises an InputError unless `value` is one of `choices`."""
        if value not in choices:
            allowed = ", ".join(map(repr, choices))
            self.refuse(f"got {argument}={value!r}; it takes {allowed}")

    def integers(self, argument: str, value: Any, n: int) -> tuple[int, ...]:
        """Returns `n` positive integers from one for all, or from a sequence of them."""
        if value.__class__ is int and value > 0:
            return (value,) * n
        try:
            return utils.n_positive_integers(n, value)
        except (TypeError, ValueError):
            self.refuse(
                f"got {argument}={value!r}; it takes a positive integer or a sequence of {n}"
            )

    def positive(self, argument: str, value: Any) -> int:
        """Returns an integer, which must be positive."""
        return self.integers(argument, value, 1)[0]

    def check_rank(self, *ranks: int) -> int:
        """Returns the rank of the inputs, which must be one of `ranks`."""
        rank = self.inputs.shape.rank
        if rank not in ranks:
            allowed = " or ".join(map(str, ranks))
            self.fail(f"takes inputs of rank {allowed}, not {rank}")
        return rank

    def static_dim(self, axis: int) -> int:
        """Returns the size of the inputs on an axis, which must be known."""
        size = self.inputs.shape[axis]
        if size is None:
            self.fail(f"needs inputs whose size on axis {axis} is known; use set_shape")
        return size

    def compute(self) -> Any:
        """Returns the inputs in the precision to compute in."""
        return computing(self.inputs)

    def arrange(
        self, inputs: Any, first: bool, *kinds: str, dilated: bool = False
    ) -> tuple[Any, bool]:
        """Returns the inputs as there are ops for them, and whether their channels are first.

        Where the channels are first and there is no such op for it, they are moved last, and back
        by `finish`.

        Args:
            inputs: The inputs, in the precision to compute in.
            first: Whether their channels are on axis 1.
            *kinds: What is computed, as `layouts.has_op` takes it.
            dilated: Whether kernels or windows are dilated.
        """
        dims = inputs.shape.rank - 2
        if not first or all(
            layouts.has_op(kind, dims, inputs.dtype.base_dtype, dilated) for kind in kinds
        ):
            return inputs, first
        self._moved = True
        return layouts.to_last(inputs), False

    def restore(self, outputs: Any) -> Any:
        """Returns the outputs with their channels first again, if `arrange` has moved them."""
        if self._moved:
            outputs, self._moved = layouts.to_first(outputs), False
        return outputs

    def variable(
        self,
        name: str,
        shape: Sequence[int],
        initializer: Any,
        regularizer: Function = None,
        key: str | None = None,
        **options: Any,
    ) -> Any:
        """Returns a model variable in this scope.

        Args:
            name: Its name, and the key of its own collections in `variables_collections`.
            shape: Its shape.
            initializer: A function of shape and dtype.
            regularizer: A function from the variable to a scalar loss.
            key: A second key of its collections, where its name is none.
            **options: As `slim.model_variable` takes them.
        """
        current_module(self)
        dtype = options.pop("dtype", None) or variable_dtype(self.inputs)
        self.check_floating(dtype)
        self.check_function(f"the regularizer of {name}", regularizer, "slim.l2_regularizer(1e-4)")
        if isinstance(initializer, str | int | float):
            self.check_function(f"the initializer of {name}", initializer, "tf.zeros_initializer()")
        collections = utils.get_variable_collections(self._collections, name)
        if collections is None and key is not None:
            collections = utils.get_variable_collections(self._collections, key)
        return model_variable(
            name,
            shape=shape,
            dtype=dtype,
            initializer=initializer,
            regularizer=regularizer,
            trainable=options.pop("trainable", self._trainable),
            collections=collections,
            **options,
        )

    def read(self, variable: Any) -> Any:
        """Returns a variable in the precision to compute in."""
        return computing(variable)

    def bias_or_normalize(
        self,
        outputs: Any,
        normalizer_fn: Function,
        normalizer_params: Mapping[str, Any] | None,
        initializer: Any,
        regularizer: Function,
        first: bool = False,
    ) -> Any:
        """Returns the outputs normalized, or else with `biases` added where there are any.

        Args:
            outputs: Tensor with as many channels as `biases` will have.
            normalizer_fn: Function of the outputs, in place of biases.
            normalizer_params: Further arguments for `normalizer_fn`.
            initializer: Initializer for the biases; None for no biases.
            regularizer: Regularizer for the biases.
            first: Whether the channels of the outputs are on axis 1; else they are last.
        """
        self.check_function("normalizer_fn", normalizer_fn, "slim.batch_norm")
        if normalizer_fn is not None:
            self._finishing = True
            moved, rank = self._moved, outputs.shape.rank
            outputs = normalizer_fn(self.restore(outputs), **(normalizer_params or {}))
            if moved and outputs.shape.rank == rank and not tf.executing_eagerly():
                # For the activation. The transposes meet those around it, and are optimized away.
                outputs, self._moved = layouts.to_last(outputs), True
            return outputs
        if initializer is None:
            return outputs
        channels = outputs.shape[1 if first else -1]
        biases = self.read(self.variable("biases", [channels], initializer, regularizer))
        if first or outputs.dtype == tf.float16:
            return tf.nn.bias_add(outputs, biases, "NC" if first else None)
        # An op of its own sums the gradient of this up in float32, and is quicker than what
        # TensorFlow makes of bias_add: there oneDNN sums while it computes the gradient of a
        # convolution's kernels, in one thread, and other kernels sum bfloat16 up in bfloat16. With
        # float16 it is the other way round.
        return tf.add(outputs, biases, name="BiasAdd")

    def finish(
        self, outputs: Any, activation_fn: Function = None, outputs_collections: Collections = None
    ) -> Any:
        """Returns the outputs, activated and gathered under the name of the scope."""
        self._finishing = True
        self.check_function("activation_fn", activation_fn, "tf.nn.relu")
        if activation_fn is not None:
            if not layouts.is_elementwise(activation_fn):
                outputs = self.restore(outputs)
            outputs = activation_fn(outputs)
        outputs = self.restore(outputs)
        # Eager name scopes are not numbered where they meet again, and variable scopes are.
        name_scope = self.scope.original_name_scope.rstrip("/")
        alias = self.scope.name if tf.executing_eagerly() else name_scope
        return utils.collect_named_outputs(outputs_collections, alias, outputs)
