"""`slim data convert` as a process: killed at any instant, it loses nothing but time."""

import gzip
import itertools
import os
import re
import signal
import struct
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from slim_data._convert import convert
from slim_data._convert_sources import open_source

import slimcore as slim
from slimcore.cli import main
from slimcore.errors import DataError

SHARDS = 4  # of each of two splits


@pytest.fixture
def program(monkeypatch, capsys):
    """Runs `slim data` here, without another import of TensorFlow; returns status and output."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["slim", "data", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        return ended.value.code or 0, capsys.readouterr()

    return run


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def pixels():
    return np.random.default_rng(5).integers(0, 256, [40, 28, 28], np.uint8)


@pytest.fixture(scope="module")
def source(tmp_path_factory, pixels):
    """The files of a small MNIST: 40 images for training, 20 of them for testing too."""
    folder = tmp_path_factory.mktemp("mnist")
    for start, count in (("train", 40), ("t10k", 20)):
        images = struct.pack(">BBBBIII", 0, 0, 8, 3, count, 28, 28) + pixels[:count].tobytes()
        labels = struct.pack(">BBBBI", 0, 0, 8, 1, count) + bytes(n % 10 for n in range(count))
        (folder / f"{start}-images-idx3-ubyte.gz").write_bytes(gzip.compress(images))
        (folder / f"{start}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(labels))
    return folder


@pytest.fixture(scope="module")
def whole(tmp_path_factory, source):
    """What a conversion writes that nothing disturbs."""
    folder = tmp_path_factory.mktemp("whole") / "records"
    convert(open_source(str(source)), str(folder), shards=SHARDS, jobs=1)
    return folder


def test_mnist_is_converted_by_the_program(source, whole, tmp_path):
    folder = tmp_path / "records"
    command = [sys.executable, "-m", "slimcore.cli", "data", "convert", source, "--to", folder]
    done = subprocess.run(
        [*map(str, command), "--shards", str(SHARDS)], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert "train: 40 examples in 4 files\ntest: 20 examples in 4 files" in done.stdout
    assert f"Use it with --dataset mnist --dataset-dir {folder}" in done.stdout
    assert contents(folder) == contents(whole)


def test_what_is_converted_is_shown_and_summed_up(whole, pixels, program, tmp_path):
    sheet = tmp_path / "sheet.png"
    status, _ = program("show", "mnist", "--dataset-dir", whole, "--to", sheet, "--count", "4")
    assert status == 0
    with Image.open(sheet) as image:
        assert image.size == (2 * 134 + 6, 2 * 152 + 6)
        first = image.convert("L").crop((6, 6, 134, 134)).resize((28, 28), Image.Resampling.NEAREST)
        found = np.asarray(first).astype(int)
        assert (found == pixels).all((1, 2)).any()

    status, said = program("stats", "mnist", "--dataset-dir", whole)
    assert status == 0
    assert said.out.startswith("40 examples")
    assert len(re.findall(r"\s(\d)  \1 +4 +10.0%", said.out)) == 10
    assert "Height x width: 28 x 28 (40)" in said.out
    assert f"Mean: {pixels.mean():.2f}" in said.out
    assert f"Standard deviation: {pixels.std():.2f}" in said.out


# Converts in processes of its own, forked after the import of TensorFlow, which takes longest.
KILLED = """
import os, signal, sys, time
from slim_data._convert import convert
from slim_data._convert_sources import open_source

def conversion(folder):
    child = os.fork()
    if not child:
        convert(open_source(sys.argv[1]), folder, shards=int(sys.argv[3]), jobs=2)
        os._exit(0)
    return child

def killed_at_renaming(n, folder):
    rename, left = os.replace, n
    def replace(*paths):
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        rename(*paths)
    os.replace = replace
    child = conversion(folder)
    os.replace = rename
    return child

def killed_after(seconds, folder):
    child = conversion(folder)
    while not os.path.exists(folder):
        time.sleep(0.0005)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    return child

for kill in sys.argv[4:]:
    how, when = kill.split("=")
    folder = os.path.join(sys.argv[2], kill)
    if how == "renaming":
        child = killed_at_renaming(int(when), folder)
    else:
        child = killed_after(float(when), folder)
    print(kill, os.WTERMSIG(os.waitpid(child, 0)[1]))
