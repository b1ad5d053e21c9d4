"""The datasets: their layouts, and folders of images."""

import numpy as np
import pytest
import tensorflow as tf

import slimcore as slim
from slimcore.errors import DataError, InputError

# Dataset, split, file, shape, and the number of examples and classes that are stated.
LAYOUTS = [
    ("mnist", "train", "mnist_train.tfrecord", (28, 28, 1), 60000, 10),
    ("fashion_mnist", "test", "fashion_mnist_test.tfrecord", (28, 28, 1), 10000, 10),
    ("cifar10", "train", "cifar10_train.tfrecord", (32, 32, 3), 50000, 10),
    ("cifar100", "test", "cifar100_test.tfrecord", (32, 32, 3), 10000, 100),
    ("flowers", "validation", "flowers_validation_00000-of-00005.tfrecord", None, 350, 5),
    ("imagenet", "train", "train-00000-of-00001", None, 1281167, 1001),
    ("visualwakewords", "val", "val.record-00000-of-00001", None, 40504, 2),
]
IDS = [layout[0] for layout in LAYOUTS]


@pytest.mark.parametrize("name, split, file, shape, size, classes", LAYOUTS, ids=IDS)
def test_a_dataset_reads_research_slims_layout(
    name, split, file, shape, size, classes, tmp_path, example, write_records, noise
):
    pixels = noise(*(shape or (20, 30, 3)))
    record = example(
        image__encoded=tf.io.encode_png(pixels).numpy(), image__format=b"png",
        image__class__label=classes - 1,
    )  # fmt: skip
    path = tmp_path / file.replace("00000-of-00005", "00000-of-00001")
    write_records(path, [record])
    names = dict(enumerate(f"class {n}" for n in range(classes)))
    (tmp_path / "labels.txt").write_text("".join(f"{n}:{name}\n" for n, name in names.items()))
    dataset = slim.data.get_dataset(name, split, str(tmp_path))
    assert (dataset.num_samples, dataset.num_classes) == (size, classes)
    assert dataset.labels_to_names == names
    (batch,) = slim.data.load(dataset, batch_size=1)
    np.testing.assert_array_equal(batch["image"][0], pixels)
    assert batch["label"].numpy().tolist() == [classes - 1]


def test_mnist_of_research_slim_is_raw(tmp_path, example, write_records, noise):
    pixels = noise(28, 28, 1)
    record = example(image__encoded=pixels.tobytes(), image__class__label=3)
    write_records(tmp_path / "mnist_test.tfrecord", [record])
    (batch,) = slim.data.load("mnist", "test", 1, dataset_dir=str(tmp_path))
    np.testing.assert_array_equal(batch["image"][0], pixels)


@pytest.mark.parametrize("name, split", [("imagenet", "train"), ("visualwakewords", "train")])
def test_boxes_are_items_too(name, split, tmp_path, example, write_records, noise):
    record = example(
        image__encoded=tf.io.encode_jpeg(noise(20, 30, 3)).numpy(), image__class__label=1,
        image__object__bbox__ymin=[0.0], image__object__bbox__xmin=[0.25],
        image__object__bbox__ymax=[0.5], image__object__bbox__xmax=[1.0],
    )  # fmt: skip
    file = "train-00000-of-00001" if name == "imagenet" else "train.record-00000-of-00001"
    write_records(tmp_path / file, [record])
    dataset = slim.data.get_dataset(name, split, str(tmp_path))
    (batch,) = slim.data.load(dataset, batch_size=1, items=["label", "object/bbox"])
    np.testing.assert_array_equal(batch["object/bbox"][0], [[0, 0.25, 0.5, 1]])


def test_files_of_other_names_are_read_by_their_pattern(tmp_path, write_records, digit_records):
    write_records(tmp_path / "my-test.rec", digit_records)
    dataset = slim.data.get_dataset("digits", "test", str(tmp_path), file_pattern="my-%s.rec")
    assert sum(len(batch["label"]) for batch in slim.data.load(dataset)) == 20


