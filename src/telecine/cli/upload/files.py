"""The files that a command line means, and one that is being read."""

import asyncio
import fnmatch
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from telecine.processes.exits import CannotGoOn, Exit

_VIDEO = {
    *(".3g2", ".3gp", ".asf", ".avi", ".dv", ".f4v", ".flv", ".m2ts", ".m2v", ".m4v", ".mkv"),
    *(".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".mxf", ".ogv", ".qt", ".ts", ".vob", ".webm"),
    ".wmv",
}
_AUDIO = {
    *(".aac", ".aif", ".aiff", ".flac", ".m4a", ".mka", ".mp3", ".oga", ".ogg", ".opus"),
    *(".wav", ".wma"),
}
MEDIA = _VIDEO | _AUDIO
"""Extensions that are taken for media in a folder; the server looks at the bytes."""


@dataclass(frozen=True, slots=True)
class Found:
    """A file to upload; `name` is what it is called in messages."""

    path: Path
    name: str


def find(paths: Sequence[Path], include: Sequence[str]) -> list[Found]:
    """Return files as they are given, and those of folders at any depth, sorted.

    In folders, names that begin with a dot are left out; so is what has no extension
    of media or, with `include`, matches none of these patterns by name or path.

    Raises:
        CannotGoOn: a folder cannot be read.
    """
    found: list[Found] = []
    for path in paths:
        if path.is_dir():
            found += _below(path, include)
        else:
            found.append(Found(path.absolute(), path.name))
    return list({each.path: each for each in found}.values())


def _below(folder: Path, include: Sequence[str]) -> Iterator[Found]:
    def unreadable(error: OSError) -> None:
        raise CannotGoOn(Exit.FAILED, f"{error.filename} cannot be read: {error.strerror}.")

    for at, folders, names in os.walk(folder, onerror=unreadable):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(at, name)
            relative = path.relative_to(folder).as_posix()
            if not name.startswith(".") and _is_wanted(relative, include) and path.is_file():
                yield Found(path.absolute(), relative)


def _is_wanted(relative: str, include: Sequence[str]) -> bool:
    path = PurePosixPath(relative)
    if not include:
        return path.suffix.lower() in MEDIA
    return any(fnmatch.fnmatch(each, glob) for glob in include for each in (path.name, relative))


@dataclass(frozen=True, slots=True)
class Identity:
    """What a file was when its upload began."""

    size_bytes: int
    modified_ns: int

    @classmethod
    def of(cls, status: os.stat_result) -> "Identity":
        """Return it of a file with that status."""
        return cls(status.st_size, status.st_mtime_ns)


class OpenFile:
    """A file that must not change while it is read, from several places at once."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.identity = Identity.of(os.fstat(descriptor))

    async def read(self, start: int, size_bytes: int) -> bytes:
        """Return the bytes at `start`. Raises CannotGoOn if the file has changed."""
        return await asyncio.to_thread(self._read_unchanged, start, size_bytes)

    def read_at(self, start: int, size_bytes: int) -> bytes:
        """Return the bytes at `start`, fewer at the end of the file."""
        return os.pread(self._descriptor, size_bytes, start)

    def check(self) -> None:
        """Raise CannotGoOn if the file has changed."""
        if Identity.of(os.fstat(self._descriptor)) != self.identity:
            raise _changed()

    def _read_unchanged(self, start: int, size_bytes: int) -> bytes:
        try:
            data = self.read_at(start, size_bytes)
        except OSError as error:
            msg = f"The file cannot be read: {error.strerror}."
            raise CannotGoOn(Exit.FAILED, msg) from error
        self.check()
        if len(data) != size_bytes:
            raise _changed()
        return data


def _changed() -> CannotGoOn:
    msg = "The file changed while it was being sent: upload it again when it is finished."
    return CannotGoOn(Exit.FAILED, msg)


@contextmanager
def opened(path: Path) -> Iterator[OpenFile]:
    """Open a file. Raises CannotGoOn if it cannot be read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        msg = f"The file cannot be read: {error.strerror}."
        raise CannotGoOn(Exit.FAILED, msg) from error
    try:
        yield OpenFile(descriptor)
    finally:
        os.close(descriptor)
