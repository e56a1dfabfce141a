"""The line between the supervisor and a child: a socket pair, one line each way.

The supervisor sends a `Briefing` as soon as the database can be used; a child
imports its modules meanwhile. The child answers when it serves. A child that
reads the end of the line has lost its supervisor.
"""

import argparse
import ctypes
import json
import os
import signal
import socket
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from telecine import log, settings

READY = b"ready\n"
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class Briefing:
    """What children learn from the supervisor: never in argv or environment.

    `secret_key` is the master secret; `operator_digest` is the SHA-256 of the
    operator key in hex.
    """

    database_url: str
    secret_key: str
    operator_digest: str

    def to_line(self) -> bytes:
        """Return the briefing as one line."""
        return json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> "Briefing":
        """Rebuild a briefing from `to_line`."""
        return cls(**json.loads(line))


@dataclass(frozen=True, slots=True)
class Child:
    """This process, as a child of the supervisor."""

    name: str
    control: socket.socket
    listeners: tuple[socket.socket, ...]
    settings: settings.Settings

    def wait_for_briefing(self) -> Briefing:
        """Block until the database can be used."""
        line = b""
        while not line.endswith(b"\n"):
            received = self.control.recv(1 << 16)
            if not received:
                sys.exit(0)  # stopped before it started
            line += received
        return Briefing.from_line(line)

    def announce_ready(self) -> None:
        """Tell the supervisor that this process serves."""
        self.control.sendall(READY)


def join(arguments: Sequence[str]) -> Child:
    """Set this process up as a child: log, settings, life tied to the supervisor's."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--name", required=True)
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--control-fd", type=int, required=True)
    parser.add_argument("--listen-fd", type=int, action="append", default=[])
    given = parser.parse_args(arguments)
    die_with(given.parent)
    effective = settings.load()
    log.configure(effective.log_format, effective.log_level, process=given.name)
    return Child(
        given.name,
        socket.socket(fileno=given.control_fd),
        tuple(socket.socket(fileno=fd) for fd in given.listen_fd),
        effective,
    )


def die_with(parent: int) -> None:
    """Ask the kernel to end this process when process `parent` has ended."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:  # it ended before the line above
        sys.exit(0)
