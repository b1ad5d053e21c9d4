"""Counts of the values in variables and ops, against counts by hand."""

import tensorflow as tf

import slimcore as slim

v1 = tf.compat.v1


def test_variables_of_a_graph_are_counted_and_printed(capsys):
    with tf.Graph().as_default():
        v1.get_variable("net/weights", [4, 3])
        v1.get_variable("scalar", [], tf.float64)
        v1.get_variable("half", [5], tf.float16)
        assert slim.model_analyzer.analyze_vars(v1.global_variables()) == (18, 66)
        assert not capsys.readouterr().out
        slim.model_analyzer.analyze_vars(v1.global_variables(), print_info=True)
    assert capsys.readouterr().out.splitlines() == [
        "---------",
        "Variables: name (type shape) [size]",
        "---------",
        "net/weights:0 (float32 4x3) [12, bytes: 48]",
        "scalar:0 (float64 ) [1, bytes: 8]",
        "half:0 (float16 5) [5, bytes: 10]",
        "Total size of variables: 18",
        "Total bytes of variables: 66",
    ]


def test_variables_of_a_module_are_counted():
    model = slim.Module(lambda x: slim.fully_connected(x, 3))
    model(tf.zeros([1, 4]))
    assert slim.model_analyzer.analyze_vars(model.variables) == (15, 60)


def test_ops_are_counted_by_what_they_put_out_and_unknown_sizes_as_nothing(capsys):
    with tf.Graph().as_default() as graph:
        v1.placeholder(tf.float32, [None, 2], name="a")
        tf.constant(1, name="c")
        tf.no_op(name="n")
        tf.raw_ops.Split(axis=0, value=tf.zeros([4], name="z"), num_split=2, name="sp")
        total = slim.model_analyzer.analyze_ops(graph, print_info=True)
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "Operations: name -> (type shapes) [size]"
    assert {
        "a \t-> (float32 ?x2) [0]",
        "c \t-> (int32 ) [1]",
        "n \t->  [0]",
        "sp \t-> (float32 2), (float32 2) [4]",
    } <= set(lines)
    assert total == sum(int(line.rpartition("[")[2][:-1]) for line in lines[3:])


def test_a_tensor_is_described_by_type_and_shape():
    describe = slim.model_analyzer.tensor_description
    assert describe(tf.zeros([3, 4])) == "(float32 3x4)"
    assert describe(tf.Variable([1, 2])) == "(int32 2)"
    with tf.Graph().as_default():
        assert describe(v1.placeholder(tf.int32, [None, 2])) == "(int32 ?x2)"
        assert describe(v1.placeholder(tf.int32)) == "(int32 ?)"
