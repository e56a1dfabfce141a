"""Pings that lie about whose they are: the numbers of others stay what they were."""

import json
from typing import Any

import httpx
import pytest

from telecine import clock
from telecine.db.engine import Database
from telecine.domains.analytics.buffer import Buffer
from tests.integration.domains.analytics.playing import Player, make_video
from tests.integration.domains.analytics.test_collector import (
    counted,
    first_generation,
    playbacks,
)

pytestmark = pytest.mark.anyio

NUMBERS = ("play/count", "impression/count", "end/count", "view/count", "watch-time/sum")


async def figures(client: httpx.AsyncClient, video_id: str) -> dict[str, Any]:
    """Return all that is told of a video, with the sessions of it and their events."""
    told: dict[str, Any] = {}
    for number in NUMBERS:
        params = {"filterBy[mediaId]": video_id}
        answer = await client.get(f"/data/metrics/{number}", params=params)
        told[number] = answer.raise_for_status().json()["data"]
    answer = await client.get(f"/analytics/videos/{video_id}")
    told["sessions"] = answer.raise_for_status().json()["data"]
    for session in told["sessions"]:
        session_id = session["session"]["sessionId"]
        answer = await client.get(f"/analytics/sessions/{session_id}/events")
        told[session_id] = answer.raise_for_status().json()["data"]
    return told


async def test_ids_of_another_projects_sessions_change_nothing_there(
    client: httpx.AsyncClient, stranger: httpx.AsyncClient, pings: Buffer, video_id: str
) -> None:
    body = first_generation(video_id, 10)
    session_id = (await client.post("/vod", json=body)).json()["session"]
    honest = Player(client, video_id)
    await honest.watch(20, 8)
    await pings.flush()
    before = await figures(client, video_id)
    assert before["play/count"] == 2
    assert len(before["sessions"]) == 2

    theirs = await make_video(stranger, "theirs")
    # All that a forger can know, with a media of their own, with one of nobody's, and by the
    # other address.
    for media_id in (theirs, "vinobody"):
        forged = {**body["session"], "session_id": session_id, "video_id": media_id}
        assert (await stranger.post("/vod", json={**body, "session": forged})).status_code == 200
        await Player(stranger, media_id, tab=honest.tab, page=honest.page).watch(20, 8)
    forged = {**body["session"], "session_id": session_id, "live_stream_id": video_id}
    assert (await stranger.post("/live", json={**body, "session": forged})).status_code == 200
    await pings.flush()
    assert await figures(client, video_id) == before
    found = await figures(stranger, theirs)
    assert found["play/count"] == 2
    # They see what they told themselves, of a session that is called alike.
    assert [event["type"] for event in found[session_id]] == ["ready", "play", "pause"]


async def test_who_knows_all_of_a_playback_adds_to_it_and_makes_no_other(
    client: httpx.AsyncClient, pings: Buffer, video_id: str
) -> None:
    body = first_generation(video_id, 10)
    session_id = (await client.post("/vod", json=body)).json()["session"]
    known = {**body["session"], "session_id": session_id}
    await client.post("/vod", json={**body, "session": known})
    await pings.flush()
    before = await figures(client, video_id)
    await client.post("/vod", json={**body, "session": known})  # what is known already
    await pings.flush()
    assert await figures(client, video_id) == before
    # What cannot be is left out; that it still plays is told by the ping itself.
    events = [{"type": "pause", "at": 1e9, "emitted_at": "1970-01-01T00:00:00Z"}]
    await client.post("/vod", json={**body, "session": known, "events": events})
    await pings.flush()
    after = await figures(client, video_id)
    for number in NUMBERS:
        if number != "watch-time/sum":
            assert after[number] == before[number]
    assert len(after["sessions"]) == 1
    assert after["watch-time/sum"] >= before["watch-time/sum"]


async def test_what_is_no_session_id_is_counted_and_stored_nowhere(
    client: httpx.AsyncClient, db: Database, pings: Buffer, video_id: str
) -> None:
    invalid = counted("invalid")
    forged = [7, True, ["x"], {"a": "b"}, "x" * 5000, "a\0b", "\ud800"]
    for number, session_id in enumerate(forged):
        body = first_generation(video_id, 10 + number, session_id=session_id)
        answer = await client.post("/vod", content=json.dumps(body))
        assert answer.status_code == 200
        assert answer.json()["session"].startswith("ps")
    for name in ("sid", "pid"):
        for given in (*forged, None, ""):
            event = {"eat": clock.unix_ms(), "typ": 2, "vti": 0}
            batch = {"sat": clock.unix_ms(), "sid": "tab", "pid": "page", "mid": video_id}
            batch |= {"eve": [event], name: given}
            assert (await client.post("/watch", content=json.dumps(batch))).status_code == 204
    assert await playbacks(db, pings) == []
    assert counted("invalid") == invalid + len(forged) + 2 * (len(forged) + 2)
    assert (await figures(client, video_id))["play/count"] == 0


async def test_a_session_that_we_did_not_name_is_one_of_its_own(
    client: httpx.AsyncClient, pings: Buffer, video_id: str
) -> None:
    await client.post("/vod", json=first_generation(video_id, 10))
    await pings.flush()
    before = await figures(client, video_id)
    body = first_generation(video_id, 12, session_id="psguessed")
    assert (await client.post("/vod", json=body)).json()["session"] == "psguessed"
    await pings.flush()
    after = await figures(client, video_id)
    assert after["play/count"] == before["play/count"] + 1  # as of any page that is opened
    [mine] = [each["session"]["sessionId"] for each in before["sessions"]]
    assert after[mine] == before[mine]
    assert before["sessions"][0] in after["sessions"]
