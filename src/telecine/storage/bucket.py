"""Objects in a bucket: S3 and what speaks its protocol, Google Cloud Storage, Azure."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import datetime

import obstore
from obstore import exceptions
from obstore.store import ObjectStore

from telecine.storage.store import (
    Entry,
    ObjectMissing,
    ObjectWriter,
    StoreError,
    check_folder,
    check_key,
)

_PIECE_BYTES = 1 << 20
_REQUEST_BYTES = 4 << 20
_PART_BYTES = 16 << 20
_JOIN_GAP_BYTES = 1 << 20
"""A request takes as long as a megabyte: what lies between is read and thrown away."""

_DELETE_BATCH = 500
_QUEUED_WRITES = 2
_PARTS_AT_ONCE = 2
"""Of one object: each is held in memory until the bucket has it."""


class _Abandoned(Exception):
    """The block that wrote an object ended with an exception."""


class _QueueWriter:
    """Hands bytes to the upload that runs beside the writing block."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[bytes | _Abandoned | None] = asyncio.Queue(_QUEUED_WRITES)
        self._ended = asyncio.Event()
        self.error: StoreError | None = None

    async def write(self, *pieces: bytes | memoryview) -> None:
        """Append bytes; waits while the bucket is slower than the writer."""
        for piece in pieces:
            await self._hand_over(bytes(piece))

    async def finish(self) -> None:
        """Say that the object is complete, wait until it is stored."""
        await self._hand_over(None)
        await self._ended.wait()
        if self.error is not None:
            raise self.error

    def abandon(self) -> None:
        """Say that the object must not appear."""
        while not self._queue.empty():
            self._queue.get_nowait()
        self._queue.put_nowait(_Abandoned())

    async def upload(self, client: ObjectStore, key: str) -> None:
        """Send what is written until its end; failures are told to the writer."""
        try:
            with _errors(key):
                await obstore.put_async(
                    client,
                    key,
                    self._pieces(),
                    chunk_size=_PART_BYTES,
                    max_concurrency=_PARTS_AT_ONCE,
                )
        except StoreError as error:
            self.error = error
        except _Abandoned:
            pass  # as asked
        finally:
            self._ended.set()
            while not self._queue.empty():  # a writer that waits for room
                self._queue.get_nowait()

    async def _hand_over(self, item: bytes | None) -> None:
        if self.error is not None:
            raise self.error
        await self._queue.put(item)

    async def _pieces(self) -> AsyncIterator[bytes]:
        # An exception makes the client abort the upload of parts.
        while (item := await self._queue.get()) is not None:
            if isinstance(item, _Abandoned):
                raise item
            yield item


