import asyncio
from contextlib import suppress

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DataError

from telecine.db.engine import Database

pytestmark = pytest.mark.anyio

SECRET = "what-nobody-may-read-in-a-log"


async def test_errors_do_not_tell_what_was_passed(db: Database) -> None:
    with pytest.raises(DataError) as failed:
        async with db.transaction() as tx:
            await tx.execute(text("SELECT 1 / (length(:secret) - :n)"), {"secret": SECRET, "n": 29})
    assert "division by zero" in str(failed.value)
    assert SECRET not in str(failed.value)
    assert SECRET not in repr(failed.value)


async def test_errors_of_many_rows_do_not_either(db: Database) -> None:
    rows = [{"secret": SECRET, "n": n} for n in (1, 29)]
    with pytest.raises(DataError) as failed:
        async with db.transaction() as tx:
            await tx.execute(text("SELECT 1 / (length(:secret) - :n)"), rows)
    assert SECRET not in str(failed.value)


async def test_connections_that_the_server_ended_are_made_anew(db: Database) -> None:
    """Also where nobody has looked since, and several of them."""
    backends = set()
    async with db.transaction() as one, db.transaction() as two:
        for tx in (one, two):
            backends.add(await tx.scalar(text("SELECT pg_backend_pid()")))
    async with db.transaction() as tx:
        mine = await tx.scalar(text("SELECT pg_backend_pid()"))
        (other,) = backends - {mine}
        ended = text("SELECT pg_terminate_backend(:pid, 10000)")
        assert await tx.scalar(ended, {"pid": other})
    async with db.transaction() as one, db.transaction() as two:
        for tx in (one, two):
            assert await tx.scalar(text("SELECT pg_backend_pid()")) not in {None, other}


async def test_an_error_of_the_database_swallows_no_cancellation(db: Database) -> None:
    """psycopg tells of a server that went away while a statement was being cancelled."""

    async def worked_on() -> None:
        task = asyncio.current_task()
        assert task is not None
        async with db.transaction():
            task.cancel()
            with suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
            raise psycopg.OperationalError("the connection is lost")

    task = asyncio.create_task(worked_on())
    await asyncio.wait([task])
    assert task.cancelled()


async def test_a_transaction_in_a_task_that_ends_still_tells_its_own_errors(db: Database) -> None:
    async def cleans_up() -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        async with db.transaction() as tx:
            await tx.execute(text("SELECT 1 / 0"))

    with pytest.raises(DataError):
        await asyncio.create_task(cleans_up())
