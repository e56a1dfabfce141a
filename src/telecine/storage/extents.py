"""A file that lies in several objects, read as one."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from telecine.storage.store import Store


@dataclass(frozen=True, slots=True)
class Extent:
    """A whole object that is a stretch of a file."""

    key: str
    size_bytes: int


class Extents:
    """A read-only file over extents, in file order."""

    def __init__(self, store: Store, extents: Sequence[Extent]) -> None:
        self._store = store
        self._extents = tuple(extents)
        self.size_bytes = sum(extent.size_bytes for extent in self._extents)

    @property
    def keys(self) -> tuple[str, ...]:
        """Return the keys of all extents."""
        return tuple(extent.key for extent in self._extents)

    @property
    def local_path(self) -> Path | None:
        """Return the file itself, where it is a single object on a local disk."""
        return self._store.local_path(self.keys[0]) if len(self._extents) == 1 else None

    def ranges(self, offset: int, size: int) -> list[tuple[str, int, int]]:
        """Return (key, offset in the object, size) of bytes [offset, offset + size).

        Raises:
            ValueError: the range reaches beyond the end of the file.
        """
        if offset < 0 or offset + size > self.size_bytes:
            msg = f"bytes {offset}+{size} of a file of {self.size_bytes}"
            raise ValueError(msg)
        found = []
        start = 0
        for extent in self._extents:
            first = max(offset - start, 0)
            last = min(offset + size - start, extent.size_bytes)
            if first < last:
                found.append((extent.key, first, last - first))
            start += extent.size_bytes
        return found

    async def read(self, offset: int, size: int) -> bytes:
        """Return `size` bytes from `offset`; fewer only at the end of the file."""
        size = min(size, self.size_bytes - offset)
        if size <= 0:
            return b""
        parts = [
            await self._store.read(key, first, first + count)
            for key, first, count in self.ranges(offset, size)
        ]
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def stream(self, offset: int, size: int) -> AsyncIterator[bytes]:
        """Yield bytes [offset, offset + size) in pieces of at most 1 MiB."""
        for key, first, count in self.ranges(offset, size):
            async for piece in self._store.stream(key, first, first + count):
                yield piece
