import signal

import pytest

from telecine.ffmpeg.child import Exit
from telecine.ffmpeg.errors import MediaError, RunnerError
from telecine.ffmpeg.verdict import judge
from telecine.ffmpeg.watch import Limits

LIMITS = Limits(cpu_s=10, memory_bytes=1 << 30, wall_s=60)


@pytest.mark.parametrize(
    ("returncode", "cpu_s", "kind", "reason"),
    [
        (1, 1.0, MediaError, "unreadable"),
        (183, 1.0, MediaError, "unreadable"),  # AVERROR_INVALIDDATA
        (228, 1.0, RunnerError, "out-of-space"),
        (245, 1.0, RunnerError, "killed"),  # the machine has no thread left
        (244, 1.0, MediaError, "too-complex"),  # memory
        (-signal.SIGXCPU, 1.0, MediaError, "too-complex"),
        (255, 10.1, MediaError, "too-complex"),  # ffmpeg caught SIGXCPU
        (-signal.SIGKILL, 12.0, MediaError, "too-complex"),  # the hard limit
        (-signal.SIGKILL, 1.0, RunnerError, "killed"),  # the kernel, for memory
        (-signal.SIGSEGV, 1.0, MediaError, "crashes-decoder"),
        (-signal.SIGSYS, 1.0, MediaError, "crashes-decoder"),
        (-signal.SIGUSR1, 1.0, RunnerError, "killed"),
    ],
)
def test_whose_fault(
    returncode: int, cpu_s: float, kind: type[MediaError | RunnerError], reason: str
) -> None:
    error = judge(Exit(returncode, cpu_s, 0), LIMITS, "the last words")
    assert type(error) is kind
    assert error.reason == reason


def test_the_programs_own_words_are_kept() -> None:
    error = judge(Exit(1, 1.0, 0), LIMITS, "moov atom not found")
    assert error is not None
    assert "moov atom not found" in str(error)


def test_want_of_memory_is_known_by_its_text() -> None:
    error = judge(Exit(245, 1.0, 0), LIMITS, "Error: Cannot allocate memory\nno thread")
    assert isinstance(error, MediaError)
    assert error.reason == "too-complex"


def test_success_is_no_error() -> None:
    assert judge(Exit(0, 11.0, 0), LIMITS, "a warning") is None
