"""Keeps what TensorFlow has to say as it starts off the terminal."""

import contextlib
import importlib.util
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any


def quieten_tensorflow() -> None:
    """Imports TensorFlow, whenever that happens, without the notes that it writes meanwhile.

    They come from C++, before it can be told what to leave out: about CUDA drivers that are not
    there and about its own logging. Where the import fails, they are shown after all.
    """
    # What C++ says later on: errors alone.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    if "tensorflow" not in sys.modules:
        sys.meta_path.insert(0, _Finder())


class _Finder(MetaPathFinder):
    """Finds TensorFlow where it is, and lets it load with standard error set aside."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != "tensorflow":
            return None
        sys.meta_path.remove(self)  # once is enough, and the next line asks the others
        spec = importlib.util.find_spec(fullname)
        loader: Any = spec and spec.loader
        if not hasattr(loader, "exec_module"):
            return spec
        load = loader.exec_module

        def load_quietly(module: ModuleType) -> None:
            with _stderr_set_aside():
                load(module)
                # Looking for a GPU, which an import alone leaves to the first operation.
                module.config.list_physical_devices()

        loader.exec_module = load_quietly
        return spec


@contextlib.contextmanager
def _stderr_set_aside() -> Iterator[None]:
    """Collects what the process writes to its standard error, and shows it only after an error."""
    try:
        terminal = os.dup(2)
    except OSError:  # there is none
        yield
        return
    with tempfile.TemporaryFile() as notes:
        sys.stderr.flush()
        os.dup2(notes.fileno(), 2)
        try:
            yield
        except BaseException:
            notes.seek(0)
            os.write(terminal, notes.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(terminal, 2)
            os.close(terminal)
