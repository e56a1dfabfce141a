"""Pictures taken from the source."""

from bisect import bisect_right
from contextlib import AsyncExitStack
from fractions import Fraction

from telecine.db.notify import notify
from telecine.domains.encodings import objects, queries
from telecine.domains.encodings.handlers.bench import Bench, Material, stored_piece
from telecine.domains.encodings.jobs import TakeStill
from telecine.domains.encodings.models import Asset, AssetState
from telecine.domains.encodings.operations import MEDIA_CHANGED
from telecine.domains.encodings.queries import lock_asset
from telecine.domains.sources.models import Source
from telecine.pipeline.poster import poster
from telecine.pipeline.reader import SourceReader
from telecine.pipeline.thumbnail import MAX_WIDTH_PX, decoding_pixels, still, still_of_piece

_QUICK_PIXELS = 60 * 1920 * 1080
"""Two seconds of 1080p: decoded in about half a second on two cores."""

_CHEAP_PIXELS = 24 * 1920 * 1080
"""As much work as a stored piece of 720p takes at most, and then half as much on average."""

_LEAST_SHARE = Fraction(1, 2)
"""Of the width of the picture: a smaller rendition would be seen to be one."""


async def take_still(bench: Bench, job: TakeStill) -> None:
    """Take the picture at the time asked for; out of range means the first frame."""
    found = await bench.asset(job.asset_id)
    if found is None or found[0].state != AssetState.PLANNED:
        return
    asset, source = found
    material = await bench.material(asset)
    async with bench.step(asset, "thumbnail") as detail:
        at_s = Fraction(job.at_ms, 1000) if job.at_ms >= 0 else None
        plan = material.plan
        if at_s is not None and at_s * plan.frame_rate >= plan.frames:
            at_s = Fraction(0)
        picture = None
        if at_s is not None:
            picture = await _of_stored(bench, asset, material, int(at_s * plan.frame_rate))
            detail["from"] = "source" if picture is None else "rendition"
        if picture is None:
            picture = await _of_source(bench, source, material, at_s)
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


async def _of_source(
    bench: Bench, source: Source, material: Material, at_s: Fraction | None
) -> bytes:
    async with AsyncExitStack() as stack:
        reader: SourceReader = bench.source(source)
        sound_only = material.probe.video is None
        if at_s is None or material.samples is None or sound_only:
            reader = await stack.enter_async_context(bench.spool.local(bench.source(source)))
        if sound_only:
            return await poster(bench.runner, reader, material.probe)
        return await still(
            bench.runner,
            reader,
            material.samples,
            material.probe,
            material.plan,
            at_s,
            watermarks=material.watermarks,
            # One that nobody chose can wait for those who watch.
            background=bench.brake if at_s is None else None,
        )


async def _of_stored(bench: Bench, asset: Asset, material: Material, frame: int) -> bytes | None:
    """Take the picture from an encoded piece where the source would take long to decode.

    None: the source is quick enough, or there is no piece that is nearly as large. One that
    is as large as the picture will be is taken even where the source is not slow.
    """
    video, plan = material.probe.video, material.plan
    if video is None or (pixels := decoding_pixels(video, frame)) <= _CHEAP_PIXELS:
        return None
    needed_px = Fraction(min(video.width_px, MAX_WIDTH_PX))
    if pixels > _QUICK_PIXELS:
        needed_px *= _LEAST_SHARE
    piece = bisect_right(plan.piece_cuts, frame) - 1
    async with bench.db.transaction() as tx:
        rows = {row.name: row for row in await queries.renditions_of(tx, asset.id)}
    for rendition in reversed(plan.renditions):
        row = rows.get(rendition.name)
        if row is None or row.init is None or rendition.passthrough:
            continue
        if rendition.width_px < needed_px:
            return None
        data = await stored_piece(bench, asset, row, piece)
        if data is not None:
            number = (frame - plan.piece_cuts[piece]) // rendition.rate_divisor
            size_px = video.width_px, video.height_px
            return await still_of_piece(bench.runner, row.init, data, number, size_px)
    return None
