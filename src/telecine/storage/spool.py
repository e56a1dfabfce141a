"""Local copies of sources that lie in a bucket, for programs that need a file.

All processes of a host share the folder. Who uses a copy holds a shared lock on it, and
only what can be locked exclusively is deleted: the kernel gives back the locks of a
process that dies, however it dies.
"""

import asyncio
import errno
import fcntl
import hashlib
import os
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from io import FileIO
from pathlib import Path
from weakref import WeakValueDictionary

from telecine import ids
from telecine.storage.extents import Extents
from telecine.storage.store import FULL, OutOfSpace, StoreError
from telecine.storage.threads import in_thread

_LOCK = "lock"
_PARTIAL = ".part"


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A whole source on this host's disk."""

    local_path: Path
    size_bytes: int

    async def read(self, offset: int, size: int) -> bytes:
        """Return `size` bytes from `offset` on, fewer at the end."""
        return await asyncio.to_thread(self._read, offset, size)

    def _read(self, offset: int, size: int) -> bytes:
        with self.local_path.open("rb") as file:
            file.seek(offset)
            return file.read(size)


@dataclass(frozen=True, slots=True)
class Spool:
    """A folder of downloaded sources, the least recently used ones dropped first.

    `limit_bytes` holds for what nobody uses: copies in use stay, even if they are more.
    `reserve_bytes` of the disk are left free.
    """

    folder: Path
    limit_bytes: int = 20 << 30
    reserve_bytes: int = 0
    _locks: WeakValueDictionary[str, asyncio.Lock] = field(default_factory=WeakValueDictionary)

    @asynccontextmanager
    async def local(self, source: Extents) -> AsyncIterator[Extents | LocalFile]:
        """Hold `source` as one local file; a copy of it unless it is one already.

        Raises:
            OutOfSpace: the disk has no room for a copy.
            StoreError: the source cannot be read.
        """
        if source.local_path is not None:
            yield source
            return
        path = self.folder / hashlib.sha256(source.identity.encode()).hexdigest()
        lock = self._locks.setdefault(path.name, asyncio.Lock())
        with ExitStack() as held:
            async with lock:
                if not await in_thread(None, self._hold, path, held):
                    await self._download(source, path, held)
            yield LocalFile(path, source.size_bytes)

    async def sweep(self, before: datetime) -> list[str]:
        """Drop what was last used `before` and what killed processes left; name it."""
        return await in_thread(None, self._sweep, before)

    async def _download(self, source: Extents, path: Path, held: ExitStack) -> None:
        """Copy `source` to `path`, which `held` then holds."""
        partial = path.with_name(f"{path.name}.{ids.nonce()}{_PARTIAL}")
        try:
            file = await in_thread(None, self._begin, partial, source.size_bytes, held)
            async for data in source.stream(0, source.size_bytes):
                await in_thread(None, self._write, file, data)
            await in_thread(None, self._publish, file, path, held)
        finally:
            partial.unlink(missing_ok=True)

    def _begin(self, partial: Path, size_bytes: int, held: ExitStack) -> FileIO:
        with _errors(), self._alone():
            self._make_room(size_bytes)
            file = held.enter_context(_shared(partial, "xb"))
            # Counts at once, so that others make room beside it.
            file.truncate(size_bytes)
            return file

    def _write(self, file: FileIO, data: bytes) -> None:
        with _errors():
            self._check_disk(len(data))
            view = memoryview(data)
            while view:
                view = view[file.write(view) :]

    def _hold(self, path: Path, held: ExitStack) -> bool:
        """Hold a copy; return whether there is one."""
        with _errors(), self._alone():
            if not path.exists():
                return False
            held.enter_context(_shared(path, "rb"))
            os.utime(path)
            return True

    def _publish(self, file: FileIO, path: Path, held: ExitStack) -> None:
        """Give a copy its name; where another process came first, hold that one's."""
        with _errors():
            os.fdatasync(file.fileno())
            with self._alone():
                if path.exists():
                    file.truncate(0)
                    held.enter_context(_shared(path, "rb"))
                else:
                    Path(os.fsdecode(file.name)).rename(path)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Let no other process change the folder; only for moments."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / _LOCK).open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _make_room(self, needed_bytes: int) -> None:
        files = sorted(self._files(), key=lambda each: each[1].st_mtime)
        used_bytes = sum(status.st_size for _, status in files)
        for file, status in files:
            if used_bytes + needed_bytes <= self.limit_bytes and self._fits(needed_bytes):
                return
            if _drop(file):
                used_bytes -= status.st_size
        self._check_disk(needed_bytes)

    def _sweep(self, before: datetime) -> list[str]:
        if not self.folder.exists():
            return []  # no source lies elsewhere
        with _errors(), self._alone():
            return [
                file.name
                for file, status in self._files()
                if (file.suffix == _PARTIAL or status.st_mtime < before.timestamp()) and _drop(file)
            ]

    def _files(self) -> list[tuple[Path, os.stat_result]]:
        found = []
        for file in self.folder.iterdir():
            if file.name != _LOCK:
                with suppress(FileNotFoundError):  # a download that just failed
                    found.append((file, file.stat()))
        return found

    def _fits(self, needed_bytes: int) -> bool:
        return shutil.disk_usage(self.folder).free >= needed_bytes + self.reserve_bytes

    def _check_disk(self, needed_bytes: int) -> None:
        if not self._fits(needed_bytes):
            raise OSError(errno.ENOSPC, "only the reserve is left")


def _shared(path: Path, mode: str) -> FileIO:
    """Open a file that nobody may delete until it is closed."""
    file = FileIO(path, mode)
    fcntl.flock(file, fcntl.LOCK_SH)
    return file


def _drop(path: Path) -> bool:
    """Delete a file unless somebody uses it; return whether it is gone."""
    with suppress(FileNotFoundError), path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        path.unlink()
    return True


@contextmanager
def _errors() -> Iterator[None]:
    """Turn the system's errors into the store's."""
    try:
        yield
    except OSError as error:
        kind = OutOfSpace if error.errno in FULL else StoreError
        raise kind(f"local copy: {error.strerror}") from error
