"""Probing with libavformat, for everything that our own index does not tell.

Only ever imported inside the sandboxed probe program: libavformat in a process of ours
would be as open to attack as ffmpeg. PyAV takes 0.1 s to import, so only where needed.
"""

import struct
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from io import RawIOBase
from typing import TypeVar, cast

import av
import numpy as np
from av.audio.stream import AudioStream
from av.bitstream import BitStreamFilterContext
from av.container import InputContainer
from av.packet import Packet
from av.sidedata.sidedata import SideDataContainer
from av.stream import Discard, Disposition, Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from telecine.formats.mp4.track_box import orientation
from telecine.pipeline.colours import FULL_RANGE, MATRICES, PRIMARIES, TRANSFERS
from telecine.pipeline.demuxing import opened, packets
from telecine.pipeline.endings import is_cut_off
from telecine.pipeline.frame_clock import frame_clock
from telecine.pipeline.limits import (
    MAX_DURATION_S,
    MAX_PACKETS,
    UnplayableError,
    check_rate,
    check_size,
)
from telecine.pipeline.model import AudioTrack, Probe, VideoTrack
from telecine.pipeline.track_facts import PictureFacts, SoundFacts, known_s

_OBSTACLES = ("container",)
_INTERLACED_ORDERS = (2, 3, 4, 5)  # AVFieldOrder: TT, BB, TB, BT
_MOST_TRIED_PACKETS = 2000
_KEY_ID = "enc_key_id"  # what the Matroska demuxer tells of encrypted tracks

_WHOLE, _NEARLY = 1 << 16, 1 << 10  # 16.16

_Stream = TypeVar("_Stream", VideoStream, AudioStream)


def video_stream(container: InputContainer, ordinal: int | None = None) -> VideoStream | None:
    """Return a stream of moving pictures by its order; cover art is not one.

    Without an order: the one that the file says players should choose, else the first.
    """
    covers = Disposition.attached_pic | Disposition.timed_thumbnails
    return _chosen([s for s in container.streams.video if not s.disposition & covers], ordinal)


def audio_stream(container: InputContainer, ordinal: int | None = None) -> AudioStream | None:
    """Return a stream of sound, chosen likewise, if it can be decoded."""
    return _chosen(container.streams.audio, ordinal)


def _chosen(streams: Sequence[_Stream], ordinal: int | None) -> _Stream | None:
    if ordinal is not None:
        streams = streams[ordinal : ordinal + 1]
    usable = [stream for stream in streams if stream.codec_context is not None]
    preferred = [stream for stream in usable if stream.disposition & Disposition.default]
    return next(iter(preferred or usable), None)


def picture_facts(container: InputContainer, stream: VideoStream) -> PictureFacts:
    """Decode one picture and describe it. Raises UnplayableError."""
    context = stream.codec_context
    # Before memory is asked for them: a few bytes can claim any size.
    check_size(context.width, context.height)
    frame = _first_picture(container, stream)
    part = frame.format.components[0]
    if len(frame.format.components) < 3:
        chroma = "gray"
    else:
        across = frame.format.chroma_width(16)
        chroma = "444" if across == 16 else "420" if frame.format.chroma_height(16) == 8 else "422"
    matrix = MATRICES.get(frame.colorspace)
    rotation_deg, mirrored = _orientation(frame)
    return PictureFacts(
        codec=context.codec.canonical_name,
        codecs=None,
        width_px=frame.width,
        height_px=frame.height,
        sample_aspect=stream.sample_aspect_ratio or Fraction(1),
        rotation_deg=rotation_deg,
        mirrored=mirrored,
        interlaced=frame.interlaced_frame or context.field_order in _INTERLACED_ORDERS,
        bit_depth=part.bits,
        chroma=chroma,
        full_range=frame.color_range == FULL_RANGE,
        primaries=PRIMARIES.get(frame.color_primaries),
        transfer=TRANSFERS.get(frame.color_trc),
        matrix="gbr" if frame.format.is_rgb else matrix,
        obstacles=("codec",),
    )


def _orientation(frame: VideoFrame) -> tuple[int, bool]:
    """Return by how much a picture is to be turned clockwise, and whether mirrored before."""
    matrix = cast("SideDataContainer", frame.side_data).get("DISPLAYMATRIX")
    if matrix is not None:
        a, b, _, c, d = struct.unpack_from("=5i", bytes(matrix))
        # Containers that tell angles have sines that are nearly whole.
        whole = [round(value / _WHOLE) * _WHOLE for value in (a, b, c, d)]
        if max(abs(at - to) for at, to in zip((a, b, c, d), whole, strict=True)) < _NEARLY:
            rotation_deg, mirrored = orientation(*whole)
            if rotation_deg is not None:
                return rotation_deg, mirrored
    # PyAV counts counter-clockwise.
    return -frame.rotation % 360 if frame.rotation % 90 == 0 else 0, False


