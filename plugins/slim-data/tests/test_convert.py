"""`slim data convert`: whatever it is given becomes TFRecords that say the same."""

import gzip
import hashlib
import io
import json
import pickle
import struct
import tarfile

import numpy as np
import pytest
import tensorflow as tf
from slim_data._convert import convert
from slim_data._convert_sources import open_source

import slimcore as slim
from slimcore.errors import DataError

random = np.random.default_rng(3)
SIZES = {"train": 10, "test": 4}
SMALL = {split: random.integers(0, 256, [n, 28, 28], np.uint8) for split, n in SIZES.items()}
COLOUR = {split: random.integers(0, 256, [n, 32, 32, 3], np.uint8) for split, n in SIZES.items()}
LABELS = {split: random.integers(0, 10, n) for split, n in SIZES.items()}
FINE = {split: random.integers(0, 100, n) for split, n in SIZES.items()}
TEN, HUNDRED = [f"thing{n}" for n in range(10)], [f"kind_{n}" for n in range(100)]


# Archives as they are found, written from the descriptions of their formats.


def idx(values, pack=lambda data: data):
    return pack(struct.pack(f">BBBB{values.ndim}I", 0, 0, 8, values.ndim, *values.shape)
                + values.astype(np.uint8).tobytes())  # fmt: skip


def idx_folder(folder, suffix=""):
    pack = gzip.compress if suffix else (lambda data: data)
    for split, start in (("train", "train"), ("test", "t10k")):
        (folder / f"{start}-images-idx3-ubyte{suffix}").write_bytes(idx(SMALL[split], pack))
        (folder / f"{start}-labels-idx1-ubyte{suffix}").write_bytes(idx(LABELS[split], pack))
    return folder


def pickled(value):
    """Pickles as Python 2 did when CIFAR was written: strings are bytes, arrays of numpy.core."""
    if isinstance(value, np.ndarray):
        kind = b"cnumpy\ndtype\n" + pickled(("u1", 0, 1)) + b"R"
        kind += pickled((3, "|", None, None, None, -1, -1, 0)) + b"b"
        made = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n" + pickled((0,))
        state = pickled(1) + pickled(value.shape) + kind + pickled(0) + pickled(value.tobytes())
        return made + pickled("b") + b"tR(" + state + b"tb"
    if isinstance(value, dict):
        return b"(" + b"".join(map(pickled, sum(value.items(), ()))) + b"d"
    if isinstance(value, list | tuple):
        end = b"l" if isinstance(value, list) else b"t"
        return b"(" + b"".join(map(pickled, value)) + end
    if isinstance(value, str | bytes):
        data = value.encode() if isinstance(value, str) else value
        return b"T" + struct.pack("<i", len(data)) + data
    return b"N" if value is None else b"J" + struct.pack("<i", value)


def planes(images):
    return np.ascontiguousarray(images.transpose(0, 3, 1, 2).reshape(len(images), -1))


def cifar10_python():
    files = {"batches.meta": {"num_cases_per_batch": 2, "label_names": TEN, "num_vis": 3072}}
    for n in range(5):
        part = slice(2 * n, 2 * n + 2)
        files[f"data_batch_{n + 1}"] = {
            "batch_label": f"training batch {n + 1} of 5",
            "labels": LABELS["train"][part].tolist(),
            "data": planes(COLOUR["train"][part]),
            "filenames": ["a.png", "b.png"],
        }
    files["test_batch"] = {"labels": LABELS["test"].tolist(), "data": planes(COLOUR["test"])}
    files = {name: pickled(values) + b"." for name, values in files.items()}
    return {f"cifar-10-batches-py/{name}": data for name, data in files.items()} | {
        "cifar-10-batches-py/readme.html": b"<html>"
    }


def cifar10_binary():
    rows = {
        split: np.concatenate([LABELS[split][:, None].astype(np.uint8), planes(COLOUR[split])], 1)
        for split in SIZES
    }
    files = {f"data_batch_{n + 1}.bin": rows["train"][2 * n : 2 * n + 2] for n in range(5)}
    files = {name: part.tobytes() for name, part in files.items()}
    files |= {"test_batch.bin": rows["test"].tobytes(), "readme.html": b"<html>"}
    files["batches.meta.txt"] = ("\n".join(TEN) + "\n\n").encode()
    return {f"cifar-10-batches-bin/{name}": data for name, data in files.items()}


