"""Live streams of low latency behind nginx with the cache that we ship."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.fixtures.broadcasting import OnAir, live_clip, make_live_stream, publishing
from tests.fixtures.live_rules import LiveRules
from tests.fixtures.server import TelecineServer
from tests.fixtures.waiting import PATIENCE_S, until
from tests.integration.test_nginx import nginx_before

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

VIEWERS = 5
Place = tuple[int, int]


class Site:
    """A stream on the air, as its viewers see it through the cache and without."""

    def __init__(self, viewer: httpx.AsyncClient, stream: OnAir) -> None:
        self.viewer = viewer
        self.stream = stream
        self.folder = f"/live/{stream.public_id}_source"

    async def cached(self, name: str, **headers: str) -> httpx.Response:
        return await self.viewer.get(f"{self.folder}/{name}", headers=headers)

    async def direct(self, name: str = "index.m3u8") -> httpx.Response:
        return await self.viewer.get(f"{self.stream.server.base_url}{self.folder}/{name}")


def edge_of(text: str) -> Place:
    """Return the part that a playlist hints at: the first that it does not have."""
    hint = re.search(r'PRELOAD-HINT:TYPE=PART,URI="\w+-(\d+)\.(\d+)\.m4s"', text)
    assert hint is not None, text
    return int(hint[1]), int(hint[2])


def hinted(text: str) -> str:
    found = re.search(r'PRELOAD-HINT:TYPE=PART,URI="([^"]+)"', text)
    assert found is not None
    return found[1]


@pytest.fixture
async def site(telecine_server: TelecineServer, tmp_path: Path) -> AsyncIterator[Site]:
    stream = await make_live_stream(telecine_server)
    hooks = LiveRules().hooks()
    async with (
        nginx_before(telecine_server, tmp_path, cache=True) as front,
        httpx.AsyncClient(
            base_url=front, timeout=PATIENCE_S, trust_env=False, event_hooks=hooks
        ) as viewer,
        publishing(stream.publish_url, live_clip()),
    ):
        site = Site(viewer, stream)

        async def on_air() -> bool:
            master = await viewer.get(f"/live/{stream.public_id}.m3u8")
            return master.status_code == 200 and (await site.direct()).status_code == 200

        await until(on_air)
        yield site
    await stream.complete()


async def waited(site: Site, name: str, **headers: str) -> httpx.Response:
    """Ask for what comes later, again where the encoder is late on a busy machine."""
    answer = await site.cached(name, **headers)

    async def come() -> bool:
        nonlocal answer
        if answer.status_code == 503:
            answer = await site.cached(name, **headers)
        return answer.status_code != 503

    await until(come)
    assert answer.status_code == 200, answer.text
    return answer


async def test_playlists_are_never_older_than_telecines(site: Site) -> None:
    newest = (0, 0)
    for _ in range(12):
        newest = max(newest, edge_of((await site.direct()).text))
        shown = await site.cached("index.m3u8")
        assert shown.headers["x-cache"] != "HIT"
        assert edge_of(shown.text) >= newest, "a playlist of before"
        # Who waits gets what was waited for, whether or not somebody else asked before.
        msn, part = newest = edge_of(shown.text)
        for _ in range(2):
            come = await waited(site, f"index.m3u8?_HLS_msn={msn}&_HLS_part={part}")
            assert edge_of(come.text) > newest
        newest = edge_of(come.text)


async def test_who_waits_for_the_same_is_answered_at_the_same_time(site: Site) -> None:
    """nginx would look twice a second whether it has the answer, which comes five times."""
    msn, _ = edge_of((await site.direct()).text)
    next_one = f"index.m3u8?_HLS_msn={msn + 1}"
    answers = await asyncio.gather(*(waited(site, next_one) for _ in range(VIEWERS)))
    assert {answer.headers["x-cache"] for answer in answers} == {"MISS"}
    assert {answer.headers["cache-control"] for answer in answers} == {"public, max-age=1"}
    for answer in answers:
        assert edge_of(answer.text) >= (msn + 2, 0)


async def test_parts_and_segments_are_kept(site: Site) -> None:
    name = hinted((await site.cached("index.m3u8")).text)
    for _ in range(20):
        first = await asyncio.gather(*(site.cached(name) for _ in range(VIEWERS)))
        if {answer.status_code for answer in first} == {200}:
            break  # else its segment ended before
        name = hinted((await site.cached("index.m3u8")).text)
    assert {answer.content for answer in first} == {(await site.direct(name)).content}
    again = await site.cached(name)
    assert (again.headers["x-cache"], again.content) == ("HIT", first[0].content)
    text = (
        await waited(site, f"index.m3u8?_HLS_msn={edge_of((await site.direct()).text)[0]}")
    ).text
    init = re.search(r'EXT-X-MAP:URI="([^"]+)"', text)
    assert init is not None
    for kept in (init[1], re.findall(r"^[^#\n].*\.m4s$", text, re.MULTILINE)[-1]):
        assert (await site.cached(kept)).headers["x-cache"] == "MISS"
        told = await site.cached(kept)
        assert told.headers["x-cache"] == "HIT"
        assert told.content == (await site.direct(kept)).content
    part = await site.cached(kept, Range="bytes=4-7")
    assert (part.status_code, part.content) == (206, told.content[4:8])


async def test_what_is_not_there_yet_is_asked_for_again(site: Site) -> None:
    text = (await site.direct()).text
    msn = edge_of(text)[0] + 1
    name = f"{hinted(text).partition('-')[0]}-{msn}.m4s"
    assert (await site.cached(name)).status_code == 404
    await waited(site, f"index.m3u8?_HLS_msn={msn}")
    answers = [await site.cached(name) for _ in range(2)]
    assert [answer.headers["x-cache"] for answer in answers] == ["MISS", "HIT"]


async def test_an_end_is_seen_at_once(site: Site) -> None:
    assert "#EXT-X-ENDLIST" not in (await site.cached("index.m3u8")).text
    await site.stream.complete()

    async def told() -> bool:
        return "#EXT-X-ENDLIST" in (await site.cached("index.m3u8")).text

    await until(told)


async def test_codings_are_kept_apart(site: Site) -> None:
    """Of a playlist that was waited for, and is asked for again while it is kept."""
    msn, part = edge_of((await site.direct()).text)
    name = f"index.m3u8?_HLS_msn={msn}&_HLS_part={part}"
    for _ in range(2):
        for coding in ("gzip", "identity"):
            answer = await waited(site, name, **{"Accept-Encoding": coding})
            expected = None if coding == "identity" else coding
            assert answer.headers.get("content-encoding") == expected
            assert answer.text.startswith("#EXTM3U\n")
