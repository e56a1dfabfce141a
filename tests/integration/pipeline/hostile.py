"""Files that were made to harm: they name other files, or are far larger than they look."""

import struct
import zlib
from collections.abc import Callable
from functools import cache

from telecine.formats.mp4.boxes import box
from tests.fixtures.media import AAC, make_clip
from tests.integration.pipeline.ebml import element, entry, matroska, number

MIB = 1 << 20


def chunk(kind: bytes, *bodies: bytes) -> bytes:
    """A chunk of RIFF, at an even address."""
    body = b"".join(bodies)
    return kind + struct.pack("<I", len(body)) + body + bytes(len(body) % 2)


@cache
def _jpeg() -> bytes:
    still = ("-f", "lavfi", "-i", "testsrc2=s=64x64", "-frames:v", "1", "-f", "mjpeg")
    return make_clip("still.mjpeg", *still).read_bytes()


def subtitles(text: bytes) -> bytes:
    """An AVI whose subtitles (GAB2) are a file of their own, which a demuxer has to read."""
    header = struct.pack("<14I", 40_000, 0, 0, 0x10, 5, 0, 3, 0, 64, 64, 0, 0, 0, 0)
    rest = struct.pack("<IHHIIIIIIII4H", 0, 0, 0, 0, 1, 25, 0, 5, 0, 0, 0, 0, 0, 64, 64)
    shape = struct.pack("<IiiHH4sIiiII", 40, 64, 64, 1, 24, b"MJPG", 64 * 64 * 3, 0, 0, 0, 0)
    clock = struct.pack("<IHHIIIIIIII4H", 0, 0, 0, 0, 2, 16_000, 0, 1600, 0, 0, 2, 0, 0, 0, 0)
    waves = struct.pack("<HHIIHH", 1, 1, 8000, 16_000, 2, 16)
    pictures = (chunk(b"strh", b"vidsMJPG", rest), chunk(b"strf", shape))
    texts = (chunk(b"strh", b"txts", bytes(4), rest), chunk(b"strf"))
    sound = (chunk(b"strh", b"auds", bytes(4), clock), chunk(b"strf", waves))
    name = "a.srt".encode("utf-16le")
    hidden = b"GAB2\0\2\0" + struct.pack("<I", len(name)) + name + b"\4\0"
    media = [chunk(b"01tx", hidden, struct.pack("<I", len(text)), text)]
    media += [chunk(b"00dc", _jpeg()), chunk(b"02wb", bytes(640))] * 5
    heads = [chunk(b"LIST", b"strl", *each) for each in (pictures, texts, sound)]
    lists = (
        chunk(b"LIST", b"hdrl", chunk(b"avih", header), *heads),
        chunk(b"LIST", b"movi", *media),
    )
    return chunk(b"RIFF", b"AVI ", *lists)


def hls(uri: str) -> bytes:
    return f"#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\n{uri}\n#EXT-X-ENDLIST\n".encode()


def concat(uri: str) -> bytes:
    return f"ffconcat version 1.0\nfile '{uri}'\n".encode()


def samples_elsewhere(uri: str) -> bytes:
    """A movie whose samples are said to be in another file (ISO/IEC 14496-12, 8.7.2)."""
    drawn = ("-f", "lavfi", "-i", "testsrc2=s=64x64:r=25:d=1")
    heard = ("-f", "lavfi", "-i", "sine=d=1")
    coded = ("-c:v", "mpeg4", "-c:a", "pcm_s16le")
    # Its index comes last.
    data = bytearray(make_clip("inside.mov", *drawn, *heard, *coded).read_bytes())
    inside, outside = box(b"alis", b"\0\0\0\1"), box(b"url ", bytes(4), uri.encode(), b"\0")
    if inside not in data:
        inside = box(b"url ", b"\0\0\0\1")
    while inside in data:
        at = data.rindex(inside)
        data[at : at + len(inside)] = outside
        for kind in (b"moov", b"trak", b"mdia", b"minf", b"dinf", b"dref"):
            start = data.rindex(kind, 0, at) - 4
            size = int.from_bytes(data[start : start + 4]) + len(outside) - len(inside)
            data[start : start + 4] = size.to_bytes(4)
    return bytes(data)


def movie_elsewhere(uri: str) -> bytes:
    """A QuickTime movie that is only the address of another one."""
    address = uri.encode() + b"\0"
    reference = box(b"rdrf", struct.pack(">I4sI", 0, b"url ", len(address)), address)
    moov = box(b"moov", box(b"rmra", box(b"rmda", reference)))
    return box(b"ftyp", b"qt  \0\0\2\0qt  ") + moov


def _xml(text: str) -> bytes:
    return ('<?xml version="1.0"?>\n' + text).encode()


