"""Where in its dataset a run is, so that a resumed run sees the batches it would have seen."""

import functools
import re
import warnings
from typing import Any

import tensorflow as tf

import slimcore.checkpoints as checkpoints
import slimcore.data_errors as data_errors

_STATE, _COUNT = "data/iterator", "data/batches"


class DataPosition:
    """The iterator of a training dataset, with a position that a checkpoint keeps.

    The position is the state of the iterator, or, for a dataset that cannot tell its state
    (`from_generator`, or one that is distributed over replicas; any, just after a last batch that
    was not full), the number of batches taken, which a resumed run takes and discards. Either way
    the same batches follow only where the dataset is deterministic: seed its shuffling.
    """

    def __init__(
        self, dataset: tf.data.Dataset, strategy: tf.distribute.Strategy, repeat: bool = False
    ) -> None:
        """Starts at the beginning.

        Args:
            dataset: Gives batches.
            strategy: The strategy whose replicas share each batch.
            repeat: Whether the dataset begins anew at its end.
        """
        # The state holds the contents of shuffle buffers. `experimental_symbolic_checkpoint` would
        # hold positions alone, and makes a pipeline that decodes images many times slower.
        self._dataset = dataset.repeat() if repeat else dataset
        # Whoever made the dataset may know which record of which file was at fault.
        explain = functools.partial(data_errors.explained, dataset)
        self.explain = getattr(dataset, "explain", explain)
        self._strategy = strategy
        self._distributed = strategy.num_replicas_in_sync > 1
        self._taken = 0
        self._start()

    def _start(self) -> None:
        dataset = self._dataset
        if self._distributed:
            dataset = self._strategy.experimental_distribute_dataset(dataset)
        self.iterator = iter(dataset)
        self.element_spec = self.iterator.element_spec

    def advance(self, batches: int) -> None:
        """Notes that so many batches were taken from the iterator."""
        self._taken += batches

    def values(self) -> dict[str, tf.Tensor]:
        """Returns what a checkpoint keeps."""
        values = {_COUNT: tf.constant(self._taken, tf.int64)}
        if not self._distributed:
            try:
                state = tf.raw_ops.SerializeIterator(resource_handle=self._resource())
            except (tf.errors.UnimplementedError, tf.errors.FailedPreconditionError):
                return values  # such as a generator: the count alone
            if not _lacks_an_input(state):
                values[_STATE] = state
        return values

    def restore(self, path: str) -> None:
        """Takes up the position that a checkpoint keeps; one that keeps none leaves the start.

        Args:
            path: The checkpoint's prefix.
        """
        there = tf.train.load_checkpoint(path).get_variable_to_shape_map()
        if _COUNT not in there:
            return
        self._taken = int(_read(path, _COUNT, tf.int64))
        if _STATE not in there or self._distributed:
            # Not `Dataset.skip`, with which tf.data plans the pipeline, and shuffles, differently.
            _discard(self.iterator, tf.constant(self._taken))
            return
        state = _read(path, _STATE, tf.variant)
        try:
            tf.raw_ops.DeserializeIterator(resource_handle=self._resource(), serialized=state)
        except tf.errors.OpError as error:
            warnings.warn(
                f"checkpoint {path} was written with another dataset or other settings of it, so "
                f"the data start from their beginning: {checkpoints.first_line(error)}",
                RuntimeWarning,
                stacklevel=2,
            )
            self._start()

    def _resource(self) -> tf.Tensor:
        return tf.nest.flatten(self.iterator, expand_composites=True)[0]


def _lacks_an_input(state: tf.Tensor) -> bool:
    """Returns whether the state of an iterator leaves out a part of the pipeline.

    When a batch could not be filled, tf.data forgets what comes before the batching until the next
    epoch begins; with it goes the state of a shuffle, whose later orders would be others. The names
    in the state are `Iterator::Root::ForeverRepeat[0]::BatchV2@@input_impl_empty`.
    """
    found = re.findall(rb"Iterator::Root[ -~]*", tf.io.serialize_tensor(state).numpy())
    inner = {place for name in found for place in _places(name.partition(b"@@")[0])}
    empty = (name.partition(b"@@")[0] for name in found if b"@@input_impl_empty" in name)
    return any(place not in inner for place in empty)


def _places(place: bytes) -> list[bytes]:
    """Returns the places that one is in: `A` and `A::B` for `A::B[0]::C`."""
    ends = [match.start() for match in re.finditer(rb"::|\[", place)]
    return [place[:end] for end in ends]


@tf.function
def _discard(iterator: Any, batches: tf.Tensor) -> None:
    for _ in tf.range(batches):
        next(iterator)


def _read(path: str, name: str, dtype: tf.DType) -> tf.Tensor:
    (value,) = tf.raw_ops.RestoreV2(
        prefix=path, tensor_names=[name], shape_and_slices=[""], dtypes=[dtype]
    )
    return value
