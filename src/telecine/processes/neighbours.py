"""Nodes that share a database must share their storage too.

Each node on `file://` storage holds a shared advisory lock whose number stands for
its machine and folder. Another number held means that another machine keeps media
where this one cannot see them. The lock goes with the connection, so a node that
dies leaves nothing behind.
"""

import asyncio
import hashlib
import socket
from pathlib import Path

import psycopg
import structlog

from telecine.processes.exits import CannotGoOn, Exit

_log = structlog.get_logger()

# The first of the two numbers of these locks; the second is the place.
_CLASS = 735_184_600
_CHECK_S = 30.0

_LOCK = "SELECT pg_advisory_lock_shared(%s, %s)"
_OTHERS = """
SELECT count(*) FROM pg_locks
 WHERE locktype = 'advisory' AND classid = %s AND objid <> %s AND objsubid = 2
   AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


def place(storage: str) -> int:
    """Return the number (31 bits) of a folder on this machine."""
    try:
        machine = Path("/etc/machine-id").read_text().strip()
    except OSError:
        machine = socket.gethostname()
    digest = hashlib.sha256(f"{machine} {storage}".encode()).digest()
    return int.from_bytes(digest[:4]) >> 1


class Neighbours:
    """Watches that nobody keeps media of this database elsewhere."""

    def __init__(self, database_url: str, storage: str) -> None:
        self._url = database_url
        self._place = place(storage) if storage.startswith("file:") else None
        self._connection: psycopg.AsyncConnection | None = None

    async def join(self) -> None:
        """Take the lock.

        Raises:
            CannotGoOn: another node holds that of another place.
            psycopg.OperationalError: the database cannot be reached.
        """
        if self._place is None:
            return
        await self.leave()
        connection = await psycopg.AsyncConnection.connect(
            self._url, autocommit=True, connect_timeout=10
        )
        self._connection = connection
        await connection.execute(_LOCK, [_CLASS, self._place])
        row = await (await connection.execute(_OTHERS, [_CLASS, self._place])).fetchone()
        if row is not None and row[0]:
            await self.leave()
            msg = (
                "Another machine uses this database with a storage folder of its own. Nodes "
                "that share a database need one storage: set TELECINE_STORAGE to a bucket."
            )
            raise CannotGoOn(Exit.STORAGE_NOT_SHARED, msg)

    async def watch(self) -> None:
        """Take the lock again whenever its connection was lost. Raises CannotGoOn."""
        while self._place is not None:
            await asyncio.sleep(_CHECK_S)
            try:
                if self._connection is None:
                    await self.join()
                else:
                    await self._connection.execute("SELECT 1")
            except psycopg.OperationalError as error:
                _log.warning("storage_lock_lost", reason=str(error).strip())
                self._connection = None

    async def leave(self) -> None:
        """Give the lock back."""
        if self._connection is not None:
            await self._connection.close()
            self._connection = None
