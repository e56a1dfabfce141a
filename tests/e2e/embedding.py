"""A page of another site that embeds the player by the official packages, unmodified."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, Frame, Page, Route, async_playwright

from tests.contract import packages
from tests.e2e.conftest import FLAGS, PATIENCE_MS, chromium
from tests.fixtures.waiting import until

ORIGIN = "http://shop.example"
# Else it asks its user whether the page, which seems to be far away, may talk to us here.
NEAR = "--disable-features=LocalNetworkAccessChecks"

_PAGE = """<!doctype html><meta charset=utf-8><title>Shop</title>
<style>body { margin: 0 } #target, #second { width: 800px; height: 450px }</style>
<div id=target></div><div id=second></div><script src=/library.js></script>"""

EVENTS = (
    "airplayConnected",
    "airplayDisconnected",
    "chromecastConnected",
    "chromecastDisconnected",
    "controlsdisabled",
    "controlsenabled",
    "ended",
    "error",
    "firstplay",
    "fullscreenchange",
    "mouseenter",
    "mouseleave",
    "pause",
    "play",
    "playerresize",
    "qualitychange",
    "ratechange",
    "ready",
    "resize",
    "sdkSync",
    "seeking",
    "timeupdate",
    "useractive",
    "userinactive",
    "volumechange",
)

_CREATE = """([target, options, names]) => {
  const player = new PlayerSdk(target, options);
  const heard = [];
  for (const name of names) player.addEventListener(name, (data) => heard.push([name, data]));
  (window.players ??= []).push({player, heard});
  return window.players.length - 1;
}"""


@dataclass(slots=True)
class Embedded:
    """One instance of the SDK, and what it has heard."""

    page: Page
    index: int
    target: str
    called: set[str] = field(default_factory=set)
    """The methods that were called."""

    async def call(self, method: str, *args: object) -> None:
        """Call a method that answers nothing."""
        self.called.add(method)
        script = "([i, method, args]) => void window.players[i].player[method](...args)"
        await self.page.evaluate(script, [self.index, method, list(args)])

    async def settled(self, method: str, *args: object) -> None:
        """Call a method and wait until the player has answered."""
        self.called.add(method)
        script = "([i, method, args]) => window.players[i].player[method](...args)"
        await self.page.evaluate(script, [self.index, method, list(args)])

    async def get(self, method: str) -> Any:
        """Ask for a value: by a callback, as every version can."""
        self.called.add(method)
        script = (
            "([i, method]) => new Promise((resolve) => window.players[i].player[method](resolve))"
        )
        return await self.page.evaluate(script, [self.index, method])

    async def heard(self, name: str) -> list[Any]:
        """Return what came with every event of a name, in order."""
        script = "(i) => window.players[i].heard.map(([name, data]) => [name, data ?? null])"
        events: list[list[Any]] = await self.page.evaluate(script, self.index)
        return [data for heard, data in events if heard == name]

    async def hears(self, name: str, times: int = 1) -> list[Any]:
        """Wait until an event was heard so often."""

        async def enough() -> bool:
            return len(await self.heard(name)) >= times

        await until(enough)
        return await self.heard(name)

    async def hears_last(self, name: str, expected: object) -> None:
        """Wait until an event has come as expected, and no other one behind it."""

        async def came() -> bool:
            return (await self.heard(name))[-1:] == [expected]

        await until(came)

    @property
    def frame(self) -> Frame:
        """The player's page."""
        frames = [frame for frame in self.page.frames if frame.parent_frame is not None]
        return frames[self.index]

    async def becomes(self, expression: str) -> None:
        """Wait until something is true in the player's page."""

        async def true() -> bool:
            return bool(await self.frame.evaluate(expression))

        await until(true)


async def shows(player: Embedded, selector: str) -> None:
    """Wait until a part is seen: the package does not wait for an answer to what it asks."""
    await player.frame.locator(selector).first.wait_for(state="visible")


async def hides(player: Embedded, selector: str) -> None:
    await player.frame.locator(selector).first.wait_for(state="hidden")


async def has_style(player: Embedded, selector: str, name: str, value: str) -> None:
    """Wait until an element has a computed style: colours fade."""
    script = "([selector, name]) => getComputedStyle(document.querySelector(selector))[name]"

    async def styled() -> bool:
        return bool(await player.frame.evaluate(script, [selector, name]) == value)

    await until(styled)


@asynccontextmanager
async def page_with(browser: Browser, library: str, site: str = ORIGIN) -> AsyncIterator[Page]:
    """Open a page of another site that has loaded a script."""
    page = await browser.new_page(viewport={"width": 900, "height": 950})
    page.set_default_timeout(PATIENCE_MS)

    async def serve(route: Route) -> None:
        if route.request.url.endswith("/library.js"):
            await route.fulfill(body=library, content_type="text/javascript")
        else:
            await route.fulfill(body=_PAGE, content_type="text/html")

    await page.route(f"{site}/**", serve)
    await page.goto(site)
    yield page
    await page.close()


async def embed(page: Page, target: str = "#target", **options: Any) -> Embedded:
    """Make an instance of the SDK on a page that has loaded it."""
    index: int = await page.evaluate(_CREATE, [target, options, list(EVENTS)])
    embedded = Embedded(page, index, target)

    async def there() -> bool:
        frames = [frame for frame in page.frames if frame.parent_frame is not None]
        return len(frames) > index and frames[index].url.startswith("http")

    await until(there)
    return embedded


def sdk(version: str) -> str:
    """Return the script of a version of `@api.video/player-sdk`."""
    folder = packages.node_package("@api.video/player-sdk", version) / "node_modules"
    return (folder / "@api.video/player-sdk/dist/index.js").read_text()


def react_player(version: str) -> str:
    """Return a script with `@api.video/react-player` and React, every file as published.

    They are CommonJS modules: each becomes a function, as a bundler makes them.
    """
    react = ("react@18.3.1", "react-dom@18.3.1")
    modules = packages.node_package("@api.video/react-player", version, *react) / "node_modules"
    files = {
        "scheduler": modules / "scheduler/cjs/scheduler.production.min.js",
        "react": modules / "react/cjs/react.production.min.js",
        "react-dom": modules / "react-dom/cjs/react-dom.production.min.js",
        "@api.video/player-sdk": modules / "@api.video/player-sdk/dist/index.js",
        "@api.video/react-player": modules / "@api.video/react-player/dist/index.js",
    }
    return _bundle(files)


def _bundle(files: dict[str, Path]) -> str:
    bodies = [
        f"{name!r}: function (require, module, exports) {{\n{file.read_text()}\n}}"
        for name, file in files.items()
    ]
    return f"""const modules = {{{", ".join(bodies)}}}, loaded = {{}};
    function require(name) {{
      if (!loaded[name]) {{
        const module = loaded[name] = {{exports: {{}}}};
        modules[name](require, module, module.exports);
      }}
      return loaded[name].exports;
    }}"""


@asynccontextmanager
async def near_browser(flags: Sequence[str] = ()) -> AsyncIterator[Browser]:
    """Start a browser in which a page of another site may embed what runs here."""
    executable = chromium()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=executable, args=[*FLAGS, NEAR, *flags]
        )
        yield browser
        await browser.close()
