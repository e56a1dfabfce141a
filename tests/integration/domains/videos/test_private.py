"""Private videos: what opens them, once, for whom and how long."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select

from telecine import clock
from telecine.db.engine import Database
from telecine.domains.videos import sessions, used_tokens
from telecine.domains.videos.models import UsedToken
from tests.fixtures.application import BASE
from tests.fixtures.statements import statements
from tests.fixtures.viewing import island

pytestmark = pytest.mark.anyio

VTT = b"WEBVTT\n\n00:01.000 --> 00:04.000\nhello\n"
MINUTE = timedelta(minutes=1)

Travel = Callable[[timedelta], None]


@pytest.fixture
def travel(monkeypatch: pytest.MonkeyPatch) -> Travel:
    """Go on by some time; monotonic clocks go along."""
    gone = timedelta()
    now, monotonic_s = clock.now, clock.monotonic_s

    def later() -> datetime:
        return now() + gone

    def go(by: timedelta) -> None:
        nonlocal gone
        gone += by

    monkeypatch.setattr(clock, "now", later)
    monkeypatch.setattr(clock, "monotonic_s", lambda: monotonic_s() + gone.total_seconds())
    return go


async def make(client: httpx.AsyncClient) -> dict[str, Any]:
    """Make a private video with captions; return its document."""
    made = (await client.post("/videos", json={"title": "secret", "public": False})).json()
    path = f"/videos/{made['videoId']}"
    reply = await client.post(f"{path}/captions/en", files={"file": VTT})
    assert reply.status_code == 200, reply.text
    return dict((await client.get(path)).json())


def captions(video: dict[str, Any]) -> str:
    """Return the URL of a file that is there: what these tests fetch."""
    return str(video["assets"]["hls"]).replace("hls/manifest.m3u8", "captions/en.vtt")


def session_url(video: dict[str, Any]) -> str:
    return captions(video).replace("captions/en.vtt", "session")


async def opened(viewer: httpx.AsyncClient, url: str, agent: str = "mine", **options: Any) -> bool:
    headers = {"User-Agent": agent, **options.pop("headers", {})}
    reply = await viewer.get(url, headers=headers, **options)
    assert reply.status_code in {200, 404}
    if reply.status_code == 404:
        assert reply.headers["content-type"] == "application/problem+json"
        assert reply.headers["access-control-allow-origin"] == "*"
        assert reply.json()["name"] == "videoId"
    else:
        assert reply.headers["cache-control"] == "private, no-store"
    return reply.status_code == 200


async def test_nothing_opens_without_a_token(
    client: httpx.AsyncClient, viewer: httpx.AsyncClient
) -> None:
    video = await make(client)
    folder = f"/vod/{video['videoId']}"
    for name in (
        "hls/manifest.m3u8",
        "hls/240p/manifest.m3u8",
        "hls/240p/1-0.m4s",
        "hls/captions/en.m3u8",
        "hls/captions/en.hls.vtt",
        "mp4/source.mp4",
        "thumbnail.jpg",
        "captions/en.vtt",
        "chapters/en.vtt",
        "session",
    ):
        assert not await opened(viewer, f"{folder}/{name}")
        assert not await opened(
            viewer, f"{folder}/token/00000000-0000-4000-8000-000000000000/{name}"
        )
    assert (await viewer.get(folder)).status_code == 404


async def test_a_token_is_used_up_by_the_first_viewer(
    client: httpx.AsyncClient, viewer: httpx.AsyncClient
) -> None:
    url = captions(await make(client))
    assert await opened(viewer, url, "mine")
    assert not await opened(viewer, url, "another browser")
    assert await opened(viewer, url, "mine")
    stranger = httpx.ASGITransport(viewer._transport.app, client=("203.0.113.9", 5))  # type: ignore[attr-defined]
    async with httpx.AsyncClient(transport=stranger, base_url=BASE) as elsewhere:
        assert not await opened(elsewhere, url, "mine")


async def test_it_opens_its_own_video_alone(
    client: httpx.AsyncClient, viewer: httpx.AsyncClient
) -> None:
    mine, other = await make(client), await make(client)
    url = captions(mine).replace(mine["videoId"], other["videoId"])
    assert not await opened(viewer, url)
    session = (await viewer.get(session_url(mine))).json()["session_token"]
    assert await opened(viewer, f"{captions(mine)}?avh={session}")
    assert not await opened(viewer, f"{url}?avh={session}")


async def test_the_viewer_who_used_it_may_pause_for_ten_minutes(
    client: httpx.AsyncClient, viewer: httpx.AsyncClient, travel: Travel
) -> None:
    url = captions(await make(client))
    for _ in range(4):
        assert await opened(viewer, url)
        travel(9 * MINUTE)
    assert await opened(viewer, url)
    travel(11 * MINUTE)
    assert not await opened(viewer, url)


async def test_and_not_longer_than_a_day(
    client: httpx.AsyncClient, viewer: httpx.AsyncClient, travel: Travel
) -> None:
    url = captions(await make(client))
    for _ in range(24 * 60 // 9 - 1):
        assert await opened(viewer, url)
        travel(9 * MINUTE)
    assert await opened(viewer, url)
    travel(9.5 * MINUTE)
    assert not await opened(viewer, url)


async def test_an_unused_token_expires(
    client: httpx.AsyncClient, viewer: httpx.AsyncClient, travel: Travel
) -> None:
    url = captions(await make(client))
    travel(timedelta(hours=26))
    assert not await opened(viewer, url)
    assert not await opened(viewer, url.replace("captions/en.vtt", "session"))


async def test_a_session_opens_everything_for_a_day(
    client: httpx.AsyncClient, viewer: httpx.AsyncClient, travel: Travel
) -> None:
    video = await make(client)
    reply = await viewer.get(session_url(video), headers={"User-Agent": "mine"})
    assert reply.status_code == 200
    assert reply.headers["content-type"] == "application/json"
    session = reply.json()["session_token"]
    assert reply.headers["x-token-session"] == session
    url = captions(video)
    assert not await opened(viewer, url, "mine"), "whoever asks for a session has to use it"
    assert await opened(viewer, f"{url}?avh={session}", "any browser")
    header = {"X-Token-Session": session}
    assert await opened(viewer, url, "a program", headers=header)
    again = await viewer.get(session_url(video) + f"?avh={session}")
    assert again.json()["session_token"] == session
    assert not await opened(viewer, session_url(video))
    travel(sessions.LIFETIME - MINUTE)
    assert await opened(viewer, f"{url}?avh={session}")
    travel(2 * MINUTE)
    assert not await opened(viewer, f"{url}?avh={session}")


async def test_a_token_is_used_up_by_one_insert_and_a_session_asks_nothing(
    client: httpx.AsyncClient, viewer: httpx.AsyncClient, db: Database
) -> None:
    video = await make(client)
    url = captions(video)
    assert not await opened(viewer, re.sub("/token/[^/]+", "/token/" + "0" * 32, url))
    with statements(db) as sent:
        reply = await viewer.get(session_url(video))
    assert [each.split()[0] for each in sent if "used_token" in each] == ["INSERT"]
    url += f"?avh={reply.json()['session_token']}"
    assert await opened(viewer, url)
    with statements(db) as sent:
        assert await opened(viewer, url)
    assert sent == []


@pytest.mark.parametrize("avh", ["", "x", "%C3%A9", "A" * 28, "null", "a/b"])
async def test_forged_sessions_open_nothing(
    client: httpx.AsyncClient, viewer: httpx.AsyncClient, avh: str
) -> None:
    video = await make(client)
    await viewer.get(session_url(video))
    assert not await opened(viewer, f"{captions(video)}?avh={avh}")
    assert not await opened(viewer, captions(video), headers={"X-Token-Session": avh})


async def test_what_uses_no_token_up(
    client: httpx.AsyncClient, viewer: httpx.AsyncClient, db: Database
) -> None:
    video = await make(client)
    for path in (captions(video), session_url(video)):
        assert (await viewer.head(path)).status_code == 200
    folder = captions(video).removesuffix("captions/en.vtt")
    assert not await opened(viewer, f"{folder}no/such/thing")
    assert (await viewer.get(video["assets"]["player"])).status_code == 200
    async with db.transaction() as tx:
        assert await tx.scalar(select(func.count()).select_from(UsedToken)) == 0
    assert await opened(viewer, session_url(video))
    for path in (captions(video), session_url(video)):
        assert (await viewer.head(path)).status_code == 404


async def test_pages_let_their_script_begin_the_session(
    client: httpx.AsyncClient, viewer: httpx.AsyncClient
) -> None:
    video = await make(client)
    page = await viewer.get(video["assets"]["player"])
    media = island(page)
    folder = captions(video).removesuffix("/captions/en.vtt").removeprefix(BASE)
    assert media["session"] == f"{folder}/session"
    # Nothing that the browser or a preview loads by itself may use the token up.
    assert folder not in re.sub(r"<script type=.application/json.*", "", page.text, flags=re.DOTALL)
    assert page.headers["referrer-policy"] == "strict-origin"
    assert page.headers["x-robots-tag"] == "noindex"
    assert page.headers["cache-control"] == "private, no-store"
    session = (await viewer.get(media["session"])).json()["session_token"]
    joined = "&" if "?" in video["assets"]["player"] else "?"
    media = island(await viewer.get(f"{video['assets']['player']}{joined}avh={session}"))
    assert media["session"] is None
    assert media["hls"].endswith(f"/hls/manifest.m3u8?avh={session}")
    assert await opened(viewer, media["captions"][0]["url"])
    media = island(await viewer.get(f"/vod/{video['videoId']}?avh={session}"))
    assert await opened(viewer, media["captions"][0]["url"])


async def test_public_videos_ask_for_nothing(
    client: httpx.AsyncClient, viewer: httpx.AsyncClient
) -> None:
    video = await make(client)
    await client.patch(f"/videos/{video['videoId']}", json={"public": True})
    plain = f"/vod/{video['videoId']}/captions/en.vtt"
    for url in (plain, captions(video), captions(video), f"{plain}?avh=nonsense"):
        reply = await viewer.get(url)
        assert reply.content == VTT
        assert "x-token-session" not in reply.headers
    assert (await viewer.get(session_url(video))).json()["session_token"]


async def test_uses_are_forgotten_when_they_prove_nothing(
    client: httpx.AsyncClient, viewer: httpx.AsyncClient, db: Database
) -> None:
    assert await opened(viewer, captions(await make(client)))
    assert await used_tokens.forget(db, clock.now() + timedelta(hours=49)) == 0
    assert await used_tokens.forget(db, clock.now() + timedelta(hours=51)) == 1
    assert await used_tokens.forget(db, clock.now() + timedelta(hours=51)) == 0
