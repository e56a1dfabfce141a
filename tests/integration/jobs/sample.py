"""Jobs for tests, and a worker as a program of its own: it can be killed."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text

from telecine.db.engine import Database
from telecine.jobs.job import Job, Lane
from telecine.jobs.worker import Patience, Worker
from tests.fixtures.waiting import until


@dataclass(frozen=True, slots=True)
class Encode(Job):
    lane, attempts, timeout_s = Lane.LADDER, 3, 60.0

    asset_id: UUID
    chunk: int


@dataclass(frozen=True, slots=True)
class Tidy(Job):
    lane, attempts, timeout_s = Lane.SYSTEM, 1, 0.1

    asset_id: UUID


async def write(db: Database, word: str) -> None:
    async with db.transaction() as tx:
        await tx.execute(text("INSERT INTO trace (word) VALUES (:word)"), {"word": word})


async def words(db: Database) -> list[str]:
    async with db.transaction() as tx:
        return list(await tx.scalars(text("SELECT word FROM trace ORDER BY id")))


async def main(url: str, name: str) -> None:
    """Start jobs that end when the word "go" is in the trace."""
    db = Database(url)

    async def said_go() -> bool:
        return "go" in await words(db)

    async def encode(_: Encode) -> None:
        await write(db, f"{name} began")
        await until(said_go)
        await write(db, f"{name} ended")

    async def giving_up(job: Job, reason: str) -> None:
        await write(db, f"{name} gave up: {reason}")

    await Worker(
        url, {Encode: encode}, {Lane.LADDER: 1}, giving_up, patience=Patience(dead_after_s=2)
    ).run()
