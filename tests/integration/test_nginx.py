"""Telecine behind a real nginx with the configuration that we ship."""

import asyncio
import os
import re
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from tests.fixtures.server import TelecineServer, free_port
from tests.fixtures.shared import ROOT
from tests.fixtures.waiting import until

pytestmark = pytest.mark.anyio

WHOLE = """
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr;
events {{ worker_connections 256; }}
http {{
    access_log off;
    {paths}
    {ours}
}}
"""
TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


def nginx() -> str:
    found = shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin")
    if found is None:
        reason = "nginx is not installed (Debian: nginx-light)"
        if os.environ.get("TELECINE_REQUIRE_ALL"):
            pytest.fail(reason)
        pytest.skip(reason)
    return found


def configuration(server: TelecineServer, port: int, folder: Path) -> str:
    """Return ours, without TLS, on a port of the test's own."""
    ours = (ROOT / "deploy" / "nginx.conf").read_text()
    for wanted, used in (
        (r"server 127\.0\.0\.1:8080;", f"server {server.base_url.removeprefix('http://')};"),
        (r"listen 443 ssl;", f"listen 127.0.0.1:{port};"),
        (r"http2 on;\n", ""),  # known to nginx from 1.25.1 on
        (r"ssl_certificate\S* .*;\n", ""),
    ):
        ours, found = re.subn(wanted, used, ours)
        assert found, wanted
    paths = "\n".join(f"{each}_temp_path {folder}/{each};" for each in TEMPORARY)
    return WHOLE.format(folder=folder, paths=paths, ours=ours)


@pytest.fixture
async def front(telecine_server: TelecineServer, tmp_path: Path) -> AsyncIterator[str]:
    port = free_port()
    path = tmp_path / "nginx.conf"
    path.write_text(configuration(telecine_server, port, tmp_path))
    process = await asyncio.create_subprocess_exec(
        *(nginx(), "-p", str(tmp_path), "-c", str(path), "-g", "daemon off;")
    )

    async def listens() -> bool:
        assert process.returncode is None
        with closing(socket.socket()) as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    try:
        await until(listens)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        await process.wait()


async def test_uploads_and_ranges_pass(
    front: str, telecine_server: TelecineServer, tmp_path: Path
) -> None:
    film = os.urandom(3 << 20)
    auth = (telecine_server.production_key, "")
    async with httpx.AsyncClient(base_url=front, auth=auth, trust_env=False, timeout=60) as client:
        video = (await client.post("/videos", json={"title": "Front"})).raise_for_status().json()
        url = f"/videos/{video['videoId']}/source"
        sent = await client.post(url, files={"file": ("a.bin", film)})
        sent.raise_for_status()
        status = (await client.get(f"/videos/{video['videoId']}/status")).json()
        assert status["ingest"]["filesize"] == len(film)
        page = await client.get("/favicon.ico", headers={"Range": "bytes=0-3"})
        assert page.is_success
        unknown = await client.get("/videos", headers={"X-Request-Id": "kept-by-the-proxy"})
        assert unknown.headers["x-request-id"] == "kept-by-the-proxy"
    # Nothing of it went over nginx's disk.
    assert [path for path in (tmp_path / "client_body").rglob("*") if path.is_file()] == []


async def test_an_upload_reaches_telecine_while_it_is_sent(
    front: str, telecine_server: TelecineServer
) -> None:
    """A refusal comes before the body has been sent: it was passed on as it came."""
    host, port = front.removeprefix("http://").split(":")
    with closing(socket.create_connection((host, int(port)), timeout=60)) as line:
        line.sendall(
            b"POST /videos/viNone/source HTTP/1.1\r\nHost: x\r\n"
            b"Content-Type: multipart/form-data; boundary=b\r\n"
            b"Content-Length: 10000000000\r\n\r\n--b\r\n"
        )
        assert line.recv(64).split()[1] == b"401"
