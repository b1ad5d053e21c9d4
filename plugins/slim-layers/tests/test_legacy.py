"""The fully connected layer as it was before slim."""

import numpy as np
import pytest
import tensorflow as tf

import slimcore as slim
from slimcore.errors import ShapeError

v1 = tf.compat.v1
INPUTS = np.arange(24, dtype=np.float32).reshape(2, 3, 4) - 10
WEIGHTS = {
    "fully_connected/weights": np.arange(8, dtype=np.float32).reshape(4, 2),
    "fully_connected/bias": np.float32([1, -2]),
}


@pytest.mark.parametrize("rank", [2, 3])
@pytest.mark.parametrize("name", ["legacy_fully_connected", "legacy_linear", "legacy_relu"])
def test_the_last_axis_is_multiplied(run, name, rank):
    x = INPUTS if rank == 3 else INPUTS[0]
    expected = x @ WEIGHTS["fully_connected/weights"] + WEIGHTS["fully_connected/bias"]
    if name == "legacy_relu":
        expected = np.maximum(expected, 0)
    outputs = run(lambda x: getattr(slim, name)(x, 2), x, weights=WEIGHTS)
    np.testing.assert_allclose(outputs, expected)


def test_collections_and_regularizers():
    with tf.Graph().as_default() as graph:
        made = slim.legacy_relu(
            tf.constant(INPUTS),
            2,
            name="fc",
            weight_collections=["mine"],
            output_collections=["ends"],
            weight_regularizer=tf.nn.l2_loss,
        )
        names = {
            k: [v.op.name for v in graph.get_collection(k)] for k in ("mine", "biases", "variables")
        }
        assert names == {
            "mine": ["fc/weights"],
            "biases": ["fc/bias"],
            "variables": ["fc/weights", "fc/bias"],
        }
        assert graph.get_collection("ends") == graph.get_collection("activations") == [made]
        assert len(v1.losses.get_regularization_losses()) == 1


def test_no_bias_on_demand():
    model = slim.Module(slim.legacy_linear, num_output_units=2, bias_init=None)
    model(tf.constant(INPUTS))
    assert list(model.named_variables) == ["fully_connected/weights"]


def test_inputs_of_rank_1_are_refused():
    with pytest.raises(ShapeError, match="legacy_fully_connected .* rank 2 or more"):
        slim.Module(slim.legacy_fully_connected)(tf.zeros([3]), 2)
