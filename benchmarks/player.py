"""The player page in headless Chromium: request of the page → first frame on the screen.

Warm: a browser that has the scripts, on this machine, against a page that is nothing but
`<video src=source.mp4>`, which is what the browser needs itself. Throttled: an empty cache
behind 3 Mbit/s and 80 ms, then 60 s of playing, in which `waiting` must not happen.
"""

import argparse
import asyncio
import os
import shutil
import time
from typing import Any

import httpx
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from measure import make_source, percentile
from serving import folder, machine, serving

FLAGS = ["--no-sandbox", "--disable-gpu", "--autoplay-policy=no-user-gesture-required"]
LINE_BPS = 3_000_000
LATENCY_MS = 80
PLAYED_S = 60

# Noted by the page itself, in milliseconds from its navigation.
RECORD = """
addEventListener('DOMContentLoaded', () => {
  const video = document.querySelector('video');
  window.waits = [];
  video.requestVideoFrameCallback((now) => { window.firstFrameMs = now; });
  video.addEventListener('waiting', () => {
    if (window.firstFrameMs) window.waits.push(video.currentTime);
  });
});
"""
BARE = "<!doctype html><video muted autoplay playsinline src='{url}'></video>"


async def becomes(page: Page, expression: str, within_s: float) -> float:
    """Wait for a number that is not 0; Playwright's own way is what the page's policy forbids."""
    async with asyncio.timeout(within_s):
        while not (value := await page.evaluate(expression)):  # noqa: ASYNC110  # it sets no Event
            await asyncio.sleep(0.05)
    return float(value)


async def first_frame_s(context: BrowserContext, url: str, bare: str | None = None) -> float:
    """Open a page; return seconds from its navigation to its first frame."""
    page = await context.new_page()
    await page.add_init_script(RECORD)
    if bare is not None:
        await page.route(url, lambda route: route.fulfill(body=bare, content_type="text/html"))
    await page.goto(url, wait_until="commit")
    milliseconds = await becomes(page, "window.firstFrameMs", 60)
    await page.close()
    return milliseconds / 1000


async def warm(browser: Browser, base: str, video_id: str, runs: int) -> None:
    """Print first frames of a browser that was here before, beside those of a bare file."""
    context = await browser.new_context(viewport={"width": 1280, "height": 720})
    page_url = f"{base}/vod/{video_id}?muted=true#autoplay"
    bare_url, bare = f"{base}/bare", BARE.format(url=f"{base}/vod/{video_id}/mp4/source.mp4")
    ours, theirs = [], []
    for turn in range(runs + 2):
        player_s = await first_frame_s(context, page_url)
        file_s = await first_frame_s(context, bare_url, bare)
        if turn >= 2:  # the scripts are compiled and cached by then
            ours.append(player_s)
            theirs.append(file_s)
    await context.close()
    for name, times_s in (("player page", ours), ("bare MP4", theirs)):
        p50, p95 = percentile(times_s, 0.5), percentile(times_s, 0.95)
        print(f"warm, {name}: first frame p50 {p50:.3f} s, p95 {p95:.3f} s")
    print(f"warm, ratio of medians {percentile(ours, 0.5) / percentile(theirs, 0.5):.2f}")


async def throttled(browser: Browser, base: str, video_id: str) -> None:
    """Print the first frame of a new viewer on a slow line, and where it stopped later."""
    context = await browser.new_context(viewport={"width": 1280, "height": 720})
    page = await context.new_page()
    session = await context.new_cdp_session(page)
    line: dict[str, Any] = {
        "offline": False,
        "latency": LATENCY_MS,
        "downloadThroughput": LINE_BPS / 8,
        "uploadThroughput": LINE_BPS / 8,
    }
    await session.send("Network.enable")
    await session.send("Network.emulateNetworkConditions", line)
    await page.add_init_script(RECORD)
    await page.goto(f"{base}/vod/{video_id}?muted=true#autoplay", wait_until="commit")
    first_s = await becomes(page, "window.firstFrameMs", 60) / 1000
    done = f"window.telecinePlayer.video.currentTime >= {PLAYED_S}"
    await becomes(page, done, 3 * PLAYED_S)
    waits = await page.evaluate("window.waits")
    shown = await page.evaluate("window.telecinePlayer.shownHeightPx")
    print(
        f"throttled: first frame {first_s:.2f} s, {len(waits)} rebuffers in {PLAYED_S} s "
        f"{waits}, {shown}p at the end"
    )
    await context.close()


async def measure(base: str, video_id: str, runs: int) -> None:
    """Measure with one browser."""
    async with async_playwright() as playwright:
        executable = shutil.which("chromium") or shutil.which("chromium-browser")
        browser = await playwright.chromium.launch(executable_path=executable, args=FLAGS)
        print(f"Chromium {browser.version}, load {os.getloadavg()[0]:.1f}")
        await warm(browser, base, video_id, runs)
        await throttled(browser, base, video_id)
        await browser.close()


def is_stored(client: httpx.Client, video_id: str) -> bool:
    """Tell whether every quality of a video is encoded."""
    status = client.get(f"/videos/{video_id}/status").raise_for_status().json()
    return {each["status"] for each in status["encoding"]["qualities"]} == {"encoded"}


def main() -> None:
    """Upload a clip, wait for its ladder, measure."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--runs", type=int, default=20)
    options.add_argument("--base", help="measure a server that runs already, ...")
    options.add_argument("--video", help="... with this video")
    chosen = options.parse_args()
    print(machine())
    if chosen.base and chosen.video:
        asyncio.run(measure(chosen.base, chosen.video, chosen.runs))
        return
    path = make_source(80, "1280x720", gop=60, bit_rate="2500k")
    with folder() as data, serving(data) as telecine:
        client = httpx.Client(base_url=telecine.base_url, auth=(telecine.key, ""), timeout=120)
        video_id = str(client.post("/videos", json={"title": "Measured"}).json()["videoId"])
        with path.open("rb") as file:
            client.post(f"/videos/{video_id}/source", files={"file": file}).raise_for_status()

        while not is_stored(client, video_id):
            time.sleep(0.5)
        asyncio.run(measure(telecine.base_url, video_id, chosen.runs))


if __name__ == "__main__":
    main()
