"""What goes wrong in a command is one line that says what to do, and exit status 2."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

import slimcore as slim


def digits_with_labels(folder, labels):
    """Writes a training split of the digits that holds one example of each of these labels."""
    from slim_data import datasets

    there = Path(datasets.__file__).with_name("digits")
    folder.mkdir()
    (folder / "labels.txt").write_bytes((there / "labels.txt").read_bytes())
    (record,) = tf.data.TFRecordDataset(str(there / "digits_train.tfrecord")).take(1)
    with tf.io.TFRecordWriter(str(folder / "digits_train.tfrecord")) as writer:
        for label in labels:
            example = tf.train.Example.FromString(record.numpy())
            example.features.feature["image/class/label"].int64_list.value[:] = [label]
            writer.write(example.SerializeToString())
    return ("--dataset-dir", str(folder))


def of_another_network(folder):
    values = {"vgg_a/conv1/conv1_1/weights": np.zeros([3, 3, 3, 64], "f")}
    return slim.checkpoints.save(str(folder / "vgg.ckpt"), values)


CASES = {
    "checkpoint of another network": (
        lambda folder: ("--checkpoint", of_another_network(folder)),
        "does not fit: tiny/hidden/weights is not in it",
    ),
    "empty dataset": (
        lambda folder: digits_with_labels(folder / "data", []),
        "the dataset gave no batch: it is empty",
    ),
    "label beyond the classes": (
        lambda folder: digits_with_labels(folder / "data", range(3, 12)),
        "record 7 (the first is 0): the label is not one of 0 to 9: 10",
    ),
    "label below the offset": (
        lambda folder: (*digits_with_labels(folder / "data", [1, 2]), "--labels-offset", "2"),
        "the dataset has labels below --labels-offset 2; leave these examples out",
    ),
    "no class left": (lambda folder: ("--labels-offset", "10"), "leaves none of the 10"),
    "loss that is no number": (
        lambda folder: ("--optimizer", "sgd", "--learning-rate", "1e30"),
        "the loss became infinite or NaN",
    ),
    "folder that cannot be written": (
        lambda folder: ("--logdir", "/proc/slim/run"),
        "cannot write to the run's folder /proc/slim/run",
    ),
    "unknown split": (
        lambda folder: ("--split", "validation"),
        "dataset digits has no split 'validation'",
    ),
    "unknown split to evaluate on": (
        lambda folder: ("--eval-every", "1", "--eval-split", "validation"),
        "dataset digits has no split 'validation'",
    ),
    "unknown metric to choose by": (
        lambda folder: ("--eval-every", "1", "--keep-best", "accurracy"),
        "--keep-best names 'accurracy', which is not a result of this task. Close: accuracy",
    ),
    "option that the task lacks": (
        lambda folder: ("--task-option", "label_smothing=0.1"),
        "task classification has no option 'label_smothing'. Close: label_smoothing. It has",
    ),
    "option of the task that is not a number": (
        lambda folder: ("--task-option", "label_smoothing=much"),
        "the task option label_smoothing is 'much', and must be of the kind of its default, 0.0",
    ),
    "unknown task": (
        lambda folder: ("--task", "clasification"),
        "no task is named 'clasification'. Close: classification",
    ),
    "parameter of another optimizer": (
        lambda folder: ("--optimizer", "sgd", "--momentum", "0.9"),
        "--momentum belongs to --optimizer momentum, and this run's is sgd",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_stops_a_training_is_one_line(slim_main, tiny_net, tmp_path, case):
    arguments, message = CASES[case]
    command = ("train", *tiny_net, "--steps", "3", "--logdir", tmp_path / "run")
    status, _, errors = slim_main(*command, *arguments(tmp_path))
    assert_one_line(status, errors, message)


@pytest.mark.parametrize("arguments, message", [
    ((), "give the run, with --logdir or --checkpoint"),
    (("--logdir", "{run}", "--split", "validation"), "has no split 'validation'"),
    (("--logdir", "{run}", "--checkpoint", "nowhere.ckpt"), "cannot read checkpoint nowhere.ckpt"),
    (("--logdir", "{run}", "--checkpoint", "{vgg}"), "tiny/hidden/weights is not in it"),
    (("--logdir", "{run}", "--net", "cifarnet"), "whose network is tiny, not cifarnet"),
    (("--logdir", "{run}", "--moving-average-decay", "0.9"), "has no moving averages"),
    (("--logdir", "{run}", "--labels-offset", "1"), "10 outputs, and dataset digits asks for 9"),
    (("--logdir", "{run}", "--to", "/proc/slim/eval"), "/proc/slim/eval"),
    (("--checkpoint", "{vgg}"), "there is no run in"),
], ids=str)  # fmt: skip
def test_what_stops_an_evaluation_is_one_line(slim_main, run, tmp_path, arguments, message):
    places = {"run": run, "vgg": of_another_network(tmp_path)}
    status, _, errors = slim_main("eval", *(word.format(**places) for word in arguments))
    assert_one_line(status, errors, message)


@pytest.fixture
def run(tiny_net, tmp_path):
    """A run as `slim train` leaves it, made from its parts."""
    import slim_learning.run.run_record as record
    from slim_learning.commands.setup import build, new_setup

    folder = tmp_path / "run"
    setup = new_setup("tiny", "digits", preprocessing="lenet")
    model = setup.model()
    build(model, setup.input_shape)
    model.save(str(folder / "model.ckpt-3"))
    record.write(str(folder), {"split": "train", "batch_size": 32, **setup.record()})
    return folder


def assert_one_line(status, errors, message):
    (line,) = [line for line in errors.splitlines() if line.startswith("slim: ")]
    assert (status, "Traceback" in errors) == (2, False), errors
    assert message in line
