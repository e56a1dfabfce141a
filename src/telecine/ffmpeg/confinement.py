"""The parent's side of the launcher: its command line and its report."""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from telecine.ffmpeg.errors import RunnerError
from telecine.ffmpeg.seccomp import deny_program
from telecine.ffmpeg.watch import Limits

SandboxPolicy = Literal["required", "off"]
"""`required`: seccomp or Landlock must hold, else nothing runs. `off`: limits only."""

Layers = dict[str, str | bool]

LAUNCHER: Final = Path(__file__).with_name("launcher.py")
NOBODY: Final = 65534


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What is to be run, and what it needs beyond its inherited descriptors."""

    path: Path
    argv: Sequence[str]
    """Its arguments; the first is its name."""

    reads: Sequence[Path] = ()
    """Files and folders that it may read."""

    devices: Sequence[str] = ()
    """Device files that it may open, read, write and control."""

    env: Mapping[str, str] = field(default_factory=dict)


def launcher_argv(
    program: Program, limits: Limits, policy: SandboxPolicy, *, first_closed_fd: int
) -> list[str]:
    """Return the command that confines itself and becomes `program`."""
    settings = {
        "exe": os.path.realpath(program.path),
        "parent": os.getpid(),
        "policy": policy,
        "uid": NOBODY,
        "cpu": limits.cpu_s,
        "memory": limits.memory_bytes,
        "nice": limits.niceness,
        "filter": deny_program(os.uname().machine).hex(),
        "files": first_closed_fd,
    }
    words = [f"{key}={value}" for key, value in settings.items()]
    words += [f"read={path}" for path in program.reads]
    words += [f"device={path}" for path in program.devices]
    words += [f"env={name}={value}" for name, value in program.env.items()]
    return [sys.executable, "-I", "-S", str(LAUNCHER), *words, "--", *program.argv]


def read_report(report: bytes, last_words: str) -> Layers:
    """Return the layers that hold, from what the launcher wrote.

    Raises:
        RunnerError: the program was not started.
    """
    layers: Layers = {}
    for line in report.splitlines():
        layers.update(json.loads(line))
    if "error" in layers:
        states = ", ".join(f"{name}: {state}" for name, state in layers.items() if name != "error")
        raise RunnerError("sandbox", f"{layers['error']} ({states})" if states else
                          str(layers["error"]))  # fmt: skip
    if not layers:
        raise RunnerError("launch", f"the launcher did not report: {last_words}")
    return layers
