"""Sources that still arrive: play what is there, and end well when all of it is."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import structlog

from telecine import clock, ids
from telecine.domains.encodings import growing, objects
from telecine.domains.encodings.handlers.bench import Bench
from telecine.domains.encodings.handlers.probe import (
    clip_probed,
    plan_options,
    shown_s,
    store_objects,
    summary,
)
from telecine.domains.encodings.jobs import GrowAsset
from telecine.domains.encodings.models import Asset, AssetState, Growth
from telecine.domains.encodings.operations import NORMAL
from telecine.domains.encodings.recording import record_plan
from telecine.domains.sources.models import Source
from telecine.ffmpeg.runner import RunnerError
from telecine.jobs import queue
from telecine.jobs.worker import PermanentFailure
from telecine.pipeline.arrival import NotIndexedError, segment_bytes
from telecine.pipeline.grown_plan import disagreement, grown_plan
from telecine.pipeline.model import Plan
from telecine.pipeline.plan import plan as make_plan
from telecine.pipeline.probe import NotYetError, Probed
from telecine.pipeline.sample_index import SampleIndex
from telecine.pipeline.spans import audio_spans
from telecine.storage.store import StoreError

log = structlog.get_logger()

_PAUSE_S = 1.0
_PAUSE_FACTOR = 10
"""A look that took long is not repeated soon: looking costs a tenth of a core at most."""

_LEAST_BYTES = 1 << 14
_NEVER = 1 << 62  # bytes that no file has


async def grow_asset(bench: Bench, job: GrowAsset) -> None:
    """Go on with an asset whose source has grown, or end it where the source is complete."""
    found = await bench.asset(job.asset_id)
    if found is None or found[0].growth != Growth.OPEN:
        return
    asset, source = found
    if source.completed_at is not None:
        await _end(bench, asset, source)
    elif asset.look_at is not None and asset.look_at > clock.now():
        async with bench.db.transaction() as tx:
            await queue.enqueue(tx, job, priority=NORMAL, not_before=asset.look_at)
    elif bench.source(source).size_bytes >= _LEAST_BYTES and await _is_new(bench, asset, source):
        await _look(bench, asset, source)


async def _is_new(bench: Bench, asset: Asset, source: Source) -> bool:
    """Tell whether there is what the last look was waiting for."""
    if bench.source(source).size_bytes >= asset.look_from_bytes:
        return True
    apart = await bench.apart(source, asset.look_from_bytes - 1)
    return apart is not None and apart.start < asset.look_from_bytes <= apart.end


async def _look(bench: Bench, asset: Asset, source: Source) -> None:
    """See what can be played; whatever goes wrong is nothing to the upload."""
    started_s, size_bytes = clock.monotonic_s(), bench.source(source).size_bytes
    try:
        async with bench.step(asset, "early look") as detail:
            if asset.state == AssetState.PROBING:
                look_from_bytes = await _begin(bench, asset, source, detail)
            else:
                look_from_bytes = await _go_on(bench, asset, source, detail)
    except (PermanentFailure, RunnerError, StoreError, OSError) as error:
        look_from_bytes = 2 * size_bytes
        log.info("not played while it arrives", video=asset.public_id, reason=str(error))
    pause_s = max(_PAUSE_S, _PAUSE_FACTOR * (clock.monotonic_s() - started_s))
    look_at = clock.now() + timedelta(seconds=pause_s)
    async with bench.db.transaction() as tx:
        await growing.note_look(tx, asset.id, look_at, look_from_bytes)


async def _begin(bench: Bench, asset: Asset, source: Source, detail: dict[str, Any]) -> int:
    """Make an asset playable if what is there tells enough.

    Returns how many bytes must be there before it is of use to look again.
    """
    reader, apart = bench.source(source), await bench.apart(source, asset.look_from_bytes - 1)
    try:
        probed = await bench.prober.probe(reader, source.file_name, whole=False, apart=apart)
        probed, plan = _planned(bench, asset, probed)
    except NotYetError as error:
        detail["waits_for"] = error.detail
        return error.until_bytes
    arrived = plan.arrived_segments(reader.size_bytes)
    if arrived == 0:
        detail["waits_for"] = "the first segment"
        return plan.segment_bytes[0] if plan.segment_bytes else reader.size_bytes + 1
    revision = ids.nonce()
    facts = await store_objects(bench, asset, probed, plan, revision)
    async with bench.db.transaction() as tx:
        locked = await growing.lock_growing(tx, asset.id)
        if locked is not None and locked[0].revision == asset.revision:
            locked[0].revision = revision
            await record_plan(
                tx,
                asset.id,
                plan,
                sum(first < arrived for first, _ in audio_spans(plan)),
                facts,
                summary(probed.probe, plan),
                float(shown_s(probed.probe, plan)),
                arrived=arrived,
            )
        else:
            locked = None
    if locked is None:  # it came to its end meanwhile, of whatever kind
        await bench.store.delete(objects.of_revision(asset.prefix, revision))
        return _NEVER
    detail |= {"segments": arrived, "container": probed.probe.container}
    log.info("playable while it arrives", video=asset.public_id, **detail)
    return reader.size_bytes + 1


def _planned(bench: Bench, asset: Asset, probed: Probed) -> tuple[Probed, Plan]:
    """Return what is kept of a source, and the plan of it. Raises NotYetError."""
    if probed.probe.known_s is not None:
        if asset.options.get("clip_start_ms") or asset.options.get("clip_end_ms"):
            raise NotYetError("where a clip lies is known at the end", _NEVER)
        return probed, grown_plan(probed.probe, plan_options(bench, asset))
    probed = clip_probed(asset, probed)
    plan = make_plan(probed.probe, plan_options(bench, asset))
    try:
        samples = SampleIndex.from_bytes(memoryview(probed.sample_index or b""))
        return probed, replace(plan, segment_bytes=segment_bytes(plan, samples))
    except NotIndexedError as error:
        raise NotYetError(str(error), _NEVER) from error


async def _go_on(bench: Bench, asset: Asset, source: Source, detail: dict[str, Any]) -> int:
    """Note what has arrived since."""
    material, reader = await bench.material(asset), bench.source(source)
    plan = material.plan
    if not plan.grown:
        arrived = plan.arrived_segments(reader.size_bytes)
        async with bench.db.transaction() as tx:
            locked = await growing.lock_growing(tx, asset.id)
            if locked is not None and arrived > locked[0].arrived:
                await growing.record_arrival(tx, locked[0], plan, arrived)
        detail |= {"segments": arrived, "of": plan.segments}
        return reader.size_bytes + 1
    probed = await bench.prober.probe(
        reader, source.file_name, whole=False, given_rate=plan.frame_rate
    )
    different = disagreement(material.probe, probed.probe, plan)
    if different is not None:
        detail["waits_for"] = f"the end: not the same {different} as before"
        return _NEVER
    longer = grown_plan(probed.probe, plan_options(bench, asset), plan)
    if longer.segments > plan.segments:
        await _lengthen(bench, asset, probed, longer, ended=False)
    detail["segments"] = longer.segments
    return reader.size_bytes + 1


async def _lengthen(bench: Bench, asset: Asset, probed: Probed, plan: Plan, *, ended: bool) -> bool:
    """Store and record a longer plan; False: others were quicker."""
    revision = ids.nonce()
    await store_objects(bench, asset, probed, plan, revision)
    told = growing.Probed(summary(probed.probe, plan), float(shown_s(probed.probe, plan)))
    unused = revision
    async with bench.db.transaction() as tx:
        locked = await growing.lock_growing(tx, asset.id)
        if locked is not None and locked[0].revision == asset.revision:
            unused = await growing.record_longer(tx, locked[0], plan, revision, told)
            if ended:
                await growing.record_end(tx, locked[0], plan)
            else:
                await growing.record_arrival(tx, locked[0], plan, plan.segments)
    if unused:
        await bench.store.delete(objects.of_revision(asset.prefix, unused))
    return unused != revision


async def _is_as_promised(bench: Bench, asset: Asset, source: Source) -> bool:
    """Tell whether all samples lie in the whole source where its index said."""
    probed = await bench.prober.probe(bench.source(source), source.file_name)
    key = objects.samples_key(asset.prefix, asset.revision)
    return clip_probed(asset, probed).sample_index == await bench.store.read(key)


async def _end(bench: Bench, asset: Asset, source: Source) -> None:
    """The source is complete: end what was played, or begin anew if it was promised wrongly."""
    async with bench.step(asset, "end of the upload") as detail:
        material, reader = await bench.material(asset), bench.source(source)
        plan, different = material.plan, None
        if plan.grown:
            probed = await bench.prober.probe(reader, source.file_name, given_rate=plan.frame_rate)
            different = disagreement(material.probe, probed.probe, plan)
            if different is None:
                whole = grown_plan(probed.probe, plan_options(bench, asset), plan)
                if not await _lengthen(bench, asset, probed, whole, ended=True):
                    raise RunnerError("overtaken", "another look was recorded meanwhile")
        elif not await _is_as_promised(bench, asset, source):
            different = "index"
        if different is not None or not plan.grown:
            async with bench.db.transaction() as tx:
                locked = await growing.lock_growing(tx, asset.id)
                if locked is not None and different is None:
                    await growing.record_end(tx, locked[0], plan)
                elif locked is not None:
                    await growing.replace(tx, *locked)
        detail["cut_anew_for"] = different
    log.info("ended", video=asset.public_id, **detail)
