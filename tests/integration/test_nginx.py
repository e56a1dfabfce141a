"""Telecine behind a real nginx with the configuration that we ship."""

import asyncio
import os
import re
import shutil
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path

import httpx
import pytest

from tests.fixtures.customer import MASTER, Customer, everywhere, finished
from tests.fixtures.media import barcode_mp4
from tests.fixtures.ports import free_port
from tests.fixtures.server import TelecineServer
from tests.fixtures.shared import ROOT
from tests.fixtures.waiting import PATIENCE_S, until

pytestmark = pytest.mark.anyio

WHOLE = """
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr;
events {{ worker_connections 256; }}
http {{
    {paths}
    {ours}
}}
"""
KEPT = {"HIT", "REVALIDATED"}  # the latter: Telecine said that it still is the same
TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


def nginx() -> str:
    found = shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin")
    if found is None:
        reason = "nginx is not installed (Debian: nginx-light)"
        if os.environ.get("TELECINE_REQUIRE_ALL"):
            pytest.fail(reason)
        pytest.skip(reason)
    return found


def configuration(server: TelecineServer, port: int, folder: Path, *, cache: bool = False) -> str:
    """Return ours, without TLS, on a port of the test's own; with `cache` as its page says."""
    ours = (ROOT / "deploy" / "nginx.conf").read_text()
    for wanted, used in (
        *(_cached(folder) if cache else ()),
        (r"server 127\.0\.0\.1:8080;", f"server {server.base_url.removeprefix('http://')};"),
        (r"listen 443 ssl;", f"listen 127.0.0.1:{port};"),
        (r"access_log \S+ telecine;", f"access_log {folder}/access.log telecine;"),
        (r"http2 on;\n", ""),  # known to nginx from 1.25.1 on
        (r"ssl_certificate\S* .*;\n", ""),
    ):
        ours, found = re.subn(wanted, used, ours)
        assert found, wanted
    paths = "\n".join(f"{each}_temp_path {folder}/{each};" for each in TEMPORARY)
    # Its workers write into a folder that is ours alone.
    user = "user root;" if os.geteuid() == 0 else ""
    return user + WHOLE.format(folder=folder, paths=paths, ours=ours)


def _cached(folder: Path) -> list[tuple[str, str | Callable[[re.Match[str]], str]]]:
    """Return what is replaced in ours for a cache."""
    path = (ROOT / "deploy" / "nginx-cache.conf").read_text()
    path, found = re.subn("/var/cache/nginx/telecine", str(folder / "cache"), path)
    assert found
    locations = (ROOT / "deploy" / "nginx-cache-locations.conf").read_text()
    return [(r"upstream telecine", f"{path}\nupstream telecine"),
            (r"    location /vod/ \{[^}]*\}\n", lambda _: locations)]  # fmt: skip


@pytest.fixture
async def front(telecine_server: TelecineServer, tmp_path: Path) -> AsyncIterator[str]:
    async with nginx_before(telecine_server, tmp_path) as url:
        yield url


@pytest.fixture
async def cache(telecine_server: TelecineServer, tmp_path: Path) -> AsyncIterator[str]:
    async with nginx_before(telecine_server, tmp_path, cache=True) as url:
        yield url


