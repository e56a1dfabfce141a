"""Runs a confined ffmpeg on a machine that lacks something, and tells how it went.

    python -m tests.integration.ffmpeg.weak_host [nobody] [no-landlock] [no-seccomp] [endless]

Started as a process of its own, since what it gives up cannot be had back. `nobody` gives
up root but, so that an interpreter below /root can still be read, not CAP_DAC_READ_SEARCH.
"""

import asyncio
import ctypes
import os
import struct
import sys

from telecine.ffmpeg import confinement
from telecine.ffmpeg.binary import find_ffmpeg
from telecine.ffmpeg.errors import RunnerError
from telecine.ffmpeg.runner import Runner
from tests.integration.ffmpeg.conftest import ENDLESS, LIMITS
from tests.integration.ffmpeg.processes import children

NOBODY = 65534
READ_SEARCH = 2
PR_SET_KEEPCAPS, PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS, PR_CAP_AMBIENT = 8, 22, 38, 47
ENOSYS, ALLOW = 0x00050026, 0x7FFF0000
LIBC = ctypes.CDLL(None, use_errno=True)


def prctl(option: int, *arguments: int) -> None:
    padded = [option, *arguments, 0, 0, 0, 0][:5]
    if LIBC.prctl(*[ctypes.c_ulong(value) for value in padded]):
        raise OSError(ctypes.get_errno(), f"prctl {option}")


def become_nobody() -> None:
    if os.getuid() == 0:
        prctl(PR_SET_KEEPCAPS, 1)
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
        mask = 1 << READ_SEARCH
        sets = struct.pack("<6I", mask, mask, mask, 0, 0, 0)
        if LIBC.capset(struct.pack("<Ii", 0x20080522, 0), sets):
            raise OSError(ctypes.get_errno(), "capset")
        prctl(PR_CAP_AMBIENT, 2, READ_SEARCH)


def answer_enosys_to(first: int, last: int) -> None:
    """Let the system calls `first` to `last` not exist, as in an older kernel."""
    instructions = [(0x20, 0, 0, 0), (0x35, 0, 2, first), (0x25, 1, 0, last)]
    instructions += [(0x06, 0, 0, ENOSYS), (0x06, 0, 0, ALLOW)]
    program = b"".join(struct.pack("<HBBI", *parts) for parts in instructions)
    held = ctypes.create_string_buffer(program, len(program))
    loaded = struct.pack("<H6xQ", len(instructions), ctypes.addressof(held))
    pointer = ctypes.create_string_buffer(loaded, len(loaded))
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    prctl(PR_SET_SECCOMP, 2, ctypes.addressof(pointer))


async def tell() -> None:
    runner = Runner(find_ffmpeg(None), "required")
    if "endless" in sys.argv:
        await runner.run(ENDLESS, limits=LIMITS, outputs=[tell_child])
    try:
        result = await runner.run(["-v", "error", "-version"], limits=LIMITS)
    except RunnerError as error:
        print(error)
    else:
        print(result.layers)


def tell_child(_: bytes) -> None:
    print(*children(), flush=True)


if __name__ == "__main__":
    if "nobody" in sys.argv:
        become_nobody()
    if "no-landlock" in sys.argv:
        answer_enosys_to(444, 446)
    if "no-seccomp" in sys.argv:
        confinement.deny_program = lambda machine: b""  # type: ignore[attr-defined]
    asyncio.run(tell())
