"""Folders in which a command works, and which are gone afterwards, however it ends.

Whoever works in one holds a lock on it. The kernel gives that back for a process that
dies, and the next one that comes along deletes what it left.
"""

import errno
import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from telecine import ids

_LOCK = "lock"


@contextmanager
def workplace(folder: Path, needed_bytes: int, reserve_bytes: int) -> Iterator[Path]:
    """Make a folder inside of `folder`, which all processes of the host share.

    Raises:
        OSError: ENOSPC, with `needed_bytes` in it less than `reserve_bytes` were free.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder):
        _sweep(folder)
        if shutil.disk_usage(folder).free < needed_bytes + reserve_bytes:
            raise OSError(errno.ENOSPC, "only the reserve is left")
        place = folder / ids.nonce()
        place.mkdir(mode=0o700)
        held = _held(place)
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)
        os.close(held)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Let no other process change the folder; only for moments."""
    with (folder / _LOCK).open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _held(place: Path) -> int:
    """Lock a folder and return its descriptor. Raises BlockingIOError."""
    descriptor = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise
    return descriptor


def _sweep(folder: Path) -> None:
    """Delete what nobody works in any more."""
    for place in folder.iterdir():
        if place.name == _LOCK:
            continue
        with suppress(BlockingIOError, FileNotFoundError, NotADirectoryError):
            held = _held(place)
            shutil.rmtree(place, ignore_errors=True)
            os.close(held)
