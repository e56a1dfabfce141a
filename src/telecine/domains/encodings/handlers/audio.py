"""The audio rendition of sources whose audio cannot be copied."""

import numpy as np

from telecine.domains.encodings import explanations, objects, queries
from telecine.domains.encodings.handlers.bench import Bench, stored_pieces
from telecine.domains.encodings.jobs import EncodeAudio
from telecine.domains.encodings.models import AssetState
from telecine.domains.encodings.recording import StoredRun, record_runs
from telecine.domains.encodings.remarks import remark
from telecine.formats.mp4.fragment import Samples, fragment
from telecine.pipeline.audio import encode_audio
from telecine.pipeline.model import Plan
from telecine.pipeline.spans import PACKET_SAMPLES, audio_runs, audio_spans


async def encode_audio_span(bench: Bench, job: EncodeAudio) -> None:
    """Encode one span and store it as runs of about ten seconds."""
    found = await bench.asset(job.asset_id)
    if found is None or found[0].state != AssetState.PLANNED:
        return
    asset, source = found
    material = await bench.material(asset)
    plan = material.plan
    if plan.audio is None or plan.audio.passthrough:
        return
    first, end = audio_spans(plan)[job.span]
    async with bench.db.transaction() as tx:
        rows = await queries.renditions_of(tx, asset.id)
    rendition = next(row for row in rows if row.name == queries.AUDIO)
    held = (await stored_pieces(bench, asset)).get(rendition.id, set())
    missing = set(range(first, min(end, bench.arrived(plan, source)))) - held
    if rendition.index_key is not None or not missing:
        return
    first, end = min(missing), max(missing) + 1
    async with bench.step(asset, f"audio {job.span}") as detail:
        packets = plan.audio.segment_packets
        async with bench.spool.local(bench.source(source)) as reader:
            encoded = await encode_audio(
                bench.runner, reader, material.probe, plan, packets[first], packets[end]
            )
        runs = []
        for start, stop in audio_runs(plan, first, end):
            fragments = [
                _segment(plan, number, encoded.packets, packets[first])
                for number in range(start, stop)
            ]
            key = objects.run_key(asset.prefix, queries.AUDIO, start)
            await bench.store.put(key, b"".join(fragments))
            sizes = tuple(len(data) for data in fragments)
            runs.append(StoredRun(rendition.id, start, key, encoded.init, sizes))
        async with bench.db.transaction() as tx:
            unused = await record_runs(tx, asset.id, runs)
            if encoded.concealed:
                await remark(tx, asset.id, explanations.DAMAGED)
        await bench.store.delete(unused)
        detail |= {"packets": len(encoded.packets), "damaged": encoded.concealed}


def _segment(plan: Plan, number: int, packets: list[bytes], origin: int) -> bytes:
    """Return segment `number` as one fragment; `packets` start at packet `origin`."""
    if plan.audio is None:
        msg = "the plan has no audio"
        raise ValueError(msg)
    first, end = plan.audio.segment_packets[number], plan.audio.segment_packets[number + 1]
    chosen = packets[first - origin : end - origin]
    samples = Samples(
        sizes=np.array([len(packet) for packet in chosen], dtype=np.int64),
        durations=np.full(len(chosen), PACKET_SAMPLES, dtype=np.int64),
        composition_offsets=np.zeros(len(chosen), dtype=np.int64),
        keyframes=np.ones(len(chosen), dtype=bool),
    )
    return fragment(number + 1, first * PACKET_SAMPLES, samples, b"".join(chosen), video=False)
