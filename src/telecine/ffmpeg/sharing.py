"""How the processes of one host share its processors between viewers and background.

Both parts are files in a folder that all workers of the host see; the kernel frees the
locks of a process that dies.
"""

import asyncio
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from telecine import clock
from telecine.ffmpeg.watch import Brake

_TOUCH_EVERY_S = 0.25
_FRESH_S = 0.8
_HELD_AT_MOST_S = 10.0
_WINDOW_S = 20.0


class HostSlots:
    """Places for encodes that viewers wait for, counted over all processes of a host."""

    def __init__(self, folder: Path, count: int) -> None:
        self._folder = folder
        self.count = count

    @contextmanager
    def one(self) -> Iterator[bool]:
        """Hold a place while the block lasts; gives False if all are taken."""
        descriptor = self._take()
        try:
            yield descriptor is not None
        finally:
            if descriptor is not None:
                os.close(descriptor)

    def _take(self) -> int | None:
        self._folder.mkdir(parents=True, exist_ok=True)
        for number in range(self.count):
            path = self._folder / f"viewer-{number}.lock"
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
            else:
                return descriptor
        return None


class Precedence:
    """Holds background encodes of this process while any process encodes for viewers.

    For at most half of the time: viewers who never stop seeking must not keep a ladder
    from being finished.
    """

    def __init__(self, folder: Path, brake: Brake) -> None:
        self._file = folder / "viewers-wait"
        self._brake = brake
        self._running = 0
        self._watching = False
        self._held_since_s: float | None = None
        self._held_s: list[tuple[float, float]] = []  # begin and end of each hold

    @contextmanager
    def claimed(self) -> Iterator[None]:
        """Say that viewers wait while the block lasts; needs `run` beside it."""
        self._running += 1
        self._touch()
        if self._watching:
            self._hold_or_release()  # now: a look later they may have what they wait for
        try:
            yield
        finally:
            self._running -= 1

    async def run(self) -> None:
        """Watch and hold until cancelled."""
        self._watching = True
        try:
            while True:
                if self._running:
                    self._touch()
                self._hold_or_release()
                await asyncio.sleep(_TOUCH_EVERY_S)
        finally:
            self._watching = False
            self._brake.release()

    def _hold_or_release(self) -> None:
        now_s = clock.monotonic_s()
        hold = self._is_claimed() and self._held_lately_s(now_s) < _HELD_AT_MOST_S
        if hold and self._held_since_s is None:
            self._brake.hold()
            self._held_since_s = now_s
        elif not hold and self._held_since_s is not None:
            self._brake.release()
            self._held_s.append((self._held_since_s, now_s))
            self._held_since_s = None

    def _touch(self) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        self._file.touch()

    def _is_claimed(self) -> bool:
        with suppress(FileNotFoundError):
            age_s = clock.now().timestamp() - self._file.stat().st_mtime
            return age_s < _FRESH_S
        return False

    def _held_lately_s(self, now_s: float) -> float:
        """Return how long runs were held in the window that ends now."""
        begin_s = now_s - _WINDOW_S
        self._held_s = [(start, end) for start, end in self._held_s if end > begin_s]
        spans = [*self._held_s]
        if self._held_since_s is not None:
            spans.append((self._held_since_s, now_s))
        return sum(end - max(start, begin_s) for start, end in spans)
