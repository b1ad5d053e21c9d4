"""What holds between packages: the core's scopes, and the layers that networks are written in."""

import json
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

import slimcore as slim
from slimcore.errors import ConflictError

TF_SLIM_NAMES = json.loads((Path(__file__).parent / "data/tf_slim_names.json").read_text())


@pytest.mark.parametrize("name", TF_SLIM_NAMES)
def test_a_name_at_the_top_of_tf_slim_is_in_slim(name):
    if name.startswith("OPTIMIZER_"):
        assert hasattr(slim.optimizers, name)
    else:
        assert getattr(slim, name) is not None


def test_explain_names_the_scope_of_a_layer():
    with slim.arg_scope([slim.conv2d], padding="VALID"):
        origins = {s.argument: s.origin for s in slim.explain(slim.conv2d)}
    assert origins["padding"].startswith(f"{__file__}:")
    assert origins["stride"] == "default"


@pytest.mark.parametrize("preferred", [False, True])
def test_a_layer_of_a_notebook_does_not_change_a_network(install, preferred):
    """`slim.dropout` is then in conflict, or the notebook's; a network keeps its own layers."""
    images = np.random.default_rng(0).normal(size=[2, 28, 28, 1]).astype(np.float32)
    model = slim.Module(slim.nets.lenet, num_classes=3)
    before = model(images)[0]

    @slim.register_layer
    def dropout(inputs, rate=0.1):
        raise AssertionError("the layer of the notebook was called")

    if preferred:
        slim.prefer("dropout", "run-time")
        assert slim.dropout is dropout
    else:
        with pytest.raises(ConflictError, match="2 distributions offer the layer 'dropout'"):
            _ = slim.dropout
    np.testing.assert_array_equal(model(images)[0], before)
    model(images, is_training=True)
    fresh = slim.Module(slim.nets.lenet, num_classes=3)
    assert fresh(images)[0].shape == [2, 3]
    with tf.Graph().as_default():
        assert slim.nets.lenet(tf.constant(images), is_training=True)[0].shape == [2, 10]
