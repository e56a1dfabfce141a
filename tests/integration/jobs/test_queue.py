import asyncio
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from telecine import ids
from telecine.db.engine import Database
from telecine.jobs import queue
from tests.integration.jobs.sample import Encode, Tidy

pytestmark = pytest.mark.anyio

ASSET = UUID("01890a5d-ac96-774b-bcce-b302099a8057")


async def jobs(db: Database, columns: str = "task_name, args, queue_name, priority") -> list[Any]:
    async with db.transaction() as tx:
        query = text(f"SELECT {columns} FROM procrastinate_jobs ORDER BY id")
        return [tuple(row) for row in await tx.execute(query)]


async def test_jobs_appear_with_the_commit(db: Database) -> None:
    async with db.transaction() as tx:
        await queue.enqueue(
            tx, Encode(asset_id=ASSET, chunk=0), Encode(asset_id=ASSET, chunk=1), priority=7
        )
        await queue.enqueue(tx, Tidy(asset_id=ASSET))
        assert await jobs(db) == []
    assert await jobs(db) == [
        ("jobs.Encode", {"asset_id": str(ASSET), "chunk": 0}, "ladder", 7),
        ("jobs.Encode", {"asset_id": str(ASSET), "chunk": 1}, "ladder", 7),
        ("jobs.Tidy", {"asset_id": str(ASSET)}, "system", 0),
    ]


async def test_a_rollback_leaves_no_job(db: Database) -> None:
    async def fail() -> None:
        async with db.transaction() as tx:
            await queue.enqueue(tx, Tidy(asset_id=ASSET))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert await jobs(db) == []


async def test_nothing_to_enqueue_is_fine(db: Database) -> None:
    async with db.transaction() as tx:
        await queue.enqueue(tx)
    assert await jobs(db) == []


async def test_cancel_drops_the_waiting_jobs_of_one_asset(db: Database) -> None:
    other = ids.row_key()
    async with db.transaction() as tx:
        await queue.enqueue(tx, *(Encode(asset_id=ASSET, chunk=n) for n in range(3)))
        await queue.enqueue(tx, Encode(asset_id=other, chunk=0))
        await queue.cancel(tx, asset_id=str(ASSET))
    assert await jobs(db, "args->>'asset_id'") == [(str(other),)]


async def test_promote_moves_one_job_before_the_others(db: Database) -> None:
    async with db.transaction() as tx:
        await queue.enqueue(tx, *(Encode(asset_id=ASSET, chunk=n) for n in range(3)))
        assert await queue.promote(tx, Encode(asset_id=ASSET, chunk=2), 50)
        assert not await queue.promote(tx, Encode(asset_id=ASSET, chunk=3), 50)
    assert await jobs(db, "args->'chunk', priority") == [(0, 0), (1, 0), (2, 50)]


async def test_promote_never_lowers_a_priority(db: Database) -> None:
    async with db.transaction() as tx:
        await queue.enqueue(tx, Encode(asset_id=ASSET, chunk=0), priority=80)
        assert await queue.promote(tx, Encode(asset_id=ASSET, chunk=0), 50)
    assert await jobs(db, "priority") == [(80,)]


async def test_jobs_of_an_asset_are_found_by_index(db: Database) -> None:
    async with db.transaction() as tx:
        await tx.execute(text("SET LOCAL enable_seqscan = off"))
        plan = await tx.scalars(
            text(
                "EXPLAIN SELECT id FROM procrastinate_jobs"
                " WHERE status IN ('todo', 'doing') AND args->>'asset_id' = 'x'"
            )
        )
    assert "ix_procrastinate_jobs_asset_id" in "\n".join(plan)


async def test_a_job_that_waits_is_not_taken_before_the_commit(db: Database) -> None:
    take = text("SELECT id FROM procrastinate_fetch_job_v2(ARRAY['system']::varchar[], NULL)")
    job = Tidy(asset_id=ASSET)
    async with db.transaction() as tx:
        assert not await queue.waits(tx, job)
        await queue.enqueue(tx, job)
    async with db.transaction() as tx:
        assert await queue.waits(tx, job)
        async with db.transaction() as worker:
            assert await worker.scalar(take) is None
    async with db.transaction() as worker:
        assert await worker.scalar(take) is not None
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2), db.transaction() as tx:
                await queue.waits(tx, job)
    async with db.transaction() as tx:
        assert not await queue.waits(tx, job)
