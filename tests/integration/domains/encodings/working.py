"""A worker in the process of a test that does a video's jobs, as a worker process does."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpx
from sqlalchemy import text
from structlog.testing import capture_logs

from telecine.domains.encodings import handlers, queries
from telecine.domains.encodings.handlers.bench import stored_piece
from telecine.domains.encodings.models import Asset
from telecine.jobs.job import Job, Lane
from telecine.jobs.worker import Worker
from tests.fixtures.application import OPERATOR_KEY
from tests.fixtures.waiting import until
from tests.fixtures.workers import running
from tests.integration.domains.encodings.cinema import House
from tests.integration.domains.encodings.test_jobs_document import Json

OPERATOR = {"Authorization": f"Bearer {OPERATOR_KEY}"}

Pieces = dict[tuple[str, int], bytes]
"""Stored pieces, by the name of their rendition and their number."""


@asynccontextmanager
async def working(house: House) -> AsyncIterator[None]:
    """Do the jobs of a house while the block runs, and record what fails for good."""

    async def give_up(job: Job, reason: str) -> None:
        await handlers.record_giving_up(house.bench, job, reason)

    slots = dict.fromkeys((Lane.PROBE, Lane.LADDER, Lane.SYSTEM), 1)
    worker = Worker(house.database_url, handlers.bind(house.bench), slots, give_up)
    with capture_logs():  # drawing the traceback of every attempt takes seconds
        async with running(worker):
            yield


async def hurried(house: House, condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait for a condition; jobs do not wait for their next attempt."""

    async def so() -> bool:
        async with house.bench.db.transaction() as tx:
            at_once = "UPDATE procrastinate_jobs SET scheduled_at = NULL WHERE status = 'todo'"
            await tx.execute(text(at_once))
        return await condition()

    await until(so)


async def work_on(house: House, operator: httpx.AsyncClient) -> Json:
    """Return the operator's view of the work on the video of a house."""
    answer = await operator.get(f"/_/videos/{house.video_id}/jobs", headers=OPERATOR)
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


async def becomes(house: House, operator: httpx.AsyncClient, **states: str) -> Json:
    """Wait until the renditions of a house are in these states; return the work on it."""
    found: Json = {}
    wanted = {name.lstrip("_"): state for name, state in states.items()}

    async def so() -> bool:
        nonlocal found
        found = await work_on(house, operator)
        return wanted.items() <= {row["name"]: row["state"] for row in found["renditions"]}.items()

    try:
        await hurried(house, so)
    except TimeoutError as error:
        error.add_note(f"{found}")
        raise
    return found


async def status_of(house: House) -> list[tuple[str, str, str]]:
    """Return the qualities of the video as its status tells them."""
    async with house.bench.db.transaction() as tx:
        asset = await tx.get_one(Asset, house.asset.id)
        told = await queries.status(tx, asset.video_id, mp4_support=True)
    return [(quality.type, quality.name, quality.state) for quality in told.qualities]


async def pieces_of(house: House) -> Pieces:
    """Return every stored piece of what is encoded."""
    bench, found = house.bench, {}
    async with bench.db.transaction() as tx:
        asset = await tx.get_one(Asset, house.asset.id)
        rows = await queries.renditions_of(tx, asset.id)
    for row in rows:
        for number in range(0 if row.passthrough else row.pieces):
            piece = await stored_piece(bench, asset, row, number)
            if piece is not None:
                found[row.name, number] = piece
    return found
