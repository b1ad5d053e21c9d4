"""Devices of variables, and the graph and the scope of tensors."""

import pytest
import tensorflow as tf

import slimcore as slim
from slimcore.errors import InputError
from slimcore.framework_ops import get_graph_from_inputs, get_name_scope


@pytest.mark.parametrize(
    "options, devices",
    [
        ({}, ["/device:CPU:0"] * 3),
        ({"device_type": "GPU", "device_index": 1}, ["/device:GPU:1"] * 3),
        ({"num_tasks": 2}, [f"/job:ps/task:{i}/device:CPU:0" for i in (0, 1, 0)]),
        (
            {"num_tasks": 2, "job_name": "worker", "replica": 3},
            [f"/job:worker/replica:3/task:{i}/device:CPU:0" for i in (0, 1, 0)],
        ),
    ],
)
def test_variables_are_dealt_out_to_the_tasks_in_turn(options, devices):
    with tf.Graph().as_default():
        chooser = slim.VariableDeviceChooser(**options)
        dealt = [slim.variable(f"v{i}", [1], device=chooser) for i in range(3)]
        assert [v.device for v in dealt] == devices


def test_the_name_scope_is_told_without_its_slash():
    with tf.Graph().as_default():
        assert get_name_scope() == ""
        with tf.name_scope("net/conv"):
            assert get_name_scope() == "net/conv"


def test_tensors_of_one_graph_tell_which():
    with tf.Graph().as_default() as one:
        first, second = tf.constant(1), tf.constant(2)
    with tf.Graph().as_default() as other:
        third = tf.constant(3, name="third")
        assert get_graph_from_inputs([first, second]) is one
        assert get_graph_from_inputs(["no tensor"]) is other
        assert get_graph_from_inputs([third], other) is other
        assert get_graph_from_inputs([], one) is one
        with pytest.raises(
            InputError, match=r"third:0 belongs to another graph than that of Const"
        ):
            get_graph_from_inputs([first, third])
        with pytest.raises(InputError, match="another graph than the graph given"):
            get_graph_from_inputs([third], one)
    assert isinstance(get_graph_from_inputs([tf.constant(1)]), tf.Graph)
