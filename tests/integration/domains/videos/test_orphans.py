"""Objects without rows. `now` is passed in: objects are of today, sweeps come later."""

import uuid
from datetime import datetime, timedelta

import numpy as np
import pytest
from sqlalchemy import update

from telecine import clock, ids
from telecine.db.engine import Database
from telecine.domains.encodings import objects
from telecine.domains.encodings.models import Asset, AssetState, Rendition, RenditionState, Run
from telecine.domains.encodings.operations import AssetOptions, VideoRef, make_asset
from telecine.domains.sources import operations as sources
from telecine.domains.sources.models import Mode, Part, Source
from telecine.domains.videos.models import Video
from telecine.domains.videos.operations import create_video, reference, remove
from telecine.domains.videos.orphans import Orphans
from telecine.formats.mp4.fragment import Samples, moof, read_moof
from telecine.pipeline.stored_index import StoredIndex, StoredPiece
from telecine.processes.fsck import compared
from telecine.storage.extents import Extent
from telecine.storage.store import Store
from tests.fixtures.application import make_project

pytestmark = pytest.mark.anyio

HOUR = timedelta(hours=1)

ONE = np.ones(1, np.int64)
FRAME = Samples(sizes=ONE, durations=ONE, composition_offsets=0 * ONE, keyframes=ONE == 1)
MOOF = moof(1, 0, FRAME, video=True)
"""The only piece of a rendition; its one frame is not of interest."""


class House:
    """A project in a store, and the sweep that goes through it."""

    def __init__(self, db: Database, store: Store, project_id: uuid.UUID) -> None:
        self.db = db
        self.store = store
        self.project_id = project_id
        self.orphans = Orphans(db, store, HOUR)
        self.now = clock.now() + 2 * HOUR

    async def new_video(self) -> VideoRef:
        async with self.db.transaction() as tx:
            row = await create_video(tx, self.project_id, {"title": "t"})
        return reference(row, self.project_id)

    async def planned(self, video: VideoRef) -> Asset:
        """Give a video a complete source and an asset with all its objects."""
        async with self.db.transaction() as tx:
            source = await sources.open_source(tx, video.owner, "a.mp4")
            claim = await sources.claim(tx, source, Mode.WHOLE, 1)
            await self.put(claim.own_key)
            await sources.store(tx, source, claim, [Extent(claim.own_key, 1)])
            asset = await make_asset(tx, video, source, AssetOptions())
            asset.state = AssetState.PLANNED
            asset.still_key = objects.still_key(asset.prefix)
        await self.put(
            objects.plan_key(asset.prefix),
            objects.probe_key(asset.prefix),
            objects.samples_key(asset.prefix),
            objects.passthrough_key(asset.prefix, "audio"),
            asset.still_key or "",
        )
        return asset

    async def rendition(self, asset: Asset, encoded_at: datetime | None = None) -> str:
        """Store a run of a rendition; return its key. `encoded_at`: it has an index."""
        row = Rendition(
            id=ids.row_key(),
            project_id=asset.project_id,
            asset_id=asset.id,
            name="240p",
            passthrough=False,
            state=RenditionState.ENCODING,
            pieces=1,
        )
        key = objects.run_key(asset.prefix, row.name, 0)
        await self.store.put(key, MOOF)
        async with self.db.transaction() as tx:
            tx.add(row)
            if encoded_at is None:
                await tx.flush()
                tx.add(
                    Run(
                        project_id=asset.project_id,
                        asset_id=asset.id,
                        rendition_id=row.id,
                        first_piece=0,
                        object_key=key,
                        offsets=[0, len(MOOF)],
                    )
                )
                return key
            row.state, row.encoded_at = RenditionState.ENCODED, encoded_at
            row.index_key = objects.index_key(asset.prefix, row.name)
            index = StoredIndex.build(120_000, [StoredPiece(key, 0, len(MOOF), read_moof(MOOF))])
            await self.store.put(row.index_key, index.to_bytes())
        return key

    async def put(self, *keys: str) -> None:
        for key in keys:
            await self.store.put(key, b"x")

    async def keys(self) -> set[str]:
        return {entry.key async for entry in self.store.list("")}

    async def sweep(self) -> set[str]:
        """Look twice; return what is gone."""
        before = await self.keys()
        assert await self.orphans.sweep(self.now) == 0
        assert await self.keys() == before
        deleted = await self.orphans.sweep(self.now)
        gone = before - await self.keys()
        assert deleted == len(gone)
        return gone


