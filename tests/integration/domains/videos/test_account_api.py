import httpx
import pytest
from sqlalchemy import select, text

from telecine.db.engine import Database
from telecine.domains.encodings.models import Asset
from telecine.domains.encodings.operations import VideoRef, new_asset
from tests.fixtures.application import OPERATOR_KEY, ProjectKeys
from tests.fixtures.waiting import until

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


async def test_it_tells_the_quota_of_the_projects_settings(
    client: httpx.AsyncClient,
    sandbox: httpx.AsyncClient,
    stranger: httpx.AsyncClient,
    anonymous: httpx.AsyncClient,
    project: ProjectKeys,
    db: Database,
) -> None:
    await store(db, client, 600.0)
    path = f"/_/projects/{project.public_id}/settings"
    operator = {"Authorization": f"Bearer {OPERATOR_KEY}"}
    for total, left in ((60, 50), (10, 0), (7, 0), (None, None)):
        changed = await anonymous.patch(path, json={"quotaMinutes": total}, headers=operator)
        assert changed.status_code == 200, changed.text
        expected = {"quotaUsed": 10, "quotaRemaining": left, "quotaTotal": total}

        async def told(expected: dict[str, int | None] = expected) -> bool:
            # Settings are remembered for a second.
            return bool((await client.get("/account")).json()["quota"] == expected)

        await until(told)
    assert await used(sandbox) == 0
    assert await used(stranger) == 0
    for wrong in (-1, 1.5, "60"):
        refused = await anonymous.patch(path, json={"quotaMinutes": wrong}, headers=operator)
        assert (refused.status_code, refused.json()["name"]) == (400, "quotaMinutes")


@pytest.mark.parametrize("environment", ["production", "sandbox"])
async def test_it_tells_the_environment(
    client: httpx.AsyncClient, sandbox: httpx.AsyncClient, environment: str
) -> None:
    asking = {"production": client, "sandbox": sandbox}[environment]
    told = (await asking.get("/account")).raise_for_status().json()
    assert told["environment"] == environment
    assert told["features"] == [
        "app.dynamic_metadata",
        "app.event_log",
        "player.white_label",
        "stats.player_events",
        "transcode.mp4_support",
    ]
