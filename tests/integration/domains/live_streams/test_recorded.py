"""What is known of the video that a recording becomes, before anybody has touched it."""

from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from telecine import ids
from telecine.db.engine import Database
from telecine.domains.live_streams import broadcasting
from telecine.domains.live_streams.broadcasting import Finished
from telecine.domains.live_streams.models import LiveStream
from tests.fixtures.application import ProjectKeys

pytestmark = pytest.mark.anyio

Json = dict[str, Any]


async def made(client: httpx.AsyncClient, path: str, **members: Any) -> Json:
    reply = await client.post(path, json=members)
    assert reply.is_success, reply.text
    found: Json = reply.json()
    return found


async def theme(client: httpx.AsyncClient) -> str:
    return str((await made(client, "/players", text="rgba(1, 2, 3, 1)"))["playerId"])


async def recorded(
    db: Database, client: httpx.AsyncClient, project: ProjectKeys, live_id: str, **changes: Any
) -> tuple[Json, Json, datetime]:
    """Record an event of a stream that is changed meanwhile.

    Return the only video there is, its status, and when the recording began.
    """
    async with db.transaction() as tx:
        event = await broadcasting.begin(tx, project.production_id, live_id, "here")
        assert event is not None
        row = await broadcasting.begin_recording(tx, event.id, "live/file", kept=True)
        begun = row.started_at = row.started_at - timedelta(hours=1)
    if changes:
        assert (await client.patch(f"/live-streams/{live_id}", json=changes)).is_success
    video_id = ids.public_id("vi")
    async with db.transaction() as tx:
        await broadcasting.end(tx, event.id)
        key = broadcasting.video_key(project.production_id, video_id)
        assert await broadcasting.recorded(tx, Finished(row.id, 1234, 5.0), video_id, key)
    listed = (await client.get("/videos", params={"liveStreamId": live_id})).json()["data"]
    (video,) = listed
    assert video["videoId"] == video_id
    status = (await client.get(f"/videos/{video_id}/status")).json()
    return video, status, begun


async def test_a_recording_is_a_video_like_others(
    db: Database, client: httpx.AsyncClient, project: ProjectKeys
) -> None:
    live_id = (await made(client, "/live-streams", name="Concert"))["liveStreamId"]
    video, status, begun = await recorded(db, client, project, live_id)
    assert video["title"] == "Concert"
    assert video["description"] == ""
    assert (video["tags"], video["metadata"]) == ([], [])
    assert (video["public"], video["panoramic"], video["mp4Support"]) == (True, False, True)
    assert "playerId" not in video
    assert video["source"] == {
        "type": "liveStream",
        "uri": f"/videos/{video['videoId']}/source",
        "liveStream": {
            "liveStreamId": live_id,
            "links": [{"rel": "self", "uri": f"/live-streams/{live_id}"}],
        },
    }
    stamps = [datetime.fromisoformat(video[name]) for name in ("publishedAt", "createdAt")]
    assert stamps == [begun.replace(microsecond=0)] * 2
    assert datetime.fromisoformat(video["updatedAt"]) >= stamps[0]
    assert f"/{video['videoId']}/" in video["assets"]["mp4"]  # it has one, or will have it
    assert status["ingest"]["status"] == "ingested"
    assert status["ingest"]["filesize"] == 1234


async def test_a_recording_is_what_its_stream_is_when_it_ends(
    db: Database, client: httpx.AsyncClient, project: ProjectKeys
) -> None:
    first, last = await theme(client), await theme(client)
    stream = await made(client, "/live-streams", name="Rehearsal", playerId=first)
    changes = {"name": "Concert", "public": False, "playerId": last}
    video, _, _ = await recorded(db, client, project, stream["liveStreamId"], **changes)
    assert (video["title"], video["public"], video["playerId"]) == ("Concert", False, last)


async def test_a_theme_that_is_gone_is_no_reason_to_lose_a_recording(
    db: Database, client: httpx.AsyncClient, project: ProjectKeys
) -> None:
    player_id = await theme(client)
    stream = await made(client, "/live-streams", name="Concert", playerId=player_id)
    assert (await client.delete(f"/players/{player_id}")).is_success
    async with db.transaction() as tx:  # as it was, when it was deleted under way
        row = await tx.scalar(select(LiveStream))
        assert row is not None
        row.player_id = player_id
    video, _, _ = await recorded(db, client, project, stream["liveStreamId"])
    assert "playerId" not in video


async def test_recordings_of_others_are_not_found(
    db: Database, client: httpx.AsyncClient, stranger: httpx.AsyncClient, project: ProjectKeys
) -> None:
    live_id = (await made(client, "/live-streams", name="Concert"))["liveStreamId"]
    await recorded(db, client, project, live_id)
    listed = await stranger.get("/videos", params={"liveStreamId": live_id})
    assert listed.json()["data"] == []
