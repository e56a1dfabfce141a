"""The official React component, unmodified, shows and controls the player of another site."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from playwright.async_api import Browser, Page

from tests.e2e.conftest import Upload
from tests.e2e.embedding import (
    Embedded,
    has_style,
    hides,
    near_browser,
    page_with,
    react_player,
    shows,
)
from tests.fixtures.media import barcode_mp4
from tests.fixtures.waiting import until

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.browser,
    pytest.mark.node,
    pytest.mark.slow,
    pytest.mark.xdist_group("browser"),
]

CONTROLS = ("play", "volume", "fullscreen", "download", "playbackRate", "progressBar")


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with near_browser() as browser:
        yield browser


@pytest.fixture(scope="module")
def other_id(upload: Upload) -> str:
    return upload(barcode_mp4(), "The other one")


REACT = """([props]) => {
  const React = require('react');
  const {render} = require('react-dom');
  const Player = require('@api.video/react-player').default ?? require('@api.video/react-player');
  window.heard = [];
  const names = ['Play', 'Pause', 'ControlsDisabled', 'ControlsEnabled', 'Ended', 'FirstPlay',
    'Ready', 'TimeUpdate', 'VolumeChange', 'DurationChange', 'VideoSizeRatioChange', 'Seeking',
    'RateChange', 'QualityChange', 'Resize', 'PlayerResize', 'UserActive', 'UserInactive',
    'MouseEnter', 'MouseLeave', 'FullscreenChange', 'Error'];
  const callbacks = Object.fromEntries(names.map(
    (name) => [`on${name}`, (value) => window.heard.push([name, value ?? null])]));
  window.ref = React.createRef();
  window.show = (changes) => new Promise((resolve) => {
    Object.assign(props, changes);
    render(React.createElement(Player, {...callbacks, ...props, ref: window.ref}),
      document.querySelector('#target'), resolve);
  });
  return window.show({});
}"""


@dataclass(frozen=True, slots=True)
class Component:
    """The component on its page."""

    page: Page
    player: Embedded

    async def hears(self, name: str, times: int = 1) -> list[Any]:
        """Wait until a callback was called so often; return with what."""
        events: list[list[Any]] = []

        async def enough() -> bool:
            nonlocal events
            heard = await self.page.evaluate("window.heard")
            events = [value for told, value in heard if told == name]
            return len(events) >= times

        await until(enough)
        return events

    async def show(self, **changes: object) -> None:
        """Change properties."""
        await self.page.evaluate("(changes) => window.show(changes)", changes)

    async def do(self, call: str) -> None:
        """Call a method of the component."""
        self.player.called.add(call.partition("(")[0])
        await self.page.evaluate(f"window.ref.current.{call}")


async def test_the_react_component(
    browser: Browser, api: httpx.Client, wide_video: str, other_id: str
) -> None:
    library = react_player("1.1.0")
    async with page_with(browser, library) as page:
        props = {
            "video": {"id": wide_video},
            "iframeUrl": f"{api.base_url}/${{type}}/${{id}}",
            "muted": True,
            "controls": list(CONTROLS),
            "theme": {"link": "lime"},
            "videoStyleObjectFit": "cover",
            "responsive": True,
            "style": {"width": 800},
            "playbackRate": 1.25,
        }
        await page.evaluate(REACT, [props])
        shown = Component(page, Embedded(page, 0, "#target"))
        await shown.hears("Ready")
        await _has_its_properties(shown)
        await _does_as_told(shown)
        await _ends_and_is_left(shown)
        await shown.show(video={"id": other_id})
        await shown.hears("Ready", 2)
        assert (await shown.hears("DurationChange", 2))[1] == pytest.approx(5, abs=0.1)
        await shown.show(video={"id": "viAAAAAAAAAAAAAAAAAAAAAA"})
        await shown.hears("Error")
        assert set(await page.evaluate("Object.keys(window.ref.current)")) == shown.player.called
        heard = {f"on{name}" for name, _ in await page.evaluate("window.heard")}
        assert heard == set(re.findall(r"props\.(on[A-Z]\w+)", own_part(library)))


def own_part(library: str) -> str:
    """Return what of a script is the component's, not React's: it comes last."""
    return library.rpartition("'@api.video/react-player'")[2]


async def _has_its_properties(shown: Component) -> None:
    assert await shown.hears("DurationChange") == [pytest.approx(10, abs=0.1)]
    assert (await shown.hears("VideoSizeRatioChange"))[0] == pytest.approx(480 / 854, abs=0.01)
    await shown.player.becomes(
        "getComputedStyle(document.querySelector('video')).objectFit=='cover'"
    )
    await has_style(shown.player, ".bar .button", "color", "rgb(0, 255, 0)")
    await hides(shown.player, ".bar [aria-label*='Back 10']")
    await shown.do("play()")
    await shown.hears("TimeUpdate", 2)
    await shown.hears("FirstPlay")
    await shown.player.becomes("window.telecinePlayer.video.playbackRate === 1.25")
    await shown.show(volume=0.5, muted=False, loop=True, hideTitle=True, controls=["play"])
    await shown.player.becomes("window.telecinePlayer.video.volume === 0.5")
    await shown.player.becomes("!window.telecinePlayer.video.muted")
    await shown.player.becomes("window.telecinePlayer.options.loop")
    await shown.player.becomes("document.querySelector('.title').hidden")
    await shown.player.becomes("document.querySelector('.progress').hasAttribute('data-off')")
    await shown.hears("RateChange")


async def _does_as_told(shown: Component) -> None:
    await shown.do("pause()")
    await shown.hears("Pause")
    await shown.do("setCurrentTime(3)")
    await shown.hears("Seeking")
    await shown.do("seek(1)")
    await shown.player.becomes("Math.abs(window.telecinePlayer.video.currentTime - 4) < 0.2")
    await shown.do("setVolume(0.25)")
    await shown.player.becomes("window.telecinePlayer.video.volume === 0.25")

    async def loud() -> bool:
        return 0.25 in await shown.hears("VolumeChange")

    await until(loud)
    await shown.do("mute()")
    await shown.player.becomes("window.telecinePlayer.video.muted")
    await shown.do("unmute()")
    await shown.player.becomes("!window.telecinePlayer.video.muted")
    await shown.do("setLoop(false)")
    await shown.player.becomes("!window.telecinePlayer.options.loop")
    await shown.do("setPlaybackRate(2)")
    await shown.player.becomes("window.telecinePlayer.video.playbackRate === 2")
    await shown.do("showTitle()")
    await shows(shown.player, ".title")
    await shown.do("hideTitle()")
    await hides(shown.player, ".title")
    await shown.do("hideControls()")
    await shown.hears("ControlsDisabled")
    await hides(shown.player, ".bar")
    await shown.do("showControls()")
    await shown.hears("ControlsEnabled")
    await shows(shown.player, ".bar")
    await shown.player.frame.locator(".clock").click()  # somebody is there
    await shown.do("requestFullscreen()")
    await shown.player.becomes("document.fullscreenElement !== null")
    await shown.hears("FullscreenChange")
    await shown.do("exitFullscreen()")
    await shown.player.becomes("document.fullscreenElement === null")
    await shown.player.frame.locator(".clock").click()
    await shown.do("requestPictureInPicture()")
    await shown.player.becomes("document.pictureInPictureElement !== null")
    await shown.do("exitPictureInPicture()")
    await shown.player.becomes("document.pictureInPictureElement === null")
    await shown.hears("PlayerResize")


async def _ends_and_is_left(shown: Component) -> None:
    await shown.show(chromeless=True, videoStyleTransform="scaleX(-1)", loop=False)
    await hides(shown.player, ".bar")
    await has_style(shown.player, "video", "transform", "matrix(-1, 0, 0, 1, 0, 0)")
    await shown.show(chromeless=False)
    await shows(shown.player, ".bar")
    await shown.do("setCurrentTime(9.5)")
    await shown.do("play()")
    for name in ("Play", "Ended", "Resize", "QualityChange"):
        await shown.hears(name)
    await shown.do("setCurrentTime(0)")
    await shown.do("play()")
    await shown.page.mouse.move(850, 20)
    # A driven pointer never leaves a frame of another site, as a real one does.
    await shown.player.frame.evaluate(
        "document.documentElement.dispatchEvent(new MouseEvent('mouseleave'))"
    )
    await shown.hears("UserInactive")
    await shown.hears("MouseLeave")
    await shown.page.mouse.move(300, 200)
    await shown.page.mouse.move(310, 200)
    await shown.hears("UserActive")
    await shown.hears("MouseEnter")
