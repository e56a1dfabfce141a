"""Memory that is not needed any more, in processes whose allocator nobody has used before."""

import platform
import subprocess
import sys

import pytest

LARGE_MIB = 8
PROGRAM = f"""
import sys
from pathlib import Path
from telecine.processes.memory import give_back_large_blocks

def resident_bytes():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

if sys.argv[1] == "yes":
    give_back_large_blocks()
first = b"x" * ({LARGE_MIB} << 21)
del first  # from here on glibc takes blocks of this size from its heap
before = resident_bytes()
large = [b"x" * ({LARGE_MIB} << 20) for _ in range(8)]
small = [b"x" * (64 << 10) for _ in range(8)]  # above them
del large
print(resident_bytes() - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="others have no such setting")
@pytest.mark.parametrize("asked", ["yes", "no"])
def test_large_blocks_are_given_back(asked: str) -> None:
    command = [sys.executable, "-c", PROGRAM, asked]
    told = subprocess.run(command, capture_output=True, check=True).stdout
    kept = int(told) > LARGE_MIB << 20
    assert kept == (asked == "no")
