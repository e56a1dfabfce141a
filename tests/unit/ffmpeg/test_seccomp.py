"""The filter decides as meant on both processors, whichever one runs the tests."""

import re
import struct
from pathlib import Path

import pytest

from telecine.ffmpeg.launcher import PID_PLACEHOLDER, PROGRAM_FD
from telecine.ffmpeg.seccomp import CALLS, deny_program

ALLOWED, KILLED = 0x7FFF0000, 0x80000000
NOT_PERMITTED, NOT_IMPLEMENTED = 0x00050001, 0x00050026
ARCHITECTURE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
MACHINES = ("x86_64", "aarch64")
COLUMN = {"x86_64": 0, "aarch64": 1}
READ = {"x86_64": 0, "aarch64": 63}
CLONE = {"x86_64": 56, "aarch64": 220}
OPENAT = {"x86_64": 257, "aarch64": 56}
EXECVEAT = {"x86_64": 322, "aarch64": 281}
TGKILL = {"x86_64": 234, "aarch64": 131}

HEADERS = {
    "x86_64": Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    "aarch64": Path("/usr/include/asm-generic/unistd.h"),
}


def verdict(machine: str, number: int, *arguments: int, architecture: int | None = None) -> int:
    """Interpret the classic BPF program on one system call (seccomp(2), `seccomp_data`)."""
    arch = ARCHITECTURE[machine] if architecture is None else architecture
    data = struct.pack("<IIQ6Q", number, arch, 0, *arguments, *[0] * (6 - len(arguments)))
    program = deny_program(machine)
    accumulator, place = 0, 0
    while True:
        code, if_true, if_false, constant = struct.unpack_from("<HBBI", program, place * 8)
        place += 1
        if code == 0x20:
            accumulator = struct.unpack_from("<I", data, constant)[0]
        elif code == 0x06:
            return int(constant)
        else:
            held = {
                0x15: accumulator == constant,
                0x35: accumulator >= constant,
                0x45: bool(accumulator & constant),
            }[code]
            place += if_true if held else if_false


@pytest.mark.parametrize("machine", MACHINES)
def test_every_listed_call_is_refused(machine: str) -> None:
    for name, numbers in CALLS.items():
        number = numbers[COLUMN[machine]]
        if number is not None:
            assert verdict(machine, number) == NOT_PERMITTED, name


@pytest.mark.parametrize("machine", MACHINES)
def test_reading_is_allowed(machine: str) -> None:
    assert verdict(machine, READ[machine], 9) == ALLOWED


@pytest.mark.parametrize("machine", MACHINES)
def test_threads_are_allowed_and_processes_are_not(machine: str) -> None:
    assert verdict(machine, CLONE[machine], 0x3D0F00) == ALLOWED
    assert verdict(machine, CLONE[machine], 0x11) == NOT_PERMITTED
    assert verdict(machine, 435) == NOT_IMPLEMENTED


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (0, ALLOWED),
        (0o2000000, ALLOWED),  # O_CLOEXEC
        (1, NOT_PERMITTED),
        (2, NOT_PERMITTED),
        (0o100, NOT_PERMITTED),  # O_CREAT
        (0o1000, NOT_PERMITTED),  # O_TRUNC truncates even what is opened for reading
    ],
)
def test_files_are_opened_for_reading_only(machine: str, flags: int, expected: int) -> None:
    assert verdict(machine, OPENAT[machine], 0xFFFFFF9C, 0x7F00, flags) == expected
    if machine == "x86_64":
        assert verdict(machine, 2, 0x7F00, flags) == expected


@pytest.mark.parametrize("machine", MACHINES)
def test_only_the_held_program_can_be_executed(machine: str) -> None:
    execveat = EXECVEAT[machine]
    assert verdict(machine, execveat, PROGRAM_FD, 0, 0, 0, 0x1000) == ALLOWED
    assert verdict(machine, execveat, PROGRAM_FD + 1, 0, 0, 0, 0x1000) == NOT_PERMITTED
    assert verdict(machine, execveat, PROGRAM_FD, 0, 0, 0, 0) == NOT_PERMITTED


@pytest.mark.parametrize("machine", MACHINES)
def test_a_process_may_signal_itself_only(machine: str) -> None:
    assert verdict(machine, TGKILL[machine], PID_PLACEHOLDER) == ALLOWED
    assert verdict(machine, TGKILL[machine], 1) == NOT_PERMITTED


@pytest.mark.parametrize("machine", MACHINES)
def test_calls_of_another_architecture_kill(machine: str) -> None:
    assert verdict(machine, READ[machine], architecture=0x40000003) == KILLED


def test_x32_numbers_do_not_pass_by() -> None:
    assert verdict("x86_64", 0x40000000 + 41) == NOT_IMPLEMENTED


def test_an_unknown_processor_has_no_program() -> None:
    assert deny_program("riscv64") == b""


@pytest.mark.parametrize("machine", MACHINES)
def test_numbers_are_the_kernels(machine: str) -> None:
    if not HEADERS[machine].exists():
        pytest.skip("no kernel headers here")
    defined = re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)\n", HEADERS[machine].read_text())
    kernel = {name: int(number) for name, number in defined}
    for name, numbers in CALLS.items():
        number = numbers[COLUMN[machine]]
        if name in kernel:  # older headers lack the newest calls
            assert number == kernel[name], name
        elif number is not None:
            assert number > max(kernel.values()), name
