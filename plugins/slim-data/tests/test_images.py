"""Images of every format are decoded, by whichever decoder is preferred."""

import io
import struct

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image as Pillow
from slim_data import decode_image
from slim_data._images import format_of
from slim_data.decoders import decode_bmp

import slimcore as slim
from slimcore.errors import InputError

td = slim.tfexample_decoder
FEATURES = {
    "image/encoded": tf.io.FixedLenFeature([], tf.string),
    "image/format": tf.io.FixedLenFeature([], tf.string, default_value="jpeg"),
}
FORMATS = ["png", "jpeg", "gif", "bmp", "webp"]


def encoded(pixels, kind, **options):
    file = io.BytesIO()
    if kind == "webp":
        options["lossless"] = True
    Pillow.fromarray(pixels.squeeze()).save(file, kind, **options)
    return file.getvalue()


def smooth(height=12, width=10):
    """A image that no format changes much: a gradient in grey, as RGB."""
    ramp = np.add.outer(np.arange(height), np.arange(width)) * 8
    return np.repeat(ramp.astype(np.uint8)[..., None], 3, -1)


def decode(record, **options):
    decoder = td.TFExampleDecoder(FEATURES, {"image": td.Image(**options)})
    return decoder.decode(tf.constant(record), ["image"])[0]


@pytest.mark.parametrize("stated", ["", "right", "png", "JPG"])
@pytest.mark.parametrize("kind", FORMATS)
def test_the_bytes_tell_the_format_whatever_the_example_says(kind, stated, example):
    stated = kind if stated == "right" else stated
    record = example(image__encoded=encoded(smooth(), kind), image__format=stated.encode())
    np.testing.assert_allclose(decode(record).numpy().astype(int), smooth(), atol=4)


@pytest.mark.parametrize("kind", FORMATS)
def test_images_are_decoded_in_a_graph(kind):
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        image = decode_image(tf.constant(encoded(smooth(), kind)), channels=3)
        np.testing.assert_allclose(session.run(image).astype(int), smooth(), atol=4)


@pytest.mark.parametrize("kind", FORMATS)
def test_one_channel_makes_a_image_grey(kind):
    image = decode_image(tf.constant(encoded(smooth(), kind)), channels=1)
    np.testing.assert_allclose(image.numpy().astype(int), smooth()[..., :1], atol=5)


@pytest.mark.parametrize("kind", FORMATS)
def test_the_format_is_known_without_tensorflow_too(kind):
    assert format_of(encoded(smooth(), kind)) == kind
    assert format_of(b"hello") is None


@pytest.mark.parametrize("dtype, bits", [(tf.uint8, 8), (tf.uint16, 16), (tf.float32, 8)])
def test_a_png_of_16_bits_keeps_as_many_as_asked_for(dtype, bits, example):
    pixels = np.arange(12, dtype=np.uint16).reshape(2, 2, 3) * 5000
    record = example(image__encoded=tf.io.encode_png(pixels).numpy(), image__format=b"png")
    image = decode(record, dtype=dtype)
    assert image.dtype == dtype
    np.testing.assert_array_equal(image, pixels if bits == 16 else pixels >> 8)


@pytest.mark.parametrize("dtype", [tf.uint8, tf.uint16, tf.float32])
def test_raw_pixels_are_read_as_what_they_are(dtype, example):
    pixels = np.arange(12).reshape(2, 3, 2).astype(dtype.as_numpy_dtype)
    record = example(image__encoded=pixels.tobytes(), image__format=b"RAW")
    np.testing.assert_array_equal(decode(record, shape=[2, 3, 2], dtype=dtype), pixels)


def test_raw_pixels_that_begin_like_a_png_are_still_raw(example):
    pixels = b"\x89PNG\r\n\x1a\n1234"
    record = example(image__encoded=pixels, image__format=b"raw")
    np.testing.assert_array_equal(decode(record, shape=[12]), list(pixels))


@pytest.mark.parametrize("count", [0, 1, 3])
@pytest.mark.parametrize("feature", ["sparse", "dense"])
def test_a_list_of_images_is_decoded(count, feature, example):
    features = dict(FEATURES)
    features["image/encoded"] = (
        tf.io.VarLenFeature(tf.string)
        if feature == "sparse"
        else tf.io.FixedLenSequenceFeature([], tf.string, allow_missing=True)
    )
    handler = td.Image(repeated=True, shape=[12, 10, 3])
    decoder = td.TFExampleDecoder(features, {"images": handler})
    images = {"image__encoded": [encoded(smooth(), "png")] * count} if count else {}
    (images,) = decoder.decode(tf.constant(example(image__format=b"png", **images)))
    np.testing.assert_array_equal(images, np.stack([smooth()] * count or [smooth()])[:count])


