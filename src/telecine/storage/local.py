"""Objects as files below one folder: staged, synced, renamed, then visible."""

import errno
import os
import shutil
import stat
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime
from functools import lru_cache
from io import FileIO
from itertools import islice
from pathlib import Path

from telecine import ids
from telecine.storage.store import (
    FULL,
    RESERVED,
    Entry,
    ObjectMissing,
    ObjectWriter,
    OutOfSpace,
    StoreError,
    check_folder,
    check_key,
    cut,
)
from telecine.storage.threads import in_thread
from telecine.storage.write_behind import EVERY_BYTES, start_writing

_PIECE_BYTES = 1 << 20
_PATHS_KEPT = 4096  # to check a key and to make a path of it costs as much as to open it
_LISTED = 1000  # entries that are held at a time
_VECTORS = 1024  # of one call (Linux: UIO_MAXIOV)
_NO_LINKS = {errno.EPERM, errno.EMLINK, errno.EXDEV, errno.ENOTSUP}

# Apart, so that viewers never wait for the fsync of somebody's upload.
_READING_THREADS = 32
_WRITING_THREADS = 16


class _FileWriter:
    """Writes from the descriptor's position on."""

    def __init__(self, descriptor: int, key: str, threads: Executor, reserve_bytes: int) -> None:
        self._descriptor = descriptor
        self._key = key
        self._threads = threads
        self._reserve_bytes = reserve_bytes
        self._behind_bytes = 0  # written since the disk was last told to begin

    async def write(self, *pieces: bytes | memoryview) -> None:
        """Append bytes. Raises OutOfSpace."""
        await in_thread(self._threads, self._write_all, pieces)

    def _write_all(self, pieces: Sequence[bytes | memoryview]) -> None:
        with _errors(self._key):
            _check_room(self._descriptor, self._reserve_bytes)
            left = pieces
            while left:
                written_bytes = os.writev(self._descriptor, left[:_VECTORS])
                _, left = cut(left, written_bytes)
                self._behind_bytes += written_bytes
            if self._behind_bytes >= EVERY_BYTES:
                start_writing(self._descriptor)
                self._behind_bytes = 0


