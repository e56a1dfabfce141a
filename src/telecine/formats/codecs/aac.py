"""AAC as MP4 and ADTS carry it (ISO/IEC 14496-1, 7.2.6; 14496-3, 1.6 and 1.A)."""

import struct
from dataclasses import dataclass

from telecine.formats.codecs.adts import CHANNELS, SAMPLE_RATES_HZ, AdtsSplitter, split_adts
from telecine.formats.codecs.bits import BitReader
from telecine.formats.errors import FormatError
from telecine.formats.mp4.boxes import box, full_box
from telecine.formats.mp4.sample_entry import entry_box

__all__ = [
    "CHANNELS",
    "PACKET_SAMPLES",
    "SAMPLE_RATES_HZ",
    "AacConfig",
    "AdtsSplitter",
    "aac_stsd",
    "audio_specific_config",
    "codecs_string",
    "parse_esds",
    "parse_specific",
    "split_adts",
    "stsd_of",
]

LOW_COMPLEXITY = 2
SPECTRAL_BAND_REPLICATION = 5
PARAMETRIC_STEREO = 29
EXPLICIT_RATE = 15

# objectTypeIndication: MPEG-4 audio; MPEG-2 AAC Main, LC, SSR.
AAC_INDICATIONS = (0x40, 0x66, 0x67, 0x68)

PACKET_SAMPLES = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class AacConfig:
    """What an AudioSpecificConfig says.

    `object_type` is that of the core coder (2: low complexity), `sample_rate_hz` the
    core's too: with SBR the output has twice that. `channels` is 0 where a program
    config element would tell. `packet_samples` is 1024, rarely 960.
    """

    object_type: int
    sample_rate_hz: int
    channels: int
    sbr: bool
    parametric_stereo: bool
    packet_samples: int
    specific: bytes  # the AudioSpecificConfig itself


def parse_esds(stsd: bytes) -> AacConfig:
    """Read the AAC configuration of an `mp4a` track from the body of its `stsd`.

    Raises:
        FormatError: there is no `esds`, or it is not AAC (`mp4a` may be MP3 too).
    """
    esds = entry_box(stsd, b"esds", video=False)
    if esds is None:
        raise FormatError("an mp4a sample entry without esds")
    stream, _ = _descriptor(esds[4:], 0x03)
    if len(stream) < 3:
        raise FormatError("esds ends early")
    skip = 3
    if stream[2] & 0x80:
        skip += 2  # dependsOn_ES_ID
    if stream[2] & 0x40:
        skip += 1 + int.from_bytes(stream[skip : skip + 1], "big")  # URL
    if stream[2] & 0x20:
        skip += 2  # OCR_ES_ID
    decoder, _ = _descriptor(stream[skip:], 0x04)
    if len(decoder) < 13:
        raise FormatError("esds ends early")
    if decoder[0] not in AAC_INDICATIONS:
        raise FormatError(f"object type indication {decoder[0]:#x} is not AAC")
    specific, _ = _descriptor(decoder[13:], 0x05)
    return parse_specific(specific)


def _descriptor(data: bytes, tag: int) -> tuple[bytes, int]:
    """Return the content of the descriptor at the start, and where it ends."""
    if not data or data[0] != tag:
        raise FormatError(f"esds without descriptor {tag}")
    size, at = 0, 1
    for at in range(1, 5):
        if at >= len(data):
            raise FormatError("esds ends early")
        size = size << 7 | data[at] & 0x7F
        if not data[at] & 0x80:
            break
    if at + 1 + size > len(data):
        raise FormatError("a descriptor of esds ends early")
    return data[at + 1 : at + 1 + size], at + 1 + size


def parse_specific(specific: bytes) -> AacConfig:
    """Read an AudioSpecificConfig (14496-3, 1.6.2.1). Raises FormatError."""
    bits = BitReader(specific)
    object_type, rate, layout = _object_type(bits), _rate(bits), bits.bits(4)
    if layout >= len(CHANNELS):
        raise FormatError(f"channelConfiguration {layout}")
    stereo = object_type == PARAMETRIC_STEREO
    sbr = stereo or object_type == SPECTRAL_BAND_REPLICATION
    if sbr:
        _rate(bits)  # the output's
        object_type = _object_type(bits)
    short = bits.left >= 1 and bits.flag()  # frameLengthFlag of GASpecificConfig
    if not sbr and object_type == LOW_COMPLEXITY and bits.left >= 2:
        if bits.flag():  # dependsOnCoreCoder
            bits.bits(min(14, bits.left))
        if bits.left:
            bits.flag()  # extensionFlag
        sbr, stereo = _extension(bits) if layout else (False, False)
    return AacConfig(
        object_type=object_type,
        sample_rate_hz=rate,
        channels=CHANNELS[layout],
        sbr=sbr,
        parametric_stereo=stereo,
        packet_samples=960 if short else PACKET_SAMPLES,
        specific=specific,
    )


