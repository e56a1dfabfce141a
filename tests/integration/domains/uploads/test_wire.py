"""Uploads over real sockets: bodies that break off, lie about their size or drip."""

import base64
from collections.abc import AsyncIterator, Awaitable, Callable

import httpx
import pytest
from sqlalchemy import func, select

from telecine.domains.sources.models import Part, Source
from telecine.domains.videos.models import Video
from telecine.http import connection, pace
from telecine.http.app import Api
from tests.fixtures.application import ProjectKeys
from tests.fixtures.raw_http import Client, serving
from tests.fixtures.waiting import until
from tests.integration.domains.uploads.sending import Uploads

pytestmark = pytest.mark.anyio

OPENING = b'--limit\r\nContent-Disposition: form-data; name="file"; filename="a.mp4"\r\n\r\n'
CLOSING = b"\r\n--limit--\r\n"
FORM = b"Content-Type: multipart/form-data; boundary=limit"
SMALL, LARGE = 100, 3 << 20  # the rest of a large one does not go through the parser

BAD_REQUEST = "400 bad-request"
MALFORMED = "400 video-content-range-malformed"
INVALID_FILE = "400 uploaded-file-invalid-file"
TOO_LATE = "408 request-timeout"

Connect = Callable[[], Awaitable[Client]]


@pytest.fixture(scope="module")
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """The loop that the server runs on."""
    return "asyncio", {"use_uvloop": True}


@pytest.fixture
async def connect(app: Api, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Connect]:
    """Clients are given up early."""
    monkeypatch.setattr(connection, "BODY_CHECK_S", 0.1)
    monkeypatch.setattr(pace, "WINDOW_S", 0.5)
    async with serving(app) as (connect, _):
        yield connect


class Wire:
    """What goes over the socket, through the door of the video or that of a token."""

    def __init__(self, uploads: Uploads, key: str, token: str, door: str) -> None:
        self.uploads = uploads
        self._authorization = base64.b64encode(f"{key}:".encode())
        path = (
            f"/videos/{uploads.video_id}/source" if door == "source" else f"/upload?token={token}"
        )
        self._path = path.encode()

    def head(self, *lines: bytes) -> bytes:
        first = b"POST %s HTTP/1.1" % self._path
        who = b"Authorization: Basic " + self._authorization
        return b"\r\n".join([first, b"Host: api.test", who, *lines, b"", b""])

    async def rows(self) -> list[int]:
        async with self.uploads.db.transaction() as tx:
            tables = (Video, Source, Part)
            return [await tx.scalar(select(func.count()).select_from(t)) or 0 for t in tables]

    async def is_untouched(self) -> bool:
        """Tell whether there is no more than the empty video."""
        return await self.rows() == [1, 0, 0] and await self.uploads.objects() == []


@pytest.fixture(params=["source", "upload"])
async def wire(
    request: pytest.FixtureRequest,
    uploads: Uploads,
    client: httpx.AsyncClient,
    project: ProjectKeys,
) -> Wire:
    token = (await client.post("/upload-tokens", json={"ttl": 3600})).json()["token"]
    return Wire(uploads, project.production_key, token, request.param)


def length(size: int) -> bytes:
    return b"Content-Length: %d" % size


CUTS = {
    "in the head of the part": lambda size: len(OPENING) // 2,
    "at the first byte": lambda size: len(OPENING) + 1,
    "in the file": lambda size: len(OPENING) + size // 2,
    "in the delimiter": lambda size: len(OPENING) + size + 5,
    "before the last line": lambda size: len(OPENING) + size + len(CLOSING) - 4,
}


@pytest.mark.parametrize(
    ("size", "framing", "hang_up"),
    [(SMALL, "length", "close"), (LARGE, "length", "half"), (LARGE, "chunked", "close")],
)
@pytest.mark.parametrize("cut", CUTS.values(), ids=CUTS)
async def test_a_body_that_breaks_off_leaves_nothing(
    wire: Wire,
    connect: Connect,
    cut: Callable[[int], int],
    size: int,
    framing: str,
    hang_up: str,
) -> None:
    body = OPENING + b"m" * size + CLOSING
    sent = body[: cut(size)]
    client = await connect()
    if framing == "length":
        client.send(wire.head(FORM, length(len(body))) + sent)
    else:
        chunks = b"%x\r\n%b\r\n" % (len(sent), sent)
        client.send(wire.head(FORM, b"Transfer-Encoding: chunked") + chunks)
    if hang_up == "half":
        client.writer.write_eof()
        answered = await client.until_end()
        # Nobody is told, unless what came was so late that its connection was given up first.
        assert answered == b"" or told(answered) == TOO_LATE
    else:
        await client.writer.drain()
        client.writer.close()
    await until(wire.is_untouched)


