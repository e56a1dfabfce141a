"""From a complete source to a playable asset."""

import asyncio
from fractions import Fraction
from typing import Any

import structlog

from telecine.domains.encodings import explanations, objects, queries
from telecine.domains.encodings.handlers.bench import Bench
from telecine.domains.encodings.jobs import ProbeAsset
from telecine.domains.encodings.models import Asset, AssetState
from telecine.domains.encodings.recording import PassthroughFacts, record_plan
from telecine.domains.encodings.remarks import remark
from telecine.domains.watermarks import lengths
from telecine.pipeline import passthrough
from telecine.pipeline.clip import Clip, clipped
from telecine.pipeline.codec import plan_to_json, probe_to_json
from telecine.pipeline.model import Plan, Probe
from telecine.pipeline.plan import PlanOptions
from telecine.pipeline.plan import plan as make_plan
from telecine.pipeline.probe import Probed
from telecine.pipeline.sample_index import SampleIndex
from telecine.pipeline.spans import audio_spans

log = structlog.get_logger()


async def probe_asset(bench: Bench, job: ProbeAsset) -> None:
    """Probe the source, plan, write the immutable objects, make the video playable."""
    found = await bench.asset(job.asset_id)
    if found is None or found[0].state != AssetState.PROBING:
        return
    asset, source = found
    async with bench.step(asset, "probe") as detail:
        reader = bench.source(source)
        probed = clip_probed(asset, await bench.prober.probe(reader, source.file_name))
        plan = make_plan(probed.probe, plan_options(bench, asset))
        facts = await store_objects(bench, asset, probed, plan)
        async with bench.db.transaction() as tx:
            await record_plan(
                tx,
                asset.id,
                plan,
                len(audio_spans(plan)),
                facts,
                summary(probed.probe, plan),
                float(shown_s(probed.probe, plan)),
            )
            if probed.probe.truncated:
                await remark(tx, asset.id, explanations.CUT_OFF)
        detail |= {
            "container": probed.probe.container,
            "qualities": [rendition.name for rendition in (*plan.renditions, *plan.extra)],
            "passthrough": [r.name for r in plan.renditions if r.passthrough],
            "obstacles": [*probed.probe.video_obstacles, *probed.probe.audio_obstacles],
            "truncated": probed.probe.truncated,
        }
    log.info("playable", video=asset.public_id, asset=str(asset.id), **detail)


def clip_probed(asset: Asset, probed: Probed) -> Probed:
    """Return what is kept of the source. Raises MediaError if that is nothing."""
    start_ms, end_ms = (asset.options.get(f"clip_{edge}_ms") for edge in ("start", "end"))
    if start_ms is None and end_ms is None:
        return probed
    stored, samples = probed.sample_index, None
    if stored is not None:
        samples = SampleIndex.from_bytes(memoryview(stored))
    clip = Clip(start_ms=start_ms or 0, end_ms=end_ms)
    probe, kept = clipped(probed.probe, samples, clip)
    return Probed(probe, None if kept is None else kept.to_bytes())


def plan_options(bench: Bench, asset: Asset) -> PlanOptions:
    """Return what the owner's wishes mean for the planner."""
    options = asset.options
    return PlanOptions(
        limit_s=options.get("limit_s"),
        watermarked=bool(options.get("sandbox_mark")),
        watermarks=tuple(lengths.watermark(each) for each in options.get("watermarks", ())),
        extra_codecs=bench.extra_codecs,
    )


async def store_objects(
    bench: Bench, asset: Asset, probed: Probed, plan: Plan, revision: str = ""
) -> dict[str, PassthroughFacts]:
    """Write plan, probe and indexes; return what is known of passthrough renditions."""
    folder = asset.prefix
    made: dict[str, bytes] = {
        objects.probe_key(folder, revision): probe_to_json(probed.probe),
        objects.plan_key(folder, revision): plan_to_json(plan),
    }
    facts: dict[str, PassthroughFacts] = {}
    # Each is durable by itself: together they wait for the disk once, not five times, and
    # the largest goes there while the others are made.
    try:
        async with asyncio.TaskGroup() as group:
            if probed.sample_index is not None:
                made[objects.samples_key(folder, revision)] = probed.sample_index
            for key, data in made.items():
                group.create_task(bench.store.put(key, data))
            for name, kind in _copied(probed, plan).items():
                samples = SampleIndex.from_bytes(memoryview(probed.sample_index or b""))
                data, facts[name] = await asyncio.to_thread(_segments, plan, samples, kind)
                key = objects.passthrough_key(folder, kind, revision)
                group.create_task(bench.store.put(key, data))
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from failed  # the step's reason is one sentence
    return facts


def _copied(probed: Probed, plan: Plan) -> dict[str, str]:
    """Return the kind of each rendition that is cut out of the source."""
    if probed.sample_index is None:
        return {}
    copied = {r.name: "video" for r in plan.renditions if r.passthrough}
    if plan.audio is not None and plan.audio.passthrough:
        copied[queries.AUDIO] = "audio"
    return copied


def _segments(plan: Plan, samples: SampleIndex, kind: str) -> tuple[bytes, PassthroughFacts]:
    data = passthrough.segment_index(plan, samples, kind)
    return data, _facts(data, samples, kind)


def _facts(data: bytes, samples: SampleIndex, kind: str) -> PassthroughFacts:
    index = passthrough.SegmentIndex.from_bytes(memoryview(data))
    make_init = passthrough.video_init if kind == "video" else passthrough.audio_init
    peak_bps, average_bps = index.rates_bps()
    return PassthroughFacts(make_init(samples), peak_bps, average_bps)


def shown_s(probe: Probe, plan: Plan) -> Fraction:
    """Return how much of a source is shown: in the sandbox not all of it."""
    return min(probe.duration_s, plan.length_s)


def summary(probe: Probe, plan: Plan) -> dict[str, Any]:
    """Return the source's description with the keys of the API's `encoding.metadata`.

    Rates are kbit/s, the frame rate whole frames; the duration, in whole seconds, is what is
    shown of it.
    """
    video, audio = probe.video, probe.audio
    shape = Fraction(video.width_px, video.height_px) if video else None
    return {
        "width": video.width_px if video else None,
        "height": video.height_px if video else None,
        "bitrate": round(probe.bit_rate_bps / 1000, 3),
        "duration": round(shown_s(probe, plan)),
        "framerate": round(video.frame_rate) if video else None,
        "samplerate": audio.sample_rate_hz if audio else None,
        "videoCodec": video.codec if video else None,
        "audioCodec": audio.codec if audio else None,
        "aspectRatio": f"{shape.numerator}/{shape.denominator}" if shape else None,
    }