def _object_type(bits: BitReader) -> int:
    number = bits.bits(5)
    return 32 + bits.bits(6) if number == 31 else number


def _rate(bits: BitReader) -> int:
    index = bits.bits(4)
    rate_hz = bits.bits(24) if index == EXPLICIT_RATE else (*SAMPLE_RATES_HZ, 0, 0)[index]
    if not 1_000 <= rate_hz <= 192_000:
        raise FormatError(f"a sample rate of {rate_hz} Hz")
    return rate_hz


def _extension(bits: BitReader) -> tuple[bool, bool]:
    """Read the backward compatible signals of SBR and parametric stereo (1.6.6.1)."""
    if bits.left < 16 or bits.bits(11) != 0x2B7 or bits.bits(5) != SPECTRAL_BAND_REPLICATION:
        return False, False
    if not bits.left or not bits.flag():
        return False, False
    _rate(bits)
    return True, bits.left >= 12 and bits.bits(11) == 0x548 and bits.flag()


def codecs_string(config: AacConfig) -> str:
    """Return the RFC 6381 name: "mp4a.40.2", with SBR "mp4a.40.5"."""
    if config.parametric_stereo:
        return f"mp4a.40.{PARAMETRIC_STEREO}"
    return f"mp4a.40.{SPECTRAL_BAND_REPLICATION if config.sbr else config.object_type}"


def audio_specific_config(
    sample_rate_hz: int, channels: int, *, object_type: int = LOW_COMPLEXITY
) -> bytes:
    """Return the AudioSpecificConfig of plain AAC. Raises FormatError on other layouts."""
    if channels not in CHANNELS[1:]:
        raise FormatError(f"{channels} channels have no channelConfiguration")
    layout = CHANNELS.index(channels)
    if sample_rate_hz in SAMPLE_RATES_HZ:
        index = SAMPLE_RATES_HZ.index(sample_rate_hz)
        return struct.pack(">H", object_type << 11 | index << 7 | layout << 3)
    value = object_type << 35 | EXPLICIT_RATE << 31 | sample_rate_hz << 7 | layout << 3
    return value.to_bytes(5, "big")


def aac_stsd(sample_rate_hz: int, channels: int, *, bit_rate_bps: int = 0) -> bytes:
    """Return the body of an `stsd` with one `mp4a` entry for AAC-LC."""
    return stsd_of(
        audio_specific_config(sample_rate_hz, channels),
        sample_rate_hz=sample_rate_hz,
        channels=channels,
        bit_rate_bps=bit_rate_bps,
    )


def stsd_of(specific: bytes, *, sample_rate_hz: int, channels: int, bit_rate_bps: int = 0) -> bytes:
    """Return the body of an `stsd` around an AudioSpecificConfig.

    Copied tracks need it too: QuickTime's sound descriptions hide the `esds` where
    browsers do not look.
    """
    decoder = struct.pack(">BBB", 0x40, 0x15, 0) + bytes(2)  # audio stream, no buffer size
    decoder += struct.pack(">II", bit_rate_bps, bit_rate_bps) + _tagged(0x05, specific)
    stream = bytes(3) + _tagged(0x04, decoder) + _tagged(0x06, b"\x02")
    esds = full_box(b"esds", 0, 0, _tagged(0x03, stream))
    # 16.16 fixed point holds rates below 65,536; above, the esds alone tells.
    rate = sample_rate_hz if sample_rate_hz < 1 << 16 else 0
    fields = bytes(6) + struct.pack(">HQHHHHI", 1, 0, channels, 16, 0, 0, rate << 16)
    return struct.pack(">II", 0, 1) + box(b"mp4a", fields, esds)


def _tagged(tag: int, content: bytes) -> bytes:
    """Return a descriptor; seven bits of its size a byte (ISO/IEC 14496-1, 8.3.3)."""
    left = len(content)
    size = [left & 0x7F]
    while left := left >> 7:
        size.insert(0, left & 0x7F | 0x80)
    return bytes([tag, *size]) + content