class BucketStore:
    """A store in a bucket; `client` carries bucket, prefix and credentials."""

    def __init__(self, client: ObjectStore) -> None:
        self._client = client

    async def put(self, key: str, data: bytes) -> None:
        """Store a whole object; it appears at once and whole."""
        with _errors(check_key(key)):
            await obstore.put_async(self._client, key, data, chunk_size=_PART_BYTES)

    @asynccontextmanager
    async def writer(self, key: str) -> AsyncIterator[ObjectWriter]:
        """Stream an object in parts; visible after the block, aborted on an exception."""
        check_key(key)
        writer = _QueueWriter()
        failure: Exception | None = None
        async with asyncio.TaskGroup() as group:
            upload = group.create_task(writer.upload(self._client, key))
            try:
                yield writer
                await writer.finish()
            except BaseException as error:
                writer.abandon()
                await asyncio.wait([upload])
                if not isinstance(error, Exception):
                    raise
                failure = error  # raised below: the group would wrap it
        if failure is not None:
            raise failure

    def region(self, key: str, offset: int) -> None:
        """Return None: objects of a bucket are written whole."""

    async def copy(self, key: str, target: str) -> None:
        """Store an object under a second key; the bucket copies it by itself."""
        check_key(target)
        with _errors(check_key(key)):
            await obstore.copy_async(self._client, key, target)

    async def read(self, key: str, start: int = 0, end: int | None = None) -> bytes:
        """Return bytes [start, end) of an object. Raises ObjectMissing."""
        with _errors(check_key(key)):
            if end is None and start == 0:
                return bytes(await (await obstore.get_async(self._client, key)).bytes_async())
            if end is None:
                end = (await obstore.head_async(self._client, key))["size"]
            if end <= start:
                return b""
            return bytes(await obstore.get_range_async(self._client, key, start=start, end=end))

    async def read_ranges(
        self, key: str, ranges: Sequence[tuple[int, int]]
    ) -> Sequence[bytes | memoryview]:
        """Return the bytes of each (offset, size); the client joins near ones to a request."""
        found: list[bytes | memoryview] = []
        with _errors(check_key(key)):
            for batch in _batches(ranges):
                starts, lengths = [row[0] for row in batch], [row[1] for row in batch]
                found += map(
                    memoryview,
                    await obstore.get_ranges_async(
                        self._client, key, starts=starts, lengths=lengths, coalesce=_JOIN_GAP_BYTES
                    ),
                )
        return found

    async def stream(
        self, key: str, start: int = 0, end: int | None = None
    ) -> AsyncIterator[bytes]:
        """Yield bytes [start, end) in pieces of at most 1 MiB. Raises ObjectMissing."""
        with _errors(check_key(key)):
            if end is None:
                end = (await obstore.head_async(self._client, key))["size"]
            if end <= start:
                return
            # In requests of bounded size: their time limit includes the body, and a
            # slow viewer may take hours for a large object.
            for first in range(start, end, _REQUEST_BYTES):
                last = min(first + _REQUEST_BYTES, end)
                found = await obstore.get_range_async(self._client, key, start=first, end=last)
                view = memoryview(found)
                for offset in range(0, len(view), _PIECE_BYTES):
                    yield bytes(view[offset : offset + _PIECE_BYTES])
                if len(view) < last - first:
                    return

    async def size(self, key: str) -> int | None:
        """Return the object's size in bytes, None if there is none."""
        try:
            with _errors(check_key(key)):
                return (await obstore.head_async(self._client, key))["size"]
        except ObjectMissing:
            return None

    async def list(self, prefix: str) -> AsyncIterator[Entry]:
        """Yield every object whose key starts with `prefix` (a folder: ends with `/`)."""
        folder = prefix.rpartition("/")[0]
        with _errors(prefix):
            async for batch in obstore.list(self._client, folder or None):
                for found in batch:
                    if found["path"].startswith(prefix):
                        yield Entry(found["path"], found["size"], found["last_modified"])

    async def delete(self, keys: Iterable[str]) -> None:
        """Delete objects; missing ones are ignored."""
        wanted = [check_key(key) for key in keys]
        for first in range(0, len(wanted), _DELETE_BATCH):
            batch = wanted[first : first + _DELETE_BATCH]
            try:
                with _errors(batch[0]):
                    await obstore.delete_async(self._client, batch)
            except ObjectMissing:  # some protocols stop there
                await self._delete_singly(batch)

    async def _delete_singly(self, keys: Iterable[str]) -> None:
        for key in keys:
            with suppress(ObjectMissing), _errors(key):
                await obstore.delete_async(self._client, key)

    async def delete_prefix(self, prefix: str) -> None:
        """Delete every object below a folder."""
        check_folder(prefix)
        await self.delete([entry.key async for entry in self.list(prefix)])

    def local_path(self, key: str) -> None:
        """Return None: objects of a bucket lie on no disk of ours."""

    async def free_bytes(self) -> None:
        """Return None: a bucket has no known bound."""

    async def sweep_unfinished(self, before: datetime) -> Sequence[str]:
        """Do nothing: a rule of the bucket drops parts of uploads that were broken off."""
        del before
        return []

    def check_room(self) -> None:
        """Do nothing: a bucket has no known bound."""


def _batches(ranges: Sequence[tuple[int, int]]) -> Iterator[Sequence[tuple[int, int]]]:
    """Split ranges where they reach farther than one request may."""
    first = 0
    for end in range(1, len(ranges) + 1):
        start = ranges[first][0]
        if end == len(ranges) or not 0 <= sum(ranges[end]) - start <= _REQUEST_BYTES:
            yield ranges[first:end]
            first = end


@contextmanager
def _errors(key: str) -> Iterator[None]:
    """Turn the client's errors into the store's."""
    try:
        yield
    except (exceptions.NotFoundError, FileNotFoundError) as error:
        raise ObjectMissing(key) from error
    except exceptions.BaseError as error:
        raise StoreError(f"{key}: {error}") from error
