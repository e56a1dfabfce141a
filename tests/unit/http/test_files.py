import errno
import os
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Route

from telecine.http import files
from telecine.http.files import FileRange, FileTruncated, PiecesResponse, file_response
from telecine.http.ranges import Validators

pytestmark = pytest.mark.anyio

CONTENT = bytes(range(256)) * 4096  # 1 MiB


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "a.bin"
    path.write_bytes(CONTENT)
    return path


def connect(response: PiecesResponse) -> httpx.AsyncClient:
    async def endpoint(_: Request) -> PiecesResponse:
        return response

    transport = httpx.ASGITransport(Starlette(routes=[Route("/", endpoint)]))
    return httpx.AsyncClient(transport=transport, base_url="http://test")


def two_files(path: Path) -> PiecesResponse:
    pieces: list[files.Piece] = [
        b"head",
        FileRange(path, 100, 1000),
        FileRange(path, 5000, 300_000),
        b"tail",
    ]
    return PiecesResponse(pieces, media_type="video/mp4", validators=Validators('"v"'))


BODY = b"head" + CONTENT[100:1100] + CONTENT[5000:305_000] + b"tail"


async def test_a_whole_file(path: Path) -> None:
    async with connect(file_response(path, media_type="video/mp4")) as client:
        reply = await client.get("/")
        assert reply.status_code == 200
        assert reply.content == CONTENT
        assert reply.headers["content-type"] == "video/mp4"
        assert reply.headers["accept-ranges"] == "bytes"
        again = {"If-None-Match": reply.headers["etag"]}
        reply = await client.get("/", headers=again)
        assert (reply.status_code, reply.content) == (304, b"")
        assert reply.headers["etag"] == again["If-None-Match"]


async def test_pieces_of_files_and_bytes_are_one_body(path: Path) -> None:
    async with connect(two_files(path)) as client:
        reply = await client.get("/")
        assert reply.headers["content-length"] == str(len(BODY))
        assert reply.content == BODY
        head = await client.head("/")
        assert (head.content, head.headers["content-length"]) == (b"", str(len(BODY)))


@pytest.mark.parametrize(
    ("start", "end"),
    [(0, 1), (2, 4), (3, 5), (4, 1004), (1000, 2000), (300_000, len(BODY)), (0, len(BODY))],
)
async def test_a_range_may_cross_pieces(path: Path, start: int, end: int) -> None:
    async with connect(two_files(path)) as client:
        reply = await client.get("/", headers={"Range": f"bytes={start}-{end - 1}"})
    assert reply.status_code == 206
    assert reply.headers["content-range"] == f"bytes {start}-{end - 1}/{len(BODY)}"
    assert reply.content == BODY[start:end]
    assert reply.headers["content-length"] == str(end - start)


async def test_a_range_behind_the_end_tells_the_size(path: Path) -> None:
    async with connect(two_files(path)) as client:
        reply = await client.get("/", headers={"Range": f"bytes={len(BODY)}-"})
    assert reply.status_code == 416
    assert reply.headers["content-range"] == f"bytes */{len(BODY)}"
    assert reply.content == b""


@pytest.mark.parametrize("error", [errno.EAGAIN, errno.EOPNOTSUPP])
async def test_what_is_not_cached_comes_from_a_thread(
    path: Path, monkeypatch: pytest.MonkeyPatch, error: int
) -> None:
    real = os.preadv

    def preadv(fd: int, buffers: list[Any], offset: int, flags: int = 0) -> int:
        if flags:
            raise OSError(error, "not now")
        # Short reads are legal: the rest must follow.
        return real(fd, [memoryview(buffers[0])[:100_000]], offset)

    monkeypatch.setattr(os, "preadv", preadv)
    async with connect(two_files(path)) as client:
        assert (await client.get("/")).content == BODY


async def test_a_file_that_shrank_cuts_the_connection(path: Path) -> None:
    response = two_files(path)
    path.write_bytes(CONTENT[:6000])
    async with connect(response) as client:
        with pytest.raises(FileTruncated):
            await client.get("/")


async def test_nothing_is_read_for_a_client_that_left(path: Path) -> None:
    sent = 0

    async def receive() -> dict[str, object]:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        nonlocal sent
        sent += len(message.get("body", b""))

    ranges = [FileRange(path, 0, len(CONTENT))] * 20
    response = PiecesResponse(ranges, media_type="video/mp4")
    scope = {"type": "http", "method": "GET", "headers": []}
    await response(scope, receive, send)
    assert sent == files._CHECK_EVERY * files.PIECE_BYTES
