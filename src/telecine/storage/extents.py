"""A file that lies in several objects, read as one."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from telecine.storage.store import Store


@dataclass(frozen=True, slots=True)
class Extent:
    """A stretch of a file: `size_bytes` from `offset` (bytes) on in an object."""

    key: str
    size_bytes: int
    offset: int = 0

    def as_json(self) -> dict[str, str | int]:
        """Return it as it is stored in rows."""
        return {"key": self.key, "offset": self.offset, "size": self.size_bytes}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """Rebuild an extent from `as_json`."""
        return cls(str(stored["key"]), int(stored["size"]), int(stored["offset"]))


def join(extents: Iterable[Extent]) -> list[Extent]:
    """Return the extents of the same file with neighbours in one object made one."""
    joined: list[Extent] = []
    for extent in extents:
        last = joined[-1] if joined else None
        if last and last.key == extent.key and last.offset + last.size_bytes == extent.offset:
            joined[-1] = Extent(last.key, last.size_bytes + extent.size_bytes, last.offset)
        elif extent.size_bytes:
            joined.append(extent)
    return joined


class Extents:
    """A read-only file over extents, in file order."""

    def __init__(self, store: Store, extents: Sequence[Extent], *, beginning: bool = False) -> None:
        """`beginning`: these are the first bytes of a file, of which more will come."""
        self._store = store
        self._beginning = beginning
        self._extents = tuple(extents)
        self.size_bytes = sum(extent.size_bytes for extent in self._extents)

    @property
    def keys(self) -> tuple[str, ...]:
        """Return the keys of all extents."""
        return tuple(extent.key for extent in self._extents)

    @property
    def local_path(self) -> Path | None:
        """Return the file itself, where it is exactly one object on a local disk.

        Of a beginning: one that starts with it, whatever has come of the rest.
        """
        if len(self._extents) != 1 or self._extents[0].offset != 0:
            return None
        path = self._store.local_path(self._extents[0].key)
        if path is None or not path.exists():
            return None
        stored_bytes = path.stat().st_size
        if self._beginning:
            return path if stored_bytes >= self.size_bytes else None
        # What an abandoned writer left behind the end is not of this file.
        return path if stored_bytes == self.size_bytes else None

    @property
    def identity(self) -> str:
        """Return a text that no other file has."""
        return "\n".join(f"{e.key} {e.offset} {e.size_bytes}" for e in self._extents)

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
                found.append((extent.key, extent.offset + first, last - first))
            start += extent.size_bytes
        return found

    def holder(self, start: int, end: int) -> tuple[str, int] | None:
        """Return the one object that holds bytes [start, end), and where its byte 0 would be.

        None where several objects hold them, or none all of it.
        """
        position = 0
        for extent in self._extents:
            if start >= position and end <= position + extent.size_bytes:
                return extent.key, position - extent.offset
            position += extent.size_bytes
        return None

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
