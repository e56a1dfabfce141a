"""Whatever is uploaded becomes playable: the right pictures, at their time, in their colours."""

import subprocess
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from telecine.delivery.playlists import declared_audio_bps, declared_peak_bps
from telecine.domains.encodings.handlers.audio import audio_segment
from telecine.ffmpeg.binary import find_ffmpeg
from telecine.ffmpeg.runner import Runner
from telecine.formats.codecs import h264
from telecine.formats.codecs.adts import header
from telecine.formats.mp4.fragment import read_init, read_moof
from telecine.formats.mp4.sample_entry import entry_box
from telecine.pipeline import passthrough
from telecine.pipeline.audio import encode_audio, init_segment
from telecine.pipeline.collector import EncodedRendition
from telecine.pipeline.conformance import (
    HEAD_BYTES,
    Rates,
    Track,
    check_audio,
    check_video,
)
from telecine.pipeline.encode import encode_chunk
from telecine.pipeline.model import Plan
from telecine.pipeline.passthrough import SegmentIndex
from telecine.pipeline.plan import PlanOptions, plan
from telecine.pipeline.probe import Probed, probe
from tests.integration.pipeline.clips import FFMPEG, numbers
from tests.integration.pipeline.inputs import COLOURS, PATCH_PX, Input
from tests.integration.pipeline.inputs_of_pictures import PICTURES
from tests.integration.pipeline.inputs_of_streams import STREAMS
from tests.integration.pipeline.test_conformance import likeness, track_of
from tests.integration.pipeline.test_encode import check_times, index_of, local

pytestmark = pytest.mark.anyio

Pixels = npt.NDArray[np.uint8]

AT = 5
"""A picture that has nothing to do with seams or ends."""

LOUD = 0.08
RATE_HZ = 48_000
IN_PLACE_S = 0.025
"""A packet of sound: codecs and containers round to one."""


def decoded(media: bytes, size_px: tuple[int, int], *filters: str) -> Pixels:
    """Decode to RGB in the size in which the pictures were drawn."""
    width_px, height_px = size_px
    graph = ",".join((*filters, f"scale={width_px}:{height_px}:flags=area", "format=rgb24"))
    command = [FFMPEG, "-v", "error", "-i", "pipe:0", "-map", "0:v:0", "-vf", graph]
    command += ["-fps_mode", "passthrough", "-f", "rawvideo", "-"]
    raw = subprocess.run(command, input=media, capture_output=True, check=True).stdout
    return np.frombuffer(raw, np.uint8).reshape(-1, height_px, width_px, 3)


def read(pictures: Pixels, size_px: tuple[int, int]) -> list[int]:
    return numbers(pictures.mean(3).astype(np.uint8).tobytes(), *size_px)


def colour_errors(picture: Pixels) -> list[float]:
    height_px = len(picture)
    errors = []
    for place, colour in enumerate(COLOURS):
        inner = slice(place * PATCH_PX + 8, (place + 1) * PATCH_PX - 8)
        patch = picture[height_px - PATCH_PX + 8 : height_px - 8, inner]
        errors.append(float(np.abs(patch.reshape(-1, 3).mean(0) - colour).max()))
    return errors


def heard_s(media: bytes, *kind: str) -> list[float]:
    """Return when sound begins after silence."""
    steady = "aresample=async=1:min_hard_comp=0.001:first_pts=0"
    command = [FFMPEG, "-v", "error", *kind, "-i", "pipe:0", "-map", "0:a:0", "-af", steady]
    command += ["-f", "s16le", "-ac", "1", "-ar", str(RATE_HZ), "-"]
    raw = subprocess.run(command, input=media, capture_output=True, check=True).stdout
    wave = np.abs(np.frombuffer(raw, "<i2").astype(float)) / 32768
    loud = np.convolve(wave, np.ones(96) / 96, "same") > LOUD
    begins: list[float] = []
    for edge_s in (np.flatnonzero(np.diff(loud.astype(int)) == 1) / RATE_HZ).tolist():
        if not begins or edge_s - begins[-1] > 0.3:
            begins.append(round(edge_s, 3))
    return begins


def copied_index(probed: Probed, made: Plan, kind: str) -> SegmentIndex:
    samples = index_of(probed)
    assert samples is not None
    return SegmentIndex.from_bytes(passthrough.segment_index(made, samples, kind))


def copied(probed: Probed, made: Plan, path: Path, kind: str) -> bytes:
    """Return all segments of a rendition that goes through as it is."""
    samples, index = index_of(probed), copied_index(probed, made, kind)
    assert samples is not None
    source = path.read_bytes()
    init = passthrough.video_init if kind == "video" else passthrough.audio_init
    media = init(samples)
    for number in range(len(index)):
        segment = index.segment(number)
        media += segment.head
        media += b"".join(source[at : at + size] for at, size in segment.ranges)
    return media


async def sound(runner: Runner, path: Path, probed: Probed, made: Plan) -> list[float]:
    if made.audio is None:
        return []
    if made.audio.passthrough:
        return heard_s(copied(probed, made, path, "audio"))
    file = local(path)
    encoded = await encode_audio(runner, file, probed.probe, made, 0, made.audio.packets)
    assert len(encoded.packets) == made.audio.packets
    fragments = [
        audio_segment(made.audio, number, encoded.packets, 0) for number in range(made.segments)
    ]
    track = track_of(EncodedRendition("audio", init_segment(made.audio), fragments))
    checks = check_audio(made, track, rates(track, declared_audio_bps(made.audio)))
    assert [check for check in checks if not check.passed] == []
    stream = b"".join(header(RATE_HZ, 2, len(packet)) + packet for packet in encoded.packets)
    return heard_s(stream, "-f", "aac")


