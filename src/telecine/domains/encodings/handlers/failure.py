"""What is written down when a job was tried as often as it may be."""

import structlog

from telecine.domains.encodings import growing, queries
from telecine.domains.encodings.handlers.bench import Bench
from telecine.domains.encodings.jobs import (
    EncodeAudio,
    EncodeChunk,
    GrowAsset,
    MakeStoryboard,
    ProbeAsset,
)
from telecine.domains.encodings.recording import (
    fail_renditions,
    record_failure,
    record_storyboard,
)
from telecine.jobs.job import Job

log = structlog.get_logger()


async def record_giving_up(bench: Bench, job: Job, error: str) -> None:
    """Turn a job that failed for good into a status that says so, with the reason."""
    log.error("gave up", job=type(job).__name__, reason=error, **job.to_args())
    async with bench.db.transaction() as tx:
        if isinstance(job, ProbeAsset):
            await record_failure(tx, job.asset_id, error)
        elif isinstance(job, GrowAsset):
            # A look that failed is nothing; an end that failed begins anew.
            found = await growing.lock_growing(tx, job.asset_id)
            if found is not None and found[1].completed_at is not None:
                await growing.replace(tx, *found)
        elif isinstance(job, EncodeChunk):
            rows = await queries.renditions_of(tx, job.asset_id)
            names = {row.name for row in rows if row.name != queries.AUDIO and not row.passthrough}
            await fail_renditions(tx, job.asset_id, names, error)
        elif isinstance(job, EncodeAudio):
            await fail_renditions(tx, job.asset_id, {queries.AUDIO}, error)
        elif isinstance(job, MakeStoryboard):
            await record_storyboard(tx, job.asset_id, None, [])
