"""Ten thousand damaged images and examples: each is decoded, or refused by a clean error."""

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image as Pillow
from slim_data import decode_image, reason

import slimcore as slim
from slimcore.data_errors import BAD_DATA

td = slim.tfexample_decoder
MUTATIONS = 1250  # of each of the eight kinds below


def encoded(pixels, kind):
    file = io.BytesIO()
    Pillow.fromarray(pixels).save(file, kind)
    return file.getvalue()


def mutated(data, random):
    """Flips bits, changes, cuts out, doubles and swaps pieces, or cuts the end off."""
    data = bytearray(data)
    for _ in range(random.integers(1, 4)):
        if not data:
            break
        at, other = random.integers(0, len(data), 2)
        # Headers decide more than pixels do.
        at = at % 64 if random.random() < 0.5 else at
        at, length = min(at, len(data) - 1), int(random.integers(1, 9))
        kind = random.integers(0, 7)
        if kind == 0:
            data[at] ^= 1 << random.integers(0, 8)
        elif kind == 1:
            data[at : at + length] = random.bytes(length)
        elif kind == 2:
            del data[at : at + length]
        elif kind == 3:
            data[at:at] = data[other : other + length]
        elif kind == 4:
            data[at : at + length] = b"\xff" * length
        elif kind == 5:
            data[at : at + length] = b"\0" * length
        else:
            del data[other:]
    return bytes(data)


def outcome(function, data):
    """Returns "decoded" or "refused"; any other error, and any crash, fails the test."""
    try:
        function(tf.constant(data))
    except BAD_DATA as error:
        line = reason(error)
    else:
        return "decoded"
    assert line
    assert len(line.splitlines()) == 1
    return "refused"


@pytest.fixture
def few_pixels(monkeypatch):
    """A limit like that of a user with little memory, so that no header makes the test slow."""
    monkeypatch.setenv("SLIM_MAX_PIXELS", str(2**20))


def count_outcomes(function, original, seed, count=MUTATIONS):
    random = np.random.default_rng(seed)
    found = [outcome(function, mutated(original, random)) for _ in range(count)]
    assert outcome(function, original) == "decoded"
    return {name: found.count(name) for name in ("decoded", "refused")}


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["png", "jpeg", "gif", "bmp", "webp"])
def test_a_damaged_image_is_decoded_or_refused(kind, few_pixels, noise):
    @tf.function(input_signature=[tf.TensorSpec([], tf.string)])
    def decode(contents):
        image = decode_image(contents, channels=3)
        return tf.ensure_shape(image, [None, None, 3])

    counts = count_outcomes(decode, encoded(noise(24, 20, 3), kind), seed=1)
    assert counts["refused"] > MUTATIONS / 10


@pytest.mark.slow
def test_damaged_raw_pixels_are_decoded_or_refused(few_pixels, noise):
    @tf.function(input_signature=[tf.TensorSpec([], tf.string)])
    def decode(contents):
        return decode_image(contents, "raw", shape=[4, 5, 3])

    counts = count_outcomes(decode, noise(4, 5, 3).tobytes(), seed=2)
    assert min(counts.values()) > MUTATIONS / 10


@pytest.mark.slow
def test_a_damaged_example_is_decoded_or_refused(few_pixels, noise, example):
    features = {
        "image/encoded": tf.io.FixedLenFeature([], tf.string),
        "image/format": tf.io.FixedLenFeature([], tf.string, default_value="raw"),
        "label": tf.io.FixedLenFeature([], tf.int64),
        **{key: tf.io.VarLenFeature(tf.float32) for key in ("ymin", "xmin", "ymax", "xmax")},
    }
    handlers = {
        "image": td.Image(shape=[4, 5, 3]),
        "label": td.Tensor("label"),
        "boxes": td.BoundingBox(),
    }
    decoder = td.TFExampleDecoder(features, handlers)

    @tf.function(input_signature=[tf.TensorSpec([], tf.string)])
    def decode(record):
        return decoder.decode(record)

    sides = {"ymin": 0.25, "xmin": 0.25, "ymax": 0.5, "xmax": 0.5}
    record = example(image__encoded=(noise(4, 5, 3) // 2).tobytes(), label=[3], **sides)
    counts = count_outcomes(decode, record, seed=3)
    assert counts["refused"] > MUTATIONS / 2


@pytest.mark.slow
def test_a_damaged_sequence_is_decoded_or_refused():
    record = tf.train.SequenceExample()
    record.context.feature["label"].int64_list.value.append(3)
    for key in ("ymin", "xmin", "ymax", "xmax"):
        for row in ([0.25, 0.5], [0.75]):
            steps = record.feature_lists.feature_list[key].feature
            steps.add().float_list.value.extend(row)
    boxes = dict.fromkeys(("ymin", "xmin", "ymax", "xmax"), tf.io.VarLenFeature(tf.float32))
    decoder = td.TFSequenceExampleDecoder(
        {"label": tf.io.FixedLenFeature([], tf.int64)},
        boxes,
        {"label": td.Tensor("label"), "boxes": td.BoundingBoxSequence()},
    )

    @tf.function(input_signature=[tf.TensorSpec([], tf.string)])
    def decode(record):
        return decoder.decode(record)

    counts = count_outcomes(decode, record.SerializeToString(), seed=4)
    assert counts["refused"] > MUTATIONS / 10


@pytest.mark.parametrize("kind", ["png", "jpeg", "gif", "bmp", "webp"])
def test_a_damaged_image_is_decoded_or_refused_in_eager_mode(kind, few_pixels, noise):
    def decode(contents):
        return decode_image(contents, channels=3)

    count_outcomes(decode, encoded(noise(24, 20, 3), kind), seed=5, count=40)
