"""What the machine failed at ends with a reason, and is made when somebody asks again."""

import asyncio
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select

from telecine.domains.encodings import wants
from telecine.domains.encodings.handlers.ladder import encode_chunk
from telecine.domains.encodings.handlers.retry import retry_asset
from telecine.domains.encodings.jobs import EncodeChunk, RetryAsset
from telecine.domains.encodings.models import Rendition, Want
from telecine.domains.encodings.wants import Lease, Wanted
from telecine.ffmpeg.meter import note_run
from telecine.ffmpeg.runner import RunnerError
from telecine.jobs import worker
from telecine.pipeline import encode
from tests.fixtures.media import frame_numbers
from tests.integration.domains.encodings.cinema import FRAMES, House
from tests.integration.domains.encodings.working import (
    OPERATOR,
    becomes,
    pieces_of,
    status_of,
    working,
)

pytestmark = pytest.mark.anyio

FAILED = [("hls", "240p", "failed"), ("hls", "360p", "encoded"), ("mp4", "360p", "encoded")]
ENCODED = [(kind, name, "encoded") for kind, name, _ in FAILED]


async def stalled(*_: Any, **__: Any) -> None:
    note_run(0.5, "last words\n")
    raise RunnerError("stalled", "no sign of life for 60 s")


async def wanted(house: House, segment: int) -> Lease:
    """Let a viewer want a segment of the ladder, and somebody begin with it."""
    row = house.asset.renditions["240p"]
    async with house.bench.db.transaction() as tx:
        await wants.ask(tx, Wanted(house.asset.project_id, house.asset.id, row.id, segment))
    async with house.bench.db.transaction() as tx:
        lease = await wants.claim(tx, f"viewer of {segment}")
    assert lease is not None
    assert lease.segment == segment
    return lease


async def test_it_fails_for_the_machines_reason_and_is_made_when_asked_again(
    house: House, anonymous: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    await encode_chunk(house.bench, EncodeChunk(asset_id=house.asset.id, chunk=0))
    before = await pieces_of(house)
    assert before
    with monkeypatch.context() as patched:
        patched.setattr(encode, "encode_chunk", stalled)
        async with working(house):
            work = await becomes(house, anonymous, _240p="failed", _360p="encoded")
    assert await status_of(house) == FAILED
    assert work["state"] == "planned"  # what is copied plays
    (low,) = [row for row in work["renditions"] if row["name"] == "240p"]
    assert low["failure"] == "RunnerError: stalled: no sign of life for 60 s"
    assert low["reason"] == "The encoder gave no sign of life and was stopped."
    steps = {step["name"]: step for step in work["steps"]}
    assert steps["chunk 0"]["state"] == "done"
    last = steps["chunk 1"]
    assert (last["state"], last["attempt"]) == ("failed", EncodeChunk.attempts)
    assert (last["reason"], last["log"], last["cpuS"]) == (low["reason"], ["last words"], 0.5)
    assert "retry" in last["next"]
    assert await pieces_of(house) == before

    lease = await wanted(house, house.asset.plan.segments - 1)
    async with house.bench.db.transaction() as tx:
        await wants.give_back(tx, lease, "stalled: x")
    url = f"/_/videos/{house.video_id}/retry"
    for status in (202, 409):  # the second finds nothing that has failed
        answer = await anonymous.post(url, headers=OPERATOR)
        assert answer.status_code == status, answer.text
    async with working(house):
        work = await becomes(house, anonymous, _240p="encoded")
    assert await status_of(house) == ENCODED
    assert {row["failure"] for row in work["renditions"]} == {None}
    after = await pieces_of(house)
    assert {key: after[key] for key in before} == before
    assert len(after) == house.asset.plan.pieces
    async with house.bench.db.transaction() as tx:
        row = await tx.get_one(Rendition, house.asset.renditions["240p"].id)
        joined = b"".join(data for _, data in sorted(after.items()))
        assert frame_numbers((row.init or b"") + joined) == list(range(FRAMES))
        failed = select(func.count()).select_from(Want).where(Want.failure.is_not(None))
        assert await tx.scalar(failed) == 0


async def test_what_viewers_wait_for_meanwhile_is_left_to_its_encode(house: House) -> None:
    """Only failures are forgotten: a want that is being served is not begun twice."""
    failed, running = await wanted(house, 1), await wanted(house, 2)
    async with house.bench.db.transaction() as tx:
        await wants.give_back(tx, failed, "stalled: x")
    await retry_asset(house.bench, RetryAsset(asset_id=house.asset.id))
    async with house.bench.db.transaction() as tx:
        assert await wants.keep(tx, running)
        left = (await tx.scalars(select(Want.segment).where(~Want.ahead))).all()
    assert left == [2]


async def test_what_is_never_done_in_its_time_fails_and_says_so(
    house: House, anonymous: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never_done(*_: Any, **__: Any) -> None:
        await asyncio.Event().wait()

    with monkeypatch.context() as patched:
        patched.setattr(EncodeChunk, "timeout_s", 1.0)
        patched.setattr(encode, "encode_chunk", never_done)
        async with working(house):
            work = await becomes(house, anonymous, _240p="failed")
    assert await status_of(house) == FAILED
    (low,) = [row for row in work["renditions"] if row["name"] == "240p"]
    assert low["failure"] == f"{worker.TIME_LIMIT}: not done after 1 s"
    assert low["reason"] == "The work took longer than it may, and was stopped."
    chunks = [step for step in work["steps"] if step["name"].startswith("chunk ")]
    (step,) = [step for step in chunks if step["state"] == "failed"]
    assert (step["reason"], step["progress"]) == (low["reason"], None)
    assert "retry" in step["next"]


@pytest.mark.parametrize("memory_bytes", [96 << 20, 224 << 20])
async def test_want_of_memory_ends_with_a_reason_that_says_so(
    house: House, anonymous: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, memory_bytes: int
) -> None:
    """The one crashes a library that asks for memory, the other refuses a thread its stack."""
    with monkeypatch.context() as patched:
        patched.setattr(encode, "memory_limit_bytes", lambda *_: memory_bytes)
        async with working(house):
            work = await becomes(house, anonymous, _240p="failed")
    assert work["state"] == "planned"  # what is copied plays
    (low,) = [row for row in work["renditions"] if row["name"] == "240p"]
    assert "memory" in low["reason"], low
    url = f"/_/videos/{house.video_id}/retry"
    assert (await anonymous.post(url, headers=OPERATOR)).status_code == 202
    async with working(house):
        await becomes(house, anonymous, _240p="encoded")
