"""`slim train --checkpoint`: what is restored, what is said of it, and that it helps."""

import json

import numpy as np
import pytest
import tensorflow as tf

import slimcore as slim

NET = ("train", "--net", "lenet", "--dataset", "digits", "--batch-size", "8", "--seed", "1")
LENET = ("conv1", "conv2", "fc3", "fc4")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """A checkpoint of LeNet with values that can be told from first ones, and state beside them."""
    model = slim.Module(slim.nets.lenet, num_classes=10)
    model(tf.zeros([1, 28, 28, 1]))
    values = {name: np.full(v.shape, 0.01, "f") for name, v in model.named_variables.items()}
    values["LeNet/fc3/weights/momentum"] = np.zeros([3136, 1024], "f")
    values["global_step"] = np.int64(77)
    return slim.checkpoints.save(str(tmp_path_factory.mktemp("lenet") / "model.ckpt-77"), values)


def values_of(logdir):
    reader = slim.checkpoints.load(str(logdir))
    names = reader.get_variable_to_shape_map()
    return {name: reader.get_tensor(name) for name in names if name != "data/iterator"}


def test_a_new_run_tells_the_plan_and_starts_from_the_checkpoint(slim_main, checkpoint, tmp_path):
    logdir = tmp_path / "run"
    command = (*NET, "--logdir", logdir, "--steps", 1, "--checkpoint", checkpoint)
    scopes = ("--exclude-scopes", "LeNet/fc4", "--trainable-scopes", "LeNet/fc3,LeNet/fc4")
    status, said, errors = slim_main(*command, *scopes)
    assert status == 0, errors
    lines = said.splitlines()
    assert "  matched      LeNet/conv1/weights [5, 5, 1, 32]" in lines
    assert "  excluded     LeNet/fc4/weights [1024, 10]" in lines
    assert "  unused       2 values of the training that wrote it" in lines
    assert lines[-1] == "6 of 8 variables of the network are taken from there."
    found = values_of(logdir)
    assert found["global_step"] == 1
    for name in ("LeNet/conv1/weights", "LeNet/conv2/biases"):
        np.testing.assert_array_equal(found[name], np.float32(0.01), err_msg=name)
    assert (found["LeNet/fc3/weights"] != np.float32(0.01)).any()
    assert found["LeNet/fc4/weights"].std() > 0.01
    record = json.loads((logdir / "run.json").read_text())
    assert record["initial_checkpoint"] == checkpoint
    assert record["trainable_scopes"] == ["LeNet/fc3", "LeNet/fc4"]


def test_a_run_that_goes_on_says_that_the_checkpoint_is_not_read_again(
    slim_main, checkpoint, tmp_path
):
    logdir = tmp_path / "run"
    assert slim_main(*NET, "--logdir", logdir, "--steps", 1)[0] == 0
    before = values_of(logdir)
    status, said, _ = slim_main(*NET, "--logdir", logdir, "--steps", 1, "--checkpoint", checkpoint)
    assert status == 0
    assert f"goes on from {logdir}/model.ckpt-1: --checkpoint {checkpoint} is not read" in said
    after = values_of(logdir)
    for name in before:
        if name.startswith("LeNet/"):
            np.testing.assert_array_equal(after[name], before[name])


def test_scopes_of_other_names_are_renamed(slim_main, checkpoint, tmp_path):
    values = values_of(tf.io.gfile.join(checkpoint.rpartition("/")[0]))
    other = {name.replace("LeNet/fc3", "Old/dense"): value for name, value in values.items()}
    path = slim.checkpoints.save(str(tmp_path / "other.ckpt"), other)
    rename = ("--rename", "LeNet/fc3=Old/dense")
    status, said, errors = slim_main(
        *NET, "--logdir", tmp_path / "run", "--steps", 1, "--checkpoint", path, *rename
    )
    assert status == 0, errors
    assert "renamed      LeNet/fc3/biases [1024] from Old/dense/biases" in said


