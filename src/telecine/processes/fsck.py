"""Compares the database's rows with the store's objects, both ways."""

import enum
import os
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field

from sqlalchemy import select

from telecine import clock
from telecine.db.engine import Database, Transaction
from telecine.domains.captions.models import Caption
from telecine.domains.chapters.models import Chapter
from telecine.domains.encodings import objects
from telecine.domains.encodings.models import (
    Asset,
    AssetState,
    Rendition,
    RenditionState,
    Run,
)
from telecine.domains.live_streams.events import RECORDINGS
from telecine.domains.live_streams.models import LiveStream
from telecine.domains.sources.models import Source
from telecine.domains.uploads.models import TusUpload
from telecine.domains.videos.models import Video
from telecine.domains.videos.orphans import is_settled
from telecine.domains.watermarks.models import Watermark
from telecine.pipeline.stored_index import StoredIndex
from telecine.processes.checks import database_url
from telecine.processes.database import EmbeddedServer
from telecine.processes.exits import CannotGoOn, Exit
from telecine.processes.folder import DataFolder
from telecine.settings import Settings
from telecine.storage.open import open_store
from telecine.storage.store import ObjectMissing, Store


class Kind(enum.StrEnum):
    """What is wrong with an object."""

    MISSING = "missing"  # a row names it, the store does not have it
    SHORT = "short"  # it has fewer bytes than its row says
    UNKNOWN = "unknown"  # nobody names it, and nothing will remove it


@dataclass(frozen=True, slots=True)
class Problem:
    """One object on which rows and store disagree; `owner` names the row or video."""

    kind: Kind
    key: str
    owner: str


@dataclass(slots=True)
class Report:
    """What the comparison found. `unsettled`: objects that work in progress may own."""

    objects: int = 0
    references: int = 0
    unsettled: int = 0
    problems: list[Problem] = field(default_factory=list)


@dataclass(slots=True)
class _Expected:
    """What the rows say. `sizes`: bytes that each named object has at least."""

    sizes: dict[str, int] = field(default_factory=dict)
    owners: dict[str, str] = field(default_factory=dict)
    optional: set[str] = field(default_factory=set)
    indexes: dict[str, str] = field(default_factory=dict)
    unsettled: list[str] = field(default_factory=list)

    def need(self, key: str | None, owner: str, size_bytes: int = 0) -> None:
        if key is not None:
            self.sizes[key] = max(size_bytes, self.sizes.get(key, 0))
            self.owners[key] = owner


async def compare(settings: Settings) -> Report:
    """Compare everything; starts the embedded database if it does not run.

    Raises:
        CannotGoOn: the database cannot be reached or started.
    """
    async with opened_database(settings) as db:
        return await compared(db, open_store(settings.storage, os.environ))


@asynccontextmanager
async def opened_database(settings: Settings) -> AsyncIterator[Database]:
    """Open the database of an installation; starts the embedded one if it does not run.

    Raises:
        CannotGoOn: it cannot be reached or started.
    """
    with ExitStack() as stack:
        url, server = database_url(settings), None
        if url is None:
            folder = DataFolder(settings.data)
            if not (folder.path / "postgres").exists():
                msg = f"There is no database in {folder.path}: nothing was ever started on it."
                raise CannotGoOn(Exit.DATABASE_FAILED, msg)
            stack.enter_context(folder.claimed())
            server = EmbeddedServer(folder.path)
            url = await server.start()
        db = Database(url)
        try:
            yield db
        finally:
            await db.close()
            if server is not None:
                await server.stop()


async def compared(db: Database, store: Store) -> Report:
    """Compare the rows of a database with the objects of a store."""
    # The store first: an object that is written and recorded meanwhile is then
    # named by a row without being listed, which a second look at it settles.
    stored = {entry.key: entry async for entry in store.list("")}
    async with db.transaction() as tx:
        expected = await _expected(tx)
    report = Report(objects=len(stored))
    for key, owner in expected.indexes.items():
        try:
            index = StoredIndex.from_bytes(await store.read(key))
        except ObjectMissing:
            continue  # reported below: the row names it
        for each in index.keys:
            expected.need(each, owner)
    report.references = len(expected.sizes)
    for key, size_bytes in sorted(expected.sizes.items()):
        found = stored.get(key)
        held_bytes = found.size_bytes if found else await store.size(key)
        if held_bytes is None:
            report.problems.append(Problem(Kind.MISSING, key, expected.owners[key]))
        elif held_bytes < size_bytes:
            report.problems.append(Problem(Kind.SHORT, key, expected.owners[key]))
    for key in stored.keys() - expected.sizes.keys() - expected.optional:
        if key.startswith(tuple(expected.unsettled)):
            report.unsettled += 1
        elif await store.size(key) is not None:  # else it was deleted while we looked
            report.problems.append(Problem(Kind.UNKNOWN, key, "no row"))
    return report


