"""What explains the errors that bad data raises in an input pipeline.

TensorFlow's error for a bad record knows neither its file nor its number. Whoever makes a dataset
may know more, and says so with `explain_by`; whoever iterates over it asks with `explained`. So a
training loop need not know where its batches come from:

    try:
        batch = next(iterator)
    except BAD_DATA as error:
        raise explained(dataset, error) from error
"""

import weakref
from collections.abc import Callable

import tensorflow as tf

BAD_DATA = (
    tf.errors.DataLossError,
    tf.errors.InvalidArgumentError,
    tf.errors.NotFoundError,
    tf.errors.PermissionDeniedError,
    tf.errors.UnknownError,
    UnicodeDecodeError,
)
"""What TensorFlow raises for files, records and images that cannot be read. Its message may quote a
record; where that is not text, Python fails to decode the message and raises UnicodeDecodeError."""

Explain = Callable[[Exception], Exception]

_explanations: weakref.WeakKeyDictionary[tf.data.Dataset, Explain] = weakref.WeakKeyDictionary()


def explain_by(dataset: tf.data.Dataset, explain: Explain) -> None:
    """Remembers, for as long as a dataset lives, what explains the errors of iterating over it.

    A dataset made from it, as by `map`, is another one: it needs an explanation of its own, such as
    `explain_by(mapped, lambda error: explained(dataset, error))`.

    Args:
        dataset: The dataset.
        explain: From one of `BAD_DATA` to the error to raise in its place, or to the same error
            where it does not know better. It must not refer to `dataset`, which would live forever.
    """
    _explanations[dataset] = explain


def explained(dataset: object, error: Exception) -> Exception:
    """Returns the error to raise in place of one of `BAD_DATA`.

    Args:
        dataset: What was iterated over; it need not be a dataset.
        error: What TensorFlow raised.

    Returns:
        Usually a `DataError` that names the file and the record; `error` itself where nobody knows
        more about it.
    """
    try:
        explain = _explanations.get(dataset)
    except TypeError:  # nothing that can be a key: a list of batches, for example
        return error
    return error if explain is None else explain(error)