@pytest.mark.parametrize("options, message", [
    (("--exclude-scopes", "LeNet/fc5"), "no variable is in the scope 'LeNet/fc5'. Close: LeNet/fc"),
    (("--trainable-scopes", "LeNet/fc5"), "scope 'LeNet/fc5'. Close: LeNet/fc"),
    (("--rename", "LeNet/fc3=Old"), "LeNet/fc3/weights is to be read from, is not in it"),
    (("--rename", "LeNet/fc3"), "'LeNet/fc3' is not of the form HERE=THERE"),
    (("--checkpoint", "nowhere.ckpt"), "cannot read checkpoint nowhere.ckpt"),
    (("--scale-gradients", "LeNet/fc3=much"), "a factor must be a number"),
], ids=lambda value: value[0] if isinstance(value, tuple) else "")  # fmt: skip
def test_what_does_not_fit_is_one_line_and_makes_no_run(
    slim_main, checkpoint, tmp_path, options, message
):
    logdir = tmp_path / "run"
    status, _, errors = slim_main(
        *NET, "--logdir", logdir, "--steps", 1, "--checkpoint", checkpoint, *options
    )
    (line,) = [line for line in errors.splitlines() if line.startswith("slim: ")]
    assert (status, message in line, "Traceback" in errors) == (2, True, False), errors
    assert not logdir.exists()


def test_a_checkpoint_of_another_network_is_told_by_its_first_misfit(slim_main, tmp_path):
    path = slim.checkpoints.save(
        str(tmp_path / "vgg.ckpt"), {"vgg_a/conv1/conv1_1/weights": np.zeros([3, 3, 3, 64], "f")}
    )
    status, said, errors = slim_main(
        *NET, "--logdir", tmp_path / "run", "--steps", 1, "--checkpoint", path
    )
    assert status == 2
    assert "LeNet/conv1/weights is not in it" in errors
    assert "missing      LeNet/conv1/weights" in said


def test_how_to_restore_means_nothing_without_a_checkpoint(slim_main, tmp_path):
    status, _, errors = slim_main(*NET, "--logdir", tmp_path, "--exclude-scopes", "LeNet/fc4")
    assert (status, "--exclude-scopes goes with --checkpoint" in errors) == (2, True)


def write_halves(folder):
    """Writes the bundled digits as two folders of pictures: 0 to 4, and 5 to 9."""
    for split in ("train", "test"):
        batches = slim.data.load("digits", split, 500, image_size=8, shuffle=False)
        for number, batch in enumerate(batches):
            for i, (image, label) in enumerate(zip(*map(np.array, batch.values()), strict=True)):
                half = "low" if label < 5 else "high"
                path = folder / half / split / str(label) / f"{number}-{i}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                picture = tf.io.encode_png(tf.cast(image, tf.uint8)).numpy()
                path.write_bytes(picture)


@pytest.mark.slow
def test_fine_tuning_on_other_classes_beats_training_from_scratch(slim_main, tmp_path):
    write_halves(tmp_path)
    for half in ("low", "high"):
        status, _, errors = slim_main(
            "data", "convert", tmp_path / half, "--to", tmp_path / f"{half}_data"
        )
        assert status == 0, errors
    train = ("train", "--net", "lenet", "--dataset", "converted", "--seed", "1")

    def accuracy(name, data, steps, *options):
        logdir = tmp_path / name
        source = ("--dataset-dir", tmp_path / f"{data}_data", "--logdir", logdir)
        status, _, errors = slim_main(*train, *source, "--steps", steps, *options)
        assert status == 0, errors
        status, _, errors = slim_main("eval", "--logdir", logdir)
        assert status == 0, errors
        return json.loads((logdir / "eval" / "results.json").read_text())["accuracy"]

    assert accuracy("base", "low", 200) > 0.95
    few = 10
    scratch = accuracy("scratch", "high", few)
    options = ("--checkpoint", tmp_path / "base", "--exclude-scopes", "LeNet/fc4")
    fine = accuracy("fine", "high", few, *options)
    assert fine > scratch + 0.03
