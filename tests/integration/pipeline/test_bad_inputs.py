"""Files that cannot be served, or only claim to be something: each gets its reason."""

import json
import struct
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import anyio
import numpy as np
import pytest

from telecine.ffmpeg.binary import find_ffmpeg
from telecine.ffmpeg.runner import MediaError, Runner
from telecine.formats.mp4.boxes import box
from telecine.formats.mp4.progressive import ProgressiveTrack, layout
from telecine.pipeline.probe import Probed, probe
from telecine.storage.spool import LocalFile
from tests.fixtures.media import make_clip
from tests.integration.pipeline.ebml import element, entry, matroska, number
from tests.integration.pipeline.inputs_of_streams import STREAMS
from tests.integration.pipeline.test_encode import index_of
from tests.unit.formats.mp4.movies import audio_track, video_stsd, video_track

pytestmark = pytest.mark.anyio

HOUR_S = 3600


async def probed(path: Path) -> Probed:
    runner = Runner(find_ffmpeg(None), "required")
    return await probe(runner, LocalFile(path, path.stat().st_size), "upload.mp4")


async def refusal(path: Path, data: bytes) -> str:
    path.write_bytes(data)
    with pytest.raises(MediaError) as refused:
        await probed(path)
    return refused.value.reason


@cache
def stream(name: str) -> Path:
    return next(source for source in STREAMS if source.name == name).make()


def encrypted_entry() -> bytes:
    encryption = element(0x5035, number(0x47E1, 5), element(0x47E2, b"0123456789abcdef"))
    return entry(1, 64, element(0x6D80, element(0x6240, number(0x5033, 1), encryption)))


def scrambled() -> bytes:
    data = bytearray(stream("transport.ts").read_bytes())
    for at in range(0, len(data), 188):
        if int.from_bytes(data[at + 1 : at + 3], "big") & 0x1FFF >= 0x100:
            data[at + 3] |= 0xC0
            data[at + 4 : at + 188] = bytes(byte ^ 0x5A for byte in data[at + 4 : at + 188])
    return bytes(data)


def gif(side_px: int) -> bytes:
    size = struct.pack("<HH", side_px, side_px)
    colours = b"\xf0\0\0" + bytes(6)
    picture = b"\x2c" + bytes(4) + size + b"\0\x02\x02\x4c\x01\0"
    return b"GIF89a" + size + colours + picture + b"\x3b"


def movie_of(track: ProgressiveTrack) -> bytes:
    head = layout([track])
    return head.head + bytes(int(track.sizes.sum()))


def dolby_vision() -> bytes:
    profile_5 = box(b"dvcC", struct.pack(">BBH", 1, 0, 5 << 9 | 9 << 3) + bytes(20))
    return movie_of(video_track(stsd=video_stsd(profile_5, fourcc=b"dvh1")))


def huge() -> bytes:
    """A movie that claims 20,000 x 20,000 pixels."""
    fields = bytes(24) + struct.pack(">HH", 20_000, 20_000) + bytes(50)
    return movie_of(video_track(stsd=struct.pack(">II", 0, 1) + box(b"vp09", fields)))


def encrypted_movie() -> bytes:
    """A movie under common encryption (ISO/IEC 23001-7), as shops of videos send it."""
    key = "00112233445566778899aabbccddeeff"
    scheme = ("-encryption_scheme", "cenc-aes-ctr", "-encryption_key", key)
    whole = ("-i", str(stream("faststart.mp4")), "-c", "copy")
    return make_clip("encrypted.mp4", *whole, *scheme, "-encryption_kid", key).read_bytes()


def instant() -> bytes:
    """Sound whose packets are there, and none of them lasts (stts: 20 packets, 1024 each)."""
    lasting, brief = (struct.pack(">4sIIII", b"stts", 0, 1, 20, ticks) for ticks in (1024, 0))
    data = movie_of(audio_track())
    assert data.count(lasting) == 1
    return data.replace(lasting, brief)


async def real_stsd() -> bytes:
    samples = index_of(await probed(stream("faststart.mp4")))
    assert samples is not None
    assert samples.video is not None
    return bytes(samples.video.stsd)


