"""One way to use the optimizers of Keras 3 and of `tf.compat.v1.train` on a slim network.

Their state has stable names in checkpoints: a slot stands beside its variable
(`LeNet/fc3/weights/Momentum`), what belongs to no variable stands under `optimizer/`.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import tensorflow as tf

from slim_learning.optim.fused_updates import fused_update
from slim_learning.optim.gradients import GradientAndVariable
from slimcore.errors import InputError


class Optimizer(Protocol):
    """What the training step asks of an optimizer."""

    def build(self, variables: Sequence[Any]) -> None:
        """Makes the optimizer's own variables, where that has not happened."""

    def apply(self, grads_and_vars: Sequence[GradientAndVariable]) -> None:
        """Updates the variables; gradients of several replicas are summed."""

    def state(self, trained: Mapping[str, Any], made: Sequence[Any]) -> dict[str, Any]:
        """Returns the optimizer's variables by their names in a checkpoint."""

    def learning_rate(self) -> Any:
        """Returns the present learning rate, or None where it cannot be told."""


def adapted(optimizer: Any) -> Optimizer:
    """Returns an optimizer of either kind behind one interface.

    Raises:
        InputError: It is neither.
    """
    if isinstance(optimizer, tf.compat.v1.train.Optimizer):
        return V1Optimizer(optimizer)
    if isinstance(optimizer, tf.keras.optimizers.Optimizer):
        return KerasOptimizer(optimizer)
    raise InputError(
        f"optimizer is {shown(optimizer)}, which create_train_op cannot use; pass an optimizer of "
        "tf.keras.optimizers or tf.compat.v1.train, such as tf.keras.optimizers.Adam(0.001)"
    )


def shown(given: Any) -> str:
    """Returns what was given for an optimizer, as an error shows it."""
    if isinstance(given, type):
        return f"the class {given.__name__} itself, not an object made by calling it"
    if given is None or isinstance(given, str | int | float):
        return repr(given)
    return f"of type {type(given).__module__}.{type(given).__name__}"


class KerasOptimizer:
    """An optimizer of Keras 3."""

    def __init__(self, optimizer: Any) -> None:
        self.optimizer = optimizer

    def build(self, variables: Sequence[Any]) -> None:
        if not self.optimizer.built:
            with tf.init_scope():
                self.optimizer.build(list(variables))

    def apply(self, grads_and_vars: Sequence[GradientAndVariable]) -> None:
        slots = self.state({v.name.partition(":")[0]: v for _, v in grads_and_vars}, [])
        if not fused_update(self.optimizer, grads_and_vars, slots):
            self.optimizer.apply_gradients(list(grads_and_vars))

    def state(self, trained: Mapping[str, Any], made: Sequence[Any]) -> dict[str, Any]:
        # Keras names a slot after its variable, `LeNet_fc3_weights_0_momentum` or, before 3.4,
        # `LeNet_fc3_weights_momentum`; the longest match is the variable.
        stems = {re.sub(r"[/:]", "_", v.name): name for name, v in trained.items()}
        stems |= {re.sub(r"[/:]", "_", name): name for name in trained}
        state = {}
        for variable in self.optimizer.variables:
            fits = [stem for stem in stems if variable.name.startswith(stem + "_")]
            if fits:
                stem = max(fits, key=len)
                state[f"{stems[stem]}/{variable.name[len(stem) + 1 :]}"] = variable
            else:
                state[f"optimizer/{variable.name}"] = variable
        return state

    def learning_rate(self) -> Any:
        return self.optimizer.learning_rate


class V1Optimizer:
    """An optimizer of `tf.compat.v1.train`."""

    def __init__(self, optimizer: tf.compat.v1.train.Optimizer) -> None:
        self.optimizer = optimizer

    def build(self, variables: Sequence[Any]) -> None:
        """Leaves it to `apply`: these optimizers make their slots when first applied."""

    def apply(self, grads_and_vars: Sequence[GradientAndVariable]) -> None:
        self.optimizer.apply_gradients(list(grads_and_vars))

    def state(self, trained: Mapping[str, Any], made: Sequence[Any]) -> dict[str, Any]:
        # In a graph the slots of a variable are `…/Adam` and `…/Adam_1`, in the order of making.
        # Here their numbers go on from one optimizer of the process to the next, so that only
        # their order tells.
        state, slots = {}, set()
        for name, variable in trained.items():
            own = [self.optimizer.get_slot(variable, s) for s in self.optimizer.get_slot_names()]
            own = sorted((slot for slot in own if slot is not None), key=_number)
            slots |= {id(slot) for slot in own}
            for i, slot in enumerate(own):
                state[f"{name}/{self.optimizer.get_name()}{f'_{i}' if i else ''}"] = slot
        rest = [v for v in made if id(v) not in slots]
        return state | {f"optimizer/{v.name.partition(':')[0]}": v for v in rest}

    def learning_rate(self) -> Any:
        return None


def _number(variable: Any) -> int:
    found = re.search(r"_(\d+)(?::\d+)?$", variable.name)
    return int(found[1]) if found else 0
