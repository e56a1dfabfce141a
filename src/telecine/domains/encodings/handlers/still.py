"""Pictures taken from the source."""

from contextlib import AsyncExitStack
from fractions import Fraction

from telecine.db.notify import notify
from telecine.domains.encodings import objects
from telecine.domains.encodings.handlers.bench import Bench
from telecine.domains.encodings.jobs import TakeStill
from telecine.domains.encodings.models import AssetState
from telecine.domains.encodings.operations import MEDIA_CHANGED
from telecine.domains.encodings.recording import lock_asset
from telecine.pipeline.reader import SourceReader
from telecine.pipeline.thumbnail import still


async def take_still(bench: Bench, job: TakeStill) -> None:
    """Take the picture at the time asked for; out of range means the first frame."""
    found = await bench.asset(job.asset_id)
    if found is None or found[0].state != AssetState.PLANNED:
        return
    asset, source = found
    material = await bench.material(asset)
    if material.probe.video is None:
        return
    async with bench.step(asset, "thumbnail") as detail:
        at_s = Fraction(job.at_ms, 1000) if job.at_ms >= 0 else None
        plan = material.plan
        if at_s is not None and at_s * plan.frame_rate >= plan.frames:
            at_s = Fraction(0)
        async with AsyncExitStack() as stack:
            reader: SourceReader = bench.source(source)
            if at_s is None or material.samples is None:
                reader = await stack.enter_async_context(bench.spool.local(bench.source(source)))
            picture = await still(
                bench.runner,
                reader,
                material.samples,
                material.probe,
                plan,
                at_s,
                watermarks=material.watermarks,
            )
        key = objects.still_key(asset.prefix)
        await bench.store.put(key, picture)
        async with bench.db.transaction() as tx:
            locked = await lock_asset(tx, asset.id)
            old = None if locked is None else locked.still_key
            if locked is not None:
                locked.still_key = key
                await notify(tx, MEDIA_CHANGED, asset.public_id)
        stale = key if locked is None else old
        await bench.store.delete([] if stale is None else [stale])
        detail |= {"at_s": None if at_s is None else float(at_s), "bytes": len(picture)}
