"""What is summarized, under which tag, in a graph and through a `tf.summary` writer."""

import numpy as np
import pytest
import tensorflow as tf

import slimcore as slim
from slimcore.errors import InputError
from slimcore.global_step import counting

v1 = tf.compat.v1
X = np.float32([[1.0, -2.0, 0.0, 8.0]])


def read_graph(function):
    """Returns the summaries that a function adds to a graph, by tag."""
    with tf.Graph().as_default(), v1.Session() as session:
        function(tf.constant(X, name="x"))
        session.run(v1.global_variables_initializer())
        merged = v1.Summary.FromString(session.run(v1.summary.merge_all()))
    return {value.tag: value for value in merged.value}


def read_written(call, folder):
    """Returns the summaries written to a folder, by tag, and the steps."""
    with tf.summary.create_file_writer(folder).as_default():
        call()
    events = [
        e
        for path in tf.io.gfile.glob(f"{folder}/*tfevents*")
        for e in v1.train.summary_iterator(path)
    ]
    values = {value.tag: value for event in events for value in event.summary.value}
    return values, {event.step for event in events if event.summary.value}


@pytest.fixture(params=["graph", "function"])
def summarized(request, tmp_path):
    """Returns the summaries that a function of a tensor named x adds, by tag."""
    if request.param == "graph":
        return read_graph

    def read_function(function):
        model = slim.Module(lambda x: function(tf.identity(x, name="x")))
        with counting(tf.Variable(7, dtype=tf.int64)):
            values, steps = read_written(lambda: tf.function(model)(X), str(tmp_path))
        assert steps == {7}
        return values

    return read_function


def test_each_kind_has_its_tag_and_value(summarized):
    def add(x):
        slim.summaries.add_scalar_summary(tf.reduce_sum(x), "total", prefix="eval")
        slim.summaries.add_histogram_summary(x, "values")
        slim.summaries.add_zero_fraction_summary(x, "values")
        slim.summaries.add_image_summary(tf.zeros([2, 3, 3, 1]), "pictures")

    found = summarized(add)
    assert found["eval/total"].simple_value == 7
    assert (found["values"].histo.num, found["values"].histo.max) == (4, 8)
    assert found["values/Fraction_of_Zero_Values"].simple_value == 0.25
    assert {f"pictures/image/{i}" for i in (0, 1)} < set(found)


def test_many_are_added_under_their_own_names(summarized):
    def add(x):
        names = [tf.reduce_max(x, name="largest"), tf.reduce_min(x, name="least")]
        slim.summaries.add_scalar_summaries(names, prefix="a")
        slim.summaries.add_histogram_summaries([x], prefix="b")
        slim.summaries.add_zero_fraction_summaries([x], prefix="c")
        slim.summaries.add_image_summaries([tf.zeros([1, 2, 2, 3], name="im")], prefix="d")

    tags = {"a/largest", "a/least", "b/x", "c/x/Fraction_of_Zero_Values"}
    assert tags < set(summarized(add))


def test_an_activation_tells_which_inputs_were_cut_off(summarized):
    def add(x):
        for name, activation in (("r", tf.nn.relu), ("r6", tf.nn.relu6), ("t", tf.tanh)):
            slim.summarize_activation(activation(x, name=name))

    found = summarized(add)
    assert set(found) == {
        "r/zeros",
        "r/activation",
        "r6/zeros",
        "r6/sixes",
        "r6/activation",
        "t/activation",
    }
    assert found["r6/zeros"].simple_value == found["r6/sixes"].simple_value == 0.25
    assert found["r6/activation"].histo.max == 6


def test_collections_are_summarized_by_name(summarized):
    def add(x):
        y = slim.fully_connected(
            x, 2, scope="fc", variables_collections={"weights": ["weights"], "biases": ["biases"]}
        )
        slim.add_to_collections("activations", y)
        slim.variable("other", [2])
        slim.summarize_variables("fc/w")
        slim.summarize_biases()
        slim.summarize_activations()
        slim.summarize_collection("weights", summarizer=lambda w: slim.summarize_tensor(w, "mine"))
        slim.summarize_tensors([tf.reduce_sum(x, name="scalar")])

    tags = {"fc/weights_summary", "fc/biases_summary", "mine", "scalar_summary"}
    found = set(summarized(add))
    assert tags < found
    assert "other_summary" not in found
    assert {"fc/Relu/activation", "fc/Relu/zeros"} < found


def test_a_second_summary_of_one_name_gets_a_number_in_a_graph():
    def add(x):
        return slim.summarize_tensor(x), slim.summarize_tensor(x)

    assert set(read_graph(add)) == {"x_summary", "x_summary_1"}


def test_a_value_is_printed_on_demand(capfd):
    with tf.Graph().as_default(), v1.Session() as session:
        session.run(
            slim.summaries.add_scalar_summary(tf.constant(3.0), "n", "p", print_summary=True)
        )
    slim.summaries.add_scalar_summary(tf.constant(4.0), "e", print_summary=True)
    assert capfd.readouterr().err.split("\n")[-3:] == ["p/n 3", "e 4", ""]


def test_eager_tensors_need_a_name(tmp_path):
    with pytest.raises(InputError, match="no name to summarize it under; pass name"):
        slim.summaries.add_scalar_summary(tf.constant(1.0))
    written, _ = read_written(
        lambda: slim.Module(
            lambda: (slim.get_or_create_global_step(), slim.summarize_tensor(tf.ones([]), "tag"))
        )(),
        str(tmp_path),
    )
    assert written["tag"].simple_value == 1


def test_nothing_is_computed_without_a_writer():
    assert slim.summaries.add_histogram_summary(tf.constant([1.0]), "h") is None
