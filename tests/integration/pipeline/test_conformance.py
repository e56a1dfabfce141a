"""What is stored is what was promised; whatever is wrong with it is named."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from telecine.ffmpeg.binary import find_ffmpeg
from telecine.ffmpeg.runner import Runner
from telecine.formats.mp4.boxes import iter_boxes
from telecine.formats.mp4.fragment import Moof, read_moof
from telecine.pipeline.collector import EncodedRendition
from telecine.pipeline.conformance import HEAD_BYTES, Check, Rates, Track, check_video
from telecine.pipeline.encode import encode_chunk
from telecine.pipeline.model import Plan, VideoRendition
from telecine.pipeline.plan import PlanOptions, plan
from telecine.pipeline.probe import Probed, probe
from telecine.pipeline.similarity import SAMPLE, Similarity, compare
from tests.fixtures.media import barcode_mp4
from tests.integration.pipeline.test_encode import index_of, local

pytestmark = pytest.mark.anyio

DECLARED = Rates(peak_bps=50_000_000, average_bps=0)


@dataclass(frozen=True, slots=True)
class Encoded:
    """A rendition as it is stored."""

    clip: Path
    probed: Probed
    plan: Plan
    rendition: VideoRendition
    pieces: list[bytes]
    track: Track

    @property
    def declared(self) -> Rates:
        return Rates(50_000_000, round(sum(self.track.sizes) * 8 / 5))


async def encoded(runner: Runner) -> Encoded:
    clip = barcode_mp4()
    probed = await probe(runner, local(clip), clip.name)
    made = plan(probed.probe, PlanOptions(passthrough=False))
    (rendition,) = made.renditions
    (found,) = await encode_chunk(
        runner, local(clip), index_of(probed), probed.probe, made, [rendition.name], 0,
        made.segments,
    )  # fmt: skip
    return Encoded(clip, probed, made, rendition, found.pieces, track_of(found))


def track_of(encoded: EncodedRendition) -> Track:
    """Return what a report is told of an encoded rendition."""
    moofs, heads = [], []
    for piece in encoded.pieces:
        head, payload = iter_boxes(piece)
        moofs.append(read_moof(piece[: head.end]))
        heads.append(piece[payload.body :][:HEAD_BYTES])
    return Track(encoded.init, moofs, [len(piece) for piece in encoded.pieces], heads)


async def likeness(
    runner: Runner,
    path: Path,
    probed: Probed,
    made: Plan,
    encoded: EncodedRendition,
    watermarks: Sequence[bytes] = (),
) -> Similarity:
    """Compare some pictures of the last segment, as the report on every video does."""
    first, end = made.segment_pieces[-2:]
    return await compare(
        runner,
        local(path),
        index_of(probed),
        probed.probe,
        made,
        made.rendition(encoded.name),
        made.segments - 1,
        encoded.init + b"".join(encoded.pieces[first:end]),
        watermarks=watermarks,
        extent=replace(SAMPLE, niceness=0),
    )


def broken(checks: Sequence[Check]) -> set[str]:
    return {check.name for check in checks if not check.passed}


def with_moof(track: Track, number: int, moof: Moof) -> Track:
    moofs = list(track.moofs)
    moofs[number] = moof
    return replace(track, moofs=moofs)


async def test_what_is_wrong_is_named() -> None:
    """One encode serves all: what is looked at are values."""
    runner = Runner(find_ffmpeg(None), "required")
    made = await encoded(runner)
    track, rendition = made.track, made.rendition

    def check(looked_at: Track, declared: Rates = made.declared) -> set[str]:
        return broken(check_video(made.plan, rendition, looked_at, declared))

    assert check(track) == set()
    moof = track.moofs[1]
    samples = moof.samples

    shorter = replace(
        samples,
        sizes=samples.sizes[:-1],
        durations=np.append(samples.durations[:-2], samples.durations[-2:].sum()),
        composition_offsets=samples.composition_offsets[:-1],
        keyframes=samples.keyframes[:-1],
    )
    assert "frames" in check(with_moof(track, 1, replace(moof, samples=shorter)))
    late = replace(moof, decode_time=moof.decode_time + 1)
    assert check(with_moof(track, 1, late)) == {"starts", "decoding order"}
    doubled = samples.composition_offsets.copy()
    doubled[2] = doubled[1] - samples.durations[1]
    same = replace(moof, samples=replace(samples, composition_offsets=doubled))
    assert check(with_moof(track, 1, same)) == {"presentation order"}
    never = replace(samples, keyframes=np.zeros_like(samples.keyframes))
    assert check(with_moof(track, 1, replace(moof, samples=never))) == {"key frames"}
    # The table says key frame, the bytes have a slice of another kind.
    head = bytearray(track.heads[1])
    at = 0
    while head[at + 4] & 0x1F != 5:
        at += 4 + int.from_bytes(head[at : at + 4])
    head[at + 4] = head[at + 4] & 0xE0 | 1
    heads = [track.heads[0], bytes(head), *track.heads[2:]]
    assert check(replace(track, heads=heads)) == {"key frames"}
    assert check(replace(track, moofs=track.moofs[:-1])) == {"fragments"}

    peak_bps = max(
        size * 8 * made.plan.frame_rate / (end - first)
        for size, first, end in zip(
            track.sizes, made.plan.piece_cuts, made.plan.piece_cuts[1:], strict=False
        )
    )
    right = made.declared
    assert check(track, replace(right, peak_bps=round(peak_bps))) == set()
    assert check(track, replace(right, peak_bps=round(peak_bps * 0.99))) == {"bandwidth"}
    off = replace(right, average_bps=round(right.average_bps * 1.03))
    assert check(track, off) == {"average bandwidth"}
    other = replace(rendition, codecs="avc1.64002a")
    assert broken(check_video(made.plan, other, track, right)) == {"codecs"}
    assert check(replace(track, init=track.init[:100])) == {"codecs", "key frames"}


async def test_samples_are_compared_with_the_same_pictures_of_the_source() -> None:
    runner = Runner(find_ffmpeg(None), "required")
    made = await encoded(runner)
    first, end = made.plan.segment_pieces[1], made.plan.segment_pieces[2]
    segment = made.track.init + b"".join(made.pieces[first:end])
    source, samples = local(made.clip), index_of(made.probed)

    async def likeness(number: int) -> tuple[int, float, float]:
        found = await compare(
            runner, source, samples, made.probed.probe, made.plan, made.rendition, number, segment
        )
        return found.frames, found.vmaf, found.ssim

    frames, vmaf, ssim = await likeness(1)
    cuts = made.plan.segment_frames(1)
    assert frames == cuts[1] - cuts[0]
    assert vmaf > 85
    assert ssim > 0.97
    # Other pictures than those that were encoded are far away.
    _, other_vmaf, other_ssim = await likeness(0)
    assert other_vmaf < vmaf - 20
    assert other_ssim < ssim - 0.05
