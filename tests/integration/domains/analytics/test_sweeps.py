from datetime import timedelta

import httpx
import pytest
from sqlalchemy import func, select

from telecine import clock
from telecine.db.engine import Database
from telecine.domains.analytics.buffer import Buffer
from telecine.domains.analytics.models import Playback, PlayEvent, PlayTotal
from telecine.domains.analytics.sweeps import forget
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
    assert await forget(db, now - hour, now - hour) == 0
    assert await forget(db, now - hour, now + hour) == 1
    assert await rows(db) == [1, 3, 2]
    assert await forget(db, now + hour, now + hour) == 1
    assert await rows(db) == [0, 0, 2]
