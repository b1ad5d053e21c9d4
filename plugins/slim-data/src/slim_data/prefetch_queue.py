"""`prefetch_queue`: batches made ahead in a graph, while the step before is computed."""

from collections.abc import Mapping, Sequence

import tensorflow as tf

from slim_data.parallel_reader import require_graph, summarize_fullness

v1 = tf.compat.v1


def prefetch_queue(
    tensors: Sequence[tf.Tensor] | Mapping[str, tf.Tensor],
    capacity: int = 8,
    num_threads: int = 1,
    dynamic_pad: bool = False,
    shared_name: str | None = None,
    name: str | None = None,
) -> tf.queue.QueueBase:
    """Makes a queue that queue runners fill with tensors ahead of their use.

    Args:
        tensors: A list or a dict of tensors, such as a batch.
        capacity: Number of elements to hold ready.
        num_threads: Number of threads that make them.
        dynamic_pad: Whether unknown dimensions may differ from one element to the next.
        shared_name: Name under which sessions share the queue.
        name: Name scope of the ops, "prefetch_queue" by default.

    Returns:
        A queue; `dequeue()` gives what was put in, a list or a dict.

    Raises:
        RunError: There is no graph.
    """
    require_graph("prefetch_queue")
    names = None
    if isinstance(tensors, Mapping):
        names = sorted(tensors)
        values = [tf.convert_to_tensor(tensors[key]) for key in names]
    else:
        values = [tf.convert_to_tensor(tensor) for tensor in _listed(tensors)]
    with tf.name_scope(name or "prefetch_queue"):
        kind = tf.queue.PaddingFIFOQueue if dynamic_pad else tf.queue.FIFOQueue
        queue = kind(
            capacity,
            dtypes=[value.dtype for value in values],
            shapes=[value.shape for value in values],
            names=names,
            shared_name=shared_name,
            name="padding_fifo_queue" if dynamic_pad else "fifo_queue",
        )
        element = dict(zip(names, values, strict=True)) if names else values
        enqueue = queue.enqueue(element)
        v1.train.add_queue_runner(v1.train.QueueRunner(queue, [enqueue] * num_threads))
        summarize_fullness(queue, capacity)
    return queue


def _listed(tensors: Sequence[tf.Tensor] | tf.Tensor) -> list[tf.Tensor]:
    return [tensors] if tf.is_tensor(tensors) else list(tensors)
