import asyncio
from collections.abc import AsyncIterator

import psycopg
import pytest

from telecine.db.engine import Database
from telecine.db.notify import Listener, notify
from tests.fixtures.waiting import PATIENCE_S

pytestmark = pytest.mark.anyio


class Ear:
    """A listener at work, and what it told."""

    def __init__(self, url: str) -> None:
        self.heard: asyncio.Queue[str] = asyncio.Queue()
        listener = Listener(url)
        listener.subscribe("news", self.heard.put_nowait)
        listener.watch(
            lambda: self.heard.put_nowait("connected"), lambda: self.heard.put_nowait("lost")
        )
        self.task = asyncio.ensure_future(listener.run())

    async def next(self) -> str:
        return await asyncio.wait_for(self.heard.get(), PATIENCE_S)


@pytest.fixture
async def ear(database_url: str) -> AsyncIterator[Ear]:
    ear = Ear(database_url)
    yield ear
    ear.task.cancel()
    await asyncio.wait([ear.task])


async def tell(db: Database, *payloads: str) -> None:
    async with db.transaction() as tx:
        for payload in payloads:
            await notify(tx, "news", payload)


async def test_a_notification_comes_with_the_commit(db: Database, ear: Ear) -> None:
    assert await ear.next() == "connected"
    async with db.transaction() as tx:
        await notify(tx, "news", "uncommitted")
        await tell(db, "committed")
        assert await ear.next() == "committed"
    assert await ear.next() == "uncommitted"


async def test_equal_notifications_of_a_transaction_are_one(db: Database, ear: Ear) -> None:
    assert await ear.next() == "connected"
    await tell(db, "again", "again", "last")
    assert [await ear.next(), await ear.next()] == ["again", "last"]


async def test_a_broken_connection_is_told_and_mended(db: Database, ear: Ear) -> None:
    assert await ear.next() == "connected"
    for round_ in range(3):
        async with await psycopg.AsyncConnection.connect(db.url, autocommit=True) as admin:
            await admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE query LIKE 'LISTEN%' AND datname = current_database()"
            )
        assert [await ear.next(), await ear.next()] == ["lost", "connected"]
        await tell(db, f"round {round_}")
        assert await ear.next() == f"round {round_}"
