"""The work of a planned asset, asked for again."""

from sqlalchemy import delete

from telecine.domains.encodings import queries
from telecine.domains.encodings.handlers.bench import Bench
from telecine.domains.encodings.jobs import RetryAsset
from telecine.domains.encodings.models import AssetState, Want
from telecine.domains.encodings.schedule import enqueue_missing
from telecine.pipeline.spans import audio_spans


async def retry_asset(bench: Bench, job: RetryAsset) -> None:
    """Ask for every span and chunk; those without holes cost a query each."""
    found = await bench.asset(job.asset_id)
    if found is None or found[0].state != AssetState.PLANNED:
        return
    spans = len(audio_spans((await bench.material(found[0])).plan))
    async with bench.db.transaction() as tx:
        # Viewers may ask again for what could not be made; the rest is being waited for.
        await tx.execute(
            delete(Want).where(
                Want.project_id == found[0].project_id,
                Want.asset_id == job.asset_id,
                Want.failure.is_not(None),
            )
        )
        rows = await queries.renditions_of(tx, job.asset_id)
        await enqueue_missing(tx, job.asset_id, rows, spans)
