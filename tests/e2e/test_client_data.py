"""Players that tell of their playback with the requests for media alone (CMCD)."""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests.contract import packages
from tests.e2e.conftest import Upload
from tests.e2e.embedding import near_browser, page_with
from tests.e2e.test_playback import encoded
from tests.fixtures.customer import everywhere
from tests.fixtures.media import barcode_mp4
from tests.fixtures.server import TelecineServer
from tests.fixtures.shared import ROOT
from tests.fixtures.waiting import PATIENCE_S, until

pytestmark = [pytest.mark.anyio]

WITH_HLS_JS = """async ([url, sid, useHeaders, version]) => {
  const video = document.createElement('video');
  video.muted = true;
  document.body.append(video);
  const errors = [];
  const hls = new Hls({cmcd: {sessionId: sid, useHeaders, version}});
  hls.on(Hls.Events.ERROR, (_, {details, fatal}) => fatal && errors.push(details));
  const asked = performance.now();
  let startup = null;
  video.addEventListener('playing', () => (startup ??= performance.now() - asked));
  window.told = () => ({seconds: video.currentTime, startup, errors});
  hls.loadSource(url);
  hls.attachMedia(video);
  await video.play();
}"""

SHAKA = "5.2.12"
WITH_SHAKA = """async ([url, sid, useHeaders]) => {
  const video = document.createElement('video');
  video.muted = true;
  document.body.append(video);
  shaka.polyfill.installAll();
  const errors = [];
  const player = new shaka.Player();
  player.addEventListener('error', (event) => errors.push(String(event.detail)));
  await player.attach(video);
  player.configure({cmcd: {enabled: true, sessionId: sid, useHeaders}});
  const asked = performance.now();
  let startup = null;
  video.addEventListener('playing', () => (startup ??= performance.now() - asked));
  window.told = () => ({seconds: video.currentTime, startup, errors});
  try {
    await player.load(url);
    await video.play();
  } catch (error) {
    errors.push(`${error} ${error.code} ${error.data}`);
  }
}"""


async def playable(api: httpx.Client, video_id: str) -> None:
    async def is_playable() -> bool:
        return api.get(f"/vod/{video_id}/hls/manifest.m3u8").status_code == 200

    await until(is_playable)


def numbers(api: httpx.Client, path: str, video_id: str) -> dict[str, float]:
    params = {"filterBy[mediaId]": video_id}
    answer = api.get(f"/data/buckets/{path}", params=params).raise_for_status()
    return {each["dimensionValue"]: each["metricValue"] for each in answer.json()["data"]}


@pytest.fixture(scope="module")
def clip(upload: Upload) -> str:
    return upload(barcode_mp4(frames=360), "Told by requests")


@pytest.fixture
def viewer() -> Iterator[httpx.Client]:
    with httpx.Client(trust_env=False, timeout=PATIENCE_S) as client:
        yield client


def count(server: TelecineServer, result: str) -> float:
    told = httpx.get(server.metrics_url, trust_env=False, timeout=PATIENCE_S).text
    found = re.search(rf'telecine_client_data_total{{result="{result}"}} (\S+)', told)
    return float(found[1]) if found else 0.0


async def test_over_http_by_query_and_by_headers(
    api: httpx.Client, viewer: httpx.Client, telecine_server: TelecineServer, clip: str
) -> None:
    await playable(api, clip)
    viewer.base_url = f"{api.base_url}/vod/{clip}/hls/"
    names = re.findall(r"^\S+\.m3u8$", viewer.get("manifest.m3u8").text, re.MULTILINE)
    folder = names[0].split("/", maxsplit=1)[0]
    files = re.findall(r"^\S+\.m4s$", viewer.get(names[0]).text, re.MULTILINE)
    first, second = (f"{folder}/{each}" for each in files[:2])
    for _ in range(3):  # from now on it is answered before it is parsed
        plain = viewer.get(first)
    told = 'bl=0,br=400,d=2000,mtp=5000,nor="x",sid="by-query",su'
    asked = viewer.get(first, params={"CMCD": told})
    assert asked.content == plain.content
    viewer.get(f"{second}?CMCD={quote('bl=2000,br=400,d=2000,sid=by-query')}")
    headers = {"CMCD-Session": 'sid="by-headers"', "CMCD-Object": "br=400,d=2000"}
    by_headers = viewer.get(first, headers={**headers, "CMCD-Request": "bl=0,su,nor=x"})
    assert by_headers.content == plain.content
    assert {**by_headers.headers, "date": ""} == {**plain.headers, "date": ""}
    viewer.get(second, headers={**headers, "CMCD-Request": "bl=2000"})
    unreadable = [f"{first}?CMCD=%22", f"{first}?CMCD=" + "x" * 20_000]
    before = count(telecine_server, "invalid")
    assert [viewer.get(each).status_code for each in unreadable] == [200, 200]

    async def counted() -> bool:
        rendition = numbers(api, "bitrate/rendition", clip)
        refused = count(telecine_server, "invalid") - before
        return rendition == {folder: 400.0} and refused == 2

    await until(counted)
    assert numbers(api, "startup-time/media-id", clip)[clip] < 30_000
    reply = viewer.options(first)
    allowed = reply.headers["access-control-allow-headers"].lower().split(", ")
    assert {f"cmcd-{each}" for each in ("request", "object", "status", "session")} <= set(allowed)


