from datetime import timedelta

import httpx
import pytest
from sqlalchemy import delete, select, update

from telecine import clock
from telecine.db.engine import Database
from telecine.domains.videos.models import Video
from telecine.domains.watermarks import sweeps
from telecine.domains.watermarks.models import Watermark
from telecine.http.services import Services
from tests.integration.domains.watermarks.test_api import make, stored_files

pytestmark = pytest.mark.anyio


async def left(services: Services, db: Database) -> tuple[int, int]:
    """Return the number of rows and of objects."""
    async with db.transaction() as tx:
        rows = (await tx.scalars(select(Watermark.id))).all()
    return len(rows), len(await stored_files(services))


async def sweep(services: Services, db: Database) -> int:
    return await sweeps.remove_unused(db, services.store, clock.now() - timedelta(hours=1))


async def test_a_deleted_one_goes_when_no_video_uses_it(
    client: httpx.AsyncClient, services: Services, db: Database
) -> None:
    used, unused, kept = await make(client), await make(client), await make(client)
    video = await client.post("/videos", json={"title": "t", "watermark": {"id": used}})
    assert video.status_code == 201
    assert await sweep(services, db) == 0
    for watermark in (used, unused):
        await client.delete(f"/watermarks/{watermark}")
    assert await sweep(services, db) == 1
    assert await left(services, db) == (2, 2)
    # The row of a deleted video goes when its objects are gone.
    async with db.transaction() as tx:
        await tx.execute(delete(Video))
    assert await sweep(services, db) == 1
    assert await sweep(services, db) == 0
    assert await left(services, db) == (1, 1)
    assert [each["watermarkId"] for each in (await client.get("/watermarks")).json()["data"]] == [
        kept
    ]


async def test_one_that_a_new_video_is_taking_stays(
    client: httpx.AsyncClient, services: Services, db: Database
) -> None:
    await client.delete(f"/watermarks/{await make(client)}")
    async with db.transaction() as tx:
        held = select(Watermark).with_for_update(read=True, key_share=True)
        assert len((await tx.scalars(held)).all()) == 1
        assert await sweep(services, db) == 0
    assert await sweep(services, db) == 1


async def test_one_whose_picture_was_never_stored_goes_after_a_while(
    client: httpx.AsyncClient, services: Services, db: Database
) -> None:
    await make(client)
    async with db.transaction() as tx:
        await tx.execute(update(Watermark).values(stored_at=None))
    assert (await client.get("/watermarks")).json()["data"] == []
    assert await sweep(services, db) == 0
    assert await sweeps.remove_unused(db, services.store, clock.now()) == 1
    assert await left(services, db) == (0, 0)