def check_kind(encoded: EncodedRendition) -> None:
    """Every browser decodes it: 8 bits, 4:2:0, progressive, square pixels."""
    stsd = read_init(encoded.init).stsd
    sps = h264.parse_sps(h264.parse_avcc(entry_box(stsd, b"avcC", video=True) or b"").sps[0])
    assert (sps.chroma, sps.bit_depth, sps.progressive) == ("420", 8, True)
    assert not sps.full_range
    assert sps.sample_aspect == 1


def check_pictures(source: Input, made: Plan, pictures: Pixels, first: int) -> None:
    """Every frame from `first` on shows what it should."""
    if source.legible:
        assert read(pictures, source.size_px) == list(source.shown[first : made.frames])
    if first == 0:
        assert max(colour_errors(pictures[AT])) <= source.colours


def copied_track(probed: Probed, made: Plan, path: Path, kind: str) -> Track:
    """Return what a report is told of a rendition that goes through as it is."""
    samples, index = index_of(probed), copied_index(probed, made, kind)
    assert samples is not None
    segments = [index.segment(number) for number in range(len(index))]
    init = passthrough.video_init if kind == "video" else passthrough.audio_init
    source = path.read_bytes()
    return Track(
        init(samples),
        [read_moof(segment.moof) for segment in segments],
        [segment.size_bytes for segment in segments],
        [source[segment.ranges[0][0] :][:HEAD_BYTES] for segment in segments],
    )


def copied_rates(probed: Probed, made: Plan, kind: str) -> Rates:
    """Return what the master playlist says of a rendition that goes through as it is."""
    return Rates(*copied_index(probed, made, kind).rates_bps())


def check_promises(probed: Probed, offered: Plan, made: Plan, path: Path, track: Track) -> None:
    """A report on all that was made of a source, and copied from it, finds nothing broken."""
    (rendition,) = made.renditions
    declared = rates(track, declared_peak_bps(made, rendition))
    reports = [check_video(made, rendition, track, declared)]
    if offered.renditions[-1].passthrough:
        copy = copied_track(probed, offered, path, "video")
        promised = copied_rates(probed, offered, "video")
        reports.append(check_video(offered, offered.renditions[-1], copy, promised))
    if offered.audio is not None and offered.audio.passthrough:
        copy = copied_track(probed, offered, path, "audio")
        promised = copied_rates(probed, offered, "audio")
        reports.append(check_audio(offered, copy, promised))
    assert [check for report in reports for check in report if not check.passed] == []


def rates(track: Track, peak_bps: int) -> Rates:
    ticks = sum(moof.samples.ticks for moof in track.moofs)
    bits = sum(track.sizes) * 8
    return Rates(peak_bps, bits * read_init(track.init).timescale // ticks)


@pytest.mark.parametrize("source", [*PICTURES, *STREAMS], ids=lambda source: source.name)
async def test_every_input(source: Input) -> None:
    path, runner = source.make(), Runner(find_ffmpeg(None), "required")
    probed = await probe(runner, local(path), source.name)
    found = probed.probe
    video, audio = found.video, found.audio
    assert video is not None
    assert (video.codec, None if audio is None else audio.codec) == source.codecs
    assert (found.indexed, found.truncated) == (source.indexed, source.truncated)

    offered = plan(found)
    passed = [rendition.passthrough for rendition in offered.renditions]
    assert (passed[-1], *passed[:-1]) == (source.passed[0], *[False] * (len(passed) - 1))
    if offered.audio is not None:
        assert offered.audio.passthrough is source.passed[1]
    if source.passed[0]:
        shown = decoded(copied(probed, offered, path, "video"), source.size_px, *source.upright)
        assert not source.legible or read(shown, source.size_px) == list(
            dict.fromkeys(source.shown)
        )

    made = plan(found, PlanOptions(passthrough=False))
    assert (made.width_px, made.height_px) == (source.shown_px or source.size_px)
    assert made.frame_rate == source.rate
    assert len(source.shown) - source.slack <= made.frames <= len(source.shown)
    (name,), samples = [rendition.name for rendition in made.renditions], index_of(probed)
    last = made.segments - 1
    (ladder,) = await encode_chunk(
        runner, local(path), samples, found, made, [name], 0, made.segments
    )
    (jit,) = await encode_chunk(runner, local(path), samples, found, made, [name], last, last + 1)
    assert jit.init == ladder.init
    check_kind(ladder)
    check_times(made, ladder)
    assert (ladder.concealed > 0) is source.concealed
    before = ladder.pieces[: made.segment_pieces[last]]
    for pieces, first in ((ladder.pieces, 0), (jit.pieces, made.segment_frames(last)[0])):
        media = ladder.init + b"".join(pieces)
        check_pictures(source, made, decoded(media, source.size_px, *source.upright), first)
    check_times(made, EncodedRendition(name, jit.init, [*before, *jit.pieces]))
    check_promises(probed, offered, made, path, track_of(ladder))
    # What it is compared with is converted, and timed, as it was.
    if source.near is not None:
        near = await likeness(runner, path, probed, made, ladder)
        assert near.vmaf > source.near[0]
        assert near.ssim > source.near[1]

    heard = await sound(runner, path, probed, offered)
    assert heard == pytest.approx(list(source.beeps_s), abs=IN_PLACE_S)
