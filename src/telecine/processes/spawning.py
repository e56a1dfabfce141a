"""How the zygote is started: before this process has imported anything else.

All children wait for what the zygote imports, so it begins while the command line and the
settings are read here. It is told of those with the first child that it is asked for.
"""

import os
import socket
import subprocess
import sys
from typing import NamedTuple


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