async def test_of_private_media_only_who_was_let_in(
    api: httpx.Client, viewer: httpx.Client, upload: Upload
) -> None:
    video_id = upload(barcode_mp4(frames=60), "Private")
    await playable(api, video_id)
    master = api.get(f"/vod/{video_id}/hls/manifest.m3u8").text
    folder = re.findall(r"^(\S+)/manifest\.m3u8$", master, re.MULTILINE)[0]
    playlist = api.get(f"/vod/{video_id}/hls/{folder}/manifest.m3u8").text
    [file] = re.findall(r"^\S+-0\.m4s$", playlist, re.MULTILINE)
    api.patch(f"/videos/{video_id}", json={"public": False}).raise_for_status()
    page = f"{api.base_url}/vod/{video_id}"
    await everywhere(lambda: httpx.get(page, timeout=PATIENCE_S).status_code == 404)
    private: str = api.get(f"/videos/{video_id}").json()["assets"]["hls"]
    told = {"CMCD": 'bl=0,br=400,d=2000,nor="x",sid="let-in",su'}
    opened = viewer.get(private, params=told).raise_for_status()
    session = {"avh": opened.headers["x-token-session"]}
    segment = private.replace("manifest.m3u8", f"{folder}/{file}")
    forged = segment.replace("/token/", "/token/0")
    told = {"CMCD": 'bl=0,br=999,d=2000,nor="x",sid="outside",su'}
    assert viewer.get(forged, params=told).status_code == 404
    assert viewer.get(f"{api.base_url}/vod/{video_id}/hls/{folder}/{file}", params=told).is_error
    told = {"CMCD": 'bl=0,br=400,d=2000,nor="x",sid="let-in",su'}
    assert viewer.get(segment, params={**session, **told}).status_code == 200

    async def counted() -> bool:
        return numbers(api, "bitrate/media-id", video_id) == {video_id: 400.0}

    await until(counted)


@pytest.mark.browser
@pytest.mark.xdist_group("browser")
async def test_hls_js_tells_how_it_went(api: httpx.Client, upload: Upload) -> None:
    library = ROOT / "web" / "node_modules" / "hls.js" / "dist" / "hls.min.js"
    video_id = upload(barcode_mp4(frames=361), "Played by hls.js")
    await encoded(api, video_id)  # nobody has to wait for a segment
    url = f"{api.base_url}/vod/{video_id}/hls/manifest.m3u8"
    told: dict[str, Any] = {}
    startups_ms = []
    async with near_browser() as browser:
        for use_headers, version in ((False, 1), (True, 2)):
            async with page_with(browser, library.read_text()) as page:
                given = [url, f"hls-js-{use_headers}-{version}", use_headers, version]
                await page.evaluate(WITH_HLS_JS, given)

                async def far() -> bool:
                    nonlocal told
                    told = await page.evaluate("() => window.told()")
                    assert told["errors"] == []
                    return float(told["seconds"]) > 2

                await until(far)
                startups_ms.append(told["startup"])

    async def counted() -> bool:
        return numbers(api, "startup-time/media-id", video_id) != {}

    await until(counted)
    [startup_ms] = numbers(api, "startup-time/media-id", video_id).values()
    # From the first request to the first one behind data: near to what the page has seen.
    assert startup_ms == pytest.approx(sum(startups_ms) / 2, abs=1500)
    assert numbers(api, "startup-time/browser", video_id) == {"chrome": startup_ms}
    assert numbers(api, "rebuffer-count/media-id", video_id) == {video_id: 0}
    assert numbers(api, "exit-before-start-rate/media-id", video_id) == {video_id: 0}
    assert numbers(api, "throughput/media-id", video_id)[video_id] > 100
    renditions = numbers(api, "bitrate/rendition", video_id)
    assert renditions
    assert all(each.endswith("p") for each in renditions)
    # However slow the start and many the changes are, that costs no more than thirty.
    assert 70 <= numbers(api, "quality-score/media-id", video_id)[video_id] <= 100


@pytest.mark.browser
@pytest.mark.node
@pytest.mark.xdist_group("browser")
async def test_shaka_tells_how_it_went(api: httpx.Client, upload: Upload) -> None:
    folder = packages.node_package("shaka-player", SHAKA) / "node_modules" / "shaka-player"
    library = (folder / "dist" / "shaka-player.compiled.js").read_text()
    video_id = upload(barcode_mp4(frames=900), "Played by Shaka")  # more than it asks for at once
    await encoded(api, video_id)
    url = f"{api.base_url}/vod/{video_id}/hls/manifest.m3u8"
    async with near_browser() as browser:
        for use_headers in (False, True):
            async with page_with(browser, library) as page:
                await page.evaluate(WITH_SHAKA, [url, f"shaka-{use_headers}", use_headers])

                async def far() -> bool:
                    told = await page.evaluate("() => window.told()")
                    assert told["errors"] == []
                    return float(told["seconds"]) > 4

                await until(far)

    async def counted() -> bool:
        # Two playbacks, of which nobody left before the start.
        started = numbers(api, "exit-before-start-rate/media-id", video_id)
        return started == {video_id: 0} and numbers(api, "startup-time/media-id", video_id) != {}

    await until(counted)
    assert numbers(api, "startup-time/browser", video_id).keys() == {"chrome"}
    assert numbers(api, "rebuffer-count/media-id", video_id) == {video_id: 0}
    renditions = numbers(api, "bitrate/rendition", video_id)
    assert renditions
    assert all(each.endswith("p") for each in renditions)
    assert 70 <= numbers(api, "quality-score/media-id", video_id)[video_id] <= 100
