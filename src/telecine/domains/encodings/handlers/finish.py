"""When the last piece is stored: one immutable index, and no garbage left."""

import struct
from collections.abc import Sequence

import structlog

from telecine.domains.encodings import objects, queries
from telecine.domains.encodings.handlers.bench import Bench
from telecine.domains.encodings.jobs import FinishRendition, SweepAsset
from telecine.domains.encodings.models import Asset, Rendition, RenditionState, Run
from telecine.domains.encodings.recording import record_finished
from telecine.domains.sources.models import Source
from telecine.formats.mp4.fragment import read_moof
from telecine.pipeline.model import TIMESCALE, Plan
from telecine.pipeline.spans import PACKET_SAMPLES
from telecine.pipeline.stored_index import StoredIndex, StoredPiece

log = structlog.get_logger()

_MOOF_GUESS_BYTES = 8192


async def finish_rendition(bench: Bench, job: FinishRendition) -> None:
    """Collect the tables of all pieces into the rendition's index."""
    found = await bench.asset(job.asset_id)
    if found is None:
        return
    asset, _ = found
    async with bench.db.transaction() as tx:
        rendition = await tx.get(Rendition, job.rendition_id)
        if rendition is None or rendition.index_key is not None:
            return
        runs = await queries.runs_of(tx, asset.id, [rendition.id])
    async with bench.step(asset, f"finish {rendition.name}") as detail:
        plan = (await bench.material(asset)).plan
        pieces = [piece for run in runs for piece in await _pieces(bench, run)]
        if len(pieces) != rendition.pieces:
            msg = f"{len(pieces)} pieces of {rendition.pieces} are stored"
            raise RuntimeError(msg)
        index = StoredIndex.build(_timescale(plan, rendition.name), pieces)
        key = objects.index_key(asset.prefix, rendition.name)
        await bench.store.put(key, index.to_bytes())
        rates_bps = index.rates_bps(*_segments(plan, rendition.name))
        async with bench.db.transaction() as tx:
            taken = await record_finished(tx, asset.id, rendition.id, key, rates_bps)
        if not taken:
            await bench.store.delete([key])
        detail |= {"peak_bps": rates_bps[0], "average_bps": rates_bps[1]}
    log.info("quality complete", video=asset.public_id, quality=rendition.name, **detail)


def _timescale(plan: Plan, name: str) -> int:
    if name == queries.AUDIO and plan.audio is not None:
        return plan.audio.sample_rate_hz
    return TIMESCALE


def _segments(plan: Plan, name: str) -> tuple[list[int], list[float]]:
    """Return the pieces at which segments start, and their times in seconds."""
    if name == queries.AUDIO and plan.audio is not None:
        packets = plan.audio.segment_packets
        starts = [packet * PACKET_SAMPLES / plan.audio.sample_rate_hz for packet in packets]
        return list(range(plan.segments + 1)), starts
    cuts = [plan.piece_cuts[piece] for piece in plan.segment_pieces]
    return list(plan.segment_pieces), [plan.ticks(cut) / TIMESCALE for cut in cuts]


async def _pieces(bench: Bench, run: Run) -> list[StoredPiece]:
    """Read the moof of every piece of a run."""
    pieces = []
    for start, end in zip(run.offsets, run.offsets[1:], strict=False):
        head = await bench.store.read(run.object_key, start, min(end, start + _MOOF_GUESS_BYTES))
        (size,) = struct.unpack_from(">I", head)
        if size > len(head):
            head = await bench.store.read(run.object_key, start, start + size)
        pieces.append(StoredPiece(run.object_key, start, end - start, read_moof(head[:size])))
    return pieces


async def sweep_asset(bench: Bench, job: SweepAsset) -> None:
    """Delete objects of a finished asset that no row and no index names."""
    found = await bench.asset(job.asset_id)
    if found is None:
        return
    asset, source = found
    async with bench.db.transaction() as tx:
        rows = await queries.renditions_of(tx, asset.id)
    if any(row.state != RenditionState.ENCODED for row in rows):
        return
    known = await known_objects(bench, asset, rows)
    unknown = [
        entry.key
        async for entry in bench.store.list(asset.prefix)
        # A picture that is being made has no row yet; its job cleans up by itself.
        if entry.key not in known
        and not entry.key.startswith((f"{asset.prefix}still-", f"{asset.prefix}storyboard-"))
    ]
    unknown += await _lost_uploads(bench, source)
    await bench.store.delete(unknown)
    if unknown:
        log.info("swept", video=asset.public_id, objects=len(unknown))


async def _lost_uploads(bench: Bench, source: Source) -> list[str]:
    """Return the files that were stored beside the source, but never recorded.

    A process was killed in between. Whoever uploads now is refused, as there is a source.
    """
    recorded = {str(extent["key"]) for extent in source.extents}
    folders = {key.rpartition("/")[0] + "/" for key in recorded}
    return [
        entry.key
        for folder in folders
        async for entry in bench.store.list(folder)
        if entry.key not in recorded
    ]


async def known_objects(bench: Bench, asset: Asset, rows: Sequence[Rendition]) -> set[str]:
    """Return every key below the asset's prefix that a row or an index names."""
    folder, revision = asset.prefix, asset.revision
    known = {objects.plan_key(folder, revision), objects.probe_key(folder, revision)}
    known |= {objects.samples_key(folder, revision)}
    known |= {objects.passthrough_key(folder, kind, revision) for kind in ("video", "audio")}
    known |= {key for key in (asset.still_key, asset.storyboard_key) if key is not None}
    for row in rows:
        if row.index_key is not None:
            known.add(row.index_key)
            known.update(StoredIndex.from_bytes(await bench.store.read(row.index_key)).keys)
    return known
