"""Resumable uploads from a page of another site, over connections that break."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.async_api import Browser, Page, Route, async_playwright

from tests.contract import packages
from tests.contract.upload_ways import TUS_JS
from tests.e2e.conftest import FLAGS, PATIENCE_MS, chromium
from tests.e2e.test_browser_upload import NEAR
from tests.fixtures.media import AAC, REPRODUCIBLE, X264, make_clip, padded
from tests.fixtures.proxy import proxy_to
from tests.fixtures.server import TelecineServer
from tests.fixtures.stored import stored_source

pytestmark = [pytest.mark.anyio, pytest.mark.browser, pytest.mark.node]

ORIGIN = "http://shop.example"
PAGE = """<!doctype html><meta charset=utf-8><title>Shop</title>
<input type=file id=file><script src=/tus.js></script>"""

UPLOAD = """async (options) => {
  const file = document.querySelector('#file').files[0];
  const offsets = [];
  const url = await new Promise((resolve, reject) => {
    const upload = new tus.Upload(file, {
      ...options,
      metadata: {filename: file.name, token: options.token},
      retryDelays: [0, 500, 1000],
      onBeforeRequest(request) {
        const offset = request.getHeader('Upload-Offset');
        if (offset !== undefined) offsets.push(Number(offset));
      },
      onError: reject,
      onSuccess: () => resolve(upload.url),
    });
    upload.start();
  });
  return {url, offsets};
}"""


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    picture = ["-f", "lavfi", "-i", "testsrc2=size=320x240:rate=25:duration=1"]
    sound = ["-f", "lavfi", "-i", "sine=duration=1"]
    small = make_clip("browser.mp4", *picture, *sound, *X264, *AAC, *REPRODUCIBLE)
    path = tmp_path_factory.mktemp("tus") / "large.mp4"
    path.write_bytes(padded(small.read_bytes(), 12 << 20))
    return path


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    executable = chromium()
    folder = packages.node_package("tus-js-client", TUS_JS)
    library = folder / "node_modules" / "tus-js-client" / "dist" / "tus.js"

    async def serve(route: Route) -> None:
        if route.request.url.endswith("/tus.js"):
            await route.fulfill(path=library, content_type="text/javascript")
        else:
            await route.fulfill(body=PAGE, content_type="text/html")

    async with async_playwright() as playwright:
        browser: Browser = await playwright.chromium.launch(
            executable_path=executable, args=[*FLAGS, NEAR]
        )
        page = await browser.new_page()
        page.set_default_timeout(PATIENCE_MS)
        await page.route(f"{ORIGIN}/**", serve)
        await page.goto(ORIGIN)
        yield page
        await browser.close()


@pytest.mark.parametrize("protocol", ["tus-v1", "ietf-draft-05"])
async def test_a_broken_connection_costs_what_was_on_its_way(
    page: Page, telecine_server: TelecineServer, api: httpx.Client, file: Path, protocol: str
) -> None:
    token = api.post("/upload-tokens", json={"ttl": 3600}).raise_for_status().json()["token"]
    async with proxy_to(telecine_server.base_url) as proxy:
        fault = proxy.cut(b"PATCH /tus/", after_bytes=5 << 20)
        await page.set_input_files("#file", file)
        options = {"endpoint": f"http://{proxy.authority}/tus/", "protocol": protocol}
        made: dict[str, Any] = await page.evaluate(UPLOAD, {**options, "token": token})
    assert fault.happened.is_set()
    assert made["offsets"][0] == 0
    assert made["offsets"][-1] > 1 << 20, "it went on where it was"
    video_id = made["url"].partition("?")[0].rpartition("/")[2]
    assert stored_source(telecine_server, video_id) == file.read_bytes()