def many_tracks(count: int) -> bytes:
    header = box(b"mvhd", bytes(12) + struct.pack(">I", 1000) + bytes(84))
    return box(b"ftyp", b"isom\0\0\2\0isom") + box(b"moov", header, box(b"trak") * count)


BAD: dict[str, tuple[Callable[[], bytes], str]] = {
    "HLS": (lambda: b"#EXTM3U\n#EXTINF:4,\nfile:///etc/passwd\n", "playlist"),
    "HLS behind a mark": (lambda: b"\xef\xbb\xbf\n #EXTM3U\n#EXTINF:4,\na.ts\n", "playlist"),
    "concat": (lambda: b"ffconcat version 1.0\nfile 'a.mp4'\n", "playlist"),
    "old concat": (lambda: b"file 'a.mp4'\nfile 'b.mp4'\n", "playlist"),
    "DASH": (lambda: b"<?xml version='1.0'?>\n<!-- x -->\n<MPD type='static'></MPD>", "playlist"),
    "SDP": (lambda: b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\nm=video 5004 RTP/AVP 96\r\n", "playlist"),
    "encrypted Matroska": (lambda: matroska(encrypted_entry()), "encrypted"),
    "encrypted MP4": (encrypted_movie, "encrypted"),
    "scrambled TS": (scrambled, "encrypted"),
    "Dolby Vision": (dolby_vision, "dolby-vision"),
    "no samples": (lambda: many_tracks(0), "no-streams"),
    "many tracks": (lambda: many_tracks(1000), "too-many-streams"),
    # More boxes than are read at all.
    "a million tracks": (lambda: many_tracks(1_000_000), "broken-index"),
    # The first 32 are looked at, and hold nothing.
    "many tracks in Matroska": (lambda: matroska(*[entry(n + 1, 64) for n in range(20_000)]),
                                "undecodable"),
    "no time at all": (instant, "no-duration"),
    "a huge track": (huge, "picture-too-large"),
    "a huge picture": (lambda: gif(20_000), "unreadable"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
async def test_what_cannot_be_served_is_refused_for_its_reason(name: str, tmp_path: Path) -> None:
    make, reason = BAD[name]
    assert await refusal(tmp_path / "upload.mp4", make()) == reason


async def too_fast() -> bytes:
    """Return three thousand pictures in a fortieth of a second."""
    usual = video_track(frames=3000, chunks=(3000,), stsd=await real_stsd())
    fast = replace(
        usual,
        durations=np.ones(3000, np.int64),
        composition_offsets=usual.composition_offsets // 4004,
    )
    return movie_of(fast)


async def test_absurd_frame_rates_are_refused(tmp_path: Path) -> None:
    assert await refusal(tmp_path / "upload.mp4", await too_fast()) == "frame-rate-too-high"


async def test_movies_of_30_gib_are_planned_in_little_memory(tmp_path: Path) -> None:
    """Ten hours at 24 pictures a second: the media is a hole in a sparse file."""
    frames = 10 * HOUR_S * 24
    usual = video_track(frames=frames, chunks=(24,) * (frames // 24), stsd=await real_stsd())
    track = replace(
        usual,
        sizes=np.full(frames, (30 << 30) // frames, np.int64),
        durations=np.full(frames, 5000, np.int64),
        composition_offsets=usual.composition_offsets // 4004 * 5000,
        keyframes=np.arange(frames) % 48 == 0,
    )
    head = layout([track]).head
    path = tmp_path / "upload.mp4"
    with path.open("wb") as file:
        file.write(head)
        file.truncate(len(head) + int(track.sizes.sum()))
    assert path.stat().st_size > 29 << 30
    assert path.stat().st_blocks * 512 < 100 << 20
    command = [sys.executable, "-m", "tests.integration.pipeline.planning", str(path)]
    done = await anyio.run_process(command)
    told = json.loads(done.stdout)
    assert told["frames"] == frames
    assert told["segments"] == 10 * HOUR_S // 4 + 1  # the first two are short
    assert max(told["bytes"].values()) <= 150_000_000, told
