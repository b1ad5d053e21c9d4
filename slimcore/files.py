"""Files that are replaced whole: written beside, flushed to the disk, and then renamed."""

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Gives a path beside another, which takes the other's place when the block ends.

        with replacing("run.json") as beside:
            beside.write_text(text)

    At every instant, a crash of the machine included, `path` is what it was or what was written.
    After an error in the block it is what it was, and nothing is left beside it.

    Args:
        path: The file to replace, or to create. A link is followed, and what it names is replaced.

    Yields:
        The path to write to: in the same folder, hidden, with the same suffix.

    Raises:
        OSError: The file cannot be written. What was there stays.
    """
    path = Path(os.path.realpath(path))
    # The suffix stays, since some writers choose a format by it.
    beside = path.with_name(f".{path.stem}.{os.getpid()}-{secrets.token_hex(4)}.tmp{path.suffix}")
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