@asynccontextmanager
async def nginx_before(
    server: TelecineServer, folder: Path, *, cache: bool = False
) -> AsyncIterator[str]:
    """Run nginx; yield its URL."""
    port = free_port()
    path = folder / "nginx.conf"
    path.write_text(configuration(server, port, folder, cache=cache))
    process = await asyncio.create_subprocess_exec(
        *(nginx(), "-p", str(folder), "-c", str(path), "-g", "daemon off;")
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
    async with httpx.AsyncClient(
        base_url=front, auth=auth, trust_env=False, timeout=PATIENCE_S
    ) as client:
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
    with closing(socket.create_connection((host, int(port)), timeout=PATIENCE_S)) as line:
        line.sendall(
            b"POST /videos/viNone/source HTTP/1.1\r\nHost: x\r\n"
            b"Content-Type: multipart/form-data; boundary=b\r\n"
            b"Content-Length: 10000000000\r\n\r\n--b\r\n"
        )
        assert line.recv(64).split()[1] == b"401"


async def test_a_cache_keeps_what_viewers_share(
    cache: str, telecine_server: TelecineServer
) -> None:
    with Customer(telecine_server) as customer:
        video_id = customer.upload(barcode_mp4(frames=60))
        await finished(customer, video_id)
        async with httpx.AsyncClient(base_url=cache, timeout=PATIENCE_S, trust_env=False) as viewer:

            async def states(path: str, times: int = 2, **headers: str) -> list[str | None]:
                replies = [await viewer.get(path, headers=headers) for _ in range(times)]
                assert {reply.status_code for reply in replies} <= {200, 206}, path
                assert len({reply.content for reply in replies}) == 1
                return [reply.headers.get("x-cache") for reply in replies]

            folder = f"/vod/{video_id}"
            for name in ("hls/240p/1-0.m4s", "hls/240p/manifest.m3u8", "hls/240p/init-1.mp4"):
                assert await states(f"{folder}/{name}") == ["MISS", "HIT"], name
            # What may change at any time is kept as well, and asked about in each second.
            for name in ("", "hls/manifest.m3u8"):
                first, again = await states(f"{folder}/{name}")
                assert (first, again in KEPT) == ("MISS", True), (name, again)
            # What a player tells with its request makes it no other one.
            for told in ("?CMCD=sid%3Da", "?CMCD=sid%3Db", "?a=1&CMCD=sid%3Dc&format=ts"):
                expected = {"MISS"} if "format" in told else KEPT
                assert {*await states(f"{folder}/hls/manifest.m3u8{told}", 1)} <= expected
            for same in ("a=1&format=ts", "a=1&format=ts&CMCD=", "CMCD=x&a=1&format=ts"):
                assert {*await states(f"{folder}/hls/manifest.m3u8?{same}", 1)} <= KEPT
            # A part of what is kept, and a download that never is.
            assert await states(f"{folder}/hls/240p/1-0.m4s", Range="bytes=4-7") == ["HIT", "HIT"]
            assert await states(f"{folder}/mp4/source.mp4", Range="bytes=4-7") == [None, None]
            customer.http.patch(f"/videos/{video_id}", json={"public": False})
            await everywhere(lambda: customer.get(video_id, MASTER).status_code == 404)
            hls = customer.http.get(f"/videos/{video_id}").json()["assets"]["hls"]
            path = "/vod/" + hls.partition("/vod/")[2]
            assert await states(path) == ["MISS", "MISS"]
            segment = path.replace("manifest.m3u8", "240p/1-0.m4s")
            assert await states(segment) == ["MISS", "MISS"]


async def test_a_head_through_the_cache_uses_no_token_up(
    cache: str, telecine_server: TelecineServer
) -> None:
    """Link previews ask by HEAD, which nginx would make GET."""
    with Customer(telecine_server) as customer:
        video_id = customer.upload(barcode_mp4(frames=60))
        await finished(customer, video_id)
        customer.http.patch(f"/videos/{video_id}", json={"public": False})
        await everywhere(lambda: customer.get(video_id, MASTER).status_code == 404)
        hls = customer.http.get(f"/videos/{video_id}").json()["assets"]["hls"]
        path = "/vod/" + hls.partition("/vod/")[2]
        async with httpx.AsyncClient(base_url=cache, timeout=PATIENCE_S, trust_env=False) as viewer:
            for url in (path, path.replace("manifest.m3u8", "240p/1-0.m4s")):
                told = await viewer.head(url, headers={"User-Agent": "preview"})
                assert (told.status_code, told.content) == (200, b"")
            assert (await viewer.get(path)).status_code == 200


async def test_what_was_public_is_purged_as_its_page_says(
    cache: str, telecine_server: TelecineServer, tmp_path: Path
) -> None:
    page = (ROOT / "docs" / "operations" / "behind-a-proxy.md").read_text()
    told = re.search(r"^grep -rlaE .*/var/cache/nginx/telecine.*$", page, re.MULTILINE)
    assert told is not None
    with Customer(telecine_server) as customer:
        ids = [customer.upload(barcode_mp4(frames=60)) for _ in range(2)]
        for video_id in ids:
            await finished(customer, video_id)
        async with httpx.AsyncClient(base_url=cache, timeout=PATIENCE_S, trust_env=False) as viewer:
            segments = [f"/vod/{video_id}/hls/240p/1-0.m4s" for video_id in ids]
            for path in segments:
                (await viewer.get(path)).raise_for_status()
            customer.http.patch(f"/videos/{ids[0]}", json={"public": False})
            await everywhere(lambda: customer.get(ids[0], "hls/240p/1-0.m4s").status_code == 404)
            assert (await viewer.get(segments[0])).headers["x-cache"] == "HIT", "as the page says"
            command = told[0].replace("VIDEO_ID", ids[0])
            command = command.replace("/var/cache/nginx/telecine", str(tmp_path / "cache"))
            shell = await asyncio.create_subprocess_exec("sh", "-c", command)
            assert await shell.wait() == 0
            assert (await viewer.get(segments[0])).status_code == 404
            assert (await viewer.get(segments[1])).headers["x-cache"] == "HIT"


async def test_changes_show_at_once_through_the_cache(
    cache: str, telecine_server: TelecineServer
) -> None:
    """Within the second: whoever comes in the next one gets what Telecine has."""
    with Customer(telecine_server) as customer:
        video_id = customer.upload(barcode_mp4(frames=60))
        await finished(customer, video_id)
        made = customer.http.post("/players", json={"text": "red"}).raise_for_status().json()
        theme = f"/players/{made['playerId']}"
        changed = customer.http.patch(
            f"/videos/{video_id}", json={"playerId": made["playerId"]}
        ).raise_for_status()
        assert changed.json()["playerId"] == made["playerId"]
        async with httpx.AsyncClient(base_url=cache, timeout=PATIENCE_S, trust_env=False) as viewer:

            async def shows(path: str, right: Callable[[httpx.Response], bool]) -> None:
                """Wait for the next second of nginx, in which nothing else may be told."""
                await everywhere(lambda: right(customer.get(video_id, path)))
                since = datetime.now(UTC).replace(microsecond=0)

                async def kept() -> bool:
                    reply = await viewer.get(f"/vod/{video_id}/{path}")
                    assert "x-accel-expires" not in reply.headers
                    if parsedate_to_datetime(reply.headers["date"]) <= since:
                        return False
                    assert right(reply), reply.text
                    if reply.status_code == 404:
                        return True
                    assert reply.headers["cache-control"] == "public, no-cache"
                    return reply.headers["x-cache"] == "HIT"

                await until(kept)

            def has(words: str) -> Callable[[httpx.Response], bool]:
                return lambda reply: reply.status_code == 200 and words in reply.text

            def lacks(words: str) -> Callable[[httpx.Response], bool]:
                return lambda reply: reply.status_code == 200 and words not in reply.text

            await shows("", has('"text": "red"'))
            customer.http.patch(theme, json={"text": "blue"}).raise_for_status()
            await shows("", has('"text": "blue"'))
            customer.http.patch(f"/videos/{video_id}", json={"title": "Another"}).raise_for_status()
            await shows("", has("<title>Another</title>"))
            await shows(MASTER, lacks("captions"))
            captions = f"/videos/{video_id}/captions/de"
            for said in (b"hello", b"good bye"):
                files = {"file": b"WEBVTT\n\n00:00.500 --> 00:01.500\n%s\n" % said}
                customer.http.post(captions, files=files).raise_for_status()
                await shows(MASTER, has("captions/de.m3u8"))
                await shows("captions/de.vtt", has(said.decode()))
            customer.http.delete(captions).raise_for_status()
            await shows(MASTER, lacks("captions"))
            # A browser that has the page sends what it has, and is told that it is the same.
            reply = await viewer.get(f"/vod/{video_id}/")
            known = {"If-None-Match": reply.headers["etag"]}
            again = await viewer.get(f"/vod/{video_id}/", headers=known)
            assert (again.status_code, again.content) == (304, b"")
            customer.http.patch(f"/videos/{video_id}", json={"public": False}).raise_for_status()
            for path in ("", MASTER):
                await shows(path, lambda reply: reply.status_code == 404)


async def test_a_cache_keeps_texts_in_each_coding(
    cache: str, telecine_server: TelecineServer
) -> None:
    with Customer(telecine_server) as customer:
        video_id = customer.upload(barcode_mp4(frames=60))
        await finished(customer, video_id)
        async with httpx.AsyncClient(base_url=cache, timeout=PATIENCE_S, trust_env=False) as viewer:
            path = f"/vod/{video_id}/"
            for states in ({"MISS"}, KEPT):
                for accepted in ("gzip", "zstd", "identity", "gzip;q=0"):
                    headers = {"Accept-Encoding": accepted}
                    async with viewer.stream("GET", path, headers=headers) as reply:
                        body = b"".join([chunk async for chunk in reply.aiter_raw()])
                    assert reply.headers["x-cache"] in states, accepted
                    coding = accepted if accepted in {"gzip", "zstd"} else None
                    assert reply.headers.get("content-encoding") == coding
                    assert body.startswith(b"<!doctype html>") is (coding is None)


async def test_no_token_reaches_the_log(front: str, tmp_path: Path) -> None:
    secret = "3fa85f64-5717-4562-b3fc-2c963f66afa6"
    asked = {
        f"/vod/viNone/token/{secret}/hls/manifest.m3u8": "/vod/viNone/token/***/hls/manifest.m3u8",
        f"/vod/viNone/token/{secret}": "/vod/viNone/token/***",
        f"/live/private/{secret}/liNone.m3u8": "/live/private/***/liNone.m3u8",
        f"/private/{secret}/liNone/token/{secret}/thumbnail.jpg": (
            "/private/***/liNone/token/***/thumbnail.jpg"
        ),
        f"/upload-tokens/{secret}": "/upload-tokens/***",
        f"/vod/viNone?token={secret}": "/vod/viNone?***",
        f"/vod/viNone/thumbnail.jpg?avh={secret}&a=1": "/vod/viNone/thumbnail.jpg?***",
        f"/upload?a=1&token={secret}&token={secret}": "/upload?***",
        f"/live/liNone?AVH={secret}": "/live/liNone?***",
        "/videos?title=token&tags[]=a": "/videos?title=token&tags[]=a",
    }
    async with httpx.AsyncClient(base_url=front, timeout=PATIENCE_S, trust_env=False) as viewer:
        for path in asked:
            referer = f"https://site.example/a?token={secret}"
            await viewer.get(path, headers={"Referer": referer}, auth=(secret, secret))
    log = tmp_path / "access.log"

    async def written() -> bool:
        return len(log.read_text().splitlines()) == len(asked)

    await until(written)
    text = log.read_text()
    assert secret not in text
    assert re.findall(r'"GET (\S+) HTTP/1.1" 4\d\d \d+ "https://site.example"', text) == [
        *asked.values()
    ]
