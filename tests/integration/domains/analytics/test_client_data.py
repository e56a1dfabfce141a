"""What players tell with their requests for media, from the request to the numbers."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from telecine import clock
from telecine.db.engine import Database
from telecine.delivery.client_data import ClientDataReader
from telecine.domains.analytics.buffer import CLIENT_DATA, Buffer
from telecine.domains.analytics.collector import Collector
from telecine.domains.analytics.store.exports import export
from tests.integration.domains.analytics.playing import CHROME, IPHONE, Player, make_video

pytestmark = pytest.mark.anyio

ADDRESS = ("203.0.113.9", 4711)
OF_CLIENT = ("127.0.0.1", 123)


@dataclass
class Viewer:
    """A player that asks for media with client data; `status` is what it gets."""

    collector: Collector
    media_id: str
    sid: str = "one"
    user_agent: str = CHROME
    at_ms: int = 0
    status: int = 200
    method: str = "GET"
    folder: str = ""
    address: tuple[str, int] = ADDRESS
    answered: list[int] = field(default_factory=list)

    async def ask(self, file: str, told: str, **headers: str) -> None:
        """Ask for a file below the media's folder; `told` goes into the query."""

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            start = {"type": "http.response.start", "status": self.status, "headers": []}
            await send(start)
            await send({"type": "http.response.body", "body": b""})

        async def receive() -> Any:
            raise AssertionError

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                self.answered.append(message["status"])

        named = {"user-agent": self.user_agent, "referer": "https://shop.example/", **headers}
        query = f"CMCD={quote(f'{told},sid={self.sid}', safe='')}" if told else ""
        scope: Scope = {
            "type": "http",
            "method": self.method,
            "path": f"{self.folder or f'/vod/{self.media_id}/hls'}/{file}",
            "query_string": query.encode(),
            "headers": [(name.encode(), value.encode()) for name, value in named.items()],
            "client": self.address,
        }
        reader = ClientDataReader(app, self.collector.hear, self.collector.mishear)
        await reader(scope, receive, send)

    async def watch(self, quality: str = "360p") -> None:
        """Start after 0.8 s, wait for two seconds, change to `quality`."""
        begun_ms = self.at_ms
        for after_ms, file, told in (
            (0, "manifest.m3u8", "ot=m,su"),
            (100, "360p/1-0.m4s", 'ot=v,bl=0,su,br=800,d=4000,mtp=4000,nor="1-1.m4s"'),
            (120, "audio/1-0.m4s", "ot=a,bl=0,su,br=64,d=4000,mtp=4000"),
            (300, "audio/1-1.m4s", "ot=a,bl=4000,su,br=64,d=4000,mtp=4000"),
            (800, "360p/1-1.m4s", "ot=v,bl=4000,br=800,d=4000,mtp=4000"),
            (6800, f"{quality}/1-2.m4s", "ot=v,bl=100,bs,su,br=300,d=4000,mtp=1000"),
            (8000, f"{quality}/1-3.m4s", "ot=v,bl=3000,br=300,d=4000,mtp=3000"),
        ):
            self.at_ms = begun_ms + after_ms
            await self.ask(file, told)


def results() -> dict[str, float]:
    found: Iterator[Any] = iter(CLIENT_DATA.collect())
    samples = next(found).samples
    return {each.labels["result"]: each.value for each in samples if each.name.endswith("total")}


class Counted:
    """How many requests came to which result since this was made."""

    def __init__(self) -> None:
        self._before = results()

    def __call__(self) -> dict[str, float]:
        now = results()
        more = {name: now[name] - self._before.get(name, 0) for name in now}
        return {name: count for name, count in more.items() if count}


@pytest.fixture
def viewer(collector: Collector, video_id: str, monkeypatch: pytest.MonkeyPatch) -> Viewer:
    viewer = Viewer(collector, video_id, at_ms=clock.unix_ms() - 60_000)
    monkeypatch.setattr(clock, "unix_ms", lambda: viewer.at_ms)
    return viewer


async def number(client: httpx.AsyncClient, path: str, **params: str) -> float:
    answer = await client.get(f"/data/metrics/{path}", params=params)
    assert answer.status_code == 200, answer.text
    return float(answer.json()["data"])


