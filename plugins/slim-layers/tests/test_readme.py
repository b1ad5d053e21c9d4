"""The example of the README runs and prints what it shows a reader to expect."""

import re
from pathlib import Path


def test_the_example_runs(capsys):
    text = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    exec(example, {})
    assert capsys.readouterr().out == (
        "(2, 10) ['conv1/weights', 'conv1/biases', 'logits/weights', 'logits/biases']\n"
    )
