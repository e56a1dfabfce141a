"""`telecine upload` over connections that break, to servers that die, killed and started again."""

import asyncio
import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from telecine.processes.exits import Exit
from tests.chaos import killing
from tests.fixtures.media import padded
from tests.fixtures.ports import free_port
from tests.fixtures.proxy import proxy_to
from tests.fixtures.server import (
    TelecineProcess,
    TelecineServer,
    environment_without_settings,
    telecine,
)
from tests.fixtures.stored import stored_source
from tests.fixtures.waiting import PATIENCE_S, until
from tests.integration.cli.test_uploading import clip

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

MIB = 1 << 20
FILE_BYTES = 22 * MIB  # five parts of 5 MiB


@dataclass(frozen=True)
class Done:
    status: int
    out: str
    err: str

    @property
    def line(self) -> dict[str, Any]:
        """The only line of JSON."""
        assert self.status == Exit.DONE, self.err
        line: dict[str, Any] = json.loads(self.out)
        return line


class Commands:
    """Uploads of one file through a proxy."""

    def __init__(self, server: TelecineServer, folder: Path) -> None:
        self.server = server
        self.folder = folder
        self.path = folder / "film.mp4"
        self.path.write_bytes(padded(clip().read_bytes(), FILE_BYTES))

    @contextmanager
    def begun(self, authority: str, *words: str) -> Iterator[subprocess.Popen[str]]:
        options = ("--part-size", "5", "--json", "--wait", "none", "--server")
        # Ignored where the tests run in a shell's background, and then by the command as
        # well: its held part would be sent anew once the server had given the first up.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        with subprocess.Popen(
            telecine("upload", str(self.path), *options, f"http://{authority}", *words),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.folder,
            env={
                **environment_without_settings(),
                "TELECINE_API_KEY": self.server.production_key,
                "XDG_STATE_HOME": str(self.folder / "state"),
            },
        ) as process:
            signal.signal(signal.SIGINT, before)
            try:
                yield process
            finally:
                process.kill()

    async def run(self, authority: str, *words: str) -> Done:
        with self.begun(authority, *words) as process:
            return await self.ended(process)

    async def ended(self, process: subprocess.Popen[str]) -> Done:
        out, err = await asyncio.to_thread(process.communicate)
        return Done(process.returncode, out, err)

    def ask(self, path: str) -> Any:
        auth = (self.server.production_key, "")
        reply = httpx.get(f"{self.server.base_url}{path}", auth=auth, timeout=PATIENCE_S)
        return reply.raise_for_status().json()

    def videos(self) -> list[str]:
        """The ids of the file's videos."""
        found = self.ask(f"/videos?title={self.path.stem}&pageSize=100")["data"]
        return [video["videoId"] for video in found if video["title"] == self.path.stem]

    def parts(self, video_id: str) -> list[int]:
        ingest = self.ask(f"/videos/{video_id}/status")["ingest"]
        parts: list[int] = (ingest or {}).get("receivedParts", {}).get("parts", [])
        return parts

    def token(self) -> str:
        auth = (self.server.production_key, "")
        reply = httpx.post(
            f"{self.server.base_url}/upload-tokens", json={}, auth=auth, timeout=PATIENCE_S
        )
        return str(reply.raise_for_status().json()["token"])

    def check(self, done: Done) -> None:
        assert stored_source(self.server, done.line["videoId"]) == self.path.read_bytes()
        assert not list((self.folder / "state" / "telecine" / "uploads").iterdir())


@pytest.fixture
def commands(telecine_server: TelecineServer, tmp_path: Path) -> Commands:
    made = Commands(telecine_server, tmp_path)
    made.path = made.path.rename(tmp_path / f"{tmp_path.name}.mp4")
    return made


@pytest.mark.parametrize("by_token", [False, True], ids=["key", "token"])
async def test_connections_break(commands: Commands, by_token: bool) -> None:
    words = ("--token", commands.token()) if by_token else ()
    async with proxy_to(commands.server.base_url) as proxy:
        cuts = [proxy.cut(b"part 2/5", 3 * MIB), proxy.cut(b"part 3/5", 0)]
        held = proxy.hold(b"part 5/5", MIB)
        with commands.begun(proxy.authority, *words) as process:
            for fault in (*cuts, held):
                await fault.happened.wait()
            await proxy.cut_all()
            done = await commands.ended(process)
    assert "Trying again." in done.err
    commands.check(done)


async def test_a_killed_command_goes_on(commands: Commands) -> None:
    async with proxy_to(commands.server.base_url) as proxy:
        held = proxy.hold(b"part 4/5", MIB)

        async def waits_for_the_last() -> bool:
            found = commands.videos()
            return bool(found) and commands.parts(found[0]) == [1, 2, 3, 5]

        with commands.begun(proxy.authority) as process:
            await held.happened.wait()
            await until(waits_for_the_last)
            refused = await commands.run(proxy.authority)
            assert refused.status == Exit.FAILED
            assert "Another command is uploading this file" in refused.err
            process.send_signal(signal.SIGKILL)
            killed = await commands.ended(process)
            assert killed.status == -signal.SIGKILL
        sent_before = proxy.connections
        done = await commands.run(proxy.authority)
        assert proxy.connections > sent_before
    (video_id,) = commands.videos()
    assert f"going on with {video_id}, 4 of 5 parts are there." in done.err
    assert done.line["videoId"] == video_id
    commands.check(done)


async def test_a_changed_file_begins_anew(commands: Commands) -> None:
    async with proxy_to(commands.server.base_url) as proxy:
        held = proxy.hold(b"part 5/5", 0)
        with commands.begun(proxy.authority) as process:
            await held.happened.wait()
            process.send_signal(signal.SIGINT)
            stopped = await commands.ended(process)
        assert stopped.status == Exit.FAILED
        assert "The same command goes on where this one ended." in stopped.err
        assert "Traceback" not in stopped.err
        commands.path.write_bytes(padded(clip().read_bytes(), FILE_BYTES - MIB))
        done = await commands.run(proxy.authority)
    assert "changed since its upload was begun: starting anew." in done.err
    assert len(commands.videos()) == 2
    commands.check(done)


async def test_a_server_is_restarted_in_the_middle(tmp_path: Path) -> None:
    settings = {"TELECINE_PORT": str(free_port()), "TELECINE_API_KEY": "the-same-key-each-time"}
    process = TelecineProcess(tmp_path / "data", settings)
    try:
        server = process.wait_until_ready()
        folder = tmp_path / "client"
        folder.mkdir()
        commands = Commands(server, folder)
        commands.server = server = with_key(server, settings["TELECINE_API_KEY"])
        async with proxy_to(server.base_url) as proxy:
            held = proxy.hold(b"part 3/5", MIB)
            with commands.begun(proxy.authority) as uploading:
                await held.happened.wait()
                killing.kill_family(server.pid)
                process.stop()
                await proxy.cut_all()
                process = TelecineProcess(tmp_path / "data", settings)
                process.wait_until_ready()
                done = await commands.ended(uploading)
        commands.check(done)
        assert commands.videos() == [done.line["videoId"]]
    finally:
        process.stop()


def with_key(server: TelecineServer, key: str) -> TelecineServer:
    told = json.loads(server.to_line())
    return TelecineServer.from_line(json.dumps({**told, "production_key": key}))
