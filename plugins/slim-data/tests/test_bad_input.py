"""Bad input: an error that names file and record, or, on request, the bad record is left out."""

import json
import struct
import time

import numpy as np
import pytest
import tensorflow as tf

import slimcore as slim
from slimcore.data_errors import explained
from slimcore.errors import DataError

BAD = 5  # the number of the record that is bad


def labels_of(folder, **options):
    batches = slim.data.load(
        "digits", "test", 8, dataset_dir=str(folder), preprocessing="lenet", image_size=8, **options
    )
    return [int(label) for batch in slim.data.iterate(batches) for label in batch["label"]]


def png_of(record):
    example = tf.train.Example.FromString(record)
    return example.features.feature["image/encoded"].bytes_list.value[0]


def huge(png):
    return png[:16] + struct.pack(">II", 50000, 50000) + png[24:]


def other_size():
    return tf.io.encode_png(np.zeros([9, 9, 1], np.uint8)).numpy()


NO_IMAGE = "not a readable image: its format is not one of BMP, GIF, JPEG, PNG, WEBP"
NO_EXAMPLE = "the record is not a tf.train.Example"
RECORDS = {
    "a label out of range": (
        lambda r, change: change(r, image__class__label=10), "label is not one of 0 to 9: 10"),
    "a negative label": (
        lambda r, change: change(r, image__class__label=-1), "label is not one of 0 to 9: -1"),
    "an image that is no image": (
        lambda r, change: change(r, image__encoded=b"hello"), NO_IMAGE),
    "an image that is no image and no text": (
        lambda r, change: change(r, image__encoded=b"\xff\0\xfe\n"), NO_IMAGE),
    "half an image": (
        lambda r, change: change(r, image__encoded=png_of(r)[:80]), "PNG"),
    "a header of 50,000 x 50,000": (
        lambda r, change: change(r, image__encoded=huge(png_of(r))), "exceeds the limit"),
    "an image of another size": (
        lambda r, change: change(r, image__encoded=other_size()),
        "requested shape"),
    "no example": (lambda r, change: b"garbage", NO_EXAMPLE),
    "no example and no text": (lambda r, change: b"\xff\n\xfe", NO_EXAMPLE),
    "an example without a label": (
        lambda r, change: tf.train.Example().SerializeToString(), "required"),
}  # fmt: skip


@pytest.fixture(params=list(RECORDS))
def bad_record(request, tmp_path, write_records, digit_records, replaced):
    spoil, message = RECORDS[request.param]
    records = list(digit_records)
    records[BAD] = spoil(records[BAD], replaced)
    return write_records(tmp_path / "digits_test.tfrecord", records), message