class LocalStore:
    """A store on this host's disk. An object that `put` returned from survives a crash.

    It is full when `reserve_bytes` of the disk are left: a database beside it needs room
    to go on, also for the deletions that make some.
    """

    def __init__(self, root: Path, reserve_bytes: int = 0) -> None:
        self.root = root.absolute()
        self._reserve_bytes = reserve_bytes
        self._stage = self.root / RESERVED
        self._readers = ThreadPoolExecutor(_READING_THREADS, "store-read")
        self._writers = ThreadPoolExecutor(_WRITING_THREADS, "store-write")
        self._path = lru_cache(_PATHS_KEPT)(self._find_path)

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
        # Not in a thread: a cancelled wait would lose the descriptor.
        descriptor = self._create(staged, key)
        try:
            yield _FileWriter(descriptor, key, self._writers, self._reserve_bytes)
            await in_thread(self._writers, _publish, descriptor, staged, target, key)
        finally:
            os.close(descriptor)
            staged.unlink(missing_ok=True)

    def _create(self, staged: Path, key: str) -> int:
        with _errors(key):
            self._make_root()
            self._stage.mkdir(exist_ok=True)
            return os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)

    @asynccontextmanager
    async def region(self, key: str, offset: int) -> AsyncIterator[ObjectWriter]:
        """Write from `offset` (bytes) on into an object that has several writers."""
        # Not in a thread, like above.
        descriptor = _open_shared(self._path(key), offset, key)
        try:
            yield _FileWriter(descriptor, key, self._writers, self._reserve_bytes)
            await in_thread(self._writers, _sync_data, descriptor, key)
        finally:
            os.close(descriptor)

    async def copy(self, key: str, target: str) -> None:
        """Store an object under a second key: a second name of the same file."""
        await in_thread(self._writers, _link, self._path(key), self._path(target), key)

    async def read(self, key: str, start: int = 0, end: int | None = None) -> bytes:
        """Return bytes [start, end) of an object. Raises ObjectMissing."""
        return await in_thread(self._readers, self._read, key, start, end)

    async def read_ranges(
        self, key: str, ranges: Sequence[tuple[int, int]]
    ) -> Sequence[bytes | memoryview]:
        """Return the bytes of each (offset, size). Raises ObjectMissing."""
        return await in_thread(self._readers, self._read_ranges, key, ranges)

    def _read_ranges(self, key: str, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
        with _errors(key), self._opened(key) as file:
            return [os.pread(file.fileno(), size, offset) for offset, size in ranges]

    def _read(self, key: str, start: int, end: int | None) -> bytes:
        with _errors(key), self._opened(key) as file:
            size = os.fstat(file.fileno()).st_size if end is None else end
            file.seek(start)
            pieces = []
            left = size - start
            while left > 0 and (piece := file.read(left)):
                pieces.append(piece)
                left -= len(piece)
            return b"".join(pieces)

    def _opened(self, key: str) -> FileIO:
        return self._path(key).open("rb", buffering=0)

    async def stream(
        self, key: str, start: int = 0, end: int | None = None
    ) -> AsyncIterator[bytes]:
        """Yield bytes [start, end) in pieces of at most 1 MiB. Raises ObjectMissing."""
        with _errors(key), self._opened(key) as file:
            file.seek(start)
            left = os.fstat(file.fileno()).st_size - start if end is None else end - start
            while left > 0:
                piece = await in_thread(self._readers, file.read, min(left, _PIECE_BYTES))
                if not piece:
                    return
                left -= len(piece)
                yield piece

    async def size(self, key: str) -> int | None:
        """Return the object's size in bytes, None if there is none."""
        try:
            status = self._path(key).stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        return status.st_size if stat.S_ISREG(status.st_mode) else None

    async def list(self, prefix: str) -> AsyncIterator[Entry]:
        """Yield every object whose key starts with `prefix` (a folder: ends with `/`)."""
        walk = self._walk(prefix)
        while batch := await in_thread(self._readers, lambda: list(islice(walk, _LISTED))):
            for entry in batch:
                yield entry

    def _walk(self, prefix: str) -> Iterator[Entry]:
        folder = self.root / prefix.rpartition("/")[0]
        for path, folders, names in os.walk(folder):
            folders[:] = sorted(name for name in folders if name != RESERVED)
            for name in sorted(names):
                file = Path(path, name)
                key = file.relative_to(self.root).as_posix()
                if key.startswith(prefix):
                    with suppress(FileNotFoundError):  # deleted in the meantime
                        status = file.stat()
                        # Not mtime: of a second name, that is the time of the first.
                        changed_at = datetime.fromtimestamp(status.st_ctime, UTC)
                        yield Entry(key, status.st_size, changed_at)

    async def delete(self, keys: Iterable[str]) -> None:
        """Delete objects; missing ones are ignored."""
        paths = [self._path(key) for key in keys]
        await in_thread(self._writers, _unlink, paths)

    async def delete_prefix(self, prefix: str) -> None:
        """Delete every object below a folder."""
        await in_thread(self._writers, _remove_tree, self.root / check_folder(prefix))

    def local_path(self, key: str) -> Path:
        """Return where the object lies on this host's disk."""
        return self._path(key)

    async def free_bytes(self) -> int:
        """Return the space left on the disk."""
        self._make_root()
        return shutil.disk_usage(self.root).free

    async def sweep_unfinished(self, before: datetime) -> Sequence[str]:
        """Drop what killed processes left staged, while others write."""
        return await in_thread(self._writers, _drop_older, self._stage, before)

    def check_room(self) -> None:
        """Raise OutOfSpace where only the reserve is left."""
        with _errors("the store"):
            try:
                _check_room(self.root, self._reserve_bytes)
            except FileNotFoundError:
                self._make_root()
                _check_room(self.root, self._reserve_bytes)

    def _make_root(self) -> None:
        """Make the folder of all objects, and its name durable: they are lost without it."""
        if not self.root.is_dir():
            for folder in _make_folders(self.root):
                _sync_folder(folder)

    def _find_path(self, key: str) -> Path:
        return self.root / check_key(key)


def _check_room(place: int | Path, reserve_bytes: int) -> None:
    """Raise OSError ENOSPC where less than the reserve is left (two microseconds)."""
    if reserve_bytes:
        disk = os.statvfs(place)
        if disk.f_bavail * disk.f_frsize < reserve_bytes:
            raise OSError(errno.ENOSPC, "only the reserve is left")


def _unlink(paths: Iterable[Path]) -> None:
    for path in paths:
        with suppress(NotADirectoryError):
            path.unlink(missing_ok=True)


def _drop_older(folder: Path, before: datetime) -> list[str]:
    """Delete the files of a folder that nobody has written to since `before`."""
    dropped = []
    for path in folder.iterdir() if folder.is_dir() else ():
        with suppress(FileNotFoundError):  # its writer has just ended
            if datetime.fromtimestamp(path.stat().st_mtime, UTC) < before:
                path.unlink()
                dropped.append(path.name)
    return dropped


def _remove_tree(folder: Path) -> None:
    while folder.is_dir():
        try:
            shutil.rmtree(folder)
        except FileNotFoundError:
            continue  # somebody else removes it as well
        except OSError as error:
            if error.errno != errno.ENOTEMPTY:  # that: an object was just written
                raise StoreError(f"{folder}: {error.strerror}") from error


def _publish(descriptor: int, staged: Path, target: Path, key: str) -> None:
    """Make a staged file durable, then visible, then its name durable."""
    with _errors(key):
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


def _open_shared(path: Path, offset: int, key: str) -> int:
    """Open a file for one of its writers; a new one is made, and its name durable."""
    flags = os.O_WRONLY | os.O_CLOEXEC
    with _errors(key):
        try:
            descriptor = os.open(path, flags)
        except FileNotFoundError:
            made = _make_folders(path.parent)
            descriptor = os.open(path, flags | os.O_CREAT, 0o640)
            for folder in {path.parent, *made}:
                _sync_folder(folder)
        os.lseek(descriptor, offset, os.SEEK_SET)
        return descriptor


def _sync_data(descriptor: int, key: str) -> None:
    with _errors(key):
        os.fdatasync(descriptor)


def _link(path: Path, target: Path, key: str) -> None:
    """Give a file a second name; a copy where the disk knows no second names."""
    with _errors(key):
        made = _make_folders(target.parent)
        target.unlink(missing_ok=True)
        try:
            target.hardlink_to(path)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            shutil.copyfile(path, target)
            _sync_file(target)
        for folder in {target.parent, *made}:
            _sync_folder(folder)


def _sync_file(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


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
def _errors(key: str) -> Iterator[None]:
    """Turn the system's errors into the store's."""
    try:
        yield
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
        raise ObjectMissing(key) from error
    except OSError as error:
        kind = OutOfSpace if error.errno in FULL else StoreError
        raise kind(f"{key}: {error.strerror}") from error
