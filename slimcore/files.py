"""Files that are replaced whole: written beside, flushed to the disk, and then renamed."""

import contextlib
import os
import platform
import re
import secrets
import time
from collections.abc import Iterator
from pathlib import Path

# How old a file left by a process of another machine must be to be taken for abandoned.
SECONDS_TO_REPLACE = 3600.0


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Gives a path beside another, which takes the other's place when the block ends.

        with replacing("run.json") as beside:
            beside.write_text(text)

    At every instant, a crash of the machine included, `path` is what it was or what was written.
    After an error in the block it is what it was, and nothing is left beside it. What a killed
    process left, `remove_leftovers` removes.

    Args:
        path: The file to replace, or to create. A link is followed, and what it names is replaced.

    Yields:
        The path to write to: in the same folder, hidden, with the same suffix.

    Raises:
        OSError: The file cannot be written. What was there stays.
    """
    path = Path(os.path.realpath(path))
    writer = f"{platform.node()}-{os.getpid()}-{secrets.token_hex(4)}"
    # The suffix stays, since some writers choose a format by it.
    beside = path.with_name(f".{path.stem}.{writer}.tmp{path.suffix}")
    try:
        yield beside
        flush(beside)
        os.replace(beside, path)
        flush(path.parent)
    finally:
        beside.unlink(missing_ok=True)


def flush(path: Path) -> None:
    """Waits until a file, or the entries of a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_leftovers(folder: str | os.PathLike[str]) -> None:
    """Removes what `replacing` left in a folder when its process was killed.

    A file of a live process stays, and so does one that another machine wrote in the last hour,
    whose processes cannot be seen from here.

    Args:
        folder: The folder, which need not exist. Folders in it are not looked into.
    """
    with contextlib.suppress(OSError):
        for entry in os.scandir(folder):
            named = re.fullmatch(r"(\..+)-(\d+)-[0-9a-f]{8}\.tmp.*", entry.name)
            if not named:
                continue
            if named[1].endswith(f".{platform.node()}"):
                abandoned = not is_alive(int(named[2]))
            else:
                abandoned = time.time() - entry.stat().st_mtime > SECONDS_TO_REPLACE
            if abandoned:
                with contextlib.suppress(OSError):
                    os.unlink(entry.path)


def is_alive(pid: int) -> bool:
    """Returns whether a process of this machine runs."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # another user's
    return True
