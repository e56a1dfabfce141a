"""One HLS segment as MPEG-TS, from the samples of the same segment in CMAF.

Every segment is made alone and in any order, yet the continuity counters run on over
all of them: each stream has a multiple of 16 packets in each segment, so all begin at 0.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from telecine.formats.codecs import adts
from telecine.formats.codecs.aac import AacConfig
from telecine.formats.codecs.h264 import AvcConfig, parse_sps
from telecine.formats.errors import FormatError
from telecine.formats.mpegts.packets import COUNTER, Packets, Unit, packetise
from telecine.formats.mpegts.pes import AUDIO_STREAM_ID, VIDEO_STREAM_ID, annex_b, pes
from telecine.formats.mpegts.tables import (
    AUDIO_PID,
    PAT_PID,
    PMT_PID,
    VIDEO_PID,
    program_association,
    program_map,
)

CLOCK_HZ = 90_000
SHIFT_TICKS = 900_000
"""Added to all times: what is decoded before time 0 must not be negative."""

_CLOCK_AHEAD_TICKS = 63_000
"""By how much data arrives before it is decoded (0.7 s)."""

_AUDIO_PES_BYTES = 2930


@dataclass(frozen=True, slots=True)
class Sample:
    """One coded picture, or one AAC packet. `pts` in ticks of 90 kHz from time 0."""

    data: bytes
    pts: int
    keyframe: bool = True


@dataclass(frozen=True, slots=True)
class Video:
    """The pictures of a segment, in decode order."""

    config: AvcConfig
    samples: Sequence[Sample]
    frame_ticks: int
    """The usual distance of two frames, in ticks of 90 kHz."""


@dataclass(frozen=True, slots=True)
class Audio:
    """The AAC packets of a segment."""

    config: AacConfig
    samples: Sequence[Sample]


@dataclass(frozen=True, slots=True)
class _Timed:
    """A unit of a stream and when it is decoded."""

    dts: int
    pid: int
    unit: Unit


def segment(number: int, video: Video | None, audio: Audio | None) -> bytes:
    """Return segment `number` as transport stream.

    Raises:
        FormatError: there is nothing in it, or the samples are not what they should be.
    """
    if (video is None or not video.samples) and (audio is None or not audio.samples):
        raise FormatError("a segment without samples")
    timed = [*_video_units(video)] if video else []
    if audio:
        timed += _audio_units(audio, has_clock=video is None)
    timed.sort(key=lambda unit: unit.dts)
    last = {unit.pid: index for index, unit in enumerate(timed)}
    counters = dict.fromkeys(last, 0)
    parts: list[Packets] = [
        packetise(PAT_PID, Unit(program_association()), number),
        packetise(PMT_PID, Unit(program_map(video=video is not None, audio=bool(audio))), number),
    ]
    for index, each in enumerate(timed):
        counter = counters[each.pid]
        packets = packetise(each.pid, each.unit, counter)
        missing = -(counter + len(packets)) % COUNTER
        if index == last[each.pid] and missing:
            packets = packetise(each.pid, each.unit, counter, len(packets) + missing)
        counters[each.pid] = counter + len(packets)
        parts.append(packets)
    return np.concatenate(parts).tobytes()


def _video_units(video: Video) -> Iterator[_Timed]:
    sets = (*video.config.sps, *video.config.pps)
    samples = video.samples
    for sample, dts in zip(samples, decode_times(video), strict=True):
        data = annex_b(sample.data, video.config.nal_length_bytes, sets)
        shifted = dts + SHIFT_TICKS
        packet = pes(VIDEO_STREAM_ID, data, sample.pts + SHIFT_TICKS, shifted)
        clock = (shifted - _CLOCK_AHEAD_TICKS) * 300
        yield _Timed(dts, VIDEO_PID, Unit(packet, clock, sample.keyframe))


def decode_times(video: Video) -> list[int]:
    """Return when each picture is decoded: in order, and never after it is shown.

    CMAF's own decode times begin with the first picture shown; here they must be early
    enough for the pictures that are decoded before they are shown.
    """
    order = sorted(sample.pts for sample in video.samples)
    rank = {pts: index for index, pts in enumerate(order)}
    used = max((index - rank[s.pts] for index, s in enumerate(video.samples)), default=0)
    # Of all parameter sets: the next segment may use others, and must follow this one.
    told = max((parse_sps(sps).max_reorder or 0) for sps in video.config.sps)
    ahead = max(used, told)
    early = [order[0] - (ahead - index) * video.frame_ticks for index in range(ahead)]
    return [*early, *order][: len(order)]


def _audio_units(audio: Audio, *, has_clock: bool) -> Iterator[_Timed]:
    """Join some packets in one PES packet: a header for each would cost a tenth."""
    joined: list[bytes] = []
    size = pts = 0
    for index, sample in enumerate(audio.samples):
        if not joined:
            pts = sample.pts
        config = audio.config
        head = adts.header(config.sample_rate_hz, config.channels, len(sample.data))
        joined.append(head + sample.data)
        size += len(joined[-1])
        if size >= _AUDIO_PES_BYTES or index == len(audio.samples) - 1:
            packet = pes(AUDIO_STREAM_ID, b"".join(joined), pts + SHIFT_TICKS)
            clock = (pts + SHIFT_TICKS - _CLOCK_AHEAD_TICKS) * 300 if has_clock else None
            yield _Timed(pts, AUDIO_PID, Unit(packet, clock, random_access=True))
            joined, size = [], 0
