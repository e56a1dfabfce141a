"""The file of a recording while it grows, and its journal beside it.

Everything here blocks: it is called in threads, one call at a time.
"""

import contextlib
import os
from collections.abc import Iterator

import structlog

from telecine import clock
from telecine.live.journal import SUFFIX, History
from telecine.live.model import Part, Place
from telecine.live.ports import RecordingPlace
from telecine.live.window import Window
from telecine.storage.local import LocalStore
from telecine.storage.store import FULL, OutOfSpace, StoreError

log = structlog.get_logger()

SYNC_S = 2.0


class File:
    """One file that grows; `sync` alone may run beside another call, but for `close`."""

    def __init__(
        self, store: LocalStore, place: RecordingPlace, descriptor: int, journal: int | None
    ) -> None:
        self.place = place
        self.size_bytes = 0
        self.duration_ms = 0
        self._store = store
        self._segment_begin = 0
        self._synced_s = clock.monotonic_s()
        self._descriptor = descriptor
        self._journal = journal

    @classmethod
    def create(
        cls, store: LocalStore, place: RecordingPlace, init: bytes, opening: bytes = b""
    ) -> "File":
        """Begin with an init segment. Raises StoreError.

        `opening`: the first line of its journal; none: it has no journal.
        """
        descriptor, journal = _open(store, place.key, os.O_CREAT), None
        try:
            if opening:
                journal = _open(store, place.key + SUFFIX, os.O_CREAT)
            made = cls(store, place, descriptor, journal)
            made.tell(opening)
            made._write(init)
        except StoreError:
            _release(descriptor, journal)
            with contextlib.suppress(OSError):
                store.local_path(place.key + SUFFIX).unlink(missing_ok=True)
            raise
        return made

    @classmethod
    def left(cls, store: LocalStore, found: History) -> "File":
        """Go on with what a killed process left. Raises StoreError."""
        descriptor, journal = _open(store, found.place.key, os.O_APPEND), None
        try:
            journal = _open(store, found.place.key + SUFFIX, os.O_APPEND)
            # Without half of a part, and without lines of what is not there.
            os.ftruncate(descriptor, found.size_bytes)
            os.ftruncate(journal, found.journal_bytes)
            made = cls(store, found.place, descriptor, journal)
            made.size_bytes, made.duration_ms = found.size_bytes, found.duration_ms
            made.tell(found.journal().promise(found.targets))
        except (OSError, StoreError) as error:
            _release(descriptor, journal)
            raise StoreError(f"{found.place.key}: {error}") from error
        return made

    def append(self, part: Part, line: bytes = b"") -> None:
        """Write a part, its line of the journal first. Raises StoreError."""
        if part.number == 0:
            self._segment_begin = self.size_bytes
        self.tell(line)
        self._write(part.data)
        self.duration_ms += part.duration_ms

    def tell(self, line: bytes) -> None:
        """Write a line of the journal. Raises StoreError."""
        if self._journal is not None and line:
            with _errors(self.place.key):
                written = os.write(self._journal, line)
            if written != len(line):
                raise OutOfSpace(f"{self.place.key}: no room for its journal")

    @property
    def unsynced(self) -> bool:
        """Tell whether it is time to make durable what was written."""
        return clock.monotonic_s() - self._synced_s >= SYNC_S

    def sync(self) -> None:
        """Make durable what was written so far; may run beside `append`. Raises StoreError."""
        self._synced_s = clock.monotonic_s()
        with _errors(self.place.key):
            os.fdatasync(self._descriptor)

    def note(self, window: Window, msn: int) -> None:
        """Tell the window where a segment lies."""
        segment = window.segment(msn)
        if segment is not None:
            size = self.size_bytes - self._segment_begin
            segment.place = Place(self.place.key, self._segment_begin, size)

    def close(self) -> None:
        """Make it durable; it is over, also where that fails. Raises StoreError."""
        try:
            with _errors(self.place.key):
                os.ftruncate(self._descriptor, self.size_bytes)  # without half of a part
                os.fsync(self._descriptor)
                self.forget()
        finally:
            _release(self._descriptor, self._journal)

    def leave(self) -> None:
        """Make it durable for whoever goes on with it. Raises StoreError: it is still open."""
        with _errors(self.place.key):
            for each in (self._descriptor, self._journal):
                if each is not None:
                    os.fsync(each)
        _release(self._descriptor, self._journal)

    def forget(self) -> None:
        """Delete the journal: nothing goes on here."""
        key = self.place.key + SUFFIX
        try:
            self._store.local_path(key).unlink(missing_ok=True)
        except OSError as error:  # whoever starts next sweeps it away
            log.warning("journal left behind", object=key, reason=error.strerror)

    def _write(self, data: bytes) -> None:
        self._store.check_room()
        view = memoryview(data)
        with _errors(self.place.key):
            while view:
                view = view[os.write(self._descriptor, view) :]
        self.size_bytes += len(data)


def _release(*descriptors: int | None) -> None:
    for each in descriptors:
        if each is not None:
            with contextlib.suppress(OSError):  # of what was written before: `fsync` told it
                os.close(each)


def _open(store: LocalStore, key: str, flags: int) -> int:
    path = store.local_path(key)
    with _errors(key):
        path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(path, os.O_WRONLY | os.O_CLOEXEC | flags, 0o640)


@contextlib.contextmanager
def _errors(key: str) -> Iterator[None]:
    """Say with the store's errors what the system says."""
    try:
        yield
    except OSError as error:
        kind = OutOfSpace if error.errno in FULL else StoreError
        raise kind(f"{key}: {error.strerror}") from error
