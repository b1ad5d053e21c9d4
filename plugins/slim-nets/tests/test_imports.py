"""The package's public names, and that its networks are built of its own layers only."""

import subprocess
import sys

import pytest


def python(code):
    """Runs code in a process of its own, and returns what it prints."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


NOTEBOOK = """
import numpy as np
import slimcore as slim
import tensorflow as tf

@slim.register_layer
def dropout(inputs, *args, **kwargs):
    raise AssertionError("the notebook's layer was called")

@slim.register_layer
def conv2d(inputs, num_outputs):
    return inputs

model = slim.Module(slim.nets.get_network_fn("lenet", num_classes=10))
logits, ends = model(tf.zeros([2, 28, 28, 1]), is_training=True)
print(*ends["conv2"].shape)
"""


def test_a_layer_of_the_same_name_in_a_notebook_neither_changes_nor_stops_a_network():
    assert python(NOTEBOOK) == ["2", "14", "14", "64"]


def test_an_arg_scope_of_slim_reaches_the_layers_of_a_network(graph):
    import tensorflow as tf

    import slimcore as slim

    images = tf.compat.v1.placeholder(tf.float32, [1, 28, 28, 1])
    with slim.arg_scope([slim.conv2d, slim.fully_connected], biases_initializer=None):
        slim.nets.lenet(images)
    names = [v.op.name for v in tf.compat.v1.global_variables()]
    assert names == [f"LeNet/{layer}/weights" for layer in ("conv1", "conv2", "fc3", "fc4")]


def test_the_package_offers_the_modules_of_the_original_and_imports_them_when_used():
    code = """
import sys, slim_nets
assert "tensorflow" not in sys.modules
from slim_nets import inception_v3, lenet, get_network_fn
from slim_nets.mobilenet import mobilenet_v2
import slimcore as slim
assert lenet.lenet is slim.nets.lenet is slim_nets.lenet.lenet
assert inception_v3.inception_v3 is slim.nets.inception.inception_v3
assert mobilenet_v2.mobilenet is slim.nets.mobilenet_v2
assert slim_nets.mobilenet.mobilenet_v2 is mobilenet_v2
assert get_network_fn is slim.nets.get_network_fn
print(*dir(slim_nets))
"""
    names = python(code)
    assert {"alexnet", "vgg", "resnet_v1", "nasnet", "s3dg", "get_network_fn"} <= set(names)
    with pytest.raises(ImportError):
        from slim_nets import no_such_network  # noqa: F401
