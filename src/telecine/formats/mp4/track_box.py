"""The `trak` box of a foreign file, its sample table aside."""

from dataclasses import dataclass

from telecine.formats.mp4.boxes import Box, Buffer, FormatError, find, read
from telecine.formats.mp4.edits import Edit, read_edits
from telecine.formats.mp4.sample_entry import first_entry
from telecine.formats.mp4.sample_table import is_sample_frames

# Sample entries of uncompressed sound.
PCM = frozenset(
    (
        "sowt",
        "twos",
        "raw ",
        "NONE",
        "in24",
        "in32",
        "fl32",
        "fl64",
        "lpcm",
        "ulaw",
        "alaw",
        "ipcm",
        "fpcm",
    )
)

# (a, b, c, d) of the display matrix, in 16.16: turned clockwise by, and mirrored before that.
_ORIENTATIONS = {
    (0x10000, 0, 0, 0x10000): (0, False),
    (0, 0x10000, -0x10000, 0): (90, False),
    (-0x10000, 0, 0, -0x10000): (180, False),
    (0, -0x10000, 0x10000, 0): (270, False),
    (-0x10000, 0, 0, 0x10000): (0, True),
    (0, -0x10000, -0x10000, 0): (90, True),
    (0x10000, 0, 0, -0x10000): (180, True),
    (0, 0x10000, 0x10000, 0): (270, True),
}


def orientation(a: int, b: int, c: int, d: int) -> tuple[int | None, bool]:
    """Return what a display matrix (16.16) asks for: degrees clockwise, and left for right.

    What is mirrored is so before it is turned. None: the matrix does more.
    """
    return _ORIENTATIONS.get((a, b, c, d), (None, False))


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackBox:
    """What a video or audio `trak` says of itself.

    `rotation_deg` turns the picture clockwise, None where the matrix does more; `mirrored`
    ones have their left on the right before that.
    `pcm`: its samples are single moments of sound; no table should be made of them.
    """

    video: bool
    track_id: int
    enabled: bool
    timescale: int
    rotation_deg: int | None
    mirrored: bool
    stsd: bytes  # body of the box
    sample_entry: str
    stbl: Box
    edits: tuple[Edit, ...]
    pcm: bool


def read_trak(moov: Buffer, trak: Box) -> TrackBox | None:
    """Read a `trak` box, None if it is neither video nor sound. Raises FormatError."""

    def part(*path: bytes) -> Box:
        found = find(moov, path, trak.body, trak.end)
        if found is None:
            raise FormatError(f"a track without {path[-1]!r}")
        return found

    hdlr = find(moov, [b"mdia", b"hdlr"], trak.body, trak.end)
    kind = bytes(moov[hdlr.body + 8 : min(hdlr.body + 12, hdlr.end)]) if hdlr else b""
    if kind not in (b"vide", b"soun"):
        return None
    video = kind == b"vide"
    tkhd, mdhd = part(b"tkhd"), part(b"mdia", b"mdhd")
    stbl = part(b"mdia", b"minf", b"stbl")
    stsd_box = part(b"mdia", b"minf", b"stbl", b"stsd")
    stsd = bytes(moov[stsd_box.body : stsd_box.end])
    entry = first_entry(stsd, video=video).fourcc
    (flags,) = read("I", moov, tkhd.body, tkhd.end)
    long = flags >> 24 != 0
    rotation_deg, mirrored = _orientation(moov, tkhd, 52 if long else 40) if video else (0, False)
    (track_id,) = read("I", moov, tkhd.body + (20 if long else 12), tkhd.end)
    (version,) = read("B", moov, mdhd.body, mdhd.end)
    (timescale,) = read("I", moov, mdhd.body + (20 if version else 12), mdhd.end)
    if not timescale:
        raise FormatError("a track without a timescale")
    return TrackBox(
        video=video,
        track_id=track_id,
        enabled=bool(flags & 1),
        timescale=timescale,
        rotation_deg=rotation_deg,
        mirrored=mirrored,
        stsd=stsd,
        sample_entry=entry,
        stbl=stbl,
        edits=tuple(read_edits(moov, trak)),
        pcm=not video and (entry in PCM or is_sample_frames(moov, stbl)),
    )


def _orientation(moov: Buffer, tkhd: Box, at: int) -> tuple[int | None, bool]:
    a, b, _, c, d = read("iiiii", moov, tkhd.body + at, tkhd.end)
    return orientation(a, b, c, d)
