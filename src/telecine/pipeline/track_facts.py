"""What can be said of a stream's pictures and sound before any of it is decoded."""

from dataclasses import dataclass, field
from fractions import Fraction

from telecine.formats.codecs import aac, h264
from telecine.formats.errors import FormatError
from telecine.formats.mp4.index import Track
from telecine.formats.mp4.sample_entry import entry_box
from telecine.pipeline.colours import HIGH_DYNAMIC_RANGE, MATRICES, PRIMARIES, TRANSFERS

COPIED_PROFILES = (66, 77, 100)  # Baseline, Main, High
_HIGHEST_LEVEL = 52
COPIED_SAMPLE_RATES_HZ = (44_100, 48_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureFacts:
    """How the pictures of a stream are coded; `obstacles`: why they cannot be copied."""

    codec: str
    codecs: str | None
    width_px: int  # as coded
    height_px: int
    sample_aspect: Fraction
    rotation_deg: int  # clockwise
    interlaced: bool
    bit_depth: int
    chroma: str
    full_range: bool
    primaries: str | None
    transfer: str | None
    matrix: str | None
    mirrored: bool = False  # left for right, before it is turned
    obstacles: tuple[str, ...] = field(default=("codec",))

    @property
    def shown_size(self) -> tuple[int, int]:
        """Width and height in square pixels, rotated."""
        width, height = round(self.width_px * self.sample_aspect), self.height_px
        return (height, width) if self.rotation_deg in (90, 270) else (width, height)


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundFacts:
    """How the sound of a stream is coded; `obstacles`: why it cannot be copied."""

    codec: str
    codecs: str | None
    sample_rate_hz: int
    channels: int
    obstacles: tuple[str, ...] = field(default=("codec",))


def avc_facts(track: Track) -> PictureFacts | None:
    """Return the facts of an H.264 track, None if it is not one we can read."""
    if track.sample_entry not in ("avc1", "avc3"):
        return None
    try:
        avcc = entry_box(track.stsd, b"avcC", video=True)
        config = h264.parse_avcc(avcc or b"")
        sps = h264.parse_sps(config.sps[0])
    except FormatError:
        return None
    # The container's word goes before the bitstream's, as in ffmpeg.
    aspect = track.sample_aspect if track.sample_aspect != 1 else sps.sample_aspect
    tagged = (sps.primaries, sps.transfer, sps.matrix)
    if tagged == (2, 2, 2) and track.colour is not None:
        tagged = (track.colour.primaries, track.colour.transfer, track.colour.matrix)
    transfer = TRANSFERS.get(tagged[1])
    wrong = {
        "codec": track.sample_entry != "avc1" or not config.pps,
        "profile": config.profile not in COPIED_PROFILES,
        "level": config.level > _HIGHEST_LEVEL,
        "chroma": sps.chroma != "420",
        "bit-depth": sps.bit_depth != 8,
        "interlaced": not sps.progressive,
        "rotated": track.rotation_deg != 0 or track.mirrored,
        "hdr": transfer in HIGH_DYNAMIC_RANGE,
        "sample-entries": track.sample_entries != 1,
        "edit-list": track.edit_obstacle is not None,
    }
    return PictureFacts(
        codec="h264",
        codecs=h264.codecs_string(config),
        width_px=sps.width_px,
        height_px=sps.height_px,
        sample_aspect=aspect,
        rotation_deg=track.rotation_deg or 0,
        mirrored=track.mirrored,
        interlaced=not sps.progressive,
        bit_depth=sps.bit_depth,
        chroma={"400": "gray"}.get(sps.chroma, sps.chroma),
        full_range=sps.full_range,
        primaries=PRIMARIES.get(tagged[0]),
        transfer=transfer,
        matrix=MATRICES.get(tagged[2]),
        obstacles=tuple(slug for slug, is_so in wrong.items() if is_so),
    )


def aac_facts(track: Track) -> SoundFacts | None:
    """Return the facts of an AAC track, None if it is not one we can read."""
    if track.sample_entry != "mp4a":
        return None
    try:
        config = aac.parse_esds(track.stsd)
    except FormatError:
        return None
    if not config.channels:
        return None
    wrong = {
        "codec": config.object_type != aac.LOW_COMPLEXITY or config.sbr,
        "packet-size": config.packet_samples != aac.PACKET_SAMPLES,
        "sample-rate": config.sample_rate_hz not in COPIED_SAMPLE_RATES_HZ,
        "channels": config.channels > 2,
        "sample-entries": track.sample_entries != 1,
        "edit-list": track.edit_obstacle is not None,
    }
    return SoundFacts(
        codec="aac",
        codecs=aac.codecs_string(config),
        sample_rate_hz=config.sample_rate_hz * (2 if config.sbr else 1),
        channels=config.channels,
        obstacles=tuple(slug for slug, is_so in wrong.items() if is_so),
    )


_SOUND_LAG_S = 10


def known_s(pictures_s: Fraction, sound_s: Fraction | None) -> Fraction:
    """Return how far both are there; sound that stays far behind has ended."""
    if sound_s is None or sound_s < pictures_s - _SOUND_LAG_S:
        return pictures_s
    return min(pictures_s, sound_s)
