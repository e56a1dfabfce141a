"""The end of a deleted video: first its objects, then its row."""

import structlog
from sqlalchemy import delete
from sqlalchemy.sql import column, table

from telecine.domains.encodings.handlers.bench import Bench
from telecine.domains.encodings.jobs import RemoveMedia

log = structlog.get_logger()

# The row belongs to a domain above this one, which marked it; all rows of this
# domain hang on it by ON DELETE CASCADE.
_VIDEO = table("video", column("id"), column("deleted_at"))


async def remove_media(bench: Bench, job: RemoveMedia) -> None:
    """Delete every object below the video's prefix, then the marked row."""
    await bench.store.delete_prefix(job.prefix)
    async with bench.db.transaction() as tx:
        marked = delete(_VIDEO).where(_VIDEO.c.id == job.video_id, _VIDEO.c.deleted_at.is_not(None))
        await tx.execute(marked)
    log.info("video removed", video=job.prefix.rstrip("/").rsplit("/", 1)[-1])
