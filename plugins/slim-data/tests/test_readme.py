"""The examples of the README run as they are printed."""

import re
from pathlib import Path

import slimcore as slim


def test_the_examples_of_the_readme_run():
    text = Path(__file__).parents[1].joinpath("README.md").read_text(encoding="utf-8")
    names = {}
    for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        exec(block.replace("take(100)", "take(2)"), names)
    assert names["images"].shape == (64, 28, 28, 1)
    assert names["label"].shape == []
    crops = next(iter(names["crops"]))["image"]
    assert (crops.shape, crops.dtype.name) == ((64, 6, 6, 1), "uint8")


def test_the_digits_are_as_many_as_the_readme_says():
    text = Path(__file__).parents[1].joinpath("README.md").read_text(encoding="utf-8")
    sizes = {
        split: slim.data.get_dataset("digits", split).num_samples for split in ("train", "test")
    }
    assert f"{sizes['train']:,} for training and {sizes['test']}" in text.replace("\n", " ")
