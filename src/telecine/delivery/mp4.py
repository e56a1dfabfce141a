"""The MP4 download: computed, never stored.

A `moov` is made from the sample tables of the top quality and the audio, and
followed by byte ranges of what is stored already. Length, ETag and ranges are exact.
"""

import asyncio
from dataclasses import dataclass
from itertools import pairwise
from uuid import UUID

import numpy as np

from telecine.delivery.media import AssetView, RenditionView
from telecine.delivery.parts import Part, StoredRange, out_of_file
from telecine.delivery.segments import Segments
from telecine.domains.encodings.queries import AUDIO
from telecine.formats.mp4.fragment import Samples, read_init, read_moof
from telecine.formats.mp4.progressive import ProgressiveTrack, layout
from telecine.last_used import LastUsed

_KEPT = 4  # a two-hour video's tables and ranges are some ten megabytes


@dataclass(frozen=True, slots=True)
class _Source:
    """All samples of a rendition; per segment their number and where they lie."""

    samples: Samples
    start_ticks: int
    counts: list[int]
    ranges: list[list[Part]]


class Downloads:
    """MP4 files of the assets that this process serves."""

    def __init__(self, segments: Segments) -> None:
        self._segments = segments
        self._kept = LastUsed[UUID, list[Part]](_KEPT)
        self._making = asyncio.Lock()

    async def parts(self, asset: AssetView) -> list[Part] | None:
        """Return the file, None while the top quality or the audio is not complete."""
        if not asset.plan.renditions:
            return None
        names = [asset.plan.renditions[-1].name] + ([AUDIO] if asset.plan.audio else [])
        views = [asset.renditions[name] for name in names]
        if not all(view.stored for view in views):
            return None
        kept = self._kept.get(asset.id)
        if kept is None:
            async with self._making:
                kept = self._kept.get(asset.id) or await self._make(asset, views)
            self._kept.put(asset.id, kept)
        return kept

    async def _make(self, asset: AssetView, views: list[RenditionView]) -> list[Part]:
        sources = [
            await self._copied(asset, view)
            if view.passthrough
            else await self._encoded(asset, view)
            for view in views
        ]
        return await asyncio.to_thread(_join, views, sources)

    async def _encoded(self, asset: AssetView, view: RenditionView) -> _Source:
        if view.index_key is None:
            msg = f"rendition {view.id} is encoded but has no index"
            raise RuntimeError(msg)
        index = await self._segments.stored_index(view.id, view.index_key)
        if view.name == AUDIO:
            edges = list(range(asset.plan.segments + 1))
        else:
            edges = list(asset.plan.segment_pieces)
        counts: list[int] = []
        ranges: list[list[Part]] = []
        for first, end in pairwise(edges):
            counts.append(int(index.piece_samples[first:end].sum()))
            ranges.append(
                [
                    StoredRange(
                        index.keys[int(index.piece_object[piece])],
                        int(index.piece_offset[piece]) + int(index.piece_payload[piece]),
                        int(index.piece_bytes[piece]) - int(index.piece_payload[piece]),
                    )
                    for piece in range(first, end)
                ]
            )
        samples = Samples(
            sizes=index.sizes.astype(np.int64),
            durations=index.durations.astype(np.int64),
            composition_offsets=index.composition_offsets.astype(np.int64),
            keyframes=index.keyframes.astype(bool),
        )
        return _Source(samples, int(index.piece_time[0]), counts, ranges)

    async def _copied(self, asset: AssetView, view: RenditionView) -> _Source:
        index = await self._segments.source_index(asset, AUDIO if view.name == AUDIO else "video")
        counts, ranges, tables = [], [], []
        start_ticks = 0
        for number in range(len(index)):
            segment = index.segment(number)
            moof = read_moof(segment.moof)
            start_ticks = moof.decode_time if number == 0 else start_ticks
            tables.append(moof.samples)
            counts.append(len(moof.samples.sizes))
            ranges.append(out_of_file(asset.source, segment.table, segment.payload_bytes))
        samples = Samples(
            sizes=np.concatenate([table.sizes for table in tables]),
            durations=np.concatenate([table.durations for table in tables]),
            composition_offsets=np.concatenate([t.composition_offsets for t in tables]),
            keyframes=np.concatenate([table.keyframes for table in tables]),
        )
        return _Source(samples, start_ticks, counts, ranges)


def _join(views: list[RenditionView], sources: list[_Source]) -> list[Part]:
    """Return head and ranges: a segment's pictures, then its sound, and so on."""
    tracks = []
    for view, source in zip(views, sources, strict=True):
        init = read_init(view.init or b"")
        tracks.append(
            ProgressiveTrack(
                video=view.name != AUDIO,
                stsd=init.stsd,
                timescale=init.timescale,
                width_px=init.width_px,
                height_px=init.height_px,
                sizes=source.samples.sizes,
                durations=source.samples.durations,
                composition_offsets=source.samples.composition_offsets,
                keyframes=source.samples.keyframes,
                start_ticks=source.start_ticks,
                chunks=source.counts,
            )
        )
    head = layout(tracks)
    parts: list[Part] = [head.head]
    for chunk in head.chunks:
        parts += sources[chunk.track].ranges[chunk.number]
    return parts
