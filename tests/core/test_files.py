"""A file that is replaced is the old one or the new one, and nothing is left beside it."""

import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest

from slimcore.files import remove_leftovers, replacing

WRITER = """
    import os, sys
    from slimcore.files import replacing

    with replacing(sys.argv[1]) as beside:
        beside.write_text("new")
        print(beside, flush=True)
        sys.stdin.read()
"""


def test_a_file_is_replaced_when_the_block_ends(tmp_path):
    path = tmp_path / "run.json"
    path.write_text("old")
    with replacing(path) as beside:
        assert (beside.parent, beside.suffix) == (tmp_path, ".json")
        beside.write_text("new")
        assert path.read_text() == "old"
    assert (path.read_text(), os.listdir(tmp_path)) == ("new", ["run.json"])


def test_after_an_error_the_old_file_stays_alone(tmp_path):
    path = tmp_path / "labels"
    path.write_text("old")

    def fail():
        with replacing(path) as beside:
            beside.write_text("half")
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        fail()
    assert (path.read_text(), os.listdir(tmp_path)) == ("old", ["labels"])


def test_a_link_stays_and_its_target_is_replaced(tmp_path):
    (tmp_path / "target").write_text("old")
    (tmp_path / "link").symlink_to("target")
    with replacing(tmp_path / "link") as beside:
        beside.write_text("new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_text() == "new"


@pytest.fixture
def writer(tmp_path):
    program = [sys.executable, "-c", textwrap.dedent(WRITER), str(tmp_path / "run.json")]
    process = subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    process.beside = process.stdout.readline().strip()
    yield process
    process.kill()
    process.communicate()


def test_what_a_killed_process_left_is_removed_and_what_a_live_one_writes_is_not(tmp_path, writer):
    (tmp_path / "run.json").write_text("old")
    remove_leftovers(tmp_path)
    assert os.path.exists(writer.beside)
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    remove_leftovers(tmp_path)
    assert os.listdir(tmp_path) == ["run.json"]


def test_a_file_of_another_machine_is_removed_when_it_is_old(tmp_path):
    beside = tmp_path / ".run.another-7-0123abcd.tmp.json"
    beside.touch()
    remove_leftovers(tmp_path)
    assert beside.exists()
    os.utime(beside, (time.time() - 4000,) * 2)
    remove_leftovers(tmp_path)
    assert not beside.exists()


def test_files_of_others_stay(tmp_path):
    names = {".hidden.tmp", "run.json.123.tmp", ".run.json.tmp", "a-1-0123abcd.tmp"}
    for name in names:
        (tmp_path / name).touch()
    remove_leftovers(tmp_path)
    remove_leftovers(tmp_path / "absent")
    assert set(os.listdir(tmp_path)) == names
