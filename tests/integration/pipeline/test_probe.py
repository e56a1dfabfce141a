"""What real files are, told by the confined program."""

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from telecine.ffmpeg.binary import find_ffmpeg
from telecine.ffmpeg.runner import MediaError, Runner
from telecine.formats.mp4.fragment import read_moof
from telecine.pipeline import passthrough
from telecine.pipeline.passthrough import SegmentIndex
from telecine.pipeline.plan import PlanOptions, passthrough_obstacles, plan
from telecine.pipeline.probe import Probed, probe
from telecine.pipeline.sample_index import SampleIndex
from telecine.storage.spool import LocalFile
from tests.integration.pipeline.clips import FFMPEG, Clip, decode

pytestmark = pytest.mark.anyio

X264 = ("-c:v", "libx264", "-preset", "ultrafast", "-bf", "2")


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """A source that is no local file."""

    path: Path
    size_bytes: int
    local_path: None = None

    async def read(self, offset: int, size_bytes: int) -> bytes:
        return await LocalFile(self.path, self.size_bytes).read(offset, size_bytes)


async def probed(path: Path) -> Probed:
    runner = Runner(find_ffmpeg(None), "required")
    return await probe(runner, LocalFile(path, path.stat().st_size), path.name)


def ffmpeg(*arguments: str) -> None:
    subprocess.run([FFMPEG, "-v", "error", *arguments], check=True)


@pytest.fixture
def clip(tmp_path: Path) -> Callable[..., Path]:
    return lambda name, **changes: Clip(name=name, **{"pictures": 150, **changes}).make(tmp_path)


async def test_an_mp4_is_told_from_its_index(clip: Callable[..., Path]) -> None:
    found = await probed(clip("a.mp4", video=(*X264, "-g", "60"), rate="30000/1001"))
    video, audio = found.probe.video, found.probe.audio
    assert video is not None
    assert (video.codec, video.frames, video.key_frames) == ("h264", 150, (0, 60, 120))
    assert video.frame_rate == Fraction(30000, 1001)
    assert video.codecs == "avc1.4d400d"
    assert audio is not None
    assert (audio.codecs, audio.sample_rate_hz, audio.channels) == ("mp4a.40.2", 48_000, 1)
    assert audio.start_s == Fraction(-1024, 48_000)  # the priming packet
    assert passthrough_obstacles(found.probe, PlanOptions()) == ()
    assert plan(found.probe).audio is not None
    assert found.sample_index is not None


@pytest.mark.parametrize("name", ["a.mp4", "b.mkv"])
async def test_a_source_elsewhere_is_told_the_same(clip: Callable[..., Path], name: str) -> None:
    path = clip(name)
    runner = Runner(find_ffmpeg(None), "required")
    remote = await probe(runner, Elsewhere(path, path.stat().st_size), name)
    assert remote == await probed(path)


@pytest.mark.parametrize(
    ("name", "container", "codecs"),
    [
        ("a.mkv", "matroska,webm", ("h264", "aac")),
        ("a.ts", "mpegts", ("h264", "aac")),
        ("a.avi", "avi", ("h264", "aac")),
        ("a.flv", "flv", ("h264", "aac")),
    ],
)
async def test_other_containers_are_walked_through(
    clip: Callable[..., Path], name: str, container: str, codecs: tuple[str, str]
) -> None:
    found = await probed(
        clip(name, video=(*X264, "-g", "60"), audio=("-c:a", "aac", "-ar", "44100"))
    )
    video, audio = found.probe.video, found.probe.audio
    assert video is not None
    assert audio is not None
    assert found.probe.container == container
    assert (video.codec, audio.codec) == codecs
    assert (video.frames, video.key_frames) == (150, (0, 60, 120))
    assert video.frame_rate == 30
    assert found.sample_index is None
    assert passthrough_obstacles(found.probe, PlanOptions()) == ("container", "not-indexed")


@pytest.mark.parametrize(
    ("name", "options", "packets"),
    [("a.m4a", ("-c:a", "aac"), 142), ("a.mp3", (), None), ("a.wav", (), None),
     ("a.flac", (), None), ("a.ogg", ("-c:a", "libvorbis"), None)],
)  # fmt: skip
async def test_sound_alone(
    tmp_path: Path, name: str, options: tuple[str, ...], packets: int | None
) -> None:
    path = tmp_path / name
    ffmpeg("-f", "lavfi", "-i", "sine=r=48000:d=3", *options, str(path))
    found = await probed(path)
    assert found.probe.video is None
    assert found.probe.audio is not None
    assert found.probe.audio.packets == packets
    assert abs(found.probe.duration_s - 3) < Fraction(1, 10)
    made = plan(found.probe)
    assert made.audio is not None
    assert made.audio.passthrough is (packets is not None)


async def test_cover_art_is_not_a_video(tmp_path: Path) -> None:
    path = tmp_path / "song.mp3"
    ffmpeg("-f", "lavfi", "-i", "sine=d=2", "-f", "lavfi", "-i", "color=s=64x64",
           "-frames:v", "1", "-map", "0", "-map", "1", "-c:v", "mjpeg",
           "-disposition:v", "attached_pic", str(path))  # fmt: skip
    found = await probed(path)
    assert found.probe.video is None
    assert found.probe.audio is not None


