"""What TensorFlow writes while it is imported stays off the terminal, unless the import fails."""

import subprocess
import sys

import pytest

# In the place of TensorFlow, which takes long to import: it notes something below Python and above.
NOISY = """
import os, sys, types
os.write(2, b"I0000 note of C++\\n")
print("note of Python", file=sys.stderr)
def devices():
    os.write(2, b"E0000 no GPU\\n")
config = types.SimpleNamespace(list_physical_devices=devices)
"""
IMPORT = """
import os, sys
from slimcore._quiet import quieten_tensorflow
quieten_tensorflow()
print("before", file=sys.stderr)
import tensorflow
os.write(2, b"after\\n")
assert tensorflow.__spec__.name == "tensorflow"
"""


def run(folder, tensorflow, code=IMPORT):
    (folder / "tensorflow.py").write_text(tensorflow)
    code = f"import sys; sys.path.insert(0, {str(folder)!r})\n{code}"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)


def test_notes_of_an_import_are_left_out_and_nothing_else(tmp_path):
    done = run(tmp_path, NOISY)
    assert (done.returncode, done.stderr) == (0, "before\nafter\n")


def test_notes_of_an_import_that_fails_are_shown(tmp_path):
    done = run(tmp_path, NOISY + "raise ImportError('libcuda is damaged')")
    assert done.returncode == 1
    assert "I0000 note of C++" in done.stderr
    assert "libcuda is damaged" in done.stderr


@pytest.mark.parametrize("debug, quiet", [([], True), (["--debug"], False)])
def test_the_program_is_quiet_unless_it_is_debugged(tmp_path, debug, quiet):
    arguments = ["slim", *debug, "plan", "--net", "lenet", str(tmp_path / "nowhere.ckpt")]
    code = f"import sys; sys.argv = {arguments!r}\nfrom slimcore.cli import main; main()"
    done = run(tmp_path, NOISY + "raise ValueError('unfit')", code)
    assert "I0000 note of C++" in done.stderr  # shown, since it failed
    done = run(tmp_path, NOISY, code)
    assert ("I0000 note of C++" not in done.stderr) == quiet
