"""Uploads that nobody goes on with; `NOW` is passed in, objects and rows are of today."""

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import select, text

from telecine import clock, ids
from telecine.db.engine import Database
from telecine.domains.encodings.models import Asset
from telecine.domains.encodings.operations import AssetOptions, VideoRef, forsake, source_begins
from telecine.domains.sources import operations, sweeps
from telecine.domains.sources.models import Mode, Owner, Part, Source
from telecine.domains.videos.models import Video
from telecine.domains.videos.operations import create_video
from telecine.storage.extents import Extent
from telecine.storage.store import Store
from tests.fixtures.application import make_project

pytestmark = pytest.mark.anyio

LATER = clock.now() + timedelta(days=1)
"""Everything that a test does is before it."""

EARLIER = clock.now() - timedelta(days=1)


async def new_owner(db: Database, project_id: UUID | None = None) -> Owner:
    project_id = project_id or (await make_project(db)).production_id
    async with db.transaction() as tx:
        row = await create_video(tx, project_id, {"title": "t"})
    return Owner(project_id, row.id, f"{project_id}/{row.public_id}/")


async def upload(
    db: Database, store: Store, owner: Owner, *numbers: int, total: int, claimed: int | None = None
) -> Source:
    """Store parts of 4 bytes of an upload, each as an object of its own; claim one more."""
    async with db.transaction() as tx:
        source = await operations.open_source(tx, owner, "a.mp4")
        for number in numbers:
            claim = await operations.claim(tx, source, Mode.PARTS, number)
            await store.put(claim.own_key, b"part")
            stored = [Extent(claim.own_key, 4)]
            await operations.store(tx, source, claim, stored, total=total, last=number == total)
        if claimed is not None:
            left = await operations.claim(tx, source, Mode.PARTS, claimed)
            await store.put(left.own_key, b"left")
    return source


async def keys(store: Store) -> set[str]:
    return {entry.key async for entry in store.list("")}


async def rows(db: Database) -> tuple[int, int, int]:
    async with db.transaction() as tx:
        counts = [len((await tx.scalars(select(kind))).all()) for kind in (Video, Source, Part)]
    return counts[0], counts[1], counts[2]


async def test_an_abandoned_upload_is_dropped_and_its_video_stays(
    db: Database, store: Store
) -> None:
    await upload(db, store, await new_owner(db), 1, 3, total=3, claimed=2)
    await store.put("untouched/vi1/source/0123456789ab", b"other")
    assert await sweeps.drop_abandoned(db, store, EARLIER, forsake) == 0
    assert await rows(db) == (1, 1, 3)
    assert await sweeps.drop_abandoned(db, store, LATER, forsake) == 1
    assert await rows(db) == (1, 0, 0)
    assert await keys(store) == {"untouched/vi1/source/0123456789ab"}
    assert await sweeps.drop_abandoned(db, store, LATER, forsake) == 0


async def test_what_was_played_of_it_goes_with_an_abandoned_upload(
    db: Database, store: Store
) -> None:
    owner = await new_owner(db)
    source = await upload(db, store, owner, 1, total=2)
    async with db.transaction() as tx:
        video = VideoRef(source.video_id or UUID(int=0), owner.project_id, "vi1")
        await source_begins(tx, video, source, AssetOptions())
        asset = (await tx.scalars(select(Asset))).one()
    await store.put(f"{asset.prefix}240p/000000-0123456789ab.run", b"piece")
    assert await sweeps.drop_abandoned(db, store, LATER, forsake) == 1
    assert await keys(store) == set()
    async with db.transaction() as tx:
        assert (await tx.scalars(select(Asset))).all() == []
        left = await tx.scalar(
            text("SELECT count(*) FROM procrastinate_jobs WHERE status = 'todo'")
        )
        assert left == 0
        # The next upload's URLs are new ones.
        owner_row = VideoRef(video.id, owner.project_id, "vi1")
        source = await operations.open_source(tx, owner, "b.mp4")
        await source_begins(tx, owner_row, source, AssetOptions())
        assert (await tx.scalars(select(Asset))).one().epoch == 2


