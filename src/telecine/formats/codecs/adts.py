"""ADTS, the self-framing form of AAC (ISO/IEC 14496-3, 1.A.3.2)."""

from dataclasses import dataclass

from telecine.formats.errors import FormatError

SAMPLE_RATES_HZ = (
    96_000,
    88_200,
    64_000,
    48_000,
    44_100,
    32_000,
    24_000,
    22_050,
    16_000,
    12_000,
    11_025,
    8_000,
    7_350,
)
CHANNELS = (0, 1, 2, 3, 4, 5, 6, 8)  # by channelConfiguration; 0: told elsewhere

HEADER_BYTES = 7
MAX_PACKET_BYTES = (1 << 13) - 1


@dataclass(frozen=True, slots=True)
class AdtsHeader:
    """One ADTS header. `frame_bytes` counts the header too."""

    object_type: int
    sample_rate_hz: int
    channels: int
    header_bytes: int
    frame_bytes: int


def parse_header(data: bytes | bytearray, at: int = 0) -> AdtsHeader:
    """Read the seven bytes at `at`. Raises FormatError."""
    if len(data) - at < HEADER_BYTES:
        raise FormatError("an ADTS header of fewer than 7 bytes")
    if data[at] != 0xFF or data[at + 1] & 0xF6 != 0xF0:
        raise FormatError("no ADTS sync word")
    rate = data[at + 2] >> 2 & 0x0F
    layout = (data[at + 2] & 1) << 2 | data[at + 3] >> 6
    size = (data[at + 3] & 3) << 11 | data[at + 4] << 3 | data[at + 5] >> 5
    header = HEADER_BYTES if data[at + 1] & 1 else HEADER_BYTES + 2  # with a CRC
    if rate >= len(SAMPLE_RATES_HZ) or size < header or data[at + 6] & 3:
        raise FormatError("an ADTS header that no encoder of ours writes")
    return AdtsHeader(
        (data[at + 2] >> 6) + 1, SAMPLE_RATES_HZ[rate], CHANNELS[layout], header, size
    )


def header(sample_rate_hz: int, channels: int, packet_bytes: int, *, object_type: int = 2) -> bytes:
    """Return the header of a packet of `packet_bytes`. Raises FormatError."""
    size = packet_bytes + HEADER_BYTES
    if sample_rate_hz not in SAMPLE_RATES_HZ or channels not in CHANNELS[1:]:
        raise FormatError(f"ADTS cannot say {sample_rate_hz} Hz, {channels} channels")
    if size > MAX_PACKET_BYTES:
        raise FormatError(f"a packet of {packet_bytes} bytes")
    rate, layout = SAMPLE_RATES_HZ.index(sample_rate_hz), CHANNELS.index(channels)
    value = 0xFFF1 << 40  # MPEG-4, no CRC
    value |= (object_type - 1) << 38 | rate << 34 | layout << 30
    value |= size << 13 | 0x7FF << 2  # buffer fullness: variable rate
    return value.to_bytes(HEADER_BYTES, "big")


class AdtsSplitter:
    """Cuts a stream of ADTS into bare AAC packets as it comes."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self.first: AdtsHeader | None = None
        """The first header; all others must agree with it."""

    def feed(self, data: bytes) -> list[bytes]:
        """Take bytes; return the packets they complete. Raises FormatError."""
        self._buffer += data
        packets, at = [], 0
        while len(self._buffer) - at >= HEADER_BYTES:
            head = parse_header(self._buffer, at)
            self.first = self.first or head
            if (head.sample_rate_hz, head.channels) != (
                self.first.sample_rate_hz,
                self.first.channels,
            ):
                raise FormatError("the sound format changes within the stream")
            if at + head.frame_bytes > len(self._buffer):
                break
            packets.append(bytes(self._buffer[at + head.header_bytes : at + head.frame_bytes]))
            at += head.frame_bytes
        del self._buffer[:at]
        return packets

    def finish(self) -> None:
        """Check that the stream ended between packets. Raises FormatError."""
        if self._buffer:
            raise FormatError("the stream ends inside a packet")


def split_adts(data: bytes) -> list[bytes]:
    """Return the AAC packets of a whole ADTS stream. Raises FormatError."""
    splitter = AdtsSplitter()
    packets = splitter.feed(data)
    splitter.finish()
    return packets
