"""One process writes to a folder at a time: the second is told who does, and death frees it."""

import os
import platform
import signal
import subprocess
import sys
import textwrap

import pytest

from slimcore.errors import RunError
from slimcore.locks import NAME, FolderLock

HOLDER = """
    import sys, time
    from slimcore.locks import FolderLock

    with FolderLock(sys.argv[1], "slim train"):
        print("locked", flush=True)
        time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    program = [sys.executable, "-c", textwrap.dedent(HOLDER), str(tmp_path)]
    process = subprocess.Popen(program, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "locked\n"
    yield process
    process.kill()
    process.communicate()


def test_the_second_is_refused_and_told_host_and_process(tmp_path, holder):
    who = rf"by slim train: process {holder.pid} on host {platform.node()}, since 2"
    with pytest.raises(RunError, match=f"{who}.*set SLIM_LOCKS=off"):
        FolderLock(tmp_path, "slim eval").acquire()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV])
def test_death_frees_the_folder(tmp_path, holder, number):
    holder.send_signal(number)
    holder.wait()
    with FolderLock(tmp_path, "slim train"):
        assert os.path.exists(tmp_path / NAME)


def test_the_user_can_override_the_lock(tmp_path, holder, monkeypatch):
    monkeypatch.setenv("SLIM_LOCKS", "off")
    holders = (tmp_path / NAME).read_text()
    with FolderLock(tmp_path, "slim train"):
        pass
    assert (tmp_path / NAME).read_text() == holders


def test_two_in_one_process_are_refused_as_well_and_the_end_frees_the_folder(tmp_path):
    told = f"in use by one: process {os.getpid()} on host"
    with FolderLock(tmp_path, "one"), pytest.raises(RunError, match=told):
        FolderLock(tmp_path, "two").acquire()
    with FolderLock(tmp_path, "two"):
        pass
    assert os.listdir(tmp_path) == []


def test_of_many_at_once_one_gets_the_lock(tmp_path):
    program = HOLDER.replace("print", "open(f'{sys.argv[1]}/won', 'a').write('x'); print")
    program = textwrap.dedent(program.replace("sleep(60)", "sleep(3)"))
    command = [sys.executable, "-c", program, str(tmp_path)]
    several = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(8)]
    errors = [process.communicate(timeout=60)[1] for process in several]
    refused = sum("is in use by" in error for error in errors)
    assert (len((tmp_path / "won").read_text()), refused) in [(8 - refused, refused)]
    assert refused


def test_a_folder_that_is_deleted_or_replaced_is_noticed(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    with FolderLock(folder, "slim train") as lock:
        lock.check()
        folder.rename(tmp_path / "elsewhere")
        with pytest.raises(RunError, match="run was deleted, moved or replaced while slim train"):
            lock.check()
        folder.mkdir()
        with pytest.raises(RunError, match="was deleted, moved or replaced"):
            lock.check()
        (folder / NAME).write_text("another's")
        with pytest.raises(RunError, match="was deleted, moved or replaced"):
            lock.check()
    assert (folder / NAME).read_text() == "another's"


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path):
    (tmp_path / "file").touch()
    for folder in (tmp_path / "absent", tmp_path / "file"):
        with pytest.raises(RunError, match="cannot write to the folder .*; choose another"):
            FolderLock(folder, "slim train").acquire()


def test_a_file_system_without_locks_is_told_once_and_used(tmp_path, monkeypatch):
    import fcntl

    def flock(file, operation):
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", flock)
    lock = FolderLock(tmp_path, "slim train")
    with pytest.warns(RuntimeWarning, match="without locks .Function not implemented"):
        lock.acquire()
    lock.check()
    lock.release()
    assert os.listdir(tmp_path) == []
