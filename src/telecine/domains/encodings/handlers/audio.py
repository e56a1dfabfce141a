"""The audio rendition of sources whose audio cannot be copied."""

from collections.abc import Callable, Iterator
from itertools import groupby
from typing import Any

import numpy as np

from telecine.domains.encodings import explanations, objects, queries, wants
from telecine.domains.encodings.handlers.bench import Bench, stored_pieces
from telecine.domains.encodings.jobs import EncodeAudio
from telecine.domains.encodings.models import Asset, AssetState, Rendition
from telecine.domains.encodings.recording import StoredRun, record_runs
from telecine.domains.encodings.remarks import remark
from telecine.domains.sources.models import Source
from telecine.formats.mp4.fragment import Samples, fragment
from telecine.pipeline.audio import encode_audio, init_segment
from telecine.pipeline.model import AudioRendition, Plan
from telecine.pipeline.spans import PACKET_SAMPLES, audio_runs, audio_spans

_NICENESS = 5  # a little of it is enough for a while, and comes soon

OnStored = Callable[[], None]


async def encode_audio_span(bench: Bench, job: EncodeAudio) -> None:
    """Encode one span and store it as runs of about ten seconds, each as soon as it is made."""
    found = await bench.asset(job.asset_id)
    if found is None or found[0].state != AssetState.PLANNED:
        return
    asset, source = found
    plan = (await bench.material(asset)).plan
    if plan.audio is None or plan.audio.passthrough:
        return
    async with bench.db.transaction() as tx:
        rows = await queries.renditions_of(tx, asset.id)
    rendition = next(row for row in rows if row.name == queries.AUDIO)
    first, end = audio_spans(plan)[job.span]
    if not await _missing(bench, asset, source, rendition, (first, end)):
        return
    async with bench.step(asset, f"audio {job.span}") as detail:
        await fill_audio(bench, asset, source, rendition, (first, end), detail, niceness=_NICENESS)


async def fill_audio(
    bench: Bench,
    asset: Asset,
    source: Source,
    rendition: Rendition,
    segments: tuple[int, int],
    detail: dict[str, Any],
    on_stored: OnStored | None = None,
    niceness: int = 0,
) -> None:
    """Encode what is missing of segments [first, end); tell `detail` of it.

    `on_stored` is called behind each run: its segments are no longer wanted then.
    """
    material = await bench.material(asset)
    plan = material.plan
    detail |= {"packets": 0, "damaged": 0}
    missing = await _missing(bench, asset, source, rendition, segments)
    for first, end in _stretches(missing):
        runs = _Runs(bench, asset, rendition, plan, (first, end), on_stored)
        packets = runs.audio.segment_packets
        async with bench.spool.local(bench.source(source)) as reader:
            encoded = await encode_audio(
                bench.runner,
                reader,
                material.probe,
                plan,
                packets[first],
                packets[end],
                on_packets=runs.take,
                niceness=niceness,
            )
        detail["packets"] += len(encoded.packets)
        detail["damaged"] += encoded.concealed
    if detail["damaged"]:
        async with bench.db.transaction() as tx:
            await remark(tx, asset.id, explanations.DAMAGED)


class _Runs:
    """Takes packets as they are made and stores the runs that they complete."""

    def __init__(
        self,
        bench: Bench,
        asset: Asset,
        rendition: Rendition,
        plan: Plan,
        segments: tuple[int, int],
        on_stored: OnStored | None,
    ) -> None:
        if plan.audio is None:
            msg = "the plan has no audio"
            raise ValueError(msg)
        self.audio: AudioRendition = plan.audio
        self._bench = bench
        self._asset = asset
        self._rendition = rendition
        self._on_stored = on_stored
        self._left = audio_runs(plan, *segments)
        self._packets: list[bytes] = []
        self._init = init_segment(plan.audio)

    async def take(self, packets: list[bytes]) -> None:
        self._packets += packets
        while self._left:
            first, end = self._left[0]
            needed = self.audio.segment_packets[end] - self.audio.segment_packets[first]
            if len(self._packets) < needed:
                return
            await self._store(first, end, self._packets[:needed])
            del self._packets[:needed], self._left[0]

    async def _store(self, first: int, end: int, packets: list[bytes]) -> None:
        fragments = [
            audio_segment(self.audio, number, packets, first) for number in range(first, end)
        ]
        key = objects.run_key(self._asset.prefix, queries.AUDIO, first)
        await self._bench.store.put(key, b"".join(fragments))
        sizes = tuple(len(data) for data in fragments)
        run = StoredRun(self._rendition.id, first, key, self._init, sizes)
        async with self._bench.db.transaction() as tx:
            unused = await record_runs(tx, self._asset.id, [run])
            await wants.done(tx, self._rendition.id, first, end - 1)
        await self._bench.store.delete(unused)
        if self._on_stored is not None:
            self._on_stored()


async def _missing(
    bench: Bench, asset: Asset, source: Source, rendition: Rendition, segments: tuple[int, int]
) -> list[int]:
    """Return the segments of [first, end) that have arrived and are not stored, in order."""
    if rendition.index_key is not None:
        return []
    plan = (await bench.material(asset)).plan
    first, end = segments
    held = (await stored_pieces(bench, asset)).get(rendition.id, set())
    return sorted(set(range(first, min(end, bench.arrived(plan, source)))) - held)


def _stretches(segments: list[int]) -> Iterator[tuple[int, int]]:
    """Give the stretches [first, end) that segments in order are made of."""
    for _, group in groupby(enumerate(segments), lambda each: each[1] - each[0]):
        numbers = [number for _, number in group]
        yield numbers[0], numbers[-1] + 1


def audio_segment(audio: AudioRendition, number: int, packets: list[bytes], begin: int) -> bytes:
    """Return segment `number` as one fragment; `packets` begin with segment `begin`."""
    origin = audio.segment_packets[begin]
    first, end = audio.segment_packets[number : number + 2]
    chosen = packets[first - origin : end - origin]
    samples = Samples(
        sizes=np.array([len(packet) for packet in chosen], dtype=np.int64),
        durations=np.full(len(chosen), PACKET_SAMPLES, dtype=np.int64),
        composition_offsets=np.zeros(len(chosen), dtype=np.int64),
        keyframes=np.ones(len(chosen), dtype=bool),
    )
    return fragment(number + 1, first * PACKET_SAMPLES, samples, b"".join(chosen), video=False)
