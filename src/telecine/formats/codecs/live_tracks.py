"""Tracks as encoders announce them: configuration records to sample descriptions."""

import struct
from dataclasses import dataclass

from telecine.formats.codecs import aac, av1, h264, hevc, vp9
from telecine.formats.errors import FormatError
from telecine.formats.flv.packets import Coded
from telecine.formats.mp4.boxes import box

VIDEO_TIMESCALE = 120_000
OPUS_HZ = 48_000

_CONFIG_BOX = {"avc1": b"avcC", "hvc1": b"hvcC", "av01": b"av1C", "vp09": b"vpcC"}
_SOUND = ("mp4a", "Opus")
_LEAST_RECORD_BYTES = {"avc1": 7, "hvc1": 23, "av01": 4, "vp09": 8}
_MAX_RECORD_BYTES = 16 << 10


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackFormat:
    """How a track is decoded and described. `codecs` is its RFC 6381 name.

    `packet_ticks`: how long a packet of sound lasts, in ticks.
    """

    video: bool
    codec: str
    codecs: str
    record: bytes
    stsd: bytes
    timescale: int
    width_px: int = 0
    height_px: int = 0
    packet_ticks: int = 0

    def told(self) -> dict[str, object]:
        """Return what people are told of it."""
        return {
            "type": "video" if self.video else "audio",
            "codec": self.codecs,
            "width": self.width_px or None,
            "height": self.height_px or None,
        }


def video_format(codec: str, record: bytes, size_px: tuple[int, int]) -> TrackFormat:
    """Describe pictures; `size_px` is what the encoder says, if the record does not tell.

    Raises:
        FormatError: a codec that players of HLS do not know, or a broken record.
    """
    if codec not in _CONFIG_BOX:
        raise FormatError(f"video codec {codec!r}")
    if not _LEAST_RECORD_BYTES[codec] <= len(record) <= _MAX_RECORD_BYTES:
        raise FormatError(f"a configuration of {codec} of {len(record)} bytes")
    width_px, height_px = size_px
    if codec == "avc1":
        config = h264.parse_avcc(record)
        sps = h264.parse_sps(config.sps[0])
        width_px, height_px = sps.width_px, sps.height_px
        name = h264.codecs_string(config)
    elif codec == "hvc1":
        name = hevc.codecs_string(record)
        width_px, height_px = _hevc_size_px(record) or size_px
    elif codec == "av01":
        name = av1.codecs_string(record)
        width_px, height_px = _av1_size_px(record) or size_px
    else:
        if len(record) == _LEAST_RECORD_BYTES["vp09"]:
            record = b"\x01\0\0\0" + record  # version and flags of the box
        name = f"vp09.{record[4]:02d}.{record[5]:02d}.{record[6] >> 4:02d}"
    fields = bytes(6) + struct.pack(">H", 1) + bytes(16)
    fields += struct.pack(">HHIIIH", width_px, height_px, 72 << 16, 72 << 16, 0, 1)
    fields += bytes(32) + struct.pack(">Hh", 24, -1)
    entry = box(codec.encode(), fields, box(_CONFIG_BOX[codec], record))
    return TrackFormat(
        video=True,
        codec=codec,
        codecs=name,
        record=record,
        stsd=struct.pack(">II", 0, 1) + entry,
        timescale=VIDEO_TIMESCALE,
        width_px=width_px,
        height_px=height_px,
    )


def belongs(packet: Coded, track: TrackFormat | None) -> bool:
    """Tell whether a packet may be of a track; None: its configuration has not come.

    Raises:
        FormatError: a codec that is not for us, some of which have no configuration at all.
    """
    if packet.codec not in (_CONFIG_BOX if packet.video else _SOUND):
        kind, name = "video" if packet.video else "audio", packet.codec
        raise FormatError("sound as MP3" if name == ".mp3" else f"{kind} codec {name!r}")
    return track is None or packet.codec == track.codec


