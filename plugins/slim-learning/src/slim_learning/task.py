"""`Task`: what a network learns of a dataset, whichever network and dataset these are."""

import abc
import dataclasses
import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf

import slimcore.registry as registry
from slimcore.errors import DataError, InputError, close
from slimcore.text import shown

Batch = Mapping[str, Any]
Option = bool | int | float | str

AVERAGED = "averaged/"
"""How the names of results begin that were computed with the moving averages of the weights."""


class Task(abc.ABC):
    """What a network learns: its loss, its metrics, its predictions, and how results are shown.

    A plugin offers a subclass by name, through the hook `slim_tasks`; `slim train --task NAME`
    makes an instance by `for_dataset`, and `slim eval`, `predict` and `export` make it again of its
    `config()`, which is kept in `run.json`. An instance knows no network, no image and no file:
    `slim-learning` brings these.

    A dataclass whose fields are the task's options needs only the five abstract members.

    Attributes:
        best: The numbers of a report that may choose the best checkpoint, each with "max" or "min".
            The first is shown in a line, and is the one for `--early-stopping`.
    """

    best: ClassVar[Mapping[str, str]] = {"loss": "min"}

    @classmethod
    def for_dataset(cls, dataset: Any, *args: Any, **options: Any) -> "Task":
        """Makes the task for a dataset.

        Args:
            dataset: The description of a split, with attributes such as `num_classes`.
            *args: Nothing; it lets a subclass name its options.
            **options: What `--task-option NAME=VALUE` says. A subclass names them as keyword
                arguments with defaults, whose types the values are turned to. By default they are
                the arguments of the class.

        Raises:
            InputError: The dataset lacks what the task needs, or an option has a wrong value.
        """
        return cls(**options)

    def config(self) -> dict[str, Any]:
        """Returns the arguments that make this task again, ready for JSON.

        By default the fields of a dataclass.
        """
        return dataclasses.asdict(self) if dataclasses.is_dataclass(self) else {}

    @property
    @abc.abstractmethod
    def num_outputs(self) -> int:
        """The size of the network's output for one example: its `num_classes`."""

    @property
    def items(self) -> Sequence[str]:
        """The items of an example that the task takes, beside "image": by default "label"."""
        return ("label",)

    @property
    def prepare(self) -> Callable[[Batch], Batch] | None:
        """From a batch as the dataset gives it to the one that `loss` and `metrics` take.

        By default None: it is taken as it is. See `require`.
        """
        return None

    @abc.abstractmethod
    def loss(self, batch: Batch, outputs: tf.Tensor, end_points: Mapping[str, Any]) -> tf.Tensor:
        """Returns the loss of a batch, a scalar; regularization losses are added to it.

        Args:
            batch: The items, each [batch, ...].
            outputs: The network's output, [batch, num_outputs].
            end_points: What else the network returned.
        """

    @abc.abstractmethod
    def metrics(self, batch: Batch, outputs: tf.Tensor) -> Mapping[str, Any]:
        """Returns streaming metrics by name, each a pair of value and update of `slim.metrics`."""

    @abc.abstractmethod
    def predict(self, outputs: tf.Tensor) -> dict[str, tf.Tensor]:
        """Returns what is predicted, by name, each [batch, ...]: the outputs of `slim export`."""

    @abc.abstractmethod
    def describe(self, prediction: Mapping[str, np.ndarray], top: int) -> str:
        """Returns the prediction for one example in a line.

        Args:
            prediction: What `predict` returned for it.
            top: How many possibilities to name, where there are several.
        """

    def report(self, results: Mapping[str, Any]) -> dict[str, Any]:
        """Returns what is said of an evaluation, ready for JSON.

        Args:
            results: The values of the metrics, numbers and arrays. By default they are the report.
        """
        return {name: np.asarray(value).tolist() for name, value in results.items()}

    def summary(self, report: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the few facts of a report that the record of the run keeps.

        By default what is a single value.
        """
        return {n: v for n, v in report.items() if not isinstance(v, list | tuple | dict)}

    def show(self, report: Mapping[str, Any]) -> None:
        """Prints a report for people to read: by default a line of its numbers.

        Args:
            report: What `report` returned, with `split` and `step`; where there are moving averages
                of the weights, the same of these is in `averaged`.
        """
        for title, numbers in (("", report), ("averaged weights: ", report.get("averaged"))):
            if numbers:
                said = ", ".join(f"{n} {v:.4f}" for n, v in numbers.items() if isinstance(v, float))
                print(f"{title}{shown(said)} ({report['split']}), step {report['step']:,}")

    def write(self, report: Mapping[str, Any], folder: str) -> list[str]:
        """Writes files beside `results.json`, such as an image, and returns their paths.

        By default none. An OSError is told by the command.
        """
        return []


def require(condition: tf.Tensor, message: str) -> tf.Operation:
    """Returns an operation that ends a run with a DataError where a condition does not hold.

    For `Task.prepare`: use it in `tf.control_dependencies`.

    Args:
        condition: Scalar bool.
        message: What is wrong with the data, and the remedy.
    """
    return tf.debugging.Assert(condition, [f"<require>{message}</require>"])


def unmet(error: BaseException) -> DataError | None:
    """Returns what `require` had to say, where an error of TensorFlow's comes from there."""
    found = re.search(r"<require>(.*?)</require>", str(getattr(error, "message", "") or error))
    return DataError(found[1]) if found else None


def create(name: str, dataset: Any, options: Mapping[str, Any]) -> Task:
    """Returns the task of a name for a dataset.

    Args:
        name: Any task, of any plugin.
        dataset: The description of a split.
        options: Values by name; texts are turned to the type of the option's default.

    Raises:
        UnknownComponentError: Nobody offers it.
        InputError: It takes no such option or value, or the dataset lacks what it needs.
    """
    kind = find(name)
    known = options_of(kind)
    given = {}
    for option, value in options.items():
        if option not in known:
            raise InputError(
                f"task {name} has no option {option!r}{close(option, known)}. "
                f"It has {', '.join(known) or 'none'}"
            )
        given[option] = _as_type_of(known[option], value, option)
    return kind.for_dataset(dataset, **given)


def recreate(name: str, config: Mapping[str, Any]) -> Task:
    """Returns the task of a name from what its `config()` returned.

    Raises:
        UnknownComponentError: Nobody offers it.
        InputError: It does not take this configuration.
    """
    try:
        return find(name)(**config)
    except (TypeError, ValueError) as error:
        raise InputError(f"task {name} cannot be made of its recorded settings: {error}") from error


def find(name: str) -> type[Task]:
    """Returns the class of a task.

    Raises:
        UnknownComponentError: Nobody offers it.
        InputError: What is offered is not a task.
    """
    kind = registry.lookup("task", name)
    if not (isinstance(kind, type) and issubclass(kind, Task)):
        component = registry.component("task", name)
        raise InputError(
            f"task {component} is not a subclass of slim_learning.Task; report it to the authors "
            f"of {component.distribution}"
        )
    return kind


def options_of(kind: type[Task]) -> dict[str, Any]:
    """Returns the options of a task with their defaults."""
    parameters = list(inspect.signature(kind.for_dataset).parameters.values())[1:]
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        parameters += inspect.signature(kind).parameters.values()
    named = (p for p in parameters if p.kind in (p.KEYWORD_ONLY, p.POSITIONAL_OR_KEYWORD))
    return {p.name: p.default for p in named if p.default is not p.empty}


_TRUE, _FALSE = ("true", "yes", "1"), ("false", "no", "0")


def _as_type_of(default: Any, value: Any, name: str) -> Any:
    if not isinstance(value, str) or isinstance(default, str) or default is None:
        return value
    if isinstance(default, bool):
        if value.lower() in (*_TRUE, *_FALSE):
            return value.lower() in _TRUE
    else:
        try:
            return type(default)(value)
        except ValueError:
            pass
    raise InputError(
        f"the task option {name} is {value!r}, and must be of the kind of its default, {default!r}"
    )
