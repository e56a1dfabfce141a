"""Watermarks that nobody needs any more, of all projects: any worker may sweep."""

from datetime import datetime
from uuid import UUID

import structlog
from sqlalchemy import ColumnElement, and_, exists, or_, select

from telecine.db.engine import Database
from telecine.domains.watermarks.models import Watermark, WatermarkUse
from telecine.storage.store import Store

log = structlog.get_logger()

_BATCH = 100


def _unneeded(before: datetime) -> ColumnElement[bool]:
    used = exists().where(WatermarkUse.watermark_id == Watermark.id)
    unfinished = and_(Watermark.stored_at.is_(None), Watermark.created_at < before)
    return or_(and_(Watermark.deleted_at.is_not(None), ~used), unfinished)


async def remove_unused(db: Database, store: Store, before: datetime) -> int:
    """Remove deleted watermarks that no video uses; return how many.

    And those whose picture was not stored although they were begun `before`.
    """
    removed, last = 0, UUID(int=0)
    while True:
        async with db.transaction() as tx:
            rows = select(Watermark.id).where(Watermark.id > last, _unneeded(before))
            found = (await tx.scalars(rows.order_by(Watermark.id).limit(_BATCH))).all()
        for watermark_id in found:
            removed += await _remove(db, store, watermark_id, before)
        if len(found) < _BATCH:
            return removed
        last = found[-1]


async def _remove(db: Database, store: Store, watermark_id: UUID, before: datetime) -> bool:
    async with db.transaction() as tx:
        rows = select(Watermark).where(Watermark.id == watermark_id)
        # A video that is being made holds the row until its use is noted.
        row = await tx.scalar(rows.with_for_update(skip_locked=True))
        # Now that nobody can begin to use it, looked at again.
        still = select(Watermark.id).where(Watermark.id == watermark_id, _unneeded(before))
        if row is None or await tx.scalar(still) is None:
            return False
        # The object first: what this leaves behind if it is killed has a row.
        await store.delete([row.key])
        await tx.delete(row)
    log.info("watermark removed", watermark=row.public_id, project=str(row.project_id))
    return True
