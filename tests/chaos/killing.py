"""Processes of a running Telecine, found from outside, and their sudden end."""

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path


def children(pid: int) -> list[int]:
    """Return the children of a process, whichever of its threads started them."""
    found: list[int] = []
    for thread in Path(f"/proc/{pid}/task").glob("*"):
        with contextlib.suppress(OSError):  # it ended meanwhile
            found += map(int, (thread / "children").read_text().split())
    return found


def descendants(pid: int) -> list[int]:
    """Return all processes below `pid`, parents first."""
    below = children(pid)
    return below + [each for child in below for each in descendants(child)]


def words(pid: int) -> list[str]:
    """Return the command line of a process, nothing once it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
    except OSError:
        return []


def is_worker(pid: int) -> bool:
    return "telecine.processes.entry" in words(pid) and "worker" in words(pid)


def is_live(pid: int) -> bool:
    return "telecine.processes.entry" in words(pid) and "live" in words(pid)


def is_api(pid: int) -> bool:
    return "telecine.processes.entry" in words(pid) and "api" in words(pid)


def is_postmaster(pid: int) -> bool:
    return os.path.basename(words(pid)[0] if words(pid) else "") == "postgres"  # noqa: PTH119


def child(supervisor: int, wanted: Callable[[int], bool]) -> int:
    """Return the first child of that kind."""
    return next(pid for pid in children(supervisor) if wanted(pid))


def kill(*pids: int) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


@contextlib.contextmanager
def frozen(pid: int) -> Iterator[None]:
    """Hold a process still."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
