"""The ladder: encode what is missing, keep what is there."""

import asyncio
from bisect import bisect_right
from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise
from typing import Any
from uuid import UUID

import structlog

from telecine.domains.encodings import explanations, objects, queries, wants
from telecine.domains.encodings.handlers.bench import Bench, stored_pieces
from telecine.domains.encodings.jobs import EncodeChunk
from telecine.domains.encodings.models import Asset, AssetState, Growth, Rendition
from telecine.domains.encodings.recording import (
    StoredRun,
    record_crf,
    record_runs,
)
from telecine.domains.encodings.remarks import remark
from telecine.domains.encodings.schedule import refill_window
from telecine.domains.sources.models import Source
from telecine.ffmpeg.runner import Progress
from telecine.pipeline import encode
from telecine.pipeline.collector import EncodedRendition
from telecine.pipeline.extra import is_extra
from telecine.pipeline.model import Plan
from telecine.pipeline.per_title import better_crf, tuned

log = structlog.get_logger()

_NICENESS = 15
"""Of encodes that nobody waits for."""

_AHEAD_AT_MOST_S = 5.0
_LOOK_EVERY_S = 0.1


async def encode_chunk(bench: Bench, job: EncodeChunk) -> None:
    """Encode the holes of one chunk; a chunk without holes costs one query."""
    found = await bench.asset(job.asset_id)
    if found is None or found[0].state != AssetState.PLANNED:
        return
    asset, source = found
    if asset.growth == Growth.REPLACED:
        return  # soon nobody watches it
    plan = (await bench.material(asset)).plan
    first, end = plan.chunk_segments[job.chunk], plan.chunk_segments[job.chunk + 1]
    if end > bench.arrived(plan, source):
        return  # comes again when its end has come
    if job.chunk == 0:
        await _let_ahead(bench, asset)
    async with bench.step(asset, f"chunk {job.chunk}") as detail:
        names = {rendition.name for rendition in plan.renditions if not rendition.passthrough}
        await fill(bench, asset, source, names, (first, end), detail, _NICENESS)
        if job.chunk == 0:
            detail["crf"] = await _learn(bench, asset, plan)
        async with bench.db.transaction() as tx:
            await refill_window(tx, asset.id)


async def _let_ahead(bench: Bench, asset: Asset) -> None:
    """Wait for the first segments, or they are encoded twice at the same time."""
    with suppress(TimeoutError):
        async with asyncio.timeout(_AHEAD_AT_MOST_S):
            while True:
                async with bench.db.transaction() as tx:
                    if not await wants.left_ahead(tx, asset.id):
                        return
                await asyncio.sleep(_LOOK_EVERY_S)


async def _learn(bench: Bench, asset: Asset, plan: Plan) -> dict[str, float]:
    """Let the first chunk decide on the CRF of the rest of the video; return what differs."""
    pieces = range(plan.segment_pieces[plan.chunk_segments[1]])
    chunk_s = float(plan.piece_cuts[pieces.stop] / plan.frame_rate)
    async with bench.db.transaction() as tx:
        rows = {row.id: row for row in await queries.renditions_of(tx, asset.id)}
        sizes: dict[str, dict[int, int]] = {}
        for run in await queries.runs_of(tx, asset.id):
            held = sizes.setdefault(rows[run.rendition_id].name, {})
            for at, (start, end) in enumerate(pairwise(run.offsets), run.first_piece):
                if at in pieces:
                    held[at] = end - start
        complete = {name: held for name, held in sizes.items() if len(held) == len(pieces)}
        means_bps = {name: sum(held.values()) * 8 / chunk_s for name, held in complete.items()}
        crf = better_crf(plan, means_bps)
        await record_crf(tx, asset.id, crf)
    return crf


async def fill(
    bench: Bench,
    asset: Asset,
    source: Source,
    names: set[str],
    segments: tuple[int, int],
    detail: dict[str, Any],
    niceness: int,
) -> None:
    """Encode the pieces of segments [first, end) that are missing; tell `detail` of it."""
    first, end = segments
    material = await bench.material(asset)
    plan = material.plan
    async with bench.db.transaction() as tx:
        rows = [
            row
            for row in await queries.renditions_of(tx, asset.id)
            if row.name in names and row.index_key is None
        ]
    wanted = set(range(plan.segment_pieces[first], plan.segment_pieces[end]))
    held = await stored_pieces(bench, asset)
    holes = {row.id: wanted - held.get(row.id, set()) for row in rows}
    missing = set().union(*holes.values())
    detail["pieces"] = sum(len(pieces) for pieces in holes.values())
    if not missing:
        return
    rows = [row for row in rows if holes[row.id]]
    extra = any(is_extra(row.name) for row in rows)
    first = bisect_right(plan.segment_pieces, min(missing)) - 1
    end = bisect_right(plan.segment_pieces, max(missing))
    async with bench.encodable(source, material) as reader:
        encoded = await encode.encode_chunk(
            bench.runner,
            reader,
            material.samples,
            material.probe,
            tuned(plan, {row.name: row.crf for row in rows}),
            [row.name for row in rows],
            first,
            end,
            watermarks=material.watermarks,
            inits={row.name: row.init for row in rows if row.init is not None},
            hardware=None if extra else bench.hardware,
            on_progress=_telling(detail, plan, first, end),
            brake=bench.brake,
            niceness=niceness,
        )
    detail["damaged"] = max(result.concealed for result in encoded)
    by_name = {row.name: row for row in rows}
    runs = [
        await _store_run(bench, asset, by_name[result.name], result, plan.segment_pieces[first])
        for result in encoded
    ]
    async with bench.db.transaction() as tx:
        unused = await record_runs(tx, asset.id, runs)
        if detail["damaged"]:
            await remark(tx, asset.id, explanations.DAMAGED)
    await bench.store.delete(unused)


def _telling(
    detail: dict[str, Any], plan: Plan, first: int, end: int
) -> Callable[[Progress], None]:
    """Return what keeps the share of pictures that are done in `detail`."""
    frames = plan.segment_frames(end - 1)[1] - plan.segment_frames(first)[0]

    def tell(progress: Progress) -> None:
        detail["progress"] = round(min(1.0, progress.frames / frames), 3)

    return tell


async def _store_run(
    bench: Bench, asset: Asset, rendition: Rendition, result: EncodedRendition, first_piece: int
) -> StoredRun:
    """Write the pieces of one rendition as one object."""
    key = objects.run_key(asset.prefix, rendition.name, first_piece)
    await bench.store.put(key, b"".join(result.pieces))
    sizes = tuple(len(piece) for piece in result.pieces)
    rendition_id: UUID = rendition.id
    return StoredRun(rendition_id, first_piece, key, result.init, sizes)
