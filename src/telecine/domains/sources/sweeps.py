"""Uploads that nobody goes on with, of all projects: any worker may sweep at any time."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import datetime
from uuid import UUID

import structlog
from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Text,
    and_,
    cast,
    delete,
    exists,
    func,
    or_,
    select,
)

from telecine.db.engine import Database, Transaction
from telecine.domains.sources.models import Part, Source, SourceState
from telecine.storage.store import Store

log = structlog.get_logger()

_BATCH = 100


Forsake = Callable[[Transaction, UUID], Awaitable[Sequence[str]]]
"""Ends all work on a source whose row is about to go; returns folders to delete then."""


async def drop_abandoned(db: Database, store: Store, before: datetime, forsake: Forsake) -> int:
    """Drop uploads that were last continued `before`; return how many.

    The video stays, as empty as before. A complete source is never dropped, and parts of
    a concatenation have an end of their own.
    """
    dropped, last = 0, UUID(int=0)
    while True:
        async with db.transaction() as tx:
            rows = select(Source.id).where(Source.id > last, *_abandoned(before))
            found = (await tx.scalars(rows.order_by(Source.id).limit(_BATCH))).all()
        for source_id in found:
            dropped += await _drop(db, store, source_id, before, forsake)
        if len(found) < _BATCH:
            return dropped
        last = found[-1]


def _abandoned(before: datetime) -> Sequence[ColumnElement[bool]]:
    claimed_since = exists().where(Part.source_id == Source.id, Part.claimed_at >= before)
    return (
        Source.completed_at.is_(None),
        Source.state == SourceState.UPLOADING,
        Source.updated_at < before,
        Source.video_id.is_not(None),
        ~claimed_since,
    )


async def _drop(
    db: Database, store: Store, source_id: UUID, before: datetime, forsake: Forsake
) -> bool:
    async with db.transaction() as tx:
        rows = select(Source).where(Source.id == source_id, *_abandoned(before))
        # Whoever uploads holds the row, and comes before us.
        source = await tx.scalar(rows.with_for_update(skip_locked=True))
        if source is None:
            return False
        project_id, video_id = source.project_id, source.video_id
        parts = (await tx.scalars(select(Part).where(Part.source_id == source_id))).all()
        stored = [*source.extents, *(each for part in parts for each in part.extents)]
        keys = {source.key, *(part.own_key for part in parts), *(each["key"] for each in stored)}
        folders = await forsake(tx, source.id)
        await tx.delete(source)
        await tx.flush()
        unused = sorted(keys - await referenced(tx, project_id, keys))
    # Rows first: an object without a row is garbage, a row without an object a loss.
    await store.delete(unused)
    for folder in folders:
        await store.delete_prefix(folder)
    log.info(
        "upload abandoned",
        source=str(source_id),
        project=str(project_id),
        video=str(video_id),
        parts=len(parts),
    )
    return True


async def referenced(tx: Transaction, project_id: UUID, keys: Collection[str]) -> set[str]:
    """Return those of `keys` that any source of a project still names.

    A file may lie below another video's folder, where it was put before its own was known.
    """
    if not keys:
        return set()
    wanted = (
        func.unnest(cast(list(keys), ARRAY(Text))).table_valued("key").render_derived(name="wanted")
    )
    named = func.jsonb_build_array(func.jsonb_build_object("key", wanted.c.key))
    by_source = exists().where(
        Source.project_id == project_id,
        or_(Source.extents.op("@>")(named), _is_written(wanted.c.key)),
    )
    by_part = exists().where(
        Part.project_id == project_id,
        or_(
            Part.extents.op("@>")(named),
            and_(Part.stored_at.is_(None), Part.own_key == wanted.c.key),
        ),
    )
    return set(await tx.scalars(select(wanted.c.key).where(or_(by_source, by_part))))


def _is_written(key: ColumnElement[str]) -> ColumnElement[bool]:
    return and_(Source.completed_at.is_(None), Source.key == key)


async def drop_claims(db: Database, store: Store, before: datetime) -> int:
    """Drop claims from `before` on sources that are complete; return how many.

    While a source arrives its claims stay: a slow client may still be writing, and
    nobody else may write to the same place.
    """
    dropped = 0
    while True:
        complete = exists().where(Source.id == Part.source_id, Source.completed_at.is_not(None))
        old = select(Part.id).where(Part.stored_at.is_(None), Part.claimed_at < before, complete)
        some = old.limit(_BATCH).with_for_update(skip_locked=True, of=Part)
        async with db.transaction() as tx:
            gone = await tx.execute(
                delete(Part)
                .where(Part.id.in_(some.scalar_subquery()))
                .returning(Part.project_id, Part.source_id, Part.own_key)
            )
            claims = gone.all()
            unused: set[str] = set()
            for project_id in {claim[0] for claim in claims}:
                keys = {key for owner, _, key in claims if owner == project_id}
                unused |= keys - await referenced(tx, project_id, keys)
        await store.delete(sorted(unused))
        for _, source_id, key in claims:
            log.info("claim dropped", source=str(source_id), key=key)
        dropped += len(claims)
        if len(claims) < _BATCH:
            return dropped
