"""Viewers' analytics: from what a viewer does to the number that has changed.

A page is opened in headless Chromium and told to play; what is measured is from that call to the
first answer of `/data/metrics/play/count` that counts one more, and from a ping of somebody else's
player to the same. Beside it, the time of an answer in which nothing has changed: a number cannot
be seen sooner.
"""

import argparse
import asyncio
import os
import shutil
import time
from collections.abc import Awaitable, Callable
from functools import partial

import httpx
from playwright.async_api import Browser, Page, async_playwright

from measure import make_source, percentile
from serving import folder, machine, serving

FLAGS = ["--no-sandbox", "--disable-gpu", "--autoplay-policy=no-user-gesture-required"]
PLAY = "window.telecinePlayer.play()"
ASKED_S = 2.0
_PATIENCE_S = 120


class Plays:
    """The number of plays of one video, as the API tells it."""

    def __init__(self, client: httpx.AsyncClient, video_id: str) -> None:
        self._client = client
        self._parameters = {"filterBy[mediaId]": video_id}
        self.answers_s: list[float] = []

    async def count(self) -> int:
        """Ask once."""
        asked_s = time.perf_counter()
        answer = await self._client.get("/data/metrics/play/count", params=self._parameters)
        self.answers_s.append(time.perf_counter() - asked_s)
        return int(answer.raise_for_status().json()["data"])

    async def after(self, act: Callable[[], Awaitable[object]]) -> float:
        """Do something that is a play; return after how many seconds the number tells of it."""
        before = await self.count()
        begun_s = time.perf_counter()
        await act()
        async with asyncio.timeout(_PATIENCE_S):
            while await self.count() == before:
                pass
        return time.perf_counter() - begun_s


async def ready(browser: Browser, url: str) -> Page:
    """Open a page whose video could play."""
    page = await browser.new_page(viewport={"width": 800, "height": 450})
    await page.goto(url)
    loaded = "Boolean(window.telecinePlayer && window.telecinePlayer.video.readyState >= 2)"
    async with asyncio.timeout(_PATIENCE_S):
        while not await page.evaluate(loaded):  # noqa: ASYNC110  # it sets no Event
            await asyncio.sleep(0.05)
    return page


async def by_browser(plays: Plays, url: str, runs: int) -> list[float]:
    """Return seconds from the call that plays to the number."""
    times_s = []
    async with async_playwright() as playwright:
        executable = shutil.which("chromium") or shutil.which("chromium-browser")
        browser = await playwright.chromium.launch(executable_path=executable, args=FLAGS)
        for _ in range(runs):
            page = await ready(browser, url)
            times_s.append(await plays.after(partial(page.evaluate, PLAY)))
            await page.close()
        await browser.close()
    return times_s


async def by_ping(plays: Plays, base_url: str, video_id: str, runs: int) -> list[float]:
    """Return seconds from the sending of a ping to the number."""
    times_s = []
    async with httpx.AsyncClient(base_url=base_url, timeout=_PATIENCE_S) as player:
        for number in range(runs):
            now_ms = time.time_ns() // 1_000_000
            batch = {
                "sat": now_ms,
                "sid": f"tab{number}",
                "pid": "page",
                "mid": video_id,
                "ref": "",
                "ver": "0",
                "eve": [{"eat": now_ms, "typ": 2, "vti": 0}],
            }
            times_s.append(await plays.after(partial(player.post, "/watch", json=batch)))
    return times_s


def tell(name: str, times_s: list[float], asked: str = "") -> None:
    """Print how long something took."""
    p50, p95 = percentile(times_s, 0.5), percentile(times_s, 0.95)
    print(f"{name}: p50 {p50:.2f} s, p95 {p95:.2f} s, longest {max(times_s):.2f} s{asked}")


async def measure(base_url: str, key: str, video_id: str, runs: int) -> None:
    """Measure both ways, one play after the other."""
    async with httpx.AsyncClient(base_url=base_url, auth=(key, ""), timeout=_PATIENCE_S) as client:
        plays = Plays(client, video_id)
        asked = f" (asked: {ASKED_S:.0f} s)"
        tell("from play() in a browser", await by_browser(
            plays, f"{base_url}/vod/{video_id}?muted=true", runs), asked)  # fmt: skip
        tell("from a ping", await by_ping(plays, base_url, video_id, runs), asked)
        tell("an answer", plays.answers_s)


def main() -> None:
    """Upload a clip, play it, look."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--runs", type=int, default=30)
    chosen = options.parse_args()
    print(machine())
    path = make_source(20, "640x360", gop=60, bit_rate="500k")
    with folder() as data, serving(data) as telecine:
        with httpx.Client(base_url=telecine.base_url, auth=(telecine.key, ""), timeout=120) as api:
            video_id = str(api.post("/videos", json={"title": "Measured"}).json()["videoId"])
            with path.open("rb") as file:
                sent = api.post(f"/videos/{video_id}/source", files={"file": file})
            sent.raise_for_status()
            # Encoding takes the machine; what is measured is not that.
            while not is_stored(api, video_id):
                time.sleep(0.5)
        asyncio.run(measure(telecine.base_url, telecine.key, video_id, chosen.runs))
        print(f"load {os.getloadavg()[0]:.1f}")


def is_stored(client: httpx.Client, video_id: str) -> bool:
    """Tell whether every quality of a video is encoded."""
    status = client.get(f"/videos/{video_id}/status").raise_for_status().json()
    return {each["status"] for each in status["encoding"]["qualities"]} == {"encoded"}


if __name__ == "__main__":
    main()