@pytest.mark.parametrize("name", [*IDS, "image_folder", "converted"])
def test_a_dataset_without_its_folder_says_what_it_needs(name):
    with pytest.raises(DataError, match=f"dataset {name}"):
        slim.data.get_dataset(name, "val" if name == "visualwakewords" else "train")


def test_a_folder_of_images_is_split_the_same_way_each_time(folder_of_images):
    def files(split):
        return set(slim.data.get_dataset("image_folder", split, str(folder_of_images)).data_sources)

    assert files("train") | files("test") == files("all")
    assert not files("train") & files("test")
    before = files("test")
    (folder_of_images / "cat" / "another.png").write_bytes(
        (folder_of_images / "cat" / "0.png").read_bytes()
    )
    assert before <= files("test")


def test_every_class_of_a_folder_is_in_training_and_in_testing(folder_of_images):
    for split in ("train", "test"):
        dataset = slim.data.get_dataset("image_folder", split, str(folder_of_images))
        assert dataset.labels_to_names == {0: "cat", 1: "dog"}
        labels = [b["label"].numpy()[0] for b in slim.data.load(dataset, batch_size=1)]
        assert sorted(set(labels)) == [0, 1]


def test_a_folder_may_be_split_already(folder_of_images, tmp_path):
    top = tmp_path / "split"
    for split in ("train", "val"):
        top.mkdir(exist_ok=True)
        (top / split).mkdir()
        for name in ("cat", "dog"):
            (top / split / name).mkdir()
            contents = (folder_of_images / name / "0.png").read_bytes()
            (top / split / name / f"{split}.png").write_bytes(contents)
    dataset = slim.data.get_dataset("image_folder", "val", str(top))
    assert [path.rpartition("/")[2] for path in dataset.data_sources] == ["val.png"] * 2
    with pytest.raises(InputError, match="has no split 'test'.*It has train, val"):
        slim.data.get_dataset("image_folder", "test", str(top))
    (top / "val" / "cow").mkdir()
    with pytest.raises(DataError, match="have different classes: cow"):
        slim.data.get_dataset("image_folder", "val", str(top))


def test_a_split_without_an_image_is_refused(folder_of_images):
    for path in folder_of_images.rglob("[1-9].*"):
        path.unlink()
    assert slim.data.get_dataset("image_folder", "train", str(folder_of_images)).num_samples == 2
    with pytest.raises(DataError, match="the split test has no image, since no class has more"):
        slim.data.get_dataset("image_folder", "test", str(folder_of_images))


def test_a_link_to_nothing_is_not_passed_over(folder_of_images):
    (folder_of_images / "cat" / "gone.png").symlink_to("nowhere")
    with pytest.raises(DataError, match=r"cat/gone\.png is a link to nothing"):
        slim.data.get_dataset("image_folder", "all", str(folder_of_images))


def test_a_folder_without_classes_is_refused(tmp_path):
    with pytest.raises(DataError, match="holds no class"):
        slim.data.get_dataset("image_folder", "train", str(tmp_path))


def test_the_images_of_a_folder_keep_their_pixels_and_labels(folder_of_images):
    batches = slim.data.load(
        "image_folder", "all", 1, dataset_dir=str(folder_of_images),
        items=["image", "label", "filename"],
    )  # fmt: skip
    for batch in batches:
        path = batch["filename"].numpy()[0].decode()
        expected = tf.io.decode_image(tf.io.read_file(path), expand_animations=False)
        np.testing.assert_array_equal(batch["image"][0], expected)
        assert ["cat", "dog"][int(batch["label"][0])] == path.split("/")[-2]


def test_a_folder_is_read_by_a_provider_in_a_graph_too(folder_of_images):
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        dataset = slim.data.get_dataset("image_folder", "all", str(folder_of_images))
        provider = slim.DatasetDataProvider(dataset, shuffle=False)
        _, label = provider.get(["image", "label"])
        coordinator = v1.train.Coordinator()
        threads = v1.train.start_queue_runners(session, coordinator)
        labels = [int(session.run(label)) for _ in range(12)]
        coordinator.request_stop()
        coordinator.join(threads, ignore_live_threads=True)
    assert labels == [0] * 6 + [1] * 6
