"""Uploads from a browser by the official packages, over TLS, with broken connections.

And what those see who wait for a file, where that takes a server of one's own.
"""

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.async_api import Browser, Locator, Page, async_playwright

from telecine.formats.hls.check import check_growth
from tests.chaos import killing
from tests.chaos.conftest import Victim
from tests.contract.upload_ways import NEWEST_UPLOADER, OLD_UPLOADER, RECORDER
from tests.e2e.conftest import FLAGS, PATIENCE_MS, chromium
from tests.e2e.uploading import (
    END_RECORDING,
    PROGRESSIVE,
    RECORD,
    RECORD_NOISE,
    UPLOAD,
    Shop,
    shop_with,
)
from tests.fixtures.media import AAC, REPRODUCIBLE, X264, make_clip, padded
from tests.fixtures.origin import Answer, serving
from tests.fixtures.ports import free_port
from tests.fixtures.proxy import Fault, Proxy, proxy_to, self_signed
from tests.fixtures.server import TelecineServer
from tests.fixtures.stored import lose_answer, stored_source
from tests.fixtures.waiting import PATIENCE_S, until

pytestmark = [pytest.mark.anyio, pytest.mark.browser, pytest.mark.node]

CHUNK_BYTES = 5 * 1024 * 1024
CAMERA = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
# Else it asks its user whether the page, which seems to be far away, may talk to us here.
NEAR = "--disable-features=LocalNetworkAccessChecks"

NEWEST = ("video-uploader", NEWEST_UPLOADER)
OLD = ("video-uploader", OLD_UPLOADER)


@pytest.fixture(scope="session")
def small() -> Path:
    picture = ["-f", "lavfi", "-i", "testsrc2=size=320x240:rate=25:duration=1"]
    sound = ["-f", "lavfi", "-i", "sine=duration=1"]
    return make_clip("browser.mp4", *picture, *sound, *X264, *AAC, *REPRODUCIBLE)


