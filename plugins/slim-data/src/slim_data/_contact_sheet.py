"""What `slim data show` draws: decoded examples with their labels, side by side."""

import itertools
import math
from pathlib import Path

import numpy as np
import tensorflow as tf
from PIL import Image, ImageDraw, ImageFont

from slim_data._pipeline import iterate, load
from slim_data.dataset import Dataset
from slimcore.errors import DataError, RunError
from slimcore.files import replacing
from slimcore.text import shown


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
        dataset: The dataset whose examples are drawn.
        path: Where to write the PNG.
        count: Number of examples.
        seed: Chooses them at random; the first ones by default.
        skip_corrupt: As in `slim.data.load`.
        side: Largest height and width of an image, in pixels.

    Returns:
        How many examples were drawn.

    Raises:
        DataError: There are none, or one cannot be read.
        RunError: The PNG cannot be written.
    """
    batches = load(
        dataset,
        batch_size=1,
        shuffle=seed is not None,
        seed=seed,
        repeat=False,
        skip_corrupt=skip_corrupt,
    )
    examples = itertools.islice(iterate(batches), count)
    tiles = [(_tile(e["image"][0].numpy(), side), _caption(dataset, e)) for e in examples]
    if not tiles:
        raise DataError("the dataset holds no example to show")
    font, line, gap = ImageFont.load_default(12), 18, 6
    columns = math.ceil(math.sqrt(len(tiles)))
    width, height = side + gap, side + line + gap
    sheet = Image.new(
        "RGB", (columns * width + gap, math.ceil(len(tiles) / columns) * height + gap), "white"
    )
    draw = ImageDraw.Draw(sheet)
    for number, (tile, caption) in enumerate(tiles):
        x, y = number % columns * width + gap, number // columns * height + gap
        sheet.paste(tile, (x + (side - tile.width) // 2, y + (side - tile.height) // 2))
        while caption and draw.textlength(caption, font) > side:
            caption = caption[:-1]
        draw.text((x + side // 2, y + side), caption, "black", font, anchor="ma")
    _save(sheet, path)
    return len(tiles)


def _tile(pixels: np.ndarray, side: int) -> Image.Image:
    pixels = pixels.astype(np.uint8)
    image = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
    scale = side / max(image.size)
    width, height = (max(1, round(length * scale)) for length in image.size)
    # Small images are enlarged so that each pixel can be seen.
    how = Image.Resampling.NEAREST if scale > 1 else Image.Resampling.LANCZOS
    return image.resize((width, height), how).convert("RGB")


def _caption(dataset: Dataset, example: dict[str, tf.Tensor]) -> str:
    if "label" not in example:
        return ""
    label = int(example["label"][0])
    names = getattr(dataset, "labels_to_names", None) or {}
    name = names.get(label, str(label))
    # Pillow refuses to measure a text of several lines.
    return shown(f"{label} {name}" if name != str(label) else str(label))[:200]


def _save(sheet: Image.Image, path: str) -> None:
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as beside:
            sheet.save(beside, "PNG")
    except OSError as error:
        raise RunError(f"cannot write {path}: {error.strerror or error}") from error
