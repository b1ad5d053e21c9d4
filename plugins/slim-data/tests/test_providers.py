"""Readers, queues and providers in a graph give the examples that `slim.data.load` gives."""

import numpy as np
import pytest
import tensorflow as tf

import slimcore as slim
from slimcore.errors import DataError, InputError, RunError

v1 = tf.compat.v1
GraphKeys = v1.GraphKeys


@pytest.fixture
def numbers(tmp_path, write_records, example):
    """Three files of five examples each, with the numbers 0 to 14 as labels."""
    for file in range(3):
        records = [example(number=5 * file + n) for n in range(5)]
        write_records(tmp_path / f"numbers-{file}.tfrecord", records)
    decoder = slim.tfexample_decoder.TFExampleDecoder(
        {"number": tf.io.FixedLenFeature([], tf.int64)},
        {"label": slim.tfexample_decoder.Tensor("number")},
    )
    sources = str(tmp_path / "numbers-*.tfrecord")
    return slim.dataset.Dataset(sources, v1.TFRecordReader, decoder, 15, {"label": "A number."})


def run_all(build, limit=100, at_end=()):
    """Runs what `build` makes until the queues are empty; returns the values and the graph.

    What `build` puts into `at_end` is run once then, and is the last of the values.
    """
    with tf.Graph().as_default() as graph:
        fetched, values = build(), []
        with v1.Session() as session:
            session.run([v1.global_variables_initializer(), v1.local_variables_initializer()])
            coordinator = v1.train.Coordinator()
            threads = v1.train.start_queue_runners(session, coordinator)
            try:
                while len(values) < limit:
                    values.append(session.run(fetched))
            except tf.errors.OutOfRangeError:
                values += [session.run(fetch) for fetch in at_end]
            finally:
                coordinator.request_stop()
                coordinator.join(threads, ignore_live_threads=True)
    return values, graph


def queue_names(graph):
    runners = graph.get_collection(GraphKeys.QUEUE_RUNNERS)
    return [runner.queue.queue_ref.op.name for runner in runners]


def provided(dataset, items, **options):
    return lambda: slim.DatasetDataProvider(dataset, **options).get(items)


def test_a_provider_and_a_pipeline_yield_the_same_examples():
    dataset = slim.data.get_dataset("digits", "test")
    values, _ = run_all(provided(dataset, ["image", "label"], shuffle=False, num_epochs=1), 1000)
    batches = list(slim.data.load(dataset, batch_size=50))
    images = np.concatenate([batch["image"] for batch in batches])
    labels = np.concatenate([batch["label"] for batch in batches])
    np.testing.assert_array_equal([image for image, _ in values], images)
    np.testing.assert_array_equal([label for _, label in values], labels)


@pytest.mark.parametrize("readers", [1, 2, 8])
@pytest.mark.parametrize("shuffle", [False, True])
def test_every_example_is_read_once_an_epoch(numbers, readers, shuffle):
    build = provided(numbers, ["label"], num_readers=readers, shuffle=shuffle, num_epochs=2, seed=1)
    values, _ = run_all(build)
    labels = [int(label) for (label,) in values]
    assert sorted(labels) == sorted(list(range(15)) * 2)
    if readers == 1:
        assert (labels == list(range(15)) * 2) is not shuffle


def test_the_record_key_is_the_file_and_the_place(numbers):
    build = provided(numbers, ["record_key"], shuffle=False, num_epochs=1)
    keys = [key.decode() for (key,) in run_all(build)[0]]
    assert keys[0] == numbers.data_sources.replace("*", "0") + ":0"
    assert len(set(keys)) == 15


def test_ops_queues_and_summaries_have_the_names_of_tf_slim(numbers):
    _, graph = run_all(provided(numbers, ["label"], num_epochs=1))
    assert queue_names(graph) == ["parallel_read/filenames", "parallel_read/common_queue"]
    summaries = [summary.op.name for summary in graph.get_collection(GraphKeys.SUMMARIES)]
    assert "parallel_read/fraction_of_256_full" in summaries


def test_a_provider_lists_its_items(numbers):
    with tf.Graph().as_default():
        provider = slim.dataset_data_provider.DatasetDataProvider(numbers, record_key="key")
        assert provider.list_items() == ["label", "key"]
        assert provider.num_samples() == 15
        with pytest.raises(InputError, match="no item 'labels'. Close: label"):
            provider.get(["labels"])