@pytest.fixture
async def house(db: Database, store: Store) -> House:
    return House(db, store, (await make_project(db)).production_id)


def lost_below(asset: Asset) -> set[str]:
    return {
        objects.run_key(asset.prefix, "240p", 0),
        objects.index_key(asset.prefix, "240p"),
        objects.still_key(asset.prefix),
    }


async def test_what_rows_name_stays_and_what_they_do_not_goes(house: House) -> None:
    video = await house.new_video()
    asset = await house.planned(video)
    await house.rendition(asset)
    thumbnail = f"{video.prefix}thumbnail/{ids.nonce()}.jpg"
    await house.put(thumbnail)
    async with house.db.transaction() as tx:
        changed = update(Video).where(Video.id == video.id)
        await tx.execute(changed.values(thumbnail_key=thumbnail))
    lost = {
        f"{video.prefix}thumbnail/{ids.nonce()}.jpg",
        f"{video.prefix}source/{ids.nonce()}",
        f"{video.prefix}source/{ids.nonce()}-0",
        *lost_below(asset),
    }
    assert await house.sweep() == set()
    await house.put(*lost)
    assert await house.sweep() == lost


async def test_young_objects_are_left_alone(house: House) -> None:
    video = await house.new_video()
    await house.put(f"{video.prefix}source/{ids.nonce()}")
    house.now = clock.now() + HOUR - timedelta(minutes=1)
    assert await house.sweep() == set()
    house.now += timedelta(minutes=2)
    assert len(await house.sweep()) == 1


async def test_what_gets_its_row_between_two_looks_stays(house: House) -> None:
    """A store may tell when a long upload began, so its object looks old at once."""
    video = await house.new_video()
    key = f"{video.prefix}source/{ids.nonce()}"
    await house.put(key)
    assert await house.orphans.sweep(house.now) == 0
    async with house.db.transaction() as tx:
        source = await sources.open_source(tx, video.owner, "a.mp4")
        claim = await sources.claim(tx, source, Mode.WHOLE, 1)
        await sources.store(tx, source, claim, [Extent(key, 1)])
    assert await house.orphans.sweep(house.now) == 0
    assert await house.keys() == {key}


async def test_a_file_that_arrives_keeps_all_its_objects(house: House) -> None:
    video = await house.new_video()
    async with house.db.transaction() as tx:
        source = await sources.open_source(tx, video.owner, "a.mp4")
        stored = await sources.claim(tx, source, Mode.PARTS, 1)
        extents = [Extent(stored.own_key, 1)]
        await sources.store(tx, source, stored, extents, total=3)
        claim = await sources.claim(tx, source, Mode.PARTS, 2)
    copies = [f"{source.key}-{number}" for number in range(2)]
    await house.put(source.key, stored.own_key, claim.own_key, *copies)
    assert await house.sweep() == set()
    async with house.db.transaction() as tx:
        changed = update(Source).where(Source.id == source.id)
        await tx.execute(
            changed.values(completed_at=clock.now(), extents=[each.as_json() for each in extents])
        )
        await tx.delete(await tx.get_one(Part, claim.id))
    assert await house.sweep() == {source.key, claim.own_key, *copies}


async def test_the_index_of_a_finished_quality_counts_as_rows(house: House) -> None:
    asset = await house.planned(await house.new_video())
    run = await house.rendition(asset, encoded_at=house.now - HOUR)
    lost = lost_below(asset)
    await house.put(*lost)
    assert await house.sweep() == lost
    assert run in await house.keys()


async def test_without_its_index_nothing_of_a_quality_is_judged(house: House) -> None:
    asset = await house.planned(await house.new_video())
    await house.rendition(asset, encoded_at=house.now - HOUR)
    (index,) = [key for key in await house.keys() if "/index-" in key]
    await house.store.delete([index])
    await house.put(*lost_below(asset))
    assert await house.sweep() == set()


