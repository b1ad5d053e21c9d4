"""`slim doctor RUN` and `slim train --recalibrate-batch-norm`, on a small network."""

import json

import numpy as np
import pytest

import slimcore as slim
import slimcore.registry as registry

TRAIN = ("train", "--net", "with_statistics", "--dataset", "digits", "--preprocessing", "lenet")


def with_statistics(images, num_classes=10, is_training=True):
    """A linear classifier of normalized pixels, whose decay is set by the test."""
    net = slim.batch_norm(
        slim.flatten(images) + 30,
        decay=with_statistics.decay,
        is_training=is_training,
        scope="norm",
    )
    return slim.fully_connected(net, num_classes, activation_fn=None, scope="logits"), {}


with_statistics.default_image_size = 8


@pytest.fixture
def run(slim_main, tmp_path, monkeypatch):
    """Trains the network, and returns the run's folder."""
    monkeypatch.setattr(registry, "_registered", dict(registry._registered))
    monkeypatch.setattr(with_statistics, "decay", 0.5, raising=False)
    slim.register_net(with_statistics)

    def train(*options, steps=40):
        command = (*TRAIN, "--logdir", tmp_path / "run", "--seed", "1", "--steps", steps)
        status, _, errors = slim_main(*command, *options)
        assert status == 0, errors
        return tmp_path / "run"

    return train


def troubles(slim_main, logdir):
    status, said, errors = slim_main("doctor", logdir)
    assert errors == ""
    lines = [line for line in said.splitlines() if line.startswith("✗ ")]
    assert status == (1 if lines else 0)
    return lines


def test_a_run_that_is_well_has_nothing_to_mend(run, slim_main):
    logdir = run()
    assert troubles(slim_main, logdir) == []


def test_a_slow_decay_and_the_disagreement_it_makes_are_named_and_mended(run, slim_main):
    with_statistics.decay = 0.9995
    logdir = run()
    slow, disagree = troubles(slim_main, logdir)
    share = 0.9995**40
    assert f"after 40 steps 2 of 2 still hold {share:.0%} of their first values" in slow
    assert "(decay 0.9995)" in slow
    assert "training and evaluation disagree" in disagree
    remedy = f"slim train --logdir {logdir} --recalibrate-batch-norm"
    assert remedy in slow
    assert remedy in disagree
    before = slim.checkpoints.load(str(logdir)).get_tensor("norm/moving_mean")
    status, said, errors = slim_main(*remedy.split()[1:], "30")
    assert status == 0, errors
    assert "2 statistics averaged over 30 batches" in said
    after = slim.checkpoints.load(str(logdir)).get_tensor("norm/moving_mean")
    batches = slim.data.load("digits", "train", 1442, preprocessing="lenet", image_size=8)
    truth = np.mean(next(iter(batches))["image"].numpy().reshape(-1, 64), 0) + 30
    assert np.abs(before - truth).max() > 20
    np.testing.assert_allclose(after, truth, atol=0.05)
    assert troubles(slim_main, logdir) == []


def test_statistics_that_never_moved_are_named(run, slim_main):
    logdir = run(steps=2)
    path = slim.checkpoints.latest(str(logdir))
    names = slim.checkpoints.load(path)
    from slim_learning.training_loop.batch_norm_statistics import rewrite

    mean = names.get_tensor("norm/moving_mean")
    rewrite(path, {"norm/moving_mean": 0 * mean, "norm/moving_variance": 0 * mean + 1})
    (line,) = troubles(slim_main, logdir)
    assert "after 2 steps the moving statistics of 1 of 1 layers are still at" in line
    assert "(such as norm)" in line


def test_another_preprocessing_in_evaluation_is_named(run, slim_main):
    logdir = run()
    assert slim_main("eval", "--logdir", logdir, "--preprocessing", "cifarnet")[0] == 0
    assert any(
        "eval test used the preprocessing cifarnet, and training lenet" in line
        for line in troubles(slim_main, logdir)
    )


def test_a_folder_without_a_run_or_a_checkpoint_is_said(run, slim_main, tmp_path):
    status, _, errors = slim_main("doctor", tmp_path)
    assert (status, f"there is no run in {tmp_path}" in errors) == (2, True)
    (tmp_path / "run.json").write_text(json.dumps({"status": "failed"}))
    (line,) = troubles(slim_main, tmp_path)
    assert "holds no checkpoint yet" in line


def test_a_network_without_statistics_cannot_be_recalibrated(slim_main, tiny_net, tmp_path):
    command = ("train", *tiny_net, "--logdir", tmp_path / "run", "--steps", 1)
    status, _, errors = slim_main(*command, "--recalibrate-batch-norm", 2)
    assert (status, "has no batch normalization" in errors) == (2, True)
    assert not (tmp_path / "run").exists()
