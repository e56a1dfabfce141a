"""Events and recordings in the database: once, in one transaction with what they announce."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from telecine import ids
from telecine.db.engine import Database
from telecine.domains.accounts import operations as accounts
from telecine.domains.live_streams import broadcasting, operations, queries
from telecine.domains.live_streams.broadcasting import LEASE, REWATCHED, Finished, Owner
from telecine.domains.live_streams.models import Broadcast, LiveStream
from telecine.domains.live_streams.sweeps import Abandoned
from telecine.domains.sources.models import Source, SourceState
from telecine.domains.videos.models import Video
from telecine.domains.webhooks.models import Event
from telecine.sealing import Sealer
from tests.fixtures.application import ProjectKeys

pytestmark = pytest.mark.anyio

SEALER = Sealer(["s" * 32])


async def make_stream(db: Database, project_id: UUID, **values: Any) -> tuple[LiveStream, str]:
    async with db.transaction() as tx:
        row = await operations.create(tx, project_id, SEALER, {"name": "Concert", **values})
        return row, SEALER.open(row.sealed_key, row.public_id)


async def events(db: Database, project_id: UUID) -> list[str]:
    async with db.transaction() as tx:
        rows = select(Event.type).where(Event.project_id == project_id).order_by(Event.id)
        return list(await tx.scalars(rows))


async def test_only_the_key_of_a_stream_that_exists_opens_it(
    db: Database, project: ProjectKeys
) -> None:
    stream, key = await make_stream(db, project.production_id)
    async with db.transaction() as tx:
        found = await broadcasting.authorised(tx, key)
        assert found is not None
        assert found[0].public_id == stream.public_id
        assert await broadcasting.authorised(tx, ids.stream_key()) is None
    async with db.transaction() as tx:
        await operations.delete(tx, project.production_id, stream.public_id)
    async with db.transaction() as tx:
        assert await broadcasting.authorised(tx, key) is None


async def test_streams_of_a_suspended_project_are_closed(
    db: Database, project: ProjectKeys
) -> None:
    stream, key = await make_stream(db, project.production_id)
    async with db.transaction() as tx:
        await broadcasting.begin(tx, project.production_id, stream.public_id, "here")
    for suspended in (True, False):
        async with db.transaction() as tx:
            await accounts.update_project(tx, project.public_id, suspended=suspended)
        async with db.transaction() as tx:
            assert (await broadcasting.authorised(tx, key) is None) is suspended
            found, event = await broadcasting.wanted(tx, stream.public_id)
            assert ((found, event) == (None, None)) is suspended


async def test_one_event_at_a_time_runs_on_a_stream(db: Database, project: ProjectKeys) -> None:
    stream, _ = await make_stream(db, project.production_id)
    async with db.transaction() as tx:
        first = await broadcasting.begin(tx, project.production_id, stream.public_id, "here")
    assert first is not None
    async with db.transaction() as tx:
        again = await broadcasting.begin(tx, project.production_id, stream.public_id, "there")
        assert again is None
        row = await operations.found(tx, project.production_id, stream.public_id)
        assert row.broadcasting
    for _ in range(2):  # the second time changes nothing
        async with db.transaction() as tx:
            await broadcasting.end(tx, first.id)
    async with db.transaction() as tx:
        row = await operations.found(tx, project.production_id, stream.public_id)
        assert not row.broadcasting
        assert await queries.running(tx, project.production_id, stream.id) is None
    told = ["live-stream.broadcast.started", "live-stream.broadcast.ended"]
    assert await events(db, project.production_id) == told


async def aged(db: Database, event_id: UUID, by: timedelta) -> None:
    """Make it longer that the owner of an event was heard of."""
    async with db.transaction() as tx:
        row = await tx.get_one(Broadcast, event_id)
        assert row.alive_at is not None
        row.alive_at -= by


async def test_an_event_of_a_node_that_is_gone_keeps_nobody_from_publishing(
    db: Database, project: ProjectKeys
) -> None:
    stream, _ = await make_stream(db, project.production_id)

    async def begun(node: str) -> Broadcast | None:
        async with db.transaction() as tx:
            return await broadcasting.begin(
                tx, project.production_id, stream.public_id, node, f"{node}:1937"
            )

    async def owner() -> Owner | None:
        async with db.transaction() as tx:
            return await broadcasting.owner(tx, stream.public_id)

    async def elsewhere(node: str) -> Owner | None:
        async with db.transaction() as tx:
            return await broadcasting.elsewhere(tx, stream.id, node)

    assert await owner() is None
    assert await elsewhere("second") is None
    first = await begun("first")
    assert first is not None
    assert await owner() == Owner("first", "first:1937", running=True)
    assert await elsewhere("second") == await owner()
    assert await elsewhere("first") is None
    await aged(db, first.id, 2 * LEASE)
    assert await elsewhere("second") is None
    async with db.transaction() as tx:
        await broadcasting.alive(tx, "first")
        await broadcasting.alive(tx, "second")
    assert await begun("second") is None  # it was heard of just now
    await aged(db, first.id, 2 * LEASE)
    assert await begun("first") is None  # it knows its own event
    second = await begun("second")
    assert second is not None
    assert await owner() == Owner("second", "second:1937", running=True)
    async with db.transaction() as tx:
        await broadcasting.end(tx, first.id)  # its owner is back, too late
        await broadcasting.back(tx, "second", "elsewhere:1")
        row = await operations.found(tx, project.production_id, stream.public_id)
        assert row.broadcasting
    assert await owner() == Owner("second", "elsewhere:1", running=True)
    async with db.transaction() as tx:
        await broadcasting.end(tx, second.id)
    assert await elsewhere("first") is None
    # It has what can still be watched of it, for a while.
    assert await owner() == Owner("second", "elsewhere:1", running=False)
    async with db.transaction() as tx:
        for each in (first, second):
            over = await tx.get_one(Broadcast, each.id)
            assert over.ended_at is not None
            over.ended_at -= 2 * REWATCHED
    assert await owner() is None
    started, ended = "live-stream.broadcast.started", "live-stream.broadcast.ended"
    assert await events(db, project.production_id) == [started, ended, started, ended]


async def test_an_event_of_a_node_that_is_gone_for_good_ends(
    db: Database, project: ProjectKeys
) -> None:
    grace = timedelta(seconds=60)
    stream, _ = await make_stream(db, project.production_id)
    async with db.transaction() as tx:
        event = await broadcasting.begin(tx, project.production_id, stream.public_id, "gone")
    assert event is not None
    worker = Abandoned(db, grace)

    async def broadcasts() -> bool:
        async with db.transaction() as tx:
            return (
                await operations.found(tx, project.production_id, stream.public_id)
            ).broadcasting

    await aged(db, event.id, LEASE + grace / 2)
    assert [await worker.sweep(), await worker.sweep()] == [0, 0]  # its encoder may come back
    await aged(db, event.id, grace)
    assert await worker.sweep() == 0  # perhaps it was the database that was away
    async with db.transaction() as tx:
        await broadcasting.alive(tx, "gone")
    assert await worker.sweep() == 0
    await aged(db, event.id, LEASE + 2 * grace)
    assert await worker.sweep() == 0
    assert await broadcasts()
    assert [await worker.sweep(), await worker.sweep()] == [1, 0]
    assert not await broadcasts()
    told = ["live-stream.broadcast.started", "live-stream.broadcast.ended"]
    assert await events(db, project.production_id) == told


async def test_completing_reaches_the_owner_of_the_event(
    db: Database, project: ProjectKeys
) -> None:
    stream, _ = await make_stream(db, project.production_id)
    async with db.transaction() as tx:
        await operations.complete(tx, project.production_id, stream.public_id)  # nothing runs
        await broadcasting.begin(tx, project.production_id, stream.public_id, "here")
    async with db.transaction() as tx:
        await operations.complete(tx, project.production_id, stream.public_id)
    async with db.transaction() as tx:
        _, event = await broadcasting.wanted(tx, stream.public_id)
        assert event is not None
        assert event.completed_at is not None


async def test_a_recording_becomes_one_video_however_often_it_is_reported(
    db: Database, project: ProjectKeys
) -> None:
    stream, _ = await make_stream(db, project.production_id, public=False)
    async with db.transaction() as tx:
        event = await broadcasting.begin(tx, project.production_id, stream.public_id, "here")
        assert event is not None
        recording = await broadcasting.begin_recording(tx, event.id, "live/file", kept=True)
    async with db.transaction() as tx:
        left = await broadcasting.unfinished_recordings(tx, "here")
        assert [row.id for row in left] == [recording.id]
    finished = Finished(recording.id, 1234, 5.0)
    first = ids.public_id("vi")
    for video_id in (first, ids.public_id("vi")):
        key = broadcasting.video_key(project.production_id, video_id)
        async with db.transaction() as tx:
            made = await broadcasting.recorded(tx, finished, video_id, key)
        assert made == (first if video_id == first else None)
    async with db.transaction() as tx:
        rows = select(Video, Source).join(Source, Source.video_id == Video.id)
        video, source = (await tx.execute(rows)).one()
        assert (video.title, video.public) == ("Concert", False)
        assert video.live_stream_id == stream.public_id
        assert source.state == SourceState.INGESTED
        assert source.size_bytes == 1234
        assert await broadcasting.unfinished_recordings(tx, "here") == []
    assert (await events(db, project.production_id))[-1] == "video.source.recorded"


async def test_a_recording_that_nobody_wants_makes_no_video(
    db: Database, project: ProjectKeys
) -> None:
    stream, _ = await make_stream(db, project.production_id, record=False)
    async with db.transaction() as tx:
        event = await broadcasting.begin(tx, project.production_id, stream.public_id, "here")
        assert event is not None
        recording = await broadcasting.begin_recording(tx, event.id, "live/file", kept=False)
        await broadcasting.dropped(tx, recording.id)
    async with db.transaction() as tx:
        assert await broadcasting.unfinished_recordings(tx, "here") == []
        assert await tx.scalar(select(Video.id)) is None