def test_a_bad_record_is_named_with_its_file(bad_record, tmp_path):
    path, message = bad_record
    with pytest.raises(DataError, match=rf"{path}, record {BAD} .*: .*{message}") as caught:
        labels_of(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_bad_record_costs_nothing_but_itself(bad_record, tmp_path, digit_records, capfd):
    path, _ = bad_record
    every = [
        tf.train.Example.FromString(r).features.feature["image/class/label"].int64_list.value[0]
        for r in digit_records
    ]
    assert labels_of(tmp_path, skip_corrupt=1) == every[:BAD] + every[BAD + 1 :]
    line = f"slim: left out {path}, record {BAD}, which cannot be read (1 of at most 1)"
    assert line in capfd.readouterr().err


def frames(data):
    """Returns where each record of a TFRecord begins."""
    starts, position = [], 0
    while position < len(data):
        starts.append(position)
        position += 16 + struct.unpack_from("<Q", data, position)[0]
    return starts


def truncated(data, at):
    return data[: at + 40]


def wrong_crc(data, at):
    return data[: at + 20] + bytes([data[at + 20] ^ 1]) + data[at + 21 :]


def wrong_length(data, at):
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


@pytest.mark.parametrize(
    "damage, lost",
    [(truncated, 15), (wrong_crc, 1), (wrong_length, 15)],
    ids=["cut", "crc", "length"],
)
def test_a_damaged_file_is_named_or_read_as_far_as_it_can_be(
    damage, lost, tmp_path, write_records, digit_records
):
    path = tmp_path / "digits_test.tfrecord"
    write_records(path, digit_records)
    every = labels_of(tmp_path)
    data = path.read_bytes()
    path.write_bytes(damage(data, frames(data)[BAD]))
    with pytest.raises(DataError, match=rf"{path}, record {BAD} .*(truncated|corrupted) record"):
        labels_of(tmp_path)
    expected = every[:BAD] + every[BAD + lost :]
    assert labels_of(tmp_path, skip_corrupt=1) == expected
    assert labels_of(tmp_path, skip_corrupt=1, repeat=2) == expected * 2


@pytest.mark.parametrize("bad", [range(750), range(0, 1500, 2), range(1, 1500, 3)])
def test_many_bad_records_cost_as_much_as_they_hold(bad, tmp_path, write_records, digit_records):
    padding = tf.train.Example()
    padding.features.feature["padding"].bytes_list.value.append(bytes(1000))
    records = [
        digit_records[n % 20] + padding.SerializeToString(deterministic=True) for n in range(1500)
    ]
    path = tmp_path / "digits_test.tfrecord"
    write_records(path, records)
    every = labels_of(tmp_path)
    data = path.read_bytes()
    spoilt = bytearray(data)
    starts = frames(data)
    for number in bad:
        spoilt[starts[number] + 20] ^= 1
    path.write_bytes(spoilt)
    began = time.monotonic()
    left = labels_of(tmp_path, skip_corrupt=len(bad))
    assert time.monotonic() - began < 120
    assert left == [label for n, label in enumerate(every) if n not in bad]


def test_what_is_left_out_is_shown_and_not_obeyed(
    tmp_path, write_records, digit_records, replaced, capfd
):
    folder = tmp_path / "\x1b[2J\u202e"
    records = [replaced(digit_records[0], image__encoded=b"hello"), digit_records[1]]
    write_records(folder / "digits_test.tfrecord", records)
    assert len(labels_of(folder, skip_corrupt=1)) == 1
    said = capfd.readouterr().err
    assert "slim: left out " in said
    assert "\x1b" not in said
    assert "\u202e" not in said


def test_one_bad_record_more_than_allowed_is_an_error(
    tmp_path, write_records, digit_records, replaced
):
    records = list(digit_records)
    for number in (3, 7):
        records[number] = replaced(records[number], image__class__label=10)
    path = write_records(tmp_path / "digits_test.tfrecord", records)
    assert len(labels_of(tmp_path, skip_corrupt=2)) == 18
    with pytest.raises(DataError, match=rf"more than 1 records .* was {path}, record 7"):
        labels_of(tmp_path, skip_corrupt=1)


def test_the_bad_one_of_several_files_is_named(tmp_path, write_records, digit_records, replaced):
    for number in range(3):
        records = list(digit_records)
        if number == 1:
            records[BAD] = replaced(records[BAD], image__encoded=b"hello")
        write_records(tmp_path / f"digits_test-0000{number}-of-00003.tfrecord", records)
    with pytest.raises(DataError, match=rf"digits_test-00001-of-00003.tfrecord, record {BAD} "):
        labels_of(tmp_path, shuffle=True, seed=1)


def test_a_missing_shard_is_named(tmp_path, write_records, digit_records):
    for number in (0, 2):
        write_records(tmp_path / f"digits_test-0000{number}-of-00003.tfrecord", digit_records)
    with pytest.raises(DataError, match=r"digits_test-00001-of-00003.tfrecord is missing; 2 of 3"):
        labels_of(tmp_path)


@pytest.fixture
def converted(folder_of_images, tmp_path):
    from slim_data._convert import convert
    from slim_data._convert_sources import open_source

    folder = tmp_path / "converted"
    convert(open_source(str(folder_of_images)), str(folder), name="pets", shards=1)
    return folder


def load_converted(folder, **options):
    batches = slim.data.load(
        "converted", "train", 2, dataset_dir=str(folder), image_size=8, **options
    )
    return sum(len(batch["label"]) for batch in slim.data.iterate(batches))


def test_a_file_with_another_checksum_than_the_manifest_says_is_named(converted):
    path = converted / "pets_train-00000-of-00001.tfrecord"
    count = load_converted(converted)
    data = path.read_bytes()
    path.write_bytes(data[:20] + bytes([data[20] ^ 1]) + data[21:])
    with pytest.raises(DataError, match=rf"{path} has another checksum than manifest.json says"):
        load_converted(converted)
    assert load_converted(converted, skip_corrupt=1) == count - 1


def test_a_file_with_another_size_than_the_manifest_says_is_named(converted):
    path = converted / "pets_train-00000-of-00001.tfrecord"
    size = path.stat().st_size
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataError, match=rf"{path} has {size - 1} bytes, and .* says {size}"):
        load_converted(converted)


@pytest.mark.parametrize(
    "text", ["{", '{"format": "slim-data 1"}', '{"format": "slim-data 1", "splits": 3}']
)
def test_a_manifest_that_cannot_be_read_is_named(converted, text):
    (converted / "manifest.json").write_text(text)
    with pytest.raises(DataError, match=r"manifest.json is not a readable manifest"):
        load_converted(converted)


def test_a_manifest_of_another_program_is_left_alone(tmp_path, write_records, digit_records):
    write_records(tmp_path / "digits_test.tfrecord", digit_records)
    (tmp_path / "manifest.json").write_text(json.dumps({"name": "something else"}))
    assert len(labels_of(tmp_path)) == 20


def test_a_labels_file_that_cannot_be_read_is_named(tmp_path, write_records, digit_records):
    write_records(tmp_path / "digits_test.tfrecord", digit_records)
    (tmp_path / "labels.txt").write_text("0:zero\none\n")
    with pytest.raises(DataError, match=r"labels.txt, line 2: 'one' is not of the form 0:name"):
        labels_of(tmp_path)


def test_an_empty_class_folder_is_named(folder_of_images):
    (folder_of_images / "empty").mkdir()
    with pytest.raises(DataError, match=r"class folder .*empty is empty"):
        slim.data.get_dataset("image_folder", "train", str(folder_of_images))


def test_a_text_file_among_images_is_named_or_left_out(folder_of_images):
    notes = folder_of_images / "dog" / "notes.txt"
    notes.write_text("Not a dog.")

    def count(**options):
        batches = slim.data.load(
            "image_folder", "all", 4, dataset_dir=str(folder_of_images), image_size=8, **options
        )
        return sum(len(batch["label"]) for batch in slim.data.iterate(batches))

    with pytest.raises(
        DataError,
        match=rf"{notes}: not a readable image: .*--skip-corrupt\); it begins with Not a do",
    ):
        count()
    assert count(skip_corrupt=1) == 12


def test_a_dataset_still_tells_what_was_wrong_to_who_iterates_otherwise(
    tmp_path, write_records, digit_records, replaced
):
    records = [replaced(digit_records[0], image__encoded=b"hello")]
    write_records(tmp_path / "digits_test.tfrecord", records)
    batches = slim.data.load("digits", "test", 1, dataset_dir=str(tmp_path))

    @tf.function
    def count():
        return batches.reduce(0, lambda n, _: n + 1)

    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        count()
    told = str(explained(batches, caught.value))
    assert "record 0 (the first is 0): not a readable image" in told
