"""Segments that are encoded because somebody waits for them."""

import asyncio
import random
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError
from structlog.testing import capture_logs

from telecine.domains.encodings import recording, wants
from telecine.domains.encodings.handlers import jit
from telecine.domains.encodings.models import Want
from telecine.ffmpeg import sharing
from telecine.ffmpeg.runner import Limits, MediaError
from telecine.pipeline import encode
from tests.fixtures.media import frame_numbers
from tests.fixtures.waiting import PATIENCE_S, until
from tests.integration.domains.encodings.cinema import (
    FRAMES,
    IN_A_BUCKET_TOO,
    Cinema,
    refused,
    stuck,
)

pytestmark = pytest.mark.anyio


@IN_A_BUCKET_TOO
async def test_segments_in_any_order_join_to_exactly_the_source(cinema: Cinema) -> None:
    order = list(range(cinema.asset.plan.segments))
    random.Random(5).shuffle(order)
    data = {number: await cinema.segment(number) for number in order}
    joined = await cinema.init() + b"".join(data[number] for number in sorted(data))
    assert frame_numbers(joined) == list(range(FRAMES))

    async def nothing_is_wanted() -> bool:  # told behind the piece, which viewers get first
        return await cinema.wants() == 0

    await until(nothing_is_wanted)
    # What was served once stays the same bytes for ever.
    assert await cinema.segment(order[0]) == data[order[0]]


async def test_a_segment_is_encoded_once_for_all_who_wait(cinema: Cinema) -> None:
    async with asyncio.TaskGroup() as group:
        viewers = [group.create_task(cinema.segment(2)) for _ in range(8)]
    assert len({viewer.result() for viewer in viewers}) == 1
    first, end = cinema.asset.plan.segment_pieces[2], cinema.asset.plan.segment_pieces[3]
    stored = [key for key in await cinema.objects() for n in range(first, end)
              if key.rpartition("/")[2].startswith(f"{n:06d}-")]  # fmt: skip
    assert len(stored) == end - first


async def test_an_encode_ends_when_its_last_viewer_leaves(
    cinema: Cinema, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = asyncio.Event()
    async with stuck(monkeypatch) as given_up, asyncio.TaskGroup() as group:
        viewer = group.create_task(refused(cinema.segment(1, left.wait)))

        async def claimed() -> bool:
            async with cinema.bench.db.transaction() as tx:
                return await tx.scalar(select(Want.owner)) is not None

        await until(claimed)
        left.set()
        await viewer
        async with asyncio.timeout(PATIENCE_S):
            await given_up.wait()
    assert frame_numbers(await cinema.init() + await cinema.segment(1))


async def test_background_work_stands_still_while_a_viewer_waits(
    cinema: Cinema, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run under the brake, as the ladder's are, comes to its end behind the viewer's."""
    runner, limits = cinema.bench.runner, Limits(cpu_s=60, memory_bytes=1 << 30, wall_s=600.0)
    brake, left, nothing = cinema.bench.brake, asyncio.Event(), ["-f", "null", "-"]
    background = ["-f", "lavfi", "-i", "color=s=16x16:r=1:d=1", *nothing]
    monkeypatch.setattr(sharing, "_HELD_AT_MOST_S", 2 * PATIENCE_S)
    monkeypatch.setattr(sharing, "_WINDOW_S", 4 * PATIENCE_S)
    async with stuck(monkeypatch), asyncio.TaskGroup() as group:
        viewer = group.create_task(refused(cinema.segment(1, left.wait)))

        async def held() -> bool:
            return brake.held

        await until(held)
        running = group.create_task(runner.run(background, limits=limits, brake=brake))
        done, _ = await asyncio.wait([running], timeout=1.0)
        assert not done
        left.set()
        await viewer
        async with asyncio.timeout(PATIENCE_S):
            await running
    assert not brake.held


async def test_a_database_that_goes_away_meanwhile_costs_one_encode(
    cinema: Cinema, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What serves viewers is still there when the database is back."""
    monkeypatch.setattr(wants, "LEASE_S", 1)
    record, away = recording.record_runs, [OperationalError("SELECT 1", None, Exception("gone"))]

    async def recorded(*given: Any) -> Any:
        if away:
            raise away.pop()
        return await record(*given)

    monkeypatch.setattr(jit, "record_runs", recorded)
    assert frame_numbers(await cinema.init() + await cinema.segment(1))
    assert not away


async def test_what_nobody_foresaw_costs_one_want(
    cinema: Cinema, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A video that breaks an encode each time it is asked for stops nobody else's."""

    async def fail(*_: Any, **__: Any) -> None:
        raise KeyError("nobody foresaw it")

    with monkeypatch.context() as patched, capture_logs() as told:
        patched.setattr(encode, "encode_chunk", fail)
        await refused(cinema.segment(1))
        async with cinema.bench.db.transaction() as tx:
            assert await tx.scalar(select(Want.failure)) == "KeyError: 'nobody foresaw it'"
    assert [each["event"] for each in told if each["log_level"] == "error"] == [
        "viewers' encode broke"
    ] * wants.ATTEMPTS
    assert frame_numbers(await cinema.init() + await cinema.segment(2))


async def test_a_long_queue_turns_newcomers_away(
    cinema: Cinema, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cinema.asset.plan.segments > 4
    monkeypatch.setattr(cinema.segments, "_queue_limit", 1)
    leave = asyncio.Event()
    async with stuck(monkeypatch), asyncio.TaskGroup() as group:
        group.create_task(refused(cinema.segment(0, leave.wait)))

        async def begun() -> bool:
            async with cinema.bench.db.transaction() as tx:
                return await tx.scalar(select(Want.owner)) is not None

        await until(begun)
        group.create_task(refused(cinema.segment(2, leave.wait)))

        async def waits() -> bool:
            async with cinema.bench.db.transaction() as tx:
                return await wants.waiting(tx) == 1

        await until(waits)
        await refused(cinema.segment(4))
        async with cinema.bench.db.transaction() as tx:
            assert await tx.scalar(select(Want).where(Want.segment == 4)) is None
        leave.set()


async def test_what_cannot_be_encoded_is_told_at_once(
    cinema: Cinema, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: Any, **__: Any) -> None:
        raise MediaError("undecodable", "nothing")

    with monkeypatch.context() as patched:
        patched.setattr(encode, "encode_chunk", fail)
        await refused(cinema.segment(1))
        async with cinema.bench.db.transaction() as tx:
            assert await tx.scalar(select(Want.failure)) == "undecodable: nothing"
