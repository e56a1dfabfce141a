"""What every object store can do. Keys are ours, never text from users."""

import errno
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol


class StoreError(Exception):
    """The store failed; the operation may be tried again."""


class ObjectMissing(StoreError):
    """There is no object under that key."""


class OutOfSpace(StoreError):
    """The store is full; nothing of the object is visible."""


FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
"""What the system says of a disk without room."""


RESERVED = ".stage"
"""A name that no part of a key may have."""


def check_key(key: str) -> str:
    """Return `key` if it is one: non-empty parts between slashes, none of them a dot.

    Raises:
        StoreError: it is none, which would be a bug of ours.
    """
    parts = key.split("/")
    if any(part in ("", ".", "..", RESERVED) or "\0" in part for part in parts):
        msg = f"not a key: {key!r}"
        raise StoreError(msg)
    return key


def check_folder(prefix: str) -> str:
    """Return the key of a folder without the slash at its end.

    Raises:
        StoreError: `prefix` names no folder; deleting it would take neighbours along.
    """
    if not prefix.endswith("/"):
        msg = f"not a folder: {prefix!r}"
        raise StoreError(msg)
    return check_key(prefix.removesuffix("/"))


@dataclass(frozen=True, slots=True)
class Entry:
    """One object of a listing.

    `modified_at`: when it was last written, copied or named; of an object that was sent
    in parts, some stores tell when the first of them was.
    """

    key: str
    size_bytes: int
    modified_at: datetime


def cut(
    pieces: Sequence[bytes | memoryview], at_bytes: int
) -> tuple[list[bytes | memoryview], list[bytes | memoryview]]:
    """Return the first `at_bytes` of the bytes in `pieces`, and those behind them."""
    left_bytes = at_bytes
    for number, piece in enumerate(pieces):
        if left_bytes < len(piece):
            view = memoryview(piece)
            first = [view[:left_bytes]] if left_bytes else []
            return [*pieces[:number], *first], [view[left_bytes:], *pieces[number + 1 :]]
        left_bytes -= len(piece)
    return [*pieces], []


class ObjectWriter(Protocol):
    """An object being written; not visible before its block ends cleanly."""

    async def write(self, *pieces: bytes | memoryview) -> None:
        """Append bytes, which lie in pieces: joining them would copy them. Raises OutOfSpace."""


class Store(Protocol):
    """Immutable objects under string keys, on a disk or in a bucket."""

    async def put(self, key: str, data: bytes) -> None:
        """Store a whole object durably and atomically; replaces an older one."""

    def writer(self, key: str) -> AbstractAsyncContextManager[ObjectWriter]:
        """Stream an object; durable and visible after the block, gone on an exception."""

    def region(self, key: str, offset: int) -> AbstractAsyncContextManager[ObjectWriter] | None:
        """Write from `offset` (bytes) on into an object that has several writers.

        The only object that is not immutable: visible at once, with holes, and whoever
        reads it knows from elsewhere which of its bytes are valid. What was written is
        durable after the block; an exception leaves bytes that nobody asks for. None
        where the store can write whole objects only.
        """

    async def copy(self, key: str, target: str) -> None:
        """Store an object under a second key without reading it. Raises ObjectMissing."""

    async def read(self, key: str, start: int = 0, end: int | None = None) -> bytes:
        """Return bytes [start, end) of an object. Raises ObjectMissing."""

    async def read_ranges(
        self, key: str, ranges: Sequence[tuple[int, int]]
    ) -> Sequence[bytes | memoryview]:
        """Return the bytes of each (offset, size) in few requests; fewer at the end.

        What lies between neighbours may be read as well: the caller asks for stretches
        that together are a message, not for a whole film. Raises ObjectMissing.
        """

    def stream(self, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """Yield bytes [start, end) in pieces of at most 1 MiB. Raises ObjectMissing."""

    async def size(self, key: str) -> int | None:
        """Return the object's size in bytes, None if there is none."""

    def list(self, prefix: str) -> AsyncIterator[Entry]:
        """Yield every object whose key starts with `prefix` (a folder: ends with `/`).

        The objects of a folder come one after the other.
        """

    async def delete(self, keys: Iterable[str]) -> None:
        """Delete objects; missing ones are ignored."""

    async def delete_prefix(self, prefix: str) -> None:
        """Delete every object below a folder."""

    def local_path(self, key: str) -> Path | None:
        """Return where the object lies on this host's disk, None for a bucket."""

    async def free_bytes(self) -> int | None:
        """Return the space left, None where the store knows no bound."""

    async def sweep_unfinished(self, before: datetime) -> Sequence[str]:
        """Drop what was last written `before` and never became an object; name it.

        A bucket has a rule of its own for that.
        """

    def check_room(self) -> None:
        """Raise OutOfSpace where the next object would find none."""
