"""The process that children are forked from: it imports once what all of them need.

Four children that import for themselves take four seconds of a core and 100 MB each.
Forked ones share nearly all of that, and one that died is back at once. For that to be
safe this process has a single thread and does nothing but fork and wait: no lock is ever
held while it forks.

It is started before the supervisor knows its settings, and begins with libraries to which
the environment does not matter. The supervisor then asks over a socket pair: the kind, the
name and the environment of a child, with the descriptors of its line and its listeners
(`socket.send_fds`). It is answered with the child's pid, and later with how that one ended, a
line each; it asks only after an answer.
"""

import argparse
import contextlib
import gc
import importlib
import json
import os
import selectors
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from telecine.processes.spawning import without_unused

MESSAGE_BYTES = 64 << 10  # the longest environment is that of a few paths
MOST_DESCRIPTORS = 64

LIBRARIES = (
    "numpy",
    "sqlalchemy.dialects.postgresql.psycopg",
    "sqlalchemy.ext.asyncio",
    "procrastinate",
    "httpx",
    "jinja2",
)
"""What children of every kind need."""

_OWN_SIGNALS = (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM)


class Birth(NamedTuple):
    """What a forked child is to do."""

    kind: str
    arguments: Sequence[str]


class _Zygote:
    """Forks, and tells of the ends of what it forked."""

    def __init__(self, line: socket.socket) -> None:
        self._line = line
        line.setblocking(False)
        self._wake, self._woken = os.pipe()
        self._ready = selectors.DefaultSelector()
        self._ready.register(line, selectors.EVENT_READ)
        self._ready.register(self._wake, selectors.EVENT_READ)
        for fd in (self._wake, self._woken):
            os.set_blocking(fd, False)

    def live(self) -> Birth | None:
        """Serve the line to its end; returns something in the children only."""
        signal.signal(signal.SIGCHLD, lambda *_: None)  # a handler, so that the pipe is written to
        signal.set_wakeup_fd(self._woken)
        while True:
            # Both each time: what is ready is not told apart, and neither waits.
            self._ready.select()
            with contextlib.suppress(BlockingIOError):
                os.read(self._wake, MESSAGE_BYTES)
            self._bury()
            try:
                request, fds, _, _ = socket.recv_fds(self._line, MESSAGE_BYTES, MOST_DESCRIPTORS)
            except BlockingIOError:
                continue
            if not request:
                return None  # the supervisor has gone, and each child notices by itself
            birth = self._fork(json.loads(request), fds)
            if birth is not None:
                return birth

    def _fork(self, asked: dict[str, Any], fds: list[int]) -> Birth | None:
        os.environ.update(asked["environment"])
        # Not all in advance: the first child, which answers requests, needs its own only.
        if not asked["once"]:
            _import(asked["kind"])
            gc.freeze()  # shared pages stay shared: the collector writes to what it looks at
        pid = os.fork()
        if pid:
            for fd in fds:
                os.close(fd)
            self._tell({"pid": pid})
            return None
        os.setsid()  # a terminal's Ctrl-C is for the supervisor
        signal.set_wakeup_fd(-1)
        for number in _OWN_SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        self._ready.close()
        self._line.close()
        os.close(self._wake)
        os.close(self._woken)
        with contextlib.suppress(OSError):  # Linux: what `ps` and `top` call it
            Path("/proc/self/comm").write_text(asked["name"])
        for fd in fds:
            os.set_inheritable(fd, False)
        control, *listeners = fds
        words = ["--name", asked["name"], "--parent", str(os.getppid())]
        words += ["--control-fd", str(control)]
        for fd in listeners:
            words += ["--listen-fd", str(fd)]
        return Birth(asked["kind"], words)

    def _bury(self) -> None:
        with contextlib.suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                self._tell({"ended": ended[0], "status": os.waitstatus_to_exitcode(ended[1])})

    def _tell(self, message: dict[str, int]) -> None:
        with contextlib.suppress(BrokenPipeError):  # read as the end of the line
            self._line.send(json.dumps(message).encode() + b"\n")


def main(arguments: Sequence[str]) -> None:
    """Import what each kind of child needs once, and fork until the supervisor has gone.

    Importing makes hundreds of thousands of objects and no garbage: with the collector off
    it takes a fifth less time.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--control-fd", type=int, required=True)
    given = parser.parse_args(arguments)
    gc.disable()
    with without_unused():
        _live(given)


def _live(given: argparse.Namespace) -> None:
    from telecine.processes.control import die_with  # noqa: PLC0415 - it logs, by a library

    die_with(given.parent)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    # Tables are indexed, never multiplied: threads would only hold memory.
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    for library in LIBRARIES:
        importlib.import_module(library)
    birth = _Zygote(socket.socket(fileno=given.control_fd)).live()
    if birth is not None:
        gc.enable()
        _import(birth.kind).main(birth.arguments)


def _import(kind: str) -> Any:  # noqa: ANN401 - a module with a `main`
    return importlib.import_module(f"telecine.processes.{kind}")


if __name__ == "__main__":
    main(sys.argv[1:])