async def buckets(client: httpx.AsyncClient, path: str) -> dict[str, float]:
    answer = await client.get(f"/data/buckets/{path}")
    assert answer.status_code == 200, answer.text
    return {each["dimensionValue"]: each["metricValue"] for each in answer.json()["data"]}


async def playbacks(client: httpx.AsyncClient) -> float:
    """How many there are that tell of their quality."""
    answer = await client.get("/data/timeseries/error-rate?interval=day")
    return len(answer.json()["data"])


async def test_what_was_told_shows_in_all_numbers_of_the_quality(
    client: httpx.AsyncClient, pings: Buffer, viewer: Viewer
) -> None:
    counted = Counted()
    await viewer.watch("240p")
    await pings.flush()
    assert counted() == {"taken": 7}
    assert await number(client, "startup-time/average") == 800
    assert await number(client, "rebuffer-count/average") == 1
    # Of 0.8 s there were four seconds left: from 4.8 s to 6.8 s it waited.
    waited_s, watched_s = 2.0, 8.0 - 0.8 - 2.0 + 7.0
    ratio = await number(client, "rebuffer-ratio/average")
    assert ratio == pytest.approx(waited_s / (waited_s + watched_s))
    assert await number(client, "bitrate-switches/average") == 1
    assert await number(client, "bitrate/average") == 550
    assert await number(client, "throughput/average") == 20_000 // 6
    assert await number(client, "error-rate/average") == 0
    assert await number(client, "exit-before-start-rate/average") == 0
    assert await number(client, "quality-score/average") == 100 - 50 - 1
    assert await buckets(client, "startup-time/media-id") == {viewer.media_id: 800}
    assert await buckets(client, "startup-time/country") == {"FR": 800}
    assert await buckets(client, "startup-time/device-type") == {"computer": 800}
    assert await buckets(client, "startup-time/referrer") == {"https://shop.example/": 800}
    assert await buckets(client, "bitrate/rendition") == {"240p": 550}
    answer = await client.get("/data/timeseries/throughput", params={"interval": "minute"})
    assert answer.status_code == 400  # a day has too many
    answer = await client.get("/data/timeseries/throughput")
    assert [each["metricValue"] for each in answer.json()["data"]] == [20_000 // 6]


async def test_avplayer_tells_by_headers_and_not_what_it_asks_for_next(
    client: httpx.AsyncClient, pings: Buffer, viewer: Viewer
) -> None:
    """As iOS 18 sends them where a program has it send them; no device was there to be asked."""
    counted, begun_ms = Counted(), viewer.at_ms
    viewer.user_agent = "AppleCoreMedia/1.0.0.22A3354 (iPhone; U; CPU OS 18_0 like Mac OS X; en_us)"
    sid = '"0B7D4C2E-5C6E-4F0B-9C55-4B8B9A1F2D11"'
    for after_ms, file, request, of_object, status in (
        (0, "manifest.m3u8", "su", "ot=m", ""),
        (60, "720p/manifest.m3u8", "su", "ot=m", ""),
        (200, "720p/init-0.mp4", "su", "ot=i", ""),
        (250, "720p/1-0.m4s", "bl=0,mtp=8000,su", "br=3200,d=4000,ot=v", ""),
        (260, "audio/1-0.m4s", "bl=0,mtp=8000,su", "br=128,d=4000,ot=a", ""),
        (900, "720p/1-1.m4s", "bl=4000,mtp=8000,su", "br=3200,d=4000,ot=v", ""),
        (7900, "360p/1-2.m4s", "bl=900,mtp=2000", "br=800,d=4000,ot=v", "bs"),
        (9000, "360p/1-3.m4s", "bl=3900,mtp=2000", "br=800,d=4000,ot=v", ""),
    ):
        viewer.at_ms = begun_ms + after_ms
        session = f"sf=h,sid={sid},st=v,v=1"
        headers = {"cmcd-session": session, "cmcd-request": request, "cmcd-object": of_object}
        await viewer.ask(file, "", **headers, **({"cmcd-status": status} if status else {}))
    await pings.flush()
    assert counted() == {"taken": 8}
    assert await buckets(client, "startup-time/operating-system") == {"ios": 900}
    assert await buckets(client, "startup-time/device-type") == {"phone": 900}
    assert await buckets(client, "bitrate/rendition") == {"360p": 2000}
    assert await number(client, "rebuffer-count/average") == 1
    # Of 0.9 s there were four seconds left: from 4.9 s to 7.9 s it waited.
    waited_s, watched_s = 3.0, 9.0 - 0.9 - 3.0 + 7.9
    ratio = await number(client, "rebuffer-ratio/average")
    assert ratio == pytest.approx(waited_s / (waited_s + watched_s))
    assert await number(client, "bitrate-switches/average") == 1
    assert await number(client, "throughput/average") == 28_000 // 5


async def test_it_is_no_number_of_what_viewers_did(
    client: httpx.AsyncClient, pings: Buffer, viewer: Viewer, db: Database
) -> None:
    await viewer.watch()
    await pings.flush()
    for path in ("play/count", "impression/count", "watch-time/sum", "ccv/peak", "view/count"):
        assert await number(client, path) == 0
    assert await number(client, "play/total") == 0
    sessions = await client.get(f"/analytics/videos/{viewer.media_id}")
    assert sessions.json()["data"] == []
    lines = [line async for line in export(db, "playbacks", "csv", (None, None), None)]
    assert b"".join(lines).count(b"requests") == 1


async def test_who_sends_pings_as_well_counts_once(
    client: httpx.AsyncClient, pings: Buffer, viewer: Viewer
) -> None:
    begun_ms = viewer.at_ms
    await viewer.watch()
    viewer.address = OF_CLIENT
    for sid, ago_ms in (("long-ago", 3_600_000), ("just-now", 0)):
        viewer.sid, viewer.at_ms = sid, begun_ms - ago_ms
        await viewer.watch()
    viewer.sid, viewer.user_agent = "tab7", IPHONE
    await viewer.watch()
    await pings.flush()
    found = await client.get("/data/buckets/startup-time/device-type")
    assert [each["metricValue"] for each in found.json()["data"]] == [800, 800]
    # `just-now` is the same viewer, `tab7` the same tab, by whatever program it asks for media.
    viewer.at_ms = begun_ms + 60_000
    quality = {"st": 2600, "sc": 0, "sd": 0, "sw": 0, "er": 0}
    pinger = Player(client, viewer.media_id, tab="tab7")
    await pinger.send((60, 8, 0), (59, 2, 0), (30, 3, 29), qoe=quality)
    await pings.flush()
    assert await buckets(client, "startup-time/device-type") == {"computer": (800 + 800 + 2600) / 3}
    assert await number(client, "play/count") == 1


async def test_pings_without_quality_leave_it_to_the_requests(
    client: httpx.AsyncClient, pings: Buffer, viewer: Viewer
) -> None:
    await viewer.watch()
    viewer.at_ms = int(clock.now().timestamp() * 1000)
    await Player(client, viewer.media_id, tab=viewer.sid).send((50, 8, 0), (49, 2, 0))
    await pings.flush()
    assert await number(client, "startup-time/average") == 800
    assert await number(client, "play/count") == 1


async def test_whoever_was_refused_has_not_watched(
    client: httpx.AsyncClient, pings: Buffer, viewer: Viewer
) -> None:
    counted = Counted()
    refusals = [202, 302, 304, 403, 404, 410, 500, 503]
    for viewer.status in refusals:
        await viewer.ask("360p/1-0.m4s", "bl=0,su")
    await pings.flush()
    assert viewer.answered == refusals
    assert counted() == {}
    assert await playbacks(client) == 0


async def test_only_requests_for_media_count(
    client: httpx.AsyncClient, pings: Buffer, viewer: Viewer
) -> None:
    counted = Counted()
    for folder in ("/vod/", f"/vod/{viewer.media_id}/mp4", "/videos", f"/vod/{viewer.media_id}"):
        viewer.folder = folder
        await viewer.ask("source.mp4", "bl=1")
    viewer.folder, viewer.method = "", "HEAD"
    await viewer.ask("360p/1-0.m4s", "bl=1")
    viewer.method = "GET"
    await viewer.ask("360p/1-0.m4s", "")
    assert viewer.answered == [200] * 6
    assert counted() == {}


async def test_below_a_token_and_live_too(
    client: httpx.AsyncClient, pings: Buffer, viewer: Viewer
) -> None:
    made = await client.post("/live-streams", json={"name": "event"})
    live_id = made.json()["liveStreamId"]
    viewer.folder = f"/vod/{viewer.media_id}/token/00000000-0000-4000-8000-000000000000/hls"
    await viewer.watch()
    viewer.folder, viewer.media_id, viewer.sid = "/live", live_id, "two"
    session = "0123456789ab"
    for after_ms, file, told in (
        (0, f"{live_id}.m3u8", "su"),
        (50, f"{live_id}_480p/index.m3u8", "su"),
        (100, f"{live_id}_480p/{session}-init-0.mp4", "ot=i,su"),
        (200, f"{live_id}_480p/{session}-7.0.m4s", "ot=av,bl=0,su,d=500,br=900"),
        (700, f"{live_id}_480p/{session}-7.1.m4s", "ot=av,bl=500,d=500,br=900"),
        (1200, f"{live_id}_480p/{session}-7.m4s", "ot=av,bl=900,d=500,br=900"),
    ):
        viewer.at_ms += after_ms
        await viewer.ask(file, told)
    await pings.flush()
    by_media = await buckets(client, "bitrate/media-id")
    assert by_media[live_id] == 900
    assert len(by_media) == 2
    assert await buckets(client, "bitrate/rendition") == {"480p": 900, "360p": 550}
    only = {"filterBy[rendition]": "480p"}
    answer = await client.get("/data/metrics/bitrate/average", params=only)
    assert answer.json()["data"] == 900
    assert set(await buckets(client, "bitrate/media-type")) == {"video", "live-stream"}


async def test_what_is_forged_is_counted_and_does_no_harm(
    client: httpx.AsyncClient, pings: Buffer, viewer: Viewer
) -> None:
    counted = Counted()
    for told in ('sid="', "bl=(", "x" * 5000, '"' * 30, "\0", "="):
        await viewer.ask("360p/1-0.m4s", told)
    assert counted() == {"invalid": 6}
    await viewer.ask("360p/1-0.m4s", "bl=-5,br=99999999999,mtp=x,d=(),su=7,bs=2")
    await viewer.ask("360p/1-1.m4s", "bl=0,d=4000")
    await pings.flush()
    assert counted() == {"invalid": 6, "taken": 2, "invalid_value": 6}
    assert viewer.answered == [200] * 8
    assert await number(client, "bitrate/average") == 0
    assert await number(client, "rebuffer-count/average") == 0


async def test_of_media_that_is_gone_nothing_is_kept(
    client: httpx.AsyncClient, pings: Buffer, viewer: Viewer, db: Database
) -> None:
    viewer.media_id = "vi" + "A" * 22
    await viewer.watch()
    await pings.flush()
    assert await playbacks(client) == 0


async def test_a_rendition_is_for_numbers_of_the_quality_only(client: httpx.AsyncClient) -> None:
    assert (await client.get("/data/buckets/play/rendition")).status_code == 404
    assert (await client.get("/data/buckets/quality-score/rendition")).status_code == 200


async def test_our_own_player_tells_its_rendition_by_the_size(
    client: httpx.AsyncClient, pings: Buffer, video_id: str
) -> None:
    quality = {"st": 1000, "sc": 0, "sd": 0, "sw": 0, "er": 0}
    for size, pid in (((1280, 720), "a"), ((608, 1080), "b"), ((320, 180), "c")):
        player = Player(client, video_id, page=pid)
        now_ms = clock.unix_ms()
        events = [
            {"eat": now_ms - 900, "typ": 2, "vti": 0, "vwi": size[0], "vhe": size[1]},
            {"eat": now_ms, "typ": 3, "vti": 1, "vwi": 0, "vhe": True},
        ]
        await player.send(qoe=quality, eve=events)
    await pings.flush()
    expected = {"720p": 1000.0, "480p": 1000.0, "240p": 1000.0}
    assert await buckets(client, "startup-time/rendition") == expected


async def test_numbers_of_many_videos(
    client: httpx.AsyncClient, pings: Buffer, viewer: Viewer
) -> None:
    await viewer.watch()
    viewer.media_id = await make_video(client, "other")
    await viewer.watch()
    await pings.flush()
    assert len(await buckets(client, "startup-time/media-id")) == 2
