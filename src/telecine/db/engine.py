"""The door to PostgreSQL: one engine per process, transactions as blocks."""

import asyncio
import select
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

from psycopg import AsyncConnection
from psycopg.errors import DiskFull
from pydantic_core import from_json
from sqlalchemy import MetaData, event
from sqlalchemy.exc import DBAPIError, InvalidatePoolError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase

from telecine.storage.store import FULL, OutOfSpace

Transaction = AsyncSession
"""A session inside an open transaction. Only `Database` commits."""


class Base(DeclarativeBase):
    """The declarative base of every table."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


def driver_url(url: str) -> str:
    """Return `url` with the one driver that the job queue can share: psycopg."""
    for scheme in ("postgresql+psycopg://", "postgresql://", "postgres://"):
        if url.startswith(scheme):
            return "postgresql+psycopg://" + url.removeprefix(scheme)
    msg = f"not a PostgreSQL URL: {url.split(':', 1)[0]}"
    raise ValueError(msg)


def plain_url(url: str) -> str:
    """Return `url` as libpq and psycopg themselves read it."""
    return "postgresql://" + driver_url(url).split("://", 1)[1]


CONNECTION_OPTIONS: dict[str, Any] = {
    "connect_timeout": 10,
    # A peer that vanished without a word is noticed within some 20 seconds.
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}
"""What every connection of ours is opened with."""


def is_out_of_space(error: BaseException) -> bool:
    """Tell whether an error says that a disk is full: the store's, the database's, any."""
    if isinstance(error, BaseExceptionGroup):
        return any(map(is_out_of_space, error.exceptions))
    if isinstance(error, DBAPIError):
        return isinstance(error.orig, DiskFull)
    if isinstance(error, OSError):
        return error.errno in FULL
    return isinstance(error, OutOfSpace | DiskFull)


def _refuse_broken(connection: Any, *_: object) -> None:  # noqa: ANN401 - has no name of its own
    """Raise InvalidatePoolError where the server has left a connection of the pool.

    An idle one has nothing to say: what can be read is its end, or the reason for it. A
    ping by statement would tell the same, for half of what a short transaction costs.
    """
    driver = connection.driver_connection
    looked = select.poll()
    if not driver.closed:
        looked.register(driver.fileno(), select.POLLIN)
    if driver.closed or looked.poll(0):
        raise InvalidatePoolError


class Database:
    """A pool of connections; every statement runs inside `transaction()`."""

    def __init__(self, url: str, *, pool_size: int = 5) -> None:
        self.url = url
        self._engine = create_async_engine(
            driver_url(url),
            pool_size=pool_size,
            max_overflow=pool_size,
            hide_parameters=True,  # errors are logged, and keys and tokens are parameters
            connect_args=CONNECTION_OPTIONS,
            json_deserializer=from_json,  # a page of videos has 25 documents of metadata
        )
        event.listen(self._engine.sync_engine, "checkout", _refuse_broken)
        self._session = async_sessionmaker(self._engine, expire_on_commit=False)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """Open a transaction; commit on a clean exit, roll back on an exception.

        Raises:
            CancelledError: also where an error of the database has swallowed it.
        """
        task = asyncio.current_task()
        asked = task.cancelling() if task else 0
        try:
            async with self._session.begin() as session:
                yield session
        except Exception as error:
            if task and task.cancelling() > asked:
                raise asyncio.CancelledError from error
            raise

    @asynccontextmanager
    async def statement(self) -> AsyncIterator[Transaction]:
        """Open a session for one statement, which commits by itself.

        Saves the server's answers to BEGIN and COMMIT, two thirds of what a short one costs.
        """
        async with self.transaction() as session:
            await session.connection(execution_options={"isolation_level": "AUTOCOMMIT"})
            yield session

    async def close(self) -> None:
        """Close all connections of the pool."""
        await self._engine.dispose()


def heed_cancellation() -> None:
    """Raise CancelledError if this task is to end.

    psycopg cancels a statement at the server before it lets a cancellation pass; where the
    server has gone, an error of the connection comes instead. Loops that connect again
    after an error would never end.
    """
    task = asyncio.current_task()
    if task and task.cancelling():
        raise asyncio.CancelledError


async def raw_connection(tx: Transaction) -> AsyncConnection[Any]:
    """Return the psycopg connection on which `tx` runs, for the job queue."""
    connection = await tx.connection()
    raw = await connection.get_raw_connection()
    return cast("AsyncConnection[Any]", raw.driver_connection)
