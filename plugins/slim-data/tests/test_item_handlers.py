"""Every item handler gives what it should, in a graph and in tf.data alike."""

import numpy as np
import pytest
import tensorflow as tf

import slimcore as slim
from slimcore.errors import InputError

td = slim.tfexample_decoder
FIXED, VAR = tf.io.FixedLenFeature, tf.io.VarLenFeature
ANY = tf.io.FixedLenSequenceFeature
INTS, FLOATS, STRINGS = VAR(tf.int64), VAR(tf.float32), VAR(tf.string)


def in_graph(decoder, record):
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        (item,) = decoder().decode(tf.constant(record), ["x"])
        session.run(tf.compat.v1.tables_initializer())
        return session.run(item)


def in_pipeline(decoder, record):
    made = decoder()
    dataset = tf.data.Dataset.from_tensors(record).map(lambda r: made.decode(r, ["x"])[0])
    return next(iter(dataset))


def lookup_table():
    pairs = tf.lookup.KeyValueTensorInitializer(["cat", "dog"], tf.constant([3, 4], tf.int64))
    return tf.lookup.StaticHashTable(pairs, -1)


def tenfold(features):
    return features["b"] * 10


A = {"a": INTS}
BOX = dict.fromkeys(("ymin", "xmin", "ymax", "xmax"), FLOATS)
SPARSE = {"indices": INTS, "values": FLOATS, "shape": FIXED([1], tf.int64)}
SPARSE_VALUES = {"indices": [1, 3], "values": [0.5, 0.25], "shape": [5]}

# Name: features parsed, handler, features of the example, item.
CASES = {
    "a tensor as it is": ({"a": FIXED([3], tf.int64)}, lambda: td.Tensor("a"),
                          {"a": [1, 2, 3]}, [1, 2, 3]),
    "a tensor reshaped": ({"a": FIXED([4], tf.int64)}, lambda: td.Tensor("a", shape=[2, 2]),
                          {"a": [1, 2, 3, 4]}, [[1, 2], [3, 4]]),
    "a sparse tensor made dense": (A, lambda: td.Tensor("a"), {"a": [1, 2]}, [1, 2]),
    "a sparse tensor reshaped": (A, lambda: td.Tensor("a", shape=[-1, 1]),
                                 {"a": [1, 2]}, [[1], [2]]),
    "a missing sparse tensor": (A, lambda: td.Tensor("a"), {"b": 1}, []),
    "a missing tensor's default": ({"a": FIXED([], tf.int64, 7)}, lambda: td.Tensor("a"),
                                   {"b": 1}, 7),
    "a shape from one key": ({"a": INTS, "s": INTS}, lambda: td.Tensor("a", shape_keys="s"),
                             {"a": [1, 2, 3, 4], "s": [2, 2]}, [[1, 2], [3, 4]]),
    "a shape from two keys": (
        {"a": INTS, "h": INTS, "w": FIXED([], tf.int64)},
        lambda: td.Tensor("a", shape_keys=["h", "w"]),
        {"a": [1, 2], "h": 1, "w": 2}, [[1, 2]],
    ),
    "strings": ({"a": STRINGS}, lambda: td.Tensor("a", default_value=""),
                {"a": [b"x", b"y"]}, [b"x", b"y"]),
    "a table's values": ({"a": STRINGS}, lambda: td.LookupTensor("a", lookup_table()),
                         {"a": [b"dog", b"bird"]}, [4, -1]),
    "a table's values reshaped": (
        {"a": STRINGS}, lambda: td.LookupTensor("a", lookup_table(), shape=[2, 1]),
        {"a": [b"dog", b"cat"]}, [[4], [3]],
    ),
    "the backup of what is missing": (
        {"a": INTS, "b": INTS}, lambda: td.BackupHandler(td.Tensor("a"), td.Tensor("b")),
        {"b": [1, 2]}, [1, 2],
    ),
    "no backup of what is there": (
        {"a": INTS, "b": INTS}, lambda: td.BackupHandler(td.Tensor("a"), td.Tensor("b")),
        {"a": [9], "b": [1, 2]}, [9],
    ),
    "a function of the features": (
        {"a": INTS, "b": FIXED([1], tf.int64)}, lambda: td.ItemHandlerCallback("b", tenfold),
        {"a": [1], "b": [2]}, [20],
    ),
    "boxes": (BOX, td.BoundingBox,
              {"ymin": [0.0, 0.25], "xmin": [0.5, 0.5], "ymax": [1.0, 1.0], "xmax": [1.0, 0.75]},
              [[0, 0.5, 1, 1], [0.25, 0.5, 1, 0.75]]),
    "no boxes": (BOX, td.BoundingBox, {"a": 1}, np.zeros([0, 4])),
    "boxes with a prefix": (
        {f"b/{key}": FLOATS for key in BOX}, lambda: td.BoundingBox(prefix="b/"),
        {"b__ymin": 0.0, "b__xmin": 0.5, "b__ymax": 1.0, "b__xmax": 1.0}, [[0, 0.5, 1, 1]],
    ),
    "a sparse tensor densified": (
        SPARSE, lambda: td.SparseTensor(shape=[5], densify=True, default_value=-1),
        SPARSE_VALUES, [-1, 0.5, -1, 0.25, -1],
    ),
    "a sparse matrix densified": (
        SPARSE, lambda: td.SparseTensor(shape=[2, 3], densify=True),
        {"indices": [0, 1, 1, 2], "values": [0.5, 0.25], "shape": [5]},
        [[0, 0.5, 0], [0, 0, 0.25]],
    ),
}  # fmt: skip


