"""What can go wrong around a run, caused for real: one clear message, and no checkpoint lost."""

import resource
import subprocess
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from slim_learning.training_loop.loop import default_followers

import slimcore as slim
from slimcore.errors import CheckpointError, DataError, RunError

v1 = tf.compat.v1


def train(train_op, logdir, dataset, steps, *followers, **options):
    options = {"dataset": dataset, "number_of_steps": steps, "followers": followers, **options}
    return slim.learning.train(train_op, str(logdir), **options)


@pytest.fixture
def mounted(tmp_path):
    """Mounts small file systems in memory; skips the test where that is not permitted."""
    folders = []

    def mount(name, options):
        folder = tmp_path / name
        folder.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"cannot mount: {done.stderr.strip()}")
        folders.append(folder)
        return folder

    yield mount
    for folder in folders:
        subprocess.run(["umount", "-l", str(folder)], check=True)


class SmallDisk:
    """A file system of 1 MB that can be filled up."""

    def __init__(self, mounted, tmp_path):
        self.folder = mounted("small", "size=1m")

    def fill(self):
        with open(self.folder / "filler", "wb", buffering=0) as file:
            try:
                while True:
                    file.write(b"x" * 512)
            except OSError:
                return

    def free(self):
        (self.folder / "filler").unlink(missing_ok=True)


class SmallFiles:
    """A limit on the size of files, which can be set where nothing can be mounted."""

    def __init__(self, mounted, tmp_path):
        self.folder = tmp_path / "limited"
        self._before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill(self):
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, self._before[1]))

    def free(self):
        resource.setrlimit(resource.RLIMIT_FSIZE, self._before)


@pytest.fixture(params=[SmallDisk, SmallFiles])
def disk(request, mounted, tmp_path):
    disk = request.param(mounted, tmp_path)
    yield disk
    disk.free()


class At:
    """Does something when the loop has logged a step."""

    def __init__(self, **actions):
        self.actions = {int(name.removeprefix("step")): action for name, action in actions.items()}

    @slim.hookimpl
    def slim_scalars_logged(self, step):
        self.actions.get(step, int)()


def left(folder):
    return sorted(p.name for p in Path(folder).glob("model.ckpt*"))


def files(*steps):
    parts = ("data-00000-of-00001", "index")
    return sorted(f"model.ckpt-{step}.{part}" for step in steps for part in parts)


def test_a_full_disk_ends_the_run_and_keeps_the_last_good_checkpoint(disk, task, followed):
    with pytest.raises(CheckpointError, match=r"cannot write .*ckpt-10: .*ckpt-5\. Free space"):
        train(
            task.train_op(),
            disk.folder,
            task.dataset(),
            20,
            At(step7=disk.fill),
            followed,
            log_every_n_steps=1,
            save_interval_steps=5,
        )
    disk.free()
    assert left(disk.folder) == files(5)
    assert followed.events[-1] == ("ended", "failed")
    train(task.train_op(), disk.folder, task.dataset(), 6)
    assert left(disk.folder) == files(5, 6)


def test_a_full_disk_is_told_and_the_run_goes_on_where_asked(disk, task, followed):
    with pytest.warns(RuntimeWarning, match=r"cannot write .*ckpt-10: .*ckpt-5\. The run goes on"):
        train(
            task.train_op(),
            disk.folder,
            task.dataset(),
            20,
            At(step7=disk.fill, step12=disk.free),
            followed,
            log_every_n_steps=1,
            save_interval_steps=5,
            on_disk_full="go_on",
        )
    assert followed.of("saved") == [(5,), (15,), (20,)]
    assert left(disk.folder) == files(5, 15, 20)


@pytest.mark.filterwarnings("ignore:cannot write")
def test_a_run_that_cannot_save_its_end_fails_even_so(disk, task):
    options = {"save_interval_steps": 2, "log_every_n_steps": 1, "on_disk_full": "go_on"}
    with pytest.raises(CheckpointError, match=r"cannot write .*ckpt-8: .*ckpt-2\. Free space"):
        train(task.train_op(), disk.folder, task.dataset(), 8, At(step3=disk.fill), **options)


