"""Objects that no row names: what killed processes and losers of races left in the store.

The rows decide, and only on what is known here: objects of a kind that is not listed
below are left alone, and so are the folders of projects that the database does not know.
Nothing young is touched, because objects are written before their rows; and an object
must be found without a row in two rounds, because a store may tell the time at which a
long upload began as that of the object.
"""

import re
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy import Select, Text, Uuid, func, select, union_all
from sqlalchemy.sql import column, table

from telecine.db.engine import Database, Transaction
from telecine.domains.accounts.models import Project
from telecine.domains.encodings import queries as media
from telecine.domains.encodings.models import Asset, Rendition, RenditionState, Run
from telecine.domains.sources.models import Part, Source
from telecine.domains.sources.sweeps import referenced
from telecine.domains.videos.models import Video
from telecine.pipeline.stored_index import StoredIndex
from telecine.storage.store import Entry, ObjectMissing, Store

log = structlog.get_logger()

_VIDEO = re.compile(r"vi[0-9A-Za-z]{22}")
_UPLOADED = re.compile(
    r"source/[0-9a-f]{12}(?:-\d+)?|thumbnail/[0-9a-f]{12}\.jpg|text/[0-9a-f]{12}\.vtt"
)
_ENCODED = re.compile(
    r"(?P<epoch>\d+)/(?:still-[0-9a-f]{12}\.jpg|storyboard-[0-9a-f]{12}\.bin"
    r"|[^/]+/(?:\d{6}-[0-9a-f]{12}\.run|index-[0-9a-f]{12}\.bin))"
)
# The rows belong to domains above this one; here only the names of their objects matter.
_TEXT_TRACKS = [
    table(name, column("video_id", Uuid()), column("key", Text()))
    for name in ("caption", "chapter")
]
_SETTLED_AFTER = timedelta(days=2)
"""So long after its last rendition an asset has no writers, and was looked at often."""


@dataclass(slots=True)
class _Folder:
    """The old objects below `<project>/<name>/`, by what follows."""

    project_id: UUID
    name: str
    objects: dict[str, str] = field(default_factory=dict)  # the rest of the key: the key


@dataclass(slots=True)
class _Named:
    """What the rows of a video name. `writable`: epochs whose objects may be judged."""

    exists: bool = False
    deleted: bool = False
    keys: set[str] = field(default_factory=set)
    epochs: set[int] = field(default_factory=set)
    writable: set[int] = field(default_factory=set)


class Orphans:
    """Sweeps objects that are older than `age` and that no row names."""

    def __init__(self, db: Database, store: Store, age: timedelta) -> None:
        self._db = db
        self._store = store
        self._age = age
        self._suspects: frozenset[str] = frozenset()

    async def sweep(self, now: datetime) -> int:
        """Go through the store once; return how many objects were deleted."""
        async with self._db.transaction() as tx:
            projects = (await tx.scalars(select(Project.id).order_by(Project.id))).all()
        suspects: set[str] = set()
        deleted = 0
        for project_id in projects:
            async for folder in self._folders(project_id, now - self._age):
                unnamed = await self._unnamed(folder, now)
                again = unnamed & self._suspects
                suspects |= unnamed - again
                await self._store.delete(sorted(again))
                for key in sorted(again):
                    log.info("object without a row deleted", key=key)
                deleted += len(again)
        self._suspects = frozenset(suspects)
        return deleted

    async def _folders(self, project_id: UUID, before: datetime) -> AsyncIterator[_Folder]:
        """Yield the folders of a project that have objects from `before`."""
        folder = _Folder(project_id, "")
        async for entry in self._store.list(f"{project_id}/"):
            name, _, rest = entry.key.removeprefix(f"{project_id}/").partition("/")
            if name != folder.name:
                if folder.objects:
                    yield folder
                folder = _Folder(project_id, name)
            if _is_old(entry, before):
                folder.objects[rest] = entry.key
        if folder.objects:
            yield folder

    async def _unnamed(self, folder: _Folder, now: datetime) -> set[str]:
        """Return the keys of a folder that no row names; rows are read after the listing."""
        async with self._db.transaction() as tx:
            named = await _named(tx, folder, now)
            if named.deleted:
                return set()  # its removal is a job
            found = {
                key
                for rest, key in folder.objects.items()
                if named.keys.isdisjoint(_own_names(key))
                and _is_known_kind(rest, folder.name, named)
            }
            # What was uploaded may belong to a video with another folder.
            found -= await referenced(tx, folder.project_id, found)
            indexes = await _indexes(tx, folder, named) if found else []
        for index_key in indexes:
            try:
                found -= set(StoredIndex.from_bytes(await self._store.read(index_key)).keys)
            except ObjectMissing:
                log.exception("index missing", key=index_key)
                return set()
        return found


