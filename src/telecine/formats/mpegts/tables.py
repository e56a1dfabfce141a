"""Program association and program map (ISO/IEC 13818-1, 2.4.4)."""

PAT_PID = 0
PMT_PID = 0x1000
VIDEO_PID = 0x100
AUDIO_PID = 0x101

H264_STREAM = 0x1B
ADTS_STREAM = 0x0F

_PROGRAM = 1


def _crc_table() -> tuple[int, ...]:
    table = []
    for value in range(256):
        crc = value << 24
        for _ in range(8):
            crc = (crc << 1 ^ 0x04C11DB7) if crc & 0x80000000 else crc << 1
        table.append(crc & 0xFFFFFFFF)
    return tuple(table)


_CRC = _crc_table()


def crc32(data: bytes) -> int:
    """Return the CRC of a section (Annex A)."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = (crc << 8 & 0xFFFFFFFF) ^ _CRC[crc >> 24 ^ byte]
    return crc


def _section(table_id: int, number: int, body: bytes) -> bytes:
    """Return a section behind its pointer field."""
    length = 5 + len(body) + 4
    head = bytes((table_id, 0xB0 | length >> 8, length & 0xFF))
    content = head + number.to_bytes(2, "big") + b"\xc1\x00\x00" + body
    return b"\x00" + content + crc32(content).to_bytes(4, "big")


def program_association() -> bytes:
    """Return the payload that says where the program map is."""
    entry = _PROGRAM.to_bytes(2, "big") + (0xE000 | PMT_PID).to_bytes(2, "big")
    return _section(0x00, 1, entry)


def program_map(*, video: bool, audio: bool) -> bytes:
    """Return the payload that says which streams there are; the first has the clock."""
    streams = []
    if video:
        streams.append((H264_STREAM, VIDEO_PID))
    if audio:
        streams.append((ADTS_STREAM, AUDIO_PID))
    clock = streams[0][1]
    body = (0xE000 | clock).to_bytes(2, "big") + b"\xf0\x00"
    for kind, pid in streams:
        body += bytes((kind,)) + (0xE000 | pid).to_bytes(2, "big") + b"\xf0\x00"
    return _section(0x02, _PROGRAM, body)
