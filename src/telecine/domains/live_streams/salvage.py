"""What is left of a recording whose process was killed."""

import os
from pathlib import Path

from telecine.formats.mp4.multitrack import Whole, whole_file


def salvage(path: Path) -> Whole:
    """Cut a file off behind its last whole fragment. Raises OSError, FormatError.

    However long it is, what reads it holds up nothing else: it may be read beside live events.
    """
    with path.open("r+b", buffering=0) as file:
        number = file.fileno()
        whole = whole_file(os.fstat(number).st_size, lambda at, size: _read(number, at, size))
        file.truncate(whole.size_bytes)
        os.fsync(number)
    return whole


def _read(number: int, at: int, size: int) -> bytes:
    """Return bytes of a file, all of them. Raises OSError."""
    found = os.pread(number, size, at)
    while len(found) < size:
        more = os.pread(number, size - len(found), at + len(found))
        if not more:
            raise OSError(f"{size} bytes at {at} are gone")
        found += more
    return found