# Each follower that cannot write says so once.
@pytest.mark.filterwarnings("ignore:the hook slim_:RuntimeWarning")
@pytest.mark.filterwarnings("ignore:.*no longer follows")
def test_what_follows_a_run_does_not_hide_that_the_disk_is_full(disk, task):
    followers = [At(step3=disk.fill), *default_followers()]
    with pytest.raises(CheckpointError, match="Free space"):
        train(task.train_op(), disk.folder, task.dataset(), 8, *followers, log_every_n_steps=1)


def test_a_folder_that_is_read_only_is_an_error_in_one_line(mounted, task):
    folder = mounted("fixed", "ro,size=1m")
    with pytest.raises(RunError, match="cannot write to the run's folder .*Read-only file system"):
        train(task.train_op(), folder, task.dataset(), 3)


@pytest.mark.parametrize("label", [3, -1])
def test_a_label_beyond_the_classes_is_an_error_in_one_line(tmp_path, label):
    def network(x):
        return x @ slim.model_variable("w", [2, 3], initializer=v1.ones_initializer())

    model = slim.Module(network)

    def loss_fn(batch):
        return slim.losses.sparse_softmax_cross_entropy(model(batch[0]), batch[1])

    labels = np.arange(8) % 3
    labels[5] = label
    data = tf.data.Dataset.from_tensor_slices((np.ones([8, 2], "float32"), labels)).batch(4)
    train_op = slim.learning.create_train_op(loss_fn, v1.train.GradientDescentOptimizer(0.1))
    with pytest.raises(
        DataError, match=f"step 2 is {label}, and the network has 3 classes, 0 to 2"
    ):
        train(train_op, tmp_path, data, 10)


def test_fewer_batches_than_a_step_gathers_are_an_error_in_one_line(tmp_path, task):
    with pytest.raises(DataError, match="fewer than the 9 batches of a step"):
        train(task.train_op(accumulate_steps=9), tmp_path, task.dataset(), None)


def test_an_optimizer_of_another_kind_is_an_error_that_names_what_is_missing(tmp_path, task):
    train(task.train_op(), tmp_path, task.dataset(), 2)
    with pytest.raises(CheckpointError, match="optimizer/iteration is not in it.*another logdir"):
        train(task.train_op(tf.keras.optimizers.Adam(0.1)), tmp_path, task.dataset(), 4)


# Two devices.


def run_on(strategy, logdir, task, **options):
    """Returns the losses of each step, and the weights at the end."""
    losses = []

    class Losses:
        @slim.hookimpl
        def slim_scalars_logged(self, step, scalars):
            losses.append(scalars["loss"])

    def network(x):
        hidden = tf.nn.relu(task.linear(x, 8, scope="hidden"))
        return task.linear(hidden, 1, scope="out")

    with strategy.scope():
        tf.random.set_seed(3)
        model = slim.Module(network)
        train_op = slim.learning.create_train_op(
            # The mean over the replicas of the means of their halves is the mean of the batch.
            lambda batch: tf.reduce_mean((model(batch[0]) - batch[1]) ** 2),
            tf.keras.optimizers.SGD(0.05, momentum=0.9),
            clip_gradient_norm=0.5,
            **options,
        )

        def start():
            for v in model.trainable_variables:
                v.assign(0.1 * tf.ones_like(v))

        train(train_op, logdir, task.dataset(), 12, Losses(), log_every_n_steps=1, init_fn=start)
    return losses, {n: np.asarray(v) for n, v in train_op.named_variables.items()}


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"accumulate_steps": 2, "moving_average_decay": 0.9, "non_finite": "skip"},
    ],
    ids=["plain", "with options"],
)
def test_two_devices_have_the_losses_of_one_with_the_joined_batch(tmp_path, task, options):
    if len(tf.config.list_logical_devices("CPU")) < 2:
        pytest.skip("TensorFlow was initialized with one device")
    one, weights = run_on(tf.distribute.get_strategy(), tmp_path / "one", task, **options)
    both = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"], tf.distribute.ReductionToOneDevice())
    two, mirrored = run_on(both, tmp_path / "two", task, **options)
    np.testing.assert_allclose(two, one, rtol=1e-5)
    assert one[-1] < one[0]
    for name in weights.keys() - {"random_seed"}:
        np.testing.assert_allclose(
            mirrored[name], weights[name], rtol=1e-4, atol=1e-6, err_msg=name
        )
