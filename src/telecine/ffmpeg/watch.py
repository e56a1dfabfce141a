"""Bounds on the time of a run, and the brake that holds runs for a while."""

import asyncio
import contextlib
import signal
from collections.abc import Iterator
from dataclasses import dataclass

from telecine import clock
from telecine.ffmpeg.child import Child
from telecine.ffmpeg.errors import RunnerError


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one run may use."""

    cpu_s: int
    """Processor seconds over all threads; beyond it the file is too complex."""

    memory_bytes: int
    """Address space: a 1080p ladder passes with 2 GiB, 2160p with 4."""

    wall_s: float
    stall_s: float = 30.0
    """Longest time without a byte taken or given, or a change of `-progress`."""

    niceness: int = 0


class Watch:
    """Measures a run against its limits, leaving out time that is not the child's."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._started_s = self._active_s = clock.monotonic_s()
        self._waits = 0
        self._braked_at_s: float | None = None

    def touch(self) -> None:
        """Note that the child did something."""
        self._active_s = clock.monotonic_s()

    @contextlib.contextmanager
    def our_turn(self) -> Iterator[None]:
        """Within it the child may be waiting for us: no stall is counted."""
        self._waits += 1
        try:
            yield
        finally:
            self._waits -= 1
            self.touch()

    def brake(self) -> None:
        """Stop both clocks; `release` starts them again."""
        self._braked_at_s = clock.monotonic_s()

    def release(self) -> None:
        """Go on as if the time since `brake` had not passed."""
        if self._braked_at_s is not None:
            held_s = clock.monotonic_s() - self._braked_at_s
            self._started_s += held_s
            self._active_s += held_s
            self._braked_at_s = None

    async def enforce(self) -> None:
        """Never return.

        Raises:
            RunnerError: `wall-limit` or `stalled`.
        """
        while True:  # until cancelled
            left_s = self._left_s()
            await asyncio.sleep(left_s)

    def _left_s(self) -> float:
        limits, now_s = self._limits, clock.monotonic_s()
        if self._braked_at_s is not None:
            return limits.stall_s
        wall_s = self._started_s + limits.wall_s - now_s
        if wall_s <= 0:
            raise RunnerError("wall-limit", f"not done after {limits.wall_s:g} s")
        if self._waits:
            return min(wall_s, limits.stall_s)
        stall_s = self._active_s + limits.stall_s - now_s
        if stall_s <= 0:
            raise RunnerError("stalled", f"no sign of life for {limits.stall_s:g} s")
        return min(wall_s, stall_s)


class Brake:
    """Holds the runs that were given it (SIGSTOP), and lets them go on."""

    def __init__(self) -> None:
        self._runs: dict[Child, Watch] = {}
        self._held = False

    @contextlib.contextmanager
    def holding(self, child: Child, watch: Watch) -> Iterator[None]:
        """Put a run under the brake while the context lasts."""
        self._runs[child] = watch
        if self._held:
            watch.brake()
            child.signal(signal.SIGSTOP)
        try:
            yield
        finally:
            del self._runs[child]

    @property
    def held(self) -> bool:
        """Tell whether runs stand still."""
        return self._held

    def hold(self) -> None:
        """Stop all runs; those that start while it holds are stopped before their work."""
        if not self._held:
            self._held = True
            for child, watch in self._runs.items():
                watch.brake()
                child.signal(signal.SIGSTOP)

    def release(self) -> None:
        """Let all runs go on."""
        if self._held:
            self._held = False
            for child, watch in self._runs.items():
                watch.release()
                child.signal(signal.SIGCONT)
