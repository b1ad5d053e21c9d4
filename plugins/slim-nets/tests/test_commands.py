"""`slim plan`, and the layers that `slim info` shows."""

import pytest
import tensorflow as tf
from click.testing import CliRunner

import slimcore as slim
from slimcore.cli import program


def slim_command(*arguments):
    return CliRunner().invoke(program, [str(a) for a in arguments])


@pytest.fixture
def checkpoint(tmp_path, graph):
    """A checkpoint of LeNet with four classes."""
    slim.nets.lenet(tf.zeros([1, 28, 28, 1]), num_classes=4)
    with tf.compat.v1.Session() as session:
        session.run(tf.compat.v1.global_variables_initializer())
        return tf.compat.v1.train.Saver().save(session, str(tmp_path / "model.ckpt"))


def test_plan_says_what_is_restored_and_what_does_not_fit(checkpoint):
    result = slim_command("plan", checkpoint, "--net", "lenet", "--channels", 1)
    assert result.exit_code == 0, result.output
    assert "LeNet/fc4/weights" in result.output
    assert "4" in result.output
    same = slim_command(
        *("plan", checkpoint, "--net", "lenet", "--channels", 1, "--num-classes", 4)
    )
    assert same.output.count("  matched ") == 8
    assert "other shape" not in same.output


def test_plan_takes_another_size_and_scopes(checkpoint):
    arguments = ("plan", checkpoint, "--net", "lenet", "--channels", 1, "--image-size", 32)
    result = slim_command(*arguments, "--exclude", "LeNet/fc4", "--include", "LeNet")
    assert result.exit_code == 0, result.output
    assert "LeNet/fc3/weights" in result.output  # 8x8 positions here, 7x7 there
    assert "excluded" in result.output


def test_plan_refuses_half_a_pair_and_an_unknown_network(checkpoint):
    half = slim_command("plan", checkpoint, "--net", "lenet", "--rename", "LeNet=")
    assert half.exit_code == 2
    assert "HERE=THERE" in half.output
    unknown = slim_command("plan", checkpoint, "--net", "lenett")
    assert unknown.exit_code != 0
    assert "lenet" in (unknown.output or str(unknown.exception))


def test_info_shows_the_layers_of_a_network(capsys):
    result = slim_command("info", "lenet", "--image-size", 32)
    assert result.exit_code == 0, result.output
    for shown in ("LeNet/conv1", "32x32x32", "multiply-adds", "receptive field"):
        assert shown in result.output
    other = slim_command("info", "conv2d")
    assert "multiply-adds" not in other.output
