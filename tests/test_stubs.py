"""What the core knows of Slim's own packages without having them is true."""

import subprocess
import sys
from pathlib import Path

import slimcore as slim
import slimcore.registry as registry

ROOT = Path(__file__).parents[1]


def test_first_party_names_are_those_that_the_packages_offer():
    offered = {}
    for c in slim.components():
        if c.distribution.startswith("slim-"):
            offered.setdefault(c.kind, {})[c.name] = c.distribution
    assert registry.first_party() == offered


def test_the_stubs_are_up_to_date():
    command = [sys.executable, str(ROOT / "tools" / "stubs.py"), "--check"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
