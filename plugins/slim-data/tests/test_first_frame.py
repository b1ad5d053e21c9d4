"""Of an animation the first frame is decoded, and nothing else is paid for."""

import io
import struct

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from slim_data import decoders

random = np.random.default_rng(0)
LIMIT = "exceeds the limit of 134217728 pixels"


def animated(kind, height=30, width=50, frames=3, **options):
    images = [
        Image.fromarray(random.integers(0, 256, [height, width, 3], np.uint8))
        for _ in range(frames)
    ]
    file = io.BytesIO()
    if kind == "webp":
        options["lossless"] = True
    images[0].save(file, kind, save_all=True, append_images=images[1:], **options)
    return file.getvalue()


def first_of(contents):
    with Image.open(io.BytesIO(contents)) as image:
        return np.asarray(image.convert("RGB"))


@pytest.mark.parametrize("frames", [1, 2, 5])
@pytest.mark.parametrize("kind", ["gif", "webp"])
def test_the_first_frame_is_decoded(kind, frames):
    contents = animated(kind, frames=frames)
    decode = {"gif": decoders.decode_gif, "webp": decoders.decode_webp}[kind]
    np.testing.assert_array_equal(decode(tf.constant(contents)), first_of(contents))
    traced = tf.function(decode, autograph=False)
    np.testing.assert_array_equal(traced(tf.constant(contents)), first_of(contents))


@pytest.mark.parametrize("options", [{"interlace": 1}, {"comment": b"c" * 700}, {"loop": 0}])
@pytest.mark.parametrize("size", [(1, 1), (3, 200), (250, 300)])
def test_a_gif_is_followed_through_all_its_blocks(size, options):
    contents = animated("gif", *size, **options)
    np.testing.assert_array_equal(decoders.decode_gif(tf.constant(contents)), first_of(contents))


def gif(screen, frames, data=b"\x02\x02\x4c\x01\0"):
    """A GIF whose frames say that they have these sizes, each with the pixels of one point."""
    parts = [b"GIF89a", struct.pack("<HHBBB", *screen, 0x80, 0, 0), b"\0\0\0\xff\xff\xff"]
    for width, height in frames:
        parts += [
            b"!\xf9\x04\0\0\0\0\0",
            struct.pack("<BHHHHB", 0x2C, 0, 0, width, height, 0),
            data,
        ]
    return b"".join([*parts, b";"])


@pytest.mark.parametrize(
    "contents",
    [
        gif((1, 1), [(13000, 13000)]),
        gif((1, 1), [(65535, 65535)] * 3),
        gif((13000, 13000), [(1, 1)]),
        gif((65535, 2049), [(1, 1)]),
    ],
    ids=["frame", "frames", "screen", "wide screen"],
)
def test_a_gif_too_large_is_refused_before_it_is_decoded(contents):
    with pytest.raises(tf.errors.InvalidArgumentError, match=LIMIT):
        decoders.decode_gif(tf.constant(contents))


@pytest.mark.parametrize("second", [(13000, 13000), (65535, 65535)])
def test_frames_that_are_not_wanted_cost_nothing(second):
    image = decoders.decode_gif(tf.constant(gif((1, 1), [(1, 1), second])))
    assert image.shape == [1, 1, 3]


def test_the_frames_of_a_long_gif_are_not_decoded(monkeypatch):
    monkeypatch.setenv("SLIM_MAX_PIXELS", str(60 * 70))
    contents = animated("gif", 60, 70, frames=40)
    seen = []
    decode = tf.io.decode_gif
    monkeypatch.setattr(tf.io, "decode_gif", lambda c: seen.append(c) or decode(c))
    np.testing.assert_array_equal(decoders.decode_gif(tf.constant(contents)), first_of(contents))
    assert len(seen[0].numpy()) < len(contents) / 30


@pytest.mark.parametrize("cut", [7, 13, 20, 40, 800, -1])
def test_a_torn_gif_ends_in_a_clean_error_or_an_image(cut):
    contents = animated("gif")[:cut]
    try:
        image = decoders.decode_gif(tf.constant(contents))
    except tf.errors.InvalidArgumentError:
        return
    assert image.shape[2] == 3


def webp(width, height, *chunks, flags=2):
    size = struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]
    parts = [chunk(b"VP8X", bytes([flags, 0, 0, 0]) + size), *chunks]
    body = b"WEBP" + b"".join(parts)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def chunk(name, data):
    return name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)


def still_data(height, width):
    return animated("webp", height, width, frames=1)[12:]


def anmf(x, y, width, height, data):
    place = b"".join(struct.pack("<I", n)[:3] for n in (x // 2, y // 2, width - 1, height - 1))
    return chunk(b"ANMF", place + b"\0\0\0\0" + data)


def lossless_header(width, height):
    bits = (width - 1) | (height - 1) << 14
    return b"RIFF\0\0\0\0WEBPVP8L" + struct.pack("<IBI", 5, 0x2F, bits) + b"\0" * 20


def lossy_header(width, height):
    start = b"\0\0\0\x9d\x01\x2a" + struct.pack("<HH", width, height)
    return b"RIFF\0\0\0\0WEBPVP8 " + struct.pack("<I", 10) + start + b"\0" * 20


@pytest.mark.parametrize(
    "contents",
    [
        lossless_header(16383, 16383),
        lossy_header(16383, 16383),
        webp(2**24, 100, anmf(0, 0, 1, 1, still_data(1, 1))),
        webp(2**24, 2**24, flags=0),
    ],
    ids=["lossless", "lossy", "animated", "extended"],
)
def test_a_webp_too_large_is_refused_before_it_is_decoded(contents):
    with pytest.raises(tf.errors.InvalidArgumentError, match=LIMIT):
        decoders.decode_webp(tf.constant(contents))


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_the_first_frame_of_a_webp_lies_where_it_says_on_the_canvas(channels):
    data = still_data(5, 7)
    frames = anmf(4, 2, 7, 5, data), anmf(0, 0, 20, 10, still_data(10, 20))
    image = decoders.decode_webp(tf.constant(webp(20, 10, *frames)), channels=channels).numpy()
    assert image.shape == (10, 20, channels)
    still = b"RIFF" + struct.pack("<I", len(data) + 4) + b"WEBP" + data
    alone = decoders.decode_webp(tf.constant(still), channels=channels).numpy()
    np.testing.assert_array_equal(image[2:7, 4:11], alone)
    image[2:7, 4:11] = 0
    assert image.max() == 0


@pytest.mark.parametrize(
    "frame",
    [anmf(14, 2, 7, 5, still_data(5, 7)), anmf(0, 0, 8, 5, still_data(5, 7)), chunk(b"ICCP", b"x")],
    ids=["outside", "other size", "none"],
)
def test_a_webp_whose_first_frame_does_not_fit_is_refused(frame):
    with pytest.raises(tf.errors.InvalidArgumentError):
        decoders.decode_webp(tf.constant(webp(20, 10, frame)))


def test_a_webp_with_many_large_frames_costs_one(monkeypatch):
    monkeypatch.setenv("SLIM_MAX_PIXELS", str(60 * 70))
    contents = animated("webp", 60, 70, frames=30)
    np.testing.assert_array_equal(decoders.decode_webp(tf.constant(contents)), first_of(contents))
