"""What makes an error of TensorFlow's about data an error that names the file and the record."""

import weakref
from collections.abc import Callable
from typing import Any

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
record; where that is no text, Python fails to decode the message, and raises UnicodeDecodeError."""

Explain = Callable[[BaseException], Exception]

_EXPLAIN: "weakref.WeakKeyDictionary[Any, Explain]" = weakref.WeakKeyDictionary()


def explain_by(dataset: Any, explain: Explain) -> Any:
    """Notes how errors of a dataset's iteration are explained, and returns the dataset."""
    _EXPLAIN[dataset] = explain
    dataset.explain = explain
    return dataset


def explained(dataset: Any, error: BaseException) -> Exception:
    """Returns what an error of a dataset's iteration means, or the error where that is unknown."""
    explain = _EXPLAIN.get(dataset) or getattr(dataset, "explain", None)
    found = explain(error) if explain else error
    assert isinstance(found, Exception)
    return found
