"""Ten thousand damaged names, labels files, records, archives: read right, or a clean error."""

import gzip
import io
import json
import os
import random
import tarfile

import numpy as np
import pytest
import tensorflow as tf
from slim_data import _manifest as manifests
from slim_data import _plain_pickle
from slim_data._convert_sources import open_source
from slim_data._tfrecord_layout import read_labels, write_labels

import slimcore as slim
from slimcore.errors import DataError

# Some kinds take a tenth of a second each.
COUNT = int(os.environ.get("SLIM_FUZZ_COUNT", "10000"))
# Reading a file of records takes a pipeline of its own each time, a second or so.
RECORDS = COUNT // 10
ALPHABET = [
    *"ab \n\r\t\\/*?[]{}$%:.~'\"\0\x1b\x7f\x85\x9b-0",
    "\u2028",
    "\u202e",
    "u\u0308",
    "\u00fc",
    "\U0001f408",
]


def damaged(data, rng):
    """Changes, cuts out, doubles and inserts bytes."""
    data = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        at, length = rng.randrange(len(data) + 1), rng.randint(1, 8)
        change = rng.randrange(5)
        if change == 0 and at < len(data):
            data[at] ^= 1 << rng.randrange(8)
        elif change == 1:
            data[at : at + length] = rng.randbytes(length)
        elif change == 2:
            del data[at : at + length]
        elif change == 3:
            data[at:at] = data[at : at + length]
        else:
            del data[at:]
    return bytes(data)


def outcomes(function, items):
    """Counts what is read and what is refused; any other error fails the test."""
    counts = {"read": 0, "refused": 0}
    for item in items:
        try:
            function(item)
        except DataError:
            counts["refused"] += 1
        else:
            counts["read"] += 1
    return counts


