"""What a process has seen it serves from memory: no statement is sent for it."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from telecine.db.engine import Database
from telecine.domains.encodings.handlers.finish import finish_rendition
from telecine.domains.encodings.jobs import FinishRendition
from tests.fixtures.raw_http import Client, status_of
from tests.fixtures.statements import statements
from tests.fixtures.waiting import until
from tests.integration.domains.encodings.cinema import IN_A_BUCKET_TOO, Cinema, Connect, front

pytestmark = pytest.mark.anyio


@pytest.fixture
async def hall(cinema: Cinema) -> AsyncIterator[Cinema]:
    """The cinema with connections of its own for those who watch."""
    own = Database(cinema.database_url)
    yield replace(cinema, bench=replace(cinema.bench, db=own))
    await own.close()


def paths(cinema: Cinema) -> list[str]:
    """Return every playlist, init segment and segment."""
    epoch, found = cinema.asset.epoch, ["hls/manifest.m3u8", "hls/audio/audio.m3u8"]
    for name in cinema.asset.renditions:
        if name != "audio":
            found.append(f"hls/{name}/manifest.m3u8")
        found.append(f"hls/{name}/init-{epoch}.mp4")
        found += [f"hls/{name}/{epoch}-{n}.m4s" for n in range(cinema.asset.plan.segments)]
    return found


async def watch(connect: Connect, cinema: Cinema) -> dict[str, bytes]:
    bodies = {}
    for path in paths(cinema):
        client: Client = await connect()
        client.send(
            f"GET /vod/{cinema.video_id}/{path} HTTP/1.1\r\nhost: x\r\n"
            "connection: close\r\n\r\n".encode()
        )
        answered = await client.until_end()
        assert status_of(answered) == 200, path
        bodies[path] = answered.partition(b"\r\n\r\n")[2]
    return bodies


@IN_A_BUCKET_TOO
async def test_a_rendition_that_was_seen_needs_no_database(hall: Cinema) -> None:
    """Copied out of the source, stored piece by piece, and stored as a whole."""
    assert {name: view.passthrough for name, view in hall.asset.renditions.items()} == {
        "240p": False,
        "360p": True,
        "audio": True,
    }
    async with front(hall) as connect:
        # As long as the ladder is at work caches ask for the lists often.
        assert b"public, max-age=10\r\n" in await lifetime(connect, hall) + b"\r\n"
        with statements(hall.bench.db) as sent:
            first = await watch(connect, hall)
        assert sent
        await until(hall.idle)
        with statements(hall.bench.db) as sent:
            again = await watch(connect, hall)
        assert sent == []
        assert again.keys() == first.keys()
        same = [path for path in first if not path.endswith(".m3u8")]
        assert [again[path] for path in same] == [first[path] for path in same]

        job = FinishRendition(asset_id=hall.asset.id, rendition_id=hall.asset.renditions["240p"].id)
        await finish_rendition(hall.bench, job)

        async def complete() -> bool:  # the process has heard of it
            return b"max-age=60" in await lifetime(connect, hall)

        await until(complete)
        await watch(connect, hall)
        with statements(hall.bench.db) as sent:
            assert await watch(connect, hall) == await watch(connect, hall)
        assert sent == []


async def lifetime(connect: Connect, cinema: Cinema) -> bytes:
    client = await connect()
    client.send(
        f"GET /vod/{cinema.video_id}/hls/240p/manifest.m3u8 HTTP/1.1\r\nhost: x\r\n"
        "connection: close\r\n\r\n".encode()
    )
    return (await client.until_end()).partition(b"\r\n\r\n")[0]
