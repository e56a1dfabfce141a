"""Transport streams that ffmpeg writes: what comes out decodes to the same pictures."""

import subprocess
from pathlib import Path

import pytest

from telecine.formats.flv.packets import Coded
from telecine.formats.mpegts.demuxer import Demuxer, Frame, Program
from telecine.live.model import Init, Output, Part
from telecine.live.packager import Packager
from telecine.live.srt_server import TRACK_WAIT_MS
from tests.fixtures.media import FFMPEG, make_clip

PICTURES = ("-f", "lavfi", "-i", "testsrc2=size=320x180:rate=30:duration=3")
TONE = ("-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000:duration=3")
X264 = ("-c:v", "libx264", "-preset", "ultrafast", "-g", "30", "-pix_fmt", "yuv420p")
X265 = ("-c:v", "libx265", "-preset", "ultrafast", "-g", "30", "-x265-params", "log-level=error")
AAC = ("-c:a", "aac", "-ac", "2")

FORMS = {
    "plain": (*PICTURES, *TONE, *X264, *AAC),
    "reordered": (*PICTURES, *TONE, *X264, "-bf", "3", *AAC),
    "open-gop": (*PICTURES, *X264, "-bf", "2", "-x264-params", "open-gop=1"),
    "hevc": (*PICTURES, *TONE, *X265, *AAC),
    "hevc-10-bit-opus": (*PICTURES, *TONE, *X265, "-pix_fmt", "yuv420p10le", "-c:a", "libopus"),
    "no-sound": (*PICTURES, *X264),
    "sound-alone": (*TONE, *AAC),
    "wrapping": (*PICTURES, *TONE, *X264, *AAC, "-output_ts_offset", "95442.2"),
    "many-slices": (*PICTURES, *X264, "-x264-params", "slices=8"),
    "late-sound": (*PICTURES, *TONE, *X264, *AAC, "-b:a", "24k"),
    "rare-pes": (*PICTURES, *TONE, *X264, *AAC, "-pes_payload_size", "8000"),
}


def demuxed(path: Path) -> list[Program | Frame]:
    data, demuxer = path.read_bytes(), Demuxer()
    found = [
        each for at in range(0, len(data), 1316) for each in demuxer.feed(data[at : at + 1316])
    ]
    found += demuxer.flush()
    assert demuxer.damaged == 0
    return found


def packaged(found: list[Program | Frame]) -> bytes:
    packager, made = Packager(200), list[Output]()
    for each in found:
        if isinstance(each, Program):
            packager.expect(
                video=each.video, audio=each.audio, size_px=(0, 0), wait_ms=TRACK_WAIT_MS
            )
        else:
            made += packager.push(each.time_ms & 0xFFFF_FFFF, each.packet, 0)
    made += packager.end()
    assert sum(isinstance(each, Init) for each in made) == 1
    return b"".join(each.data for each in made if isinstance(each, Init | Part))


def checksums(path: Path, kind: str) -> list[str]:
    done = subprocess.run(
        [str(FFMPEG), "-v", "error", "-i", str(path), "-map", f"0:{kind}", "-fps_mode",
         "passthrough", "-f", "framemd5", "-"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stderr == ""
    return [line.split(",")[-1] for line in done.stdout.splitlines() if line[:1] != "#"]


@pytest.mark.parametrize("name", FORMS)
def test_the_same_pictures_come_out(name: str, tmp_path: Path) -> None:
    clip = make_clip(f"ts-{name}.ts", *FORMS[name])
    found = demuxed(clip)
    movie = tmp_path / "movie.mp4"
    movie.write_bytes(packaged(found))
    packets = [each.packet for each in found if isinstance(each, Frame)]
    pictures = [each for each in packets if isinstance(each, Coded) and each.video]
    assert found[0] == Program(video=name != "sound-alone", audio="-c:a" in FORMS[name])
    if name != "sound-alone":
        assert len(pictures) == 90
        assert sum(each.key for each in pictures) == 3
        assert checksums(movie, "v") == checksums(clip, "v")
    if "-c:a" in FORMS[name]:
        sound = [each for each in packets if isinstance(each, Coded) and not each.video]
        assert len(sound) >= 140
        assert len(checksums(movie, "a")) >= len(sound) - 4


def test_mp3_is_refused_by_name() -> None:
    clip = make_clip("ts-mp3.ts", *PICTURES, *TONE, *X264, "-c:a", "libmp3lame")
    with pytest.raises(ValueError, match="sound as MP3"):
        demuxed(clip)
