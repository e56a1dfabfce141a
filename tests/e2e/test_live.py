"""Viewers of a live stream in a real browser: they wait, and catch up."""

from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
from playwright.async_api import Page, expect

from tests.e2e.live_playlists import hold_to_the_rules
from tests.fixtures.broadcasting import OnAir, live_clip, make_live_stream, publishing
from tests.fixtures.live_rules import LiveRules
from tests.fixtures.server import TelecineServer, running_telecine
from tests.fixtures.waiting import until
from tests.integration.live.test_srt import health_of

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

ENDLESS = ("-re", "-stream_loop", "-1")
BEHIND = """(() => {
  const {hls, video} = window.telecinePlayer;
  return video.paused || !hls?.latency ? 99 : hls.latency - hls.targetLatency;
})()"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TelecineServer]:
    data = tmp_path_factory.mktemp("live") / "data"
    settings = {"TELECINE_LIVE_LADDER": "off", "TELECINE_API_PROCESSES": "1"}
    with running_telecine(data, settings) as (_, server):
        yield server


@pytest.fixture
async def stream(server: TelecineServer) -> AsyncIterator[OnAir]:
    stream = await make_live_stream(server)
    yield stream
    await stream.complete()


async def becomes(page: Page, expression: str) -> None:
    async def true() -> bool:
        return bool(await page.evaluate(expression))

    await until(true)


async def open_page(page: Page, stream: OnAir) -> LiveRules:
    rules = await hold_to_the_rules(page)
    await page.goto(f"{stream.server.base_url}/live/{stream.public_id}?muted=true&autoplay=true")
    return rules


async def theme(server: TelecineServer, **members: object) -> str:
    auth = (server.production_key, "")
    async with httpx.AsyncClient(base_url=server.base_url, auth=auth) as client:
        reply = (await client.post("/players", json=members)).raise_for_status()
    return str(reply.json()["playerId"])


async def test_a_page_has_the_theme_of_its_stream(page: Page, server: TelecineServer) -> None:
    player_id = await theme(server, backgroundText="rgb(1, 2, 3)", enableApi=False)
    stream = await make_live_stream(server, player_id=player_id)
    await open_page(page, stream)
    await expect(page.get_by_role("status")).to_contain_text("Nobody broadcasts")
    await expect(page.locator(".title")).to_have_css("color", "rgb(1, 2, 3)")


async def test_who_waits_sees_it_begin_and_catches_up_with_it(page: Page, stream: OnAir) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    rules = await open_page(page, stream)
    await expect(page.get_by_role("status")).to_contain_text("Nobody broadcasts")
    await page.evaluate("""() => {
      const {video} = window.telecinePlayer;
      window.rates = new Set();
      window.heard = 0;
      video.addEventListener('ratechange', () => window.heard++);
      setInterval(() => window.rates.add(video.playbackRate), 20);
    }""")

    async def held_back() -> bool:  # it is told once somebody broadcasts
        return any(url.endswith("?wait=1") for url in asked)

    await until(held_back)
    # However slow the machine is, the stream does not end before.
    async with publishing(stream.publish_url, live_clip(), before=ENDLESS):
        await becomes(page, "window.telecinePlayer.video.currentTime > 1")
        await expect(page.locator(".live")).to_be_visible()
        # It begins a segment behind: it plays faster, and nobody sees another speed.
        await becomes(page, "Math.max(...window.rates) > 1")
        assert await page.evaluate("window.telecinePlayer.rate") == 1
    assert rules.seen > 1
    rates = await page.evaluate("[...window.rates]")
    assert 1 < max(rates) <= 1.1 + 1e-6
    assert await page.evaluate("window.heard") == 0  # nobody is told of what nobody asked for


async def test_the_speed_of_a_viewer_is_left_alone(page: Page, stream: OnAir) -> None:
    async with publishing(stream.publish_url, live_clip(), before=ENDLESS):
        await open_page(page, stream)
        await becomes(page, "window.telecinePlayer.video.currentTime > 1")
        await page.evaluate("window.telecinePlayer.video.playbackRate = 0.5")
        await becomes(page, f"{BEHIND} > 1")  # it falls behind, and may
        assert await page.evaluate("window.telecinePlayer.rate") == 0.5


async def test_a_viewer_watches_on_when_an_encoder_is_back(page: Page, stream: OnAir) -> None:
    async with httpx.AsyncClient() as client:

        async def away() -> bool:
            health = await health_of(client, stream)
            return bool(health["silentMs"] >= 5000)

        async with publishing(stream.publish_url, live_clip(), before=ENDLESS):
            rules = await open_page(page, stream)
            await becomes(page, "window.telecinePlayer.video.currentTime > 2")
            await page.evaluate("""() => {
              const {hls} = window.telecinePlayer;
              window.fatal = [];
              hls.on('hlsError', (_, error) => error.fatal && window.fatal.push(error.details));
              hls.on('hlsFragChanged', (_, {frag}) => { window.shown = frag.cc; });
            }""")
            await becomes(page, "window.shown === 0")
        await until(away)
    before_s = await page.evaluate("window.telecinePlayer.video.currentTime")
    async with publishing(stream.publish_url, live_clip(), before=ENDLESS):
        await becomes(page, "window.shown === 1")  # what stands behind the discontinuity
        await becomes(page, f"window.telecinePlayer.video.currentTime > {before_s} + 3")
        await becomes(page, f"{BEHIND} < 3")  # it is live again
        await expect(page.locator(".live")).to_be_visible()
    assert await page.evaluate("window.fatal") == []  # nor was the page loaded anew
    assert rules.seen > 3
