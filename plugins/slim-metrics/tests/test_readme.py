import re
from pathlib import Path

import pytest

import slimcore as slim

README = (Path(__file__).parents[1] / "README.md").read_text()


def test_the_example_of_the_readme_runs():
    (example,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    names = {}
    exec(example, names)
    values = {name: float(value) for name, value in names["values"].items()}
    assert values == pytest.approx({"accuracy": 5 / 6, "mean_iou": (1 + 1 / 2 + 2 / 3) / 3})


def test_the_readme_names_every_metric():
    offered = [c.name for c in slim.components("metric") if c.distribution == "slim-metrics"]
    short = [name for name in offered if not name.endswith("_at_thresholds")]
    assert [name for name in short if f"`{name}`" not in README] == []