@pytest.mark.parametrize("feature", ["sparse", "dense"])
@pytest.mark.parametrize(
    "options, shape",
    [
        ({}, [0, 0, 0, 3]),
        ({"channels": 1}, [0, 0, 0, 1]),
        ({"channels": 0}, [0, 0, 0, 0]),
        ({"shape": [None, 5, 3]}, [0, 0, 5, 3]),
    ],
)
def test_a_list_without_images_is_empty(options, shape, feature, example):
    features = dict(FEATURES)
    features["image/encoded"] = (
        tf.io.VarLenFeature(tf.string)
        if feature == "sparse"
        else tf.io.FixedLenSequenceFeature([], tf.string, allow_missing=True)
    )
    decoder = td.TFExampleDecoder(features, {"images": td.Image(repeated=True, **options)})
    record = tf.constant(example(image__format=b"png"))
    assert decoder.decode(record)[0].shape == shape
    (image,) = tf.data.Dataset.from_tensors(record).map(lambda r: decoder.decode(r)[0])
    assert image.shape == shape
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        assert list(session.run(decoder.decode(tf.constant(record.numpy()))[0]).shape) == shape


SLOPE = np.add.outer(np.arange(40), np.arange(50)) * 2  # no edge for a codec to blur


def cmyk(**options):
    file = io.BytesIO()
    image = Pillow.fromarray(SLOPE.astype(np.uint8)).convert("RGB").convert("CMYK")
    image.save(file, "jpeg", quality=95, **options)
    return tf.constant(file.getvalue())


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 2}])
def test_a_jpeg_of_printers_colours_is_read_with_any_number_of_channels(options):
    truth = SLOPE
    for channels, count in ((0, 3), (1, 1), (3, 3)):
        image = decode_image(cmyk(**options), channels=channels)
        assert image.shape[-1] == count
        np.testing.assert_allclose(image.numpy().astype(int).mean(-1), truth, atol=8)
    features = {"image/encoded": cmyk(**options), "image/format": tf.constant("jpeg")}
    part = td.Image(channels=1).window_of(features, lambda shape: tf.constant([3, 4, 10, 20]))
    np.testing.assert_allclose(part.numpy()[..., 0].astype(int), truth[3:13, 4:24], atol=8)


@pytest.mark.parametrize("kind", ["tiff", "ico", "ppm", "jpeg2000"])
def test_a_format_that_is_not_decoded_is_refused_with_those_that_are(kind):
    contents = encoded(smooth(16, 16), kind)
    message = "not one of BMP, GIF, JPEG, PNG, WEBP. Convert it .* skip_corrupt .--skip-corrupt"
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        decode_image(tf.constant(contents))


@pytest.mark.parametrize("channels", [0, 1, 3, 4])
@pytest.mark.parametrize("transparent", [False, True])
def test_a_webp_has_as_many_channels_as_asked_for(channels, transparent):
    pixels = np.dstack([smooth(), np.full([12, 10, 1], 255, np.uint8)])[..., : 3 + transparent]
    image = decode_image(tf.constant(encoded(pixels, "webp")), channels=channels).numpy()
    assert image.shape[-1] == (channels or 3)
    np.testing.assert_array_equal(image[..., 0], smooth()[..., 0])
    if channels == 4:
        assert image[..., 3].min() == 255


@pytest.mark.parametrize("channels", [0, 1, 3, 4])
@pytest.mark.parametrize("mode", ["L", "P", "RGB", "RGBA"])
def test_a_bmp_has_the_colours_of_its_palette_and_as_many_channels_as_asked_for(mode, channels):
    drawn = Pillow.fromarray(np.random.default_rng(0).integers(0, 256, [9, 7, 4], np.uint8), "RGBA")
    drawn = drawn.convert(mode) if mode != "P" else drawn.convert("RGB").quantize(50)
    file = io.BytesIO()
    drawn.save(file, "bmp")
    wanted = {0: "RGB" if mode == "P" else mode, 1: "L", 3: "RGB", 4: "RGBA"}[channels]
    # TensorFlow's grey of three colours may differ by one from Pillow's.
    truth = np.asarray(drawn.convert("RGB" if wanted == "L" != mode else wanted), int)
    if wanted == "L" != mode:
        truth = truth @ [0.2989, 0.587, 0.114]
    for decode in (decode_bmp, tf.function(decode_bmp)):
        image = decode(tf.constant(file.getvalue()), channels=channels).numpy()
        np.testing.assert_allclose(image.astype(int), truth.reshape(9, 7, -1), atol=1)


