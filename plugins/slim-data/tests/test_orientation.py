"""Images stand upright as their EXIF orientation says; Pillow is the truth."""

import io
import struct

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageOps
from slim_data._convert import convert
from slim_data._convert_sources import open_source

import slimcore as slim

td = slim.tfexample_decoder


def pixels(height=24, width=40, channels=3):
    """An image that differs from every turn of itself, and that JPEG changes little."""
    y, x = np.mgrid[:height, :width]
    image = np.stack([y * 9, x * 6, (y + x) * 2], -1)[..., :channels]
    return image.clip(0, 255).astype(np.uint8)


def exif(orientation):
    data = Image.Exif()
    data[0x0110] = "A camera of no make"  # so that the orientation is not the first entry
    data[0x0112] = orientation
    return data.tobytes()


def stored(kind, orientation=None, data=None, channels=3, **options):
    file = io.BytesIO()
    if kind == "webp":
        options["lossless"] = True
    if kind == "jpeg":
        options.setdefault("quality", 95)
    if orientation is not None:
        options["exif"] = exif(orientation)
    if data is not None:
        options["exif"] = data
    Image.fromarray(pixels(channels=channels).squeeze()).save(file, kind, **options)
    return file.getvalue()


def upright(contents):
    with Image.open(io.BytesIO(contents)) as image:
        return np.asarray(ImageOps.exif_transpose(image).convert("RGB")).astype(int)


@tf.function(input_signature=[tf.TensorSpec([], tf.string)])
def decoded(contents):
    return slim.data.decode_image(contents, channels=3)


def assert_upright(contents, image=None):
    image = decoded(tf.constant(contents)) if image is None else image
    np.testing.assert_allclose(image.numpy().astype(int), upright(contents), atol=12)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["jpeg", "png", "webp"])
def test_an_image_is_turned_as_its_orientation_says(kind, orientation):
    contents = stored(kind, orientation)
    assert_upright(contents)
    assert_upright(contents, slim.data.decode_image(tf.constant(contents), channels=3))
    as_stored = slim.data.decode_image(tf.constant(contents), channels=3, upright=False)
    np.testing.assert_allclose(as_stored.numpy().astype(int), pixels(), atol=12)


def tiff(entries, order):
    head = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(order + "I", 8)
    return head + struct.pack(order + "H", len(entries)) + b"".join(entries) + b"\0" * 4


def entry(order, kind, value, tag=0x0112):
    code = order + ("HHIHH" if kind == 3 else "HHII")
    return struct.pack(code, tag, kind, 1, value, *([0] if kind == 3 else []))


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", [3, 4], ids=["short", "long"])
def test_either_order_of_bytes_is_read(order, kind):
    others = [entry(order, 3, 7, tag) for tag in (0x0100, 0x0101)]
    data = b"Exif\0\0" + tiff([*others, entry(order, kind, 6)], order)
    contents = stored("jpeg", data=data)
    assert_upright(contents)
    assert decoded(tf.constant(contents)).shape == [40, 24, 3]


@pytest.mark.parametrize(
    "data",
    [
        b"Exif\0\0",
        b"Exif\0\0II*\0",
        b"Exif\0\0" + tiff([entry("<", 3, 0)], "<"),
        b"Exif\0\0" + tiff([entry("<", 3, 9)], "<"),
        b"Exif\0\0" + tiff([entry("<", 2, 6)], "<"),
        b"Exif\0\0" + tiff([entry("<", 3, 6)], "<")[:-8],
        b"Exif\0\0II*\0" + struct.pack("<I", 2**32 - 1),
        b"Exif\0\0II*\0" + struct.pack("<IH", 8, 65535),
        b"http://ns.adobe.com/xap/1.0/\0<x/>",
    ],
)
def test_exif_data_that_say_nothing_leave_an_image_as_it_is(data):
    image = decoded(tf.constant(stored("jpeg", data=data)))
    np.testing.assert_allclose(image.numpy().astype(int), pixels(), atol=12)


