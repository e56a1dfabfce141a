"""Elementary streams as a program map names them, into packets that a packager takes.

Times here are ticks of 90 kHz that do not wrap around.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from telecine.formats.codecs.aac import PACKET_SAMPLES, audio_specific_config
from telecine.formats.codecs.adts import HEADER_BYTES, AdtsHeader, parse_header
from telecine.formats.codecs.annex_b import H264Pictures, HevcPictures, Pictures
from telecine.formats.codecs.live_tracks import OPUS_HZ, opus_ticks
from telecine.formats.errors import FormatError
from telecine.formats.flv.packets import Coded, Config, Packet
from telecine.formats.mpegts.sections import EXTENSION, Stream
from telecine.formats.mpegts.tables import ADTS_STREAM, H264_STREAM

TICKS_S = 90_000
HEVC_STREAM = 0x24
PRIVATE_STREAM = 0x06

MAX_OFFSET_TICKS = 10 * TICKS_S
"""From the dts of a picture to its pts: more is damage."""

_OPUS_CHANNELS_TAG = 0x80
_REFUSED_VIDEO = {
    0x01: "MPEG-1 video",
    0x02: "MPEG-2 video",
    0x10: "MPEG-4 Visual",
    0x33: "VVC",
    0xEA: "VC-1",
}
_REFUSED_AUDIO = {
    0x03: "MP3",
    0x04: "MP3",
    0x11: "AAC in LATM",
    0x81: "AC-3",
    0x82: "DTS",
    0x87: "E-AC-3",
}
_REFUSED_NAMES = {b"AV01": "AV1", b"VP09": "VP9"}
_REFUSED_SOUND_NAMES = {b"AC-3": "AC-3", b"EAC3": "E-AC-3", b"DTS1": "DTS"}
_DVB_AC3, _DVB_EAC3 = 0x6A, 0x7A


@dataclass(frozen=True, slots=True)
class Timed:
    """A packet and when it is to be decoded."""

    ticks: int
    packet: Packet


class Track(Protocol):
    """One elementary stream. `video`: its packets may go on with the one before."""

    video: bool

    def take(self, pts: int | None, dts: int | None, payload: bytes) -> Iterator[Timed]:
        """Yield what a PES packet holds. Raises FormatError."""

    def interrupt(self) -> None:
        """Note that something is missing before the next packet."""


class VideoTrack:
    """H.264 or HEVC."""

    video = True

    def __init__(self, pictures: Pictures) -> None:
        self._pictures = pictures
        self._record: bytes | None = None

    def take(self, pts: int | None, dts: int | None, payload: bytes) -> Iterator[Timed]:
        """Yield a picture, and its configuration where that changes."""
        if pts is None or dts is None or not 0 <= pts - dts <= MAX_OFFSET_TICKS:
            return
        taken = self._pictures.take(payload)
        record, codec = self._pictures.record, self._pictures.codec
        if taken is None or record is None:
            return
        if record != self._record:
            self._record = record
            yield Timed(dts, Config(True, 0, codec, record))
        data, key = taken
        offset_ms = milliseconds(pts) - milliseconds(dts)
        yield Timed(dts, Coded(True, 0, codec, key, offset_ms, data))

    def interrupt(self) -> None:
        """Let it be: decoders cope with a missing picture until the next key frame."""


class AdtsTrack:
    """AAC in ADTS. Holds less than one packet of it."""

    video = False

    def __init__(self) -> None:
        self._left = b""
        self._format: tuple[int, int, int] | None = None  # object type, rate, channels
        self._next = 0

    def take(self, pts: int | None, dts: int | None, payload: bytes) -> Iterator[Timed]:
        """Yield packets; the time of a PES packet is that of the first that begins in it."""
        del dts
        data, begun, at = self._left + payload, len(self._left), 0
        while (at := _adts_sync(data, at)) + HEADER_BYTES <= len(data):
            head = _adts_header(data, at, self._format)
            if head is None:
                at += 1
                continue
            end = at + head.frame_bytes
            if end > len(data):
                break
            if pts is not None and at >= begun:
                self._next, pts = pts, None
            yield from self._packet(head, data[at + head.header_bytes : end])
            at = end
        self._left = data[at:]
        if pts is not None and at >= begun:
            self._next = pts

    def interrupt(self) -> None:
        """Drop the begin of a packet whose end is lost."""
        self._left = b""

    def _packet(self, head: AdtsHeader, data: bytes) -> Iterator[Timed]:
        told = head.object_type, head.sample_rate_hz, head.channels
        if told != self._format:
            self._format = told
            specific = audio_specific_config(
                head.sample_rate_hz, head.channels, object_type=head.object_type
            )
            yield Timed(self._next, Config(False, 0, "mp4a", specific))
        if data:
            yield Timed(self._next, Coded(False, 0, "mp4a", True, 0, data))
        self._next += PACKET_SAMPLES * TICKS_S // head.sample_rate_hz


class OpusTrack:
    """Opus as encoders map it to MPEG-TS: a control header before each packet."""

    video = False

    def __init__(self, channels: int) -> None:
        # OpusHead (RFC 7845, 5.1), without a pre-skip: there is no begin of the stream.
        head = b"OpusHead" + bytes((1, channels)) + bytes(2) + OPUS_HZ.to_bytes(4, "little")
        self._head: bytes | None = head + bytes(3)

    def take(self, pts: int | None, dts: int | None, payload: bytes) -> Iterator[Timed]:
        """Yield packets, up to a header that cannot be."""
        if pts is None:
            return
        del dts
        if self._head is not None:
            yield Timed(pts, Config(False, 0, "Opus", self._head))
            self._head = None
        at, samples = 0, 0
        while at + 2 < len(payload):
            told = _opus_header(payload, at)
            if told is None:
                return
            begin, size = told
            at = begin + size
            data = payload[begin:at]
            if len(data) < size:
                return
            if data:
                ticks = pts + samples * TICKS_S // OPUS_HZ
                yield Timed(ticks, Coded(False, 0, "Opus", True, 0, data))
                samples += opus_ticks(data)

    def interrupt(self) -> None:
        """Let it be: every PES packet stands for itself."""


def tracks_of(streams: Sequence[Stream]) -> list[tuple[int, Track]]:
    """Return (PID, track) of the first pictures and the first sound of a program.

    Raises:
        FormatError: there is none for us, and what there is instead.
    """
    found: dict[bool, tuple[int, Track]] = {}
    refused: dict[bool, str] = {}
    for stream in streams:
        track = _track(stream)
        if track is not None:
            found.setdefault(track.video, (stream.pid, track))
            continue
        for video in (True, False):
            name = _refused(stream, video=video)
            if name is not None:
                refused.setdefault(video, name)
    for video, name in refused.items():
        if video not in found:
            raise FormatError(f"{'pictures' if video else 'sound'} as {name} in MPEG-TS")
    if not found:
        raise FormatError("a program without pictures and sound that we know")
    return list(found.values())


def left_out(streams: Sequence[Stream], taken: Sequence[tuple[int, Track]]) -> int:
    """Return how many streams of pictures or sound are for us, but not among those `taken`."""
    pids = {pid for pid, _ in taken}
    return sum(each.pid not in pids and _track(each) is not None for each in streams)


def milliseconds(ticks: int) -> int:
    """Return ticks as milliseconds, rounded."""
    return (ticks + 45) // 90


def _track(stream: Stream) -> Track | None:
    if stream.kind == H264_STREAM:
        return VideoTrack(H264Pictures())
    if stream.kind == HEVC_STREAM:
        return VideoTrack(HevcPictures())
    if stream.kind == ADTS_STREAM:
        return AdtsTrack()
    if stream.kind == PRIVATE_STREAM and stream.registration == b"Opus":
        told = stream.descriptors.get(EXTENSION, b"")
        channels = told[1] if len(told) > 1 and told[0] == _OPUS_CHANNELS_TAG else 2
        return OpusTrack(channels or 2)  # 0: two languages at once
    return None


def _refused(stream: Stream, *, video: bool) -> str | None:
    """Return the name of pictures or sound that we do not take, None for anything else."""
    if stream.kind == PRIVATE_STREAM:
        names = _REFUSED_NAMES if video else _REFUSED_SOUND_NAMES
        if not video and stream.descriptors.keys() & {_DVB_AC3, _DVB_EAC3}:
            return "AC-3"
        return names.get(stream.registration)
    return (_REFUSED_VIDEO if video else _REFUSED_AUDIO).get(stream.kind)


def _adts_sync(data: bytes, at: int) -> int:
    """Return where a sync word may begin, the end of `data` if nowhere."""
    found = data.find(b"\xff", at)
    return found if found >= 0 else len(data)


def _adts_header(data: bytes, at: int, known: tuple[int, int, int] | None) -> AdtsHeader | None:
    """Read a header; where another format begins, the next one must say so, too."""
    try:
        head = parse_header(data, at)
        told = head.object_type, head.sample_rate_hz, head.channels
        end = at + head.frame_bytes
        if told != known and end + HEADER_BYTES <= len(data):
            after = parse_header(data, end)
            if (after.object_type, after.sample_rate_hz, after.channels) != told:
                return None
    except FormatError:
        return None
    return head


def _opus_header(data: bytes, at: int) -> tuple[int, int] | None:
    """Return where a packet begins behind its control header, and its size."""
    if data[at] != 0x7F or data[at + 1] & 0xE0 != 0xE0:
        return None
    flags, at, size = data[at + 1], at + 2, 0
    while at < len(data):
        size += data[at]
        at += 1
        if data[at - 1] != 0xFF:
            break
    at += 2 * bool(flags & 0x10) + 2 * bool(flags & 0x08)  # trims
    if flags & 0x04 and at < len(data):
        at += 1 + data[at]
    return at, size