async def _expect_texts(tx: Transaction, expected: _Expected) -> None:
    alive = select(Video.id).where(Video.deleted_at.is_(None))
    captions = await tx.scalars(select(Caption).where(Caption.video_id.in_(alive)))
    chapters = await tx.scalars(select(Chapter).where(Chapter.video_id.in_(alive)))
    for track in (*captions, *chapters):
        expected.need(track.key, f"text in {track.language}", track.size_bytes)


async def _expected(tx: Transaction) -> _Expected:
    expected = _Expected(unsettled=[RECORDINGS])  # files that grow, and are deleted later
    for video in await tx.scalars(select(Video)):
        if video.deleted_at is not None:
            # Its removal is a job that comes or is at work.
            expected.unsettled.append(f"{video.project_id}/{video.public_id}/")
        elif video.thumbnail_key is not None:
            expected.need(video.thumbnail_key, video.public_id)
    pictured = select(LiveStream).where(LiveStream.thumbnail_key.is_not(None))
    for stream in await tx.scalars(pictured):
        expected.need(stream.thumbnail_key, stream.public_id)
    alive = select(Video.id).where(Video.deleted_at.is_(None))
    await _expect_texts(tx, expected)
    for source in await tx.scalars(select(Source).where(Source.video_id.in_(alive))):
        for extent in source.extents:
            end = int(extent["offset"]) + int(extent["size"])
            expected.need(extent["key"], f"source {source.id}", end)
        if source.completed_at is None:
            expected.unsettled.append(f"{source.prefix}source/")
    for part in await tx.scalars(select(TusUpload).where(TusUpload.video_id.is_(None))):
        # Its objects go before its row does, an hour after a concatenation.
        expected.unsettled.append(f"{part.project_id}/{part.public_id}/")
    for watermark in await tx.scalars(select(Watermark)):
        if watermark.stored_at is not None and watermark.deleted_at is None:
            expected.need(watermark.key, watermark.public_id)
        expected.optional.add(watermark.key)  # a sweep removes those that nobody uses
    for asset in await tx.scalars(select(Asset).where(Asset.video_id.in_(alive))):
        await _expect_asset(tx, asset, expected)
    return expected


async def _expect_asset(tx: Transaction, asset: Asset, expected: _Expected) -> None:
    owner = asset.public_id
    if asset.state == AssetState.PLANNED:
        expected.need(objects.plan_key(asset.prefix, asset.revision), owner)
        expected.need(objects.probe_key(asset.prefix, asset.revision), owner)
    expected.optional.add(objects.samples_key(asset.prefix, asset.revision))
    for kind in ("video", "audio"):
        expected.optional.add(objects.passthrough_key(asset.prefix, kind, asset.revision))
    expected.need(asset.still_key, owner)
    expected.need(asset.storyboard_key, owner, (asset.storyboard_offsets or [0])[-1])
    rows = (await tx.scalars(select(Rendition).where(Rendition.asset_id == asset.id))).all()
    for row in rows:
        expected.need(row.index_key, owner)
        if row.index_key is not None:
            expected.indexes[row.index_key] = owner
    for run in await tx.scalars(select(Run).where(Run.asset_id == asset.id)):
        expected.need(run.object_key, owner, run.offsets[-1])
    if not rows or any(row.state != RenditionState.ENCODED for row in rows):
        # Losers of races lie here until the last rendition is done and swept.
        expected.unsettled.append(asset.prefix)
    elif not is_settled(rows, clock.now()):
        # Whose job was killed between the object and its row: a later sweep finds it.
        expected.unsettled += [f"{asset.prefix}{kind}-" for kind in ("still", "storyboard")]
