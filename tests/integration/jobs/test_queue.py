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


async def in_turn(db: Database, whose: UUID, *chunks: int) -> None:
    async with db.transaction() as tx:
        made = [Encode(asset_id=whose, chunk=chunk) for chunk in chunks]
        await queue.enqueue_in_turn(tx, whose, *made)


async def taken(db: Database, times: int) -> list[tuple[str, int]]:
    """Take jobs as a worker does; return whose they are and which."""
    take = text(
        "SELECT args->>'asset_id', (args->>'chunk')::int"
        " FROM procrastinate_fetch_job_v2(ARRAY['ladder']::varchar[], NULL) WHERE id IS NOT NULL"
    )
    found = []
    for _ in range(times):
        async with db.transaction() as tx:
            found += [(whose, chunk) for whose, chunk in await tx.execute(take)]
    return found


def names(found: list[tuple[str, int]], **who: UUID) -> list[str]:
    known = {str(number): name for name, number in who.items()}
    return [f"{known[whose]}{chunk}" for whose, chunk in found]


async def test_who_comes_later_has_every_second_turn(db: Database) -> None:
    a, b, c = (ids.row_key() for _ in range(3))
    await in_turn(db, a, *range(6))
    assert names(await taken(db, 2), a=a) == ["a0", "a1"]
    await in_turn(db, b, 0, 1, 2)
    assert names(await taken(db, 3), a=a, b=b) == ["a2", "b0", "a3"]
    await in_turn(db, c, 0)
    await in_turn(db, a, 6)  # another video of theirs waits behind the first one
    rest = names(await taken(db, 9), a=a, b=b, c=c)
    assert rest == ["b1", "c0", "a4", "b2", "a5", "a6"]


async def test_nobody_starves_for_having_been_there_before(db: Database) -> None:
    """Windows are refilled for hours: who comes new does not get all of it."""
    a, b = ids.row_key(), ids.row_key()
    await in_turn(db, a, *range(4))
    for number in range(4, 40):
        assert names(await taken(db, 1), a=a) == [f"a{number - 4}"]
        await in_turn(db, a, number)
    await in_turn(db, b, *range(4))
    assert names(await taken(db, 6), a=a, b=b) == ["a36", "b0", "a37", "b1", "a38", "b2"]


async def test_rounds_begin_anew_when_all_is_done(db: Database) -> None:
    whose = ids.row_key()
    await in_turn(db, whose, 0, 1, 2)
    assert await jobs(db, "priority") == [(0,), (-1,), (-2,)]
    assert len(await taken(db, 3)) == 3
    await in_turn(db, whose, 3)
    assert await jobs(db, "priority") == [(0,), (-1,), (-2,), (0,)]


async def test_what_is_urgent_is_before_all_turns(db: Database) -> None:
    a, b = ids.row_key(), ids.row_key()
    await in_turn(db, a, 0, 1, 2)
    async with db.transaction() as tx:
        assert await queue.promote(tx, Encode(asset_id=a, chunk=2), 10)
    await in_turn(db, b, 0)
    assert names(await taken(db, 4), a=a, b=b) == ["a2", "a0", "b0", "a1"]


async def test_turns_are_found_by_index(db: Database) -> None:
    async with db.transaction() as tx:
        await tx.execute(text("SET LOCAL enable_seqscan = off"))
        query = str(queue._TURNS).replace(":lane", "'ladder'").replace(":priority", "0")
        told = await tx.scalars(text("EXPLAIN " + query.replace(":whose", "'a'")))
        plan = "\n".join(told)
    assert "ix_procrastinate_jobs_round" in plan
    assert "ix_procrastinate_jobs_turn" in plan


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