"""


def killed(source, folder, *kills):
    """Kills a conversion at several instants, each in a folder of its own named for it."""
    arguments = [sys.executable, "-c", KILLED, source, folder, SHARDS, *kills]
    done = subprocess.run([*map(str, arguments)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return [int(line.split()[1]) for line in done.stdout.splitlines()]


def test_a_conversion_killed_at_any_instant_goes_on_to_the_same_bytes(source, whole, tmp_path):
    # A file is renamed when it is complete: the journal, 2 * SHARDS shards, labels, the manifest.
    renamings = [f"renaming={n}" for n in range(1, 2 * SHARDS + 4)]
    times = [f"seconds={seconds}" for seconds in (0, 0.005, 0.01, 0.02)]
    signals = killed(source, tmp_path, *renamings, *times)
    assert signals[: len(renamings)] == [signal.SIGKILL] * len(renamings)
    for kill in (*renamings, *times):
        folder = tmp_path / kill
        before = {path: path.stat().st_mtime_ns for path in folder.glob("[!.]*.tfrecord")}
        if kill in renamings:
            with pytest.raises(DataError, match=r"holds no manifest.json"):
                slim.data.get_dataset("converted", "train", str(folder))
        convert_here(source, folder)
        assert contents(folder) == contents(whole), kill
        kept = [path for path, modified in before.items() if path.stat().st_mtime_ns == modified]
        assert len(kept) >= len(before) - 2  # two may have been renamed and not been noted yet


def convert_here(source, folder, **options):
    return convert(open_source(str(source)), str(folder), shards=SHARDS, **options)


def test_the_number_of_jobs_changes_nothing(source, whole, tmp_path):
    convert_here(source, tmp_path / "records", jobs=4)
    assert contents(tmp_path / "records") == contents(whole)


def test_what_is_done_is_not_done_again(source, tmp_path):
    folder = tmp_path / "records"
    manifest = convert_here(source, folder)
    (folder / ".convert.json").write_text("{}\n")  # as if killed right before it was removed
    before = {path: path.stat().st_mtime_ns for path in folder.glob("[!.]*")}
    steps = []
    assert convert_here(source, folder, advance=steps.append) == manifest
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before
    assert sum(steps) == 60


def test_a_shard_that_is_damaged_or_gone_is_written_again(source, whole, tmp_path):
    folder = tmp_path / "records"
    convert_here(source, folder)
    one, two = sorted(folder.glob("*.tfrecord"))[:2]
    one.unlink()
    two.write_bytes(two.read_bytes()[:-1])
    convert_here(source, folder)
    assert contents(folder) == contents(whole)


def test_another_source_or_number_of_shards_leaves_the_folder_as_it_is(
    source, tmp_path, folder_of_images
):
    folder = tmp_path / "records"
    convert_here(source, folder)
    before = contents(folder)
    for again in (
        lambda: convert(open_source(str(source)), str(folder), shards=1),
        lambda: convert_here(folder_of_images, folder),
    ):
        with pytest.raises(DataError, match=r"holds another conversion, of mnist"):
            again()
    assert contents(folder) == before


def test_files_of_the_same_names_are_not_overwritten(source, tmp_path):
    folder = tmp_path / "records"
    folder.mkdir()
    (folder / f"mnist_train-00000-of-0000{SHARDS}.tfrecord").write_bytes(b"mine")
    with pytest.raises(DataError, match=r"mnist_train-00000-of-00004.tfrecord is there already"):
        convert_here(source, folder)
    assert list(contents(folder).values()) == [b"mine"]


def test_a_image_that_cannot_be_read_ends_the_conversion_without_a_manifest(
    folder_of_images, tmp_path, program
):
    folder, notes = tmp_path / "records", folder_of_images / "cat" / "notes.txt"
    notes.write_text("Feed the cat.")
    message = f"slim: {notes} is not a readable image: its format is not one of"
    status, said = program("convert", folder_of_images, "--to", folder)
    assert status == 2
    assert message in said.err
    assert not (folder / "manifest.json").exists()
    assert not list(folder.glob(".*.tmp*"))


def test_images_that_cannot_be_read_are_counted_named_and_left_out(folder_of_images, tmp_path):
    folder = tmp_path / "records"
    for name in ("cat", "dog"):
        (folder_of_images / name / "notes.txt").write_text("Feed it.")
    with pytest.raises(DataError, match=r"notes.txt is not a readable"):
        convert_here(folder_of_images, folder, skip_corrupt=1)
    lines = []
    manifest = convert_here(folder_of_images, folder, skip_corrupt=2, tell=lines.append)
    assert sum(split.examples for split in manifest.splits.values()) == 12
    assert re.search(r"left out: .*(notes.txt|written before).*\(2 of at most 2\)", lines[-1])


@pytest.mark.parametrize("fault", ["gone", "a folder", "half a JPEG", "a TIFF"])
def test_an_image_that_cannot_be_read_is_told_as_such_and_may_be_left_out(
    fault, folder_of_images, tmp_path
):
    bad = folder_of_images / "cat" / "1.jpg"
    whole = bad.read_bytes()
    source = open_source(str(folder_of_images))
    bad.unlink()
    if fault == "a folder":
        bad.mkdir()
    elif fault == "half a JPEG":
        bad.write_bytes(whole[:50])
    elif fault == "a TIFF":
        Image.new("RGB", (3, 3)).save(bad, "tiff")
    with pytest.raises(DataError, match=rf"^{bad} is not a readable image: "):
        convert(source, str(tmp_path / "failed"))
    lines = []
    manifest = convert(source, str(tmp_path / "records"), skip_corrupt=1, tell=lines.append)
    assert sum(split.examples for split in manifest.splits.values()) == 11
    assert [str(bad) in line for line in lines] == [True]


def test_a_folder_that_cannot_be_written_is_named(source, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match=r"cannot make the folder .*file"):
        convert_here(source, tmp_path / "file")


@pytest.mark.parametrize("syncs", [0, 1, 2, 3, 4 * SHARDS, 6 * SHARDS + 2, 6 * SHARDS + 4])
def test_a_full_disk_is_named_and_leaves_nothing_torn(syncs, source, tmp_path, monkeypatch):
    sync, count = os.fsync, itertools.count()

    def full(file):
        if next(count) >= syncs:
            raise OSError(28, "No space left on device")
        sync(file)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DataError, match=r"cannot write .*No space left"):
        convert_here(source, tmp_path / "records")
    names = {path.name for path in (tmp_path / "records").iterdir()}
    assert not [name for name in names if ".tmp" in name]
    assert "manifest.json" not in names


def test_labels_and_images_stay_together(whole, pixels):
    for batch in slim.data.load("mnist", "train", 1, dataset_dir=str(whole)):
        image = tf.cast(batch["image"][0, :, :, 0], tf.uint8).numpy()
        (number,) = np.flatnonzero((pixels == image).all((1, 2)))
        assert number % 10 == int(batch["label"][0])
