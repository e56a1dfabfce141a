"""HEVC and AV1 beside a ladder that is complete."""

from telecine.domains.encodings.completion import CHUNK_WINDOW
from telecine.domains.encodings.handlers.bench import Bench
from telecine.domains.encodings.handlers.ladder import fill
from telecine.domains.encodings.jobs import EncodeExtra
from telecine.domains.encodings.models import AssetState, Growth
from telecine.domains.encodings.operations import BACKGROUND
from telecine.jobs import queue

_NICENESS = 19
"""Less than the ladder of any video: nobody waits for these, and all can do without."""


async def encode_extra(bench: Bench, job: EncodeExtra) -> None:
    """Encode the holes of one chunk in every rung of a codec, and ask for a later chunk."""
    found = await bench.asset(job.asset_id)
    if found is None or found[0].state != AssetState.PLANNED:
        return
    asset, source = found
    if asset.growth == Growth.REPLACED:
        return
    plan = (await bench.material(asset)).plan
    segments = plan.chunk_segments[job.chunk], plan.chunk_segments[job.chunk + 1]
    async with bench.step(asset, f"{job.codec} {job.chunk}") as detail:
        names = {rendition.name for rendition in plan.extra if rendition.codec == job.codec}
        await fill(bench, asset, source, names, segments, detail, _NICENESS)
        later = job.chunk + CHUNK_WINDOW
        if later < len(plan.chunk_segments) - 1:
            async with bench.db.transaction() as tx:
                following = EncodeExtra(asset_id=asset.id, codec=job.codec, chunk=later)
                await queue.enqueue_in_turn(tx, asset.project_id, following, priority=BACKGROUND)
