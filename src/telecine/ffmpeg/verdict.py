"""Whose fault it is when a media program fails: the file's or ours."""

import errno
import os
import signal

from telecine.ffmpeg.child import Exit
from telecine.ffmpeg.errors import MediaError, RunnerError
from telecine.ffmpeg.watch import Limits

_CRASHES = frozenset(
    -number
    for number in (signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGABRT,
                   signal.SIGSYS, signal.SIGTRAP)
)  # fmt: skip


def _status(error_number: int) -> int:
    """Return the exit status by which ffmpeg reports AVERROR(error_number)."""
    return -error_number & 0xFF


_OURS = {
    _status(errno.ENOSPC): "out-of-space",
    _status(errno.EAGAIN): "killed",  # no thread is left, or no room for the stack of one
}


def judge(
    end: Exit, limits: Limits, last_words: str, *, starved: bool = False
) -> MediaError | RunnerError | None:
    """Return the error that a run ended in, or None if it succeeded.

    `last_words` is the end of what the program wrote to stderr; `starved`: it complained of
    memory anywhere in it. ffmpeg catches SIGXCPU and tries to finish, so the processor
    time decides, not the signal.
    """
    if end.returncode == 0:
        return None
    said = f"exit status {end.returncode}: {last_words}" if last_words else (
        f"exit status {end.returncode}"
    )  # fmt: skip
    if end.returncode == -signal.SIGXCPU or end.cpu_s >= limits.cpu_s:
        return MediaError("too-complex", f"more than {limits.cpu_s} s of processor time")
    if end.returncode == -signal.SIGKILL:
        return RunnerError("killed", "killed from outside, most likely for want of memory")
    # One thread's lack of memory often ends as another thread's error, so the text counts.
    starved = starved or os.strerror(errno.ENOMEM) in last_words
    if starved or end.returncode == _status(errno.ENOMEM):
        return MediaError("too-complex", f"more than {limits.memory_bytes >> 20} MiB: {said}")
    if end.returncode in _CRASHES:
        # Memory that is refused to a library that does not look ends the same way.
        used = f"{end.peak_memory_bytes >> 20} MiB used, address space {limits.memory_bytes >> 20}"
        crash = f"{signal.Signals(-end.returncode).name} ({used} MiB at most)"
        return MediaError("crashes-decoder", f"{crash}: {said}")
    if end.returncode < 0:
        return RunnerError("killed", said)
    if end.returncode in _OURS:
        return RunnerError(_OURS[end.returncode], said)
    return MediaError("unreadable", said)
