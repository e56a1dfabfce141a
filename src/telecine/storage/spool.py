"""Local copies of sources that lie in a bucket, for programs that need a file."""

import asyncio
import hashlib
import os
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from telecine import ids
from telecine.storage.extents import Extents


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
    """A folder of downloaded sources, the least recently used ones dropped first."""

    folder: Path
    limit_bytes: int = 20 << 30
    _locks: dict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))

    async def local(self, source: Extents) -> Extents | LocalFile:
        """Return `source` as one local file; copies it unless it is one already."""
        if source.local_path is not None:
            return source
        name = hashlib.sha256(source.identity.encode()).hexdigest()
        path = self.folder / name
        async with self._locks[name]:
            while not _used(path):
                await self._download(source, path)
        return LocalFile(path, source.size_bytes)

    async def _download(self, source: Extents, path: Path) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        await asyncio.to_thread(self._make_room, source.size_bytes)
        partial = path.with_suffix(f".{ids.nonce()}")
        try:
            with partial.open("wb") as file:
                async for data in source.stream(0, source.size_bytes):
                    await asyncio.to_thread(file.write, data)
            partial.rename(path)
        finally:
            partial.unlink(missing_ok=True)

    def _make_room(self, needed_bytes: int) -> None:
        files = sorted(self._files(), key=lambda found: found[1].st_mtime)
        used_bytes = sum(status.st_size for _, status in files)
        for file, status in files:
            if used_bytes + needed_bytes <= self.limit_bytes:
                return
            used_bytes -= status.st_size
            file.unlink(missing_ok=True)

    async def sweep(self, before: datetime) -> list[str]:
        """Drop what was last used `before`, also downloads that broke off; name it."""
        return await asyncio.to_thread(self._sweep, before)

    def _sweep(self, before: datetime) -> list[str]:
        old = [file for file, status in self._files() if status.st_mtime < before.timestamp()]
        for file in old:
            file.unlink(missing_ok=True)
        return [file.name for file in old]

    def _files(self) -> Iterator[tuple[Path, os.stat_result]]:
        for file in self.folder.iterdir() if self.folder.is_dir() else ():
            with suppress(FileNotFoundError):  # another process has dropped it
                yield file, file.stat()


def _used(path: Path) -> bool:
    """Note that a file is used now; tell whether it is there."""
    try:
        os.utime(path)
    except FileNotFoundError:
        return False
    return True
