"""Bodies of FLV's audio and video tags, which are RTMP's media messages too.

The classic ones (Adobe FLV 10.1, annex E.4) and those of Enhanced RTMP v2: codecs by
FourCC, several tracks in a message, ModEx. Values that carry no media give no packet.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from telecine.formats.errors import FormatError

MAX_TRACKS = 16
MAX_MODIFIERS = 8

_CLASSIC_VIDEO = {7: "avc1", 12: "hvc1"}
_WITH_OFFSET = ("avc1", "hvc1", "vvc1")

SEQUENCE_START, CODED, SEQUENCE_END, CODED_X, METADATA = range(5)
TS_START, VIDEO_MULTITRACK, MODIFIED = 5, 6, 7
AUDIO_MULTITRACK = 5
ONE_TRACK, MANY_TRACKS, MANY_CODECS = range(3)

KEY_FRAME, COMMAND_FRAME = 1, 5


@dataclass(frozen=True, slots=True)
class Config:
    """How a track is to be decoded.

    `record`: the body of `avcC`, `hvcC`, `av1C` or `vpcC`, an AudioSpecificConfig, or what
    follows the FourCC of Opus: an OpusHead, or nothing.
    """

    video: bool
    track: int
    codec: str
    record: bytes


@dataclass(slots=True)  # freezing triples what it costs to make one
class Coded:
    """One coded picture, or one packet of sound. `offset_ms`: from its dts to its pts."""

    video: bool
    track: int
    codec: str
    key: bool
    offset_ms: int
    data: bytes


Packet = Config | Coded


def video_packets(body: bytes) -> list[Packet]:
    """Return what a video tag holds. Raises FormatError: broken, or a codec not for us."""
    if not body:
        return []
    if body[0] & 0x80:
        return list(_enhanced(body, video=True))
    frame, number = body[0] >> 4, body[0] & 0x0F
    codec = _CLASSIC_VIDEO.get(number)
    if codec is None:
        raise FormatError(f"video codec {number} of classic FLV")
    if frame == COMMAND_FRAME or len(body) < 5:
        return []
    offset = int.from_bytes(body[2:5], signed=True)
    if body[1] == SEQUENCE_START:
        return [Config(True, 0, codec, body[5:])]
    if body[1] == CODED and len(body) > 5:
        return [Coded(True, 0, codec, frame == KEY_FRAME, offset, body[5:])]
    return []


def audio_packets(body: bytes) -> list[Packet]:
    """Return what an audio tag holds; an empty one is silence. Raises FormatError."""
    if not body:
        return []
    kind = body[0] >> 4
    if kind == 9:
        return list(_enhanced(body, video=False))
    if kind in (2, 14):
        return [Coded(False, 0, ".mp3", True, 0, body[1:])] if len(body) > 1 else []
    if kind != 10:
        raise FormatError(f"audio codec {kind} of classic FLV")
    if len(body) < 3:
        return []
    if body[1] == 0:
        return [Config(False, 0, "mp4a", body[2:])]
    return [Coded(False, 0, "mp4a", True, 0, body[2:])]


def _enhanced(body: bytes, *, video: bool) -> Iterator[Packet]:
    """Read an ExVideoTagHeader or ExAudioTagHeader (E-RTMP v2)."""
    kind, at = body[0] & 0x0F, 1
    frame = body[0] >> 4 & 7 if video else KEY_FRAME
    for _ in range(MAX_MODIFIERS):
        if kind != MODIFIED:
            break
        kind, at = _modifier(body, at)
    else:
        raise FormatError("too many modifiers in a tag")
    if video and frame == COMMAND_FRAME and kind != METADATA:
        return  # one byte of command follows
    if kind == (VIDEO_MULTITRACK if video else AUDIO_MULTITRACK):
        yield from _multitrack(body, at, video=video, key=frame == KEY_FRAME)
        return
    codec = _fourcc(body, at)
    yield from _packet(video, 0, codec, kind, body[at + 4 :], key=frame == KEY_FRAME)


def _modifier(body: bytes, at: int) -> tuple[int, int]:
    """Skip a ModEx; return the type of the packet behind it, and where that begins."""
    size = int.from_bytes(body[at : at + 1]) + 1
    at += 1
    if size == 256:
        size = int.from_bytes(body[at : at + 2]) + 1
        at += 2
    at += size
    if at >= len(body):
        raise FormatError("a modifier ends early")
    return body[at] & 0x0F, at + 1


def _multitrack(body: bytes, at: int, *, video: bool, key: bool) -> Iterator[Packet]:
    if at >= len(body):
        raise FormatError("a tag of several tracks ends early")
    form, kind = body[at] >> 4, body[at] & 0x0F
    at += 1
    if form > MANY_CODECS:
        raise FormatError(f"several tracks in the form {form}")
    codec = ""
    if form != MANY_CODECS:
        codec = _fourcc(body, at)
        at += 4
    for _ in range(MAX_TRACKS):
        if at >= len(body):
            return
        if form == MANY_CODECS:
            codec = _fourcc(body, at)
            at += 4
        track = int.from_bytes(body[at : at + 1])
        at += 1
        end = len(body)
        if form != ONE_TRACK:
            end = at + 3 + int.from_bytes(body[at : at + 3])
            at += 3
        if at > len(body) or end > len(body):
            raise FormatError("a track of a tag ends early")
        yield from _packet(video, track, codec, kind, body[at:end], key=key)
        at = end
    if at < len(body):
        raise FormatError(f"more than {MAX_TRACKS} tracks in a tag")


def _packet(
    video: bool, track: int, codec: str, kind: int, data: bytes, *, key: bool
) -> Iterator[Packet]:
    if kind == SEQUENCE_START:
        yield Config(video, track, codec, data)
    elif kind == CODED or (video and kind == CODED_X):
        offset = 0
        if video and kind == CODED and codec in _WITH_OFFSET:
            offset = int.from_bytes(data[:3], signed=True)
            data = data[3:]
        if data:
            yield Coded(video, track, codec, key, offset, data)
    elif video and kind == TS_START:
        raise FormatError("a configuration as MPEG-2 TS has it")


def _fourcc(body: bytes, at: int) -> str:
    code = body[at : at + 4]
    if len(code) < 4:
        raise FormatError("a tag ends inside its FourCC")
    return code.decode("latin-1")