def test_names_of_classes_are_read_back_or_refused(tmp_path):
    rng = random.Random(0)

    def write_and_read(names):
        write_labels(tmp_path, names)
        assert read_labels(str(tmp_path), len(names)) == dict(enumerate(names))

    items = [
        ["".join(rng.choices(ALPHABET, k=rng.randint(0, 6))) for _ in range(3)]
        for _ in range(COUNT // 10)
    ]
    counts = outcomes(write_and_read, items)
    assert min(counts.values()) > len(items) / 10


@pytest.mark.slow
def test_a_damaged_labels_file_is_read_or_refused(tmp_path):
    rng, original = random.Random(1), "0:cat\n1:d\u00f6g\n2:eel: a fish\n".encode()

    def read(data):
        (tmp_path / "labels.txt").write_bytes(data)
        names = read_labels(str(tmp_path), 3)
        assert list(names) == [0, 1, 2]
        assert all(isinstance(name, str) and name for name in names.values())

    counts = outcomes(read, [damaged(original, rng) for _ in range(COUNT)])
    assert min(counts.values()) > COUNT / 20


@pytest.mark.slow
def test_a_damaged_manifest_is_read_or_refused(tmp_path):
    rng = random.Random(2)
    shard = manifests.Shard("a-00000-of-00001.tfrecord", 3, 100, "0" * 64)
    split = manifests.Split((shard,), (1, 2))
    manifests.Manifest("a", "p", ("x", "y"), (1, 2, 3), "png", {"train": split}).write(tmp_path)
    path = tmp_path / manifests.FILE_NAME
    original = path.read_bytes()

    def read(data):
        path.write_bytes(data)
        found = manifests.read(tmp_path)
        if found:
            json.dumps([found.classes, found.shape, found.name])
            assert all(s.examples >= 0 for s in found.splits.values())

    counts = outcomes(read, [damaged(original, rng) for _ in range(COUNT)])
    assert min(counts.values()) > COUNT / 20


@pytest.mark.slow
def test_files_and_classes_of_any_name_are_labelled_right(tmp_path):
    rng, png = random.Random(3), tf.io.encode_png(np.zeros([1, 1, 1], np.uint8)).numpy()
    root, names = tmp_path / "images", {}
    for _ in range(100):
        name = "".join(rng.choices([c for c in ALPHABET if c not in "/\0"], k=rng.randint(1, 6)))
        for _ in range(COUNT // 100):
            file = "".join(rng.choices([c for c in ALPHABET if c not in "/\0"], k=8))
            if name[0] != "." and file[0] != ".":
                os.makedirs(root / name, exist_ok=True)
                (root / name / file).write_bytes(png)
                names[str(root / name / file)] = name
    dataset = slim.data.get_dataset("image_folder", "all", str(root))
    assert set(dataset.data_sources) == set(names)
    for batch in slim.data.load(dataset, batch_size=100, items=["label", "filename"]):
        for label, path in zip(batch["label"].numpy(), batch["filename"].numpy(), strict=True):
            assert dataset.labels_to_names[label] == names[path.decode()]


@pytest.mark.slow
def test_a_damaged_file_of_records_is_read_or_refused(tmp_path, write_records, digit_records):
    rng = random.Random(4)
    path = tmp_path / "digits_test.tfrecord"
    write_records(path, digit_records[:3])
    original = path.read_bytes()
    batches = slim.data.load("digits", "test", 1, dataset_dir=str(tmp_path), items=["label"])

    def read(data):
        path.write_bytes(data)
        for batch in slim.data.iterate(batches):
            assert 0 <= int(batch["label"][0]) < 10

    counts = outcomes(read, [damaged(original, rng) for _ in range(RECORDS)])
    assert counts["refused"] > RECORDS / 2


@pytest.mark.slow
def test_a_damaged_record_is_read_or_refused(tmp_path, write_records, digit_records):
    rng = random.Random(5)
    path = tmp_path / "digits_test.tfrecord"
    write_records(path, digit_records[:1])
    batches = slim.data.load("digits", "test", 1, dataset_dir=str(tmp_path))

    def read(record):
        write_records(path, [record])
        for batch in slim.data.iterate(batches):
            assert batch["image"].shape == [1, 8, 8, 1]
            assert 0 <= int(batch["label"][0]) < 10

    counts = outcomes(read, [damaged(digit_records[0], rng) for _ in range(RECORDS)])
    assert counts["refused"] > RECORDS / 2
    assert outcomes(read, [digit_records[0]]) == {"read": 1, "refused": 0}


def cifar_tar():
    """A small archive like that of CIFAR-10 for C, with one image in each file."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for name in (*(f"data_batch_{n}.bin" for n in range(1, 6)), "test_batch.bin"):
            member = tarfile.TarInfo(f"cifar/{name}")
            member.size = 3073
            archive.addfile(member, io.BytesIO(bytes(3073)))
    return file.getvalue()


@pytest.mark.slow
@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["tar", "tar.gz"])
def test_a_damaged_archive_is_read_or_refused(pack, tmp_path):
    rng, path, original = random.Random(6), tmp_path / "a.tar", cifar_tar()
    headers = [at for at in range(0, len(original), 512) if original[at : at + 5] == b"cifar"]

    def read(data):
        path.write_bytes(data)
        source = open_source(str(path))
        assert source.sizes.keys() == {"train", "test"}

    def changed():
        if pack is bytes and rng.random() < 0.8:
            at = rng.choice(headers)
            head = damaged(original[at : at + 512], rng)[:512].ljust(512, b"\0")
            return original[:at] + head + original[at + 512 :]
        return damaged(pack(original), rng)

    counts = outcomes(read, (changed() for _ in range(COUNT // 2)))
    assert counts["refused"] > COUNT / 20


@pytest.mark.slow
def test_a_damaged_idx_file_is_read_or_refused(tmp_path):
    rng = random.Random(7)
    images = b"\0\0\x08\x03" + b"".join(n.to_bytes(4, "big") for n in (2, 3, 3)) + bytes(18)
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(b"\0\0\x08\x01\0\0\0\x02\x01\x02")

    def read(item):
        suffix, data = item
        for old in tmp_path.glob("train-images*"):
            old.unlink()
        (tmp_path / f"train-images-idx3-ubyte{suffix}").write_bytes(data)
        (tmp_path / f"train-labels-idx1-ubyte{suffix}").write_bytes(
            (gzip.compress if suffix else bytes)(b"\0\0\x08\x01\0\0\0\x02\x01\x02")
        )
        assert open_source(str(tmp_path)).sizes == {"train": 2}

    packed = gzip.compress(images)
    items = [("", damaged(images, rng)) for _ in range(COUNT // 2)]
    items += [(".gz", damaged(packed, rng)) for _ in range(COUNT // 2)]
    counts = outcomes(read, items)
    assert min(counts.values()) > COUNT / 100


@pytest.mark.slow
def test_a_damaged_pickle_is_read_or_refused():
    rng, refused = random.Random(8), 0
    import pickle

    values = {b"labels": [1, 2, 3], b"data": np.zeros([3, 4], np.uint8), b"names": [b"a", "b"]}
    for protocol in range(1, 5):
        original = pickle.dumps(values, protocol)
        for _ in range(COUNT // 4):
            try:
                _plain_pickle.loads(damaged(original, rng))
            except ValueError:
                refused += 1
    assert refused > COUNT / 2