def bmp_of(bits, compression, pixels):
    header = struct.pack("<IiiHHIIiiII", 40, 4, 4, 1, bits, compression, len(pixels), 0, 0, 0, 0)
    return (
        b"BM" + struct.pack("<IHHI", 1078 + len(pixels), 0, 0, 1078) + header + bytes(1024) + pixels
    )


@pytest.mark.parametrize("bits, compression", [(1, 0), (4, 0), (16, 0), (8, 1), (4, 2), (24, 4)])
def test_a_bmp_that_tensorflow_takes_for_another_is_refused(bits, compression):
    contents = bmp_of(bits, compression, bytes(64))
    message = f"8, 24 or 32 bits a pixel and is not compressed; .*{bits}\\D+{compression}"
    with pytest.raises(tf.errors.InvalidArgumentError, match=f"(?s){message}"):
        decode_image(tf.constant(contents))


@pytest.mark.parametrize("kind", ["jpeg", "gif", "png"])
def test_an_image_without_transparency_is_opaque(kind):
    image = decode_image(tf.constant(encoded(smooth(), kind)), channels=4).numpy()
    np.testing.assert_allclose(image[..., :3].astype(int), smooth(), atol=4)
    np.testing.assert_array_equal(image[..., 3], np.full([12, 10], 255))


def test_the_shape_is_known_as_far_as_it_is_given():
    def static(**options):
        decoder = td.TFExampleDecoder(FEATURES, {"image": td.Image(**options)})
        dataset = tf.data.Dataset.from_tensors("").map(lambda r: decoder.decode(r)[0])
        return dataset.element_spec.shape.as_list()

    assert static() == [None, None, 3]
    assert static(channels=0) == [None, None, None]
    assert static(shape=[4, 5, 1]) == [4, 5, 1]
    assert static(shape=[None, 5, 3]) == [None, 5, 3]


def png_header(width, height):
    start = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + b"IHDR"
    return start + struct.pack(">II", width, height) + b"\x08\x02\0\0\0" + b"\0" * 20


def bmp_header(width, height):
    return b"BM" + b"\0" * 12 + struct.pack("<Iii", 40, width, height) + b"\0" * 40


def gif_header(width, height):
    return b"GIF89a" + struct.pack("<HH", width, height) + b"\0" * 20


def jpeg_header(width, height):
    whole = encoded(smooth(), "jpeg")
    at = whole.index(b"\xff\xc0") + 5
    return whole[:at] + struct.pack(">HH", height, width) + whole[at + 4 :]


@pytest.mark.parametrize(
    "contents",
    [png_header(50000, 50000), bmp_header(50000, -50000), gif_header(50000, 50000),
     jpeg_header(50000, 50000)],
    ids=["png", "bmp", "gif", "jpeg"],
)  # fmt: skip
def test_a_header_of_a_huge_image_is_refused_by_the_pixel_limit(contents):
    with pytest.raises(tf.errors.InvalidArgumentError, match="exceeds the limit of 134217728"):
        decode_image(tf.constant(contents))


def test_the_pixel_limit_can_be_set(monkeypatch):
    monkeypatch.setenv("SLIM_MAX_PIXELS", "119")
    with pytest.raises(tf.errors.InvalidArgumentError, match="limit of 119 pixels"):
        decode_image(tf.constant(encoded(smooth(), "png")))


@pytest.mark.parametrize("limit", ["many", "-1", "0", "1e6", "9" * 30])
def test_a_pixel_limit_that_is_not_a_number_of_pixels_is_refused(limit, monkeypatch):
    monkeypatch.setenv("SLIM_MAX_PIXELS", limit)
    with pytest.raises(InputError, match=f"SLIM_MAX_PIXELS is '{limit}'; give a number of pixels"):
        decode_image(tf.constant(encoded(smooth(), "png")))


@pytest.mark.parametrize("contents", [b"", b"a", b"hello world", b"\0" * 40])
def test_what_is_no_image_is_refused(contents):
    with pytest.raises(
        tf.errors.InvalidArgumentError, match="not a readable image: its format is not one of"
    ):
        decode_image(tf.constant(contents))