def _first_picture(container: InputContainer, stream: VideoStream) -> VideoFrame:
    tried = 0
    for packet in packets(container, stream):
        tried += 1
        try:
            for frame in packet.decode():
                if isinstance(frame, VideoFrame):
                    return frame
        except av.error.InvalidDataError:
            continue  # recordings that begin in the middle of a GOP
        if tried > _MOST_TRIED_PACKETS:
            break
    raise UnplayableError("undecodable", f"no picture can be decoded ({stream.codec.name})")


def sound_facts(stream: AudioStream) -> SoundFacts:
    """Describe a stream of sound, as far as its header tells."""
    context = stream.codec_context
    return SoundFacts(
        codec=context.codec.canonical_name,
        codecs=None,
        sample_rate_hz=context.sample_rate,
        channels=context.layout.nb_channels,
    )


def stream_duration_s(container: InputContainer, stream: AudioStream) -> Fraction:
    """Return what headers say of a stream's length, 0 if nothing."""
    if stream.duration and stream.time_base:
        return max(Fraction(0), stream.duration * stream.time_base)
    return max(Fraction(0), Fraction(container.duration or 0, av.time_base))


def probe_file(
    file: RawIOBase,
    size_bytes: int,
    *,
    given_rate: Fraction | None = None,
    beginning: bool = False,
) -> Probe:
    """Probe by walking over all packets of a stream. Raises UnplayableError.

    `given_rate`: of the frame grid, instead of the source's own. `beginning`: more will
    come, and it matters how far the sound has.
    """
    facts: PictureFacts | None = None
    with opened(file) as container:
        name, sound = container.format.name, audio_stream(container)
        pictures = video_stream(container)
        if any(_KEY_ID in stream.metadata for stream in container.streams):
            raise UnplayableError("encrypted", "the media is protected by DRM")
        if pictures is not None:
            facts = picture_facts(container, pictures)
        elif sound is None:
            raise UnplayableError("no-streams", "neither video nor audio")
    # Not every demuxer can go back to its first packet; opening again always can.
    file.seek(0)
    with opened(file) as container:
        pictures = video_stream(container)
        delay_ticks = 0 if pictures is None else _reordering_delay(container, pictures)
    file.seek(0)
    with opened(file) as container:
        heard = audio_stream(container) if beginning else None
        video, sound_end_s = None, Fraction(0)
        if facts is not None:
            video, sound_end_s = _video(container, facts, (given_rate, delay_ticks), heard)
        duration_s = video.frames / video.frame_rate if video is not None else Fraction(0)
        audio = None
        if sound is not None:
            audio = _audio(container, video)
            duration_s = duration_s or audio.duration_s
    return Probe(
        container=name,
        size_bytes=size_bytes,
        duration_s=duration_s,
        video=video,
        audio=audio,
        truncated=not beginning and is_cut_off(name, file, size_bytes),
        video_obstacles=_OBSTACLES,
        audio_obstacles=_OBSTACLES,
        indexed=False,
        bit_rate_bps=round(size_bytes * 8 / duration_s) if duration_s else 0,
        known_s=known_s(duration_s, sound_end_s if sound else None) if beginning else None,
    )


@dataclass(slots=True)
class _Scan:
    """What all packets of a stream say together."""

    times: list[int]
    keys: list[int]
    total_bytes: int = 0
    latest: int = -(1 << 62)
    latest_duration_ticks: int = 0
    untimed: int = 0  # packets without a time of their own

    def take(self, packet: "Packet[Stream]", *, decoded: bool) -> None:
        """Note a packet. Raises UnplayableError: there are too many."""
        if packet.is_discard:
            return  # an edit list leaves it out; others may need it to be decoded
        time = packet.pts if packet.pts is not None and not decoded else packet.dts
        if time is None:
            self.untimed += packet.size > 0
            self.latest_duration_ticks = packet.duration or self.latest_duration_ticks
            return
        self.times.append(time)
        self.total_bytes += packet.size
        if packet.is_keyframe:
            self.keys.append(time)
        if time >= self.latest:
            self.latest, self.latest_duration_ticks = time, packet.duration or 0
        if len(self.times) > MAX_PACKETS:
            raise UnplayableError("too-long", f"more than {MAX_PACKETS} packets")

    def count(self) -> None:
        """Lay pictures without times (a bare stream) one after the other, as ffmpeg does.

        Nothing can be looked up by time in such a file: it is only read from its start.
        """
        step = self.latest_duration_ticks
        if not self.times and self.untimed and step > 0:
            self.times, self.keys = [n * step for n in range(self.untimed)], [0]
            self.latest = self.times[-1]

    @property
    def end(self) -> int:
        """Return when the last packet ends."""
        if self.latest_duration_ticks == 0 and len(self.times) > 1:
            return self.latest + int(np.median(np.diff(np.sort(self.times))))
        return self.latest + self.latest_duration_ticks


def _scan(
    container: InputContainer, *streams: VideoStream | AudioStream, decoded: bool = False
) -> list[_Scan]:
    """Read all packets of streams, decode none; the first stream must have some.

    `decoded`: times are those of decoding.
    """
    for other in container.streams:
        if other not in streams:
            other.discard = Discard.all
    scans = {stream.index: _Scan([], []) for stream in streams}
    # Damaged or cut off: what came before plays.
    with suppress(av.error.InvalidDataError, av.error.EOFError):
        for packet in packets(container, *streams):
            scans[packet.stream.index].take(packet, decoded=decoded)
    first, *_ = found = list(scans.values())
    first.count()
    if not first.times:
        raise UnplayableError("no-streams", "a stream without packets")
    return found