NAMING: dict[str, Callable[[str], bytes]] = {
    "HLS": hls,
    "ffconcat": concat,
    "subtitles that are HLS": lambda uri: subtitles(hls(uri)),
    "subtitles that are ffconcat": lambda uri: subtitles(concat(uri)),
    "samples elsewhere": samples_elsewhere,
    "movie elsewhere": movie_elsewhere,
    "M3U": lambda uri: f"{uri}\n".encode(),
    "ASX": lambda uri: f'<ASX version="3.0"><entry><ref href="{uri}"/></entry></ASX>'.encode(),
    "ASF reference": lambda uri: f"[Reference]\nRef1={uri}?MSWMExt=.asf\n".encode(),
    "XSPF": lambda uri: _xml(
        '<playlist xmlns="http://xspf.org/ns/0/"><trackList><track>'
        f"<location>{uri}</location></track></trackList></playlist>"
    ),
    "SVG": lambda uri: _xml(
        '<svg xmlns="http://www.w3.org/2000/svg" width="64" height="64">'
        f'<image href="{uri}" width="64" height="64"/></svg>'
    ),
    "DASH": lambda uri: _xml(
        '<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" minBufferTime="PT1S" '
        'profiles="urn:mpeg:dash:profile:full:2011"><Period><AdaptationSet mimeType="video/mp4">'
        f'<Representation id="1" bandwidth="1"><BaseURL>{uri}</BaseURL></Representation>'
        "</AdaptationSet></Period></MPD>"
    ),
}
"""Files that name another one, by what they are; each is given its URI."""


def _compressed(*, scope: int, times: int) -> tuple[bytes, bytes]:
    """Return a track entry's element that says zlib, and some KiB that are much more."""
    algorithm = element(0x5034, number(0x4254, 0))
    encoding = element(0x6240, number(0x5033, 0), number(0x5032, scope), algorithm)
    return element(0x6D80, encoding), zlib.compress(bytes(times * MIB), 9)


def matroska_bomb() -> bytes:
    """Blocks of a few hundred KiB that are said to be 256 MiB each."""
    said, small = _compressed(scope=1, times=256)
    blocks = [element(0xA3, b"\x81" + struct.pack(">h", n) + b"\x80", small) for n in range(8)]
    return matroska(entry(1, 64, said), blocks=blocks)


def header_bomb() -> bytes:
    said, small = _compressed(scope=3, times=256)
    return matroska(entry(1, 64, said, element(0x63A2, small)))


def index_bomb() -> bytes:
    """An index of 256 MiB in one box, compressed as QuickTime once did."""
    packed = box(b"cmvd", struct.pack(">I", 256 * MIB), zlib.compress(bytes(256 * MIB), 9))
    moov = box(b"moov", box(b"cmov", box(b"dcom", b"zlib"), packed))
    return box(b"ftyp", b"qt  \0\0\2\0qt  ") + moov


def nested_boxes() -> bytes:
    data = b""
    for _ in range(20_000):
        data = struct.pack(">I4s", len(data) + 8, b"mdia") + data
    header = box(b"mvhd", bytes(12), struct.pack(">I", 1000), bytes(84))
    return box(b"ftyp", b"isom\0\0\2\0isom") + box(b"moov", header, box(b"trak", data))


def nested_elements() -> bytes:
    data = b""
    for _ in range(3000):
        data = element(0x67C8, data)
    tags = element(0x1254C367, element(0x7373, data))
    return element(0x1A45DFA3, element(0x4282, b"matroska")) + element(0x18538067, tags)


def large_label() -> bytes:
    """A song behind a label that claims 200 MiB, of which a few KiB are there."""
    size = 200 * MIB
    claimed = bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0))
    return b"ID3\3\0\0" + claimed + bytes(8192)


def large_sound() -> bytes:
    shape = struct.pack("<HHIIHH", 1, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFF, 0)
    return chunk(b"RIFF", b"WAVE", chunk(b"fmt ", shape), chunk(b"data", bytes(10_000)))