def test_an_empty_file_is_told_as_one():
    with pytest.raises(tf.errors.InvalidArgumentError, match="it begins with.*\\n.*it is empty"):
        decode_image(tf.constant(""))


@pytest.mark.parametrize("kind", FORMATS)
def test_half_a_image_is_refused(kind):
    whole = encoded(smooth(), kind)
    with pytest.raises((tf.errors.InvalidArgumentError, tf.errors.UnknownError)):
        decode_image(tf.constant(whole[: len(whole) // 3]))


@pytest.fixture
def other_decoders():
    """Registers decoders for as long as a test runs, and prefers them."""
    import slimcore.registry as registry

    before = dict(registry._registered), dict(registry._prefer)

    def add(name, function):
        slim.register_decoder(name)(function)
        slim.prefer(f"decoder:{name}", "run-time")

    yield add
    registry._registered.clear()
    registry._registered.update(before[0])
    registry._prefer.clear()
    registry._prefer.update(before[1])
    registry.rediscover()


def test_a_preferred_decoder_takes_over_in_pipelines_and_in_graphs(other_decoders, example):
    def black(contents, channels=0):
        return tf.zeros([8, 8, channels or 1], tf.uint8)

    assert float(tf.reduce_max(next(iter(slim.data.load("digits", "test", 4)))["image"])) > 0
    other_decoders("image/png", black)
    assert float(tf.reduce_max(next(iter(slim.data.load("digits", "test", 4)))["image"])) == 0
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        image = decode_image(tf.constant(encoded(smooth(), "png")), channels=1)
        assert session.run(image).max() == 0


@pytest.mark.parametrize("turns", [False, True])
def test_an_image_is_turned_once_whoever_decodes_it(turns, other_decoders):
    row = np.array([[[0], [255]]], np.uint8)

    def as_stored(contents, channels=0):
        return tf.constant(row)

    def itself(contents, channels=0, upright=False):
        return tf.constant(row[:, ::-1] if upright else row)

    other_decoders("image/jpeg", itself if turns else as_stored)
    data = Pillow.Exif()
    data[0x0112] = 3  # upside down
    contents = tf.constant(encoded(smooth(), "jpeg", exif=data.tobytes()))
    np.testing.assert_array_equal(decode_image(contents), row[:, ::-1])
    np.testing.assert_array_equal(decode_image(contents, upright=False), row)


def test_a_decoder_of_a_new_format_is_found_by_its_name(other_decoders, example):
    def decode_text(contents, channels=0):
        return tf.reshape(tf.io.decode_raw(contents, tf.uint8), [1, -1, 1])

    other_decoders("image/text", decode_text)
    record = example(image__encoded=b"abc", image__format=b"text")
    assert decode(record, channels=1).numpy().ravel().tolist() == [97, 98, 99]


# Colour in full, halved in width, halved in both; and a format without windows.
KINDS = {f"jpeg {n}": ("jpeg", {"subsampling": n, "quality": 90}) for n in range(3)} | {
    "progressive jpeg": ("jpeg", {"progressive": True, "quality": 90}),
    "png": ("png", {}),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_window_is_what_it_is_in_the_whole_image(kind, noise):
    name, options = KINDS[kind]
    features = {
        "image/encoded": tf.constant(encoded(noise(61, 83, 3), name, **options)),
        "image/format": tf.constant(""),
    }
    handler = td.Image()
    image = handler.tensors_to_item(features).numpy()
    random = np.random.default_rng(0)
    windows = [[0, 0, 61, 83], [60, 82, 1, 1]]
    for _ in range(40):
        height, width = random.integers(1, [62, 84])
        y, x = random.integers(0, [62 - height, 84 - width])
        windows.append([y, x, height, width])
    for y, x, height, width in windows:
        window = tf.constant([y, x, height, width], tf.int32)
        part = handler.window_of(features, lambda shape, window=window: window)
        np.testing.assert_array_equal(part, image[y : y + height, x : x + width])


def test_a_jpeg_decoder_without_windows_is_used_all_the_same(other_decoders):
    def white(contents, channels=0):
        return tf.fill([60, 80, 3], tf.constant(255, tf.uint8))

    other_decoders("image/jpeg", white)
    features = {
        "image/encoded": tf.constant(encoded(smooth(60, 80), "jpeg")),
        "image/format": tf.constant("jpeg"),
    }
    part = td.Image().window_of(features, lambda shape: tf.constant([0, 0, 5, 6]))
    np.testing.assert_array_equal(part, np.full([5, 6, 3], 255))
