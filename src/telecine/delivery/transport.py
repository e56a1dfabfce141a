"""The MPEG-TS view of a segment: sound and picture in one stream, for old receivers.

Made on request from the very samples that are stored as CMAF; never stored itself.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from telecine.delivery.body import stream_parts
from telecine.delivery.media import AssetView, RenditionView
from telecine.delivery.segments import Found, Segments
from telecine.delivery.wishes import Departure
from telecine.domains.encodings.queries import AUDIO
from telecine.formats.codecs.aac import parse_esds
from telecine.formats.codecs.h264 import parse_avcc
from telecine.formats.errors import FormatError
from telecine.formats.mp4.fragment import Fragment, FragmentSplitter, read_init, read_moof
from telecine.formats.mp4.sample_entry import entry_box
from telecine.formats.mpegts.muxer import CLOCK_HZ, Audio, Sample, Video, segment
from telecine.pipeline.model import Plan
from telecine.storage.store import Store


@dataclass(frozen=True, slots=True)
class _Track:
    """Init segment and fragments of one rendition's segment."""

    init: bytes
    data: bytes


class TransportView:
    """Makes transport segments of what `segments` finds."""

    def __init__(self, segments: Segments, store: Store) -> None:
        self._segments = segments
        self._store = store

    async def segment(
        self,
        asset: AssetView,
        rendition: RenditionView,
        number: int,
        departure: Departure | None = None,
    ) -> bytes:
        """Return a segment of a rendition with its sound. Raises NotStoredYet."""
        video = None if rendition.name == AUDIO else rendition
        sound = asset.renditions.get(AUDIO)
        tracks = []
        for view in (video, sound):
            track = None
            if view is not None:
                found = await self._segments.get(asset, view, number, departure)
                data = await self._bytes(found)
                track = _Track(await self._segments.init(asset, view), data)
            tracks.append(track)
        return await asyncio.to_thread(_mux, asset.plan, number, *tracks)

    async def _bytes(self, found: Found) -> bytes:
        pieces = [piece async for piece in stream_parts(self._store, found.parts)]
        if found.rest is not None:
            async for part in found.rest:
                pieces += [piece async for piece in stream_parts(self._store, [part])]
        return b"".join(pieces)


def _mux(plan: Plan, number: int, video: _Track | None, audio: _Track | None) -> bytes:
    return segment(
        number,
        None if video is None else _video(plan, video),
        None if audio is None else _audio(audio),
    )


def _video(plan: Plan, track: _Track) -> Video:
    init = read_init(track.init)
    config = entry_box(init.stsd, b"avcC", video=True)
    if config is None:
        raise FormatError("MPEG-TS is made of H.264 only")
    ticks = round(CLOCK_HZ / plan.frame_rate)
    return Video(parse_avcc(config), _samples(track.data, init.timescale), ticks)


def _audio(track: _Track) -> Audio:
    init = read_init(track.init)
    return Audio(parse_esds(init.stsd), _samples(track.data, init.timescale))


def _samples(data: bytes, timescale: int) -> Sequence[Sample]:
    """Return the samples of fragments, their times rounded from exact ones."""
    found: list[Sample] = []
    splitter = FragmentSplitter()
    for part in splitter.feed(data):
        if not isinstance(part, Fragment):
            continue
        moof = read_moof(part.moof)
        time, at = moof.decode_time, 0
        samples = moof.samples
        columns = (samples.sizes, samples.durations, samples.composition_offsets)
        rows = zip(*(column.tolist() for column in columns), samples.keyframes, strict=True)
        for size, duration, offset, key in rows:
            pts = round(Fraction((time + offset) * CLOCK_HZ, timescale))
            found.append(Sample(part.payload[at : at + size], pts, bool(key)))
            time, at = time + duration, at + size
    splitter.finish()
    return found
