"""Videos whose time is over, of all projects: any worker may delete them at any time."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import structlog
from sqlalchemy import ColumnElement, exists, select

from telecine.db.engine import Database
from telecine.domains.accounts.models import Environment, Project
from telecine.domains.sources.models import Source
from telecine.domains.videos import operations
from telecine.domains.videos.models import Video
from telecine.domains.videos.queries import COLUMNS, VideoRow

log = structlog.get_logger()

_BATCH = 100


async def delete_sandbox(db: Database, before: datetime) -> int:
    """Delete videos of the sandbox that were made `before`; return how many."""
    sandbox = select(Project.id).where(Project.environment == Environment.SANDBOX)
    old = (Video.created_at < before, Video.project_id.in_(sandbox))
    return await _delete(db, "sandbox", old)


async def delete_discarded(db: Database, now: datetime) -> int:
    """Delete discarded videos whose `deletesAt` has come; return how many."""
    over = (Video.discarded_at.is_not(None), Video.deletes_at <= now)
    return await _delete(db, "discarded", over)


async def delete_empty(db: Database, before: datetime) -> int:
    """Delete containers that got no file and were last changed `before`; return how many.

    Nor will they get the one whose download or copy failed for good.
    """
    source = exists().where(Source.video_id == Video.id, Source.failure.is_(None))
    empty = (Video.updated_at < before, Video.live_stream_id.is_(None), ~source)
    return await _delete(db, "empty", empty)


async def _delete(db: Database, why: str, conditions: Sequence[ColumnElement[bool]]) -> int:
    """Delete what meets the conditions, each video in a transaction of its own."""
    deleted, last = 0, UUID(int=0)
    alive = (Video.deleted_at.is_(None), *conditions)
    while True:
        rows = select(Video.id).where(Video.id > last, *alive).order_by(Video.id).limit(_BATCH)
        async with db.transaction() as tx:
            found = (await tx.scalars(rows)).all()
        for video_id in found:
            async with db.transaction() as tx:
                # Looked at again under the lock, which whoever uploads takes as well.
                one = select(Video.project_id, *COLUMNS).where(Video.id == video_id, *alive)
                row = (await tx.execute(one.with_for_update(skip_locked=True, of=Video))).first()
                if row is None:
                    continue  # changed meanwhile, or another worker is at it
                await operations.remove(tx, row[0], VideoRow(*row[1:]))
            log.info("video expired", why=why, video=row.public_id, project=str(row[0]))
            deleted += 1
        if len(found) < _BATCH:
            return deleted
        last = found[-1]
