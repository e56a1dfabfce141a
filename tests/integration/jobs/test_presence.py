"""Who works is known, on what, and who has gone without a word."""

import asyncio
import os
import shutil
import socket
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
from psycopg.rows import dict_row
from sqlalchemy import text

from telecine import __version__, clock
from telecine.db.engine import Database
from telecine.jobs import health, presence, queue
from telecine.jobs.health import WorkerState
from telecine.jobs.job import Job, Lane
from telecine.jobs.worker import Worker
from tests.fixtures.waiting import PATIENCE_S, until
from tests.integration.jobs.sample import Encode

pytestmark = pytest.mark.anyio

JOB = Encode(asset_id=UUID("01890a5d-ac96-774b-bcce-b302099a8057"), chunk=3)


async def nobody(_job: Job, _reason: str) -> None:
    """Nothing of ours is given up."""


async def known(db: Database) -> list[WorkerState]:
    async with db.transaction() as tx:
        return await health.workers(tx)


async def test_a_worker_tells_who_it_is_and_what_it_does(db: Database, tmp_path: Path) -> None:
    began, go = asyncio.Event(), asyncio.Event()

    async def encode(_: Encode) -> None:
        began.set()
        await go.wait()

    slots = {Lane.LADDER: 2, Lane.SYSTEM: 1}
    started = clock.now()
    worker = Worker(db.url, {Encode: encode}, slots, nobody, folder=tmp_path)
    task = asyncio.ensure_future(worker.run())
    async with db.transaction() as tx:
        await queue.enqueue(tx, JOB)
    await asyncio.wait_for(began.wait(), PATIENCE_S)

    async def is_busy() -> bool:
        return [len(each.jobs) for each in await known(db)] == [1]

    await until(is_busy)
    (state,) = await known(db)
    assert (state.host, state.pid, state.version) == (
        socket.gethostname(),
        os.getpid(),
        __version__,
    )
    assert state.slots == {"ladder": 2, "system": 1}
    assert state.alive
    assert started - timedelta(minutes=1) < state.started_at <= state.seen_at
    assert state.free_bytes is not None
    assert 0 < state.free_bytes <= shutil.disk_usage(tmp_path).total
    (job,) = state.jobs
    assert (job.name, job.lane, job.attempt, job.args) == (
        Encode.task_name(),
        "ladder",
        1,
        JOB.to_args(),
    )
    assert job.started_at is not None

    async def beats_again() -> bool:
        return (await known(db))[0].seen_at > state.seen_at

    await until(beats_again)
    go.set()

    async def is_idle() -> bool:
        return (await known(db))[0].jobs == ()

    await until(is_idle)
    task.cancel()
    await asyncio.wait([task])
    assert await known(db) == [], "it took leave"


async def test_a_worker_without_a_sign_is_called_dead_and_forgotten_after_a_day(
    db: Database,
) -> None:
    with psycopg.connect(db.url, autocommit=True, row_factory=dict_row) as connection:
        presence.Presence(list, {Lane.SYSTEM: 1}).beat(connection)
        assert [each.alive for each in await known(db)] == [True]
        for silent_s, left in ((60, [False]), (86_000, [False]), (86_500, [])):
            async with db.transaction() as tx:
                await tx.execute(
                    text("UPDATE worker SET seen_at = now() - make_interval(secs => :s)"),
                    {"s": silent_s},
                )
            presence.forget_the_dead(connection)
            assert [each.alive for each in await known(db)] == left


async def test_a_folder_that_is_gone_stops_no_sign_of_life(db: Database, tmp_path: Path) -> None:
    with psycopg.connect(db.url, autocommit=True, row_factory=dict_row) as connection:
        presence.Presence(list, {}, tmp_path / "none").beat(connection)
    assert [each.free_bytes for each in await known(db)] == [None]
