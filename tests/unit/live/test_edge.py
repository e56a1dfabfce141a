"""What viewers keep while the owner of an event dies and comes back."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from telecine import clock
from telecine.live import edge as edges
from telecine.live.edge import Edge
from telecine.live.frames import frame, pack, read_frame
from telecine.live.model import Output
from telecine.live.nodes import Owners
from telecine.live.packager import Packager
from telecine.live.window import Window
from tests.fixtures.waiting import until
from tests.unit.live.test_packager import AUDIO, VIDEO, merged, pictures, run, sounds

pytestmark = pytest.mark.anyio

STREAM = "li1"


def outputs() -> list[Output]:
    sent = [(0, VIDEO), (0, AUDIO), *merged(pictures(30, 5, gop_s=1), sounds(5))]
    return run(Packager(200), sent)


@contextlib.asynccontextmanager
async def owner(path: Path, session: str | None, told: Sequence[Output]) -> AsyncIterator[None]:
    """Tell of an event, None: of there being none; then die without a word."""
    writers: list[asyncio.StreamWriter] = []

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        await read_frame(reader)
        if session is None:
            writer.write(frame("none"))
            writer.close()
            return
        head = frame("event", session=session, length_ms=60_000, discontinuities_gone=0, peak_bps=0)
        writer.write(head + b"".join(map(pack, told)))

    server = await asyncio.start_unix_server(connected, path)
    yield
    server.close()
    path.unlink()
    for writer in writers:
        writer.transport.abort()


@pytest.fixture
async def edge(tmp_path: Path) -> AsyncIterator[Edge]:
    edge = Edge(Owners(tmp_path / "owner"))
    task = asyncio.ensure_future(edge.run())
    await until(lambda: _runs(edge))
    yield edge
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def _runs(edge: Edge) -> bool:
    return edge._group is not None  # nothing else tells


async def watched(edge: Edge) -> Window:
    window = await edge.window(STREAM)
    assert window is not None
    return window


async def test_viewers_keep_what_there_was_until_the_event_goes_on(
    edge: Edge, tmp_path: Path
) -> None:
    made = outputs()
    async with owner(tmp_path / "owner", "a" * 12, made[:-9]):
        await until(lambda: _is_there(edge))
        before = await watched(edge)
        told = Window("a" * 12, 60_000)
        for output in made[:-9]:
            told.take(output)
        await until(lambda: _has(before, told.edge))  # all of it
        waiting = before.wait(*before.edge)
    for _ in range(3):
        assert await watched(edge) is before
        await asyncio.wait({waiting}, timeout=0.4)
    assert not waiting.done()
    async with owner(tmp_path / "owner", "a" * 12, made):
        await asyncio.wait_for(asyncio.shield(waiting), 30)  # wakes up in the window that goes on
        after = await watched(edge)
        assert after is not before
        assert before.newest is after
        await until(lambda: _has(after, before.edge))


async def _has(window: Window, edge: tuple[int, int]) -> bool:
    return window.edge >= edge


async def _is_there(edge: Edge) -> bool:
    return await edge.window(STREAM) is not None


async def test_nobody_sees_half_of_what_an_owner_has(edge: Edge, tmp_path: Path) -> None:
    made, told = outputs(), asyncio.Event()
    half, sent = len(made) - 9, 0

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await read_frame(reader)
        head = frame(
            "event",
            session="a" * 12,
            length_ms=60_000,
            discontinuities_gone=0,
            peak_bps=0,
            held=len(made),
        )
        writer.write(head + b"".join(map(pack, made[:half])))
        sent = half
        await told.wait()
        writer.write(b"".join(map(pack, made[half:])))
        await reader.read()
        writer.close()

    async with await asyncio.start_unix_server(connected, tmp_path / "owner"):
        watching = asyncio.ensure_future(edge.window(STREAM))

        async def half_is_sent() -> bool:
            return sent == half

        await until(half_is_sent)
        done, _ = await asyncio.wait({watching}, timeout=0.3)
        assert not done  # there are four segments that could be played
        told.set()
        window = await asyncio.wait_for(watching, 30)
    assert window is not None
    whole = Window("a" * 12, 60_000)
    for output in made:
        whole.take(output)
    assert window.edge == whole.edge


async def test_an_owner_that_has_no_event_is_believed(edge: Edge, tmp_path: Path) -> None:
    async with owner(tmp_path / "owner", "a" * 12, outputs()):
        await until(lambda: _is_there(edge))
    async with owner(tmp_path / "owner", None, ()):

        async def gone() -> bool:
            return await edge.window(STREAM) is None

        await until(gone)


async def test_an_owner_of_another_version_stops_nobody(edge: Edge, tmp_path: Path) -> None:
    """What it says may lack what is looked for; other streams go on."""

    async def connected(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(frame("event", session="a" * 12))
        writer.close()

    server = await asyncio.start_unix_server(connected, tmp_path / "owner")
    with capture_logs() as told:
        assert await edge.window("li2") is None

        async def broke() -> bool:
            return any(each["event"] == "mirror broke" for each in told)

        await until(broke)
    server.close()
    (tmp_path / "owner").unlink()
    async with owner(tmp_path / "owner", "a" * 12, outputs()):
        await until(lambda: _is_there(edge))


async def test_an_owner_that_stays_away_is_forgotten(
    edge: Edge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with owner(tmp_path / "owner", "a" * 12, outputs()):
        await until(lambda: _is_there(edge))
    monkeypatch.setattr(edges, "KEPT_S", -clock.monotonic_s())

    async def gone() -> bool:
        return await edge.window(STREAM) is None

    await until(gone)


async def test_nobody_is_asked_for_qualities_that_are_invented(edge: Edge, tmp_path: Path) -> None:
    asked: list[tuple[str, str | None]] = []

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        found = await read_frame(reader)
        assert found is not None
        asked.append((found[0]["kind"], found[0].get("rendition")))
        if found[0]["kind"] == "qualities":
            writer.write(frame("qualities", found=[{"name": "360p"}]))
        else:
            session = "a" * 12
            head = frame(
                "event", session=session, length_ms=60_000, discontinuities_gone=0, peak_bps=0
            )
            writer.write(head + b"".join(map(pack, outputs())))
        await reader.read()
        writer.close()

    server = await asyncio.start_unix_server(connected, tmp_path / "owner")
    await until(lambda: _is_there(edge))
    invented = [edge.window(STREAM, f"{number}p") for number in range(1000, 1200)]
    assert set(await asyncio.gather(*invented)) == {None}
    assert await edge.window(STREAM, "360p") is not None
    assert await edge.window(STREAM, "361p") is None  # those that came later
    followed = {rendition for kind, rendition in asked if kind == "follow"}
    assert followed == {"source", "360p"}
    assert [kind for kind, _ in asked].count("qualities") <= 4
    server.close()


async def test_another_event_is_not_the_same(edge: Edge, tmp_path: Path) -> None:
    made = outputs()
    async with owner(tmp_path / "owner", "a" * 12, made):
        await until(lambda: _is_there(edge))
        before = await watched(edge)
    async with owner(tmp_path / "owner", "b" * 12, made):

        async def changed() -> bool:
            return (await watched(edge)).session == "b" * 12

        await until(changed)
    assert before.newest is before


@pytest.mark.parametrize("told", [b"", b"\xff\xff\xff\xff nonsense"])
async def test_an_owner_that_says_nothing_is_not_waited_for(
    edge: Edge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: bytes
) -> None:
    monkeypatch.setattr(edges, "ANSWER_S", 0.1)
    over = asyncio.Event()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_frame(reader)
        writer.write(told)
        await over.wait()
        writer.close()

    async with await asyncio.start_unix_server(connected, tmp_path / "owner"), asyncio.timeout(30):
        assert await edge.status(STREAM) == {"on_air": False}
        assert await edge.picture(STREAM) is None
        assert await edge.qualities(STREAM) == []
        over.set()
