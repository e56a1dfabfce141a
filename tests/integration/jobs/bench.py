"""A worker in the process of a test, and handlers that do what the test needs."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

from sqlalchemy import text

from telecine.db.engine import Database
from telecine.jobs import health, queue
from telecine.jobs.job import Job, Lane
from telecine.jobs.worker import Handler, Patience, Worker
from tests.fixtures.waiting import until
from tests.fixtures.workers import running
from tests.integration.jobs.sample import Encode

ASSET = UUID("01890a5d-ac96-774b-bcce-b302099a8057")
SLOTS = {Lane.LADDER: 1}
JOB = Encode(asset_id=ASSET, chunk=0)


class Bench:
    """A worker in this process, and what it reported."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self.given_up: list[tuple[Job, str]] = []
        self.stop_after_s = 5.0

    async def give_up(self, job: Job, reason: str) -> None:
        self.given_up.append((job, reason))

    @asynccontextmanager
    async def working(
        self, handlers: dict[type[Job], Handler], **slots: int
    ) -> AsyncIterator[None]:
        work = Worker(
            self.db.url,
            handlers,
            {Lane(lane): count for lane, count in slots.items()} or SLOTS,
            self.give_up,
            patience=Patience(stop_after_s=self.stop_after_s),
        )
        async with running(work):
            yield

    async def enqueue(self, *jobs: Job, priority: int = 0) -> None:
        async with self.db.transaction() as tx:
            await queue.enqueue(tx, *jobs, priority=priority)

    async def rows(self) -> list[tuple[Any, ...]]:
        async with self.db.transaction() as tx:
            query = text("SELECT status::text, attempts FROM procrastinate_jobs ORDER BY id")
            return [tuple(row) for row in await tx.execute(query)]

    async def becomes(self, *rows: tuple[str, int]) -> None:
        async def so() -> bool:
            return await self.rows() == list(rows)

        await until(so)

    async def hurry(self) -> None:
        """Let jobs that wait for their next attempt start now."""
        async with self.db.transaction() as tx:
            await tx.execute(
                text("UPDATE procrastinate_jobs SET scheduled_at = NULL WHERE status = 'todo'")
            )

    async def is_alive(self) -> bool:
        async with self.db.transaction() as tx:
            return await health.worker_alive(tx)


def failing(times: int, error: Exception) -> tuple[Handler, list[Job]]:
    """Return a handler that fails so many times, and the list of its runs."""
    runs: list[Job] = []

    async def handler(job: Job) -> None:
        runs.append(job)
        if len(runs) <= times:
            raise error

    return handler, runs


def gate() -> tuple[Handler, asyncio.Event, asyncio.Event]:
    """Return a handler that says when it begins and waits to be let go."""
    began, go = asyncio.Event(), asyncio.Event()

    async def handler(_: Job) -> None:
        began.set()
        await go.wait()

    return handler, began, go
