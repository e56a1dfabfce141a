import json
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from telecine import clock
from telecine.domains.analytics.buffer import Buffer
from tests.integration.domains.analytics.playing import IPHONE, Player, iso, make_video

pytestmark = pytest.mark.anyio


async def listed(client: httpx.AsyncClient, path: str, **params: str) -> dict[str, Any]:
    answer = await client.get(path, params=params)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_a_session_as_old_clients_read_it(
    client: httpx.AsyncClient, pings: Buffer, video_id: str
) -> None:
    search = "https://www.google.com/search?q=video+hosting"
    await Player(client, video_id, referrer=search).watch(20, 8)
    await pings.flush()
    found = await listed(client, f"/analytics/videos/{video_id}")
    [session] = found["data"]
    assert list(session) == ["session", "location", "referrer", "device", "os", "client"]
    times = session.pop("session")
    assert times["sessionId"].startswith("ps")
    length = datetime.fromisoformat(times["endedAt"]) - datetime.fromisoformat(times["loadedAt"])
    assert length.total_seconds() == pytest.approx(9, abs=0.2)
    assert session == {
        "location": {"country": "unknown", "city": "unknown"},
        "referrer": {
            "url": search,
            "medium": "organic",
            "source": "https://www.google.com",
            "searchTerm": "video hosting",
        },
        "device": {"type": "desktop", "vendor": "unknown", "model": "unknown"},
        "os": {"name": "Microsoft Windows", "shortname": "W10", "version": "Windows10"},
        "client": {"type": "browser", "name": "Chrome", "version": "130.0"},
    }
    assert found["pagination"]["links"][0]["uri"] == (
        f"/analytics/videos/{video_id}?currentPage=1&pageSize=25"
    )


async def test_events_of_the_second_generation_get_the_names_of_the_first(
    client: httpx.AsyncClient, pings: Buffer, video_id: str
) -> None:
    player = Player(client, video_id)
    await player.send((30, 1, 0), (29, 2, 0), (24, 4, 5.5))
    await player.send((23, 3, 6.9), (20, 2, 6.9), (19, 7, 20), (18, 7, 3))
    await player.send((10, 6, 30), (8, 2, 0), (7, 3, 1))
    await pings.flush()
    sessions = await listed(client, f"/analytics/videos/{video_id}")
    session_id = sessions["data"][0]["session"]["sessionId"]
    found = await listed(client, f"/analytics/sessions/{session_id}/events")
    shown = [{key: event[key] for key in event if key != "emittedAt"} for event in found["data"]]
    assert shown == [
        {"type": "ready", "at": 0},
        {"type": "play", "at": 0},
        {"type": "pause", "at": 6},
        {"type": "resume", "at": 6},
        {"type": "seek.forward", "from": 6, "to": 20},
        {"type": "seek.backward", "from": 20, "to": 3},
        {"type": "end", "at": 30},
        {"type": "play", "at": 0},
        {"type": "pause", "at": 1},
    ]
    assert found["data"][0]["emittedAt"].endswith("+00:00")
    last = await listed(
        client, f"/analytics/sessions/{session_id}/events", currentPage="5", pageSize="2"
    )
    assert [event["type"] for event in last["data"]] == ["pause"]
    assert last["pagination"]["itemsTotal"] == 9
    assert last["pagination"]["pagesTotal"] == 5


