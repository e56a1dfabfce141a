"""What viewers are told, over real sockets, of segments that nobody has encoded yet."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select, text
from structlog.testing import capture_logs

from telecine.delivery.segments import Segments
from telecine.delivery.wishes import NotStoredYet
from telecine.domains.encodings import wants
from telecine.domains.encodings.models import Want
from telecine.domains.encodings.operations import BACKGROUND, NORMAL
from telecine.ffmpeg.runner import MediaError
from telecine.pipeline import encode
from telecine.pipeline.collector import Piece
from tests.fixtures.media import barcode_mp4, frame_numbers
from tests.fixtures.raw_http import Client, status_of
from tests.fixtures.waiting import PATIENCE_S, until
from tests.integration.domains.encodings.cinema import (
    FRAMES,
    Cinema,
    Connect,
    House,
    front,
    planned,
    stuck,
)

pytestmark = pytest.mark.anyio


def ask(client: Client, cinema: Cinema, segment: int) -> None:
    """Ask for a segment, and for the end of the connection behind it."""
    name = f"/vod/{cinema.video_id}/hls/240p/{cinema.asset.epoch}-{segment}.m4s"
    client.send(f"GET {name} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".encode())


async def wanted(cinema: Cinema, *, claimed: int, waiting: int) -> None:
    """Wait until so many wants are being encoded, and so many are not."""

    async def so_many() -> bool:
        async with cinema.bench.db.transaction() as tx:
            owners = list(await tx.scalars(select(Want.owner)))
            left = await wants.waiting(tx)
        return (len(owners) - owners.count(None), left) == (claimed, waiting)

    await until(so_many)


def fields(answered: bytes) -> dict[str, str]:
    lines = answered.partition(b"\r\n\r\n")[0].decode().lower().split("\r\n")[1:]
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


async def test_a_viewer_too_many_is_told_to_come_again(
    cinema: Cinema, monkeypatch: pytest.MonkeyPatch
) -> None:
    """503 with Retry-After at once, for nobody else to keep; whoever leaves makes room."""
    async with front(cinema, queue_limit=1) as connect:
        watching, next_one, refused = [await connect() for _ in range(3)]
        async with stuck(monkeypatch) as given_up:
            ask(watching, cinema, 1)  # of a film's beginning the next one is encoded as well
            await wanted(cinema, claimed=1, waiting=0)
            ask(next_one, cinema, 3)
            await wanted(cinema, claimed=1, waiting=1)
            ask(refused, cinema, 4)
            answered = await refused.until_end()
            assert status_of(answered) == 503
            told = fields(answered)
            assert told["retry-after"] == "1"
            assert told["cache-control"] == "no-store"
            assert told["access-control-allow-origin"] == "*"
            assert told["content-length"] == "0"
            watching.writer.close()
            next_one.writer.close()
            async with asyncio.timeout(PATIENCE_S):
                await given_up.wait()
            await wanted(cinema, claimed=0, waiting=0)
        again = await connect()
        ask(again, cinema, 4)
        answered = await again.until_end()
        assert status_of(answered) == 200
        assert b"moof" in answered


async def test_who_has_waited_long_enough_is_told_to_come_again(
    cinema: Cinema, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with (
        front(cinema, wait_s=0.2) as connect,
        front(cinema) as patiently,
        stuck(monkeypatch),
    ):
        patient, client = await patiently(), await connect()
        ask(patient, cinema, 1)
        await wanted(cinema, claimed=1, waiting=0)
        with capture_logs() as logs:
            ask(client, cinema, 1)
            answered = await client.until_end()
        assert "segment not ready" in {line["event"] for line in logs}
        assert status_of(answered) == 503
        assert fields(answered)["retry-after"] == "1"
        assert fields(answered)["cache-control"] == "no-store"
        await wanted(cinema, claimed=1, waiting=0)  # for the one who still waits


async def test_the_ladder_goes_on_where_somebody_watches(house: House) -> None:
    """The chunk of the segment is moved to the front, once."""
    chunk_of = next(n for n, end in enumerate(house.asset.plan.chunk_segments[1:]) if end > 4)
    assert chunk_of > 0
    before = await priorities(house)
    assert before == [BACKGROUND - n for n in range(len(before))]
    segments = Segments(house.bench.db, house.bench.store, wait_s=0.05)
    with pytest.raises(NotStoredYet):
        await segments.get(house.asset, house.asset.renditions["240p"], 4)
    before[chunk_of] = NORMAL
    assert await priorities(house) == before


async def priorities(house: House) -> list[int]:
    """Return the priorities of the waiting chunks, in their order."""
    query = text(
        "SELECT priority FROM procrastinate_jobs WHERE task_name = 'encodings.EncodeChunk'"
        " ORDER BY (args->>'chunk')::int"
    )
    async with house.bench.db.transaction() as tx:
        return list(await tx.scalars(query))


@asynccontextmanager
async def in_two_pieces(
    cinema: Cinema,
    monkeypatch: pytest.MonkeyPatch,
    before_the_second: Callable[[], Awaitable[object]],
) -> AsyncIterator[tuple[Cinema, Connect]]:
    """Show a film whose second segment is pieces 2 and 3, of which piece 3 comes late."""
    clip = barcode_mp4(frames=FRAMES, width_px=640, height_px=360, keyframe_interval=250)
    video_id, asset = await planned(cinema.bench, clip)
    assert asset.plan.segment_pieces[1:3] == (2, 4)
    encode_chunk = encode.encode_chunk

    async def late(*given: Any, on_piece: Any, **others: Any) -> Any:
        async def told(piece: Piece) -> None:
            if piece.number == 3:
                await before_the_second()
            await on_piece(piece)

        return await encode_chunk(*given, on_piece=told, **others)

    with monkeypatch.context() as patched:
        patched.setattr(encode, "encode_chunk", late)
        cinema = replace(cinema, video_id=video_id, asset=asset)
        async with front(cinema) as connect:
            yield cinema, connect


async def first_piece(client: Client, cinema: Cinema) -> bytes:
    """Read an answer as far as piece 2, which must be all that is stored."""
    async with asyncio.timeout(PATIENCE_S):
        head = await client.reader.readuntil(b"\r\n\r\n")
        assert status_of(head) == 200
        assert fields(head)["transfer-encoding"] == "chunked"
        (key,) = await cinema.objects()
        stored, come = await cinema.bench.store.read(key), b""
        while len(come) < len(stored):
            come += await chunk(client.reader)
    assert come == stored
    assert await cinema.stored(cinema.asset, "240p") == {2}
    return come


async def chunk(reader: asyncio.StreamReader) -> bytes:
    size = int(await reader.readline(), 16)
    return (await reader.readexactly(size + 2))[:-2]


async def test_the_first_piece_is_sent_while_the_second_is_made(
    cinema: Cinema, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_come = asyncio.Event()
    async with in_two_pieces(cinema, monkeypatch, may_come.wait) as (film, connect):
        client = await connect()
        ask(client, film, 1)
        segment = await first_piece(client, film)
        may_come.set()
        async with asyncio.timeout(PATIENCE_S):
            while part := await chunk(client.reader):
                segment += part
        assert await client.until_end() == b""
    first, end = film.asset.plan.segment_frames(1)
    assert frame_numbers(await film.init() + segment) == list(range(first, end))


async def test_a_segment_whose_end_fails_is_cut(
    cinema: Cinema, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No cache keeps half a segment as if that were all of it."""
    may_fail = asyncio.Event()

    async def fail() -> None:
        await may_fail.wait()
        raise MediaError("undecodable", "the end")

    async with in_two_pieces(cinema, monkeypatch, fail) as (film, connect):
        client = await connect()
        ask(client, film, 1)
        await first_piece(client, film)
        may_fail.set()
        assert await client.until_end() == b""  # a complete body ends with a chunk of no length


async def test_what_cannot_be_encoded_is_no_error_of_the_server(
    cinema: Cinema, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: Any, **__: Any) -> None:
        raise MediaError("undecodable", "nothing")

    monkeypatch.setattr(encode, "encode_chunk", fail)
    async with front(cinema, queue_limit=1) as connect:
        client = await connect()
        ask(client, cinema, 1)
        answered = await client.until_end()
        assert status_of(answered) == 503
        assert fields(answered)["retry-after"] == "1"