def test_exif_data_behind_other_segments_are_found():
    plain, turned = stored("jpeg"), stored("jpeg", 6)
    length = struct.unpack(">H", turned[turned.index(b"\xff\xe1") + 2 :][:2])[0]
    segment = turned[turned.index(b"\xff\xe1") :][: length + 2]
    comment = b"\xff\xfe" + struct.pack(">H", 9) + b"comment"
    large = b"\xff\xe2" + struct.pack(">H", 65535) + b"\xff\xe1Exif\0\0" * 8191 + b"12345"
    assert len(large) == 65537
    assert_upright(plain[:2] + comment + 3 * large + b"\xff" + segment + plain[2:])


def test_the_tfexample_decoder_reads_images_as_tensorflow_does(example):
    contents = stored("jpeg", 6)
    features = {
        "image/encoded": tf.io.FixedLenFeature([], tf.string),
        "image/format": tf.io.FixedLenFeature([], tf.string),
    }
    record = tf.constant(example(image__encoded=contents, image__format=b"jpeg"))

    def read(**options):
        return td.TFExampleDecoder(features, {"image": td.Image(**options)}).decode(record)[0]

    np.testing.assert_array_equal(read(), tf.io.decode_jpeg(contents))
    assert_upright(contents, read(upright=True))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_window_of_an_upright_jpeg_is_what_it_is_in_the_whole_image(orientation):
    features = {
        "image/encoded": tf.constant(stored("jpeg", orientation)),
        "image/format": tf.constant(""),
    }
    handler = td.Image(upright=True)
    whole = handler.tensors_to_item(features).numpy()
    random = np.random.default_rng(0)
    for _ in range(10):
        height, width = random.integers(1, np.add(whole.shape[:2], 1))
        y, x = random.integers(0, np.subtract(whole.shape[:2], (height, width)) + 1)
        window = tf.constant([y, x, height, width], tf.int32)
        part = handler.window_of(features, lambda shape, window=window: window)
        np.testing.assert_array_equal(part, whole[y : y + height, x : x + width])
    seen = []
    handler.window_of(features, lambda shape: seen.append(shape) or tf.constant([0, 0, 1, 1]))
    np.testing.assert_array_equal(seen[0], whole.shape)


@pytest.fixture
def turned_images(tmp_path):
    root = tmp_path / "images"
    for name, kind in (("cat", "jpeg"), ("dog", "png"), ("eel", "webp")):
        (root / name).mkdir(parents=True)
        for orientation in (1, 3, 6, 8):
            (root / name / f"{orientation}.{kind}").write_bytes(stored(kind, orientation))
    (root / "dog" / "grey.jpg").write_bytes(stored("jpeg", 5, channels=1))
    return root


def test_image_folder_and_what_is_converted_from_it_are_upright(turned_images, tmp_path):
    truth = {
        f"{path.parent.name}/{path.name}": upright(path.read_bytes())
        for path in turned_images.rglob("*.*")
    }
    items = ["image", "filename"]
    for batch in slim.data.load(
        "image_folder", "all", 1, dataset_dir=str(turned_images), items=items
    ):
        name = "/".join(batch["filename"][0].numpy().decode().split("/")[-2:])
        np.testing.assert_allclose(batch["image"][0], truth[name], atol=12)

    folder = tmp_path / "records"
    convert(open_source(str(turned_images)), str(folder))
    found = {}
    for path in folder.glob("*.tfrecord"):
        for record in tf.data.TFRecordDataset(str(path)):
            feature = tf.train.Example.FromString(record.numpy()).features.feature
            contents = feature["image/encoded"].bytes_list.value[0]
            size = [feature[f"image/{key}"].int64_list.value[0] for key in ("height", "width")]
            name = feature["image/filename"].bytes_list.value[0].decode()
            # As TensorFlow reads it, without a look at EXIF data.
            image = (
                tf.io.decode_image(contents, 3) if not name.startswith("eel") else decoded(contents)
            )
            np.testing.assert_allclose(image, truth[name], atol=12)
            assert size == list(truth[name].shape[:2])
            found[name] = contents
    assert found.keys() == truth.keys()
    for name in ("cat/1.jpeg", "dog/1.png", "eel/1.webp"):
        assert found[name] == (turned_images / name).read_bytes()
