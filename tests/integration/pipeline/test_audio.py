"""Encoded audio is where it belongs, to the sample, across spans."""

import subprocess
import wave
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from telecine.ffmpeg.binary import find_ffmpeg
from telecine.ffmpeg.runner import Runner
from telecine.formats.codecs.adts import header
from telecine.pipeline.audio import encode_audio
from telecine.pipeline.model import AudioRendition, AudioTrack, Plan, Probe
from telecine.pipeline.sound import wav_bytes, write_wav
from telecine.storage.spool import LocalFile

pytestmark = pytest.mark.anyio

RATE_HZ = 48_000
PACKETS = 300  # 6.4 s


def chirp(seconds: float) -> npt.NDArray[np.float64]:
    """A sweep: every place of it differs from every other."""
    t = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    return 0.4 * np.sin(2 * np.pi * (200 * t + 150 * t * t))


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("audio") / "sweep.mka"
    samples = (chirp(7) * 32767).astype("<i2").tobytes()
    command = [str(find_ffmpeg(None)), "-v", "error", "-f", "s16le", "-ar", str(RATE_HZ)]
    command += ["-ac", "1", "-i", "-", "-c:a", "flac", str(path)]
    subprocess.run(command, input=samples, check=True)
    return path


def description(path: Path) -> tuple[Probe, Plan]:
    track = AudioTrack(
        codec="flac",
        codecs=None,
        sample_rate_hz=RATE_HZ,
        channels=1,
        start_s=Fraction(0),
        duration_s=Fraction(7),
        packets=None,
    )
    probe = Probe(
        container="matroska",
        size_bytes=path.stat().st_size,
        duration_s=Fraction(7),
        video=None,
        audio=track,
        truncated=False,
        video_obstacles=(),
        audio_obstacles=(),
        indexed=False,
        bit_rate_bps=0,
    )
    audio = AudioRendition(
        passthrough=False,
        codecs="mp4a.40.2",
        sample_rate_hz=RATE_HZ,
        channels=2,
        bit_rate_bps=128_000,
        packets=PACKETS,
        segment_packets=(0, PACKETS),
    )
    plan = Plan(
        version=1,
        frame_rate=Fraction(1),
        frames=0,
        piece_cuts=(),
        segment_pieces=(),
        chunk_segments=(),
        renditions=(),
        audio=audio,
        target_duration_s=7,
        width_px=0,
        height_px=0,
    )
    return probe, plan


def decoded(packets: list[bytes]) -> npt.NDArray[np.float64]:
    """Decode bare packets; the first one has nothing to overlap with and fades in."""
    stream = b"".join(header(RATE_HZ, 2, len(packet)) + packet for packet in packets)
    command = [str(find_ffmpeg(None)), "-v", "error", "-f", "aac", "-i", "-"]
    command += ["-f", "f32le", "-ac", "1", "-"]
    output = subprocess.run(command, input=stream, capture_output=True, check=True).stdout
    return np.frombuffer(output, "<f4").astype(float)


def offset_samples(ours: npt.NDArray[np.float64], at: int, length: int = 8192) -> int:
    """Return by how many samples `ours` is late against the sweep around `at`."""
    wanted = chirp(7)
    window = ours[at : at + length]
    lags = range(-600, 601)
    scores = [float(window @ wanted[at + lag : at + lag + length]) for lag in lags]
    return -lags[int(np.argmax(scores))]


@pytest.mark.parametrize("edges", [(0, PACKETS), (0, 100, 101, PACKETS)])
async def test_spans_join_without_a_shift(sweep: Path, edges: tuple[int, ...]) -> None:
    probe, plan = description(sweep)
    runner = Runner(find_ffmpeg(None), "required")
    source = LocalFile(sweep, sweep.stat().st_size)
    packets: list[bytes] = []
    for first, end in pairwise(edges):
        span = await encode_audio(runner, source, probe, plan, first, end)
        assert len(span.packets) == end - first
        packets += span.packets
    ours = decoded(packets)
    assert len(ours) == PACKETS * 1024
    assert [offset_samples(ours, at) for at in (4096, 98_304, 104_448, 250_000)] == [0, 0, 0, 0]


async def test_packets_are_given_as_they_are_made(sweep: Path) -> None:
    probe, plan = description(sweep)
    lumps: list[list[bytes]] = []

    async def take(packets: list[bytes]) -> None:
        lumps.append(packets)

    source = LocalFile(sweep, sweep.stat().st_size)
    runner = Runner(find_ffmpeg(None), "required")
    span = await encode_audio(runner, source, probe, plan, 7, PACKETS, on_packets=take)
    assert len(lumps) > 1
    assert [packet for lump in lumps for packet in lump] == span.packets
    assert len(span.packets) == PACKETS - 7


async def test_missing_audio_at_the_end_is_silence(sweep: Path) -> None:
    probe, plan = description(sweep)
    runner = Runner(find_ffmpeg(None), "required")
    source = LocalFile(sweep, sweep.stat().st_size)
    span = await encode_audio(runner, source, probe, plan, 320, 400)  # the sweep ends at 328
    assert len(span.packets) == 80
    assert float(np.abs(decoded(span.packets)[20 * 1024 :]).max()) < 0.001


async def test_a_seam_sounds_like_the_rest(sweep: Path) -> None:
    """A packet overlaps with the next one, which another run has made."""
    probe, plan = description(sweep)
    runner = Runner(find_ffmpeg(None), "required")
    source = LocalFile(sweep, sweep.stat().st_size)
    edges, errors = (0, 100, PACKETS), []
    packets: list[bytes] = []
    for first, end in pairwise(edges):
        packets += (await encode_audio(runner, source, probe, plan, first, end)).packets
    wrong = (decoded(packets) - chirp(7)[: PACKETS * 1024])[4096:]
    for at in (50, 100, 150):
        around = wrong[(at - 1) * 1024 - 4096 : (at + 1) * 1024 - 4096]
        errors.append(float(np.sqrt((around**2).mean())))
    before, seam, behind = errors
    assert seam < 2 * max(before, behind), errors


async def test_programs_get_the_same_sound_as_a_file(sweep: Path, tmp_path: Path) -> None:
    """Seven seconds and a second of silence, where viewers hear them, in 16 kHz."""
    probe, _ = description(sweep)
    runner = Runner(find_ffmpeg(None), "required")
    source, path = LocalFile(sweep, sweep.stat().st_size), tmp_path / "sound.wav"
    await write_wav(runner, source, probe, 8.0, path)
    assert path.stat().st_size == wav_bytes(8.0)
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getframerate(), file.getsampwidth()) == (1, 16_000, 2)
        assert file.getnframes() == 8 * 16_000
        heard = np.frombuffer(file.readframes(8 * 16_000), "<i2").astype(float) / 32768
    for second in (0, 2, 4):  # below 8 kHz
        window = slice(second * 16_000 + 1600, second * 16_000 + 8000)
        wanted = chirp(7)[::3][window]
        assert np.corrcoef(heard[window], wanted)[0, 1] > 0.999
    assert np.abs(heard[7 * 16_000 + 160 :]).max() < 0.001
