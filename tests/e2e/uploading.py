"""The official browser packages on a page of their own, and what a page does with them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, ConsoleMessage, Page, Route

from tests.contract import packages
from tests.e2e.conftest import PATIENCE_MS

ORIGIN = "https://shop.example"

_PAGE = """<!doctype html><meta charset=utf-8><title>Shop</title>
<input type=file id=file><script src=/library.js></script>"""

UPLOAD = """async (options) => {
  const file = document.querySelector('#file').files[0];
  const uploader = new VideoUploader({...options, file});
  let sent = 0;
  uploader.onProgress((event) => { sent = event.uploadedBytes; });
  const playable = options.untilPlayable
    ? new Promise((resolve) => uploader.onPlayable(resolve)) : undefined;
  const video = await uploader.upload();
  const assets = playable && (await playable).assets;
  return {videoId: video.videoId, title: video.title, isPublic: video._public, sent, assets};
}"""

PROGRESSIVE = """async ({blobBytes, ...options}) => {
  const file = document.querySelector('#file').files[0];
  const uploader = new ProgressiveUploader(options);
  let end = 0;
  for (; end + blobBytes < file.size; end += blobBytes) {
    await uploader.uploadPart(file.slice(end, end + blobBytes));
  }
  const video = await uploader.uploadLastPart(file.slice(end));
  return {videoId: video.videoId, title: video.title};
}"""

RECORD = """async ({seconds, ...options}) => {
  const stream = await navigator.mediaDevices.getUserMedia({audio: true, video: true});
  const recorder = new ApiVideoMediaRecorder(stream, options);
  const failed = new Promise((_, reject) => recorder.addEventListener(
    'error', (event) => reject(new Error(JSON.stringify(event.data)))));
  const playable = new Promise((resolve) => recorder.addEventListener('videoPlayable', resolve));
  recorder.start({timeslice: 1000});
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  const video = await Promise.race([recorder.stop(), failed]);
  await Promise.race([playable, failed]);
  stream.getTracks().forEach((track) => track.stop());
  return {videoId: video.videoId, title: video.title};
}"""

RECORD_NOISE = """async (options) => {
  // Pictures that compress badly fill the parts of 5 MiB sooner than a camera's would.
  const canvas = Object.assign(document.createElement('canvas'), {width: 320, height: 180});
  const pen = canvas.getContext('2d');
  const picture = pen.createImageData(320, 180);
  const draw = () => {
    const words = new Uint32Array(picture.data.buffer);
    for (let at = 0; at < words.length; at += 16384) {
      crypto.getRandomValues(words.subarray(at, at + 16384));
    }
    for (let at = 3; at < picture.data.length; at += 4) picture.data[at] = 255;
    pen.putImageData(picture, 0, 0);
  };
  draw();
  const drawing = setInterval(draw, 66);
  const audio = await navigator.mediaDevices.getUserMedia({audio: true});
  const stream = new MediaStream([
    ...canvas.captureStream(15).getVideoTracks(), ...audio.getAudioTracks()]);
  const plain = MediaRecorder;
  const recorded = [];
  window.MediaRecorder = class extends plain {
    constructor(what, how) {
      super(what, {...how, videoBitsPerSecond: 12_000_000});
      this.addEventListener('dataavailable', ({data}) => recorded.push(data));
    }
  };
  const recorder = new ApiVideoMediaRecorder(stream, options);
  window.recording = new Promise((_, reject) => recorder.addEventListener(
    'error', (event) => reject(new Error(JSON.stringify(event.data)))));
  window.recording.catch(() => {});
  recorder.start({timeslice: 1000});
  window.endRecording = async () => {
    const video = await Promise.race([recorder.stop(), window.recording]);
    clearInterval(drawing);
    stream.getTracks().forEach((track) => track.stop());
    const bytes = await new Blob(recorded).arrayBuffer();
    const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
    const sha256 = [...digest].map((byte) => byte.toString(16).padStart(2, '0')).join('');
    return {videoId: video.videoId, sha256};
  };
  return {};
}"""

END_RECORDING = "() => window.endRecording()"


@dataclass(slots=True)
class Shop:
    """A page of another site that has loaded a package."""

    page: Page
    said: list[str] = field(default_factory=list)

    async def choose(self, file: Path) -> None:
        """Choose a file, as its user does."""
        await self.page.set_input_files("#file", file)

    async def run(self, script: str, **options: Any) -> dict[str, Any]:
        """Run one of this module's scripts; return what it did."""
        found: dict[str, Any] = await self.page.evaluate(script, options)
        return found


@asynccontextmanager
async def shop_with(browser: Browser, package: str, version: str) -> AsyncIterator[Shop]:
    """Open a page with a version of an official package."""
    folder = packages.node_package(f"@api.video/{package}", version)
    library = folder / "node_modules" / "@api.video" / package / "dist" / "index.js"
    page = await browser.new_page(ignore_https_errors=True)
    page.set_default_timeout(PATIENCE_MS)

    async def serve(route: Route) -> None:
        if route.request.url.endswith("/library.js"):
            await route.fulfill(path=library, content_type="text/javascript")
        else:
            await route.fulfill(body=_PAGE, content_type="text/html")

    shop = Shop(page)

    def hear(message: ConsoleMessage) -> None:
        shop.said.append(message.text)

    page.on("console", hear)
    await page.route(f"{ORIGIN}/**", serve)
    await page.goto(ORIGIN)
    yield shop
    await page.close()
