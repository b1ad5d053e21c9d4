"""Prints what importing the core and listing components cost, beside a bare Python.

    python benchmarks/startup.py [--rounds 20]

The commands take turns, so that a change of the machine's speed touches all of them alike.
"""

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path

SLIM = str(Path(sys.executable).with_name("slim"))
COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "python -c 'import slimcore'": [sys.executable, "-c", "import slimcore"],
    "slim --help": [SLIM, "--help"],
    "slim list": [SLIM, "list"],
}


def main() -> None:
    """Runs each command `--rounds` times and prints the median, and its cost over bare Python."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=20)
    rounds = parser.parse_args().rounds
    seconds: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(rounds + 1):
        for name, command in COMMANDS.items():
            start = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            seconds[name].append(time.perf_counter() - start)
    medians = {name: statistics.median(times[1:]) for name, times in seconds.items()}
    bare = medians["python -c pass"]
    for name, median in medians.items():
        print(f"{name:<30} {1000 * median:7.1f} ms   {1000 * (median - bare):+7.1f} ms")


if __name__ == "__main__":
    main()
