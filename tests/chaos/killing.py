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


def name(pid: int) -> str:
    """Return what a process calls itself, nothing once it has ended."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def is_worker(pid: int) -> bool:
    return name(pid).startswith("worker-")


def is_live(pid: int) -> bool:
    return name(pid).startswith("live-")


def is_api(pid: int) -> bool:
    return name(pid).startswith("api-")


def is_postmaster(pid: int) -> bool:
    return os.path.basename(words(pid)[0] if words(pid) else "") == "postgres"  # noqa: PTH119


def child(supervisor: int, wanted: Callable[[int], bool]) -> int:
    """Return the first process of that kind."""
    return next(pid for pid in descendants(supervisor) if wanted(pid))


def kill(*pids: int) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def kill_family(pid: int) -> None:
    """Kill a process and all below it such that none sees another's end, as in a power cut."""
    held: list[int] = []
    # The kernel's list of children is exact only of a process that is held still.
    while found := [each for each in (pid, *descendants(pid)) if each not in held]:
        for each in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(each, signal.SIGSTOP)
        held += found
    kill(*held)


@contextlib.contextmanager
def frozen(pid: int) -> Iterator[None]:
    """Hold a process still."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
