"""Objects in a bucket: S3 and what speaks its protocol, Google Cloud Storage, Azure."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager

import obstore
from obstore import exceptions
from obstore.store import ObjectStore

from telecine.storage.store import Entry, ObjectMissing, ObjectWriter, StoreError

_PIECE_BYTES = 1 << 20
_PART_BYTES = 16 << 20
_DELETE_BATCH = 500
_QUEUED_WRITES = 8


class _Abandoned(Exception):
    """The block that wrote an object ended with an exception."""


class _QueueWriter:
    """Hands bytes to the upload that runs beside the writing block."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[bytes | _Abandoned | None] = asyncio.Queue(_QUEUED_WRITES)
        self.failed = asyncio.Event()

    async def write(self, data: bytes | memoryview) -> None:
        """Append bytes; waits while the bucket is slower than the writer."""
        await self._put(bytes(data))

    async def finish(self) -> None:
        """Say that the object is complete."""
        await self._put(None)

    async def abandon(self) -> None:
        """Say that the object must not appear."""
        await self._put(_Abandoned())

    async def _put(self, item: bytes | _Abandoned | None) -> None:
        while not self.failed.is_set():
            try:
                async with asyncio.timeout(0.5):
                    await self._queue.put(item)
                    return
            except TimeoutError:
                continue

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield what was written; an exception makes the client abort the upload."""
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
        with _errors(key):
            await obstore.put_async(self._client, key, data, chunk_size=_PART_BYTES)

    @asynccontextmanager
    async def writer(self, key: str) -> AsyncIterator[ObjectWriter]:
        """Stream an object in parts; visible after the block, aborted on an exception."""
        writer = _QueueWriter()
        async with asyncio.TaskGroup() as group:
            upload = group.create_task(self._upload(key, writer))
            try:
                yield writer
            except BaseException:
                await writer.abandon()
                await asyncio.wait([upload])
                raise
            await writer.finish()
        with _errors(key):
            upload.result()

    async def _upload(self, key: str, writer: _QueueWriter) -> None:
        try:
            with _errors(key):
                await obstore.put_async(self._client, key, writer.pieces(), chunk_size=_PART_BYTES)
        finally:
            writer.failed.set()

    async def read(self, key: str, start: int = 0, end: int | None = None) -> bytes:
        """Return bytes [start, end) of an object. Raises ObjectMissing."""
        with _errors(key):
            if end is None and start == 0:
                return bytes(await (await obstore.get_async(self._client, key)).bytes_async())
            if end is None:
                end = (await obstore.head_async(self._client, key))["size"]
            if end <= start:
                return b""
            return bytes(await obstore.get_range_async(self._client, key, start=start, end=end))

    async def stream(
        self, key: str, start: int = 0, end: int | None = None
    ) -> AsyncIterator[bytes]:
        """Yield bytes [start, end) in pieces of at most 1 MiB. Raises ObjectMissing."""
        with _errors(key):
            if end is None:
                end = (await obstore.head_async(self._client, key))["size"]
            if end <= start:
                return
            found = await obstore.get_async(self._client, key, options={"range": (start, end)})
            async for chunk in found.stream(min_chunk_size=_PIECE_BYTES):
                view = memoryview(chunk)
                for offset in range(0, len(view), _PIECE_BYTES):
                    yield bytes(view[offset : offset + _PIECE_BYTES])

    async def size(self, key: str) -> int | None:
        """Return the object's size in bytes, None if there is none."""
        try:
            with _errors(key):
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
                        yield Entry(found["path"], found["size"])

    async def delete(self, keys: Iterable[str]) -> None:
        """Delete objects; missing ones are ignored."""
        wanted = list(keys)
        for first in range(0, len(wanted), _DELETE_BATCH):
            batch = wanted[first : first + _DELETE_BATCH]
            try:
                with _errors(batch[0]):
                    await obstore.delete_async(self._client, batch)
            except ObjectMissing:
                continue

    async def delete_prefix(self, prefix: str) -> None:
        """Delete every object below a folder."""
        if not prefix.endswith("/"):
            raise StoreError(f"not a folder: {prefix}")
        await self.delete([entry.key async for entry in self.list(prefix)])

    def local_path(self, key: str) -> None:
        """Return None: objects of a bucket lie on no disk of ours."""

    async def free_bytes(self) -> None:
        """Return None: a bucket has no known bound."""


@contextmanager
def _errors(key: str) -> Iterator[None]:
    """Turn the client's errors into the store's."""
    try:
        yield
    except (exceptions.NotFoundError, FileNotFoundError) as error:
        raise ObjectMissing(key) from error
    except exceptions.BaseError as error:
        raise StoreError(f"{key}: {error}") from error
