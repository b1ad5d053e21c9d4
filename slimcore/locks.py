"""One writer a folder: a lock that names its host and process, and that death frees."""

import contextlib
import json
import os
import platform
import time
import warnings
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from slimcore.errors import RunError

NAME = ".slim.lock"
VARIABLE = "SLIM_LOCKS"


class FolderLock:
    """The right to write to a folder, which one process has at a time.

        with FolderLock("runs/digits", "slim train") as lock:
            ...
            lock.check()  # that the folder is still there

    It is a lock of the operating system (`flock`) on a file in the folder, which disappears with
    the lock. The system frees it when its process dies, however that happens, on a network file
    system too where that supports locks. On one that does not, a warning says that the folder is
    not protected. With the environment variable `SLIM_LOCKS=off` nothing is locked.
    """

    def __init__(self, folder: str | os.PathLike[str], what: str) -> None:
        """Locks nothing yet.

        Args:
            folder: A local folder, which exists when the lock is acquired.
            what: Who holds the lock, for the message to others, such as "slim train".
        """
        self._path = Path(folder, NAME)
        self._what = what
        self._file: IO[str] | None = None

    def __enter__(self) -> "FolderLock":
        self.acquire()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()

    def acquire(self) -> None:
        """Locks the folder.

        Raises:
            RunError: Another process holds the lock, which the message names; or nothing can be
                written in the folder.
        """
        import fcntl

        if os.environ.get(VARIABLE, "").lower() in ("off", "0", "no", "false"):
            return
        while self._file is None:
            try:
                file = open(self._path, "a+", encoding="utf-8")  # noqa: SIM115 (kept open)
            except OSError as error:
                raise RunError(
                    f"cannot write to the folder {self._path.parent}: {error.strerror}; choose "
                    "another"
                ) from error
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                with file:
                    raise RunError(self._refusal(file)) from error
            except OSError as error:
                warnings.warn(
                    f"{self._path.parent} is on a file system without locks ({error.strerror}), "
                    "so nothing keeps a second process from writing there. "
                    f"{VARIABLE}=off silences this",
                    RuntimeWarning,
                    stacklevel=3,
                )
            if not _is_at(file, self._path):
                file.close()  # who held it before has removed the file
                continue
            self._file = file
            self._sign()

    def release(self) -> None:
        """Frees the folder, and removes the file."""
        if self._file is None:
            return
        with self._file:
            # While the lock is held, or another process could lock a file that is no longer there.
            if _is_at(self._file, self._path):
                with contextlib.suppress(OSError):
                    self._path.unlink()
        self._file = None

    def check(self) -> None:
        """Makes sure that the folder is the one that was locked.

        Raises:
            RunError: It was deleted, moved or replaced, or its lock was.
        """
        if self._file is not None and not _is_at(self._file, self._path):
            raise RunError(
                f"the folder {self._path.parent} was deleted, moved or replaced while {self._what} "
                "wrote to it"
            )

    def _sign(self) -> None:
        assert self._file is not None
        self._file.truncate(0)
        holder = {
            "what": self._what,
            "host": platform.node(),
            "process": os.getpid(),
            "since": time.strftime("%Y-%m-%d %H:%M:%S"),
        }
        self._file.write(json.dumps(holder) + "\n")
        self._file.flush()

    def _refusal(self, file: IO[str]) -> str:
        holder = _holder(file)
        who = f"process {holder.get('process', '?')} on host {holder.get('host', '?')}"
        return (
            f"{self._path.parent} is in use by {holder.get('what', 'another program')}: {who}, "
            f"since {holder.get('since', '?')}. Wait for its end, end it, or choose another "
            f"folder; if it is gone, which a file system can miss, set {VARIABLE}=off"
        )


def _is_at(file: IO[str], path: Path) -> bool:
    """Returns whether an open file is the one at a path."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), os.stat(path))
    except OSError:
        return False


def _holder(file: IO[str]) -> dict[str, Any]:
    try:
        file.seek(0)
        found = json.load(file)
    except (OSError, ValueError):
        return {}  # it has not signed yet
    return found if isinstance(found, dict) else {}
