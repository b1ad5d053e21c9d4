"""The example that follows runs into a CSV file: built and installed, seen by a real run."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest

import slimcore.registry as registry

PROJECT = Path(__file__).parents[1] / "examples" / "slim-example-csv-log"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A folder with the distribution installed from its wheel."""
    folder = tmp_path_factory.mktemp("acme")
    build = ("uv", "build", "--wheel", "--no-build-isolation", "--python", sys.executable)
    subprocess.run([*build, "--out-dir", folder, PROJECT], check=True, capture_output=True)
    (wheel,) = folder.glob("acme_csv_log-*.whl")
    install = ("uv", "pip", "install", "--python", sys.executable, "--no-deps", "--target")
    subprocess.run([*install, folder / "site", wheel], check=True, capture_output=True)
    return folder / "site"


@pytest.fixture
def slim(site, monkeypatch, capsys):
    """Runs the program in this process, with the distribution on its path."""
    from slimcore import cli

    monkeypatch.syspath_prepend(str(site))
    registry.rediscover()

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["slim", *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            cli.main()
        assert not left.value.code, capsys.readouterr().err

    yield run
    monkeypatch.undo()
    for name in [name for name in sys.modules if name.partition(".")[0] == "acme_csv_log"]:
        del sys.modules[name]
    registry.rediscover()


def lines(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_runs_leave_their_scalars_and_evaluations_in_a_csv_file(slim, tmp_path):
    train = ("train", "--net", "lenet", "--dataset", "digits", "--batch-size", 4, "--log-every", 1)
    slim(*train, "--eval-every", 2, "--steps", 2, "--logdir", tmp_path)
    found = lines(tmp_path / "log.csv")
    losses = [line for line in found if (line["event"], line["name"]) == ("scalars", "loss")]
    assert [line["step"] for line in losses] == ["1", "2"]
    record = json.loads((tmp_path / "run.json").read_text())
    assert float(losses[-1]["value"]) == record["results"]["train"]["loss"]
    (told,) = map(json.loads, (tmp_path / "evaluations.jsonl").read_text().splitlines())
    (accuracy,) = [
        line for line in found if (line["event"], line["name"]) == ("evaluation", "accuracy")
    ]
    assert (int(accuracy["step"]), float(accuracy["value"])) == (2, told["results"]["accuracy"])

    slim("eval", "--logdir", tmp_path)
    results = json.loads((tmp_path / "eval" / "results.json").read_text())
    judged = {line["name"]: line["value"] for line in lines(tmp_path / "eval" / "log.csv")}
    assert float(judged["accuracy"]) == results["accuracy"]


def test_lines_are_as_rfc_4180_has_them(slim, tmp_path):
    from acme_csv_log.log import add_lines

    add_lines(str(tmp_path), "scalars", 1, {'of "a", b': 0.5})
    add_lines(str(tmp_path), "scalars", 2, {"loss": 1e-30})
    assert (tmp_path / "log.csv").read_bytes() == (
        b'event,step,name,value\r\nscalars,1,"of ""a"", b",0.5\r\nscalars,2,loss,1e-30\r\n'
    )