def cifar100_python():
    files = {"meta": {"fine_label_names": HUNDRED, "coarse_label_names": ["coarse"] * 20}}
    for split in SIZES:
        coarse = (FINE[split] // 5).tolist()
        fine, data = FINE[split].tolist(), planes(COLOUR[split])
        files[split] = {"coarse_labels": coarse, "fine_labels": fine, "data": data}
    files = {name: pickled(values) + b"." for name, values in files.items()}
    return {f"cifar-100-python/{name}": data for name, data in files.items()} | {
        "cifar-100-python/file.txt~": b""
    }


def cifar100_binary():
    files = {"fine_label_names.txt": "\n".join(HUNDRED).encode()}
    files["coarse_label_names.txt"] = b"coarse\n" * 20
    for split in SIZES:
        labels = np.stack([FINE[split] // 5, FINE[split]], 1).astype(np.uint8)
        files[f"{split}.bin"] = np.concatenate([labels, planes(COLOUR[split])], 1).tobytes()
    return {f"cifar-100-binary/{name}": data for name, data in files.items()}


def packed(files, path):
    with tarfile.open(path, "w:gz") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path


def unpacked(files, folder):
    for name, data in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


CIFAR = {
    "CIFAR-10 for Python": (cifar10_python, "cifar10", LABELS, TEN),
    "CIFAR-10 for C": (cifar10_binary, "cifar10", LABELS, TEN),
    "CIFAR-100 for Python": (cifar100_python, "cifar100", FINE, HUNDRED),
    "CIFAR-100 for C": (cifar100_binary, "cifar100", FINE, HUNDRED),
}
DIGITS = [str(n) for n in range(10)]
GREY = {split: images[..., None] for split, images in SMALL.items()}

# Name: what makes the source in a folder, and the dataset, images, labels and classes that it is.
SOURCES = {
    "IDX": (idx_folder, "mnist", GREY, LABELS, DIGITS),
    "IDX in gzip": (lambda folder: idx_folder(folder, ".gz"), "mnist", GREY, LABELS, DIGITS),
}
for name, (files, dataset, labels, classes) in CIFAR.items():
    truth = dataset, COLOUR, labels, classes
    SOURCES[name] = (lambda folder, files=files: packed(files(), folder / "a.tar.gz"), *truth)
    SOURCES[f"{name}, unpacked"] = (lambda folder, files=files: unpacked(files(), folder), *truth)


@pytest.mark.parametrize("name", SOURCES)
def test_what_is_converted_is_read_back_as_it_was(name, tmp_path):
    make, dataset, images, labels, classes = SOURCES[name]
    source = tmp_path / "source"
    source.mkdir()
    folder = str(tmp_path / "records")
    manifest = convert(open_source(str(make(source))), folder, shards=2)
    assert (manifest.name, manifest.classes) == (dataset, tuple(classes))
    for split in SIZES:
        described = slim.data.get_dataset(dataset, split, folder)
        assert described.num_samples == SIZES[split]
        assert list(described.labels_to_names.values()) == classes
        (batch,) = slim.data.load(described, batch_size=100)
        order = [0, 2, 1, 3] if split == "test" else [0, 5, 1, 6, 2, 7, 3, 8, 4, 9]
        np.testing.assert_array_equal(batch["image"], images[split][order])
        np.testing.assert_array_equal(batch["label"], labels[split][order])


def test_a_provider_in_a_graph_reads_what_was_converted(tmp_path, folder_of_images):
    folder = str(tmp_path / "records")
    convert(open_source(str(folder_of_images)), folder, shards=1)
    items = ["image", "label"]
    pipeline = slim.data.load("converted", "train", 1, dataset_dir=folder)
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        dataset = slim.data.get_dataset("converted", "train", folder)
        fetches = slim.DatasetDataProvider(dataset, shuffle=False).get(items)
        coordinator = v1.train.Coordinator()
        threads = v1.train.start_queue_runners(session, coordinator)
        provided = [session.run(fetches) for _ in range(dataset.num_samples)]
        coordinator.request_stop()
        coordinator.join(threads, ignore_live_threads=True)
    for batch, (image, label) in zip(pipeline, provided, strict=True):
        np.testing.assert_array_equal(batch["image"][0], image)
        assert int(batch["label"][0]) == label


def test_images_keep_their_bytes_and_names(tmp_path, folder_of_images):
    manifest = convert(open_source(str(folder_of_images)), str(tmp_path / "records"), name="pets")
    assert manifest.shape is None
    seen = {}
    for path in (tmp_path / "records").glob("pets_*.tfrecord"):
        for record in tf.data.TFRecordDataset(str(path)):
            feature = tf.train.Example.FromString(record.numpy()).features.feature
            name, text, kind, data = (
                feature[f"image/{key}"].bytes_list.value[0]
                for key in ("filename", "class/text", "format", "encoded")
            )
            seen[name.decode()] = data
            assert name.startswith(text + b"/")
            assert kind == (b"jpeg" if name.endswith(b"jpg") else b"png")
    files = [path for path in folder_of_images.rglob("*") if path.is_file()]
    assert seen == {p.relative_to(folder_of_images).as_posix(): p.read_bytes() for p in files}


def test_the_manifest_counts_names_and_checksums(tmp_path, folder_of_images):
    folder = tmp_path / "records"
    convert(open_source(str(folder_of_images)), str(folder), name="pets", shards=2)
    manifest = json.loads((folder / "manifest.json").read_text())
    assert (manifest["format"], manifest["name"]) == ("slim-data 1", "pets")
    assert manifest["classes"] == ["cat", "dog"]
    counts = np.sum([split["counts"] for split in manifest["splits"].values()], 0)
    assert counts.tolist() == [6, 6]
    shards = [shard for split in manifest["splits"].values() for shard in split["shards"]]
    assert sum(shard["examples"] for shard in shards) == 12
    for shard in shards:
        data = (folder / shard["file"]).read_bytes()
        assert shard["sha256"] == hashlib.sha256(data).hexdigest()
        assert shard["bytes"] == len(data)
    assert {path.name for path in folder.iterdir()} == {
        "manifest.json", "labels.txt", *(shard["file"] for shard in shards)
    }  # fmt: skip


def short(folder):
    path = folder / "train-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:-1])


def swapped(folder):
    path = folder / "train-labels-idx1-ubyte"
    path.write_bytes((folder / "t10k-labels-idx1-ubyte").read_bytes())


def eleventh(folder):
    labels = LABELS["train"].copy()
    labels[7] = 10
    (folder / "train-labels-idx1-ubyte").write_bytes(idx(labels))


def torn_gzip(folder):
    for plain in folder.iterdir():
        plain.unlink()
    idx_folder(folder, ".gz")
    path = folder / "train-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:99])


def third(folder):
    for name in ("images-idx3", "labels-idx1"):
        contents = (folder / f"t10k-{name}-ubyte").read_bytes()
        (folder / f"extra-{name}-ubyte").write_bytes(contents)


def of_another_size(folder):
    path = folder / "t10k-images-idx3-ubyte"
    path.write_bytes(idx(np.zeros([4, 14, 14], np.uint8)))


def without_images(folder):
    for name, shape in (("images-idx3", [0, 28, 28]), ("labels-idx1", [0])):
        (folder / f"train-{name}-ubyte").write_bytes(idx(np.zeros(shape, np.uint8)))


IDX_FAULTS = {
    "two files for testing": (third, "t10k-.* and another file in .* are both images for testing"),
    "images of different sizes": (of_another_size, "different sizes: 14 x 14 and 28 x 28"),
    "no images": (without_images, "train-images-idx3-ubyte is empty: its header says 0 x 28 x 28"),
    "images that end early": (short, r"images-idx3-ubyte holds 7839 .* says 10 x 28 x 28"),
    "fewer labels than images": (swapped, r"train-labels-idx1-ubyte: 10 images and 4 labels"),
    "a label out of range": (eleventh, r"example 7 .* label 10 is not one of 0 to 9"),
    "no labels": (lambda f: (f / "t10k-labels-idx1-ubyte").unlink(), "t10k-labels.* is missing"),
    "another format": (lambda f: (f / "train-images-idx3-ubyte").write_bytes(b"x" * 99),
                       "is not an IDX file of bytes with 3 dimensions"),
    "a torn gzip file": (torn_gzip, r"images-idx3-ubyte.gz cannot be read: .*end"),
}  # fmt: skip


@pytest.mark.parametrize("fault", IDX_FAULTS)
def test_idx_files_with_a_fault_are_refused(fault, tmp_path):
    spoil, message = IDX_FAULTS[fault]
    spoil(idx_folder(tmp_path))
    with pytest.raises(DataError, match=message):
        open_source(str(tmp_path))


def test_idx_files_packed_and_unpacked_side_by_side_are_read_once(tmp_path):
    idx_folder(tmp_path)
    for path in list(tmp_path.iterdir()):
        path.with_name(f"{path.name}.gz").write_bytes(b"not read")
    source = open_source(str(tmp_path))
    assert source.sizes == {"train": 10, "test": 4}
    assert [source.image("train", n).label for n in range(10)] == list(LABELS["train"])


def test_idx_files_of_another_size_are_not_called_mnist(tmp_path):
    (tmp_path / "train-images-idx3-ubyte").write_bytes(idx(np.zeros([2, 4, 4], np.uint8)))
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx(np.zeros([2], np.uint8)))
    assert open_source(str(tmp_path)).name == "idx"


class Stranger:
    """Runs code when it is unpickled."""

    def __reduce__(self):
        return eval, ("1 + 1",)


def without(files, name):
    return {key: data for key, data in files.items() if not key.endswith(name)}


CIFAR_FAULTS = {
    "a batch missing": (without(cifar10_python(), "data_batch_4"), "data_batch_4 is missing"),
    "a torn batch": (
        cifar10_binary() | {"data_batch_2.bin": b"x" * 4000},
        "data_batch_2.bin is torn: 4000",
    ),
    "a batch that is none": (
        cifar10_python() | {"data_batch_3": pickled({"labels": []}) + b"."},
        "data_batch_3 is not a batch of CIFAR",
    ),
    "a torn pickle": (
        cifar100_python() | {"train": b"(T"},
        "train cannot be read: not enough data",
    ),
    "a stranger's code": (
        cifar100_python() | {"train": pickle.dumps(Stranger())},
        "train cannot be read: .* asks for builtins.eval",
    ),
    "a label out of range": (
        cifar100_binary() | {"test.bin": bytes([0, 100]) + b"x" * 3072},
        r"\(test\), example 0 .* label 100 is not one of 0 to 99",
    ),
}


@pytest.mark.parametrize("fault", CIFAR_FAULTS)
def test_an_archive_of_cifar_with_a_fault_is_refused(fault, tmp_path):
    files, message = CIFAR_FAULTS[fault]
    with pytest.raises(DataError, match=message):
        open_source(str(packed(files, tmp_path / "cifar.tar.gz")))


def test_what_is_no_source_is_refused(tmp_path):
    with pytest.raises(DataError, match="there is no file or folder '.*nothing' to convert"):
        open_source(str(tmp_path / "nothing"))
    (tmp_path / "text").write_text("hello")
    with pytest.raises(DataError, match="text is not a CIFAR archive"):
        open_source(str(tmp_path / "text"))
    whole = packed(cifar10_python(), tmp_path / "whole.tar.gz").read_bytes()
    (tmp_path / "torn.tar.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"torn.tar.gz is not a CIFAR archive"):
        open_source(str(tmp_path / "torn.tar.gz"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="empty holds no class"):
        open_source(str(tmp_path / "empty"))


@pytest.mark.parametrize("place", ["animals", "animals/cat", "animals/new/folder", "link"])
def test_a_folder_among_the_images_is_not_written_to(place, tmp_path):
    for name in ("cat/a.png", "dog/a.png"):
        path = tmp_path / "animals" / name
        path.parent.mkdir(parents=True)
        path.write_bytes(tf.io.encode_png(np.zeros([1, 1, 1], np.uint8)).numpy())
    (tmp_path / "link").symlink_to(tmp_path / "animals" / "cat")
    with pytest.raises(DataError, match="is one of those with the images; choose another"):
        convert(open_source(str(tmp_path / "animals")), str(tmp_path / place))
    assert len(list((tmp_path / "animals").rglob("*"))) == 4


JOURNALS = [b"\xff\xfe\n", b"[" * 10000 + b"\n", b"3\n3\n", b"{}\n{}\n", b"{}\n[]\n", b"{\n"]


@pytest.mark.parametrize("contents", [*JOURNALS, None])
def test_a_journal_of_something_else_is_refused(contents, tmp_path):
    idx_folder(tmp_path)
    journal = tmp_path / "records" / ".convert.json"
    journal.parent.mkdir()
    journal.mkdir() if contents is None else journal.write_bytes(contents)
    with pytest.raises(DataError, match=r"records/\.convert\.json"):
        convert(open_source(str(tmp_path)), str(tmp_path / "records"))