@pytest.fixture(scope="session")
def large(small: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of three chunks."""
    path = tmp_path_factory.mktemp("browser") / "large.mp4"
    path.write_bytes(padded(small.read_bytes(), 2 * CHUNK_BYTES + 60_860))
    return path


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return self_signed(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    """One with a camera and a microphone."""
    executable = chromium()
    async with async_playwright() as playwright:
        flags = [*FLAGS, *CAMERA, NEAR]
        browser = await playwright.chromium.launch(executable_path=executable, args=flags)
        yield browser
        await browser.close()


@pytest.fixture
async def proxy(telecine_server: TelecineServer, certificate: Path) -> AsyncIterator[Proxy]:
    async with proxy_to(telecine_server.base_url, certificate) as proxy:
        yield proxy


@pytest.fixture
def token(api: httpx.Client) -> str:
    made = api.post("/upload-tokens", json={"ttl": 3600}).raise_for_status().json()
    return str(made["token"])


@pytest.fixture
def container(api: httpx.Client) -> str:
    made = api.post("/videos", json={"title": "Kept"}).raise_for_status().json()
    return str(made["videoId"])


async def wait_until_playable(api: httpx.Client, video_id: str) -> dict[str, Any]:
    status: dict[str, Any] = {}

    async def playable() -> bool:
        nonlocal status
        status = api.get(f"/videos/{video_id}/status").raise_for_status().json()
        return bool(status["encoding"]["playable"])

    await until(playable)
    return status


@pytest.mark.parametrize("library", [NEWEST, OLD], ids=" ".join)
async def test_a_file_on_a_token(
    browser: Browser,
    proxy: Proxy,
    api: httpx.Client,
    telecine_server: TelecineServer,
    token: str,
    small: Path,
    large: Path,
    library: tuple[str, str],
) -> None:
    options = {"apiHost": proxy.authority, "uploadToken": token, "chunkSize": CHUNK_BYTES}
    async with shop_with(browser, *library) as shop:
        for file in (small, large):
            await shop.choose(file)
            video = await shop.run(UPLOAD, **options)
            assert video["title"] == file.name
            assert video["isPublic"] is True
            assert stored_source(telecine_server, video["videoId"]) == file.read_bytes()
            await wait_until_playable(api, video["videoId"])
        container = api.post("/videos", json={"title": "Kept"}).json()["videoId"]
        video = await shop.run(UPLOAD, **options, videoId=container)
        assert (video["videoId"], video["title"]) == (container, "Kept")
        assert stored_source(telecine_server, container) == large.read_bytes()


async def test_playable_is_told_when_it_is(
    browser: Browser, proxy: Proxy, api: httpx.Client, token: str, small: Path
) -> None:
    async with shop_with(browser, *NEWEST) as shop:
        await shop.choose(small)
        options = {"apiHost": proxy.authority, "uploadToken": token}
        video = await shop.run(UPLOAD, **options, untilPlayable=True)
    assert api.get(video["assets"]["hls"]).text.startswith("#EXTM3U")
    status = api.get(f"/videos/{video['videoId']}/status").json()
    assert status["encoding"]["playable"] is True


@pytest.mark.parametrize("credentials", ["access token", "expired access token", "API key"])
async def test_a_file_with_credentials(
    browser: Browser,
    proxy: Proxy,
    api: httpx.Client,
    telecine_server: TelecineServer,
    container: str,
    large: Path,
    credentials: str,
) -> None:
    key = telecine_server.production_key
    if credentials == "API key":
        who = {"apiKey": key}
    else:
        issued = api.post("/auth/api-key", json={"apiKey": key}).raise_for_status().json()
        stale = "expired" if "expired" in credentials else issued["access_token"]
        who = {"accessToken": stale, "refreshToken": issued["refresh_token"]}
    async with shop_with(browser, *NEWEST) as shop:
        await shop.choose(large)
        options = {"apiHost": proxy.authority, "videoId": container, "chunkSize": CHUNK_BYTES}
        video = await shop.run(UPLOAD, **options, **who)
    assert video["title"] == "Kept"
    assert stored_source(telecine_server, container) == large.read_bytes()


@pytest.mark.parametrize("library", [NEWEST, OLD], ids=" ".join)
@pytest.mark.parametrize("blob_bytes", [6 << 20, 1 << 20])
async def test_a_progressive_session(
    browser: Browser,
    proxy: Proxy,
    telecine_server: TelecineServer,
    token: str,
    large: Path,
    library: tuple[str, str],
    blob_bytes: int,
) -> None:
    async with shop_with(browser, *library) as shop:
        await shop.choose(large)
        options = {"apiHost": proxy.authority, "uploadToken": token, "blobBytes": blob_bytes}
        video = await shop.run(PROGRESSIVE, **options)
    assert video["title"] == "file"
    assert stored_source(telecine_server, video["videoId"]) == large.read_bytes()


@pytest.mark.parametrize("part", [1, 2, 3])
async def test_a_connection_that_breaks_is_no_loss(
    browser: Browser,
    proxy: Proxy,
    telecine_server: TelecineServer,
    token: str,
    large: Path,
    part: int,
) -> None:
    # On a connection that served before, Chromium itself tries once more.
    faults = [proxy.cut(b"part %d/3" % part, after_bytes=50_000) for _ in range(min(part, 2))]
    async with shop_with(browser, *NEWEST) as shop:
        await shop.choose(large)
        video = await upload_in_chunks(shop, proxy, token)

        async def told() -> bool:  # by another way than the result comes
            return any("NETWORK_ERROR, will be retried" in text for text in shop.said)

        await until(told)
    assert all(fault.happened.is_set() for fault in faults)
    assert stored_source(telecine_server, video["videoId"]) == large.read_bytes()


async def upload_in_chunks(shop: Shop, proxy: Proxy, token: str) -> dict[str, Any]:
    options = {"apiHost": proxy.authority, "uploadToken": token, "chunkSize": CHUNK_BYTES}
    return await shop.run(UPLOAD, **options)


@pytest.mark.parametrize("part", [1, 2, 3])
async def test_an_answer_that_gets_lost_is_given_again(
    browser: Browser,
    proxy: Proxy,
    api: httpx.Client,
    telecine_server: TelecineServer,
    large: Path,
    token: str,
    part: int,
) -> None:
    """All bytes of a part are there, and the connection ends before it is recorded."""
    fault = proxy.hold(b"part %d/3" % part, after_bytes=CHUNK_BYTES // 2 if part < 3 else 30_000)
    title = f"lost-{part}.mp4"

    lock = f"SELECT id FROM upload_token WHERE public_id = '{token}' FOR UPDATE"

    async with shop_with(browser, *NEWEST) as shop:
        await shop.choose(large)
        options = {"apiHost": proxy.authority, "uploadToken": token, "chunkSize": CHUNK_BYTES}
        async with asyncio.TaskGroup() as group:
            group.create_task(lose_answer(telecine_server, proxy, fault, lock))
            video = await shop.run(UPLOAD, **options, videoName=title)
    assert stored_source(telecine_server, video["videoId"]) == large.read_bytes()
    assert [each["videoId"] for each in api.get(f"/videos?title={title}").json()["data"]] == [
        video["videoId"]
    ], "no second video"


async def strike(victim: Victim, proxy: Proxy, fault: Fault, struck: str) -> None:
    """Kill what serves the request that is on hold.

    The process alone, which its supervisor starts anew; or everything at once. Clients then
    wait for the new server, however long it takes to start: they try a few times only.
    """
    await fault.happened.wait()
    if struck == "process":
        victim.kill_api()
        return
    proxy.welcoming.clear()
    url = victim.server.base_url
    await asyncio.to_thread(victim.kill_everything)
    await asyncio.to_thread(victim.start)
    assert victim.server.base_url == url
    proxy.welcoming.set()


@pytest.fixture(scope="module")
def mortal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Victim]:
    """A server of one process of each kind, on a port that stays the same; it may ask us."""
    settings = {
        "TELECINE_PORT": str(free_port()),
        "TELECINE_API_PROCESSES": "1",
        "TELECINE_WORKER_PROCESSES": "1",
        "TELECINE_OUTBOUND_ALLOW": "127.0.0.0/8",
    }
    victim = Victim(tmp_path_factory.mktemp("mortal") / "data", settings)
    yield victim
    victim.stop()


@pytest.mark.xdist_group("mortal")
@pytest.mark.parametrize("struck", ["process", "everything"])
async def test_a_server_that_dies_in_the_middle(
    browser: Browser, certificate: Path, mortal: Victim, large: Path, struck: str
) -> None:
    token = mortal.customer.http.post("/upload-tokens").raise_for_status().json()["token"]
    async with proxy_to(mortal.server.base_url, certificate) as proxy:
        fault = proxy.hold(b"part 2/3", after_bytes=CHUNK_BYTES // 2)
        async with shop_with(browser, *NEWEST) as shop:
            await shop.choose(large)
            async with asyncio.TaskGroup() as group:
                group.create_task(strike(mortal, proxy, fault, struck))
                video = await upload_in_chunks(shop, proxy, token)
    assert stored_source(mortal.server, video["videoId"]) == large.read_bytes()
    await wait_until_playable(mortal.customer.http, video["videoId"])


@pytest.mark.xdist_group("mortal")
async def test_a_recording_outlives_its_connection_and_its_server(
    browser: Browser, certificate: Path, mortal: Victim
) -> None:
    """Its first part is cut, and everything killed under what it sends then."""
    token = mortal.customer.http.post("/upload-tokens").raise_for_status().json()["token"]
    async with proxy_to(mortal.server.base_url, certificate) as proxy:
        # One after the other, whenever the page comes to send its first part again.
        proxy.cut(b"part 1/*", after_bytes=1 << 20)
        held = proxy.hold(b"part 1/*", after_bytes=1 << 20)
        async with (
            shop_with(browser, "media-recorder", RECORDER) as shop,
            asyncio.TaskGroup() as group,
        ):
            group.create_task(strike(mortal, proxy, held, "everything"))
            options = {"apiHost": proxy.authority, "uploadToken": token}
            await shop.run(RECORD_NOISE, **options, mimeType="video/webm;codecs=vp8,opus")
            async with asyncio.timeout(PATIENCE_S):
                await held.happened.wait()
            video = await shop.run(END_RECORDING)
    stored = stored_source(mortal.server, video["videoId"])
    assert hashlib.sha256(stored).hexdigest() == video["sha256"]
    status = mortal.customer.http.get(f"/videos/{video['videoId']}/status").json()
    parts = status["ingest"]["receivedParts"]
    assert parts["total"] == len(parts["parts"]) > 1


async def says(page: Page, words: str) -> None:
    """Wait until the player page of a video tells how far that is."""
    text = page.locator(".message__text")
    await until(lambda: _contains(text, words))


async def _contains(text: Locator, words: str) -> bool:
    return words in (await text.text_content() or "")


async def starts(page: Page) -> None:
    await until(lambda: page.evaluate("document.querySelector('video').currentTime > 0.3"))


@pytest.mark.xdist_group("mortal")
async def test_early_viewers_of_what_is_fetched_and_prepared_see_it_start(
    page: Page, mortal: Victim, small: Path
) -> None:
    customer, data, complete = mortal.customer, small.read_bytes(), asyncio.Event()
    answer = Answer(200, data, {"ETag": '"1"'}, cut_after=len(data) // 2, hold=complete)

    def create(source: str | None) -> str:
        body = {"title": "Early", **({} if source is None else {"source": source})}
        made = customer.http.post("/videos", json=body).raise_for_status().json()
        return str(made["videoId"])

    async def open_page(video_id: str) -> None:
        await page.goto(f"{mortal.server.base_url}/vod/{video_id}#autoplay")

    async with serving(lambda _: answer) as origin:
        await open_page(await asyncio.to_thread(create, origin.url("/film.mp4")))
        await says(page, "is being fetched")
        complete.set()
        await starts(page)

    video_id = await asyncio.to_thread(create, None)
    await open_page(video_id)
    await says(page, "is not ready yet")
    with killing.frozen(killing.child(mortal.supervisor, killing.is_worker)):
        sent = await asyncio.to_thread(customer.send, video_id, small)
        assert sent.status_code == 201
        await says(page, "is being prepared")
    await starts(page)

    await open_page(await asyncio.to_thread(create, "http://[::1]/film.mp4"))
    await says(page, "no longer available")


@pytest.mark.parametrize("mime_type", ["video/webm;codecs=vp8,opus", None])
async def test_a_recording_becomes_playable(
    browser: Browser, proxy: Proxy, api: httpx.Client, token: str, mime_type: str | None
) -> None:
    async with shop_with(browser, "media-recorder", RECORDER) as shop:
        options: dict[str, Any] = {"apiHost": proxy.authority, "uploadToken": token, "seconds": 6}
        if mime_type is not None:
            options["mimeType"] = mime_type
        begun_s = time.monotonic()
        video = await shop.run(RECORD, **options)
        took_s = time.monotonic() - begun_s
    assert video["title"] == "file"
    status = await wait_until_playable(api, video["videoId"])
    # It goes on until the page comes to ending it.
    assert 4 <= status["encoding"]["metadata"]["duration"] <= max(9, took_s)
    assert status["encoding"]["metadata"]["width"] > 0
    assert status["ingest"]["receivedParts"]["parts"] == [1]


@pytest.mark.parametrize("mime_type", ["video/webm;codecs=vp8,opus"])
async def test_a_recording_is_watched_before_it_ends(
    browser: Browser,
    proxy: Proxy,
    api: httpx.Client,
    token: str,
    container: str,
    mime_type: str,
) -> None:
    viewer = await browser.new_page()
    viewer.set_default_timeout(PATIENCE_MS)
    await viewer.goto(f"{api.base_url}/vod/{container}#autoplay")
    async with shop_with(browser, "media-recorder", RECORDER) as shop:
        options: dict[str, Any] = {"apiHost": proxy.authority, "uploadToken": token}
        await shop.run(RECORD_NOISE, **options, videoId=container, mimeType=mime_type)

        async def watched() -> bool:
            for text in shop.said:
                assert "error" not in text.lower(), text
            return bool(await viewer.evaluate("document.querySelector('video').currentTime > 2"))

        await until(watched)
        status = api.get(f"/videos/{container}/status").json()
        assert (status["ingest"]["status"], status["encoding"]["playable"]) == ("uploading", True)
        assert status["ingest"]["receivedParts"]["total"] is None
        seen = api.get(f"/vod/{container}/hls/240p/manifest.m3u8").text
        assert "#EXT-X-ENDLIST" not in seen
        await shop.run(END_RECORDING)

    async def ended() -> bool:
        nonlocal seen
        text = api.get(f"/vod/{container}/hls/240p/manifest.m3u8").text
        if "1-0.m4s" in text:
            assert check_growth(seen, text) == []
        seen = text
        return text.endswith("#EXT-X-ENDLIST\n")

    await until(ended)
    if "1-0.m4s" not in seen:
        await viewer.close()
        return  # a busy machine drew ever faster or slower: cut anew at the rate of the whole
    listed = sum(float(line[8:-1]) for line in seen.splitlines() if line.startswith("#EXTINF"))
    reached = "document.querySelector('video').currentTime > %f" % (listed - 1)
    await until(lambda: viewer.evaluate(reached), 120)
    await viewer.close()
