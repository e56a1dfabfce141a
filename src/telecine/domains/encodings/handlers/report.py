"""The report on what is stored of a video: collected here, judged by `conformance`."""

import asyncio
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import structlog

from telecine import clock
from telecine.domains.encodings import explanations, objects, queries
from telecine.domains.encodings.handlers.bench import Bench, Material
from telecine.domains.encodings.jobs import CheckAsset
from telecine.domains.encodings.models import Asset, AssetState, Rendition, RenditionState
from telecine.domains.encodings.queries import lock_asset
from telecine.domains.sources.models import Source
from telecine.ffmpeg.runner import MediaError, RunnerError
from telecine.formats.mp4.fragment import Moof, Samples, mdat_header, read_moof
from telecine.pipeline import conformance
from telecine.pipeline.conformance import HEAD_BYTES, Check, Rates, Track
from telecine.pipeline.model import Plan
from telecine.pipeline.segment_index import SegmentIndex
from telecine.pipeline.similarity import SAMPLE, WHOLE, Extent, compare, sampled_segment
from telecine.pipeline.stored_index import StoredIndex
from telecine.storage.store import OutOfSpace, StoreError

log = structlog.get_logger()

_SOUND = "Sound is not compared."
_COPIED = "These are the pictures of the source: there is nothing to compare."


async def check_asset(bench: Bench, job: CheckAsset) -> None:
    """Look at every finished rendition and write the report; a newer one replaces it."""
    found = await bench.asset(job.asset_id)
    if found is None or found[0].state != AssetState.PLANNED:
        return
    asset, source = found
    async with bench.step(asset, "report") as detail:
        material = await bench.material(asset)
        async with bench.db.transaction() as tx:
            rows = [
                row
                for row in await queries.renditions_of(tx, asset.id)
                if row.state == RenditionState.ENCODED
            ]
        reports, whole = [], bool(job.compared)
        for row in rows:
            checks = await _checks(bench, asset, source, material.plan, row)
            compared, remark = await _likeness(bench, source, material, row, whole=whole)
            reports.append(_report(row, checks, compared, remark))
        passed = all(report["passed"] for report in reports)
        async with bench.db.transaction() as tx:
            locked = await lock_asset(tx, asset.id)
            if locked is not None:
                locked.report = {
                    "created_at": clock.now().isoformat(),
                    "passed": passed,
                    "compared": whole,
                    "renditions": reports,
                }
        detail |= {"passed": passed, "renditions": len(reports)}


def _report(
    row: Rendition, checks: Sequence[Check], compared: Sequence[dict[str, Any]], remark: str | None
) -> dict[str, Any]:
    return {
        "name": row.name,
        "passed": all(check.passed for check in checks),
        "checks": [asdict(check) for check in checks],
        "comparisons": list(compared),
        "remark": remark,
    }


async def _checks(
    bench: Bench, asset: Asset, source: Source, plan: Plan, row: Rendition
) -> list[Check]:
    track = await (_copied(bench, asset, source, row) if row.passthrough else _encoded(bench, row))
    declared = Rates(row.peak_bps or 0, row.average_bps or 0)
    # Tables of hours of media: not on the event loop.
    if row.name == queries.AUDIO:
        return await asyncio.to_thread(conformance.check_audio, plan, track, declared)
    rendition = plan.rendition(row.name)
    return await asyncio.to_thread(conformance.check_video, plan, rendition, track, declared)


async def _encoded(bench: Bench, row: Rendition) -> Track:
    """Read the `moof` of every piece again: the index was made of them once."""
    index = StoredIndex.from_bytes(await bench.store.read(row.index_key or ""))
    moofs, heads = [], []
    video = row.name != queries.AUDIO
    for piece in range(len(index.piece_bytes)):
        key = index.keys[int(index.piece_object[piece])]
        start, payload = int(index.piece_offset[piece]), int(index.piece_payload[piece])
        end = start + min(int(index.piece_bytes[piece]), payload + (HEAD_BYTES if video else 0))
        data = await bench.store.read(key, start, end)
        moofs.append(read_moof(data[: payload - len(mdat_header(0))]))
        heads.append(data[payload:])
    return Track(row.init or b"", moofs, index.piece_bytes.tolist(), heads)


async def _copied(bench: Bench, asset: Asset, source: Source, row: Rendition) -> Track:
    video = row.name != queries.AUDIO
    key = objects.passthrough_key(asset.prefix, "video" if video else "audio", asset.revision)
    index = SegmentIndex.from_bytes(memoryview(await bench.store.read(key)))
    reader = bench.source(source)
    moofs: list[Moof] = []
    sizes, heads = [], []
    for number in range(len(index)):
        segment = index.segment(number)
        moofs.append(read_moof(segment.moof))
        sizes.append(segment.size_bytes)
        first: Samples = moofs[-1].samples
        size = min(HEAD_BYTES, int(first.sizes[0])) if video else 0
        heads.append(await reader.read(segment.ranges[0][0], size) if size else b"")
    return Track(row.init or b"", moofs, sizes, heads)


async def _likeness(
    bench: Bench, source: Source, material: Material, row: Rendition, *, whole: bool
) -> tuple[list[dict[str, Any]], str | None]:
    """Compare samples with the source; return what was found, and why not more.

    What is promised is told apart from how it looks: a comparison that cannot be made is no
    reason to go without a report.
    """
    if row.name == queries.AUDIO:
        return [], _SOUND
    if row.passthrough:
        return [], _COPIED
    found: list[dict[str, Any]] = []
    try:
        await _compare(bench, source, material, row, found, whole=whole)
    except (MediaError, RunnerError) as error:
        failure = str(error)
    except OutOfSpace as error:  # for a local copy of the source
        failure = f"out-of-space: {error}"
    except StoreError as error:
        failure = f"source: {error}"
    else:
        return found, None
    log.warning("not compared", quality=row.name, reason=failure)
    return found, explanations.plain(failure)


async def _compare(
    bench: Bench,
    source: Source,
    material: Material,
    row: Rendition,
    found: list[dict[str, Any]],
    *,
    whole: bool,
) -> None:
    """Add to `found` the first, the middle and the last segment, or a sample of one."""
    plan, video = material.plan, material.probe.video
    segments = {0, plan.segments // 2, plan.segments - 1}
    if not whole:
        segments = {sampled_segment(plan, () if video is None else video.key_frames)}
    extent = WHOLE if whole else SAMPLE
    index = StoredIndex.from_bytes(await bench.store.read(row.index_key or ""))
    for segment in sorted(segments):
        encoded = [row.init or b""]
        for key, offset, size in index.ranges(*_pieces(plan, segment, extent)):
            encoded.append(await bench.store.read(key, offset, offset + size))
        async with bench.encodable(source, material) as reader:
            likeness = await compare(
                bench.runner,
                reader,
                material.samples,
                material.probe,
                plan,
                plan.rendition(row.name),
                segment,
                b"".join(encoded),
                watermarks=material.watermarks,
                extent=extent,
                brake=bench.brake,
            )
        found.append({"segment": segment, **asdict(likeness)})


def _pieces(plan: Plan, segment: int, extent: Extent) -> tuple[int, int]:
    """Return the pieces [first, end) that show what is compared of a segment."""
    end_frame = extent.end_frame(*plan.segment_frames(segment))
    return plan.segment_pieces[segment], bisect_left(plan.piece_cuts, end_frame)
