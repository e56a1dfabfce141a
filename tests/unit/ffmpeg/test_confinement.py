from pathlib import Path

import pytest

from telecine.ffmpeg.confinement import Program, launcher_argv, read_report
from telecine.ffmpeg.errors import RunnerError
from telecine.ffmpeg.watch import Limits

LIMITS = Limits(cpu_s=10, memory_bytes=1 << 30, wall_s=60)


def test_arguments_of_the_program_cannot_become_settings() -> None:
    program = Program(path=Path("/bin/true"), argv=["true", "policy=off", "--", "uid=0"])
    argv = launcher_argv(program, LIMITS, "required", first_closed_fd=10)
    separator = argv.index("--")
    assert argv[separator + 1 :] == ["true", "policy=off", "--", "uid=0"]
    assert "policy=required" in argv[:separator]


def test_a_report_gives_the_layers() -> None:
    assert read_report(b'{"landlock": 7, "seccomp": true}\n', "") == {
        "landlock": 7,
        "seccomp": True,
    }


def test_a_refusal_tells_why_and_what_was_tried() -> None:
    report = b'{"landlock": "Function not implemented"}\n{"error": "LaunchError: neither"}\n'
    with pytest.raises(RunnerError, match=r"neither.*landlock: Function not implemented") as caught:
        read_report(report, "")
    assert caught.value.reason == "sandbox"


def test_silence_of_the_launcher_is_our_fault() -> None:
    with pytest.raises(RunnerError, match="no module") as caught:
        read_report(b"", "no module")
    assert caught.value.reason == "launch"
