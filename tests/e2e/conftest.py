"""A real browser on a real Telecine."""

import os
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import httpx
import pytest
from playwright.async_api import Browser, Page, async_playwright, expect

from tests.e2e.watching import BUSY, IDLE, Patience
from tests.fixtures.media import barcode_mp4
from tests.fixtures.server import TelecineServer
from tests.fixtures.waiting import PATIENCE_S

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
)

Upload = Callable[[Path, str], str]

PATIENCE_MS = 1000 * PATIENCE_S
expect.set_options(timeout=PATIENCE_MS)


def chromium() -> str:
    """Return the browser; without one the test is skipped, or fails where all must run."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        reason = "Chromium is not installed (Debian: chromium)"
        if os.environ.get("TELECINE_REQUIRE_ALL"):
            pytest.fail(reason)
        pytest.skip(reason)
    return found


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    """One for all tests of a file: each opens pages that share nothing with others."""
    executable = chromium()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=executable, args=list(FLAGS))
        yield browser
        await browser.close()


@pytest.fixture
async def page(browser: Browser) -> AsyncIterator[Page]:
    page = await browser.new_page(viewport={"width": 800, "height": 450})
    page.set_default_timeout(PATIENCE_MS)
    yield page
    await page.close()


@pytest.fixture(scope="session")
def api(telecine_server: TelecineServer) -> Iterator[httpx.Client]:
    auth = (telecine_server.production_key, "")
    with httpx.Client(base_url=telecine_server.base_url, auth=auth, timeout=PATIENCE_S) as client:
        yield client


@pytest.fixture(scope="session")
def wide_video(upload: Upload) -> str:
    """The id of a video of ten seconds in three qualities, for tests that change nothing of it."""
    return upload(barcode_mp4(frames=300, width_px=854, height_px=480), "Controls & <b>titles</b>")


@pytest.fixture(scope="session")
def upload(api: httpx.Client) -> Upload:
    """Upload a file and return the id of its video."""

    def send(path: Path, title: str) -> str:
        created = api.post("/videos", json={"title": title}).raise_for_status().json()
        video_id: str = created["videoId"]
        with path.open("rb") as file:
            url = f"/videos/{video_id}/source"
            api.post(url, files={"file": (path.name, file)}).raise_for_status()
        return video_id

    return send


@pytest.fixture(scope="session")
def patience(pytestconfig: pytest.Config) -> Patience:
    return IDLE if pytestconfig.getoption("idle") else BUSY