def png(width_px: int, height_px: int, rows: int) -> bytes:
    """A grey picture of a size, of which some rows are there."""

    def part(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + zlib.crc32(kind + body).to_bytes(4)

    shape = struct.pack(">IIBBBBB", width_px, height_px, 8, 0, 0, 0, 0)
    packed = zlib.compress(bytes(rows * (width_px + 1)), 9)
    return b"\x89PNG\r\n\x1a\n" + part(b"IHDR", shape) + part(b"IDAT", packed) + part(b"IEND", b"")


def song(cover: bytes) -> bytes:
    """An MP3 with a cover (ID3v2.3, 4.15)."""
    sine = ("-f", "lavfi", "-i", "sine=d=1", "-c:a", "libmp3lame", "-id3v2_version", "0")
    body = b"\0image/png\0\3\0" + cover
    frame = b"APIC" + struct.pack(">IH", len(body), 0) + body
    size = bytes(len(frame) >> shift & 0x7F for shift in (21, 14, 7, 0))
    return b"ID3\3\0\0" + size + frame + make_clip("bare.mp3", *sine).read_bytes()


def album(cover: bytes) -> bytes:
    """An M4A with a cover, as players for music write it."""
    sine = ("-f", "lavfi", "-i", "sine=d=1", *AAC)
    data = bytearray(make_clip("bare.m4a", *sine).read_bytes())  # its index comes last
    handler = box(b"hdlr", bytes(8), b"mdirappl", bytes(9))
    item = box(b"covr", box(b"data", struct.pack(">II", 14, 0), cover))
    tags = box(b"udta", box(b"meta", bytes(4), handler, box(b"ilst", item)))
    at = data.rindex(b"moov") - 4
    data[at : at + 4] = (len(data) - at + len(tags)).to_bytes(4)
    return bytes(data) + tags


def large_drawing() -> bytes:
    return _xml(
        '<svg xmlns="http://www.w3.org/2000/svg" width="30000" height="30000">'
        '<rect width="30000" height="30000" fill="red"/></svg>'
    )


def large_pictures() -> bytes:
    """A GIF of a few KiB that is 35 million pixels, again and again."""
    black = ("-f", "lavfi", "-i", "color=black:s=8000x4400:r=50:d=0.04")
    return make_clip("large.gif", *black).read_bytes()


def growing_pictures() -> bytes:
    """A stream whose pictures are small, 8K, small, and beyond 8K."""
    parts = []
    for number_, size in enumerate(("320x180", "7680x4320", "64x64", "4096x8704", "320x180")):
        at = str(number_ * 0.2)
        drawn = ("-f", "lavfi", "-i", f"color=s={size}:r=25:d=0.2")
        coded = ("-c:v", "libx264", "-preset", "ultrafast", "-output_ts_offset", at)
        parts.append(make_clip(f"grown-{number_}.ts", *drawn, *coded).read_bytes())
    return b"".join(parts)


def late_times() -> bytes:
    times = (0, 1 << 40, 1 << 62, (1 << 63) - 1, (1 << 64) - 1)
    picture = b"\x81\0\0\x80" + _vp8()
    return matroska(entry(1, 64), clusters=[(time, [element(0xA3, picture)]) for time in times])


def close_times() -> bytes:
    """Two thousand pictures, a nanosecond apart."""
    picture = _vp8()
    blocks = [element(0xA3, b"\x81" + struct.pack(">h", n) + b"\x80", picture) for n in range(2000)]
    return matroska(entry(1, 64), blocks=blocks, tick_ns=1)


def one_time() -> bytes:
    blocks = [element(0xA3, b"\x81\0\0\x80", _vp8())] * 50
    return matroska(entry(1, 64), blocks=blocks)


@cache
def _vp8() -> bytes:
    one = ("-f", "lavfi", "-i", "testsrc2=s=64x64", "-frames:v", "1", "-c:v", "libvpx")
    return make_clip("one.ivf", *one).read_bytes()[44:]  # behind its headers


def pointing_nowhere() -> bytes:
    """A Windows Media file whose header claims to be longer than a file can be."""
    sound = ("-f", "lavfi", "-i", "sine=d=1", "-c:a", "wmav2")
    data = bytearray(make_clip("sound.wma", *sound).read_bytes())
    data[40:48] = b"\xff" * 8  # the size of the first object in the header
    return bytes(data)


def sound_that_comes_late() -> bytes:
    """A Flash video that shows no sound until its last second."""
    drawn = ("-f", "lavfi", "-i", "testsrc2=s=64x36:r=5:d=120", "-c:v", "flv", "-g", "50")
    pictures = make_clip("pictures.flv", *drawn).read_bytes()
    sound = ("-f", "lavfi", "-i", "sine=r=44100:d=0.3", *AAC, "-ar", "44100")
    tags = make_clip("sound.flv", *sound).read_bytes()
    at = tags.index(b"\x08", 13)
    while tags[at] != 8:
        at += 15 + int.from_bytes(tags[at + 1 : at + 4])
    tag = bytearray(tags[at : at + 15 + int.from_bytes(tags[at + 1 : at + 4])])
    tag[4:7] = (119_000).to_bytes(3)
    return pictures + bytes(tag)


BOMBS: dict[str, tuple[Callable[[], bytes], str | None]] = {
    "compressed blocks": (matroska_bomb, "undecodable"),
    "a compressed header": (header_bomb, "undecodable"),
    "a compressed index": (index_bomb, "broken-index"),
    "boxes in boxes": (nested_boxes, "no-streams"),
    "elements in elements": (nested_elements, "unreadable"),
    "a label of 200 MiB": (large_label, "unreadable"),
    "65,535 channels": (large_sound, "unreadable"),
    "a header that ends nowhere": (pointing_nowhere, "unreadable"),
    "times at the end of time": (late_times, "too-long"),
    "a billion pictures a second": (close_times, "frame-rate-too-high"),
    "pictures at one time": (one_time, None),
    "35 million pixels, again and again": (large_pictures, None),
    "pictures that grow beyond 8K": (growing_pictures, None),
    "sound that comes late": (sound_that_comes_late, None),
    "a drawing of 900 million pixels": (large_drawing, "unreadable"),
    "a song with a cover of 60,000 x 60,000": (lambda: song(png(60_000, 60_000, 1)), None),
    "an album with a cover of 60,000 x 60,000": (lambda: album(png(60_000, 60_000, 1)), None),
    "a song with a cover of 35 million pixels": (lambda: song(png(8192, 4320, 4320)), None),
}
"""Files that ask for more than they should get, and why they are refused; None: they play."""
