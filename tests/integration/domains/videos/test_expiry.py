"""Videos whose time is over; the time is passed in."""

import asyncio
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, text, update

from telecine import clock
from telecine.db.engine import Database
from telecine.domains.sources import fetching
from telecine.domains.sources import operations as sources
from telecine.domains.videos import expiry
from telecine.domains.videos.models import Video
from telecine.domains.videos.operations import create_video, found, reference, source_failed
from tests.fixtures.application import make_project

pytestmark = pytest.mark.anyio

NOW = clock.now()
DAY = timedelta(days=1)


async def new_video(db: Database, project_id: UUID, **values: Any) -> str:
    async with db.transaction() as tx:
        row = await create_video(tx, project_id, {"title": "t"})
        if values:
            await tx.execute(update(Video).where(Video.id == row.id).values(values))
    return row.public_id


async def left(db: Database) -> set[str]:
    async with db.transaction() as tx:
        return set(await tx.scalars(select(Video.public_id).where(Video.deleted_at.is_(None))))


async def removals(db: Database) -> int:
    """Count the jobs that will delete the objects."""
    async with db.transaction() as tx:
        rows = "SELECT count(*) FROM procrastinate_jobs WHERE task_name LIKE '%RemoveMedia'"
        return int(await tx.scalar(text(rows)) or 0)


async def test_only_old_videos_of_the_sandbox_are_deleted(db: Database) -> None:
    project = await make_project(db)
    kept = set()
    for half in (project.sandbox_id, project.production_id):
        for created in (NOW - DAY - timedelta(seconds=1), NOW):
            video = await new_video(db, half, created_at=created)
            if half == project.production_id or created == NOW:
                kept.add(video)
    assert await expiry.delete_sandbox(db, NOW - DAY) == 1
    assert await expiry.delete_sandbox(db, NOW - DAY) == 0
    assert await left(db) == kept
    assert await removals(db) == 1


async def test_a_discarded_video_is_deleted_at_its_time(db: Database) -> None:
    project = (await make_project(db)).production_id
    over: list[datetime | None] = [NOW - DAY, NOW]
    gone = [await new_video(db, project, discarded_at=NOW - DAY, deletes_at=at) for at in over]
    still: list[datetime | None] = [NOW + timedelta(seconds=1), None]
    kept = {await new_video(db, project, discarded_at=NOW, deletes_at=at) for at in still}
    kept.add(await new_video(db, project, deletes_at=NOW - DAY))  # restored
    assert await expiry.delete_discarded(db, NOW) == len(gone)
    assert await expiry.delete_discarded(db, NOW) == 0
    assert await left(db) == kept
    assert await removals(db) == 2


async def test_an_old_video_without_a_file_is_deleted(db: Database) -> None:
    project = (await make_project(db)).production_id
    old = NOW - DAY - timedelta(seconds=1)
    gone = await new_video(db, project, updated_at=old)
    changed = await new_video(db, project, created_at=old)
    live = await new_video(db, project, updated_at=old, live_stream_id="li1")
    uploading = await new_video(db, project, updated_at=old)
    async with db.transaction() as tx:
        row = await found(tx, project, uploading, lock=True)
        await sources.open_source(tx, reference(row, project).owner, "a.mp4")
    assert await left(db) == {gone, changed, live, uploading}
    assert await expiry.delete_empty(db, NOW - DAY) == 1
    assert await left(db) == {changed, live, uploading}


async def test_the_container_of_a_failed_download_is_deleted_like_an_empty_one(
    db: Database,
) -> None:
    """Counted from the failure: what was asked for long ago is still to be seen for a while."""
    project = (await make_project(db)).production_id
    failed, under_way = [await new_video(db, project) for _ in range(2)]
    async with db.transaction() as tx:
        sources_of = {}
        for video in (failed, under_way):
            owner = reference(await found(tx, project, video, lock=True), project).owner
            source = await fetching.begin_download(tx, owner, "https://origin.example/a.mp4")
            sources_of[video] = source.id
        await tx.execute(update(Video).values(updated_at=NOW - 2 * DAY))
    async with db.transaction() as tx:
        given_up, _ = await fetching.give_up(tx, sources_of[failed], "nobody there")
        assert given_up is not None
        await source_failed(tx, given_up)
    assert await expiry.delete_empty(db, NOW - DAY) == 0
    assert await expiry.delete_empty(db, clock.now() + DAY) == 1
    assert await left(db) == {under_way}


async def test_a_file_that_arrives_while_we_look_saves_its_video(db: Database) -> None:
    project = (await make_project(db)).production_id
    video = await new_video(db, project, updated_at=NOW - 2 * DAY)
    async with db.transaction() as tx:
        row = await found(tx, project, video, lock=True)
        assert await expiry.delete_empty(db, NOW) == 0
        await sources.open_source(tx, reference(row, project).owner, "a.mp4")
    assert await expiry.delete_empty(db, NOW) == 0
    assert len(await left(db)) == 1


async def test_many_workers_delete_each_video_once(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expiry, "_BATCH", 3)
    project = (await make_project(db)).sandbox_id
    for _ in range(10):
        await new_video(db, project, created_at=NOW - 2 * DAY)
    deleted = await asyncio.gather(*(expiry.delete_sandbox(db, NOW) for _ in range(4)))
    assert sum(deleted) == 10 == await removals(db)
    assert await left(db) == set()
