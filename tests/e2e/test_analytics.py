"""A viewer in a real browser: what they do is what the analytics tells."""

import time
from typing import Any

import httpx
import pytest
from playwright.async_api import Page

from tests.e2e.conftest import Upload
from tests.e2e.test_playback import becomes
from tests.fixtures.media import barcode_mp4
from tests.fixtures.waiting import until

pytestmark = [pytest.mark.anyio, pytest.mark.browser]

# How long the video was played, to the page's last moment; kept where other pages find it.
MEASURE = """() => {
  const {video} = window.telecinePlayer;
  let since = null, ms = 0;
  const stop = () => {
    if (since !== null) ms += Date.now() - since;
    since = null;
  };
  video.addEventListener('play', () => { since ??= Date.now(); });
  video.addEventListener('pause', stop);
  addEventListener('pagehide', () => { stop(); localStorage.setItem('playedMs', ms); });
}"""
VIDEO = "window.telecinePlayer.video"
FRESH_S = 2.0
"""How long after a viewer did something a number tells of it."""


class Told:
    """What the API tells of one video."""

    def __init__(self, api: httpx.Client, video_id: str) -> None:
        self._api = api
        self._video_id = video_id
        self.slowest_s = 0.0  # of the answers

    def number(self, path: str) -> float:
        params = {"filterBy[mediaId]": self._video_id}
        asked_s = time.monotonic()
        answer = self._api.get(f"/data/metrics/{path}", params=params).raise_for_status()
        self.slowest_s = max(self.slowest_s, time.monotonic() - asked_s)
        return float(answer.json()["data"])

    async def becomes(self, path: str, expected: float) -> None:
        async def true() -> bool:
            return self.number(path) == expected

        await until(true)

    def sessions(self) -> list[dict[str, Any]]:
        params = {"metadata[user]": "seven"}
        answer = self._api.get(f"/analytics/videos/{self._video_id}", params=params)
        found: list[dict[str, Any]] = answer.raise_for_status().json()["data"]
        return found

    def events(self, session_id: str) -> list[dict[str, Any]]:
        answer = self._api.get(f"/analytics/sessions/{session_id}/events")
        found: list[dict[str, Any]] = answer.raise_for_status().json()["data"]
        return found


async def test_play_pause_seek_and_leave(page: Page, api: httpx.Client, upload: Upload) -> None:
    # So long that a busy machine is at no end before it is looked at.
    video_id = upload(barcode_mp4(frames=1350), "Watched")
    told = Told(api, video_id)

    async def playable() -> bool:  # or it would start by itself, once it is
        return api.get(f"/vod/{video_id}/hls/manifest.m3u8").status_code == 200

    await until(playable)
    await page.goto(f"{api.base_url}/vod/{video_id}?metadata[user]=seven")
    await becomes(page, f"window.telecinePlayer && {VIDEO}.readyState >= 2")
    await told.becomes("impression/count", 1)
    assert told.number("play/count") == 0

    await page.evaluate(MEASURE)
    begun_s = time.monotonic()
    await page.evaluate("window.telecinePlayer.play()")
    await told.becomes("play/count", 1)
    await told.becomes("ccv/live", 1)
    # Less what the machine itself delays: a ping, storing it and asking are no slower than the
    # slowest answer.
    assert time.monotonic() - begun_s <= FRESH_S + 4 * told.slowest_s
    await becomes(page, f"{VIDEO}.currentTime > 1.2")
    await page.evaluate(f"{VIDEO}.pause()")
    paused_s = await page.evaluate(f"{VIDEO}.currentTime")
    await page.evaluate("window.telecinePlayer.seek(30)")
    await becomes(page, f"!{VIDEO}.seeking && {VIDEO}.currentTime >= 30")
    await page.evaluate("window.telecinePlayer.play()")
    await becomes(page, f"{VIDEO}.currentTime > 31.2")
    left_s = await page.evaluate(f"{VIDEO}.currentTime")
    leaving_s = time.monotonic()
    await page.goto("about:blank")
    leaving_s = time.monotonic() - leaving_s

    async def gone() -> bool:
        sessions = told.sessions()
        return bool(sessions) and len(told.events(sessions[0]["session"]["sessionId"])) == 6

    await until(gone)
    [session] = told.sessions()
    assert session["client"]["name"] == "Chrome"
    assert session["os"]["name"] == "GNU/Linux"
    events = told.events(session["session"]["sessionId"])
    assert [event["type"] for event in events] == [
        *("ready", "play", "pause", "seek.forward", "resume", "pause"),
    ]
    assert events[2]["at"] == int(paused_s)
    assert (events[3]["from"], events[3]["to"]) == (int(paused_s), 30)
    assert int(left_s) <= events[5]["at"] <= left_s + leaving_s
    await page.goto(f"{api.base_url}/nothing")  # of the same origin
    played_ms = int(await page.evaluate("localStorage.getItem('playedMs')"))
    assert played_ms > 2400  # of the video
    # The same clock was read by two listeners of the same events.
    assert told.number("watch-time/sum") == pytest.approx(played_ms / 1000, abs=1)
    assert told.number("impression-time/average") > 0
    assert told.number("play/count") == 1
    assert told.number("end/count") == 0
