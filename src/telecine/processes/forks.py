"""The supervisor's side of the zygote: it asks for children and hears of their ends."""

import asyncio
import contextlib
import json
import os
import signal
import socket
from collections.abc import Mapping, Sequence

import structlog

from telecine.processes.spawning import Spawned, spawn_zygote

_log = structlog.get_logger()

_CHUNK_BYTES = 4096


class Fork:
    """A process that the zygote has forked; as `asyncio.subprocess.Process`, as far as needed."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    @property
    def returncode(self) -> int | None:
        """Return its exit status, minus the signal that ended it, None while it runs."""
        return self._ended.result() if self._ended.done() else None

    async def wait(self) -> int:
        """Wait for its end; return the status."""
        return await asyncio.shield(self._ended)

    def terminate(self) -> None:
        """Ask it to end."""
        if not self._ended.done():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGTERM)

    def end(self, status: int) -> None:
        """Note that it has ended."""
        if not self._ended.done():
            self._ended.set_result(status)


class Forks:
    """Runs the zygote, and starts it again when it is needed and has died.

    Its death takes all children along: each asks the kernel for a SIGTERM at that moment.
    """

    def __init__(self, environment: Mapping[str, str], zygote: Spawned | None = None) -> None:
        """`environment` is what children have besides ours; `zygote` runs already."""
        self._environment = environment
        self._spawned = zygote
        self._one_at_a_time = asyncio.Lock()
        self._wanted = asyncio.Event()
        self._line: socket.socket | None = None
        self._asked: tuple[bytes, list[int]] = b"", []
        self._born: asyncio.Future[Fork] | None = None
        self._alive: dict[int, Fork] = {}

    async def start(self, kind: str, name: str, fds: Sequence[int], *, once: bool) -> Fork:
        """Have a child forked; `fds` are its line and its listeners.

        `once`: nobody will ask for this kind again, so only the child imports what it needs.

        Raises:
            OSError: there is no child.
        """
        wish = {"kind": kind, "name": name, "once": once, "environment": self._environment}
        async with self._one_at_a_time:
            self._asked = json.dumps(wish).encode(), list(fds)
            self._born = asyncio.get_running_loop().create_future()
            self._wanted.set()
            try:
                if self._line is not None:
                    self._ask(self._line)
                return await self._born
            finally:
                self._born.cancel()  # if there is no answer yet, nobody waits for it

    def _ask(self, line: socket.socket) -> None:
        socket.send_fds(line, [self._asked[0]], self._asked[1])

    async def run(self) -> None:
        """Have a zygote while one is wanted, until cancelled; it ends with that."""
        while True:
            await self._wanted.wait()
            try:
                process, line = self._spawned = self._spawned or spawn_zygote()
            except OSError as error:  # out of processes or memory: it may pass
                self._note_death(str(error))
                continue
            self._line = line
            try:
                with contextlib.suppress(ConnectionError):  # it died: so its status tells
                    if self._is_waiting():
                        self._ask(line)
                    await self._listen(line)
            finally:
                line.close()  # it ends, if it has not yet
                status = await asyncio.to_thread(process.wait)
                self._spawned = None
                self._note_death(f"status {status}")

    def kill(self) -> None:
        """End the zygote at once."""
        if self._spawned is not None:
            self._spawned.process.kill()

    async def _listen(self, line: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        received = b""
        while data := await loop.sock_recv(line, _CHUNK_BYTES):
            *messages, received = (received + data).split(b"\n")
            for message in messages:
                self._hear(json.loads(message))

    def _hear(self, message: dict[str, int]) -> None:
        if "ended" in message:
            self._alive.pop(message["ended"]).end(message["status"])
            return
        fork = self._alive[message["pid"]] = Fork(message["pid"])
        if self._born is not None and self._is_waiting():
            self._born.set_result(fork)
        else:  # who asked for it was cancelled
            fork.terminate()

    def _note_death(self, reason: str) -> None:
        self._wanted.clear()
        self._line = None
        if self._alive or self._is_waiting():
            _log.warning("zygote_died", reason=reason)
        for fork in self._alive.values():
            fork.end(-signal.SIGTERM)
        self._alive.clear()
        if self._born is not None and self._is_waiting():
            self._born.set_exception(OSError("the zygote died"))

    def _is_waiting(self) -> bool:
        """Tell whether somebody waits for a child; who was cancelled does not."""
        return self._born is not None and not self._born.done()
