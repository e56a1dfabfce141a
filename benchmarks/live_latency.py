"""Glass to glass: a picture is sent by an encoder → it is on the screen of headless Chromium.

Every picture shows its number, and is sent at a time that is known. Telecine's own page waits
before anybody publishes, so that publish → first picture is told as well. In the same run the
same media goes to ffmpeg's hls muxer with segments of 2 s, watched by hls.js.
"""

import argparse
import asyncio
import contextlib
import http.server
import os
import shutil
import subprocess
import threading
import time
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
from playwright.async_api import Browser, Page, async_playwright

from measure import CACHE, percentile
from player import FLAGS
from serving import folder, free_port, serving
from telecine.ffmpeg.binary import find_ffmpeg
from telecine.formats.flv import tags
from telecine.protocols.rtmp.client import PublishClient
from telecine.protocols.rtmp.handshake import RANDOM_BYTES

FRAME_HZ, GOP_S, BITS, BIT_PX = 30, 2, 12, 20
CLIP_S = 100
SETTLE_S = 30.0
JOIN_S = 10.0
"""When the viewer of the peer comes: an early one would be spared most of its latency."""
HLS_JS = Path(__file__).parents[1] / "web/node_modules/hls.js/dist/hls.min.js"

WATCH = f"""() => {{
  const video = document.querySelector('video');
  const canvas = document.createElement('canvas');
  canvas.width = {BITS * BIT_PX}; canvas.height = 180;
  const pixels = canvas.getContext('2d', {{willReadFrequently: true}});
  window.shown = [];
  window.waits = 0;
  video.addEventListener('waiting', () => window.waits++);
  const look = (now, frame) => {{
    pixels.drawImage(video, 0, 0, 320, 180, 0, 0, 320, 180);
    const row = pixels.getImageData(0, 90, canvas.width, 1).data;
    let number = 0;
    for (let bit = 0; bit < {BITS}; bit++) {{
      if (row[(bit * {BIT_PX} + {BIT_PX // 2}) * 4] > 127) number += 2 ** bit;
    }}
    window.shown.push([performance.timeOrigin + frame.expectedDisplayTime, number]);
    video.requestVideoFrameCallback(look);
  }};
  video.requestVideoFrameCallback(look);
}}"""
PEER = """<!doctype html><video muted></video><script src=hls.min.js></script><script>
const video = document.querySelector('video');
const open = () => {
  const hls = new Hls();
  hls.on(Hls.Events.ERROR, (_, data) => {
    if (data.fatal) { hls.destroy(); setTimeout(open, 200); }
  });
  hls.on(Hls.Events.MANIFEST_PARSED, () => video.play());
  hls.loadSource('live.m3u8');
  hls.attachMedia(video);
};
open();
</script>"""


def numbered() -> Path:
    """Return an FLV whose pictures show their numbers; made once."""
    CACHE.mkdir(exist_ok=True)
    path = CACHE / f"numbered-{CLIP_S}.flv"
    if path.exists():
        return path
    boxes = ",".join(
        f"drawbox=x={bit * BIT_PX}:w={BIT_PX}:h=180:c=white:t=fill"
        f":enable='gt(mod(floor(n/{2**bit}),2),0)'"
        for bit in range(BITS)
    )
    pictures = f"color=black:s=320x180:r={FRAME_HZ}:d={CLIP_S},{boxes}"
    partial_path = path.with_suffix(".part.flv")
    command = [str(find_ffmpeg(None)), "-v", "error", "-nostdin", "-y"]
    command += ["-f", "lavfi", "-i", pictures, "-f", "lavfi", "-i", f"sine=d={CLIP_S}:r=48000"]
    command += ["-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-bf", "0"]
    command += ["-g", str(GOP_S * FRAME_HZ), "-sc_threshold", "0", "-pix_fmt", "yuv420p"]
    command += ["-c:a", "aac", "-b:a", "96k", str(partial_path)]
    subprocess.run(command, check=True)
    partial_path.rename(path)
    return path


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves a folder and says nothing."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


@contextlib.contextmanager
def hls_muxer(data: Path) -> Iterator[tuple[int, str]]:
    """Run ffmpeg's hls muxer behind a port for RTMP; give that, and the address of a page."""
    data.mkdir()
    shutil.copy(HLS_JS, data / "hls.min.js")
    (data / "page.html").write_text(PEER)
    port = free_port()
    muxer = subprocess.Popen(
        [str(find_ffmpeg(None)), "-v", "fatal", "-nostdin", "-listen", "1", "-f", "flv", "-i",
         f"rtmp://127.0.0.1:{port}/s/x", "-c", "copy", "-f", "hls", "-hls_time", str(GOP_S),
         "-hls_list_size", "6", data / "live.m3u8"],
    )  # fmt: skip
    handler = partial(Quiet, directory=str(data))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield port, f"http://127.0.0.1:{server.server_port}/page.html"
    finally:
        server.shutdown()
        muxer.kill()
        muxer.wait()


