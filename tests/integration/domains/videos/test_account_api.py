import httpx
import pytest
from sqlalchemy import select, text

from telecine.db.engine import Database
from telecine.domains.encodings.models import Asset
from telecine.domains.encodings.operations import VideoRef, new_asset

pytestmark = pytest.mark.anyio


async def used(client: httpx.AsyncClient) -> int:
    reply = await client.get("/account")
    assert reply.status_code == 200, reply.text
    quota = reply.json()["quota"]
    assert (quota["quotaTotal"], quota["quotaRemaining"]) == (None, None)
    return int(quota["quotaUsed"])


async def store(db: Database, client: httpx.AsyncClient, *durations_s: float | None) -> None:
    """Make a video that was cut as often as there are durations, the last one now."""
    made = (await client.post("/videos", json={"title": "t"})).json()
    files = {"file": ("a.mp4", b"a film")}
    await client.post(f"/videos/{made['videoId']}/source", files=files)
    async with db.transaction() as tx:
        row = await tx.execute(
            text("SELECT id, project_id FROM video WHERE public_id = :id"), {"id": made["videoId"]}
        )
        video_id, project_id = row.one()
        video = VideoRef(video_id, project_id, made["videoId"])
        first = (await tx.scalars(select(Asset).where(Asset.video_id == video.id))).one()
        assets = [
            first,
            *[await new_asset(tx, video, first.source_id, {}) for _ in durations_s[1:]],
        ]
        for asset, duration_s in zip(assets, durations_s, strict=True):
            asset.duration_s = duration_s


async def test_it_tells_the_minutes_that_are_stored(
    client: httpx.AsyncClient, stranger: httpx.AsyncClient, db: Database
) -> None:
    assert await used(client) == 0
    await store(db, client, 59.5)
    assert await used(client) == 1
    await store(db, client, 600.0, 30.5, None)  # the newest cut of which the length is known
    assert await used(client) == 2
    assert await used(stranger) == 0


async def test_it_tells_the_environment(client: httpx.AsyncClient) -> None:
    told = (await client.get("/account")).json()
    assert told["environment"] == "production"
    assert "player.white_label" in told["features"]
