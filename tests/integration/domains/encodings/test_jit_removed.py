"""What is left of an encode for a viewer when its video is deleted under it."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import delete, update
from structlog.testing import capture_logs

from telecine import clock
from telecine.domains.encodings import queries
from telecine.domains.encodings.models import Asset
from telecine.domains.videos.models import Video
from telecine.pipeline import encode
from tests.fixtures.waiting import PATIENCE_S
from tests.integration.domains.encodings.cinema import Cinema, refused

pytestmark = pytest.mark.anyio


async def test_an_encode_whose_video_is_deleted_ends_quietly(
    cinema: Cinema, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It finds nothing to read any more; that is no failure, and nobody tries again."""
    begun, deleted, tries = asyncio.Event(), asyncio.Event(), 0
    real = encode.encode_chunk

    async def later(*arguments: Any, **options: Any) -> Any:
        nonlocal tries
        tries += 1
        begun.set()
        await deleted.wait()
        return await real(*arguments, **options)

    monkeypatch.setattr(encode, "encode_chunk", later)
    with capture_logs() as told:
        async with asyncio.TaskGroup() as group:
            group.create_task(refused(cinema.segment(1)))
            async with asyncio.timeout(PATIENCE_S):
                await begun.wait()
            folder = cinema.asset.prefix.rsplit("/", 2)[0] + "/"
            async with cinema.bench.db.transaction() as tx:
                of = Video.public_id == cinema.video_id
                await tx.execute(update(Video).where(of).values(deleted_at=clock.now()))
            await cinema.bench.store.delete_prefix(folder)
            deleted.set()
    assert tries == 1
    ends = [each for each in told if each["event"] == "video removed"]
    assert [(each["log_level"], each["video"], each["n"]) for each in ends] == [
        ("info", cinema.video_id, 1)
    ]
    assert [each for each in told if each["log_level"] not in ("debug", "info")] == []


async def test_a_video_is_removed_from_its_mark_on(cinema: Cinema) -> None:
    db = cinema.bench.db
    async with db.transaction() as tx:
        asset = await tx.get(Asset, cinema.asset.id)
        assert asset is not None
        video_id = asset.video_id
        assert not await queries.is_removed(tx, video_id)
        await tx.execute(update(Video).values(deleted_at=clock.now()))
        assert await queries.is_removed(tx, video_id)
        await tx.execute(delete(Video))
        assert await queries.is_removed(tx, video_id)
