"""Workers that die or freeze: processes of their own, ended the hard way."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import text

from telecine.db.engine import Database
from telecine.jobs import queue
from tests.fixtures.waiting import until
from tests.integration.jobs.sample import Encode, words, write

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parents[3]
JOB = Encode(asset_id=UUID("01890a5d-ac96-774b-bcce-b302099a8057"), chunk=0)


PROGRAM = """
import asyncio, sys
from tests.integration.jobs.sample import main
asyncio.run(main(*sys.argv[1:]))
"""


class Crowd:
    """Worker programs on one database."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self.processes: list[asyncio.subprocess.Process] = []

    async def start(self, name: str) -> asyncio.subprocess.Process:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", PROGRAM, self.db.url, name),
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"},
        )
        self.processes.append(process)
        return process

    async def end(self) -> None:
        for process in self.processes:
            if process.returncode is None:
                process.kill()
            await process.wait()

    async def says(self, *expected: str) -> None:
        async def so() -> bool:
            return (await words(self.db))[: len(expected)] == list(expected)

        await until(so)

    async def no_job_is_left(self) -> None:
        async def so() -> bool:
            async with self.db.transaction() as tx:
                count = await tx.scalar(text("SELECT count(*) FROM procrastinate_jobs"))
            return bool(count == 0)

        await until(so)


@pytest.fixture
async def crowd(db: Database) -> AsyncIterator[Crowd]:
    crowd = Crowd(db)
    async with db.transaction() as tx:
        await queue.enqueue(tx, JOB)
    yield crowd
    await crowd.end()


async def test_the_job_of_a_killed_worker_is_taken_over(crowd: Crowd) -> None:
    first = await crowd.start("first")
    await crowd.says("first began")
    await crowd.start("second")
    first.kill()
    await crowd.says("first began", "second began")
    await write(crowd.db, "go")
    await crowd.no_job_is_left()
    assert await words(crowd.db) == ["first began", "second began", "go", "second ended"]


async def test_a_job_that_kills_every_worker_comes_to_an_end(crowd: Crowd) -> None:
    said = []
    for name in ("a", "b", "c"):
        process = await crowd.start(name)
        said.append(f"{name} began")
        await crowd.says(*said)
        process.kill()
        await process.wait()
    await crowd.start("d")
    await crowd.says(*said, "d gave up: worker-died: 3 times")


async def test_a_worker_that_woke_up_does_not_end_the_job_of_another(crowd: Crowd) -> None:
    first = await crowd.start("first")
    await crowd.says("first began")
    first.send_signal(signal.SIGSTOP)
    await crowd.start("second")
    await crowd.says("first began", "second began")
    # Both are at it; the one that lost the job is the first to finish.
    second = crowd.processes[1]
    second.send_signal(signal.SIGSTOP)
    await write(crowd.db, "go")
    first.send_signal(signal.SIGCONT)
    await crowd.says("first began", "second began", "go", "first ended")
    # The queue holds the second's job until the second has said how it went.
    async with crowd.db.transaction() as tx:
        jobs = await tx.scalar(text("SELECT count(*) FROM procrastinate_jobs"))
    assert jobs == 1
    second.send_signal(signal.SIGCONT)
    await crowd.no_job_is_left()