async def test_periods_metadata_and_pages(client: httpx.AsyncClient, pings: Buffer) -> None:
    of_video = [{"key": "genre", "value": "film"}]
    video_id = await make_video(client, "watched", metadata=of_video)
    path = f"/analytics/videos/{video_id}"
    for number in range(3):
        player = Player(client, video_id)
        await player.send((60 - number, 1, 0), meta={"user": str(number % 2), "of": "all"})
    await pings.flush()

    async def total(**params: str) -> int:
        found = await listed(client, path, **params)
        return int(found["pagination"]["itemsTotal"])

    today = clock.now().date()
    year, week, _ = (clock.now() - timedelta(seconds=60)).isocalendar()
    yesterday = today - timedelta(days=1)
    assert await total() == 3
    assert await total(period=f"{yesterday}/{today}") == 3
    assert await total(period=f"{year}-W{week:02}") == 3
    assert await total(period="2018") == 0
    assert await total(**{"metadata[user]": "0"}) == 2
    assert await total(**{"metadata[user]": "0", "metadata[of]": "all"}) == 2
    assert await total(**{"metadata[user]": "0", "metadata[genre]": "film"}) == 2
    assert await total(**{"metadata[genre]": "series"}) == 0
    pairs = json.dumps([{"key": "user", "value": "1"}])
    assert await total(metadata=pairs) == 1
    pages = [await listed(client, path, currentPage=str(n), pageSize="2") for n in (1, 2, 3)]
    loaded = [each["session"]["loadedAt"] for page in pages for each in page["data"]]
    assert loaded == sorted(loaded, reverse=True)
    assert [len(page["data"]) for page in pages] == [2, 1, 0]
    # Python clients that refuse members they do not know.
    agent = {"user-agent": "api.video client (python; v:1.2.8; )"}
    for headers, shown in (({}, True), (agent, False)):
        answer = await client.get(path, headers=headers)
        assert ("metadata" in answer.json()["data"][0]["session"]) is shown


async def test_a_reload_in_the_same_tab_is_the_same_session(
    client: httpx.AsyncClient, pings: Buffer, video_id: str
) -> None:
    for ago_s in (60, 30):
        await Player(client, video_id, tab="one tab").watch(ago_s, 8)
    await Player(client, video_id, tab="another", user_agent=IPHONE).watch(10, 8)
    await pings.flush()
    found = await listed(client, f"/analytics/videos/{video_id}")
    assert [each["device"]["type"] for each in found["data"]] == ["mobile", "desktop"]
    session_id = found["data"][1]["session"]["sessionId"]
    events = await listed(client, f"/analytics/sessions/{session_id}/events")
    types = [event["type"] for event in events["data"]]
    assert types == ["ready", "play", "pause", "ready", "play", "pause"]


async def test_sessions_of_a_live_stream(client: httpx.AsyncClient, pings: Buffer) -> None:
    made = await client.post("/live-streams", json={"name": "stream"})
    stream_id = made.json()["liveStreamId"]
    now = iso(clock.now())
    session = {"loaded_at": now, "live_stream_id": stream_id, "referrer": "", "metadata": []}
    await client.post("/live", json={"emitted_at": now, "session": session, "events": []})
    await pings.flush()
    found = await listed(client, f"/analytics/live-streams/{stream_id}")
    assert len(found["data"]) == 1


async def test_what_is_unknown_or_wrong(
    client: httpx.AsyncClient, stranger: httpx.AsyncClient, pings: Buffer, video_id: str
) -> None:
    await Player(client, video_id).watch(20, 8)
    await pings.flush()
    found = await listed(client, f"/analytics/videos/{video_id}")
    session_id = found["data"][0]["session"]["sessionId"]
    for path, name in (
        (f"/analytics/videos/{video_id}", "videoId"),
        (f"/analytics/live-streams/{video_id}", "liveStreamId"),
        (f"/analytics/sessions/{session_id}/events", "sessionId"),
    ):
        answer = await stranger.get(path)
        assert (answer.status_code, answer.json()["name"]) == (404, name)
    for params, name in (
        ({"period": "soon"}, "period"),
        ({"metadata": "x"}, "metadata"),
        ({"pageSize": "0"}, "pageSize"),
    ):
        answer = await client.get(f"/analytics/videos/{video_id}", params=params)
        assert (answer.status_code, answer.json()["name"]) == (400, name)


async def test_clients_before_the_specification_get_their_shape(
    client: httpx.AsyncClient, pings: Buffer, video_id: str
) -> None:
    await Player(client, video_id).watch(20, 8)
    await pings.flush()
    request = client.build_request("GET", f"/analytics/videos/{video_id}?period=2018/2019")
    del request.headers["user-agent"]
    request.url = request.url.copy_with(query=None)
    found = (await client.send(request, auth=client.auth)).json()
    assert found["video"] == {"video_id": video_id, "title": "watched"}
    assert found["data"][0]["events"] == []
    assert found["data"][0]["referrer"]["search_term"] == "unknown"
