"""Objects as files below one folder: staged, synced, renamed, then visible."""

import asyncio
import errno
import os
import shutil
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from telecine import ids
from telecine.storage.store import Entry, ObjectMissing, ObjectWriter, OutOfSpace, StoreError

_STAGE = ".stage"
_PIECE_BYTES = 1 << 20
_FULL = {errno.ENOSPC, errno.EDQUOT}


class _FileWriter:
    """Appends to a staged file."""

    def __init__(self, descriptor: int, key: str) -> None:
        self._descriptor = descriptor
        self._key = key

    async def write(self, data: bytes | memoryview) -> None:
        """Append bytes. Raises OutOfSpace."""
        await asyncio.to_thread(self._write_all, data)

    def _write_all(self, data: bytes | memoryview) -> None:
        view = memoryview(data)
        with _space(self._key):
            while view:
                view = view[os.write(self._descriptor, view) :]


class LocalStore:
    """A store on this host's disk. An object that `put` returned from survives a crash."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self._stage = self.root / _STAGE

    def clear_stage(self) -> None:
        """Drop what killed processes left staged; only while no other one writes."""
        if self._stage.exists():
            shutil.rmtree(self._stage)

    async def put(self, key: str, data: bytes) -> None:
        """Store a whole object durably and atomically; replaces an older one."""
        async with self.writer(key) as writer:
            await writer.write(data)

    @asynccontextmanager
    async def writer(self, key: str) -> AsyncIterator[ObjectWriter]:
        """Stream an object; durable and visible after the block, gone on an exception."""
        target = self._path(key)
        staged = self._stage / ids.nonce()
        descriptor = await asyncio.to_thread(self._create, staged, key)
        try:
            yield _FileWriter(descriptor, key)
            await asyncio.to_thread(_publish, descriptor, staged, target, key)
        finally:
            os.close(descriptor)
            staged.unlink(missing_ok=True)

    def _create(self, staged: Path, key: str) -> int:
        with _space(key):
            self._stage.mkdir(parents=True, exist_ok=True)
            return os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)

    async def read(self, key: str, start: int = 0, end: int | None = None) -> bytes:
        """Return bytes [start, end) of an object. Raises ObjectMissing."""
        return await asyncio.to_thread(self._read, key, start, end)

    def _read(self, key: str, start: int, end: int | None) -> bytes:
        with _existing(key), self._path(key).open("rb", buffering=0) as file:
            size = os.fstat(file.fileno()).st_size if end is None else end
            file.seek(start)
            pieces = []
            left = size - start
            while left > 0 and (piece := file.read(left)):
                pieces.append(piece)
                left -= len(piece)
            return b"".join(pieces)

    async def stream(
        self, key: str, start: int = 0, end: int | None = None
    ) -> AsyncIterator[bytes]:
        """Yield bytes [start, end) in pieces of at most 1 MiB. Raises ObjectMissing."""
        with _existing(key):
            file = await asyncio.to_thread(self._path(key).open, "rb")
        with file:
            file.seek(start)
            left = os.fstat(file.fileno()).st_size - start if end is None else end - start
            while left > 0:
                piece = await asyncio.to_thread(file.read, min(left, _PIECE_BYTES))
                if not piece:
                    return
                left -= len(piece)
                yield piece

    async def size(self, key: str) -> int | None:
        """Return the object's size in bytes, None if there is none."""
        try:
            return self._path(key).stat().st_size
        except FileNotFoundError:
            return None

    async def list(self, prefix: str) -> AsyncIterator[Entry]:
        """Yield every object whose key starts with `prefix` (a folder: ends with `/`)."""
        for entry in await asyncio.to_thread(lambda: list(self._walk(prefix))):
            yield entry

    def _walk(self, prefix: str) -> Iterator[Entry]:
        folder = self.root / prefix.rpartition("/")[0]
        for path, folders, names in os.walk(folder):
            folders[:] = sorted(name for name in folders if name != _STAGE)
            for name in sorted(names):
                file = Path(path, name)
                key = file.relative_to(self.root).as_posix()
                if key.startswith(prefix):
                    yield Entry(key, file.stat().st_size)

    async def delete(self, keys: Iterable[str]) -> None:
        """Delete objects; missing ones are ignored."""
        paths = [self._path(key) for key in keys]
        await asyncio.to_thread(self._unlink, paths)

    def _unlink(self, paths: Iterable[Path]) -> None:
        for path in paths:
            path.unlink(missing_ok=True)

    async def delete_prefix(self, prefix: str) -> None:
        """Delete every object below a folder."""
        if not prefix.endswith("/"):
            msg = f"not a folder: {prefix}"
            raise StoreError(msg)
        await asyncio.to_thread(self._remove_tree, self._path(prefix.rstrip("/")))

    def _remove_tree(self, folder: Path) -> None:
        if folder.exists():
            shutil.rmtree(folder)

    def local_path(self, key: str) -> Path:
        """Return where the object lies on this host's disk."""
        return self._path(key)

    async def free_bytes(self) -> int:
        """Return the space left on the disk."""
        return shutil.disk_usage(self.root).free

    def _path(self, key: str) -> Path:
        parts = key.split("/")
        if not key or any(part in ("", ".", "..", _STAGE) or "\0" in part for part in parts):
            msg = f"not a key: {key!r}"
            raise StoreError(msg)
        return self.root.joinpath(*parts)


def _publish(descriptor: int, staged: Path, target: Path, key: str) -> None:
    """Make a staged file durable, then visible, then its name durable."""
    with _space(key):
        os.fsync(descriptor)
        while True:
            made = _make_folders(target.parent)
            try:
                staged.rename(target)
            except FileNotFoundError:
                if not staged.exists():
                    raise
                continue  # the folder was just removed with another object
            break
        for folder in {target.parent, *made}:
            _sync_folder(folder)


def _make_folders(folder: Path) -> set[Path]:
    """Make a folder and its parents; return those whose entries have changed."""
    changed: set[Path] = set()
    missing = folder
    while not missing.exists():
        changed.add(missing.parent)
        missing = missing.parent
    folder.mkdir(parents=True, exist_ok=True)
    return changed


def _sync_folder(folder: Path) -> None:
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        return  # removed with its objects in the meantime
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _space(key: str) -> Iterator[None]:
    """Turn a full disk into OutOfSpace."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise OutOfSpace(key) from error
        raise


@contextmanager
def _existing(key: str) -> Iterator[None]:
    try:
        yield
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
        raise ObjectMissing(key) from error