@pytest.mark.parametrize("run", [in_graph, in_pipeline])
@pytest.mark.parametrize("name", CASES)
def test_a_handler_makes_its_item(name, run, example):
    features, handler, given, expected = CASES[name]
    item = run(lambda: td.TFExampleDecoder(features, {"x": handler()}), example(**given))
    np.testing.assert_array_equal(np.asarray(item), expected)


@pytest.mark.parametrize("run", [in_graph, in_pipeline])
@pytest.mark.parametrize("shape_key, size", [("shape", 5), (None, 2)])
def test_a_sparse_tensor_has_the_shape_that_is_given_or_that_of_its_indices(
    run, shape_key, size, example
):
    def decoder():
        return td.TFExampleDecoder(SPARSE, {"x": td.SparseTensor(shape_key=shape_key)})

    item = run(decoder, example(**SPARSE_VALUES))
    np.testing.assert_array_equal(np.asarray(item.indices), [[1], [3]])
    np.testing.assert_array_equal(np.asarray(item.values), [0.5, 0.25])
    np.testing.assert_array_equal(np.asarray(item.dense_shape), [size])


def sequence(**steps):
    record = tf.train.SequenceExample()
    for key, rows in steps.items():
        for row in rows:
            feature = record.feature_lists.feature_list[key].feature.add()
            feature.float_list.value.extend(row)
    return record.SerializeToString()


TWO_STEPS = {"ymin": [[0.0, 0.25], [0.5]], "xmin": [[0.0, 0.5], [0.0]],
             "ymax": [[1.0, 1.0], [0.75]], "xmax": [[1.0, 0.75], [0.5]]}  # fmt: skip
BOXES = [[[0, 0, 1, 1], [0.25, 0.5, 1, 0.75]], [[0.5, 0, 0.75, 0.5], [-1, -1, -1, -1]]]
POINTS = [[[0, 0], [0.25, 0.5]], [[0.5, 0], [-1, -1]]]

SEQUENCES = {
    "boxes of each step": (td.BoundingBoxSequence, BOXES),
    "boxes filled up with another value": (
        lambda: td.BoundingBoxSequence(default_value=9.0), np.where(np.equal(BOXES, -1), 9, BOXES)
    ),
    "keypoints of each step": (lambda: td.KeypointsSequence(["ymin", "xmin"]), POINTS),
    "the number of boxes": (lambda: td.NumBoxesSequence(list(TWO_STEPS)), [2, 1]),
}  # fmt: skip


