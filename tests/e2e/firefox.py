"""Firefox, led by the protocol that it speaks itself (Marionette): lines of JSON over TCP.

Nothing has to be installed but the browser: <https://firefox-source-docs.mozilla.org/testing/marionette/Protocol.html>
"""

import asyncio
import contextlib
import json
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.waiting import until

SETTINGS = {
    "marionette.port": 0,  # any free one, named in a file
    "media.autoplay.default": 0,
    "media.volume_scale": "0.0",
    "app.update.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "toolkit.telemetry.enabled": False,
}


@dataclass
class Firefox:
    """One browser with one page."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    asked: int = 0

    async def call(self, command: str, **parameters: object) -> Any:
        """Give a command and return its result."""
        self.asked += 1
        message = json.dumps([0, self.asked, command, parameters]).encode()
        self.writer.write(b"%d:%s" % (len(message), message))
        await self.writer.drain()
        _, number, error, result = await self.told()
        assert number == self.asked
        assert error is None, error
        return result["value"] if isinstance(result, dict) and "value" in result else result

    async def told(self) -> Any:
        size = int((await self.reader.readuntil(b":"))[:-1])
        return json.loads(await self.reader.readexactly(size))

    async def evaluate(self, expression: str) -> Any:
        """Return what an expression is on the page; `page` is its window, as it sees itself."""
        script = f"const page = window.wrappedJSObject ?? window; return {expression};"
        return await self.call("WebDriver:ExecuteScript", script=script, args=[])

    async def becomes(self, expression: str) -> None:
        """Wait until something is true on the page."""

        async def true() -> bool:
            return bool(await self.evaluate(expression))

        await until(true)


@asynccontextmanager
async def firefox(folder: Path) -> AsyncIterator[Firefox]:
    """Start a browser with a profile of its own; without one the test is skipped, or fails."""
    program = shutil.which("firefox-esr") or shutil.which("firefox")
    if program is None:
        reason = "Firefox is not installed (Debian: firefox-esr)"
        if os.environ.get("TELECINE_REQUIRE_ALL"):
            pytest.fail(reason)
        pytest.skip(reason)
    prefs = [f"user_pref({json.dumps(n)}, {json.dumps(v)});" for n, v in SETTINGS.items()]
    (folder / "user.js").write_text("\n".join(prefs))
    words = ("--headless", "--marionette", "--no-remote", "--profile", str(folder))
    child = await asyncio.create_subprocess_exec(
        *(program, *words),
        env={**os.environ, "HOME": str(folder)},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        port = folder / "MarionetteActivePort"

        async def listens() -> bool:
            return port.exists() and port.read_text().strip().isdigit()

        await until(listens)
        reader, writer = await asyncio.open_connection("127.0.0.1", int(port.read_text()))
        with contextlib.closing(writer):
            browser = Firefox(reader, writer)
            await browser.told()  # who it is
            await browser.call("WebDriver:NewSession", capabilities={})
            yield browser
    finally:
        child.kill()
        await child.wait()
