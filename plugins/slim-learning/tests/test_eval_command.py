"""`slim eval`: each checkpoint once, weights and averages side by side, and where results go."""

import json
import shutil

import numpy as np
import pytest
import tensorflow as tf

import slimcore as slim


@pytest.fixture
def run(slim_main, tiny_net, tmp_path):
    """Trains with averages and returns the run's folder, with checkpoints of steps 4, 8 and 12."""
    command = ("train", *tiny_net, "--logdir", tmp_path / "run", "--save-steps", 4)
    status, _, errors = slim_main(
        *command, "--steps", 12, "--moving-average-decay", 0.5, "--learning-rate", 0.01
    )
    assert status == 0, errors
    return tmp_path / "run"


def evaluated(folder):
    text = (folder / "eval_test.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


def accuracy(path, suffix=""):
    """Computes the accuracy on the held-out digits from the arrays of a checkpoint."""
    (batch,) = slim.data.load("digits", "test", 355, preprocessing="lenet", image_size=8)
    reader = slim.checkpoints.load(str(path))

    def get(name):
        return reader.get_tensor(f"tiny/{name}{suffix}")

    net = batch["image"].numpy().reshape(355, 64)
    net = np.maximum(net @ get("hidden/weights") + get("hidden/biases"), 0)
    logits = net @ get("logits/weights") + get("logits/biases")
    return float((logits.argmax(1) == batch["label"].numpy()).mean())


def test_the_newest_checkpoint_is_judged_with_weights_and_averages_side_by_side(slim_main, run):
    status, said, errors = slim_main("eval", "--logdir", run)
    assert status == 0, errors
    path = run / "model.ckpt-12"
    raw, averaged = accuracy(path), accuracy(path, "/ExponentialMovingAverage")
    assert raw != averaged
    results = json.loads((run / "eval" / "results.json").read_text())
    assert (results["checkpoint"], results["step"]) == ("model.ckpt-12", 12)
    assert results["accuracy"] == pytest.approx(raw)
    assert results["averaged"]["accuracy"] == pytest.approx(averaged)
    assert f"accuracy {raw:.4f}, averaged weights {averaged:.4f} on 355 examples" in said
    assert "recall (averaged)" in " ".join(said.split())
    record = json.loads((run / "run.json").read_text())["results"]["eval test"]
    assert record["averaged"]["accuracy"] == results["averaged"]["accuracy"]
    (events,) = (run / "eval").glob("events.out.*")
    tags = {
        value.tag: tf.make_ndarray(value.tensor).item()
        for event in tf.compat.v1.train.summary_iterator(str(events))
        for value in event.summary.value
    }
    assert tags["accuracy"] == pytest.approx(raw)
    assert tags["averaged/accuracy"] == pytest.approx(averaged)


def test_every_checkpoint_is_judged_once(slim_main, run):
    status, said, errors = slim_main("eval", "--logdir", run, "--all")
    assert status == 0, errors
    lines = [line for line in said.splitlines() if line.startswith("step ")]
    found = {step: accuracy(run / f"model.ckpt-{step}") for step in (4, 8, 12)}
    assert [line.split("  averaged")[0] for line in lines] == [
        f"step {step}  accuracy {value:.4f}" for step, value in found.items()
    ]
    assert {entry["step"]: entry["results"]["accuracy"] for entry in evaluated(run / "eval")} == (
        pytest.approx(found)
    )
    status, said, _ = slim_main("eval", "--logdir", run, "--watch")
    assert status == 0
    assert "has been evaluated already" in said
    assert len(evaluated(run / "eval")) == 3


def test_a_given_checkpoint_is_judged_and_results_go_where_they_are_told(slim_main, run, tmp_path):
    there = tmp_path / "there"
    chosen = ("--checkpoint_path", run / "model.ckpt-4", "--eval_dir", there)
    status, _, errors = slim_main("eval", *chosen, "--max_num_batches", 1, "--batch_size", 355)
    assert status == 0, errors
    results = json.loads((there / "results.json").read_text())
    assert results["checkpoint"] == "model.ckpt-4"
    assert results["accuracy"] == pytest.approx(accuracy(run / "model.ckpt-4"))
    assert not (run / "eval").exists()


def test_a_checkpoint_without_a_run_is_judged_as_it_is_told(slim_main, tiny_net, run, tmp_path):
    for path in run.glob("model.ckpt-8.*"):
        shutil.copy(path, tmp_path / path.name.replace("model.ckpt-8", "alone.ckpt"))
    net = [word for word in tiny_net if word not in ("--seed", "1")]
    status, _, errors = slim_main("eval", "--checkpoint_path", tmp_path / "alone.ckpt", *net)
    assert status == 0, errors
    results = json.loads((tmp_path / "eval" / "results.json").read_text())
    assert (results["checkpoint"], results["step"]) == ("alone.ckpt", 8)
    assert results["accuracy"] == pytest.approx(accuracy(run / "model.ckpt-8"))


def test_pictures_are_classified_with_the_averages_where_told(slim_main, tiny_net, run, tmp_path):
    (batch,) = slim.data.load("digits", "test", 1, image_size=8).take(1)
    path = tmp_path / "digit.png"
    path.write_bytes(tf.io.encode_png(tf.cast(batch["image"][0], tf.uint8)).numpy())
    reader = slim.checkpoints.load(str(run))
    net = (batch["image"].numpy().reshape(1, 64) - 128) / 128
    for suffix, options in (("", ()), ("/ExponentialMovingAverage", ("--averaged",))):
        values = [
            reader.get_tensor(f"tiny/{layer}/{name}{suffix}")
            for layer in ("hidden", "logits")
            for name in ("weights", "biases")
        ]
        logits = np.maximum(net @ values[0] + values[1], 0) @ values[2] + values[3]
        share = np.exp(logits - logits.max()).max() / np.exp(logits - logits.max()).sum()
        _, said, _ = slim_main("predict", "--logdir", run, "--top", 1, *options, path)
        assert said.split(": ")[1].split() == [str(logits.argmax()), f"{share:.1%}"]
    status, _, _ = slim_main("train", *tiny_net, "--logdir", tmp_path / "plain", "--steps", 1)
    assert status == 0
    export = ("export", "--logdir", tmp_path / "plain", "--to", tmp_path / "e", "--averaged")
    status, _, errors = slim_main(*export)
    assert (status, "holds no moving averages" in errors) == (2, True)


def test_the_best_checkpoint_is_kept_and_training_ends_without_a_better_one(
    slim_main, tiny_net, tmp_path
):
    command = ("train", *tiny_net, "--logdir", tmp_path, "--steps", 60, "--keep", 1)
    # Nothing is learnt, so that the first evaluation is the best.
    judging = ("--eval-every", 5, "--keep-best", "loss", "--early-stopping", 2)
    status, _, errors = slim_main(*command, *judging, "--learning-rate", "1e-12")
    assert status == 0, errors
    best = json.loads((tmp_path / "best.json").read_text())
    assert (tmp_path / f"{best['checkpoint']}.index").exists()
    record = json.loads((tmp_path / "run.json").read_text())
    assert record["step"] < 60
    assert record["step"] == best["step"] + 10
