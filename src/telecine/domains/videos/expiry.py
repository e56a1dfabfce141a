"""Videos whose time is over: the sandbox keeps them for a day."""

from datetime import timedelta

import structlog
from sqlalchemy import select

from telecine import clock
from telecine.db.engine import Database
from telecine.domains.accounts.models import Environment, Project
from telecine.domains.videos.models import Video
from telecine.domains.videos.operations import delete_video
from telecine.problems import Problem

log = structlog.get_logger()

SANDBOX_LIFETIME = timedelta(hours=24)
_BATCH = 100


async def delete_expired(db: Database) -> int:
    """Delete videos whose time is over; return how many.

    Each in a transaction of its own. Two workers may find the same video: the second
    then finds it deleted.
    """
    born = clock.now() - SANDBOX_LIFETIME
    async with db.transaction() as tx:
        sandbox = select(Project.id).where(Project.environment == Environment.SANDBOX)
        over = (Video.created_at < born) & Video.project_id.in_(sandbox)
        found = await tx.execute(
            select(Video.project_id, Video.public_id)
            .where(Video.deleted_at.is_(None), over)
            .order_by(Video.created_at)
            .limit(_BATCH)
        )
        rows = found.all()
    deleted = 0
    for project_id, public_id in rows:
        try:
            async with db.transaction() as tx:
                await delete_video(tx, project_id, public_id)
        except Problem:
            continue  # another worker was quicker
        log.info("video expired", video=public_id)
        deleted += 1
    return deleted
