"""What is said of an error of TensorFlow's, in eager mode, in a function and in a graph."""

import tensorflow as tf

from slimcore.errors import first_line


def raised_by(function):
    try:
        function()
    except Exception as error:
        return first_line(error)
    raise AssertionError("nothing was raised")


def test_the_reason_of_tensorflow_comes_without_ops_and_traces():
    def in_graph():
        with tf.Graph().as_default(), tf.compat.v1.Session() as session:
            session.run(tf.io.decode_png(b"abc"))

    for call in (
        lambda: tf.io.decode_png(b"abc"),
        lambda: tf.function(tf.io.decode_png)(b"abc"),
        in_graph,
    ):
        reason = raised_by(call)
        assert reason.startswith("Unknown image file format."), reason
        assert reason.endswith("required."), reason


def test_a_failed_assertion_is_told_and_not_where_it_was_made():
    def check(x):
        with tf.control_dependencies([tf.debugging.Assert(x > 0, ["x must be positive:", x])]):
            return tf.identity(x)

    def in_graph():
        with tf.Graph().as_default(), tf.compat.v1.Session() as session:
            session.run(check(tf.constant(-1)))

    for call in (
        lambda: check(tf.constant(-1)),
        lambda: tf.function(check)(tf.constant(-1)),
        lambda: list(tf.data.Dataset.from_tensors(-1).map(check)),
        in_graph,
    ):
        assert raised_by(call) == "x must be positive: -1"


def test_other_errors_give_their_first_line_or_their_name():
    assert first_line(ValueError("one\ntwo")) == "one"
    assert first_line(ValueError()) == "ValueError"
    assert first_line(FileNotFoundError(2, "No such file", "a.txt")) == (
        "[Errno 2] No such file: 'a.txt'"
    )
