"""What is beside the ladder: when it is asked for, and who hears of it."""

from dataclasses import replace
from uuid import UUID

import pytest
from sqlalchemy import select, text

from telecine.db.engine import Database
from telecine.domains.encodings import operations, queries, recording, schedule
from telecine.domains.encodings.models import Asset, Rendition, RenditionState
from telecine.domains.webhooks.models import Event
from telecine.pipeline.model import Plan
from tests.integration.domains.encodings.test_recording import make_plan, new_asset, quality

pytestmark = pytest.mark.anyio

NAMES = ("240p-hevc", "240p-av1")


def planned() -> Plan:
    extra = tuple(
        replace(quality(name), codec=name.partition("-")[2], codecs="other") for name in NAMES
    )
    return replace(make_plan(quality("240p"), audio_copied=False), extra=extra)


async def jobs(db: Database) -> list[tuple[str, str | None]]:
    """Return the kind of each waiting job, and its codec; they are forgotten then."""
    query = "DELETE FROM procrastinate_jobs RETURNING id, task_name, args->>'codec'"
    async with db.transaction() as tx:
        found = sorted((await tx.execute(text(query))).all())
    return [(name.partition(".")[2], codec) for _, name, codec in found]


async def events(db: Database) -> list[tuple[str, object]]:
    async with db.transaction() as tx:
        found = await tx.scalars(select(Event).order_by(Event.id))
        return [(event.type, event.payload.get("quality")) for event in found]


async def rows_of(db: Database, asset: Asset) -> dict[str, Rendition]:
    async with db.transaction() as tx:
        return {row.name: row for row in await queries.renditions_of(tx, asset.id)}


async def finish(db: Database, asset: Asset, rendition_id: UUID) -> None:
    async with db.transaction() as tx:
        assert await recording.record_finished(tx, asset.id, rendition_id, "index", (2, 1))


async def test_they_are_asked_for_when_the_ladder_is_complete(db: Database) -> None:
    asset = await new_asset(db)
    async with db.transaction() as tx:
        await recording.record_plan(tx, asset.id, planned(), 1, {}, {}, 8.0)
    rows = await rows_of(db, asset)
    assert set(rows) == {"240p", "audio", *NAMES}
    assert not [kind for kind, _ in await jobs(db) if kind == "EncodeExtra"]
    await finish(db, asset, rows["240p"].id)
    assert not [kind for kind, _ in await jobs(db) if kind == "EncodeExtra"]
    await finish(db, asset, rows["audio"].id)
    found = await jobs(db)
    # Two chunks of each; the report does not wait for them, the sweep does.
    assert [codec for kind, codec in found if kind == "EncodeExtra"] == ["av1", "hevc"] * 2
    assert "CheckAsset" in {kind for kind, _ in found}
    assert "SweepAsset" not in {kind for kind, _ in found}
    before = await events(db)
    async with db.transaction() as tx:
        status = await queries.status(tx, asset.video_id, mp4_support=True)
    assert [(each.type, each.name, each.state) for each in status.qualities] == [
        ("hls", "240p", "encoded"),
        ("mp4", "240p", "encoded"),
    ]
    for name in NAMES:
        await finish(db, asset, rows[name].id)
    assert await events(db) == before
    assert {kind for kind, _ in await jobs(db)} == {"CheckAsset", "SweepAsset"}


async def test_one_that_fails_is_no_event_and_can_be_tried_again(db: Database) -> None:
    asset = await new_asset(db)
    async with db.transaction() as tx:
        await recording.record_plan(tx, asset.id, planned(), 1, {}, {}, 8.0)
    rows = await rows_of(db, asset)
    await finish(db, asset, rows["240p"].id)
    await finish(db, asset, rows["audio"].id)
    before = await events(db)
    async with db.transaction() as tx:
        await recording.fail_renditions(tx, asset.id, {"240p-av1"}, "stalled: x")
    assert await events(db) == before
    states = {name: row.state for name, row in (await rows_of(db, asset)).items()}
    assert states["240p-av1"] == RenditionState.FAILED
    assert states["240p"] == RenditionState.ENCODED
    await jobs(db)
    async with db.transaction() as tx:
        await operations.retry(tx, asset)
    async with db.transaction() as tx:
        found = await queries.renditions_of(tx, asset.id)
        await schedule.enqueue_missing(tx, asset.id, found, 1)
    kinds = await jobs(db)
    assert {codec for kind, codec in kinds if kind == "EncodeExtra"} == {"av1", "hevc"}