def measured(track: TrackFormat, key_frame: bytes) -> TrackFormat:
    """Describe pictures by a key frame of theirs, where that alone tells their size.

    VP9's record has none, and what an encoder says of it may be missing or wrong; an AV1
    encoder may leave the sequence header out of its record.
    """
    found = None
    if track.codec == "vp09":
        found = vp9.key_frame_size_px(key_frame)
    elif track.codec == "av01" and not track.height_px:
        found = _av1_size_px(track.record + key_frame)
    if found is None or found == (track.width_px, track.height_px):
        return track
    return video_format(track.codec, track.record, found)


def _hevc_size_px(record: bytes) -> tuple[int, int] | None:
    """Return what the parameter sets of a record say; None: they come with the pictures."""
    try:
        sps = hevc.parse_sps(hevc.parse_hvcc(record).sps)
    except FormatError:
        return None
    return sps.width_px, sps.height_px


def _av1_size_px(record: bytes) -> tuple[int, int] | None:
    """Return what the sequence header of a record says; None: it comes with the pictures."""
    try:
        header = av1.parse_av1c(record)
    except FormatError:
        return None
    return header.width_px, header.height_px


def audio_format(codec: str, record: bytes) -> TrackFormat:
    """Describe sound. Raises FormatError: a codec that is not for us, or a broken record."""
    if codec == "mp4a":
        config = aac.parse_specific(record)
        channels = config.channels or 2
        return TrackFormat(
            video=False,
            codec=codec,
            codecs=aac.codecs_string(config),
            record=record,
            stsd=aac.stsd_of(record, sample_rate_hz=config.sample_rate_hz, channels=channels),
            timescale=config.sample_rate_hz,
            packet_ticks=config.packet_samples,
        )
    if codec != "Opus":
        raise FormatError(f"audio codec {codec!r}")
    return _opus_format(record)


def _opus_format(record: bytes) -> TrackFormat:
    """Describe Opus: an OpusHead (RFC 7845, 5.1) becomes a `dOps` with other endianness."""
    channels, skip, gain = 2, 0, 0
    if record[:8] == b"OpusHead" and len(record) >= 19:
        if record[18] != 0:
            raise FormatError(f"Opus with channel mapping {record[18]}")
        channels = record[9]
        skip = int.from_bytes(record[10:12], "little")
        gain = int.from_bytes(record[16:18], "little", signed=True)
    if channels not in (1, 2):
        raise FormatError(f"Opus with {channels} channels")
    dops = box(b"dOps", struct.pack(">BBHIhB", 0, channels, skip, OPUS_HZ, gain, 0))
    fields = bytes(6) + struct.pack(">HQHHHHI", 1, 0, channels, 16, 0, 0, OPUS_HZ << 16)
    return TrackFormat(
        video=False,
        codec="Opus",
        codecs="opus",
        record=record,
        stsd=struct.pack(">II", 0, 1) + box(b"Opus", fields, dops),
        timescale=OPUS_HZ,
        packet_ticks=0,
    )


_OPUS_SILK_MS = (10, 20, 40, 60)
_OPUS_HYBRID_MS = (10, 20)
_OPUS_CELT_TICKS = (120, 240, 480, 960)


def opus_ticks(packet: bytes) -> int:
    """Return how long an Opus packet lasts, in ticks of 1/48,000 s (RFC 6716, 3.1)."""
    if not packet:
        return 960
    config = packet[0] >> 3
    if config < 12:
        frame = _OPUS_SILK_MS[config & 3] * 48
    elif config < 16:
        frame = _OPUS_HYBRID_MS[config & 1] * 48
    else:
        frame = _OPUS_CELT_TICKS[config & 3]
    form = packet[0] & 3
    count = 1 if form == 0 else 2
    if form == 3:
        count = packet[1] & 63 if len(packet) > 1 else 1
    return min(max(count, 1) * frame, 5760)
