"""Begin and end of an event and what is announced of them: all of it, or nothing."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError
from structlog.testing import capture_logs

from telecine.db.engine import Database
from telecine.domains.live_streams import broadcasting, events, operations
from telecine.domains.live_streams.broadcasting import Finished
from telecine.domains.live_streams.events import StoredBroadcasts
from telecine.domains.live_streams.models import Broadcast, LiveStream, Recording
from telecine.domains.sources.models import Source
from telecine.domains.videos.models import Video
from telecine.domains.webhooks.models import Event
from telecine.live.ports import Stream
from telecine.sealing import Sealer
from telecine.storage.local import LocalStore
from tests.fixtures.application import ProjectKeys
from tests.fixtures.waiting import PATIENCE_S, until

pytestmark = pytest.mark.anyio

SEALER = Sealer(["s" * 32])
FULL = "$$ BEGIN RAISE 'no room in the outbox'; END $$"
REFUSE = (
    f"CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS {FULL}",
    "CREATE TRIGGER refuse BEFORE INSERT ON event FOR EACH ROW EXECUTE FUNCTION refuse()",
)
ALLOW = ("DROP TRIGGER refuse ON event", "DROP FUNCTION refuse")


@contextlib.asynccontextmanager
async def full_outbox(db: Database) -> AsyncIterator[None]:
    """Let every transaction fail that announces something."""
    await _execute(db, REFUSE)
    try:
        yield
    finally:
        await _execute(db, ALLOW)


async def _execute(db: Database, statements: Sequence[str]) -> None:
    async with db.transaction() as tx:
        for statement in statements:
            await tx.execute(text(statement))


@dataclass(frozen=True, slots=True)
class Studio:
    """A stream, and the state of all that belongs to it."""

    db: Database
    client: httpx.AsyncClient
    project_id: UUID
    row: LiveStream

    async def broadcasting(self) -> bool:
        answer = await self.client.get(f"/live-streams/{self.row.public_id}")
        return bool(answer.json()["broadcasting"])

    async def told(self) -> list[str]:
        async with self.db.transaction() as tx:
            return list(await tx.scalars(select(Event.type).order_by(Event.id)))

    async def running(self) -> list[bool]:
        """Return of each event whether it runs."""
        async with self.db.transaction() as tx:
            rows = await tx.scalars(select(Broadcast).order_by(Broadcast.id))
            return [each.ended_at is None for each in rows]

    async def begin(self) -> UUID:
        async with self.db.transaction() as tx:
            event = await broadcasting.begin(tx, self.project_id, self.row.public_id, "here")
            assert event is not None
            return event.id


@pytest.fixture
async def studio(db: Database, client: httpx.AsyncClient, project: ProjectKeys) -> Studio:
    async with db.transaction() as tx:
        row = await operations.create(tx, project.production_id, SEALER, {"name": "Live"})
    return Studio(db, client, project.production_id, row)


async def test_an_event_that_cannot_be_announced_has_not_begun(studio: Studio) -> None:
    async with full_outbox(studio.db):
        with pytest.raises(DBAPIError, match="no room in the outbox"):
            await studio.begin()
        assert not await studio.broadcasting()
        assert (await studio.running(), await studio.told()) == ([], [])
    await studio.begin()
    assert await studio.broadcasting()
    assert await studio.running() == [True]
    assert await studio.told() == ["live-stream.broadcast.started"]


async def test_an_end_that_cannot_be_announced_is_none(studio: Studio) -> None:
    event = await studio.begin()
    async with full_outbox(studio.db):
        with pytest.raises(DBAPIError, match="no room in the outbox"):
            async with studio.db.transaction() as tx:
                await broadcasting.end(tx, event)
        assert await studio.broadcasting()
        assert await studio.running() == [True]
    async with studio.db.transaction() as tx:
        await broadcasting.end(tx, event)
    assert not await studio.broadcasting()
    assert await studio.running() == [False]
    assert (await studio.told())[1:] == ["live-stream.broadcast.ended"]


async def test_a_recording_that_cannot_be_announced_is_no_video(studio: Studio) -> None:
    event = await studio.begin()
    async with studio.db.transaction() as tx:
        recording = await broadcasting.begin_recording(tx, event, "live/file", kept=True)
    key = broadcasting.video_key(studio.project_id, "vi1")
    finished = Finished(recording.id, 1234, 5.0)

    async def left() -> tuple[int, int, bool]:
        async with studio.db.transaction() as tx:
            row = await tx.get_one(Recording, recording.id)
            videos = (await tx.scalars(select(Video.id))).all()
            sources = (await tx.scalars(select(Source.id))).all()
            return len(videos), len(sources), row.ended_at is not None

    async with full_outbox(studio.db):
        with pytest.raises(DBAPIError, match="no room in the outbox"):
            async with studio.db.transaction() as tx:
                await broadcasting.recorded(tx, finished, "vi1", key)
        assert await left() == (0, 0, False)
    async with studio.db.transaction() as tx:
        await broadcasting.recorded(tx, finished, "vi1", key)
    assert await left() == (1, 1, True)
    assert (await studio.told())[1:] == ["video.source.uploaded", "video.source.recorded"]


async def test_what_failed_is_tried_until_it_is_there_once(
    studio: Studio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = LocalStore(tmp_path)
    broadcasts = StoredBroadcasts(studio.db, store, store, "here", SEALER)
    stream = Stream(studio.project_id, studio.row.public_id, record=True)
    monkeypatch.setattr(events, "_PAUSES_S", (0.01,))
    with capture_logs() as lines:

        async def tried_again() -> bool:
            return (
                len([each for each in lines if each["event"] == "broadcast not recorded yet"]) > 1
            )

        async with full_outbox(studio.db):
            starting = asyncio.ensure_future(broadcasts.started(stream))
            await until(tried_again)
            assert not await studio.broadcasting()
            assert (await studio.running(), await studio.told()) == ([], [])
        assert await asyncio.wait_for(starting, PATIENCE_S) is not None
    assert await studio.broadcasting()
    assert (await studio.running(), len(await studio.told())) == ([True], 1)
