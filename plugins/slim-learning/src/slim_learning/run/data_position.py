"""Where in its dataset a run is, so that a resumed run sees the batches it would have seen."""

import warnings
from typing import Any

import tensorflow as tf

from slimcore.data_errors import explained

_STATE, _COUNT = "data/iterator", "data/batches"

# How many batches a pipeline is taken to read ahead, at most, as by `prefetch`.
READ_AHEAD = 64


class DataPosition:
    """The iterator of a training dataset, with a position that a checkpoint keeps.

    The position is the state of the iterator, or, for a dataset that cannot tell its state
    (`from_generator`, or one that is distributed over replicas), the number of batches taken, which
    a resumed run takes and discards. Either way the same batches follow only where the dataset is
    deterministic: seed its shuffling.

    A state is not whole when a pipeline has read the last batch of an epoch and that batch was not
    full: tf.data then forgets what comes before the batching, such as the state of a shuffle, until
    the next epoch begins. So near the end of an epoch of known length whose batches may differ in
    size, the position is the number of batches, too. Batch with `drop_remainder=True` to resume at
    once everywhere.
    """

    def __init__(
        self, dataset: tf.data.Dataset, strategy: tf.distribute.Strategy, repeat: bool = False
    ) -> None:
        """Starts at the beginning.

        Args:
            dataset: Dataset of batches.
            strategy: Whose replicas share each batch.
            repeat: Whether the dataset begins anew at its end.
        """
        # The state holds the contents of shuffle buffers. `experimental_symbolic_checkpoint` would
        # hold positions alone, and makes a pipeline that decodes images many times slower.
        self._dataset = dataset.repeat() if repeat else dataset
        self._source, self._repeats, self._warned = dataset, repeat, False
        self._strategy = strategy
        self._distributed = strategy.num_replicas_in_sync > 1
        self._taken = 0
        self._start()

    def explain(self, error: Exception) -> Exception:
        """Returns what is known of an error in reading the data: which record was at fault."""
        return explained(self._source, error)

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
            if self._state_is_whole():
                values[_STATE] = state
        return values

    def _state_is_whole(self) -> bool:
        """Returns whether the pipeline cannot have read a last batch that is not full."""
        if not _sizes_may_differ(self.element_spec):
            return True
        batches = int(self._source.cardinality())
        if batches < 0:
            if self._repeats or batches == tf.data.INFINITE_CARDINALITY:
                self._warn_of_unknown_epochs()
            return True
        if not self._repeats:
            return True  # nothing comes after the only epoch
        return 0 < self._taken % batches < batches - READ_AHEAD

    def _warn_of_unknown_epochs(self) -> None:
        if not self._warned:
            self._warned = True
            warnings.warn(
                "where an epoch of the dataset ends cannot be told, so a run resumed just after a "
                "last batch that was not full may see its data in another order; batch with "
                "drop_remainder=True, or give the dataset a cardinality and let it not repeat "
                "itself (tf.data.experimental.assert_cardinality)",
                RuntimeWarning,
                stacklevel=4,
            )

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
                f"the data start from their beginning: {str(error.message).splitlines()[0]}",
                RuntimeWarning,
                stacklevel=2,
            )
            self._start()

    def _resource(self) -> tf.Tensor:
        return tf.nest.flatten(self.iterator, expand_composites=True)[0]


def _sizes_may_differ(element_spec: Any) -> bool:
    """Returns whether batches may differ in their number of examples."""
    specs = tf.nest.flatten(element_spec)
    shapes = [spec.shape for spec in specs if hasattr(spec, "shape")]
    return len(shapes) < len(specs) or any(
        shape.rank is None or (shape.rank > 0 and shape[0] is None) for shape in shapes
    )


@tf.function
def _discard(iterator: Any, batches: tf.Tensor) -> None:
    for _ in tf.range(batches):
        next(iterator)


def _read(path: str, name: str, dtype: tf.DType) -> tf.Tensor:
    (value,) = tf.raw_ops.RestoreV2(
        prefix=path, tensor_names=[name], shape_and_slices=[""], dtypes=[dtype]
    )
    return value
