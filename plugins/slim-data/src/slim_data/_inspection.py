"""Looks at a dataset: what `slim data show` draws and `slim data stats` counts."""

import math
import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import tensorflow as tf

from slim_data._error_context import explained
from slim_data.dataset import Dataset
from slim_data.pipeline import load
from slimcore.errors import DataError, RunError


def contact_sheet(
    dataset: Dataset,
    path: str,
    count: int = 36,
    seed: int | None = None,
    skip_corrupt: int = 0,
    side: int = 128,
) -> int:
    """Draws decoded examples with their labels side by side, as a PNG.

    Args:
        dataset: Whose examples.
        path: Of the PNG.
        count: How many examples.
        seed: Chooses them at random; the first ones by default.
        skip_corrupt: As in `slim.data.load`.
        side: Largest height and width of a picture, in pixels.

    Returns:
        How many examples were drawn.

    Raises:
        DataError: There are none, or one cannot be read.
        RunError: The PNG cannot be written.
    """
    from PIL import Image, ImageDraw, ImageFont

    batches = load(
        dataset,
        batch_size=1,
        shuffle=seed is not None,
        seed=seed,
        repeat=False,
        skip_corrupt=skip_corrupt,
    )
    examples = explained(batches.take(count), batches.explain)
    tiles = [(_picture(e["image"][0].numpy(), side), _caption(dataset, e)) for e in examples]
    if not tiles:
        raise DataError("the dataset holds no example to show")
    font, line, gap = ImageFont.load_default(12), 18, 6
    columns = math.ceil(math.sqrt(len(tiles)))
    width, height = side + gap, side + line + gap
    sheet = Image.new(
        "RGB", (columns * width + gap, math.ceil(len(tiles) / columns) * height + gap), "white"
    )
    draw = ImageDraw.Draw(sheet)
    for number, (picture, caption) in enumerate(tiles):
        x, y = number % columns * width + gap, number // columns * height + gap
        sheet.paste(picture, (x + (side - picture.width) // 2, y + (side - picture.height) // 2))
        while caption and draw.textlength(caption, font) > side:
            caption = caption[:-1]
        draw.text((x + side // 2, y + side), caption, "black", font, anchor="ma")
    _save(sheet, path)
    return len(tiles)


def _picture(pixels: np.ndarray, side: int) -> "Image.Image":  # noqa: F821
    from PIL import Image

    pixels = pixels.astype(np.uint8)
    picture = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
    scale = side / max(picture.size)
    size = [max(1, round(length * scale)) for length in picture.size]
    # Small pictures are enlarged so that each pixel can be seen.
    how = Image.Resampling.NEAREST if scale > 1 else Image.Resampling.LANCZOS
    return picture.resize(size, how).convert("RGB")


def _caption(dataset: Dataset, example: dict[str, tf.Tensor]) -> str:
    if "label" not in example:
        return ""
    label = int(example["label"][0])
    names = getattr(dataset, "labels_to_names", None) or {}
    return f"{label} {names[label]}" if names.get(label, str(label)) != str(label) else str(label)


def _save(sheet: "Image.Image", path: str) -> None:  # noqa: F821
    beside = Path(path).with_name(f".{Path(path).name}.{os.getpid()}.tmp")
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        sheet.save(beside, "PNG")
        os.replace(beside, path)
    except OSError as error:
        raise RunError(f"cannot write {path}: {error.strerror}") from error


@dataclass
class Statistics:
    """What a split consists of.

    Attributes:
        examples: How many there are.
        labels: How many of each label.
        sizes: How many images of each (height, width).
        channels: How many images of each number of channels.
        mean: Of each channel, 0 to 255, every pixel counting the same.
        std: Standard deviation of each channel.
    """

    examples: int = 0
    labels: Counter[int] = field(default_factory=Counter)
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    channels: Counter[int] = field(default_factory=Counter)
    mean: Sequence[float] = ()
    std: Sequence[float] = ()


def statistics(
    dataset: Dataset, skip_corrupt: int = 0, advance: Callable[[int], None] = lambda count: None
) -> Statistics:
    """Reads every example of a dataset and sums it up.

    Args:
        dataset: What to read.
        skip_corrupt: As in `slim.data.load`.
        advance: Told how many more examples are done.

    Raises:
        DataError: An example cannot be read.
    """

    @tf.autograph.experimental.do_not_convert
    def sums(example: dict[str, tf.Tensor]) -> tuple[tf.Tensor, ...]:
        pixels = tf.cast(example["image"][0], tf.float64)
        # Around 128, so that the squares lose no digits.
        pixels = pixels - 128.0
        label = example["label"][0] if "label" in example else tf.constant(-1, tf.int64)
        return (
            label,
            tf.shape(pixels),
            tf.reduce_sum(pixels, [0, 1]),
            tf.reduce_sum(pixels * pixels, [0, 1]),
        )

    batches = load(dataset, batch_size=1, skip_corrupt=skip_corrupt)
    result, total, squares, pixels = Statistics(), 0.0, 0.0, 0
    for label, shape, one, two in explained(
        batches.map(sums, tf.data.AUTOTUNE).prefetch(64), batches.explain
    ):
        height, width, channels = shape.numpy().tolist()
        result.examples += 1
        result.labels[int(label)] += 1
        result.sizes[height, width] += 1
        result.channels[channels] += 1
        total, squares, pixels = total + one.numpy(), squares + two.numpy(), pixels + height * width
        advance(1)
    if pixels and len(result.channels) == 1:
        mean = total / pixels
        result.mean = (mean + 128.0).tolist()
        result.std = np.sqrt(np.maximum(squares / pixels - mean**2, 0.0)).tolist()
    return result
