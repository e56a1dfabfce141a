"""What viewers are told, over real sockets, of segments that nobody has encoded yet."""

import asyncio
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
from tests.fixtures.raw_http import Client, status_of
from tests.fixtures.waiting import PATIENCE_S, until
from tests.integration.domains.encodings.cinema import Cinema, House, front, stuck

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
