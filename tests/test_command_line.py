"""`slim list`, `info`, `doctor` and `plan` as a user types them, and what they say to mistakes."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

SLIM = Path(sys.executable).with_name("slim")


def slim(*arguments, cwd=None, **environment):
    return subprocess.run(
        [str(SLIM), *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_list_shows_each_component_with_its_distribution_and_version():
    lines = [line.split() for line in slim("list").stdout.splitlines()]
    assert ["layer", "conv2d", "slim-layers", "0.1.0"] in [line[:4] for line in lines]
    assert ["dataset", "digits", "slim-data", "0.1.0"] in [line[:4] for line in lines]


@pytest.mark.parametrize("kind", ["net", "nets"])
def test_list_of_one_kind_shows_its_facts(kind):
    lines = slim("list", kind).stdout.splitlines()
    assert lines[0].split()[:2] == ["name", "parameters"]
    assert any(line.startswith("lenet ") for line in lines)


def test_list_and_help_import_no_tensorflow():
    for command in (["list"], ["--help"], ["train", "--help"]):
        code = (
            "import sys, slimcore.cli\n"
            f"sys.argv = ['slim', *{command}]\n"
            "try:\n    slimcore.cli.main()\n"
            "except SystemExit:\n    pass\n"
            "sys.exit('tensorflow' in sys.modules)"
        )
        result = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
        assert result.returncode == 0, command


def test_info_shows_signature_summary_and_provenance():
    lines = slim("info", "conv2d").stdout.splitlines()
    assert lines[0].startswith("layer conv2d(inputs")
    assert "stride" in lines[0]
    assert lines[2].strip() == "from slim-layers 0.1.0, slim_layers:conv2d"


def test_info_of_a_net_shows_its_parameters_and_image_size():
    text = slim("info", "lenet").stdout
    assert "net lenet(images, num_classes=10, is_training=False" in text
    assert "prediction_fn=softmax" in text
    assert "parameters: 3,274,634" in text
    assert "image size: 28" in text
    rows = {line.split()[0]: line.split()[1:] for line in text.splitlines() if line.strip()}
    # 5 x 5 weights and a bias for each of 32 channels, at each of 28 x 28 places.
    assert rows["LeNet/conv1"] == ["28x28x32", "832", f"{25 * 32 * 28 * 28:,}", "5x5"]
    assert rows["total"][0] == "3,274,634"


def test_info_of_a_name_that_is_nearly_right_gives_the_nearest():
    result = slim("info", "lenett")
    assert result.returncode == 2
    assert result.stderr.startswith("slim: no component is named 'lenett'. Close: lenet")
    assert len(result.stderr.splitlines()) == 1


def test_an_unknown_command_or_kind_is_one_line_and_status_2():
    for arguments, message in [
        (["lst"], "slim: No command 'lst'. Close: list"),
        (["list", "lairs"], "slim: no kind of component is named 'lairs'"),
        (["list", "--frob"], "slim: No such option"),
    ]:
        result = slim(*arguments)
        assert result.returncode == 2
        assert result.stderr.startswith(message)
        assert len(result.stderr.splitlines()) == 1


def test_a_broken_preference_is_one_line_and_debug_shows_where():
    result = slim("list", SLIM_PREFER="nonsense")
    assert (result.returncode, len(result.stderr.splitlines())) == (2, 1)
    assert "SLIM_PREFER holds 'nonsense'" in result.stderr
    assert "Traceback" in slim("--debug", "list", SLIM_PREFER="nonsense").stderr


def test_doctor_finds_nothing_wrong_here():
    result = slim("doctor")
    assert result.returncode == 0, result.stdout
    assert "No problems found." in result.stdout


def test_doctor_names_what_is_set_aside_in_conflict_unmet_or_not_there(install):
    site = install("acme", "import nowhere_at_all")
    other = install(
        "best",
        """
        @hookimpl
        def slim_layers():
            return {"unit_norm": "best_plugin:hookimpl", "gone": "best_plugin:gone"}
        """,
    )
    path = os.pathsep.join([str(site), str(other)])
    result = slim("doctor", PYTHONPATH=path, SLIM_PREFER="flatten=ghost,frob=best")
    assert result.returncode == 1
    for message in [
        "set aside: acme 1.0.0 (acme_plugin): importing it raised ModuleNotFoundError",
        "2 distributions offer the layer 'unit_norm'",
        "prefers the layer 'flatten' of ghost, which is not installed",
        "prefers 'frob', which nobody offers",
        "layer gone of best 1.0.0 (best_plugin:gone) does not exist",
    ]:
        assert message in result.stdout, result.stdout
    assert "5 problem(s) found" in result.stdout


def test_plan_reports_what_a_checkpoint_would_restore(tmp_path):
    from slimcore.checkpoints import save

    values = {
        "LeNet/conv1/weights": np.zeros([5, 5, 1, 32], "f"),
        "LeNet/fc4/biases": np.zeros(7, "f"),
    }
    path = save(str(tmp_path / "lenet.ckpt"), values)
    result = slim("plan", path, "--net", "lenet", "--num-classes", 10, "--channels", 1)
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert "  matched      LeNet/conv1/weights [5, 5, 1, 32]" in lines
    assert "  other shape  LeNet/fc4/biases [10], there [7]: exclude LeNet/fc4" in lines
    assert sum(line.startswith("  missing") for line in lines) == 6


def test_plan_of_no_checkpoint_is_one_line(tmp_path):
    result = slim("plan", tmp_path / "absent", "--net", "lenet")
    assert result.returncode == 2
    assert "slim: cannot read checkpoint" in result.stderr.splitlines()[-1]
