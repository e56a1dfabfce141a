"""One child process of the supervisor, started again whenever it dies."""

import asyncio
import contextlib
import os
import signal
import socket
from dataclasses import dataclass

import structlog

from telecine import clock
from telecine.processes import control
from telecine.processes.control import Briefing
from telecine.processes.exits import CannotGoOn, Exit
from telecine.processes.forks import Fork, Forks
from telecine.processes.restarts import DEATHS, WINDOW_S, Restarts

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A child to run: a module of `processes`. `grace_s`: how long it may take to stop."""

    name: str
    kind: str
    grace_s: float
    listeners: tuple[socket.socket, ...] = ()


async def start(forks: Forks, program: Program, line: socket.socket, *, once: bool = False) -> Fork:
    """Start a program at the other end of `line`. Raises OSError."""
    fds = [line.fileno(), *(each.fileno() for each in program.listeners)]
    return await forks.start(program.kind, program.name, fds, once=once)


async def ask(forks: Forks, program: Program, briefing: Briefing) -> bytes:
    """Run a program once; return the line that it answers, empty if it failed."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    loop = asyncio.get_running_loop()
    with ours, theirs:
        process = await start(forks, program, theirs, once=True)
        theirs.close()
        try:
            answer = b""
            with contextlib.suppress(ConnectionError):  # it died: an empty answer
                await loop.sock_sendall(ours, briefing.to_line())
                while received := await loop.sock_recv(ours, 1 << 16):
                    answer += received
            await process.wait()
        finally:
            process.terminate()
    return answer


class KeptChild:
    """Keeps one program running from `run` to `stop`."""

    def __init__(
        self, forks: Forks, program: Program, briefing: "asyncio.Future[Briefing]"
    ) -> None:
        self.program = program
        self._forks = forks
        self.ready = asyncio.Event()
        self.restarts = 0
        self._briefing = briefing
        self._stopping = asyncio.Event()
        self._process: Fork | None = None
        self._lives = Restarts()

    @property
    def pid(self) -> int | None:
        """Return the process id, None while it does not run."""
        if self._process is None or self._process.returncode is not None:
            return None
        return self._process.pid

    async def run(self) -> None:
        """Keep the program alive until `stop`.

        Raises:
            CannotGoOn: it died five times within a minute.
        """
        while not self._stopping.is_set():
            started_s = clock.monotonic_s()
            status = await self._live()
            self.ready.clear()
            if self._stopping.is_set():
                return
            delay_s = self._lives.delay_s(started_s, clock.monotonic_s())
            _log.warning("child_died", child=self.program.name, status=status, retry_s=delay_s)
            if delay_s is None:
                msg = (
                    f"{self.program.name} died {DEATHS} times within {WINDOW_S:.0f} s, the last "
                    f"time with status {status}. Its log lines above say why."
                )
                raise CannotGoOn(Exit.KEEPS_DYING, msg)
            self.restarts += 1
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), delay_s)

    async def _live(self) -> int:
        """Run the program once; return its exit status."""
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        with ours, theirs:
            try:
                self._process = await start(self._forks, self.program, theirs)
            except OSError as error:  # out of processes or memory: it may pass
                if self._stopping.is_set():
                    return -1  # its listeners are closed
                _log.warning("child_start_failed", child=self.program.name, reason=str(error))
                return -1
            theirs.close()
            _log.debug("child_started", child=self.program.name, pid=self._process.pid)
            if self._stopping.is_set():
                self._process.terminate()
            async with asyncio.TaskGroup() as group:
                talk = group.create_task(self._talk(ours))
                try:
                    return await self._process.wait()
                finally:
                    talk.cancel()
                    self.kill()  # only on cancellation is there still anything to kill

    async def _talk(self, line: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        briefing = await asyncio.shield(self._briefing)
        with contextlib.suppress(ConnectionError):  # it died: `_live` sees the status
            await loop.sock_sendall(line, briefing.to_line())
            received = b""
            while not received.endswith(control.READY):
                data = await loop.sock_recv(line, 64)
                if not data:
                    return
                received += data
            self.ready.set()

    def retire(self) -> None:
        """Start the program no more."""
        self._stopping.set()

    async def stop(self) -> None:
        """Ask the program to end, insist after its grace."""
        self.retire()
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), self.program.grace_s)
        except TimeoutError:
            _log.warning("child_stop_slow", child=self.program.name, pid=process.pid)
            self.kill()
            await process.wait()

    def kill(self) -> None:
        """End the program and whatever it started, at once."""
        if self.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