def _own_names(key: str) -> set[str]:
    """Return the names under which rows may know an object.

    A copy of a source that lies in several objects is numbered while it is made.
    """
    return {key, re.sub(r"(?<=/source/[0-9a-f]{12})-\d+$", "", key)}


def _is_old(entry: Entry, before: datetime) -> bool:
    return entry.modified_at < before


def _is_known_kind(rest: str, folder: str, named: _Named) -> bool:
    """Tell whether an object without a name in the rows is one that they would name."""
    if not named.exists:
        return _VIDEO.fullmatch(folder) is not None
    if _UPLOADED.fullmatch(rest):
        return True
    encoded = _ENCODED.fullmatch(rest)
    if encoded is None:
        return False
    epoch = int(encoded["epoch"])
    return epoch not in named.epochs or epoch in named.writable


async def _named(tx: Transaction, folder: _Folder, now: datetime) -> _Named:
    named = _Named()
    video = (
        await tx.execute(
            select(Video.id, Video.deleted_at).where(
                Video.project_id == folder.project_id, Video.public_id == folder.name
            )
        )
    ).one_or_none()
    if video is None:
        return named
    named.exists, named.deleted = True, video.deleted_at is not None
    named.keys.update(key for (key,) in await tx.execute(_keys(video.id)) if key is not None)
    assets = select(Asset).where(Asset.project_id == folder.project_id, Asset.video_id == video.id)
    for asset in await tx.scalars(assets):
        named.epochs.add(asset.epoch)
        rows = await media.renditions_of(tx, asset.id)
        if not is_settled(rows, now):
            named.writable.add(asset.epoch)
    return named


def is_settled(rows: Collection[Rendition], now: datetime) -> bool:
    """Tell whether an asset with these renditions is no longer gone through by sweeps."""
    return bool(rows) and all(
        row.state == RenditionState.ENCODED
        and row.encoded_at is not None
        and row.encoded_at < now - _SETTLED_AFTER
        for row in rows
    )


def _keys(video_id: UUID) -> Select[str | None]:
    """Select every key that the rows of a video name."""
    sources = select(Source.id).where(Source.video_id == video_id).scalar_subquery()
    assets = select(Asset.id).where(Asset.video_id == video_id)
    extents = func.jsonb_array_elements(Source.extents)
    part_extents = func.jsonb_array_elements(Part.extents)
    every = union_all(
        select(Video.thumbnail_key.label("key")).where(Video.id == video_id),
        select(Source.key).where(Source.id == sources, Source.completed_at.is_(None)),
        select(extents.op("->>")("key")).where(Source.id == sources),
        select(part_extents.op("->>")("key")).where(Part.source_id == sources),
        select(Part.own_key).where(Part.source_id == sources, Part.stored_at.is_(None)),
        *(select(track.c.key).where(track.c.video_id == video_id) for track in _TEXT_TRACKS),
        select(Asset.still_key).where(Asset.video_id == video_id),
        select(Asset.storyboard_key).where(Asset.video_id == video_id),
        select(Rendition.index_key).where(Rendition.asset_id.in_(assets)),
        select(Run.object_key).where(Run.asset_id.in_(assets)),
    ).subquery()
    return select(every.c.key)


async def _indexes(tx: Transaction, folder: _Folder, named: _Named) -> list[str]:
    """Return the indexes, which name the objects of finished renditions instead of rows."""
    rows = (
        select(Rendition.index_key)
        .join(Asset, Asset.id == Rendition.asset_id)
        .join(Video, Video.id == Asset.video_id)
        .where(Video.project_id == folder.project_id, Video.public_id == folder.name)
        .where(Asset.epoch.in_(named.writable), Rendition.index_key.is_not(None))
    )
    return [key for key in await tx.scalars(rows) if key is not None]
