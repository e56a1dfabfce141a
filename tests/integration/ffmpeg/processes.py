"""What these tests need to know of processes."""

import os
import select
from pathlib import Path


def children() -> list[int]:
    """Return the ids of this process's children that are, or will become, ffmpeg.

    Other children (a database, say) are none of these tests' business.
    """
    tasks = Path("/proc/self/task").iterdir()
    listed = [int(pid) for task in tasks for pid in (task / "children").read_text().split()]
    return [pid for pid in listed if _runs_ffmpeg(pid)]


def _runs_ffmpeg(pid: int) -> bool:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except FileNotFoundError:
        return False
    return words[0] == b"ffmpeg" or any(word.endswith(b"ffmpeg/launcher.py") for word in words)


def state(pid: int) -> str | None:
    """Return the state letter of proc(5), None for a process that is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return None


def wait_until_dead(pid: int, timeout_s: float = 10.0) -> bool:
    """Wait until a process, not necessarily a child of ours, has ended."""
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    ended = bool(poll.poll(timeout_s * 1000))
    os.close(pidfd)
    return ended
