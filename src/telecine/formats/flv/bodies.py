"""Bodies of FLV's tags from packets: what `packets` reads."""

from telecine.formats.flv.packets import (
    CODED,
    KEY_FRAME,
    SEQUENCE_START,
    Coded,
    Config,
    Packet,
)

_INTER_FRAME = 2
_CLASSIC_AVC = 7
_CLASSIC_AAC = 0xAF  # AAC; rate, size and channels are fixed for it (E.4.2.1)
_EXTENDED_VIDEO, _EXTENDED_AUDIO = 0x80, 0x90


def body(packet: Packet) -> bytes:
    """Return the body of a tag with one packet of the first track.

    H.264 and AAC are written the classic way, which all receivers know, everything else as
    Enhanced RTMP v2 has it.
    """
    kind = SEQUENCE_START if isinstance(packet, Config) else CODED
    content = packet.record if isinstance(packet, Config) else packet.data
    if not packet.video:
        if packet.codec == "mp4a":
            return bytes((_CLASSIC_AAC, kind)) + content
        return bytes((_EXTENDED_AUDIO | kind,)) + packet.codec.encode() + content
    key = isinstance(packet, Config) or packet.key
    frame = KEY_FRAME if key else _INTER_FRAME
    offset_ms = packet.offset_ms if isinstance(packet, Coded) else 0
    offset = offset_ms.to_bytes(3, signed=True)
    if packet.codec == "avc1":
        return bytes((frame << 4 | _CLASSIC_AVC, kind)) + offset + content
    head = bytes((_EXTENDED_VIDEO | frame << 4 | kind,)) + packet.codec.encode()
    return head + (offset if isinstance(packet, Coded) else b"") + content