@pytest.mark.parametrize("run", [in_graph, in_pipeline])
@pytest.mark.parametrize("name", SEQUENCES)
def test_a_handler_makes_its_item_of_a_sequence(name, run):
    handler, expected = SEQUENCES[name]
    item = run(
        lambda: td.TFSequenceExampleDecoder({}, BOX, {"x": handler()}), sequence(**TWO_STEPS)
    )
    np.testing.assert_array_equal(np.asarray(item), expected)


def test_boxes_of_a_sequence_can_stay_sparse():
    handler = td.BoundingBoxSequence(return_dense=False)
    decoder = td.TFSequenceExampleDecoder({}, BOX, {"x": handler})
    (item,) = decoder.decode(tf.constant(sequence(**TWO_STEPS)))
    assert item.dense_shape.numpy().tolist() == [2, 2, 4]
    assert item.values.shape == [12]


def test_unequal_numbers_of_boxes_are_refused_unless_that_is_allowed():
    record = tf.constant(sequence(ymin=[[0.0, 0.5]], xmin=[[0.0]]))

    def count(check):
        handler = td.NumBoxesSequence(["ymin", "xmin"], check_consistency=check)
        decoder = td.TFSequenceExampleDecoder({}, {"ymin": FLOATS, "xmin": FLOATS}, {"x": handler})
        return decoder.decode(record)[0].numpy().tolist()

    assert count(False) == [2]
    with pytest.raises(tf.errors.InvalidArgumentError, match="unequal numbers of boxes"):
        count(True)


def test_a_sequence_has_context_and_steps():
    record = tf.train.SequenceExample()
    record.context.feature["c"].int64_list.value.append(3)
    for value in (1, 2):
        steps = record.feature_lists.feature_list["t"].feature
        steps.add().int64_list.value.append(value)
    decoder = td.TFSequenceExampleDecoder(
        {"c": FIXED([], tf.int64)},
        {"t": ANY([], tf.int64)},
        {"context": td.Tensor("c"), "steps": td.Tensor("t")},
    )
    context, steps = decoder.decode(tf.constant(record.SerializeToString()))
    assert (int(context), steps.numpy().tolist()) == (3, [1, 2])
    assert decoder.list_items() == ["context", "steps"]


@pytest.mark.parametrize(
    "wrong, message",
    [
        (lambda: td.Tensor("a", shape_keys="s", shape=[1]), "both shape_keys and shape"),
        (lambda: td.BackupHandler("a", td.Tensor("b")), "takes item handlers, not 'a'"),
        (lambda: td.BoundingBox(["ymin"]), "takes 4 keys, and got 1"),
        (lambda: td.BoundingBoxSequence(["ymin"]), "takes 4 keys, and got 1"),
        (lambda: td.KeypointsSequence(["y"]), "takes 2 keys, and got 1"),
        (lambda: td.NumBoxesSequence(), "at least one key"),
        (lambda: td.TFSequenceExampleDecoder(A, A, {}), "share the keys a"),
        (lambda: td.TFExampleDecoder(A, {"x": td.Tensor("b")}).decode(tf.constant("")),
         "item 'x' needs the feature 'b'"),
        (lambda: td.TFExampleDecoder(A, {"image": td.Tensor("a")}).decode("", ["imag"]),
         "Close: image"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(wrong, message):
    with pytest.raises(InputError, match=message):
        wrong()


def test_only_the_features_of_the_items_asked_for_are_parsed(example):
    decoder = td.TFExampleDecoder(
        {"a": FIXED([], tf.int64), "b": FIXED([], tf.int64)},
        {"x": td.Tensor("a"), "y": td.Tensor("b")},
    )
    assert int(decoder.decode(tf.constant(example(a=1)), ["x"])[0]) == 1