async def test_a_complete_source_is_never_dropped(db: Database, store: Store) -> None:
    await upload(db, store, await new_owner(db), 1, 2, total=2)
    assert await sweeps.drop_abandoned(db, store, LATER + timedelta(days=9999), forsake) == 0
    assert len(await keys(store)) == 2


async def test_an_upload_that_somebody_continues_is_not_abandoned(
    db: Database, store: Store
) -> None:
    """Its last stored part is old, but a part is on its way."""
    source = await upload(db, store, await new_owner(db), 1, total=3, claimed=2)
    async with db.transaction() as tx:
        (await tx.get_one(Source, source.id)).updated_at = EARLIER
    between = EARLIER + timedelta(hours=1)
    assert await sweeps.drop_abandoned(db, store, between, forsake) == 0
    assert len(await keys(store)) == 2


async def test_an_upload_at_work_is_left_to_the_next_sweep(db: Database, store: Store) -> None:
    source = await upload(db, store, await new_owner(db), 1, total=3)
    async with db.transaction() as tx:
        await tx.scalar(select(Source).where(Source.id == source.id).with_for_update())
        assert await sweeps.drop_abandoned(db, store, LATER, forsake) == 0
    assert await sweeps.drop_abandoned(db, store, LATER, forsake) == 1


async def test_many_workers_drop_each_upload_once(
    db: Database, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeps, "_BATCH", 2)
    owner = await new_owner(db)
    for _ in range(5):
        await upload(db, store, await new_owner(db, owner.project_id), 1, total=2)
    dropped = await asyncio.gather(
        *(sweeps.drop_abandoned(db, store, LATER, forsake) for _ in range(3))
    )
    assert sum(dropped) == 5
    assert await keys(store) == set()


async def test_what_another_file_consists_of_is_kept(db: Database, store: Store) -> None:
    """The object of a part may have become that of another file."""
    owner = await new_owner(db)
    left = await upload(db, store, owner, 1, 2, total=3)
    other = await new_owner(db, owner.project_id)
    async with db.transaction() as tx:
        (used, *_) = (await tx.scalars(select(Part.own_key).where(Part.number == 2))).all()
        whole = await operations.open_source(tx, other, "a.mp4")
        claim = await operations.claim(tx, whole, Mode.WHOLE, 1)
        assert await operations.store(tx, whole, claim, [Extent(used, 4)])
    assert await sweeps.drop_abandoned(db, store, LATER, forsake) == 1
    assert await keys(store) == {used}
    async with db.transaction() as tx:
        assert await tx.get(Source, left.id) is None
        assert await tx.get(Source, whole.id) is not None


async def test_parts_of_a_concatenation_are_left_to_their_own_end(
    db: Database, store: Store
) -> None:
    owner = await new_owner(db)
    pieces = Owner(owner.project_id, None, f"{owner.project_id}/{ids.public_id('up')}/")
    await upload(db, store, pieces, 1, total=1)
    await upload(db, store, pieces, 1, total=2)
    assert await sweeps.drop_abandoned(db, store, LATER, forsake) == 0
    assert len(await keys(store)) == 2


async def test_claims_on_a_complete_source_go_with_their_objects(
    db: Database, store: Store
) -> None:
    await upload(db, store, await new_owner(db), 1, 2, total=2, claimed=2)
    assert len(await keys(store)) == 3
    assert await sweeps.drop_claims(db, store, EARLIER) == 0
    assert await sweeps.drop_claims(db, store, LATER) == 1
    assert await sweeps.drop_claims(db, store, LATER) == 0
    assert len(await keys(store)) == 2
    assert await rows(db) == (1, 1, 2)


async def test_claims_on_a_file_that_arrives_keep_their_place(db: Database, store: Store) -> None:
    await upload(db, store, await new_owner(db), 1, total=3, claimed=2)
    assert await sweeps.drop_claims(db, store, LATER) == 0
    assert len(await keys(store)) == 2
