"""Uploads whose time is over. Workers do this, which have no use for a web framework."""

import structlog
from sqlalchemy import delete, select

from telecine import clock
from telecine.db.engine import Database, Transaction
from telecine.domains.sources.models import COMPLETE, Source
from telecine.domains.uploads.models import TusUpload
from telecine.domains.videos import operations as videos
from telecine.problems import Problem
from telecine.storage.store import Store

log = structlog.get_logger()

_BATCH = 100


async def remove_partial(db: Database, store: Store, upload: TusUpload) -> None:
    """Remove a partial upload whose time is over: first its objects, then its rows."""
    project_id = upload.project_id
    await store.delete_prefix(f"{project_id}/{upload.public_id}/")
    async with db.transaction() as tx:
        if upload.source_id is not None:
            mine = Source.project_id == project_id, Source.id == upload.source_id
            await tx.execute(delete(Source).where(*mine))
        row = TusUpload.project_id == project_id, TusUpload.id == upload.id
        await tx.execute(delete(TusUpload).where(*row))


async def expire(db: Database, store: Store) -> int:
    """Remove uploads whose time is over; return how many.

    The video of an unfinished one goes with it if it was made for it. Two workers may
    find the same ones: the second finds less to do.
    """
    now = clock.now()
    async with db.transaction() as tx:
        over = select(TusUpload).where(TusUpload.expires_at <= now)
        uploads = (await tx.scalars(over.order_by(TusUpload.expires_at).limit(_BATCH))).all()
    for upload in uploads:
        if upload.video_id is None:
            await remove_partial(db, store, upload)
        else:
            async with db.transaction() as tx:
                await _forget(tx, upload)
        log.info("upload expired", project=str(upload.project_id), upload=upload.public_id)
    return len(uploads)


async def _forget(tx: Transaction, upload: TusUpload) -> None:
    """Forget an upload of a video, and the video if it was made for it and is unfinished."""
    mine = TusUpload.project_id == upload.project_id, TusUpload.id == upload.id
    await tx.execute(delete(TusUpload).where(*mine))
    source = select(Source.id).where(
        Source.project_id == upload.project_id, Source.video_id == upload.video_id
    )
    unfinished = await tx.scalar(source.where(Source.state.in_(COMPLETE))) is None
    if upload.made_video and unfinished:
        try:
            await videos.delete_video(tx, upload.project_id, upload.public_id)
        except Problem:
            log.debug("video gone before its upload", video=upload.public_id)
