"""Captions out of the playlists, in a browser: the right text at the right time."""

import httpx
import pytest
from playwright.async_api import Page

from tests.e2e.conftest import Upload
from tests.fixtures.media import barcode_mp4
from tests.fixtures.server import TelecineServer

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.xdist_group("browser"),
]

VTT = """WEBVTT

00:00.500 --> 00:01.500
{0} <script>window.hacked = 1</script><img src=x onerror="window.hacked = 1">

00:02.000 --> 00:03.500
{0} two
"""

# The playlist of the view, then the second captions; resolves with what is read at 2.5 s.
READ = """async (query) => {
  const {video, hls} = window.telecinePlayer;
  const {url} = hls;
  if (query) hls.loadSource(url.split('?')[0] + query);
  const wait = async (what) => {
    while (!what()) await new Promise(requestAnimationFrame);
  };
  await wait(() => hls.subtitleTracks.length === 2 && hls.url.endsWith(query));
  // The page has heard of both tracks, and has nothing more to say about them.
  await wait(() => [...video.textTracks].filter((one) => one.kind === 'subtitles').length === 2);
  for (let frame = 0; frame < 3; frame += 1) await new Promise(requestAnimationFrame);
  hls.subtitleTrack = 1;
  hls.subtitleDisplay = true;
  video.muted = true;
  await wait(() => video.readyState >= 2);
  video.currentTime = 2.5;
  const showing = () => [...video.textTracks].find((one) => one.mode === 'showing');
  await wait(() => showing()?.activeCues?.length);
  const active = [...showing().activeCues].map((cue) => [cue.startTime, cue.endTime, cue.text]);
  const names = hls.subtitleTracks.map((one) => [one.name, one.lang, one.default]);
  return {active, names, hacked: window.hacked ?? null};
}"""


@pytest.fixture(scope="module")
def captioned(api: httpx.Client, upload: Upload) -> str:
    video_id = upload(barcode_mp4(frames=120), "Captioned")
    for language in ("de", "fr"):
        path = f"/videos/{video_id}/captions/{language}"
        api.post(path, files={"file": VTT.format(language).encode()}).raise_for_status()
    api.patch(f"/videos/{video_id}/captions/de", json={"default": True}).raise_for_status()
    return video_id


@pytest.mark.parametrize("query", ["", "?format=ts"], ids=["cmaf", "ts"])
async def test_they_are_on_the_clock_of_the_picture(
    page: Page, captioned: str, telecine_server: TelecineServer, query: str
) -> None:
    await page.goto(f"{telecine_server.base_url}/vod/{captioned}")
    await page.wait_for_function("() => window.telecinePlayer?.hls?.levels?.length")
    found = await page.evaluate(READ, query)
    assert found["names"] == [["Deutsch", "de", True], ["Français", "fr", False]]
    ((start_s, end_s, text),) = found["active"]
    assert text == "fr two"
    # In MPEG-TS hls.js takes the first decoding time for 0 (two frames of reordering), or
    # that of the sound, whose packets are cut at other times.
    assert (start_s, end_s) == (pytest.approx(2, abs=0.09), pytest.approx(3.5, abs=0.09))
    assert found["hacked"] is None
