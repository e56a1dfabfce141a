"""How the zygote is started: before this process has imported anything else.

All children wait for what the zygote imports, so it begins while the command line and the
settings are read here. It is told of those with the first child that it is asked for.
"""

import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import NamedTuple

UNUSED = ("rich", "httpx._main", "pydantic.v1")
"""What libraries import where it is there, and neither a supervisor nor a child ever calls."""


class Spawned(NamedTuple):
    """A zygote, and our end of its line. It ends when that is closed."""

    process: subprocess.Popen[bytes]
    line: socket.socket


def spawn_zygote() -> Spawned:
    """Start a zygote in this thread, with whose end it ends. Raises OSError."""
    ours, theirs = socket.socketpair()
    try:
        with theirs:
            process = subprocess.Popen(
                (
                    *(sys.executable, "-P", "-m", "telecine.processes.zygote"),
                    *("--parent", str(os.getpid()), "--control-fd", str(theirs.fileno())),
                ),
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # a terminal's Ctrl-C is for the supervisor
            )
    except OSError:
        ours.close()
        raise
    ours.setblocking(False)
    return Spawned(process, ours)


@contextlib.contextmanager
def without_unused() -> Iterator[None]:
    """Have nothing of `UNUSED` imported meanwhile: a tenth of a zygote's start."""
    for name in UNUSED:
        sys.modules[name] = None  # type: ignore[assignment]  # which means "not to be found"
    try:
        yield
    finally:
        for name in UNUSED:
            sys.modules.pop(name, None)