def test_a_record_key_that_is_an_item_is_refused(numbers):
    with tf.Graph().as_default(), pytest.raises(InputError, match="record_key='label'"):
        slim.DatasetDataProvider(numbers, record_key="label")


def test_a_plain_provider_gives_what_it_was_given():
    provider = slim.data_provider.DataProvider({"a": 1, "b": 2}, 3)
    assert (provider.get(["b", "a"]), provider.num_samples()) == ([2, 1], 3)


def test_a_single_pass_reads_all_in_order(numbers):
    values, _ = run_all(
        lambda: slim.parallel_reader.single_pass_read(numbers.data_sources, v1.TFRecordReader)
    )
    records = [record for _, record in values]
    pattern = sorted(tf.io.gfile.glob(numbers.data_sources))
    assert records == [r.numpy() for r in tf.data.TFRecordDataset(pattern)]


def test_a_reader_takes_several_records_at_once_and_counts(numbers):
    def build():
        paths = v1.train.string_input_producer(
            sorted(tf.io.gfile.glob(numbers.data_sources)), num_epochs=1, shuffle=False
        )
        queue = tf.queue.FIFOQueue(20, [tf.string, tf.string], [[], []])
        reader = slim.parallel_reader.ParallelReader(v1.TFRecordReader, queue, num_readers=2)
        assert (reader.num_readers, reader.common_queue) == (2, queue)
        keys, _ = reader.read_up_to(paths, 4)
        # Counting waits for the readers, and would keep the threads that the readers wait for.
        counts.append(tf.stack([reader.num_records_produced(), reader.num_work_units_completed()]))
        return tf.size(keys)

    counts = []
    (*sizes, counted), _ = run_all(build, at_end=counts)
    assert sum(sizes) == 15
    assert counted.tolist() == [15, 3]


@pytest.mark.parametrize("dynamic_pad", [False, True])
def test_a_prefetch_queue_passes_a_dict_on(numbers, dynamic_pad):
    def build():
        (label,) = provided(numbers, ["label"], shuffle=False, num_epochs=1)()
        tensors = {"label": label, "twice": label * 2}
        if dynamic_pad:
            tensors["range"] = tf.range(label % 3)
        queue = slim.prefetch_queue.prefetch_queue(
            tensors, capacity=4, num_threads=2, dynamic_pad=dynamic_pad
        )
        return queue.dequeue()

    values, graph = run_all(build)
    assert sorted(value["label"] for value in values) == list(range(15))
    assert all(value["twice"] == 2 * value["label"] for value in values)
    if dynamic_pad:
        assert all(len(value["range"]) == value["label"] % 3 for value in values)
    name = "prefetch_queue/padding_fifo_queue" if dynamic_pad else "prefetch_queue/fifo_queue"
    assert queue_names(graph)[-1] == name


def test_a_prefetch_queue_passes_a_list_on():
    values, _ = run_all(lambda: slim.prefetch_queue.prefetch_queue([tf.ones([2])]).dequeue(), 2)
    np.testing.assert_array_equal(values, np.ones([2, 2]))


def test_files_are_found_by_path_and_pattern(numbers):
    files = slim.parallel_reader.get_data_files
    first, *others = files(numbers.data_sources)
    assert first.endswith("numbers-0.tfrecord")
    assert len(others) == 2
    assert files([first, numbers.data_sources.replace("*", "[12]")]) == [first, *others]
    with pytest.raises(DataError, match="no file matches"):
        files(first + "x")
    with pytest.raises(DataError, match="no file is given"):
        files([])


@pytest.mark.parametrize(
    "build",
    [
        lambda d: slim.DatasetDataProvider(d),
        lambda d: slim.parallel_reader.single_pass_read(d.data_sources, v1.TFRecordReader),
        lambda d: slim.prefetch_queue.prefetch_queue([tf.constant(1)]),
    ],
)
def test_queues_without_a_graph_point_to_the_pipeline(numbers, build):
    with pytest.raises(RunError, match=r"which only a tf.Graph has.*slim.data.load"):
        build(numbers)


def test_a_queue_that_holds_no_pairs_is_refused():
    with tf.Graph().as_default():
        queue = tf.queue.FIFOQueue(2, [tf.string])
        with pytest.raises(InputError, match="two components"):
            slim.parallel_reader.ParallelReader(v1.TFRecordReader, queue)
