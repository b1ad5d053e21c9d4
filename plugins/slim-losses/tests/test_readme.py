import re
from pathlib import Path

import numpy as np

import slimcore as slim

README = (Path(__file__).parents[1] / "README.md").read_text()


def test_the_example_of_the_readme_runs():
    (example,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    names = {}
    exec(example, names)
    assert np.isfinite(names["total"])
    assert [g.shape for g in names["gradients"]] == [(4, 3)]


def test_the_readme_names_every_loss():
    missing = [n for n in dir(slim.losses) if f"`{n}`" not in README and n != "metric_learning"]
    assert missing == []
