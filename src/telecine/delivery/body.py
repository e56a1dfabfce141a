"""Bodies made of memory and stored ranges, sent without blocking the event loop.

On a disk, a piece is read inline when the page cache has it (`RWF_NOWAIT`: tens of
microseconds, or EAGAIN at once) and in a thread when it does not; small ranges are
gathered, so that a segment cut out of an interleaved file is still a few messages.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

from telecine.delivery.segments import Part, StoredRange
from telecine.storage.store import ObjectMissing, Store

MESSAGE_BYTES = 256 * 1024
_NOWAIT = getattr(os, "RWF_NOWAIT", None)


def body_size(parts: Sequence[Part]) -> int:
    """Return the number of bytes of a body."""
    return sum(len(part) if isinstance(part, bytes) else part.size for part in parts)


def slice_parts(parts: Sequence[Part], start: int, end: int) -> list[Part]:
    """Return the parts of bytes [start, end) of a body."""
    chosen: list[Part] = []
    position = 0
    for part in parts:
        size = len(part) if isinstance(part, bytes) else part.size
        first, last = max(start - position, 0), min(end - position, size)
        if first < last:
            if isinstance(part, bytes):
                chosen.append(part[first:last])
            else:
                chosen.append(StoredRange(part.key, part.offset + first, last - first))
        position += size
        if position >= end:
            break
    return chosen


async def stream_parts(store: Store, parts: Sequence[Part]) -> AsyncIterator[bytes | bytearray]:
    """Yield a body in messages of at most MESSAGE_BYTES.

    Raises:
        ObjectMissing: an object is gone or shorter than its index says.
    """
    for message in _messages(parts):
        if len(message) == 1 and isinstance(message[0], bytes):
            yield message[0]
        else:
            yield await _gather(store, message)


def _messages(parts: Sequence[Part]) -> Iterator[list[Part]]:
    """Group parts into messages; long ones are split."""
    message: list[Part] = []
    room = MESSAGE_BYTES
    for part in parts:
        size = len(part) if isinstance(part, bytes) else part.size
        start = 0
        while start < size:
            taken = min(room, size - start)
            message += slice_parts([part], start, start + taken)
            start += taken
            room -= taken
            if room == 0:
                yield message
                message, room = [], MESSAGE_BYTES
    if message:
        yield message


async def _gather(store: Store, message: Sequence[Part]) -> bytearray:
    buffer = bytearray(body_size(message))
    view = memoryview(buffer)
    position = 0
    descriptors: dict[str, int] = {}
    try:
        for part in message:
            if isinstance(part, bytes):
                size = len(part)
                view[position : position + size] = part
            else:
                size = part.size
                await _read_into(store, part, view[position : position + size], descriptors)
            position += size
    finally:
        for descriptor in descriptors.values():
            os.close(descriptor)
    return buffer


async def _read_into(
    store: Store, part: StoredRange, target: memoryview, descriptors: dict[str, int]
) -> None:
    descriptor = descriptors.get(part.key)
    if descriptor is None:
        path = store.local_path(part.key)
        if path is None:
            data = await store.read(part.key, part.offset, part.offset + part.size)
            if len(data) != part.size:
                raise ObjectMissing(part.key)
            target[:] = data
            return
        descriptor = descriptors[part.key] = _open(path, part.key)
    done = _read_cached(descriptor, target, part.offset)
    if done < part.size:
        await asyncio.to_thread(_read_all, descriptor, target, part, done)


def _open(path: Path, key: str) -> int:
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise ObjectMissing(key) from error


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


def _read_all(descriptor: int, target: memoryview, part: StoredRange, done: int) -> None:
    while done < part.size:
        count = os.preadv(descriptor, [target[done:]], part.offset + done)
        if count == 0:
            raise ObjectMissing(part.key)
        done += count