def _reordering_delay(container: InputContainer, stream: VideoStream) -> int:
    """Return how far ffmpeg's times of pictures lie behind those of an AVI, in ticks.

    An AVI has H.264 in the order of decoding and knows no other time than that order's.
    A decoder gives the first picture out when it has seen some more.
    """
    codec = stream.codec_context.codec.canonical_name
    if container.format.name != "avi" or codec not in ("h264", "hevc"):
        return 0
    reorder = BitStreamFilterContext("dts2pts", stream)
    for packet in packets(container, stream):
        for timed in reorder.filter(packet if packet.size else None):
            return max(0, (timed.pts or 0) - (timed.dts or 0))
    return 0


def _video(
    container: InputContainer,
    facts: PictureFacts,
    given: tuple[Fraction | None, int],
    heard: AudioStream | None,
) -> tuple[VideoTrack, Fraction]:
    """Describe the pictures; return also how far the sound `heard` has come (our time, s).

    `given`: the frame rate, if it is known, and the delay of reordering in ticks.
    """
    given_rate, delay_ticks = given
    stream = video_stream(container)
    if stream is None or not stream.time_base:
        raise UnplayableError("unreadable", "a video stream without a clock")
    base = stream.time_base
    both = [stream] if heard is None else [stream, heard]
    scan, *others = _scan(container, *both, decoded=delay_ticks > 0)
    span_s = (scan.end - min(scan.times)) * base
    if span_s > MAX_DURATION_S:
        raise UnplayableError("too-long", f"{float(span_s):.0f} s")
    check_rate(len(scan.times), span_s)
    # In ticks of 1/denominator, whatever the numerator is.
    clock = frame_clock(
        np.array(scan.times, dtype=np.int64) * base.numerator,
        np.array(scan.keys, dtype=np.int64) * base.numerator,
        base.denominator,
        end_ticks=scan.end * base.numerator,
        declared_rate=stream.average_rate,
        given_rate=given_rate,
    )
    zero_s, sound_end_s = Fraction(clock.zero_ticks, base.denominator), Fraction(0)
    if heard is not None and heard.time_base and others[0].times:
        sound_end_s = others[0].end * heard.time_base - zero_s
    width_px, height_px = facts.shown_size
    mean_bps = round(scan.total_bytes * 8 * clock.rate / clock.frames)
    described = VideoTrack(
        codec=facts.codec,
        codecs=facts.codecs,
        width_px=width_px,
        height_px=height_px,
        coded_width_px=facts.width_px,
        coded_height_px=facts.height_px,
        sample_aspect=facts.sample_aspect,
        rotation_deg=facts.rotation_deg,
        mirrored=facts.mirrored,
        frame_rate=clock.rate,
        frames=clock.frames,
        start_s=zero_s,
        key_frames=clock.key_frames or (0,),
        interlaced=facts.interlaced,
        bit_depth=facts.bit_depth,
        chroma=facts.chroma,
        full_range=facts.full_range,
        transfer=facts.transfer,
        mean_bps=mean_bps,
        peak_bps=mean_bps,
        primaries=facts.primaries,
        matrix=facts.matrix,
        ordinal=stream_ordinal(container, stream),
        measured_rate=clock.measured_rate,
        delay_s=delay_ticks * base,
    )
    return described, sound_end_s


def _audio(container: InputContainer, video: VideoTrack | None) -> AudioTrack:
    """Describe the sound; with video its exact length does not matter, silence fills it."""
    stream = audio_stream(container)
    if stream is None or not stream.time_base:
        raise UnplayableError("unreadable", "an audio stream without a clock")
    facts, mean_bps, zero_s = sound_facts(stream), 0, Fraction(0)
    if video is None:
        (scan,) = _scan(container, stream)
        first = min(scan.times)
        start_s, zero_s = Fraction(0), first * stream.time_base
        duration_s = (scan.end - first) * stream.time_base
        mean_bps = round(scan.total_bytes * 8 / duration_s) if duration_s > 0 else 0
    else:
        start_s = (stream.start_time or 0) * stream.time_base - video.start_s
        duration_s = stream_duration_s(container, stream)
    return AudioTrack(
        codec=facts.codec,
        codecs=facts.codecs,
        sample_rate_hz=facts.sample_rate_hz,
        channels=facts.channels,
        start_s=start_s,
        duration_s=duration_s,
        packets=None,
        ordinal=stream_ordinal(container, stream),
        mean_bps=mean_bps,
        zero_s=zero_s,
    )


def stream_ordinal(container: InputContainer, stream: VideoStream | AudioStream) -> int:
    """Return a stream's place among those of its kind, as ffmpeg's specifiers count."""
    of_kind = [other for other in container.streams if other.type == stream.type]
    return of_kind.index(stream)
