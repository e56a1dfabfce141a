"""The storyboard: made once, from the lowest rendition, when that is complete."""

from collections.abc import AsyncIterator, Sequence
from fractions import Fraction

from telecine.domains.encodings import objects, queries
from telecine.domains.encodings.handlers.bench import Bench
from telecine.domains.encodings.jobs import MakeStoryboard
from telecine.domains.encodings.models import Asset, AssetState, Rendition, RenditionState
from telecine.domains.encodings.recording import record_storyboard
from telecine.domains.sources.models import Source
from telecine.formats.mp4.fragment import read_init, read_moof
from telecine.pipeline import storyboard
from telecine.pipeline.model import Plan
from telecine.pipeline.segment_index import SegmentIndex
from telecine.pipeline.stored_index import StoredIndex
from telecine.pipeline.storyboard import TILES_A_SHEET, KeyPicture


async def make_storyboard(bench: Bench, job: MakeStoryboard) -> None:
    """Write the list of tiles and all sheets as one object."""
    found = await bench.asset(job.asset_id)
    if found is None or found[0].state != AssetState.PLANNED:
        return
    asset, source = found
    async with bench.db.transaction() as tx:
        lowest = queries.lowest(await queries.renditions_of(tx, asset.id))
    if asset.storyboard_offsets is not None or lowest is None:
        return
    if lowest.state != RenditionState.ENCODED or lowest.init is None:
        return  # its completion asks again
    async with bench.step(asset, "storyboard") as detail:
        plan = (await bench.material(asset)).plan
        init = read_init(lowest.init)
        size_px = storyboard.tile_size(plan.width_px, plan.height_px)
        frames: list[int] = []
        sheets: list[bytes] = []
        waiting: list[KeyPicture] = []
        pictures = _key_pictures(bench, asset, source, plan, lowest)
        async for picture in pictures:
            frames.append(picture.frame)
            waiting.append(picture)
            if len(waiting) == TILES_A_SHEET:
                sheets.append(await storyboard.sheet(bench.runner, init, waiting, size_px))
                waiting = []
        if waiting:
            sheets.append(await storyboard.sheet(bench.runner, init, waiting, size_px))
        parts = [_vtt(asset, plan, frames, size_px), *sheets]
        key = objects.storyboard_key(asset.prefix)
        await bench.store.put(key, b"".join(parts))
        async with bench.db.transaction() as tx:
            taken = await record_storyboard(tx, asset.id, key, [len(part) for part in parts])
        if not taken:
            await bench.store.delete([key])
        detail |= {"tiles": len(frames), "sheets": len(sheets), "bytes": sum(map(len, parts))}


def _vtt(asset: Asset, plan: Plan, frames: Sequence[int], size_px: tuple[int, int]) -> bytes:
    times_s = [Fraction(frame) / plan.frame_rate for frame in (*frames, plan.frames)]
    urls = storyboard.sheet_urls(f"storyboard-{asset.epoch}", len(frames))
    return storyboard.to_vtt(times_s, urls, size_px).encode()


async def _key_pictures(
    bench: Bench, asset: Asset, source: Source, plan: Plan, rendition: Rendition
) -> AsyncIterator[KeyPicture]:
    """Yield the pictures that become tiles: the first ones of pieces, or of copied segments."""
    if rendition.passthrough:
        frames = [plan.piece_cuts[piece] for piece in plan.segment_pieces[:-1]]
        data = await bench.store.read(
            objects.passthrough_key(asset.prefix, "video", asset.revision)
        )
        copied, reader = SegmentIndex.from_bytes(memoryview(data)), bench.source(source)
        for number in storyboard.chosen(frames):
            segment = copied.segment(number)
            size = int(read_moof(segment.moof).samples.sizes[0])
            yield KeyPicture(frames[number], await reader.read(segment.ranges[0][0], size))
        return
    index = StoredIndex.from_bytes(await bench.store.read(rendition.index_key or ""))
    firsts = [0, *index.piece_samples.cumsum().tolist()]
    for piece in storyboard.chosen(plan.piece_cuts[:-1]):
        start = int(index.piece_offset[piece]) + int(index.piece_payload[piece])
        size = int(index.sizes[firsts[piece]])
        key = index.keys[int(index.piece_object[piece])]
        data = await bench.store.read(key, start, start + size)
        yield KeyPicture(plan.piece_cuts[piece], data)
