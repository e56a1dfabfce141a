"""Bodies read without blocking the event loop, in as few calls as there can be.

On a disk, bytes are read inline when the page cache has them (`RWF_NOWAIT`: tens of
microseconds, or EAGAIN at once) and in a thread when it does not.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from telecine.delivery.parts import Part, StoredRange, StoredRanges, body_size, messages
from telecine.storage.store import ObjectMissing, Store

MESSAGE_BYTES = 256 * 1024
_NOWAIT: int | None = getattr(os, "RWF_NOWAIT", None)  # Linux only


async def stream_parts(store: Store, parts: Sequence[Part]) -> AsyncIterator[bytes | bytearray]:
    """Yield a body in messages of at most MESSAGE_BYTES.

    Raises:
        ObjectMissing: an object is gone or shorter than its index says.
    """
    for message in messages(parts, MESSAGE_BYTES):
        if len(message) == 1 and isinstance(message[0], bytes):
            yield message[0]
        else:
            yield await _gather(store, message)


def read_cached(store: Store, parts: Sequence[Part], target: memoryview) -> bool:
    """Fill `target` with a body if that takes neither a disk nor the network.

    Raises:
        ObjectMissing: an object is gone.
    """
    position = 0
    with _Files(store) as files:
        for part in parts:
            if isinstance(part, bytes):
                target[position : position + len(part)] = part
                position += len(part)
                continue
            descriptor = files.descriptor(part.key)
            if descriptor is None:
                return False
            if not _read_now(descriptor, part, target[position : position + part.size]):
                return False
            position += part.size
    return True


def open_cached(store: Store, part: StoredRange) -> int | None:
    """Open the file of a body that its disk has in memory, as its first and last byte tell.

    The caller closes it. Raises ObjectMissing.
    """
    path = store.local_path(part.key)
    if path is None:
        return None
    descriptor = _open(path, part.key)
    probe = memoryview(bytearray(1))
    ends = (part.offset, part.offset + part.size - 1)
    if all(_read_cached(descriptor, probe, offset) for offset in ends):
        return descriptor
    os.close(descriptor)
    return None


async def _gather(store: Store, message: Sequence[Part]) -> bytearray:
    buffer = bytearray(body_size(message))
    view = memoryview(buffer)
    position = 0
    with _Files(store) as files:
        for part in message:
            if isinstance(part, bytes):
                view[position : position + len(part)] = part
                position += len(part)
                continue
            target = view[position : position + part.size]
            descriptor = files.descriptor(part.key)
            if descriptor is None:
                await _fetch(store, part, target)
            else:
                await _read(descriptor, part, target)
            position += part.size
    return buffer


async def _fetch(store: Store, part: StoredRange | StoredRanges, target: memoryview) -> None:
    """Read from a store that is no disk of ours."""
    rows = [(part.offset, part.size)] if isinstance(part, StoredRange) else part.table.tolist()
    position = 0
    for (_, size), data in zip(rows, await store.read_ranges(part.key, rows), strict=True):
        if len(data) != size:
            raise ObjectMissing(part.key)
        target[position : position + size] = data
        position += size


class _Files:
    """The objects of one body, open while it is read."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._open: dict[str, int] = {}

    def __enter__(self) -> "_Files":
        return self

    def __exit__(self, *_: object) -> None:
        for descriptor in self._open.values():
            os.close(descriptor)

    def descriptor(self, key: str) -> int | None:
        """Return the open file of an object, None in a bucket. Raises ObjectMissing."""
        descriptor = self._open.get(key)
        if descriptor is None:
            path = self._store.local_path(key)
            if path is None:
                return None
            descriptor = self._open[key] = _open(path, key)
        return descriptor


def _open(path: Path, key: str) -> int:
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise ObjectMissing(key) from error


def _read_now(descriptor: int, part: StoredRange | StoredRanges, target: memoryview) -> bool:
    """Read what the page cache holds; False where that is not all."""
    if isinstance(part, StoredRanges):
        return all(call.now(descriptor) for call in part.reads.into(target))
    return _read_cached(descriptor, target, part.offset) == part.size


async def _read(descriptor: int, part: StoredRange | StoredRanges, target: memoryview) -> None:
    if isinstance(part, StoredRanges):
        for call in part.reads.into(target):
            if not call.now(descriptor) and not await asyncio.to_thread(call.wait, descriptor):
                raise ObjectMissing(part.key)
        return
    done = _read_cached(descriptor, target, part.offset)
    if done < part.size:
        await asyncio.to_thread(_read_rest, descriptor, target, part, done)


def _read_cached(descriptor: int, target: memoryview, offset: int) -> int:
    """Read what the page cache holds; return the number of bytes, 0 on a miss."""
    if _NOWAIT is None:
        return 0
    try:
        return os.preadv(descriptor, [target], offset, _NOWAIT)
    except BlockingIOError:
        return 0
    except OSError:  # the file system has no such reads (tmpfs of old kernels)
        return 0


def _read_rest(descriptor: int, target: memoryview, part: StoredRange, done: int) -> None:
    while done < part.size:
        count = os.preadv(descriptor, [target[done:]], part.offset + done)
        if count == 0:
            raise ObjectMissing(part.key)
        done += count
