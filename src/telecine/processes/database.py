"""The two databases a supervisor can have: one that it runs, one that it is given."""

import asyncio
import contextlib
import signal
from pathlib import Path

import psycopg
import structlog

from telecine import clock
from telecine.db.account import EmbeddedError
from telecine.db.embedded import DataFolderInUse, EmbeddedPostgres, running_url
from telecine.processes.exits import CannotGoOn, Exit
from telecine.processes.neighbours import Neighbours
from telecine.processes.restarts import DEATHS, WINDOW_S, Restarts

_log = structlog.get_logger()

REACHABLE_WITHIN_S = 60.0
"""How long a given database may take to answer, as when all of a cluster starts."""


def running_beside(home: Path) -> str | None:
    """Return the URL of the server that another process runs in a data folder, if any."""
    return running_url(home)


class EmbeddedServer:
    """PostgreSQL from the wheel, in the data folder, as a child of this process."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._postgres: EmbeddedPostgres | None = None

    async def start(self) -> str:
        """Make the cluster at first, start the server, return its URL.

        Raises:
            CannotGoOn: it cannot run here.
        """
        try:
            self._postgres = EmbeddedPostgres(self._home)
            await self._postgres.start()
        except DataFolderInUse as error:
            raise CannotGoOn(Exit.FOLDER_LOCKED, str(error)) from error
        except EmbeddedError as error:
            raise CannotGoOn(Exit.DATABASE_FAILED, str(error)) from error
        return self._postgres.url

    async def watch(self) -> None:
        """Start the server again whenever it dies.

        Raises:
            CannotGoOn: it died five times within a minute.
        """
        if self._postgres is None:
            return
        lives = Restarts()
        while True:
            started_s = clock.monotonic_s()
            try:
                await self._postgres.ensure()
                status = await self._postgres.wait()
                reason = f"PostgreSQL ended with status {status}"
            except EmbeddedError as error:
                reason = str(error)
            delay_s = lives.delay_s(started_s, clock.monotonic_s())
            _log.warning("database_died", reason=reason, retry_s=delay_s)
            if delay_s is None:
                msg = (
                    f"The database died {DEATHS} times within {WINDOW_S:.0f} s: {reason}. "
                    f"Its log is {self._home / 'postgres.log'}."
                )
                raise CannotGoOn(Exit.KEEPS_DYING, msg)
            await asyncio.sleep(delay_s)

    async def stop(self) -> None:
        """Disconnect everybody, write everything, end."""
        if self._postgres is not None:
            await self._postgres.stop()

    def kill(self) -> None:
        """End it without waiting; its log is replayed at the next start."""
        process = self._postgres.process if self._postgres is not None else None
        if process is not None and process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGQUIT)


class GivenDatabase:
    """A PostgreSQL that others run: `DATABASE_URL`. `storage` must suit its other users."""

    def __init__(self, url: str, storage: str) -> None:
        self._url = url
        self._neighbours = Neighbours(url, storage)

    async def start(self) -> str:
        """Wait until it answers, return its URL.

        Raises:
            CannotGoOn: it does not answer within a minute, or serves a node that
                keeps its media elsewhere.
        """
        deadline_s = clock.monotonic_s() + REACHABLE_WITHIN_S
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(self._url, connect_timeout=10):
                    await self._neighbours.join()
                    return self._url
            except psycopg.OperationalError as error:
                if clock.monotonic_s() > deadline_s:
                    msg = f"The database of DATABASE_URL cannot be reached: {error}"
                    raise CannotGoOn(Exit.DATABASE_FAILED, msg) from error
                _log.warning("database_unreachable", reason=str(error).strip())
            await asyncio.sleep(1)

    async def watch(self) -> None:
        """Clients connect again by themselves; only the storage is watched."""
        await self._neighbours.watch()

    async def stop(self) -> None:
        """Leave it: it is not ours."""
        await self._neighbours.leave()

    def kill(self) -> None:
        """Nothing to do: it is not ours."""
