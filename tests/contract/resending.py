"""Clients whose connection breaks, run as programs: they say so, and are told to go on."""

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from _pytest.mark import ParameterSet

from tests.contract import packages
from tests.contract.upload_ways import (
    NEWEST_NODE,
    NODE_SDK,
    OLDER_NODE,
    OLDER_PYTHON,
    TUS_JS,
    TUSPY,
)
from tests.fixtures.media import padded
from tests.fixtures.server import TelecineServer
from tests.fixtures.stored import stored_source
from tests.fixtures.waiting import PATIENCE_S

SCRIPTS = Path(__file__).parent
CHUNK_BYTES = 5 * 1024 * 1024
SCENARIOS = {
    "small": b"/source HTTP",
    "first": b"part 1/3",
    "later": b"part 2/3",
    "session": b"part 2/*",
    "token": b"part 2/3",
    "range": b"bytes 0-5242879/",
}
"""How an upload is made, and what the request says that breaks."""

CALLED_AGAIN = ("small", "first", "later", "session", "token")
"""Scenarios of the clients that send parts; the legacy one of Node sends ranges."""

CLIENTS = [pytest.param("python"), pytest.param("node", marks=pytest.mark.node)]
TUS_CLIENTS = [pytest.param("tuspy"), pytest.param("tus-js-client", marks=pytest.mark.node)]


def older_clients(scenarios: Sequence[str]) -> list[ParameterSet]:
    """Return kind, version and scenario of clients before the newest, as parameters."""
    node = pytest.mark.node
    return [
        *[pytest.param("python", each, how) for each in OLDER_PYTHON for how in scenarios],
        *[pytest.param("node", each, how, marks=node) for each in OLDER_NODE for how in scenarios],
        *[
            pytest.param("node-sdk", each, how, marks=node)
            for each in NODE_SDK
            for how in ("small", "range")
        ],
    ]


LIMIT_S = 2 * PATIENCE_S
"""Longer than the slowest start of a server that was killed."""


class Running:
    """A client under way. `said` are the lines that it has printed."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self.said: list[str] = []

    async def _line(self) -> str:
        assert self._process.stdout is not None
        async with asyncio.timeout(LIMIT_S):
            line = (await self._process.stdout.readline()).decode()
        if line:
            self.said.append(line)
        return line

    async def broken(self) -> None:
        """Wait until it has noticed that its connection is gone."""
        while (line := await self._line()) != "broken\n":
            assert line, "".join(self.said)

    async def again(self) -> None:
        """Have it send its file again."""
        assert self._process.stdin is not None
        self._process.stdin.write(b"\n")
        await self._process.stdin.drain()

    async def ended(self) -> str:
        """Wait for its success; return the last line."""
        while await self._line():
            pass
        async with asyncio.timeout(LIMIT_S):
            assert await self._process.wait() == 0, "".join(self.said)
        return self.said[-1]


@asynccontextmanager
async def client(
    kind: str, base_url: str, key: str, scenario: str, files: Path, version: str | None = None
) -> AsyncIterator[Running]:
    """Run a client on `files`: a folder, for tus clients one file; the newest by default."""
    argv, environment = await asyncio.to_thread(
        _command, kind, [base_url, key, scenario, str(files)], version
    )
    process = await asyncio.create_subprocess_exec(
        *argv, stdin=PIPE, stdout=PIPE, stderr=STDOUT, env=environment
    )
    try:
        yield Running(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def _command(
    kind: str, words: Sequence[str], wanted: str | None
) -> tuple[list[str], Mapping[str, str]]:
    base_url, key, _, file = words
    if kind == "python":
        path = {} if wanted is None else {"PYTHONPATH": str(packages.python_client(wanted))}
        resend = SCRIPTS / "python" / "resend.py"
        return [sys.executable, str(resend), *words], {**os.environ, **path}
    if kind == "tuspy":
        path = {"PYTHONPATH": str(packages.python_package("tuspy", TUSPY))}
        retrying = SCRIPTS / "python" / "tus_retry.py"
        return [sys.executable, str(retrying), base_url, key, file], {**os.environ, **path}
    name, version, script = {
        "node": ("@api.video/nodejs-client", NEWEST_NODE, "resend.cjs"),
        "node-sdk": ("@api.video/nodejs-sdk", NODE_SDK[0], "resend_sdk.cjs"),
        "tus-js-client": ("tus-js-client", TUS_JS, "tus_client.cjs"),
    }[kind]
    folder, node = packages.node_package(name, wanted or version), packages.node_program("node")
    return [str(node), str(SCRIPTS / "node" / script), str(folder), *words], os.environ


def write_files(folder: Path, clip: Path) -> Path:
    """Write a small file, one of two chunks, and one of three, also in parts."""
    small = clip.read_bytes()
    large = padded(small, 2 * CHUNK_BYTES + 60_860)
    (folder / "small.mp4").write_bytes(padded(small, 1_000_000))
    (folder / "even.mp4").write_bytes(padded(small, 2 * CHUNK_BYTES))
    (folder / "large.mp4").write_bytes(large)
    for number, letter in enumerate("abc"):
        chunk = large[number * CHUNK_BYTES : (number + 1) * CHUNK_BYTES]
        (folder / f"large.mp4.part.{letter}").write_bytes(chunk)
    return folder


def assert_stored(server: TelecineServer, files: Path, printed: str) -> None:
    """Compare the source of the one video with the file that its client has sent."""
    made: dict[str, str] = json.loads(printed)
    assert len(made) == 1
    for video_id, name in made.items():
        assert stored_source(server, video_id) == (files / name).read_bytes()


def upload_token(server: TelecineServer, key: str) -> str:
    """Return a new token, for clients that have nothing else."""
    reply = httpx.post(
        f"{server.base_url}/upload-tokens", json={}, auth=(key, ""), timeout=PATIENCE_S
    )
    return str(reply.raise_for_status().json()["token"])


def tus_video(printed: str) -> str:
    """Return the video of an upload by tus."""
    url = json.loads(printed)["url"] if printed.startswith("{") else printed.strip()
    return str(url.partition("?")[0].rpartition("/")[2])