@contextlib.asynccontextmanager
async def publisher(port: int, key: str) -> AsyncIterator[tuple[PublishClient, Any]]:
    """Connect to a server that takes RTMP."""
    while True:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            break
        except ConnectionError:
            await asyncio.sleep(0.1)
    session = PublishClient(bytes(RANDOM_BYTES), "s", f"rtmp://127.0.0.1:{port}/s", key)
    while not session.accepted:
        writer.write(session.to_send())
        session.receive(await reader.read(1 << 16))
    drain = asyncio.ensure_future(reader.read())
    yield session, writer
    drain.cancel()
    writer.close()


async def publish(clip: Path, outlets: list[tuple[PublishClient, Any]], begun_s: float) -> None:
    """Send every tag when its time has come after `begun_s` (Unix time)."""
    for kind, time_ms, body in tags.TagReader().feed(clip.read_bytes()):
        if kind not in (tags.AUDIO, tags.VIDEO):
            continue
        await asyncio.sleep(max(0.0, begun_s + time_ms / 1000 - time.time()))
        for session, writer in outlets:
            session.send(kind, time_ms, body)
            writer.write(session.to_send())


def told(name: str, shown: list[tuple[float, int]], begun_s: float, waits: int) -> float:
    """Print how late pictures were once all had settled; return the 95th percentile, seconds."""
    settled = [(at, n) for at, n in shown if at / 1000 > begun_s + SETTLE_S]
    late = [at / 1000 - begun_s - number / FRAME_HZ for at, number in settled]
    first_s = shown[0][0] / 1000 - begun_s
    p50, p95 = percentile(late, 0.5), percentile(late, 0.95)
    print(
        f"{name}: p50 {p50:.3f} s, p95 {p95:.3f} s of {len(late)} pictures, "
        f"first picture {first_s:.2f} s after publishing began, stalls {waits}"
    )
    return p95


async def run(seconds: float, peer: bool) -> None:
    """Publish once to both, and tell."""
    executable = shutil.which("chromium")
    assert executable is not None
    clip, rtmp_port = numbered(), free_port()
    with folder() as data, contextlib.ExitStack() as stack:
        settings = {"TELECINE_RTMP_PORT": str(rtmp_port), "TELECINE_LIVE_LADDER": "off"}
        telecine = stack.enter_context(serving(data, **settings))
        auth = (telecine.key, "")
        async with httpx.AsyncClient(base_url=telecine.base_url, auth=auth) as client:
            answer = await client.post("/live-streams", json={"name": "Clock"})
            created = answer.raise_for_status().json()
        async with async_playwright() as playwright, contextlib.AsyncExitStack() as outlets:
            browser = await playwright.chromium.launch(executable_path=executable, args=FLAGS)
            url = f"{telecine.base_url}/live/{created['liveStreamId']}?muted=true&autoplay=true"
            pages: dict[str, Page] = {"Telecine": await opened(browser, url)}
            await asyncio.sleep(3)  # the viewer waits
            sent = [await outlets.enter_async_context(publisher(rtmp_port, created["streamKey"]))]
            if peer:
                port, page_url = stack.enter_context(hls_muxer(data.parent / "peer"))
                sent.append(await outlets.enter_async_context(publisher(port, "x")))
            begun_s = time.time()
            sending = asyncio.ensure_future(publish(clip, sent, begun_s))
            await asyncio.sleep(JOIN_S)
            if peer:
                pages["ffmpeg's hls muxer, 2 s"] = await opened(browser, page_url)
            await asyncio.sleep(SETTLE_S - JOIN_S + seconds)
            late = []
            for name, page in pages.items():
                shown, waits = await page.evaluate("[window.shown, window.waits]")
                late.append(told(name, shown, begun_s, waits))
            if peer:
                print(f"ratio of the 95th percentiles: {late[0] / late[1]:.3f}")
            sending.cancel()
            await browser.close()


async def opened(browser: Browser, url: str) -> Page:
    """Open a page in a window of its own and begin to look."""
    page: Page = await (await browser.new_context()).new_page()
    await page.goto(url, wait_until="commit")
    async with asyncio.timeout(30):
        while not await page.evaluate("document.querySelector('video') !== null"):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    await page.evaluate(WATCH)
    return page


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--no-peer", action="store_true")
    given = parser.parse_args()
    print(f"load {os.getloadavg()[0]:.1f}")
    for _ in range(given.runs):
        asyncio.run(run(given.seconds, not given.no_peer))


if __name__ == "__main__":
    main()