@pytest.mark.parametrize(
    ("changes", "obstacle"),
    [
        ({"video": (*X264, "-pix_fmt", "yuv444p")}, "chroma"),
        ({"video": ("-c:v", "libx264", "-pix_fmt", "yuv420p10le")}, "bit-depth"),
        ({"video": ("-c:v", "libx265", "-x265-params", "log-level=none")}, "codec"),
        ({"before": ("-ss", "1.4")}, "first-picture"),
        ({"before": ("-display_rotation", "90")}, "rotated"),
        ({"rate": "120"}, "frame-rate"),
        ({"late": "setpts='(N+gte(N,20)*60)/30/TB',format=yuv420p"}, "gaps"),
    ],
)
async def test_what_cannot_be_copied(
    clip: Callable[..., Path], changes: dict[str, object], obstacle: str
) -> None:
    found = await probed(clip("a.mp4", **{"video": (*X264, "-g", "100"), **changes}))
    assert obstacle in found.probe.video_obstacles


async def test_an_edit_at_a_key_frame_is_a_shift(clip: Callable[..., Path]) -> None:
    found = await probed(clip("a.mp4", video=(*X264, "-g", "60"), before=("-ss", "2")))
    video = found.probe.video
    assert video is not None
    assert found.probe.video_obstacles == ()
    assert (video.frames, video.key_frames) == (90, (0, 60))


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("empty.mp4", b"", "not-media"),
        ("text.mp4", b"#EXTM3U\n#EXT-X-TARGETDURATION:4\nfile:///etc/passwd\n", "playlist"),
        ("zeros.bin", bytes(10_000), "unreadable"),
        ("noise.mov", bytes(range(256)) * 40, "unreadable"),
        ("headless.mp4", b"\0\0\0\x08free\0\0\x10\0mdat" + bytes(4088), "broken-index"),
    ],
)
async def test_what_is_no_media_is_refused(
    tmp_path: Path, name: str, data: bytes, reason: str
) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(MediaError) as refused:
        await probed(path)
    assert refused.value.reason == reason


async def test_a_movie_whose_index_was_cut_off_is_refused(clip: Callable[..., Path]) -> None:
    path = clip("a.mp4")
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(MediaError, match="broken-index"):
        await probed(path)


async def test_a_faststart_movie_that_was_cut_off_plays_as_far_as_it_goes(
    clip: Callable[..., Path],
) -> None:
    path = clip("a.mp4", after=("-movflags", "+faststart"))
    whole = await probed(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    found = await probed(path)
    assert found.probe.truncated
    assert found.probe.video is not None
    assert whole.probe.video is not None
    assert 50 < found.probe.video.frames < whole.probe.video.frames
    assert "truncated" in found.probe.video_obstacles


async def test_encrypted_movies_are_refused(clip: Callable[..., Path]) -> None:
    key = "00112233445566778899aabbccddeeff"
    scheme = ("-encryption_scheme", "cenc-aes-ctr", "-encryption_key", key)
    with pytest.raises(MediaError, match="encrypted"):
        await probed(clip("a.mp4", after=(*scheme, "-encryption_kid", key)))


async def test_copied_segments_are_the_source(clip: Callable[..., Path], tmp_path: Path) -> None:
    path = clip("a.mp4", pictures=280, video=(*X264, "-g", "75"))
    found = await probed(path)
    made = plan(found.probe)
    assert [rendition.passthrough for rendition in made.renditions] == [True]
    assert found.sample_index is not None
    samples = SampleIndex.from_bytes(found.sample_index)
    index = SegmentIndex.from_bytes(passthrough.segment_index(made, samples, "video"))
    source, joined = path.read_bytes(), passthrough.video_init(samples)
    for n in range(len(index)):
        segment = index.segment(n)
        payload = b"".join(source[offset : offset + size] for offset, size in segment.ranges)
        joined += segment.head + payload
        assert read_moof(segment.moof).decode_time == made.ticks(made.segment_frames(n)[0])
    out = tmp_path / "joined.mp4"
    out.write_bytes(joined)
    assert decode(out) == list(range(280))


async def test_copied_sound_is_the_source(clip: Callable[..., Path], tmp_path: Path) -> None:
    path = clip("a.mp4", pictures=280)
    found = await probed(path)
    made = plan(found.probe)
    assert made.audio is not None
    assert made.audio.passthrough
    assert found.sample_index is not None
    samples = SampleIndex.from_bytes(found.sample_index)
    index = SegmentIndex.from_bytes(passthrough.segment_index(made, samples, "audio"))
    source, joined = path.read_bytes(), passthrough.audio_init(samples)
    for n in range(len(index)):
        segment = index.segment(n)
        joined += segment.head
        joined += b"".join(source[offset : offset + size] for offset, size in segment.ranges)
    out = tmp_path / "joined.mp4"
    out.write_bytes(joined)
    ours, theirs = sound(out), sound(path)
    # Without the priming packet the first one fades in; the decoder's noise differs.
    assert np.abs(ours[2048:400_000] - theirs[2048:400_000]).max() < 6


def sound(path: Path) -> npt.NDArray[np.int64]:
    command = [FFMPEG, "-v", "error", "-i", str(path), "-vn", "-f", "s16le", "-"]
    output = subprocess.run(command, capture_output=True, check=True).stdout
    return np.frombuffer(output, "<i2").astype(np.int64)


async def test_the_limits_are_enforced(clip: Callable[..., Path]) -> None:
    late = "setpts='(N+gte(N,20)*2700000)/30/TB',format=yuv420p"  # 25 hours
    with pytest.raises(MediaError, match="too-long"):
        await probed(clip("a.mkv", audio=(), late=late))
