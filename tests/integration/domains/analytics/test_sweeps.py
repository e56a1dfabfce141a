from datetime import timedelta

import httpx
import pytest
from sqlalchemy import func, select, text

from telecine import clock
from telecine.db.engine import Database
from telecine.domains.analytics.buffer import Buffer
from telecine.domains.analytics.models import Playback, PlayEvent, PlayTotal
from telecine.domains.analytics.store import partitions
from telecine.domains.analytics.store.sweeps import close, forget
from tests.integration.domains.analytics.playing import Player, make_video

pytestmark = pytest.mark.anyio


async def rows(db: Database) -> list[int | None]:
    async with db.transaction() as tx:
        return [
            await tx.scalar(select(func.count()).select_from(model))
            for model in (Playback, PlayEvent, PlayTotal)
        ]


async def test_old_playbacks_go_and_the_sandboxs_sooner(
    client: httpx.AsyncClient, sandbox: httpx.AsyncClient, db: Database, pings: Buffer
) -> None:
    for viewer in (client, sandbox):
        await Player(viewer, await make_video(viewer, "watched")).watch(20, 8)
    await pings.flush()
    assert await rows(db) == [2, 6, 2]
    hour, now = timedelta(hours=1), clock.now()
    assert await close(db, now) == 0
    assert await close(db, now + hour) == 2
    assert await close(db, now + hour) == 0
    assert await forget(db, now - hour, now - hour) == 0
    assert await forget(db, now - hour, now + hour) == 1
    assert await rows(db) == [1, 3, 2]
    assert await forget(db, now + timedelta(days=9), now + hour) == 1
    assert await rows(db) == [0, 3, 2]
    assert await forget(db, now + timedelta(days=15), now + hour) == 0
    assert await rows(db) == [0, 0, 2]


async def test_a_playback_that_was_closed_goes_on_as_the_same(
    client: httpx.AsyncClient, db: Database, pings: Buffer, video_id: str
) -> None:
    player = Player(client, video_id)
    await player.send((100, 1, 0), (99, 2, 0), (94, 3, 5))
    await pings.flush()
    assert await close(db, clock.now() + timedelta(hours=1)) == 1
    await player.send((8, 2, 5), (3, 3, 10))
    await pings.flush()
    async with db.transaction() as tx:
        [row] = await tx.scalars(select(Playback))
        assert await tx.scalar(text("SELECT count(*) FROM playback_open")) == 1
        assert await tx.scalar(select(PlayTotal.plays)) == 1
    assert row.watched_ms == pytest.approx(10_000, abs=50)
    assert await rows(db) == [1, 5, 1]


async def test_weeks_are_made_ahead_once(db: Database) -> None:
    far = clock.now() + timedelta(days=700)
    async with db.transaction() as tx:
        assert await partitions.make(tx, far) == 6
    async with db.transaction() as tx:
        assert await partitions.make(tx, far + partitions.WEEK) == 2
        assert await partitions.make(tx, far) == 0