@pytest.mark.parametrize("size", [SMALL, LARGE])
async def test_a_body_that_is_longer_than_it_says(wire: Wire, connect: Connect, size: int) -> None:
    body = OPENING + b"m" * size + CLOSING
    client = await connect()
    client.send(wire.head(FORM, length(len(body) - 30)) + body)
    # Either is noticed first: that the form has no end, or that no request follows it.
    assert told(await client.until_end()) in {INVALID_FILE, BAD_REQUEST}
    await until(wire.is_untouched)


@pytest.mark.parametrize("size", [SMALL, LARGE])
async def test_a_body_that_is_shorter_than_it_says(wire: Wire, connect: Connect, size: int) -> None:
    """Its form is whole, and still it is not: more was to come."""
    body = OPENING + b"m" * size + CLOSING
    client = await connect()
    client.send(wire.head(FORM, length(len(body) + 30)) + body)
    assert told(await client.until_end()) == TOO_LATE
    await until(wire.is_untouched)


async def test_a_body_that_drips(wire: Wire, connect: Connect) -> None:
    client = await connect()
    client.send(wire.head(FORM, length(1000)) + OPENING)
    assert told(await client.drip(b"m" * 900)) == TOO_LATE
    await until(wire.is_untouched)


HEADERS: dict[str, tuple[list[bytes], str]] = {
    "length is negative": ([FORM, b"Content-Length: -1"], BAD_REQUEST),
    "length is no number": ([FORM, b"Content-Length: many"], BAD_REQUEST),
    "length is beyond all numbers": ([FORM, b"Content-Length: " + b"9" * 5000], BAD_REQUEST),
    "length is beyond all disks": ([FORM, length(10**18)], "507 insufficient-storage"),
    "two lengths": ([FORM, length(1000), length(1001)], BAD_REQUEST),
    "a length and chunks": (
        [FORM, length(1000), b"Transfer-Encoding: chunked"],
        BAD_REQUEST,
    ),
    "a range of 5000 digits": (
        [FORM, b"Content-Range: part 1/" + b"1" * 5000],
        MALFORMED,
    ),
    "a range of foreign digits": (
        [FORM, "Content-Range: part \u0661/\u0661".encode()],
        MALFORMED,
    ),
    "an empty range": ([FORM, b"Content-Range:"], MALFORMED),
    "two ranges": ([FORM, b"Content-Range: part 1/2", b"Content-Range: part 2/2"], MALFORMED),
    "a head without end": ([FORM, b"X: " + b"y" * 70_000], "431 headers-too-large"),
    "no boundary": ([b"Content-Type: multipart/form-data"], "400 uploaded-file-no-file"),
    "an empty boundary": ([FORM[:-5]], "400 uploaded-file-no-file"),
    "a boundary without end": ([FORM + b"x" * 10_000], INVALID_FILE),
    "another boundary": ([FORM + b"less"], INVALID_FILE),
}


@pytest.mark.parametrize(("lines", "expected"), HEADERS.values(), ids=HEADERS)
async def test_absurd_headers(
    wire: Wire, connect: Connect, lines: list[bytes], expected: str
) -> None:
    body = OPENING + b"m" * SMALL + CLOSING
    lines = (
        lines if any(b"Content-Length" in line for line in lines) else [*lines, length(len(body))]
    )
    client = await connect()
    client.send(wire.head(*lines, b"Connection: close") + body)
    assert told(await client.until_end()) == expected
    await until(wire.is_untouched)


FILE_PART = OPENING.removesuffix(b"\r\n")
BODIES = {
    "a long line": FILE_PART + b"X: " + b"y" * 1_000_000 + b"\r\n\r\nmedia" + CLOSING,
    "many lines": FILE_PART + b"X: y\r\n" * 10_000 + b"\r\nmedia" + CLOSING,
    "a line without a name": FILE_PART + b": y\r\n\r\nmedia" + CLOSING,
    "no end of lines": FILE_PART + b"X: y\n\nmedia" + CLOSING,
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
async def test_absurd_heads_of_the_part(wire: Wire, connect: Connect, body: bytes) -> None:
    client = await connect()
    client.send(wire.head(FORM, length(len(body)), b"Connection: close") + body)
    assert told(await client.until_end()) == INVALID_FILE
    await until(wire.is_untouched)


@pytest.mark.parametrize("chunk", [b"zz\r\nmedia\r\n", b"-5\r\nmedia\r\n", b"4\r\nmedia\r\n"])
async def test_chunks_that_are_none(wire: Wire, connect: Connect, chunk: bytes) -> None:
    client = await connect()
    begun = b"%x\r\n%b\r\n" % (len(OPENING), OPENING)
    client.send(wire.head(FORM, b"Transfer-Encoding: chunked") + begun + chunk)
    assert told(await client.until_end()) == BAD_REQUEST
    await until(wire.is_untouched)


def told(answered: bytes) -> str:
    """Return the status and the problem of an answer."""
    head, _, body = answered.partition(b"\r\n\r\n")
    assert b"content-type: application/problem+json" in head, answered
    problem = httpx.Response(200, content=body).json()
    return f"{problem['status']} {problem['type'].rpartition('/')[2]}"
