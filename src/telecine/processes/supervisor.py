"""The process that keeps all others alive, and ends them in order.

It serves no request and works on no row. It imports little, because everything
that it starts waits for it; what children need is imported in the zygote while
the database comes up, and then they get their briefing.
"""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import structlog

from telecine.processes.child import KeptChild, Program
from telecine.processes.control import Briefing
from telecine.processes.exits import CannotGoOn
from telecine.processes.forks import Forks

_log = structlog.get_logger()

_LATEST_START_S = 1.0


class DatabaseServer(Protocol):
    """A database that the supervisor runs or only knows."""

    async def start(self) -> str:
        """Bring it up and return its URL. Raises CannotGoOn."""

    async def watch(self) -> None:
        """Start it again whenever it dies. Raises CannotGoOn when that is no use."""

    async def stop(self) -> None:
        """End it after everything that uses it."""

    def kill(self) -> None:
        """End it at once; it recovers at its next start."""


class Supervisor:
    """Runs `programs` over a database from `run` until a signal or a failure.

    `database` makes the database's server once children have been started.
    `programs` are groups in the order in which they are stopped. `brief` prepares the
    database behind a URL and returns what children are told.
    """

    def __init__(
        self,
        database: Callable[[], DatabaseServer],
        programs: Sequence[Sequence[Program]],
        listeners: Sequence[socket.socket],
        forks: Forks,
        brief: Callable[[str], Awaitable[Briefing]],
        on_ready: Callable[[], None],
    ) -> None:
        self._make_database = database
        self._database: DatabaseServer | None = None
        self._listeners = listeners
        self._forks = forks
        self._brief = brief
        self._on_ready = on_ready
        self._briefing: asyncio.Future[Briefing] = asyncio.get_running_loop().create_future()
        self._groups = [
            [KeptChild(forks, program, self._briefing) for program in group] for group in programs
        ]
        self._end: asyncio.Future[CannotGoOn | None] = asyncio.get_running_loop().create_future()
        self._signals = 0

    @property
    def children(self) -> list[KeptChild]:
        """All children, in the order of their start."""
        return [child for group in self._groups for child in group]

    async def run(self) -> None:
        """Start everything, watch it, stop everything.

        Raises:
            CannotGoOn: something failed that restarting will not cure.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._on_signal)
        try:
            async with asyncio.TaskGroup() as group:
                work = [self._run(child) for child in self.children]
                work += [self._forks.run(), self._bring_up()]
                work += [self._watch_database(), self._announce()]
                tasks = [group.create_task(self._keep(each)) for each in work]
                try:
                    await asyncio.shield(self._end)
                finally:
                    await self._stop_children()
                    for task in tasks:
                        task.cancel()
        finally:
            if self._database is not None:
                await self._database.stop()
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)
            if not self._briefing.done():
                self._briefing.cancel()
        failure = self._end.result()
        if failure is not None:
            raise failure

    async def _keep(self, work: Awaitable[None]) -> None:
        """Do `work`; if it cannot go on, nobody can."""
        try:
            await work
        except CannotGoOn as failure:
            if not self._end.done():
                self._end.set_result(failure)

    async def _run(self, child: KeptChild) -> None:
        # One that answers requests and one that does jobs get the cores to themselves, so
        # that both come soon; the others wait for them, though not for long for jobs.
        first, worker = self.children[0], self._groups[-1][0]
        if child not in {first, worker}:
            await first.ready.wait()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(worker.ready.wait(), _LATEST_START_S)
        await child.run()

    async def _bring_up(self) -> None:
        await asyncio.sleep(0)  # the zygote first: it imports while the database starts
        self._database = self._make_database()
        url = await self._database.start()
        self._briefing.set_result(await self._brief(url))

    async def _watch_database(self) -> None:
        await asyncio.shield(self._briefing)
        if self._database is not None:
            await self._database.watch()

    async def _announce(self) -> None:
        # Encoders connect already, and jobs can be left: both are taken up in a moment.
        await self.children[0].ready.wait()
        self._on_ready()

    async def _stop_children(self) -> None:
        # What has not started yet would find its listeners closed.
        for child in self.children:
            child.retire()
        # First, so that connections are refused rather than left waiting.
        for listener in self._listeners:
            listener.close()
        for group in self._groups:
            await asyncio.gather(*(child.stop() for child in group))

    def _on_signal(self) -> None:
        self._signals += 1
        if not self._end.done():
            _log.info("stopping")
            self._end.set_result(None)
        elif self._signals > 1:
            _log.warning("stopping_at_once")
            for child in self.children:
                child.kill()
            self._forks.kill()
            if self._database is not None:
                self._database.kill()