async def test_assets_that_were_finished_long_ago_are_not_read_again(house: House) -> None:
    asset = await house.planned(await house.new_video())
    await house.rendition(asset, encoded_at=house.now - timedelta(days=3))
    await house.put(*lost_below(asset))
    assert await house.sweep() == set()


async def test_a_folder_of_an_epoch_without_a_row_goes(house: House) -> None:
    video = await house.new_video()
    await house.planned(video)
    lost = objects.still_key(f"{video.prefix}7/")
    await house.put(lost)
    assert await house.sweep() == {lost}


async def test_everything_of_a_video_that_is_gone_goes(house: House) -> None:
    """Whoever was at work when it was removed has written again."""
    prefix = f"{house.project_id}/{ids.public_id('vi')}/"
    lost = {f"{prefix}1/plan.json", f"{prefix}source/{ids.nonce()}", f"{prefix}anything"}
    await house.put(*lost)
    assert await house.sweep() == lost


async def test_a_file_may_lie_below_a_video_that_never_was(house: House) -> None:
    nobodys = f"{house.project_id}/{ids.public_id('vi')}/source/{ids.nonce()}"
    await house.put(nobodys)
    video = await house.new_video()
    async with house.db.transaction() as tx:
        source = await sources.open_source(tx, video.owner, "a.mp4")
        claim = await sources.claim(tx, source, Mode.PARTS, 2)
        await sources.store(tx, source, claim, [Extent(nobodys, 1)], total=2)
    assert await house.sweep() == set()


async def test_what_is_being_removed_is_left_to_its_job(house: House) -> None:
    video = await house.new_video()
    await house.planned(video)
    await house.put(f"{video.prefix}source/{ids.nonce()}")
    async with house.db.transaction() as tx:
        row = await create_video(tx, house.project_id, {"title": "t"})
        await remove(tx, house.project_id, row._replace(id=video.id))
    assert await house.sweep() == set()


async def test_what_is_not_known_here_is_left_alone(house: House) -> None:
    """Kinds of objects that a newer release has, other projects, other installations."""
    video = await house.new_video()
    asset = await house.planned(video)
    await house.put(
        f"{video.prefix}captions/{ids.nonce()}.vtt",
        f"{asset.prefix}waveform-{ids.nonce()}.png",
        f"{house.project_id}/watermarks/{ids.nonce()}.png",
        f"{house.project_id}/file",
        f"{uuid.uuid4()}/{ids.public_id('vi')}/source/{ids.nonce()}",
        "doctor/0123456789ab",
    )
    assert await house.sweep() == set()


async def test_two_workers_may_sweep_at_once(house: House) -> None:
    video = await house.new_video()
    await house.put(*(f"{video.prefix}source/{ids.nonce()}" for _ in range(3)))
    other = Orphans(house.db, house.store, HOUR)
    for orphans in (house.orphans, other):
        assert await orphans.sweep(house.now) == 0
    assert await house.orphans.sweep(house.now) == 3
    assert await other.sweep(house.now) == 0
    assert await house.keys() == set()


async def test_the_doctor_knows_what_sweeps_will_remove(house: House) -> None:
    """A job that was killed between an object and its row leaves what is no fault."""
    video = await house.new_video()
    asset = await house.planned(video)
    long_ago = clock.now() - timedelta(days=3)
    await house.rendition(asset, encoded_at=clock.now())
    pictures = {objects.still_key(asset.prefix), objects.storyboard_key(asset.prefix)}
    await house.put(*pictures)
    report = await compared(house.db, house.store)
    assert (report.problems, report.unsettled) == ([], 2)
    stray = objects.run_key(asset.prefix, "240p", 0)  # the end of the ladder looked for those
    await house.put(stray)
    assert [each.key for each in (await compared(house.db, house.store)).problems] == [stray]
    async with house.db.transaction() as tx:
        await tx.execute(update(Rendition).values(encoded_at=long_ago))
    found = {each.key for each in (await compared(house.db, house.store)).problems}
    assert found == {stray, *pictures}
