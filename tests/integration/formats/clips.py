"""Clips of every shape that the index must read, copied from one encode."""

from pathlib import Path

from telecine.formats.mp4.index import MovieIndex, read_index
from tests.fixtures.media import AAC, X264, make_barcode, make_clip

FORMS = {
    "moov-last.mp4": (),
    "moov-first.mp4": ("-movflags", "+faststart"),
    "fragmented.mp4": ("-movflags", "+frag_keyframe+delay_moov"),
    "fragment-each-frame.mp4": ("-movflags", "+frag_every_frame+empty_moov+default_base_moof"),
    "fragmented-by-offsets.mp4": ("-movflags", "+frag_keyframe+empty_moov"),
    "quicktime.mov": (),
    "rtp-hints.mp4": ("-movflags", "+rtphint"),
}


def original() -> Path:
    """60 frames at 30000/1001 Hz, B-frames, a key frame every 25; stereo at 44.1 kHz."""
    return make_barcode(
        "original.mp4",
        *X264,
        *("-g", "25", "-sc_threshold", "0"),
        *AAC[:-2],
        *("-ar", "44100"),
        frames=60,
        rate="30000/1001",
        width_px=128,
        height_px=72,
    )


def copied(name: str, *options: str, before: tuple[str, ...] = ()) -> Path:
    return make_clip(name, *before, "-i", str(original()), "-c", "copy", *options)


def index_file(path: Path) -> MovieIndex:
    data = path.read_bytes()
    return read_index(lambda offset, size: data[offset : offset + size], len(data))
