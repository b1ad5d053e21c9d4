"""A run that is killed again and again ends as one that is left alone."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

KILLS = 20


@pytest.mark.slow
def test_a_run_killed_at_random_instants_ends_with_the_same_bits(tmp_path):
    program = Path(__file__).with_name("kill_runs.py")
    done = subprocess.run(
        [sys.executable, str(program), str(tmp_path), str(KILLS)],
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    # The first is the run left alone, the last the one that came to its end. A run that had found
    # a checkpoint that cannot be read would have ended with a status of its own.
    assert found["statuses"] == [0, *[-9] * KILLS, 0], done.stderr[-2000:]
    assert len(set(found["killed_at"])) > KILLS / 2
    assert found["step"] == 400
    assert found["different"] == []
    assert {"Conv/BatchNorm/moving_mean", "Conv/weights/ExponentialMovingAverage"} <= set(
        found["names"]
    )
